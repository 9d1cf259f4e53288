package openai

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// hub is as much of a hub request as the property below looks at.
type hub struct {
	SystemInstruction struct{ Parts []hubPart }
	Contents          []struct {
		Role  string
		Parts []hubPart
	}
	GenerationConfig map[string]any
}

type hubPart struct {
	Text         *string
	InlineData   *struct{ MimeType, Data string }
	FileData     *struct{ FileURI string }
	FunctionCall *struct {
		Name string
		Args map[string]any
	}
	FunctionResponse *struct {
		Name     string
		Response map[string]any
	}
}

// anyText makes texts of everything that JSON may write in more than one way.
func anyText(r *rand.Rand) string {
	alphabet := []string{"a", " ", "\"", "\\", "/", "\n", "\t", "\u0001", "<", "&", "é", "中", "😀", "\u2028", "](", "![x", ")"}
	var b strings.Builder
	b.WriteByte('x') // never blank
	for range r.IntN(30) {
		b.WriteString(alphabet[r.IntN(len(alphabet))])
	}
	return b.String()
}

type object = map[string]any

// anyMessage makes a message and says what texts and pictures it has, in order.
func anyMessage(r *rand.Rand) (m object, said []string) {
	m = object{"role": []string{"user", "assistant", "system", "developer"}[r.IntN(4)]}
	if r.IntN(2) == 0 {
		text := anyText(r)
		m["content"] = text
		return m, []string{text}
	}
	var parts []object
	for range r.IntN(4) {
		if r.IntN(3) == 0 && (m["role"] == "user" || m["role"] == "assistant") {
			parts = append(parts, object{"type": "image_url", "image_url": object{"url": "data:image/png;base64,a+/="}})
			said = append(said, "image/png a+/=")
			continue
		}
		text := anyText(r)
		parts = append(parts, object{"type": "text", "text": text})
		said = append(said, text)
	}
	m["content"] = parts
	return m, said
}

// Property: what a client says reaches Google, all of it, once and in order.
func TestTextsSurvive(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		var messages []object
		var said []string
		for range 1 + r.IntN(6) {
			m, texts := anyMessage(r)
			messages, said = append(messages, m), append(said, texts...)
		}
		if len(said) == 0 {
			continue
		}
		body, err := json.Marshal(object{"model": "m", "messages": messages, "temperature": r.Float64() * 2, "seed": r.Int64(), "stop": []string{anyText(r)}})
		if err != nil {
			t.Fatal(err)
		}
		out, _, bad := translate(t, string(body), pro25)
		if bad != nil {
			t.Fatalf("%s: %v", body, bad)
		}
		if got := heard(t, out); strings.Join(got, "\x00") != strings.Join(said, "\x00") {
			t.Fatalf("%s\nsaid  %q\nheard %q", body, said, got)
		}
	}
}

// heard reads the texts of a hub request without those that we add, and checks the invariants of
// protocol 3.4.
func heard(t testing.TB, out string) (texts []string) {
	var h hub
	if err := json.Unmarshal([]byte(out), &h); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	add := func(p hubPart) {
		switch {
		case p.InlineData != nil && p.Text == nil:
			texts = append(texts, p.InlineData.MimeType+" "+p.InlineData.Data)
		case p.FileData != nil && p.Text == nil && p.InlineData == nil:
		case p.FunctionCall != nil && p.Text == nil, p.FunctionResponse != nil && p.Text == nil:
		case p.Text == nil || *p.Text == "":
			t.Fatalf("a part without exactly one data field: %s", out)
		case *p.Text != obey && *p.Text != beginner:
			texts = append(texts, *p.Text)
		}
	}
	for _, p := range h.SystemInstruction.Parts {
		add(p)
	}
	if len(h.Contents) == 0 || h.Contents[0].Role != "user" {
		t.Fatalf("does not begin with the user: %s", out)
	}
	for i, c := range h.Contents {
		if len(c.Parts) == 0 || c.Role != "user" && c.Role != "model" || i > 0 && c.Role == h.Contents[i-1].Role {
			t.Fatalf("content %d is wrong: %s", i, out)
		}
		for _, p := range c.Parts {
			add(p)
		}
		var before []hubPart
		if i > 0 {
			before = h.Contents[i-1].Parts
		}
		last := i == len(h.Contents)-1
		if calls := callsIn(before, true); !slices.Equal(calls, callsIn(c.Parts, false)) || last && len(callsIn(c.Parts, true)) > 0 {
			t.Fatalf("content %d does not answer the calls before it: %s", i, out)
		}
	}
	return texts
}

