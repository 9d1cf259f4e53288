package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline/simulator"
)

// tellText is a text of 700 bytes or so without anything that looks like something else.
var tellText = func() string {
	var b strings.Builder
	for i := range 24 {
		fmt.Fprintf(&b, "Line %d: the fox has %d ideas.\n", i, 24-i)
	}
	return b.String() + "The end."
}()

// script is a model that behaves in one way, and what the client gets.
type script struct {
	name   string
	story  simulator.Story
	change func(h hearer, body map[string]any)
	text   string
	finish string
	fail   string // the code of an error inside the stream
	calls  int
	most   bool // or fewer
}

func scripts() []script {
	end := func(how string, at int) simulator.Ending { return simulator.Ending{How: how, At: at} }
	all := func(e ...simulator.Ending) simulator.Story { return simulator.Story{Endings: e} }
	whole := len(tellText)
	with := func(s simulator.Story, change func(*simulator.Story)) simulator.Story { change(&s); return s }
	return []script{
		{name: "a good model", text: tellText, finish: "STOP", calls: 1},
		{name: "cut twice", story: all(end("cut", 300), end("eof", 500)), text: tellText, finish: "STOP", calls: 3},
		{name: "an attempt without a word", story: all(end("cut", 300), end("eof", 300)), text: tellText, finish: "STOP", calls: 3},
		{name: "forgets the mark once", story: all(end("stop", whole)), text: tellText, finish: "STOP", calls: 2},
		{name: "forgets the mark and says so", story: with(all(end("stop", whole), simulator.Ending{Preface: " That was all."}), func(s *simulator.Story) { s.Forgets = true }),
			text: tellText + " That was all.", finish: "STOP", calls: 3, most: true},
		{name: "always forgets the mark", story: simulator.Story{Forgets: true}, text: tellText, finish: "STOP", calls: 3, most: true},
		{name: "repeats the tail", story: all(end("eof", 300), simulator.Ending{Repeat: 60}), text: tellText, finish: "STOP", calls: 2},
		{name: "refuses to go on", story: all(end("cut", 300), end("safety", 320)), text: tellText[:320], finish: "SAFETY", calls: 2},
		{name: "refuses at once", story: all(end("safety", 320)), text: tellText[:320], finish: "SAFETY", calls: 1},
		{name: "recites", story: all(end("finish RECITATION", 320)), text: tellText[:320], finish: "RECITATION", calls: 1},
		{name: "is blocked when it goes on", story: all(end("cut", 310), end("blocked", 0)), text: tellText[:310], finish: "PROHIBITED_CONTENT", calls: 2},
		{name: "makes a call that nobody can read", story: all(end("cut", 310), end("malformed-call", 400)), text: tellText[:400], fail: "empty_answer", calls: 2},
		{name: "fails in the middle", story: all(end("error-event", 310)), text: tellText, finish: "STOP", calls: 2},
		{name: "ends at the client's stop sequence", change: withStop, text: tellText[:310], finish: "STOP", calls: 1},
		{name: "goes on to the client's stop sequence", story: all(end("cut", 200)), change: withStop, text: tellText[:310], finish: "STOP", calls: 2},
		{name: "calls a function", story: all(end("call", 320)), change: withFunction, text: tellText[:320], finish: "call", calls: 1},
		{name: "calls a function in a continuation", story: all(end("cut", 300), end("call", 320)), change: withFunction, text: tellText[:320], finish: "call", calls: 2},
		{name: "never gets done", story: all(end("max-tokens", 100), end("max-tokens", 200), end("max-tokens", 310)), text: tellText[:310], finish: "MAX_TOKENS", calls: 3},
		{name: "breaks off each time", story: all(end("cut", 100), end("cut", 200), end("eof", 310)), text: tellText[:310], fail: "stream_broken", calls: 3},
		{name: "stops early each time", story: all(end("stop", 100), end("stop", 200), end("stop", 310)), text: tellText[:310], finish: "STOP", calls: 3},
	}
}

// withStop ends the answer at byte 310; Responses has no such parameter.
func withStop(h hearer, body map[string]any) {
	switch stop := []any{tellText[310:329]}; h.name {
	case "openai":
		body["stop"] = stop
	case "anthropic":
		body["stop_sequences"] = stop
	case "gemini", "array":
		body["generationConfig"] = object("stopSequences", stop)
	}
}

