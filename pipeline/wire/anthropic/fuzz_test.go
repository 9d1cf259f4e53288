package anthropic

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// hub is what the tests read of a hub request.
type hub struct {
	SystemInstruction struct{ Parts []hubPart }
	Contents          []struct {
		Role  string
		Parts []hubPart
	}
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

// heard reads what a hub request says, without the turns that we add, and checks the invariants of
// protocol 3.4.
func heard(t testing.TB, out string) (said []string) {
	var h hub
	if err := json.Unmarshal([]byte(out), &h); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	add := func(p hubPart) {
		switch {
		case p.Text != nil && *p.Text != "":
			if *p.Text != "(The conversation starts here.)" && *p.Text != "Please do as the instructions say." {
				said = append(said, *p.Text)
			}
		case p.InlineData != nil:
			said = append(said, p.InlineData.MimeType+" "+p.InlineData.Data)
		case p.FileData != nil:
			said = append(said, p.FileData.FileURI)
		case p.FunctionCall != nil && p.FunctionCall.Args != nil:
			said = append(said, "call "+encoded(p.FunctionCall.Args))
		case p.FunctionResponse != nil && p.FunctionResponse.Response != nil:
			said = append(said, "result "+encoded(p.FunctionResponse.Response))
		default:
			t.Fatalf("a part without a data field: %s", out)
		}
	}
	for _, p := range h.SystemInstruction.Parts {
		add(p)
	}
	if len(h.Contents) == 0 || h.Contents[0].Role != "user" {
		t.Fatalf("does not begin with the user: %s", out)
	}
	var due []string
	for i, c := range h.Contents {
		if len(c.Parts) == 0 || c.Role != "user" && c.Role != "model" || i > 0 && c.Role == h.Contents[i-1].Role {
			t.Fatalf("content %d is wrong: %s", i, out)
		}
		var called []string
		for n, p := range c.Parts {
			add(p)
			if p.FunctionCall != nil {
				called = append(called, p.FunctionCall.Name)
			}
			if p.FunctionResponse != nil {
				if n >= len(due) || due[n] != p.FunctionResponse.Name {
					t.Fatalf("content %d: a result in the wrong place: %s", i, out)
				}
				due[n] = ""
			}
		}
		if strings.Join(due, "") != "" || c.Role == "user" && len(called) > 0 {
			t.Fatalf("content %d: calls and results do not match: %s", i, out)
		}
		due = called
	}
	if len(due) > 0 {
		t.Fatalf("calls without results: %s", out)
	}
	return said
}

type object map[string]any

func anyText(r *rand.Rand) string {
	const letters = "ab \n\"\\/é天😀\t{<&"
	runes := []rune(letters)
	b := make([]rune, 1+r.IntN(8))
	for i := range b {
		b[i] = runes[r.IntN(len(runes))]
	}
	return string(b)
}

// anyMessages makes a dialogue and what must be heard of it.
func anyMessages(r *rand.Rand) (messages []object, said []string) {
	for range 1 + r.IntN(5) {
		var blocks []object
		for range 1 + r.IntN(3) {
			if r.IntN(4) == 0 {
				blocks = append(blocks, object{"type": "image", "source": object{"type": "base64", "media_type": "image/png", "data": "a+/="}})
				said = append(said, "image/png a+/=")
				continue
			}
			text := anyText(r)
			blocks = append(blocks, object{"type": "text", "text": text, "cache_control": object{"type": "ephemeral"}})
			said = append(said, text)
		}
		messages = append(messages, object{"role": "user", "content": blocks})
		if r.IntN(2) == 0 {
			continue
		}
		calls, results := []object{{"type": "thinking", "thinking": "x", "signature": "y"}}, []object{}
		var after []string
		for n := range r.IntN(4) {
			id, input, output := strconv.Itoa(n), object{"a": anyText(r)}, anyText(r)
			calls = append(calls, object{"type": "tool_use", "id": id, "name": "f" + id, "input": input})
			said = append(said, "call "+encoded(input))
			results = append(results, object{"type": "tool_result", "tool_use_id": id, "content": "x" + output})
			after = append(after, "result "+encoded(object{"result": "x" + output}))
		}
		said = append(said, after...)
		messages = append(messages, object{"role": "assistant", "content": calls})
		if len(results) > 0 {
			r.Shuffle(len(results), func(i, j int) { results[i], results[j] = results[j], results[i] })
			messages = append(messages, object{"role": "user", "content": results})
		}
	}
	return messages, said
}

// Property: what a client says reaches Google, all of it, once and in order.
func TestWhatIsSaidSurvives(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		messages, said := anyMessages(r)
		system := anyText(r)
		body, err := json.Marshal(object{"model": "m", "max_tokens": 1 + r.IntN(1000), "messages": messages, "system": system})
		if err != nil {
			t.Fatal(err)
		}
		out, _, bad := translate(t, string(body), pro25)
		if bad != nil {
			t.Fatalf("%s: %v", body, bad)
		}
		said = append([]string{system}, said...)
		if got := heard(t, out); strings.Join(got, "\x00") != strings.Join(said, "\x00") {
			t.Fatalf("%s\nsaid  %q\nheard %q", body, said, got)
		}
	}
}

