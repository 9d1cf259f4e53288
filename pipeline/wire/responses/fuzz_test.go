package responses

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// hubRequest is as much of a hub request as the properties below look at.
type hubRequest struct {
	SystemInstruction struct{ Parts []hubPart }
	Contents          []struct {
		Role  string
		Parts []hubPart
	}
}

type hubPart struct {
	Text             *string
	InlineData       *struct{ MimeType, Data string }
	FileData         *struct{ FileURI string }
	FunctionCall     *struct{ Name string }
	FunctionResponse *struct {
		Name     string
		Response object
	}
}

// heard reads the texts of a hub request without those that the draft adds, and holds the rules of
// protocol 3.4: roles take turns, the user begins, no part is empty, results answer their calls.
func heard(t testing.TB, out string) (texts []string) {
	t.Helper()
	var h hubRequest
	if err := json.Unmarshal([]byte(out), &h); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	calls := 0
	add := func(p hubPart) {
		switch {
		case p.InlineData != nil:
			texts = append(texts, p.InlineData.MimeType+" "+p.InlineData.Data)
		case p.FunctionCall != nil:
			calls++
		case p.FunctionResponse != nil:
			if calls--; p.FunctionResponse.Response == nil {
				t.Fatalf("a response that is no object: %s", out)
			}
		case p.FileData != nil:
		case p.Text == nil || *p.Text == "":
			t.Fatalf("a part without exactly one data field: %s", out)
		case *p.Text != "Please do as the instructions say." && *p.Text != "(The conversation starts here.)":
			texts = append(texts, *p.Text)
		}
	}
	for _, p := range h.SystemInstruction.Parts {
		add(p)
	}
	for i, c := range h.Contents {
		if len(c.Parts) == 0 || c.Role != "user" && c.Role != "model" || i == 0 && c.Role != "user" || i > 0 && c.Role == h.Contents[i-1].Role {
			t.Fatalf("content %d is wrong: %s", i, out)
		}
		for _, p := range c.Parts {
			add(p)
		}
		if c.Role == "user" && calls != 0 {
			t.Fatalf("content %d does not answer the calls before it: %s", i, out)
		}
	}
	if len(h.Contents) == 0 || calls != 0 {
		t.Fatalf("no contents, or a call at the end: %s", out)
	}
	return texts
}

// anyText makes texts of everything that JSON may write in more than one way.
func anyText(r *rand.Rand) string {
	alphabet := []string{"a", " ", "\"", "\\", "/", "\n", "\t", "\u0001", "<", "&", "é", "中", "😀", "\u2028", "](", "![x", ")"}
	var b strings.Builder
	b.WriteByte('x')
	for range r.IntN(30) {
		b.WriteString(alphabet[r.IntN(len(alphabet))])
	}
	return b.String()
}

// anyItem makes a message, and says what texts and pictures it has, in order.
func anyItem(r *rand.Rand) (m object, said []string) {
	m = object{"role": []string{"user", "assistant", "system", "developer"}[r.IntN(4)]}
	if r.IntN(2) == 0 {
		text := anyText(r)
		m["content"] = text
		return m, []string{text}
	}
	parts := []object{}
	for range r.IntN(4) {
		if r.IntN(3) == 0 && (m["role"] == "user" || m["role"] == "assistant") {
			parts = append(parts, object{"type": "input_image", "image_url": "data:image/png;base64,a+/="})
			said = append(said, "image/png a+/=")
			continue
		}
		text := anyText(r)
		parts = append(parts, object{"type": "input_text", "text": text})
		said = append(said, text)
	}
	m["content"] = parts
	return m, said
}

// Property: what a client says reaches Google, all of it, once and in order, and so it does when it is
// kept as the thread of another request.
func TestTextsSurvive(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		var items []object
		var said []string
		for range 1 + r.IntN(6) {
			m, texts := anyItem(r)
			items, said = append(items, m), append(said, texts...)
		}
		if len(said) == 0 {
			continue
		}
		body, err := json.Marshal(object{"model": "m", "input": items})
		if err != nil {
			t.Fatal(err)
		}
		out, _, fail := translate(t, string(body), "", pro25())
		if fail != nil {
			t.Fatalf("%s: %v", body, fail)
		}
		if got := heard(t, out); strings.Join(got, "\x00") != strings.Join(said, "\x00") {
			t.Fatalf("%s\nsaid  %q\nheard %q", body, said, got)
		}
		kept, fail := AppendItems(nil, scanned(t, string(body)), nil)
		if fail != nil {
			t.Fatal(fail)
		}
		again, _, fail := translate(t, `{"input":"xyz"}`, string(kept), pro25())
		if fail != nil {
			t.Fatalf("%s: %v", kept, fail)
		}
		if got := heard(t, again); strings.Join(got, "\x00") != strings.Join(append(said, "xyz"), "\x00") {
			t.Fatalf("%s\nsaid  %q\nheard %q", kept, said, got)
		}
	}
}

