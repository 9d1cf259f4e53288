package responses

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/simulator"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

const googleKey = "AIzaTestKey0000000000000000000000000001"

// google is the simulator behind this format: what a gateway does between the two, with nothing kept
// but what the dialogue itself carries.
type google struct {
	*simulator.Server
	t       testing.TB
	account simulator.Account
	assist  bool // Code Assist instead of AI Studio
	n       int
}

func startGoogle(t testing.TB, assist bool) *google {
	t.Helper()
	s, err := simulator.Start(simulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	s.AddKey(googleKey)
	return &google{Server: s, t: t, account: s.AddAccount(simulator.Account{Email: "alice@example.com"}), assist: assist}
}

// answer is what a client has of a request.
type answer struct {
	response object
	text     string // of the messages
	output   []byte
	thread   []byte
}

// ask sends a request as a stream, goes on from thread, and reads the events.
func (g *google) ask(model, body string, thread []byte) answer {
	g.t.Helper()
	members := scanned(g.t, body)
	target := pro25()
	if strings.HasPrefix(model, "gemini-3") {
		target = pro3()
	}
	target.Image = strings.Contains(model, "image")
	hub, r, fail := ToHub(nil, Input{Body: []byte(body), Members: members, Thread: thread}, target)
	if fail != nil {
		g.t.Fatalf("%v: %s", fail, body)
	}
	items, fail := AppendItems(nil, members, thread)
	if fail != nil {
		g.t.Fatal(fail)
	}
	var a answer
	g.n++
	e := NewEncoder(EncoderOptions{ID: fmt.Sprint(g.n), Model: model, Created: 1, Members: members, Tools: r.Tools, Stream: true,
		Keep: func(_, output []byte) *apierror.Error {
			a.output = append(a.output, output...)
			return nil
		}})
	names := gemini.Restorer{Tools: r.Tools, Seed: fmt.Sprint(g.n), Prefix: "call_"}
	var out []byte
	for _, data := range g.stream(model, decided(g.t, hub)) {
		var err error
		if out, err = e.Event(out, names.Event(data)); err != nil {
			g.t.Fatal(err)
		}
	}
	w := watch(g.t, string(e.Finish(out)))
	a.response, a.thread = w.last, AppendThread(nil, items, a.output)
	for _, it := range w.items {
		if it["type"] == "message" {
			a.text += it["content"].([]any)[0].(object)["text"].(string)
		}
	}
	return a
}

// decided is the hub request behind the stage search, as far as these tests go: functions win.
func decided(t testing.TB, hub []byte) []byte {
	c, fail := gemini.NewCall(hub)
	if fail != nil {
		t.Fatal(fail)
	}
	tools, _ := c.Get("tools")
	if gemini.ToolsetOf(tools).Functions {
		c.Set("tools", gemini.AppendTools(nil, tools, func(string) bool { return false }))
	}
	return c.AppendTo(nil)
}

// stream posts a hub request, and gives the events without envelopes.
func (g *google) stream(model string, hub []byte) (events [][]byte) {
	g.t.Helper()
	path, body := "/v1beta/models/"+model+":streamGenerateContent?alt=sse", string(hub)
	if g.assist {
		path, body = "/v1internal:streamGenerateContent?alt=sse", `{"model":"`+model+`","project":"`+g.account.Project+`","request":`+body+`}`
	}
	request, err := http.NewRequest("POST", g.URL()+path, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if g.assist {
		request.Header.Set("Authorization", "Bearer "+g.AccessToken(g.account.Email))
	} else {
		request.Header.Set("X-Goog-Api-Key", googleKey)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		g.t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != 200 {
		said, _ := io.ReadAll(response.Body)
		g.t.Fatalf("%d for %s\n%s", response.StatusCode, hub, said)
	}
	sse := wire.NewSSE(wire.Plain(response.Body), 0)
	defer sse.Close()
	for {
		data, _, err := sse.Next()
		if err == io.EOF {
			return events
		}
		if err != nil {
			g.t.Fatal(err)
		}
		if g.assist {
			data, _ = gemini.Unwrap(data)
		}
		events = append(events, append([]byte(nil), data...))
	}
}

// TestGoogle sends requests of every kind to Google's twin, which refuses what Google refuses.
func TestGoogle(t *testing.T) {
	schema := `{"type":"json_schema","name":"n","strict":true,"schema":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"],"additionalProperties":false}}`
	for name, c := range map[string]struct{ body, says string }{
		"a string":       {body: `{"input":"hello there"}`, says: "echo: hello there"},
		"all parameters": {body: `{"input":"hello","instructions":"be","temperature":0.5,"top_p":0.9,"max_output_tokens":4000,"reasoning":{"effort":"medium","summary":"auto"},"metadata":{},"truncation":"auto"}`, says: "echo: hello"},
		"no thinking":    {body: `{"input":"hello","reasoning":{"effort":"none"}}`, says: "echo: hello"},
		"messages":       {body: asking(`{"role":"developer","content":"be"},` + hi + `,{"role":"assistant","content":"yes"},{"role":"user","content":[{"type":"input_text","text":"see"},{"type":"input_image","image_url":"data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="}]}`), says: "echo: see"},
		"instructions":   {body: `{"instructions":"be","input":[]}`, says: "echo: Please do as the instructions say."},
		"calls":          {body: `{"input":[` + hi + "," + callA + "," + callB + "," + outB + "," + outA + `],"tools":[` + fTool + "," + gTool + `]}`, says: `result of f: {"result":"ok"}`},
		"JSON":           {body: `{"input":"hello","text":{"format":` + schema + `}}`, says: `"city"`},
		"JSON and tools": {body: `{"input":"hello","text":{"format":` + schema + `},"tools":[` + fTool + `]}`},
		"search":         {body: `{"input":"hello","tools":[{"type":"web_search"}]}`, says: "echo: hello"},
		"search and f":   {body: `{"input":"hello","tools":[{"type":"web_search"},{"type":"code_interpreter","container":"c"},` + fTool + `]}`, says: "echo: hello"},
		"no calls":       {body: `{"input":"call f","tools":[` + fTool + `],"tool_choice":"none"}`, says: "echo: call f"},
		"named":          {body: `{"input":"hello","tools":[` + fTool + "," + gTool + `],"tool_choice":{"type":"function","name":"g"}}`},
		"allowed":        {body: `{"input":"hello","tools":[` + fTool + "," + gTool + `],"tool_choice":{"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"g"}]}}`},
		"many tools":     {body: string(agentBody(40, 3)), says: "echo: And then?"},
	} {
		for _, model := range []string{"gemini-2.5-pro", "gemini-3-flash"} {
			for _, assist := range []bool{true, false} {
				if model == "gemini-3-flash" && !assist {
					model = "gemini-3.1-flash-lite"
				}
				t.Run(fmt.Sprint(name, " ", model, " ", assist), func(t *testing.T) {
					a := startGoogle(t, assist).ask(model, c.body, nil)
					if !strings.Contains(a.text, c.says) || a.response["status"] != "completed" || a.response["usage"] == nil {
						t.Errorf("%q %v", a.text, a.response)
					}
				})
			}
		}
	}
}

// TestGoogleInSteps is an agent with two steps of calls, in whole dialogues and by previous_response_id,
// with and without signatures that the dialogue carries.
func TestGoogleInSteps(t *testing.T) {
	for _, model := range []string{"gemini-2.5-pro", "gemini-3.1-flash-lite"} {
		for _, include := range []string{"", `,"include":["reasoning.encrypted_content"]`} {
			for _, kept := range []bool{true, false} {
				for _, assist := range []bool{true, false} {
					g := startGoogle(t, assist)
					rest := `,"tools":[` + fTool + `,{"type":"custom","name":"sh"}]` + include + `}`
					a := g.ask(model, `{"input":"call f call sh then call f"`+rest, nil)
					said := AppendThread(nil, []byte(`[{"role":"user","content":"call f call sh then call f"}]`), a.output)
					thread := a.thread
					for step, want := range []int{2, 1, 0} {
						outs := answers(t, a.output)
						if len(outs) != want {
							t.Fatalf("%s, step %d: %d calls in %s", model, step, len(outs), a.output)
						}
						if want == 0 {
							break
						}
						input := "[" + strings.Join(outs, ",") + "]"
						if said = AppendThread(nil, said, []byte(input)); !kept {
							input, thread = string(said), nil
						}
						a = g.ask(model, `{"input":`+input+rest, thread)
						said, thread = AppendThread(nil, said, a.output), a.thread
					}
					if !strings.Contains(a.text, "result of f") {
						t.Errorf("%s: %q", model, a.text)
					}
					if hub := string(g.CallsOf("streamGenerateContent")[1].Body); strings.HasPrefix(model, "gemini-3") && strings.Contains(hub, gemini.Sentinel) == (include != "") {
						t.Errorf("the signature of %q: %s", include, hub)
					}
				}
			}
		}
	}
}

// answers gives an output for each call, the last one first.
func answers(t testing.TB, output []byte) (outs []string) {
	t.Helper()
	var items []struct {
		Type    string
		Call_id string
		Input   *string
	}
	if err := json.Unmarshal(output, &items); err != nil {
		t.Fatal(err)
	}
	for _, it := range items {
		if kind, ok := strings.CutSuffix(it.Type, "_call"); ok {
			if (kind == "custom_tool") != (it.Input != nil) {
				t.Errorf("%s", output)
			}
			said := `_output","call_id":"` + it.Call_id + `","output":"done"}`
			switch kind {
			case "shell":
				said = `_output","call_id":"` + it.Call_id + `","max_output_length":null,"output":[{"stdout":"done","stderr":"","outcome":{"type":"exit","exit_code":0}}]}`
			case "apply_patch":
				said = `_output","call_id":"` + it.Call_id + `","status":"completed"}`
			}
			outs = append([]string{`{"type":"` + it.Type + said}, outs...)
		}
	}
	return outs
}

func TestGoogleDraws(t *testing.T) {
	a := startGoogle(t, false).ask("gemini-2.5-flash-image", `{"input":"a cat","tools":[{"type":"image_generation"}]}`, nil)
	output := a.response["output"].([]any)
	if last := output[len(output)-1].(object); last["type"] != "image_generation_call" || len(last["result"].(string)) < 50 {
		t.Errorf("%v", a.response)
	}
}

func TestGoogleSearches(t *testing.T) {
	a := startGoogle(t, false).ask("gemini-2.5-pro", `{"input":"hello","tools":[{"type":"web_search"}],"include":["web_search_call.action.sources"]}`, nil)
	if s := fmt.Sprint(a.response["output"]); !strings.Contains(s, "url_citation") || !strings.Contains(s, "web_search_call") || !strings.Contains(s, "sources") {
		t.Errorf("%s", s)
	}
}
