package fakestream

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// events cuts a reply, and holds each event to what all must be.
func events(t testing.TB, reply string, chunk int, apart ...bool) (all []string) {
	t.Helper()
	body := []byte(reply)
	c := newCut(body, chunk, len(apart) > 0)
	for {
		ev, err := c.Next()
		if err == io.EOF {
			break
		}
		if len(all) > 2*len(reply)+1 {
			t.Fatal("it does not end")
		}
		if room := cap(c.buf.B); wire.Check(body) == nil && (wire.Check(ev.Data) != nil || room > max(4096, 2*(len(ev.Data)+frame))) {
			t.Errorf("an event of %d bytes in room for %d: %q", len(ev.Data), room, ev.Data)
		}
		all = append(all, string(ev.Data))
		if more := ev.More; more != (c.body != nil) {
			t.Errorf("more: %v at event %d", more, len(all))
		}
	}
	if _, err := c.Next(); err != io.EOF || c.Close() != nil || c.Close() != nil || string(body) != reply {
		t.Errorf("not the end: %v, or the reply was written to", err)
	}
	return all
}

func TestEvents(t *testing.T) {
	const meta = `"modelVersion":"gemini-2.5-pro","responseId":"r1"`
	for _, c := range []struct {
		name, reply string
		chunk       int
		want        []string
	}{
		{"thoughts, text, call", `{"candidates":[{"content":{"role":"model","parts":[{"text":"I think","thought":true},{"text":"one two three"},{"functionCall":{"name":"f","args":{"a": 1}},"thoughtSignature":"S"}]},"finishReason":"STOP","index":0,"avgLogprobs":-0.5}],"usageMetadata":{"totalTokenCount":9},` + meta + `}`, 8, []string{
			`{"candidates":[{"content":{"parts":[{"text":"I think","thought":true}],"role":"model"},"index":0}],` + meta + `}`,
			`{"candidates":[{"content":{"parts":[{"text":"one two "}],"role":"model"},"index":0}],` + meta + `}`,
			`{"candidates":[{"content":{"parts":[{"text":"three"}],"role":"model"},"index":0}],` + meta + `}`,
			`{"candidates":[{"content":{"role":"model","parts":[{"functionCall":{"name":"f","args":{"a": 1}},"thoughtSignature":"S"}]},"finishReason":"STOP","index":0,"avgLogprobs":-0.5}],"usageMetadata":{"totalTokenCount":9},` + meta + `}`,
		}},
		{"a signed text, a thought that was cut", `{"candidates":[{"content":{"parts":[{"thought":true,"text":"aaabbb"},{"thoughtSignature":"S","text":"cccddd"}]},"finishReason":"STOP"}]}`, 3, []string{
			`{"candidates":[{"content":{"parts":[{"text":"aaa","thought":true}]}}]}`,
			`{"candidates":[{"content":{"parts":[{"text":"bbb","thought":true}]}}]}`,
			`{"candidates":[{"content":{"parts":[{"text":"ccc"}]}}]}`,
			`{"candidates":[{"content":{"parts":[{"text":"ddd","thoughtSignature":"S"}]},"finishReason":"STOP"}]}`,
		}},
		{"what has more than text is not cut", `{"candidates":[{"content":{"parts":[{"text":"abcdef","videoMetadata":{}},{"inlineData":{"mimeType":"image/png","data":"AAAA"}},{"executableCode":{}},{"news": [1 , 2]},null,{"\u0074ext":"abcdef"},{"text":"abc","text":"def"},{"text":null}]}}]}`, 2, []string{
			`{"candidates":[{"content":{"parts":[{"text":"abcdef","videoMetadata":{}}]}}]}`,
			`{"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}}]}`,
			`{"candidates":[{"content":{"parts":[{"executableCode":{}}]}}]}`,
			`{"candidates":[{"content":{"parts":[{"news": [1 , 2]}]}}]}`,
			`{"candidates":[{"content":{"parts":[null]}}]}`,
			`{"candidates":[{"content":{"parts":[{"\u0074ext":"abcdef"}]}}]}`,
			`{"candidates":[{"content":{"parts":[{"text":"abc","text":"def"}]}}]}`,
			`{"candidates":[{"content":{"parts":[{"text":null}]}}]}`,
		}},
		{"calls of one step stay together", `{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f"},"thoughtSignature":"S"} , {"news":1,"functionCall":{"name":"g"}},{"functionCall":null},{"text":"ab"},{"functionCall":{"name":"h"}}],"role":"model"},"finishReason":"STOP"}]}`, 5, []string{
			`{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f"},"thoughtSignature":"S"},{"news":1,"functionCall":{"name":"g"}},{"functionCall":null}],"role":"model"}}]}`,
			`{"candidates":[{"content":{"parts":[{"text":"ab"}],"role":"model"}}]}`,
			`{"candidates":[{"content":{"parts":[{"functionCall":{"name":"h"}}],"role":"model"},"finishReason":"STOP"}]}`,
		}},
		{"several candidates", `{"candidates":[{"content":{"parts":[{"text":"abcd"}]},"finishReason":"STOP","index":0},{"finishReason":"SAFETY","safetyRatings":[{}]},{"content":{"parts":[{"text":"x"}]},"finishMessage":"m","index":2}],"promptFeedback":{}}`, 2, []string{
			`{"candidates":[{"content":{"parts":[{"text":"ab"}]},"index":0}]}`,
			`{"candidates":[{"content":{"parts":[{"text":"cd"}]},"finishReason":"STOP","index":0}]}`,
			`{"candidates":[{"finishReason":"SAFETY","safetyRatings":[{}],"index":1}]}`,
			`{"candidates":[{"content":{"parts":[{"text":"x"}]},"finishMessage":"m","index":2}],"promptFeedback":{}}`,
		}},
		{"metadata in the last event", `{"candidates":[{"groundingMetadata":{"a":[]},"citationMetadata":{},"logprobsResult":{},"new":{"x":[]},"content":{"new":1,"parts":[{"text":"ab"}]}}],"createTime":"t","new":{}}`, 1, []string{
			`{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}`,
			`{"candidates":[{"groundingMetadata":{"a":[]},"citationMetadata":{},"logprobsResult":{},"new":{"x":[]},"content":{"new":1,"parts":[{"text":"b"}]}}],"createTime":"t","new":{}}`,
		}},
	} {
		if got := events(t, c.reply, c.chunk); !slices.Equal(got, c.want) {
			t.Errorf("%s:\n%s", c.name, strings.Join(got, "\n"))
		}
	}
}

