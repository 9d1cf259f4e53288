package anthropic

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"gcli2api/pipeline/simulator"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// google is one of the simulator's endpoints, and one model of it.
type google struct {
	*simulator.Server
	studio  bool
	model   string
	target  gemini.Target
	account simulator.Account
	known   map[string]gemini.Remembered // by the client's id
}

func (g *google) post(t *testing.T, method, hub string) (int, []byte) {
	t.Helper()
	url, body := g.URL()+"/v1beta/models/"+g.model+":"+method, hub
	if !g.studio {
		url = g.URL() + "/v1internal:" + method
		body = `{"model":"` + g.model + `","project":"` + g.account.Project + `","request":` + hub + `}`
	}
	if method == "streamGenerateContent" {
		url += "?alt=sse"
	}
	request, err := http.NewRequest("POST", url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if g.studio {
		request.Header.Set("X-Goog-Api-Key", "AIzaTestKey0000000000000000000000000001")
	} else {
		request.Header.Set("Authorization", "Bearer "+g.AccessToken("alice@example.com"))
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	all, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, all
}

// said is what a client reads: the message, and the raw content that it sends back.
type said struct {
	accumulated
	raw string
}

func (s *said) text() string {
	var b strings.Builder
	for _, block := range s.Content {
		if text, ok := block["text"].(string); ok {
			b.WriteString(text)
		}
	}
	return b.String()
}

// ask sends a request of a client all the way to Google, and its answer all the way back.
func (g *google) ask(t *testing.T, streamed bool, members string) *said {
	t.Helper()
	o := g.target
	o.Recall = func(id []byte) (gemini.Remembered, bool) { m, ok := g.known[string(id)]; return m, ok }
	hub, r, bad := translate(t, `{"model":"m","max_tokens":4000,`+members+`}`, o)
	if bad != nil {
		t.Fatal(bad)
	}
	method := "generateContent"
	if streamed {
		method = "streamGenerateContent"
	}
	status, body := g.post(t, method, hub)
	if status != 200 {
		t.Fatalf("%d %s\nfor %s", status, body, hub)
	}
	restorer := &gemini.Restorer{Tools: r.Tools, Seed: t.Name() + members, Prefix: "toolu_"}
	e := newEncoder()
	var m accumulated
	if !streamed {
		out, err := e.Whole(nil, g.restore(restorer, body))
		if err != nil || json.Unmarshal(out, &m) != nil {
			t.Fatalf("%v %s", err, out)
		}
	} else {
		var out []byte
		for line := range bytes.Lines(body) {
			if data, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte("data: ")); ok {
				var err error
				if out, err = e.Event(out, g.restore(restorer, data)); err != nil {
					t.Fatal(err)
				}
			}
		}
		m = *accumulate(t, string(e.Finish(out)))
	}
	return &said{m, encoded(m.Content)}
}

// restore does what the stages do before the encoder.
func (g *google) restore(r *gemini.Restorer, data []byte) []byte {
	if !g.studio {
		data, _ = gemini.Unwrap(data)
	}
	data = r.Event(data)
	for _, made := range r.Made() {
		g.known[made.ID] = gemini.Remembered{ID: made.Google, Signature: made.Signature, Kind: "k", Model: g.model}
	}
	return data
}

// everywhere runs a test against each kind of endpoint and each generation of models.
func everywhere(t *testing.T, test func(t *testing.T, g *google)) {
	for _, c := range []google{
		{studio: false, model: "gemini-2.5-pro", target: pro25},
		{studio: true, model: "gemini-2.5-flash", target: flash25},
		{studio: false, model: "gemini-3-flash", target: flash3},
		{studio: true, model: "gemini-3-pro-preview", target: gemini.Target{MaxOutput: 65536, Major: 3, Limits: limits("gemini-3-pro")}},
	} {
		name := "assist " + c.model
		if c.studio {
			name = "studio " + c.model
		}
		t.Run(name, func(t *testing.T) {
			s, err := simulator.Start(simulator.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
			c.Server, c.account, c.known = s, s.AddAccount(simulator.Account{Email: "alice@example.com"}), map[string]gemini.Remembered{}
			s.AddKey("AIzaTestKey0000000000000000000000000001")
			test(t, &c)
		})
	}
}

// realPNG is one pixel.
const realPNG = `{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="}}`

const realTools = `"tools":[{"name":"get weather","description":"the weather","input_schema":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}},` +
	`{"name":"shot","input_schema":{"type":"object","properties":{}}},{"type":"bash_20250124","name":"bash"},{"type":"text_editor_20250728","name":"str_replace_based_edit_tool"}]`

func TestSimulatorReads(t *testing.T) {
	everywhere(t, func(t *testing.T, g *google) {
		m := g.ask(t, false, `"system":"be terse","temperature":0.5,"top_k":100,"thinking":{"type":"enabled","budget_tokens":2000},`+realTools+
			`,"messages":[{"role":"user","content":[{"type":"text","text":"!describe"},`+realPNG+`]}]`)
		var d simulator.Description
		if err := json.Unmarshal([]byte(m.text()), &d); err != nil {
			t.Fatalf("%v: %s", err, m.text())
		}
		if d.System != "be terse" || len(d.Images) != 1 || d.Images[0].MIME != "image/png" || len(d.Tools) != 4 || d.ThinkingConfig["includeThoughts"] != true {
			t.Errorf("%+v", d)
		}
		if _, ok := d.Schemas["str_replace_based_edit_tool"]; !ok {
			t.Errorf("no schema of the editor: %+v", d.Schemas)
		}
		if m.Usage["input_tokens"].(float64) < 258 || m.Stop != "end_turn" {
			t.Errorf("%v %v", m.Usage, m.Stop)
		}
	})
}

func TestSimulatorAgent(t *testing.T) {
	everywhere(t, func(t *testing.T, g *google) {
		for _, streamed := range []bool{false, true} {
			google := fitted("get weather")
			messages := `{"role":"user","content":"call ` + google + ` {\"city\":\"Rom\"} call shot then call bash {\"command\":\"ls\"}"}`
			request := func() string {
				return realTools + `,"thinking":{"type":"adaptive"},"messages":[` + messages + `]`
			}
			first := g.ask(t, streamed, request())
			var ids []string
			for _, b := range first.Content {
				if b["type"] == "tool_use" {
					ids = append(ids, b["id"].(string))
				}
			}
			if first.Stop != "tool_use" || len(ids) != 2 || !strings.Contains(first.raw, `"name":"get weather"`) || !strings.Contains(first.raw, `"city":"Rom"`) {
				t.Fatalf("%v %s", first.Stop, first.raw)
			}
			// The results come in another order, with a picture, behind a text.
			messages += `,{"role":"assistant","content":` + first.raw + `},{"role":"user","content":[{"type":"text","text":"here"},` +
				`{"type":"tool_result","tool_use_id":"` + ids[1] + `","content":[` + realPNG + `]},{"type":"tool_result","tool_use_id":"` + ids[0] + `","content":"sunny"}]}`
			// A text of the user begins a new turn for the simulator: what matters is that it is taken.
			g.ask(t, streamed, request())

			messages = strings.Replace(messages, `{"type":"text","text":"here"},`, "", 1)
			messages = strings.Replace(messages, realPNG, `{"type":"text","text":"dark"}`, 1)
			second := g.ask(t, streamed, request())
			if second.Stop != "tool_use" || !strings.Contains(second.raw, `"command":"ls"`) {
				t.Fatalf("%v %s", second.Stop, second.raw)
			}
			var id string
			for _, b := range second.Content {
				if b["type"] == "tool_use" {
					id = b["id"].(string)
				}
			}
			messages += `,{"role":"assistant","content":` + second.raw + `},{"role":"user","content":[{"type":"tool_result","tool_use_id":"` + id + `","is_error":true,"content":"no such command"}]}`
			if last := g.ask(t, streamed, request()); last.Stop != "end_turn" || last.text() == "" {
				t.Errorf("%v %s", last.Stop, last.raw)
			}
			// What is remembered may be gone: the sentinel takes its place.
			g.known = map[string]gemini.Remembered{}
			g.ask(t, streamed, request())
		}
	})
}

func TestSimulatorRest(t *testing.T) {
	everywhere(t, func(t *testing.T, g *google) {
		m := g.ask(t, true, `"thinking":{"type":"enabled","budget_tokens":2000},"messages":[`+hi+`]`)
		if len(m.Content) != 2 || m.Content[0]["type"] != "thinking" || m.Content[1]["type"] != "text" {
			t.Errorf("%s", m.raw)
		}
		g.ask(t, false, `"thinking":{"type":"disabled"},"output_config":{"effort":"low"},"messages":[`+hi+`]`)
		g.ask(t, false, `"output_config":{"effort":"max"},"messages":[`+hi+`]`)
		if m := g.ask(t, false, `"tools":[{"type":"web_search_20250305","name":"web_search"}],"tool_choice":{"type":"tool","name":"web_search"},"messages":[`+hi+`]`); !strings.Contains(m.raw, "web_search_result_location") {
			t.Errorf("no citations: %s", m.raw)
		}
		m = g.ask(t, false, realTools+`,"tool_choice":{"type":"tool","name":"get weather"},"messages":[`+hi+`]`)
		if m.Stop != "tool_use" || m.Content[len(m.Content)-1]["name"] != "get weather" {
			t.Errorf("%s", m.raw)
		}
		m = g.ask(t, false, `"output_config":{"format":{"type":"json_schema","schema":{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]}}},"messages":[`+hi+`]`)
		if v := wire.Get([]byte(m.text()), "a"); wire.KindOf(v) != wire.KindNumber {
			t.Errorf("%s", m.raw)
		}
		m = g.ask(t, true, `"stop_sequences":["","beta"],"messages":[{"role":"user","content":"alpha beta gamma"}]`)
		if !strings.Contains(m.text(), "alpha") || strings.Contains(m.text(), "beta") || m.Stop != "end_turn" {
			t.Errorf("%s", m.raw)
		}
		g.ask(t, false, `"messages":[`+hi+`,{"role":"assistant","content":"The answer is"}]`)
		g.ask(t, false, `"messages":[{"role":"assistant","content":"Hello!"},`+hi+`]`)
	})
}

func TestSimulatorCounts(t *testing.T) {
	everywhere(t, func(t *testing.T, g *google) {
		if !g.studio { // Code Assist's countTokens has a form of its own, which the stage upstream writes
			return
		}
		hub, _, bad := with(t, CountToHub, `{"model":"m","system":"be terse",`+realTools+`,"messages":[`+hi+`]}`, g.target)
		if bad != nil {
			t.Fatal(bad)
		}
		hub = strings.Replace(hub, `{"generateContentRequest":{`, `{"generateContentRequest":{"model":"models/`+g.model+`",`, 1)
		status, body := g.post(t, "countTokens", hub)
		out, err := NewCountEncoder().Whole(nil, body)
		if n, _ := wire.Int(wire.Get(out, "input_tokens")); status != 200 || err != nil || n < 3 {
			t.Errorf("%d %s %v %s", status, body, err, out)
		}
	})
}