func withFunction(h hearer, body map[string]any) {
	f := object("name", "f", "parameters", object("type", "object", "properties", object("x", object("type", "string"))))
	switch h.name {
	case "openai":
		body["tools"] = []any{object("type", "function", "function", f)}
	case "responses":
		f["type"] = "function"
		body["tools"] = []any{f}
	case "anthropic":
		body["tools"] = []any{object("name", "f", "input_schema", f["parameters"])}
	default:
		body["tools"] = []any{object("functionDeclarations", []any{f})}
	}
}

func TestUncutScripts(t *testing.T) {
	t.Parallel()
	for kind, b := range storyTellers(t, "max_attempts = 3\n") {
		for _, s := range scripts() {
			for _, h := range hearers() {
				if h.name == "responses" && strings.Contains(s.name, "stop sequence") {
					continue
				}
				t.Run(kind+"/"+s.name+"/"+h.name, func(t *testing.T) {
					t.Parallel()
					s.play(t, b, h)
				})
			}
		}
	}
}

func (s script) play(t *testing.T, b *storyBench, h hearer) {
	s.story.Text, s.story.Mark = tellText, endMark
	got, told, _ := b.tell(t, h, s.story, func(body map[string]any) {
		if s.change != nil {
			s.change(h, body)
		}
	})
	sameText(t, got.text, s.text)
	if len(told) > s.calls || len(told) < s.calls && !s.most {
		t.Errorf("%d calls, want %d", len(told), s.calls)
	}
	for _, c := range told {
		if !c.Asked {
			t.Error("a call does not ask for the mark")
		}
	}
	if s.fail != "" {
		if !strings.Contains(got.fail, s.fail) && !strings.Contains(got.fail, "error") || len(got.finish) > 0 || got.ends > 0 {
			t.Errorf("error %q, finish reasons %q, want %s", got.fail, got.finish, s.fail)
		}
	} else {
		got.must(t, h, s.finish)
		costs(t, h, s.story, got.usage, told)
	}
	if calls := len(got.calls); calls != map[bool]int{true: 1}[s.finish == "call"] {
		t.Errorf("calls of functions: %q", got.calls)
	}
	if t.Failed() {
		t.Logf("%q", endings(told))
	}
}

// What a continuation looks like: the request as it was, one turn of the model with what the client
// has read and nothing else, and in prompt mode one turn that asks to go on. A model from Gemini 3 on
// takes no request that ends with its own turn.
func TestUncutContinuations(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"prompt", "prefill"} {
		for kind, b := range storyTellers(t, "continue = \""+mode+"\"\n") {
			for _, model := range []string{"gemini-2.5-flash", "gemini-3-flash-preview"} {
				t.Run(mode+"/"+kind+"/"+model, func(t *testing.T) {
					t.Parallel()
					name := "continued by " + model
					b.sim.Tell(name, simulator.Story{Text: tellText, Mark: endMark, Thoughts: "**Hm**\nNo part of it.",
						Endings: []simulator.Ending{{How: "cut", At: 200}, {How: "max-tokens", At: 400}}})
					h := hearers()[1]
					got, _ := h.ask(t, b.g, model+"-anti-truncation", "!story "+name, thinking(h, true))
					sameText(t, got.text, tellText)
					got.must(t, h, "STOP")
					if n := strings.Count(got.thoughts, "**Hm**"); n == 0 {
						t.Errorf("thoughts %q", got.thoughts)
					}
					var all []asked
					for _, c := range b.sim.CallsOf("streamGenerateContent") {
						if c.Model == model {
							all = append(all, askedOf(t, c))
						}
					}
					if len(all) != 3 {
						t.Fatalf("%d calls", len(all))
					}
					for i, end := range []int{0, 200, 400} {
						all[i].holds(t, all[0], tellText[:end], mode == "prompt" || model == "gemini-3-flash-preview")
					}
				})
			}
		}
	}
}

// asked is what a call to Google had in it.
type asked struct {
	Contents []struct {
		Role  string
		Parts []struct{ Text string }
	}
	SystemInstruction, GenerationConfig json.RawMessage
}

func askedOf(t *testing.T, c simulator.Call) asked {
	t.Helper()
	var e struct {
		asked
		Request *asked
	}
	if err := json.Unmarshal(c.Body, &e); err != nil {
		t.Fatal(err)
	}
	if e.Request != nil {
		return *e.Request
	}
	return e.asked
}