// For a client to whom the end comes by itself.
func TestEndApart(t *testing.T) {
	reply := `{"candidates":[{"content":{"role":"model","parts":[{"text":"abc"},{"functionCall":{}},{"functionCall":{}}]},"finishReason":"STOP"},{"finishReason":"SAFETY"},{"content":{"parts":[{"text":""}]},"index":2}],"usageMetadata":{},"responseId":"r"}`
	want := []string{
		`{"candidates":[{"content":{"parts":[{"text":"ab"}],"role":"model"}}],"responseId":"r"}`,
		`{"candidates":[{"content":{"parts":[{"text":"c"}],"role":"model"}}],"responseId":"r"}`,
		`{"candidates":[{"content":{"parts":[{"functionCall":{}},{"functionCall":{}}],"role":"model"}}],"responseId":"r"}`,
		`{"candidates":[{"content":{"role":"model"},"finishReason":"STOP"}],"responseId":"r"}`,
		`{"candidates":[{"finishReason":"SAFETY","index":1}],"responseId":"r"}`,
		`{"candidates":[{"content":{"parts":[{"text":""}]},"index":2}],"responseId":"r"}`,
		`{"candidates":[{"content":{},"index":2}],"usageMetadata":{},"responseId":"r"}`,
	}
	if got := events(t, reply, 2, true); !slices.Equal(got, want) {
		t.Errorf("\n%s", strings.Join(got, "\n"))
	}
}