// callsIn lists the functions that a turn calls, or whose results it has.
func callsIn(parts []hubPart, calls bool) (names []string) {
	for _, p := range parts {
		switch {
		case calls && p.FunctionCall != nil:
			names = append(names, p.FunctionCall.Name)
		case !calls && p.FunctionResponse != nil:
			names = append(names, p.FunctionResponse.Name)
		}
	}
	return names
}

func FuzzToHub(f *testing.F) {
	for _, seed := range []string{
		string(chatBody()), dialogue(hi), dialogue(`{"role":"system","content":"a"}`),
		`{"messages":[{"role":"assistant","content":"![a](data:image\/png;base64,AA) b"},{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image\/jpg;base64,AA\n"}}]}]}`,
		`{"messages":[` + hi + `],"stop":["a",""],"seed":1e3,"top_k":99,"reasoning_effort":"low","modalities":["image"],"frequency_penalty":2}`,
		`{"messages":[` + hi + `],"extra_body":{"google":{"thinking_config":{"thinking_budget":5,"include_thoughts":true}}}}`,
		`{"messages":` + asked(`[{"id":"1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}},{"id":"2","type":"custom","custom":{"name":"sh","input":"x"}}]`, `{"role":"tool","tool_call_id":"2","content":"{\"b\":[]}"}`, `{"role":"tool","tool_call_id":"1","content":[{"type":"image_url","image_url":"https://e.org/a"}]}`, hi) +
			`,"tools":[` + toolF + `,` + toolText + `],"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[` + toolF + `]}},"parallel_tool_calls":false}`,
		`{"messages":[` + hi + `,{"role":"assistant","function_call":{"name":"f","arguments":""}},{"role":"function","name":"f","content":null}],"functions":[{"name":"f"}],"function_call":{"name":"f"}}`,
		`{"messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AA","format":"wav"}},{"type":"file","file":{"file_data":"AA","filename":"a.pdf"}}]}],"response_format":{"type":"json_schema","json_schema":{"schema":{"type":"object"}}},"logprobs":true,"top_logprobs":2,"google":{"cached_content":"c","safety_settings":[{"category":"a","threshold":"b"}]}}`,
		`{"m\u0065ssages":[{"r\u006fle":"user","content":"\ud800"}],"stream":true,"stream_options":{"include_usage":true}}`,
	} {
		f.Add([]byte(seed), uint8(0))
		f.Add([]byte(seed), uint8(255))
	}
	f.Fuzz(func(t *testing.T, body []byte, o uint8) {
		members, err := wire.Scan(body, nil)
		if err != nil {
			return
		}
		Detect(members)
		out, r, bad := ToHub(nil, body, members, gemini.Target{
			MaxOutput: int(o) * 300, Major: int(o & 3), Minor: int(o >> 2 & 7), Limits: limits(thinkers[o>>5]),
		})
		if bad != nil {
			if bad.Status != 400 || bad.Message == "" {
				t.Fatalf("%+v", bad)
			}
			return
		}
		for _, name := range r.Ignored {
			if strings.ContainsAny(name, "\r\n,") {
				t.Fatalf("%q is for no header", name)
			}
		}
		if !json.Valid(out) {
			t.Fatalf("no JSON: %s\nof %s", out, body)
		}
		if _, err := gemini.NewCall(out); err != nil {
			t.Fatalf("no hub request: %v: %s\nof %s", err, out, body)
		}
		heard(t, string(out))
		agrees(t, body, out)
	})
}

