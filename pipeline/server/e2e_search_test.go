package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"gcli2api/pipeline/simulator"
)

// dialect is how a language asks one question, with a function or without, and where its answer has the text
// and what it cites for which part of it.
type dialect struct {
	post     func(g *gateway, model, prompt, more string, stream bool) reply
	function string // `,"tools":[...]` with the function f
	searches string // the same with a web search beside it
	read     func(t *testing.T, body []byte, stream bool) (text string, cited []string)
}

func dialects() map[string]dialect {
	return map[string]dialect{
		"chat":      {postChat, `,"tools":[{"type":"function","function":{"name":"f"}}]`, `,"tools":[{"type":"function","function":{"name":"f"}},{"type":"web_search"}]`, readChat},
		"responses": {postResponses, `,"tools":[{"type":"function","name":"f"}]`, `,"tools":[{"type":"function","name":"f"},{"type":"web_search"}]`, readResponses},
		"messages": {postMessages, `,"tools":[{"name":"f","input_schema":{"type":"object"}}]`,
			`,"tools":[{"name":"f","input_schema":{"type":"object"}},{"type":"web_search_20250305","name":"web_search"}]`, readMessages},
		"gemini": {postGemini, `,"tools":[{"functionDeclarations":[{"name":"f"}]}]`, `,"tools":[{"functionDeclarations":[{"name":"f"}]},{"googleSearch":{}}]`, readGemini},
	}
}

func asStream(on bool) string { return fmt.Sprintf(`,"stream":%v`, on) }

func postChat(g *gateway, model, prompt, more string, stream bool) reply {
	return g.post("/v1/chat/completions", `{"model":`+quoted(model)+`,"messages":[{"role":"user","content":`+quoted(prompt)+`}]`+asStream(stream)+more+`}`)
}

func postResponses(g *gateway, model, prompt, more string, stream bool) reply {
	return g.post("/v1/responses", `{"model":`+quoted(model)+`,"input":`+quoted(prompt)+asStream(stream)+more+`}`)
}

func postMessages(g *gateway, model, prompt, more string, stream bool) reply {
	return g.post("/v1/messages", `{"model":`+quoted(model)+`,"max_tokens":9999,"messages":[{"role":"user","content":`+quoted(prompt)+`}]`+asStream(stream)+more+`}`)
}

func postGemini(g *gateway, model, prompt, more string, stream bool) reply {
	verb := map[bool]string{false: ":generateContent", true: ":streamGenerateContent?alt=sse"}[stream]
	return g.post("/v1beta/models/"+model+verb, `{"contents":[{"role":"user","parts":[{"text":`+quoted(prompt)+`}]}]`+more+`}`)
}

// payloads are the JSON documents of an answer.
func payloads(body []byte, stream bool) (list []json.RawMessage) {
	if !stream {
		return []json.RawMessage{body}
	}
	for line := range strings.SplitSeq(string(body), "\n") {
		if data, ok := strings.CutPrefix(strings.TrimRight(line, "\r"), "data: "); ok && data != "[DONE]" {
			list = append(list, json.RawMessage(data))
		}
	}
	return list
}

func decode(t *testing.T, data []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(data, into); err != nil {
		t.Errorf("%v in %s", err, data)
	}
}

// slice is what an annotation that counts characters points at.
func slice(text string, from, to int) string {
	if letters := []rune(text); from >= 0 && from <= to && to <= len(letters) {
		return string(letters[from:to])
	}
	return fmt.Sprintf("%d-%d of %q", from, to, text)
}

type urlCitation struct {
	Start int `json:"start_index"`
	End   int `json:"end_index"`
	URL   string
}