// These stay what they are, to the byte.
func TestOneEvent(t *testing.T) {
	for _, reply := range []string{
		`{"promptFeedback": {"blockReason":"PROHIBITED_CONTENT"},"usageMetadata":{"promptTokenCount":3}}`,
		`{"candidates":[{"finishReason":"MAX_TOKENS","index":0}],"usageMetadata":{"totalTokenCount":3}}`,
		`{"candidates":[{"content":{"role":"model"},"finishReason":"MAX_TOKENS"}]}`,
		`{"candidates":[{"content":{"role":"model","parts":[]},"finishReason":"STOP"}]}`,
		`{"candidates":[{"content":{"role":"model","parts":[{"text":""}]},"finishReason":"STOP"}]}`,
		`{"candidates":[{"content":null}]}`, `{"candidates":[]}`, `{"candidates":null}`, `{"candidates":{}}`, `{}`,
		`{"candidates":[{"content":{"parts":[{"text":"abc"}]},"content":{"parts":[{"text":"def"}]}}]}`,
		`{"candidates":[{"content":{"parts":[{"text":"abc"}],"parts":[{"text":"def"}]}}]}`,
		`{"candidates":[{"\u0063ontent":{"parts":[{"text":"abc"}]}}]}`, `{"candidates":[{"content":{"p\u0061rts":[{"text":"abc"}]}}]}`,
		`{"c\u0061ndidates":[{"content":{"parts":[{"text":"abc"}]}}]}`, `{"candidates":[],"candidates":[{"content":{"parts":[{"text":"abc"}]}}]}`,
		`{"candidates":[{"content":{"parts":[{"text":"abc"}]},"index":"x"}]}`, `{"candidates":[{"content":{"parts":[{"text":"abc"}]},"index":-1}]}`,
		`{"candidates":[{"content":{"parts":[{"text":"abc"}]}},7]}`,
		`{"candidates":[{"content":{"parts":[{"text":"abc"`, ``, `[]`, `null`,
	} {
		want := []string{reply}
		if got := events(t, reply, 1); reply == "" && len(got) > 1 || reply != "" && !slices.Equal(got, want) {
			t.Errorf("%s became %q", reply, got)
		}
	}
}

