package gemini

import (
	"bytes"
	"encoding/json"
	"testing"

	"gcli2api/pipeline/wire"
)

func gather(t testing.TB, events ...string) string {
	t.Helper()
	var g Gather
	for _, e := range events {
		if err := g.Add([]byte(e)); err != nil {
			t.Fatal(err)
		}
	}
	return string(g.Append(nil))
}

func candidate(parts string) string {
	return `{"candidates":[{"content":{"parts":[` + parts + `],"role":"model"}}]}`
}

func TestGather(t *testing.T) {
	for _, tt := range []struct {
		name   string
		events []string
		want   string
	}{
		{"nothing", nil, `{}`},
		{"one", []string{candidate(`{"text":"a"}`)}, candidate(`{"text":"a"}`)},
		{"texts are joined as written", []string{candidate(`{"text":"a\n\ud83d"}`), candidate(`{ "text" : "\ude00b" }`)}, candidate(`{"text":"a\n\ud83d\ude00b"}`)},
		{"thoughts apart", []string{candidate(`{"text":"x","thought":true},{"thought":true,"text":"y"}`), candidate(`{"text":"a"}`), candidate(`{"text":"z","thought":true}`)},
			candidate(`{"text":"xy","thought":true},{"text":"a"},{"text":"z","thought":true}`)},
		{"signatures stay", []string{candidate(`{"text":"a"}`), candidate(`{"text":"b","thoughtSignature":"s"}`), candidate(`{"text":"c"}`), candidate(`{"text":"","thoughtSignature":"t"}`)},
			candidate(`{"text":"a"},{"text":"b","thoughtSignature":"s"},{"text":"c"},{"text":"","thoughtSignature":"t"}`)},
		{"calls stay", []string{candidate(`{"text":"a"}`), candidate(`{"functionCall":{"name":"f"}},{"functionCall":{"name":"g"}}`), candidate(`{"text":"b"}`)},
			candidate(`{"text":"a"},{"functionCall":{"name":"f"}},{"functionCall":{"name":"g"}},{"text":"b"}`)},
		{"an unknown member keeps a text apart", []string{candidate(`{"text":"a"},{"text":"b","partMetadata":{}},{"text":"c"}`)}, candidate(`{"text":"a"},{"text":"b","partMetadata":{}},{"text":"c"}`)},
		{"empty texts vanish", []string{candidate(`{"text":"a"},{"text":""}`), candidate(`{"text":"","thought":true}`), candidate(`{"text":"b"}`)}, candidate(`{"text":"ab"}`)},
		{"only an empty text", []string{candidate(`{"text":""}`)}, candidate(`{"text":""}`)},
		{"nonsense in a text", []string{candidate(`{"text":5},null`)}, candidate(`{"text":5},null`)},
		{"the end", []string{candidate(`{"text":"a"}`), `{"candidates":[{"finishReason":"STOP","safetyRatings":[1],"groundingMetadata":{"x":1}}],"modelVersion":"m","responseId":"r"}`, `{"candidates":[{"groundingMetadata":{},"finishReason":""}],"responseId":null}`},
			`{"candidates":[{"content":{"parts":[{"text":"a"}],"role":"model"},"finishReason":"STOP","safetyRatings":[1],"groundingMetadata":{"x":1}}],"modelVersion":"m","responseId":"r"}`},
		{"no content", []string{`{"candidates":[{"finishReason":"MAX_TOKENS"}]}`}, `{"candidates":[{"finishReason":"MAX_TOKENS"}]}`},
		{"usage, field by field", []string{`{"usageMetadata":{"promptTokenCount":5,"totalTokenCount":6}}`, `{"usageMetadata":{"candidatesTokenCount":3,"totalTokenCount":9,"promptTokensDetails":[1]}}`, `{"usageMetadata":{"promptTokenCount":0}}`},
			`{"usageMetadata":{"promptTokenCount":5,"totalTokenCount":9,"candidatesTokenCount":3,"promptTokensDetails":[1]}}`},
		{"blocked", []string{`{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{}}`}, `{"usageMetadata":{},"promptFeedback":{"blockReason":"SAFETY"}}`},
		{"unknown members", []string{`{"new\u0041":1}`, `{"new\u0041":2}`}, `{"new\u0041":2}`},
		{"candidates by number", []string{`{"candidates":[{"index":1,"content":{"parts":[{"text":"b"}]}}]}`, `{"candidates":[{"content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"text":"B"}]}}]}`},
			`{"candidates":[{"content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"text":"bB"}]},"index":1}]}`},
	} {
		if got := gather(t, tt.events...); got != tt.want {
			t.Errorf("%s: %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

func TestGatherRefusesAndGoesOn(t *testing.T) {
	var g Gather
	for _, bad := range []string{``, `[]`, `{"candidates":[{"content":{"parts":[{"text":"x"}]}}]`, `{"a":01}`} {
		if g.Add([]byte(bad)) == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
	event := []byte(candidate(`{"text":"a"}`))
	g.Add(event)
	for i := range event {
		event[i] = 'x' // events are gone after the following Next
	}
	first := string(g.Append(nil))
	g.Add([]byte(candidate(`{"text":"b"}`)))
	if got := string(g.Append(nil)); first != candidate(`{"text":"a"}`) || got != candidate(`{"text":"ab"}`) || g.Size() != 2*len(event) {
		t.Errorf("%s, then %s; %d", first, got, g.Size())
	}
}

// FuzzGather cuts data into events by line. The reply must be JSON with the same visible text and
// the same number of parts that are no plain text.
func FuzzGather(f *testing.F) {
	f.Add([]byte(candidate(`{"text":"a"}`) + "\n" + candidate(`{"text":"b\n"},{"functionCall":{}}`) + "\n" + `{"candidates":[{"index":2,"content":{"parts":[{"text":"x","thought":true}]}}]}`))
	f.Add([]byte(`{"candidates":[{"content":{"parts":[{"text":"","thoughtSignature":"s"},null,5]}},{"content":7}],"usageMetadata":{"a":1}}`))
	f.Add([]byte(`{"candidates":null,"usageMetadata":null,"x":"\""}` + "\n{}\n" + `{"x":[{"y":"}"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var g Gather
		text, others := map[int]string{}, map[int]int{}
		for event := range bytes.SplitSeq(data, []byte("\n")) {
			if g.Add(event) == nil {
				measure(event, text, others)
			}
		}
		out := g.Append(nil)
		if !json.Valid(out) {
			t.Fatalf("%s\nis no JSON, made of %q", out, data)
		}
		gotText, gotOthers := map[int]string{}, map[int]int{}
		measure(out, gotText, gotOthers)
		for i := range text {
			if gotText[i] != text[i] || gotOthers[i] != others[i] {
				t.Fatalf("candidate %d: %q and %d others, want %q and %d, made of %q", i, gotText[i], gotOthers[i], text[i], others[i], data)
			}
		}
	})
}

// measure adds up the plain texts by candidate, thoughts under negative numbers, and counts the
// other parts.
func measure(event []byte, text map[int]string, others map[int]int) {
	members, _ := wire.Scan(event, nil)
	for i := range members {
		if string(members[i].Key) != "candidates" {
			continue
		}
		place := 0
		for a := wire.ArrayOf(members[i].Value); a.Next(); place++ {
			at := Index(a.Value, place)
			text[at] += "" // the candidate was there
			for o := wire.ObjectOf(a.Value); o.Next(); {
				if string(o.Key) != "content" {
					continue
				}
				for in := wire.ObjectOf(o.Value); in.Next(); {
					if string(in.Key) != "parts" {
						continue
					}
					for p := wire.ArrayOf(in.Value); p.Next(); {
						switch kind, s := plainText(p.Value); kind {
						case runNone:
							others[at]++
						case runThought:
							text[-1-at] += string(s)
						default:
							text[at] += string(s)
						}
					}
				}
			}
		}
	}
}