func readChat(t *testing.T, body []byte, stream bool) (text string, cited []string) {
	type message struct {
		Content     string
		Annotations []struct {
			URLCitation urlCitation `json:"url_citation"`
		}
	}
	var found []urlCitation
	for _, data := range payloads(body, stream) {
		var e struct {
			Choices []struct{ Message, Delta message }
		}
		decode(t, data, &e)
		for _, c := range e.Choices {
			text += c.Message.Content + c.Delta.Content
			for _, a := range append(c.Message.Annotations, c.Delta.Annotations...) {
				found = append(found, a.URLCitation)
			}
		}
	}
	for _, c := range found {
		cited = append(cited, slice(text, c.Start, c.End)+"@"+c.URL)
	}
	return text, cited
}

func readResponses(t *testing.T, body []byte, stream bool) (text string, cited []string) {
	type response struct {
		Output []struct {
			Type    string
			Content []struct {
				Text        string
				Annotations []urlCitation
			}
		}
	}
	all := payloads(body, stream)
	var whole response
	if stream {
		var last struct{ Response response }
		decode(t, all[len(all)-1], &last)
		whole = last.Response
		events := strings.Count(string(body), `"type":"response.output_text.annotation.added"`)
		for _, o := range whole.Output {
			for _, c := range o.Content {
				events -= len(c.Annotations)
			}
		}
		if events != 0 {
			t.Errorf("%d events of annotations more than annotations", events)
		}
	} else {
		decode(t, body, &whole)
	}
	searched := false
	for _, o := range whole.Output {
		searched = searched || o.Type == "web_search_call"
		for _, c := range o.Content {
			text += c.Text
			for _, a := range c.Annotations {
				cited = append(cited, slice(c.Text, a.Start, a.End)+"@"+a.URL)
			}
		}
	}
	if searched != (len(cited) > 0) {
		t.Errorf("an item web_search_call: %v, with %d citations", searched, len(cited))
	}
	return text, cited
}

func readMessages(t *testing.T, body []byte, stream bool) (text string, cited []string) {
	type citation struct {
		URL  string
		Said string `json:"cited_text"`
	}
	type block struct {
		Text      string
		Citation  *citation
		Citations []citation
	}
	for _, data := range payloads(body, stream) {
		var e struct {
			Content []block
			Delta   block
		}
		decode(t, data, &e)
		for _, b := range append(e.Content, e.Delta) {
			text += b.Text
			if b.Citation != nil {
				b.Citations = append(b.Citations, *b.Citation)
			}
			for _, c := range b.Citations {
				cited = append(cited, c.Said+"@"+c.URL)
			}
		}
	}
	return text, cited
}

func readGemini(t *testing.T, body []byte, stream bool) (text string, cited []string) {
	var supports []struct {
		Segment struct {
			StartIndex, EndIndex int
			Text                 string
		}
		GroundingChunkIndices []int
	}
	for _, data := range payloads(body, stream) {
		var e struct {
			Candidates []struct {
				Content struct {
					Parts []struct {
						Text    string
						Thought bool
					}
				}
				GroundingMetadata struct {
					GroundingSupports json.RawMessage
					GroundingChunks   json.RawMessage
					WebSearchQueries  []string
				}
			}
		}
		decode(t, data, &e)
		for _, c := range e.Candidates {
			for _, p := range c.Content.Parts {
				if !p.Thought { // what is cited are bytes of the answer
					text += p.Text
				}
			}
			if g := c.GroundingMetadata; g.GroundingSupports != nil {
				decode(t, g.GroundingSupports, &supports)
				if len(g.WebSearchQueries) != 1 || !strings.Contains(string(g.GroundingChunks), "example.com") {
					t.Errorf("not all of the metadata is here: %s", data)
				}
			}
		}
	}
	for _, s := range supports { // offsets count bytes in this format
		if s.Segment.EndIndex > len(text) || text[s.Segment.StartIndex:s.Segment.EndIndex] != s.Segment.Text {
			t.Errorf("%+v of %q", s.Segment, text)
			continue
		}
		cited = append(cited, s.Segment.Text+"@https://vertexaisearch.cloud.google.com/grounding-api-redirect/simulated")
	}
	return text, cited
}