func TestCutText(t *testing.T) {
	for _, c := range []struct {
		text string
		n    int
		want string
	}{
		{"one two three", 5, "one |two |three"}, {"one two", 7, "one two"}, {"abcdefg", 3, "abc|def|g"}, {" bcd", 2, " |bc|d"},
		{`a\nb\"c\\d`, 2, `a\n|b\"|c\\|d`}, {`ab\ncd`, 4, `ab\n|cd`}, {`\u00e9\u00e8x`, 1, `\u00e9|\u00e8|x`}, {`\u00e9\u00e8x`, 2, `\u00e9\u00e8|x`},
		{`\ud83d\ude00\uD83D\uDE01`, 1, `\ud83d\ude00|\uD83D\uDE01`}, {`\ud83dx\ude00y`, 1, `\ud83d|x|\ude00|y`}, {`\ud83d\ud83d\ude00`, 1, `\ud83d|\ud83d\ude00`},
		{`\ud83d\n`, 1, `\ud83d|\n`}, {`\ud83d`, 1, `\ud83d`}, {`\\ud83d`, 1, `\\|u|d|8|3|d`},
		{"假流式😀e", 2, "假流|式😀|e"}, {"a\xff\xfe\x80b", 2, "a\xff|\xfe\x80|b"}, {`\`, 1, `\`}, {`\u12`, 1, `\u12`},
	} {
		var got []string
		for rest := []byte(c.text); len(rest) > 0; {
			n := cutText(rest, c.n)
			if n == 0 {
				t.Fatalf("%q by %d does not end", c.text, c.n)
			}
			got, rest = append(got, string(rest[:n])), rest[n:]
		}
		if strings.Join(got, "|") != c.want {
			t.Errorf("%q by %d: %q, want %q", c.text, c.n, strings.Join(got, "|"), c.want)
		}
	}
}

// gathered joins events to a reply again.
func gathered(t testing.TB, all ...string) []byte {
	t.Helper()
	var g gemini.Gather
	for _, e := range all {
		if err := g.Add([]byte(e)); err != nil {
			t.Fatalf("%v in %q", err, e)
		}
	}
	return g.Append(nil)
}

// read decodes a reply for comparison. A signed text stays by itself when a stream is gathered; whether
// the text before it is of its part or of one of its own cannot be told any more, so that they are joined here.
func read(t testing.TB, reply []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(reply))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %q", err, reply)
	}
	top, _ := v.(map[string]any)
	list, _ := top["candidates"].([]any)
	for _, one := range list {
		c, _ := one.(map[string]any)
		content, _ := c["content"].(map[string]any)
		if parts, ok := content["parts"].([]any); ok {
			content["parts"] = joined(parts)
		}
	}
	return v
}

func joined(parts []any) (out []any) {
	var open map[string]any
	for _, p := range parts {
		part, _ := p.(map[string]any)
		text, plain := part["text"].(string)
		if part["thought"] == false { // says what no member says as well
			delete(part, "thought")
		}
		for key := range part {
			plain = plain && (key == "text" || key == "thought" || key == "thoughtSignature")
		}
		if !plain {
			open, out = nil, append(out, p)
			continue
		}
		if open != nil && (open["thought"] == true) == (part["thought"] == true) {
			open["text"] = open["text"].(string) + text
			if part["thoughtSignature"] != nil {
				open["thoughtSignature"] = part["thoughtSignature"]
			}
		} else {
			open, out = part, append(out, part)
		}
		if part["thoughtSignature"] != nil {
			open = nil
		}
	}
	return slices.DeleteFunc(out, func(p any) bool { // an empty text is none where there is more
		part, _ := p.(map[string]any)
		return len(out) > 1 && part["text"] == "" && part["thoughtSignature"] == nil
	})
}

// invent makes up a reply as Google writes them, and as it might.
func invent(r *rand.Rand) string {
	words := []string{"one ", "two ", "假流式", "😀", `\n`, `\"`, `\\`, `\ud83d\ude00`, `\u00e9`, "x", " ", "longer-than-a-piece-is-allowed-to-be"}
	text := func() string {
		var b strings.Builder
		for range r.IntN(40) {
			b.WriteString(words[r.IntN(len(words))])
		}
		return b.String()
	}
	part := func() string {
		switch r.IntN(8) {
		case 0, 1:
			return `{"text":"` + text() + `","thought":true}`
		case 2:
			return `{"text":"` + text() + `","thoughtSignature":"c2ln"}`
		case 3:
			return `{"functionCall":{"name":"f","args":{"a":"` + text() + `"}},"thoughtSignature":"c2ln"}`
		case 4:
			return `{"inlineData":{"mimeType":"image/png","data":"AAAA"}}`
		case 5:
			return `{"text":"` + text() + `","partMetadata":{"a":1}}`
		}
		return `{"text":"` + text() + `"}`
	}
	some := func(members ...string) (out string) {
		for _, m := range members {
			if r.IntN(2) == 0 {
				out += "," + m
			}
		}
		return out
	}
	var candidates []string
	for i := range 1 + r.IntN(3) {
		var parts []string
		for range r.IntN(5) {
			parts = append(parts, part())
		}
		candidates = append(candidates, fmt.Sprintf(`{"content":{"role":"model","parts":[%s]%s},"index":%d%s}`, strings.Join(parts, " , "), some(`"new":[]`), i,
			some(`"finishReason":"STOP"`, `"finishMessage":"m"`, `"safetyRatings":[{"blocked":false}]`, `"groundingMetadata":{"webSearchQueries":["q"]}`,
				`"citationMetadata":{"citations":[1]}`, `"logprobsResult":{"chosen":[]}`, `"avgLogprobs":-0.25`)))
	}
	return `{"candidates":[` + strings.Join(candidates, ",") + `]` + some(`"usageMetadata":{"promptTokenCount":3,"totalTokenCount":9}`, `"modelVersion":"m"`, `"responseId":"r"`, `"createTime":"t"`, `"new":{"a":1}`) + `}`
}

// The events say what the answer says, with texts of so many characters at most, each of them text.
func TestGatheredEventsAreTheReply(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		reply, chunk := invent(r), 1+r.IntN(60)
		all := events(t, reply, chunk, make([]bool, r.IntN(2))...)
		if got, want := read(t, gathered(t, all...)), read(t, gathered(t, reply)); !reflect.DeepEqual(got, want) {
			t.Fatalf("%s\nbecame\n%s", reply, strings.Join(all, "\n"))
		}
		for i, e := range all {
			short(t, e, chunk)
			if last := i == len(all)-1; strings.Contains(e, `"usageMetadata"`) && !last || strings.Contains(e, `"responseId"`) != strings.Contains(reply, `"responseId"`) {
				t.Fatalf("event %d of %d: %s", i, len(all), e)
			}
		}
	}
}

// short holds a text that can be cut to its length.
func short(t *testing.T, event string, chunk int) {
	t.Helper()
	var e struct {
		Candidates []struct {
			Content struct {
				Parts []struct {
					Text         string
					PartMetadata any
					FunctionCall json.RawMessage
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(event), &e); err != nil {
		t.Fatal(err)
	}
	calls := 0
	for _, p := range e.Candidates[0].Content.Parts {
		calls += len(p.FunctionCall) / max(len(p.FunctionCall), 1)
		if n := utf8.RuneCountInString(p.Text); p.PartMetadata == nil && n > chunk || strings.Contains(p.Text, "\uFFFD") {
			t.Fatalf("%d characters by %d: %q", n, chunk, p.Text)
		}
	}
	if n := len(e.Candidates[0].Content.Parts); len(e.Candidates) != 1 || n > max(calls, 1) {
		t.Fatalf("more than one part: %s", event)
	}
}

// FuzzCut takes any answer at all.
func FuzzCut(f *testing.F) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 30 {
		f.Add(invent(r), uint16(1+r.IntN(50)))
	}
	for _, reply := range []string{`{}`, `{"candidates":[{"content":{"parts":[{"text":"a\ud83d\ude00"},{"text":"b","thought":false}]}},{}]}`,
		`{"candidates":[{"index":1,"content":{"parts":[{"thought_signature":"x","text":"abc"}]}},{"index":0}],"usageMetadata":null}`} {
		f.Add(reply, uint16(1))
	}
	f.Fuzz(func(t *testing.T, reply string, chunk uint16) {
		all := events(t, reply, 1+int(chunk)%10_000, make([]bool, chunk%2)...)
		if wire.Check([]byte(reply)) != nil || wire.KindOf([]byte(reply)) != wire.KindObject {
			return
		}
		var g gemini.Gather
		if g.Add([]byte(reply)) != nil {
			return
		}
		got, want := gathered(t, all...), g.Append(nil)
		if !reflect.DeepEqual(read(t, got), read(t, want)) {
			t.Errorf("%q\nbecame\n%q\nwhich is\n%s\nnot\n%s", reply, all, got, want)
		}
	})
}

// BenchmarkCut is the whole work of the stage on an answer of 100 kB.
func BenchmarkCut(b *testing.B) {
	body := []byte(`{"candidates":[{"content":{"role":"model","parts":[{"text":"` + strings.Repeat("lorem ipsum ", 8500) + `"}]},"finishReason":"STOP","index":0}],"modelVersion":"m","responseId":"r"}`)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		c := newCut(body, 50, false)
		for {
			if _, err := c.Next(); err != nil {
				break
			}
			n++
		}
		_ = c.Close()
	}
	b.ReportMetric(float64(n)/float64(b.N), "events")
}