func (s asked) holds(t *testing.T, first asked, said string, asks bool) {
	t.Helper()
	config := strings.Replace(string(s.GenerationConfig), `"includeThoughts":false`, `"includeThoughts":true`, 1) // those of a continuation need not be shown
	if string(s.SystemInstruction) != string(first.SystemInstruction) || config != string(first.GenerationConfig) {
		t.Errorf("instructions and settings change: %s %s", s.SystemInstruction, s.GenerationConfig)
	}
	more := s.Contents[len(first.Contents):]
	if said == "" {
		return
	}
	if want := map[bool]int{true: 2, false: 1}[asks]; len(more) != want || more[0].Role != "model" || asks && more[1].Role != "user" {
		t.Fatalf("turns behind the request: %+v", more)
	}
	text := ""
	for _, p := range more[0].Parts {
		text += p.Text
	}
	sameText(t, text, said)
}

// An answer that falls silent longer than the idle limit goes on as one that breaks off.
func TestUncutSilence(t *testing.T) {
	t.Parallel()
	sim := google(t, 2, 0)
	b := &storyBench{sim: sim, g: start(t, launch{sim: sim, accounts: 2, env: map[string]string{"UPSTREAM_IDLE_TIMEOUT": "1"}})}
	for _, h := range hearers() {
		t.Run(h.name, func(t *testing.T) {
			t.Parallel()
			got, told, _ := b.tell(t, h, simulator.Story{Text: tellText, Mark: endMark, Endings: []simulator.Ending{{How: "silence 1h", At: 300}}})
			sameText(t, got.text, tellText)
			got.must(t, h, "STOP")
			if len(told) != 2 {
				t.Errorf("%q", endings(told))
			}
		})
	}
}

// A client that leaves while a continuation runs ends that call, and none follows.
func TestUncutClientLeaves(t *testing.T) {
	t.Parallel()
	for kind, b := range storyTellers(t, "") {
		for _, h := range hearers() {
			t.Run(kind+"/"+h.name, func(t *testing.T) { // one at a time: the simulator is looked at as a whole
				name := "left by " + h.name
				b.sim.Tell(name, simulator.Story{Text: tellText, Mark: endMark, Pieces: []int{1000}, Endings: []simulator.Ending{{How: "cut", At: 300}, {How: "silence 1h", At: 600}}})
				ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
				defer cancel()
				body, _ := json.Marshal(h.body(uncut, "!story "+name))
				resp, err := client.Do(b.g.request("POST", h.path(uncut), string(body)).WithContext(ctx))
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				readUntil(t, resp, "Line 18: ") // begins at byte 555
				cancel()
				idle(t, b.sim)
				told := b.sim.Told(name)
				calls := b.sim.CallsOf("streamGenerateContent")
				if last := calls[len(calls)-1]; len(told) != 2 || !last.Gone || last.Number != told[1].Call {
					t.Errorf("%q, gone: %v", endings(told), last.Gone)
				}
				b.g.settled()
			})
		}
	}
}

// readUntil reads a body until it has a text in it that no event boundary splits.
func readUntil(t *testing.T, resp *http.Response, text string) {
	t.Helper()
	var all strings.Builder
	lines := bufio.NewReader(resp.Body)
	for {
		b, err := lines.ReadByte()
		if err != nil {
			t.Fatalf("%v behind %q", err, tail(all.String()))
		}
		all.WriteByte(b)
		if b == ' ' && strings.HasSuffix(all.String(), text) {
			return
		}
	}
}

// A request that fails before anything was said keeps its true status.
func TestUncutFailsAtOnce(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"codeassist", "geminiapi"} {
		for how, want := range map[string]struct {
			status int
			calls  int
		}{"400": {400, 1}, "429-quota 1h": {429, 1}, "400-tokens": {400, 1}, "404": {404, 1}} {
			for _, h := range hearers() {
				t.Run(kind+"/"+how+"/"+h.name, func(t *testing.T) {
					t.Parallel()
					l := launch{accounts: 1, light: true}
					if kind == "geminiapi" {
						l = launch{keys: 1, light: true}
					}
					l.sim = google(t, l.accounts, l.keys)
					g := start(t, l)
					l.sim.Tell("s", simulator.Story{Text: tellText, Mark: endMark, Endings: []simulator.Ending{{How: how}, {How: how}, {How: how}, {How: how}}})
					got, r := h.ask(t, g, uncut, "!story s")
					if told := l.sim.Told("s"); r.status != want.status || got.fail == "" || len(told) != want.calls {
						t.Errorf("%d %s, %q", r.status, r.body, endings(told))
					}
				})
			}
		}
	}
}

