package openai

import (
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// both encodes a reply as a stream of one event and as a whole, and gives the delta and the message.
func both(t *testing.T, o EncoderOptions, reply string) (delta, message string) {
	t.Helper()
	o.ID, o.Model, o.Created = "1", "m", 1
	got := stream(t, NewEncoder(o), reply)
	whole, err := NewEncoder(o).Whole(nil, []byte(reply))
	if err != nil || len(got) != 2 {
		t.Fatalf("%v, %q", err, got)
	}
	return between(t, got[0], `"delta":{`, `},"finish_reason"`), between(t, string(whole), `"message":{`, `},"logprobs"`)
}

func between(t *testing.T, s, from, to string) string {
	t.Helper()
	_, s, ok := strings.Cut(s, from)
	i := strings.LastIndex(s, to)
	if !ok || i < 0 {
		t.Fatalf("no %s and %s in %s", from, to, s)
	}
	return s[:i]
}

func TestPicturesBesideTheContent(t *testing.T) {
	const png, wav = `{"inlineData":{"mimeType":"image/png","data":"AA\/="}}`, `{"inlineData":{"mimeType":"audio/wav","data":"BB"}}`
	one := func(n int) string {
		return `{"type":"image_url","index":` + strconv.Itoa(n) + `,"image_url":{"url":"data:image/png;base64,AA\/="}}`
	}
	o := EncoderOptions{Images: "images"}
	delta, message := both(t, o, event(`{"text":"see"},`+png+`,`+wav+`,`+png, "STOP"))
	const content = `"content":"see[file](data:audio/wav;base64,BB)"`
	if want := aRole + `,` + content + `,"images":[` + one(0) + `,` + one(1) + `]`; delta != want {
		t.Errorf("got  %s\nwant %s", delta, want)
	}
	if want := aRole + `,` + content + `,"refusal":null,"images":[` + one(0) + `,` + one(1) + `]`; message != want {
		t.Errorf("got  %s\nwant %s", message, want)
	}
	got := stream(t, NewEncoder(o), event(png, ""), event(png, "STOP"))
	if len(got) != 3 || !strings.Contains(got[0], `"delta":{`+aRole+`,"images":[`+one(0)+`]}`) || !strings.Contains(got[1], `"delta":{"images":[`+one(1)+`]}`) {
		t.Errorf("got %q", got)
	}
}

func TestCustomCalls(t *testing.T) {
	tools := &gemini.Tools{}
	tools.Declare("sh", true)
	tools.Declare("f", false)
	o := EncoderOptions{Tools: tools}
	for call, want := range map[string]string{
		`{"id":"a","name":"sh","args":{"input":"ls \"x\"\n"}}`: `"type":"custom","custom":{"name":"sh","input":"ls \"x\"\n"}`,
		`{"id":"a","name":"s\u0068","args":{}}`:                `"type":"custom","custom":{"name":"s\u0068","input":"{}"}`,
		`{"id":"a","name":"sh"}`:                               `"type":"custom","custom":{"name":"sh","input":""}`,
		`{"id":"a","name":"sh","args":{"input":5}}`:            `"type":"custom","custom":{"name":"sh","input":"{\"input\":5}"}`,
		`{"id":"a","name":"f","args":{"input":"x"}}`:           `"type":"function","function":{"name":"f","arguments":"{\"input\":\"x\"}"}`,
		`{"id":"a","name":"nobody's","args":{}}`:               `"type":"function","function":{"name":"nobody's","arguments":"{}"}`,
	} {
		delta, message := both(t, o, event(`{"functionCall":`+call+`}`, "STOP"))
		if w := aRole + `,"tool_calls":[{"index":0,"id":"a",` + want + `}]`; delta != w {
			t.Errorf("got  %s\nwant %s", delta, w)
		}
		if w := aRole + `,"content":null,"refusal":null,"tool_calls":[{"id":"a",` + want + `}]`; message != w {
			t.Errorf("got  %s\nwant %s", message, w)
		}
	}
}

func TestLegacyCalls(t *testing.T) {
	const call = `{"functionCall":{"id":"a","name":"f","args":{"x":1}}}`
	o := EncoderOptions{Tools: &gemini.Tools{Legacy: true}}
	delta, message := both(t, o, event(`{"text":"t"},`+call+`,`+call, "STOP"))
	const made = `"function_call":{"name":"f","arguments":"{\"x\":1}"}`
	if want := aRole + `,"content":"t",` + made; delta != want {
		t.Errorf("got  %s\nwant %s", delta, want)
	}
	if want := aRole + `,"content":"t","refusal":null,` + made; message != want {
		t.Errorf("got  %s\nwant %s", message, want)
	}
	got := strings.Join(stream(t, NewEncoder(o), event(call, ""), event(call, "STOP")), "\n")
	if strings.Count(got, "function_call\":{") != 1 || strings.Count(got, `"finish_reason":"function_call"`) != 1 {
		t.Errorf("got %s", got)
	}
}

func TestSignedTexts(t *testing.T) {
	const extra = `"extra_content":{"google":{"thought_signature":"c2ln"}}`
	delta, message := both(t, EncoderOptions{}, event(`{"text":"a"},{"text":"","thoughtSignature":"c2ln"}`, "STOP"))
	if want := aRole + `,"content":"a",` + extra; delta != want {
		t.Errorf("got  %s\nwant %s", delta, want)
	}
	if want := aRole + `,"content":"a","refusal":null,` + extra; message != want {
		t.Errorf("got  %s\nwant %s", message, want)
	}
	got := stream(t, newEncoder(false), event(`{"text":"a"}`, ""), event(`{"text":"","thoughtSignature":"c2ln"}`, ""), event("", "STOP"))
	if len(got) != 4 || got[1] != chunk(delta0(extra), "") {
		t.Errorf("got %q", got)
	}
}

func delta0(inside string) string { return delta(inside, "null") }

func TestFingerprint(t *testing.T) {
	version := func(v string) string {
		return `{"candidates":[{"content":{"parts":[{"text":"x"}]}}],"modelVersion":"` + v + `"}`
	}
	print := func(s string) string {
		_, s, _ = strings.Cut(s, `"system_fingerprint":"`)
		s, _, _ = strings.Cut(s, `"`)
		return s
	}
	got := stream(t, newEncoder(false), version("a"), version("b"), event(`{"text":"y"}`, "STOP"))
	if f := print(got[0]); len(f) != 13 || print(got[1]) != f || print(got[2]) != f {
		t.Errorf("got %q", got)
	}
	whole, err := newEncoder(false).Whole(nil, []byte(version("a")))
	if err != nil || print(string(whole)) != print(got[0]) {
		t.Errorf("%v %s", err, whole)
	}
	if got := stream(t, newEncoder(false), version("b")); print(got[0]) == print(string(whole)) {
		t.Error("two models, one fingerprint")
	}
	if got := stream(t, newEncoder(false), event(`{"text":"y"}`, ""), version("b")); print(got[0]) != "" || print(got[1]) != "" {
		t.Errorf("it changes in the stream: %q", got)
	}
}

func TestLogprobs(t *testing.T) {
	const reply = `{"candidates":[{"content":{"parts":[{"text":"é!"}]},"logprobsResult":{"chosenCandidates":[{"token":"é","tokenId":7,"logProbability":-0.25},{"token":"!"}],` +
		`"topCandidates":[{"candidates":[{"token":"é","logProbability":-0.25},{"token":"\n","logProbability":-2}]}]},"finishReason":"STOP"}]}`
	const want = `{"content":[{"token":"é","logprob":-0.25,"bytes":[195,169],"top_logprobs":[{"token":"é","logprob":-0.25,"bytes":[195,169]},{"token":"\n","logprob":-2,"bytes":[10]}]},` +
		`{"token":"!","logprob":0,"bytes":[33],"top_logprobs":[]}],"refusal":null}`
	got := stream(t, newEncoder(false), reply)
	if w := chunk(`{"index":0,"delta":{`+aRole+`,"content":"é!"},"logprobs":`+want+`,"finish_reason":"stop"}`, ""); got[0] != w {
		t.Errorf("got  %s\nwant %s", got[0], w)
	}
	whole, err := newEncoder(false).Whole(nil, []byte(reply))
	if err != nil || !strings.Contains(string(whole), `"refusal":null},"logprobs":`+want+`,"finish_reason":"stop"}`) {
		t.Errorf("%v %s", err, whole)
	}
}

func note(from, to int, url, title string) string {
	return `{"type":"url_citation","url_citation":{"start_index":` + strconv.Itoa(from) + `,"end_index":` + strconv.Itoa(to) + `,"url":"` + url + `","title":"` + title + `"}}`
}

func grounded(text, supports string) string {
	return `{"candidates":[{"content":{"parts":[` + text + `]},"groundingMetadata":{"webSearchQueries":["q"],"groundingChunks":[` +
		`{"web":{"uri":"https://a","title":"A"}},{"retrievedContext":{"uri":"https://b","title":"B \"b\""}},{"maps":{"uri":"https://c"}},{"web":{}}],` +
		`"groundingSupports":[` + supports + `]},"finishReason":"STOP"}]}`
}

func TestAnnotations(t *testing.T) {
	support := func(segment, chunks string) string {
		return `{"segment":{` + segment + `},"groundingChunkIndices":[` + chunks + `],"confidenceScores":[0.9]}`
	}
	for name, c := range map[string]struct{ text, supports, notes string }{
		"plain":                    {`{"text":"0123456789"}`, support(`"endIndex":4,"text":"0123"`, "0") + "," + support(`"startIndex":4,"endIndex":10`, "0,1,2"), note(0, 4, "https://a", "A") + "," + note(4, 10, "https://a", "A") + "," + note(4, 10, "https://b", `B \"b\"`) + "," + note(4, 10, "https://c", "")},
		"bytes are not characters": {`{"text":"é中😀x\n\u00e9\ud83d\ude00y"}`, support(`"startIndex":2,"endIndex":9`, "0") + "," + support(`"startIndex":9,"endIndex":11`, "1") + "," + support(`"startIndex":11,"endIndex":18`, "2"), note(1, 3, "https://a", "A") + "," + note(3, 5, "https://b", `B \"b\"`) + "," + note(5, 8, "https://c", "")},
		"ours between":             {`{"text":"ab"},{"executableCode":{"language":"PYTHON","code":"é"}},{"text":"cd"}`, support(`"endIndex":2`, "0") + "," + support(`"startIndex":2,"endIndex":4`, "1") + "," + support(`"partIndex":2,"startIndex":1,"endIndex":2`, "2"), note(0, 2, "https://a", "A") + "," + note(19, 21, "https://b", `B \"b\"`) + "," + note(20, 21, "https://c", "")},
		"thoughts are none":        {`{"text":"hm","thought":true},{"text":"ab"}`, support(`"partIndex":1,"endIndex":1`, "0,1,2"), note(0, 1, "https://a", "A") + "," + note(0, 1, "https://b", `B \"b\"`) + "," + note(0, 1, "https://c", "")},
		"without a support":        {`{"text":"aé"}`, "", note(0, 2, "https://a", "A") + "," + note(0, 2, "https://b", `B \"b\"`) + "," + note(0, 2, "https://c", "")},
		"nonsense":                 {`{"text":"abc"}`, support(`"startIndex":-5,"endIndex":99`, "0,7,-1,99999999999999999999") + "," + support(`"startIndex":2,"endIndex":1`, "1") + "," + support(`"startIndex":"x"`, "2"), note(0, 3, "https://a", "A") + "," + note(1, 1, "https://b", `B \"b\"`) + "," + note(0, 3, "https://c", "")},
	} {
		t.Run(name, func(t *testing.T) {
			delta, message := both(t, EncoderOptions{}, grounded(c.text, c.supports))
			for _, got := range []string{delta, message} {
				if _, got, _ = strings.Cut(got, `,"annotations":[`); got != c.notes+"]" {
					t.Errorf("got  %s\nwant %s", got, c.notes)
				}
			}
		})
	}
}

// Google repeats what it has said; the client hears it once, and of pages without a stretch at the end.
func TestAnnotationsOfAStream(t *testing.T) {
	const metadata = `"groundingMetadata":{"groundingChunks":[{"web":{"uri":"https://a","title":"A"}},{"web":{"uri":"https://b","title":"B"}}],"groundingSupports":[{"segment":{"startIndex":3,"endIndex":5},"groundingChunkIndices":[0]}]}`
	with := func(text, more string) string {
		return `{"candidates":[{"content":{"parts":[{"text":"` + text + `"}]},` + more + `}]}`
	}
	got := stream(t, newEncoder(false), with("中", `"index":0`), with("bc", metadata), with("d", metadata), event("", "STOP"), `{"candidates":[{`+metadata+`}]}`)
	want := []string{
		chunk(delta(aRole+`,"content":"中"`, "null"), ""),
		chunk(delta(`"content":"bc","annotations":[`+note(1, 3, "https://a", "A")+`]`, "null"), ""),
		chunk(delta(`"content":"d"`, "null"), ""),
		chunk(delta(`"annotations":[`+note(0, 4, "https://b", "B")+`]`, "stop"), ""),
		"[DONE]",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestCitations(t *testing.T) {
	for _, list := range []string{"citations", "citationSources"} {
		reply := `{"candidates":[{"content":{"parts":[{"text":"éab"}]},"citationMetadata":{"` + list + `":[{"startIndex":2,"endIndex":4,"uri":"https://a","license":"MIT"},{"endIndex":2}]},"finishReason":"RECITATION"}]}`
		delta, message := both(t, EncoderOptions{}, reply)
		for _, got := range []string{delta, message} {
			if !strings.HasSuffix(got, `,"annotations":[`+note(1, 3, "https://a", "")+`]`) {
				t.Errorf("got %s", got)
			}
		}
	}
}

// The ruler agrees with a plain count, whatever the texts are made of.
func FuzzRuler(f *testing.F) {
	f.Add(`aé中😀\n\u00e9\ud83d\ude00\"x`, 3)
	f.Add(`\ud800\ud800x\ud83dé`, 4)
	f.Fuzz(func(t *testing.T, inner string, at int) {
		if !utf8.ValidString(inner) || strings.ContainsAny(inner, "\"\n") {
			return
		}
		text, ok := textOf(inner)
		if !ok {
			return
		}
		var r ruler
		half := len(inner)
		r.text([]byte(inner[:half]))
		if r.bytes != len(text) || r.chars != utf8.RuneCountInString(text) {
			t.Fatalf("%q: %d bytes, %d characters, not %d and %d", inner, r.bytes, r.chars, len(text), utf8.RuneCountInString(text))
		}
		at = max(min(at, len(text)), 0)
		for at > 0 && at < len(text) && !utf8.RuneStart(text[at]) {
			at--
		}
		if n := utf8.RuneCountInString(text[:at]); r.char(at, true) != n || r.char(at, false) != n {
			t.Fatalf("%q: byte %d is character %d and %d, not %d", inner, at, r.char(at, true), r.char(at, false), n)
		}
	})
}

func textOf(inner string) (string, bool) {
	quoted := []byte(`"` + inner + `"`)
	if wire.Check(quoted) != nil {
		return "", false
	}
	return wire.Text(quoted)
}