// What an answer rests on comes back in the form of each language, with the suffix alone, plain and streamed,
// to the letter.
func TestSearchCites(t *testing.T) {
	t.Parallel()
	const prompt = `Grüße aus Köln. 世界和平。 😀 "ok". Ende`
	want := []string{"echo: Grüße aus Köln. ", "世界和平。", ` 😀 "ok". `, "Ende"}
	for kind, l := range map[string]launch{"accounts": {accounts: 1}, "keys": {keys: 1}} {
		l.sim = google(t, l.accounts, l.keys)
		g := start(t, l)
		if r := g.get("/v1/models"); !strings.Contains(string(r.body), `"gemini-2.5-flash-search"`) {
			t.Errorf("not listed: %s", r.body)
		}
		for name, d := range dialects() {
			for _, model := range []string{"gemini-2.5-flash-search", "gemini-3-flash-preview-search"} {
				for _, stream := range []bool{false, true} {
					r := d.post(g, model, prompt, "", stream)
					text, cited := d.read(t, r.body, stream)
					for i := range cited {
						cited[i] = strings.TrimSuffix(cited[i], "@https://vertexaisearch.cloud.google.com/grounding-api-redirect/simulated")
					}
					if r.status != 200 || text != "echo: "+prompt || !slices.Equal(cited, want) {
						t.Errorf("%s %s %s %v: %d, text %q cites %q", kind, name, model, stream, r.status, text, cited)
					}
					if r = d.post(g, strings.TrimSuffix(model, "-search"), prompt, "", stream); r.status != 200 {
						t.Errorf("%d %s", r.status, r.body)
					}
					if _, cited = d.read(t, r.body, stream); len(cited) > 0 {
						t.Errorf("%s %s: cites %q without a search", name, model, cited)
					}
				}
			}
		}
	}
}

// What arrives at Google of search beside functions, by model, backend and language.
func TestSearchBesideFunctions(t *testing.T) {
	t.Parallel()
	names := map[string]string{"chat": "tools[1]", "responses": "tools[1]", "messages": "tools.web_search", "gemini": "googleSearch"}
	for kind, l := range map[string]launch{"accounts": {accounts: 1}, "keys": {keys: 1}, "both": {accounts: 1, keys: 1, config: "[pool]\ncalls_per_rotation = 1\n"}} {
		l.sim = google(t, l.accounts, l.keys)
		g := start(t, l)
		for name, d := range dialects() {
			for _, base := range []string{"gemini-2.5-flash", "gemini-3-flash-preview"} {
				for _, stream := range []bool{false, true} {
					for _, suffix := range []string{"", "-search"} {
						more, dropped := d.searches, names[name]
						if suffix != "" {
							more, dropped = d.function, "-search"
						}
						r := d.post(g, base+suffix, "!describe", more, stream)
						text, cited := d.read(t, r.body, stream)
						var got simulator.Description
						decode(t, []byte(text), &got)
						want := []string{"f"}
						mixed := base == "gemini-3-flash-preview" && kind != "accounts"
						if mixed {
							want, dropped = []string{"f", "googleSearch"}, ""
						}
						if r.status != 200 || !slices.Equal(got.Tools, want) || got.Mixed != mixed || r.header.Get("X-Dropped-Params") != dropped || mixed && len(cited) == 0 {
							t.Errorf("%s %s %s%s %v: %d, tools %q, mixed %v, dropped %q", kind, name, base, suffix, stream, r.status, got.Tools, got.Mixed, r.header.Get("X-Dropped-Params"))
						}
					}
				}
			}
		}
		for _, c := range l.sim.CallsOf("generateContent", "streamGenerateContent") {
			if c.Status != 200 {
				t.Errorf("%s: Google refused %s", kind, c.Body)
			}
		}
	}
}