func FuzzToHub(f *testing.F) {
	for _, seed := range []string{
		"\ufeff" + dialogueOf(userBlocks(`{"type":"text","text":"a","n":1e999}`), ""), string(chatBody()), string(toolBody(3)), string(longBody(4)), dialogueOf(hi, ""),
		dialogueOf(steps(`{"type":"tool_result","tool_use_id":"toolu_1","is_error":true,"content":[{"type":"text","text":"{}"},`+png+`]}`), `,"thinking":{"type":"enabled","budget_tokens":2000}`),
		dialogueOf(userBlocks(`{"type":"document","title":"T","source":{"type":"content","content":[{"type":"text","text":"a"}]}},{"type":"image","source":{"type":"url","url":"https:\/\/x"}},{"type":"search_result","source":"s","title":"t","content":[]}`), `,"system":[{"type":"text","text":"x"}]`),
		dialogueOf(hi, `,"tools":[{"type":"bash_20250124","name":"bash"},{"type":"web_search_20250305","name":"web_search"}],"tool_choice":{"type":"any"},"stop_sequences":["a",""],"top_k":99,"output_config":{"effort":"low","format":{"type":"json_schema","schema":{}}}`),
		`{"m\u0065ssages":[{"r\u006fle":"user","content":"\ud800"},{"role":"assistant","content":[{"type":"server_tool_use"}]}],"stream":true,"max_tokens":1e3}`,
	} {
		f.Add([]byte(seed), uint8(0))
		f.Add([]byte(seed), uint8(255))
	}
	f.Fuzz(func(t *testing.T, body []byte, o uint8) {
		members, err := wire.Scan(body, nil)
		if err != nil {
			return
		}
		target := gemini.Target{MaxOutput: int(o) * 300, Major: int(o & 3), Minor: int(o >> 2 & 7), Limits: limits(thinkers[o>>5])}
		for _, to := range []toHub{ToHub, CountToHub} {
			out, r, bad := to(nil, body, members, target)
			if bad != nil {
				if bad.Status != 400 || bad.Message == "" || bad.Param == "" {
					t.Fatalf("%+v", bad)
				}
				continue
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
			if whole := wire.Get(out, "generateContentRequest"); whole != nil {
				out = whole
			}
			got := heard(t, string(out))
			for _, text := range plainly(t, body) {
				at := slices.Index(got, text)
				if at < 0 {
					t.Fatalf("%q is lost or in another order: %s\nof %s", text, out, body)
				}
				got = got[at+1:]
			}
		}
	})
}

// plainly reads what the user says as any decoder does.
func plainly(t *testing.T, body []byte) (texts []string) {
	var messages []map[string]any
	var members map[string]json.RawMessage
	if err := json.Unmarshal(bytes.TrimPrefix(body, []byte("\ufeff")), &members); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	d := json.NewDecoder(bytes.NewReader(members["messages"]))
	d.UseNumber() // some numbers are beyond any type of ours
	if err := d.Decode(&messages); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	add := func(v any) {
		if text, _ := v.(string); text != "" {
			texts = append(texts, text)
		}
	}
	for _, m := range messages {
		if m["role"] != "user" {
			continue
		}
		add(m["content"])
		blocks, _ := m["content"].([]any)
		for _, b := range blocks {
			if b, _ := b.(map[string]any); b["type"] == "text" {
				add(b["text"])
			}
		}
	}
	return texts
}

func FuzzEncoder(f *testing.F) {
	for _, c := range answers {
		for _, data := range c.events {
			f.Add([]byte(data))
		}
	}
	f.Add([]byte(hubEvent))
	f.Add([]byte(`{"totalTokens":"12","models":[{"name":"models/a","inputTokenLimit":5}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		valid := wire.Check(data) == nil
		e := newEncoder()
		out, err := e.Event(nil, data)
		if err == nil {
			out, err = e.Event(out, data)
		}
		if valid && err == nil {
			accumulate(t, string(e.Finish(out)))
		}
		for line := range strings.SplitSeq(strings.TrimSuffix(string(out), "\n"), "\n") {
			if line != "" && !strings.HasPrefix(line, "event: ") && !strings.HasPrefix(line, "data: ") {
				t.Fatalf("no line of a stream: %q", line)
			}
		}
		for _, e := range []wire.Encoder{newEncoder(), NewCountEncoder(), NewListEncoder(false), NewListEncoder(true)} {
			if out, err := e.Whole(nil, data); err == nil && !json.Valid(out) {
				t.Fatalf("no JSON: %s\nof %s", out, data)
			}
		}
		out = newEncoder().Failure(nil, apierror.New(apierror.BadRequest, string(data)).Naming(string(data)))
		if !json.Valid(out) {
			t.Fatalf("no JSON: %s", out)
		}
	})
}