func FuzzToHub(f *testing.F) {
	for _, seed := range []string{
		`{"input":"hi"}`, asking(hi + "," + callA + "," + callB + "," + outB + "," + hi + "," + outA), string(agentBody(3, 2)),
		`{"input":[` + hi + `,{"type":"reasoning","summary":[],"encrypted_content":"gemini.EqQB"},{"type":"custom_tool_call","call_id":"a","name":"sh","input":"x"},{"type":"custom_tool_call_output","call_id":"a","output":[{"type":"input_text","text":"o"}]}],"tools":[{"type":"custom","name":"sh","format":{"type":"grammar","definition":"x"}}]}`,
		`{"input":[{"role":"user","content":[{"type":"input_image","image_url":"data:image\/jpg;base64,AA\n"},{"type":"input_file","filename":"a.pdf","file_data":"AA=="},{"type":"input_image","image_url":"https://a/b"}]}]}`,
		codexBody(shellCall + `,{"type":"shell_call_output","call_id":"s","output":[]}`),
		`{"input":"hi","text":{"format":{"type":"json_schema","schema":{"type":"object"}}},"tools":[` + fTool + `,{"type":"web_search"}],"tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"f"}]},"reasoning":{"effort":"low","summary":"auto"}}`,
		`{"input":[{"id":"msg_1","type":"message","role":"assistant","content":[{"type":"refusal","refusal":"no"}]},{"type":"code_interpreter_call","code":"x","outputs":[{"logs":"y"}]},{"type":"image_generation_call","result":"AA"},{"id":"rs_1"}],"metadata":{"a":"b"}}`,
		`{"i\u006eput":[{"r\u006fle":"user","content":"\ud800"}],"stream":true,"include":["x"],"max_output_tokens":1e3}`,
	} {
		f.Add([]byte(seed), uint8(0))
		f.Add([]byte(seed), uint8(255))
	}
	f.Fuzz(func(t *testing.T, body []byte, o uint8) {
		members, err := wire.Scan(body, nil)
		if err != nil {
			return
		}
		out, r, fail := ToHub(nil, Input{Body: body, Members: members}, gemini.Target{
			MaxOutput: int(o) * 300, Major: int(o & 3), Minor: int(o >> 2 & 7), Image: o&16 != 0, Limits: limits(thinkers[o>>5]),
		})
		if fail != nil {
			if fail.Status != 400 || fail.Message == "" || fail.Param == "" {
				t.Fatalf("%+v", fail)
			}
			return
		}
		for _, name := range r.Ignored {
			if strings.ContainsAny(name, "\r\n,") {
				t.Fatalf("%q is for no header", name)
			}
		}
		if _, err := gemini.NewCall(out); err != nil || !json.Valid(out) {
			t.Fatalf("no hub request: %v: %s\nof %s", err, out, body)
		}
		texts := heard(t, string(out))
		items, fail := AppendItems(nil, members, nil)
		if fail != nil || !json.Valid(items) {
			t.Fatalf("translated, but not listed: %v: %s\nof %s", fail, items, body)
		}
		_, thread, again := ReadKept(AppendKept(nil, []byte("{}"), AppendThread(nil, items, []byte(`[{"role":"assistant","content":"y"}]`)), items))
		if string(again) != string(items) {
			t.Fatalf("%s became %s", items, again)
		}
		out, _, fail = ToHub(nil, Input{Thread: thread, Members: []wire.Member{{Key: []byte("input"), Value: []byte(`"z"`)}}}, gemini.Target{})
		if fail != nil {
			t.Fatalf("kept, but not gone on from: %v: %s", fail, thread)
		}
		if kept := heard(t, string(out)); len(kept) < len(texts) && !strings.Contains(string(body), "instructions") && !strings.Contains(string(body), "format") {
			t.Fatalf("%q became %q", texts, kept)
		}
		if _, fail := AppendItemList(nil, items, ListQuery{After: "x", Limit: 3}); fail != nil && fail.Status != 400 {
			t.Fatal(fail)
		}
	})
}

func FuzzEncoder(f *testing.F) {
	for _, seed := range []string{hubEvent,
		event(`{"executableCode":{"language":"PYTHON","code":"x"}},{"codeExecutionResult":{"outcome":"X","output":"\u00e9"}}`, "OTHER"),
		event(`{"inlineData":{"mimeType":"image/png","data":"AA"}},{"functionCall":{"name":"f\"","args":{"a":"\n"}}},`+aSignedCall, ""),
		strings.Replace(event(`{"text":"t","thought":true},`+text("xyz"), "MAX_TOKENS"), `"index"`, ground+`,"index"`, 1),
		event(`{"functionCall":{"id":"a","name":"sh","args":{"input":"x"}}}`, "SAFETY"),
		`{"candidates":[{"index":500},{"index":-1,"finishReason":5}],"promptFeedback":{"blockReason":1},"usageMetadata":{"promptTokenCount":"12"}}`} {
		f.Add([]byte(seed), []byte(seed))
	}
	request := `{"include":["reasoning.encrypted_content","code_interpreter_call.outputs","web_search_call.action.sources"],"text":{},"reasoning":{"effort":"low"}}`
	f.Fuzz(func(t *testing.T, one, two []byte) {
		e := with(t, request, true)
		out, _ := e.Event(nil, one)
		out, _ = e.Event(out, two)
		out = e.Finish(out)
		if wire.Check(one) == nil && wire.Check(two) == nil {
			watch(t, string(out))
		}
		for event := range strings.SplitSeq(strings.TrimSuffix(string(out), "\n\n"), "\n\n") {
			if name, data, ok := strings.Cut(event, "\ndata: "); !ok || !strings.HasPrefix(name, "event: ") || strings.ContainsAny(data, "\r\n") {
				t.Fatalf("no event: %q", event)
			}
		}
		if out, err := with(t, request, false).Whole(nil, one); err == nil && !json.Valid(out) {
			t.Fatalf("no JSON: %s\nof %s", out, one)
		}
		e = with(t, request, true)
		fail := apierror.New(apierror.BadRequest, string(one)).Naming(string(two))
		watch(t, string(e.Error(nil, fail)))
		if out := e.Failure(nil, fail); !json.Valid(out) {
			t.Fatalf("no JSON: %s", out)
		}
	})
}