// A failure of a continuation comes inside the stream, behind what was said.
func TestUncutContinuationFails(t *testing.T) {
	t.Parallel()
	for kind, b := range storyTellers(t, "") {
		for _, h := range hearers() {
			t.Run(kind+"/"+h.name, func(t *testing.T) {
				t.Parallel()
				got, told, r := b.tell(t, h, simulator.Story{Text: tellText, Mark: endMark, Endings: []simulator.Ending{{How: "cut", At: 310}, {How: "400"}, {How: "400"}, {How: "400"}}})
				sameText(t, got.text, tellText[:310])
				if r.status != 200 || got.fail == "" || len(got.finish) > 0 || got.ends > 0 || len(told) != 2 {
					t.Errorf("%d, error %q, finish reasons %q, %q", r.status, got.fail, got.finish, endings(told))
				}
			})
		}
	}
}

// Where the feature cannot work it is off, and the client reads so.
func TestUncutLeftAlone(t *testing.T) {
	t.Parallel()
	format := object("type", "json_object")
	schema := object("type", "object", "properties", object("a", object("type", "string")))
	for kind, b := range storyTellers(t, "") {
		for name, c := range map[string]struct{ path, body string }{
			"plain openai":    {"/v1/chat/completions", `{"model":"` + uncut + `","messages":[{"role":"user","content":"!story S"}]}`},
			"plain gemini":    {"/v1beta/models/" + uncut + ":generateContent", `{"contents":[{"role":"user","parts":[{"text":"!story S"}]}]}`},
			"plain anthropic": {"/v1/messages", `{"model":"` + uncut + `","max_tokens":9999,"messages":[{"role":"user","content":"!story S"}]}`},
			"plain responses": {"/v1/responses", `{"model":"` + uncut + `","input":"!story S"}`},
			"json openai":     {"/v1/chat/completions", `{"model":"` + uncut + `","stream":true,"response_format":` + mustJSON(t, format) + `,"messages":[{"role":"user","content":"!story S"}]}`},
			"json gemini": {"/v1beta/models/" + uncut + ":streamGenerateContent?alt=sse",
				`{"generationConfig":{"responseMimeType":"application/json","responseSchema":` + mustJSON(t, schema) + `},"contents":[{"role":"user","parts":[{"text":"!story S"}]}]}`},
			"two candidates": {"/v1beta/models/gemini-2.0-flash-anti-truncation:streamGenerateContent?alt=sse",
				`{"generationConfig":{"candidateCount":2},"contents":[{"role":"user","parts":[{"text":"!story S"}]}]}`},
		} {
			t.Run(kind+"/"+name, func(t *testing.T) {
				t.Parallel()
				if kind == "codeassist" && name == "two candidates" {
					c.path = strings.Replace(c.path, "2.0", "2.5", 1) // takes no two, with the feature or without
					if r := b.g.post(c.path, c.body); r.status != 400 || !strings.Contains(string(r.body), "Multiple candidates") {
						t.Errorf("%d %s", r.status, r.body)
					}
					return
				}
				story := strings.ReplaceAll(name, " ", "-")
				b.sim.Tell(story, simulator.Story{Text: tellText, Mark: endMark, Endings: []simulator.Ending{{How: "max-tokens", At: 300}}})
				r := b.g.post(c.path, strings.ReplaceAll(c.body, "!story S", "!story "+story))
				told := b.sim.Told(story)
				if r.status != 200 || len(told) != 1 || told[0].Asked || !strings.Contains(string(r.body), "Line 9: ") || strings.Contains(string(r.body), "Line 20: ") {
					t.Errorf("%d %s\n%q", r.status, r.body, endings(told))
				}
				if d := r.header.Get("X-Dropped-Params"); !strings.Contains(d, "anti-truncation") {
					t.Errorf("X-Dropped-Params: %q", d)
				}
			})
		}
		t.Run(kind+"/n", func(t *testing.T) {
			r := b.g.post("/v1/chat/completions", `{"model":"`+uncut+`","stream":true,"n":2,"messages":[{"role":"user","content":"hi"}]}`)
			if r.status != 400 || r.err().Error.Param != "n" {
				t.Errorf("%d %s", r.status, r.body)
			}
		})
	}
}