// With "refuse" nothing is left out: a 400 that names both, or an API key.
func TestSearchRefused(t *testing.T) {
	t.Parallel()
	env := map[string]string{"SEARCH_WITH_TOOLS": "refuse"}
	for kind, l := range map[string]launch{"accounts": {accounts: 1, env: env}, "both": {accounts: 1, keys: 1, env: env, config: "[pool]\ncalls_per_rotation = 1\n"}} {
		l.sim = google(t, l.accounts, l.keys)
		g := start(t, l)
		for name, d := range dialects() {
			for _, base := range []string{"gemini-2.5-flash", "gemini-3-flash-preview"} {
				for range 2 {
					r := d.post(g, base+"-search", "!describe", d.function, false)
					if base == "gemini-3-flash-preview" && kind == "both" {
						if text, _ := d.read(t, r.body, false); r.status != 200 || !strings.Contains(text, `"backend":"aistudio"`) && !strings.Contains(text, "googleSearch") {
							t.Errorf("%s %s: %d %s", kind, name, r.status, r.body)
						}
						continue
					}
					if said := string(r.body); r.status != 400 || !strings.Contains(said, "-search") || !strings.Contains(said, "functions") || r.header.Get("X-Dropped-Params") != "" {
						t.Errorf("%s %s %s: %d %s", kind, name, base, r.status, r.body)
					}
				}
			}
			json := map[string]string{"chat": `,"response_format":{"type":"json_object"}`, "responses": `,"text":{"format":{"type":"json_object"}}`,
				"messages": `,"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}`, "gemini": `,"generationConfig":{"responseMimeType":"application/json"}`}[name]
			if r := d.post(g, "gemini-2.5-flash-search", "hi", json, false); r.status != 400 || !strings.Contains(string(r.body), "-search") || !strings.Contains(string(r.body), "JSON") {
				t.Errorf("%s JSON: %d %s", name, r.status, r.body)
			}
			if r := d.post(g, "gemini-3-flash-preview-search", "hi", json, false); r.status != 200 {
				t.Errorf("%s JSON: %d %s", name, r.status, r.body)
			}
		}
	}
}