// agrees compares what the translation made of the plain members with what a decoder reads in them.
func agrees(t *testing.T, body, out []byte) {
	var asked struct {
		Temperature *float64
		TopP        *float64 `json:"top_p"`
		Stop        json.RawMessage
		Tools       []struct {
			Function struct{ Name, Description string }
		}
		Choice any `json:"tool_choice"`
	}
	var made struct {
		GenerationConfig struct {
			Temperature, TopP *float64
			StopSequences     []string
		}
		Tools []struct {
			FunctionDeclarations []struct{ Name, Description string }
		}
	}
	// The decoder takes names in any case, the translation does not: such bodies prove nothing.
	var top map[string]json.RawMessage
	if json.Unmarshal(body, &top) != nil || json.Unmarshal(out, &made) != nil {
		t.Fatalf("%s\nof %s", out, body)
	}
	for name := range top {
		for _, c := range []byte(name) {
			if c >= 'A' && c <= 'Z' || c >= 0x80 {
				return
			}
		}
	}
	if json.Unmarshal(body, &asked) != nil {
		return
	}
	same := func(a, b *float64) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }
	if !same(asked.Temperature, made.GenerationConfig.Temperature) || !same(asked.TopP, made.GenerationConfig.TopP) {
		t.Fatalf("other numbers: %s\nof %s", out, body)
	}
	var stops []string
	if json.Unmarshal(asked.Stop, &stops) == nil {
		stops = slices.DeleteFunc(stops, func(s string) bool { return s == "" })
		if !slices.Equal(stops, made.GenerationConfig.StopSequences) {
			t.Fatalf("other stops: %s\nof %s", out, body)
		}
	}
	if _, some := asked.Choice.(map[string]any); len(made.Tools) > 0 && len(asked.Tools) != len(made.Tools[0].FunctionDeclarations) && len(asked.Tools) > 0 && !some {
		t.Fatalf("other tools: %s\nof %s", out, body)
	}
}

func FuzzEncoder(f *testing.F) {
	for _, seed := range append(transcript, hubEvent,
		event(`{"executableCode":{"language":"PYTHON","code":"x"}},{"codeExecutionResult":{"outcome":"X","output":"\u00e9"}}`, "OTHER"),
		event(`{"inlineData":{"mimeType":"image/png","data":"AA"}},{"functionCall":{"name":"f\"","args":{"a":"\n"}}}`, ""),
		`{"candidates":[{"index":500},{"index":-1,"finishReason":5}],"promptFeedback":{"blockReason":1}}`,
		`{"usageMetadata":{"promptTokenCount":"12"},"models":[{"name":"models/a"}]}`,
		grounded(`{"text":"é\u00e9 x"}`, `{"segment":{"startIndex":2,"endIndex":5,"partIndex":0},"groundingChunkIndices":[0,1,9]}`),
		`{"candidates":[{"content":{"parts":[{"text":"x","thoughtSignature":"c2ln"}]},"citationMetadata":{"citations":[{"uri":"u"}]},"logprobsResult":{"chosenCandidates":[{"token":"x","logProbability":-1}],"topCandidates":[{}]}}],"modelVersion":"m"}`) {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		valid := wire.Check(data) == nil
		tools := &gemini.Tools{Legacy: len(data)&1 == 0}
		tools.Declare("f", true)
		e := NewEncoder(EncoderOptions{ID: "1", IncludeUsage: true, Tools: tools, Images: "images"})
		if len(data)&2 == 0 {
			e = newEncoder(true)
		}
		out, _ := e.Event(nil, data)
		out, _ = e.Event(out, data)
		out = e.Finish(out)
		for event := range strings.SplitSeq(strings.TrimSuffix(string(out), "\n\n"), "\n\n") {
			body, ok := strings.CutPrefix(event, "data: ")
			if !ok || strings.ContainsAny(body, "\r\n") {
				t.Fatalf("no event: %q", event)
			}
			if valid && body != "[DONE]" && !json.Valid([]byte(body)) {
				t.Fatalf("no JSON: %s\nof %s", body, data)
			}
		}
		for _, e := range []wire.Encoder{newEncoder(false), NewListEncoder(1, false), NewListEncoder(1, true)} {
			if out, err := e.Whole(nil, data); err == nil && !json.Valid(out) {
				t.Fatalf("no JSON: %s\nof %s", out, data)
			}
		}
		out = newEncoder(false).Failure(nil, apierror.New(apierror.BadRequest, string(data)).Naming(string(data)))
		if !json.Valid(out) {
			t.Fatalf("no JSON: %s", out)
		}
	})
}