// With plain = true an answer in one piece is whole as well.
func TestUncutPlain(t *testing.T) {
	t.Parallel()
	for kind, b := range storyTellers(t, "plain = true\n") {
		for i, a := range []string{
			"/v1/chat/completions " + `{"model":"` + uncut + `","messages":[{"role":"user","content":"!story S"}]}`,
			"/v1beta/models/" + uncut + ":generateContent " + `{"contents":[{"role":"user","parts":[{"text":"!story S"}]}]}`,
			"/v1/messages " + `{"model":"` + uncut + `","max_tokens":9999,"messages":[{"role":"user","content":"!story S"}]}`,
			"/v1/responses " + `{"model":"` + uncut + `","input":"!story S"}`,
		} {
			t.Run(fmt.Sprint(kind, " ", i), func(t *testing.T) {
				t.Parallel()
				name := fmt.Sprint("plain", i)
				b.sim.Tell(name, simulator.Story{Text: tellText, Mark: endMark, Endings: []simulator.Ending{{How: "max-tokens", At: 300}, {How: "cut", At: 400}}})
				path, body, _ := strings.Cut(a, " ")
				r := b.g.post(path, strings.ReplaceAll(body, "!story S", "!story "+name))
				told := b.sim.Told(name)
				if r.status != 200 {
					t.Fatalf("%d %s\n%q", r.status, r.body, endings(told))
				}
				text, usage := plainText(t, r)
				sameText(t, text, tellText)
				want := sum(hearer{name: "openai"}, told)
				if len(told) != 3 || usage != want.total || r.header.Get("X-Dropped-Params") != "" {
					t.Errorf("%q, %d tokens, want %d, dropped %q", endings(told), usage, want.total, r.header.Get("X-Dropped-Params"))
				}
			})
		}
	}
}

// plainText reads a whole answer of any language.
func plainText(t *testing.T, r reply) (text string, tokens int) {
	t.Helper()
	var a struct {
		Choices    []struct{ Message struct{ Content string } }
		Candidates []struct {
			Content struct {
				Parts []struct {
					Text    string
					Thought bool
				}
			}
		}
		Content []struct{ Text string }
		Output  []struct{ Content []struct{ Text string } }
		Usage   struct {
			Total  int `json:"total_tokens"`
			Input  int `json:"input_tokens"`
			Output int `json:"output_tokens"`
		}
		UsageMetadata struct{ TotalTokenCount int }
	}
	mustRead(t, r, &a)
	for _, c := range a.Choices {
		text += c.Message.Content
	}
	for _, c := range a.Candidates {
		for _, p := range c.Content.Parts {
			if !p.Thought {
				text += p.Text
			}
		}
	}
	for _, c := range a.Content {
		text += c.Text
	}
	for _, o := range a.Output {
		for _, c := range o.Content {
			text += c.Text
		}
	}
	return text, max(a.Usage.Total, a.Usage.Input+a.Usage.Output, a.UsageMetadata.TotalTokenCount)
}

// In relaxed mode an answer that ends as answers do needs no mark.
func TestUncutRelaxed(t *testing.T) {
	t.Parallel()
	for kind, b := range storyTellers(t, "relaxed = true\n") {
		for name, c := range map[string]struct {
			story simulator.Story
			calls int
		}{
			"forgets":    {simulator.Story{Forgets: true}, 1},
			"cut":        {simulator.Story{Forgets: true, Endings: []simulator.Ending{{How: "cut", At: 300}}}, 2},
			"max tokens": {simulator.Story{Forgets: true, Endings: []simulator.Ending{{How: "max-tokens", At: 300}}}, 2},
			"in a word":  {simulator.Story{Forgets: true, Endings: []simulator.Ending{{How: "stop", At: 310}}}, 2},
			"remembers":  {simulator.Story{}, 1},
		} {
			t.Run(kind+"/"+name, func(t *testing.T) {
				t.Parallel()
				c.story.Text, c.story.Mark = tellText, endMark
				for _, h := range hearers() {
					got, told, _ := b.tell(t, h, c.story)
					sameText(t, got.text, tellText)
					got.must(t, h, "STOP")
					if len(told) != c.calls {
						t.Errorf("%s: %q", h.name, endings(told))
					}
				}
			})
		}
	}
}