// Switched off, whoever asks for a search hears so; a Gemini client hears Google.
func TestSearchOff(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	g := start(t, launch{sim: sim, accounts: 1, config: "[stage.search]\nenabled = false\n"})
	for name, d := range dialects() {
		if r := d.post(g, flash+"-search", "hi", "", false); r.status != 400 || !strings.Contains(string(r.body), "-search") {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
		r := d.post(g, flash, "hi", d.searches, false)
		if off := strings.Contains(string(r.body), "switched off"); r.status != 400 || off != (name != "gemini") {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	if n := len(sim.CallsOf("generateContent")); n != 1 {
		t.Errorf("%d calls", n)
	}
	if r := postChat(g, flash, "hi", `,"web_search_options":{}`, true); r.status != 400 || r.err().Error.Param != "web_search_options" || r.err().Error.Code != "feature_disabled" {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := g.get("/v1/models"); strings.Contains(string(r.body), "-search") {
		t.Errorf("listed: %s", r.body)
	}
}

// Between the calls of functions Google searches: what it did comes back with its signatures, though none of
// these languages carries it, and also when the gateway has been killed in between.
func TestAgentsThatSearch(t *testing.T) {
	t.Parallel()
	const prompt = `call get_weather {"city":"Oslo"} call get_weather {"city":"Rome"} then call get_time {"city":"Oslo"}`
	for name, a := range agents() {
		for kind, l := range map[string]launch{"keys": {keys: 1}, "both": {accounts: 1, keys: 2, config: "[pool]\ncalls_per_rotation = 1\n"}} {
			t.Run(name+" "+kind, func(t *testing.T) {
				t.Parallel()
				l := l
				l.sim = google(t, l.accounts, l.keys)
				g := start(t, l)
				steps, text := a.run(t, g, "gemini-3-flash-preview-search", prompt, nil)
				if len(steps) != 2 || !strings.Contains(text, "result of get_time") {
					t.Fatalf("steps %+v, text %q", steps, text)
				}
				calls := l.sim.CallsOf("generateContent")
				for _, c := range calls {
					if c.Status != 200 || c.Backend != simulator.AIStudio {
						t.Errorf("%s answered %d to %s", c.Backend, c.Status, c.Body)
					}
				}
				last := string(calls[len(calls)-1].Body)
				if strings.Contains(last, simulator.Sentinel) || strings.Count(last, `"toolCall"`) != 2 || strings.Count(last, `"toolResponse"`) != 2 || strings.Count(last, "thoughtSignature") != 6 {
					t.Errorf("the steps did not come back: %s", last)
				}
			})
		}
	}
}

// A dialogue that began with a key and goes on at Code Assist has neither the steps nor the search there.
func TestSearchingAgentChangesTheBackend(t *testing.T) {
	t.Parallel()
	a := chatAgent()
	sim := google(t, 1, 1)
	g := start(t, launch{sim: sim, accounts: 1, keys: 1})
	items := []any{a.user("call get_weather {}")}
	turn := func(items []any) reply {
		body := a.head("gemini-3-flash-preview-search")
		body["messages"] = items
		return g.post(a.path, mustJSON(t, body))
	}
	said, calls, _ := a.read(t, turn(items))
	items = append(append(items, said...), a.result(calls[0], "warm"))
	sim.Script(simulator.Fault{Do: "429-bare"})
	r := turn(items)
	if r.status != http.StatusOK || r.header.Get("X-Dropped-Params") != "-search" || !strings.Contains(string(r.body), "result of get_weather") {
		t.Errorf("%d, dropped %q, %s", r.status, r.header.Get("X-Dropped-Params"), r.body)
	}
	last := lastCall(sim)
	if body := string(last.Body); last.Backend != simulator.CodeAssist || strings.Contains(body, "toolCall") || strings.Contains(body, "googleSearch") || strings.Contains(body, "ServerSide") || !strings.Contains(body, simulator.Sentinel) {
		t.Errorf("%s was sent %s", last.Backend, body)
	}
}

// A Gemini client carries the steps itself: nothing of them is lost on the way, in or out.
func TestNativeStepsPass(t *testing.T) {
	t.Parallel()
	sim := google(t, 0, 1)
	g := start(t, launch{sim: sim, keys: 1})
	const tools = `"tools":[{"functionDeclarations":[{"name":"f"}]},{"google_search":{}}]`
	user := `{"role":"user","parts":[{"text":"call f {} then call f {}"}]}`
	contents := user
	for step := range 2 {
		r := g.post("/v1beta/models/gemini-3-flash-preview:generateContent", `{"contents":[`+contents+`],`+tools+`}`)
		var got struct {
			Candidates []struct{ Content json.RawMessage }
		}
		decode(t, r.body, &got)
		if r.status != 200 || !strings.Contains(string(got.Candidates[0].Content), fmt.Sprintf(`"toolCall":{"args":{"queries":["call f {} then call f {}"]},"id":"search_%d"`, step+1)) {
			t.Fatalf("%d %s", r.status, r.body)
		}
		contents += "," + string(got.Candidates[0].Content) + `,{"role":"user","parts":[{"functionResponse":{"id":"call_` + fmt.Sprint(step+1) + `_1","name":"f","response":{"ok":true}}}]}`
	}
	r := g.post("/v1beta/models/gemini-3-flash-preview:streamGenerateContent?alt=sse", `{"contents":[`+contents+`],`+tools+`}`)
	if r.status != 200 || !strings.Contains(string(r.body), "result of f") {
		t.Errorf("%d %s", r.status, r.body)
	}
	for _, c := range sim.CallsOf("generateContent", "streamGenerateContent") {
		if c.Status != 200 {
			t.Errorf("refused: %s", c.Body)
		}
	}
}
