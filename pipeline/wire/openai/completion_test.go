package openai

import (
	"encoding/json"
	"strings"
	"testing"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// prompted is the hub request of a prompt, with more behind the contents.
func prompted(inner, more string) string {
	return `{"contents":[{"role":"user","parts":[{"text":"` + inner + `"}]}]` + more + `}`
}

func TestCompletionToHub(t *testing.T) {
	for _, c := range []struct{ body, hub string }{
		{`{"model":"m","prompt":"hi"}`, prompted("hi", "")},
		{`{"prompt":["a \"b\"\n\u00e9天"]}`, prompted(`a \"b\"\n\u00e9天`, "")},
		{`{"prompt":"hi","suffix":null,"suffix2":null,"echo":null,"n":null,"best_of":null,"logprobs":null,"stop":null,"stream":null}`, prompted("hi", "")},
		{`{"prompt":"hi","suffix":"","echo":false,"n":1,"best_of":1,"logprobs":0,"logit_bias":{},"user":"u","stream":false}`, prompted("hi", "")},
		{`{"prompt":"hi","logprobs":false}`, prompted("hi", "")},
		{`{"prompt":"hi","max_tokens":16,"temperature":0.50,"top_p":1,"top_k":9,"seed":7,"stop":"END"}`,
			prompted("hi", `,"generationConfig":{"temperature":0.50,"topP":1,"topK":9,"maxOutputTokens":16,"seed":7,"stopSequences":["END"]}`)},
		{`{"prompt":"hi","stop":["a","","b"]}`, prompted("hi", `,"generationConfig":{"stopSequences":["a","b"]}`)},
	} {
		body, members := scanned(t, c.body)
		hub, r, err := CompletionToHub([]byte("kept"), body, members, pro25)
		if err != nil {
			t.Errorf("%s: %v", c.body, err)
			continue
		}
		if string(hub) != "kept"+c.hub {
			t.Errorf("%s\ngot  %s\nwant %s", c.body, hub, c.hub)
		}
		if r.Stream || r.IncludeUsage || r.Echo != nil || r.Tools != nil || r.Remote != 0 {
			t.Errorf("%s: %+v", c.body, r)
		}
	}
}

func TestCompletionBeside(t *testing.T) {
	body, members := scanned(t, `{"prompt":["say \"x\""],"echo":true,"stream":true,"stream_options":{"include_usage":true},"grammar":"g","max_tokens":99999,"mirostat":2}`)
	_, r, err := CompletionToHub(nil, body, members, pro25)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Stream || !r.IncludeUsage || string(r.Echo) != `say \"x\"` || strings.Join(r.Ignored, ", ") != "grammar, mirostat, max_tokens=65536" {
		t.Errorf("%+v, echo %q", r, r.Echo)
	}
}

func TestCompletionRefused(t *testing.T) {
	refusals{
		given: map[string]string{"prompt": `"hi"`},
		bad: map[string][]string{
			"prompt":      {`null`, `""`, `5`, `{}`, `[]`, `true`},
			"prompt[0]":   {`[1,2,3]`, `[[1,2]]`, `[""]`, `[null]`, `[{}]`},
			"prompt[1]":   {`["a","b"]`, `["a","b","c"]`, `["a",7]`},
			"suffix":      {`"end"`, `5`, `[]`},
			"echo":        {`1`, `"true"`},
			"n":           {`2`, `0`, `"1"`},
			"best_of":     {`2`, `0`, `1.5`, `"1"`},
			"logprobs":    {`1`, `5`, `true`, `"0"`},
			"logit_bias":  {`{"50256":-100}`},
			"max_tokens":  {`0`, `-1`, `"5"`, `1.5`},
			"temperature": {`2.5`, `"1"`}, "top_p": {`2`}, "top_k": {`0`},
			"frequency_penalty": {`3`}, "presence_penalty": {`-2.5`}, "seed": {`1.5`},
			"stop": {`5`, `["1","2","3","4","5","6"]`}, "stop[1]": {`["a",5]`},
			"stream": {`"yes"`}, "stream_options": {`true`}, "stream_options.include_usage": {`{"include_usage":1}`},
		},
		take: func(body []byte, members []wire.Member) *apierror.Error {
			_, _, err := CompletionToHub(nil, body, members, pro25)
			return err
		},
		fields: CompletionFields(),
	}.run(t)
}

func newCompleter(echo string, usage bool) wire.Encoder {
	o := CompletionOptions{ID: "1", Model: "假流式/gemini", Created: 1, IncludeUsage: usage}
	if echo != "" {
		o.Echo = []byte(echo)
	}
	return NewCompletionEncoder(o)
}

// piece is a text_completion with this text; finish is a word, or null.
func piece(text, finish, more string) string {
	if finish != "null" {
		finish = `"` + finish + `"`
	}
	return `{"id":"cmpl-1","object":"text_completion","created":1,"model":"假流式/gemini","choices":[{"text":"` + text +
		`","index":0,"logprobs":null,"finish_reason":` + finish + `}]` + more + `}`
}

const usageEvent = `{"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":2,"thoughtsTokenCount":3}}`

func TestCompletionStream(t *testing.T) {
	const usage = `,"usage":{"prompt_tokens":5,"completion_tokens":5,"total_tokens":10,"completion_tokens_details":{"reasoning_tokens":3}}`
	for name, c := range map[string]struct {
		echo   string
		usage  bool
		events []string
		want   []string
	}{
		"text":       {events: []string{event(`{"text":"a\n"}`, ""), event(`{"text":"b"}`, ""), event(`{"text":""}`, "STOP"), usageEvent}, want: []string{piece(`a\n`, "null", ""), piece("b", "null", ""), piece("", "stop", ""), "[DONE]"}},
		"one event":  {events: []string{event(`{"text":"a"},{"text":"b"}`, "MAX_TOKENS")}, want: []string{piece("ab", "length", ""), "[DONE]"}},
		"filtered":   {events: []string{event(`{"text":"a"}`, ""), event(``, "SAFETY")}, want: []string{piece("a", "null", ""), piece("", "content_filter", ""), "[DONE]"}},
		"thoughts":   {echo: "p", events: []string{event(`{"text":"hm","thought":true}`, ""), event(`{"text":"a"}`, "STOP")}, want: []string{piece("pa", "stop", ""), "[DONE]"}},
		"echo":       {echo: `say \"x\": `, events: []string{event(`{"text":"a"}`, ""), event(`{"text":"b"}`, "STOP")}, want: []string{piece(`say \"x\": a`, "null", ""), piece("b", "stop", ""), "[DONE]"}},
		"echo alone": {echo: "p", events: []string{event(``, "MAX_TOKENS")}, want: []string{piece("p", "length", ""), "[DONE]"}},
		"usage": {usage: true, events: []string{event(`{"text":"a"}`, "STOP"), usageEvent}, want: []string{piece("a", "stop", `,"usage":null`),
			`{"id":"cmpl-1","object":"text_completion","created":1,"model":"假流式/gemini","choices":[]` + usage + `}`, "[DONE]"}},
		"usage untold":  {usage: true, events: []string{event(`{"text":"a"}`, "STOP")}, want: []string{piece("a", "stop", `,"usage":null`), "[DONE]"}},
		"blocked":       {events: []string{`{"promptFeedback":{"blockReason":"OTHER"}}`}, want: []string{piece("", "content_filter", ""), "[DONE]"}},
		"end once":      {events: []string{event(``, "STOP"), event(``, "STOP"), event(`{"text":"late"}`, "STOP")}, want: []string{piece("", "stop", ""), piece("late", "null", ""), "[DONE]"}},
		"first of many": {events: []string{`{"candidates":[{"content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"text":"b"}]},"finishReason":"STOP"}]}`}, want: []string{piece("a", "null", ""), "[DONE]"}},
		"picture":       {events: []string{event(`{"text":"see "},{"inlineData":{"mimeType":"image/png","data":"AA=="}}`, "STOP")}, want: []string{piece("see ![image](data:image/png;base64,AA==)", "stop", ""), "[DONE]"}},
		"draft":         {events: []string{event(`{"thought":true,"inlineData":{"mimeType":"image/png","data":"AA=="}}`, "")}, want: []string{"[DONE]"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := stream(t, newCompleter(c.echo, c.usage), c.events...)
			if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

func TestCompletionWhole(t *testing.T) {
	for _, c := range []struct{ echo, data, want string }{
		{"", event(`{"text":"a"},{"text":"hm","thought":true},{"text":"b"}`, "STOP"), piece("ab", "stop", "")},
		{`p\n`, event(`{"text":"a"}`, "MAX_TOKENS"), piece(`p\na`, "length", "")},
		{"", `{"promptFeedback":{"blockReason":"OTHER"}}`, piece("", "content_filter", "")},
		{"", strings.Replace(event(`{"text":"a"}`, "STOP"), `{`, usageEvent[:len(usageEvent)-1]+",", 1),
			piece("a", "stop", `,"usage":{"prompt_tokens":5,"completion_tokens":5,"total_tokens":10,"completion_tokens_details":{"reasoning_tokens":3}}`)},
	} {
		out, err := newCompleter(c.echo, false).Whole([]byte("kept"), []byte(c.data))
		if err != nil || string(out) != "kept"+c.want {
			t.Errorf("%s: %v\ngot  %s\nwant %s", c.data, err, out, c.want)
		}
	}
}

func TestCompletionBroken(t *testing.T) {
	for _, data := range []string{``, `{"candidates":[`, `[]`, "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\nb\"}]}}]}", `{"candidates":[{"content":{"parts":[{"text":"a}]}}]}`} {
		e := newCompleter("p", true)
		out, err := e.Event([]byte("kept"), []byte(data))
		if apierror.From(err).Code != apierror.StreamBroken || string(out) != "kept" {
			t.Errorf("%q: %v, %s", data, err, out)
		}
		if out, err := e.Whole([]byte("kept"), []byte(data)); apierror.From(err).Code != apierror.StreamBroken || string(out) != "kept" {
			t.Errorf("%q: %v, %s", data, err, out)
		}
		const envelope = `{"error":{"message":"no","type":"server_error","param":null,"code":"stream_broken"}}`
		f := apierror.New(apierror.StreamBroken, "no")
		if got := string(e.Finish(e.Error(nil, f))); got != "data: "+envelope+"\n\n" {
			t.Errorf("in the stream: %s", got)
		}
		if got := string(e.Failure(nil, f)); got != envelope {
			t.Errorf("instead of an answer: %s", got)
		}
	}
}

func TestCompletionEventAllocs(t *testing.T) {
	e, data := newCompleter("", true), []byte(hubEvent)
	dst := make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(100, func() { _, _ = e.Event(dst, data) }); n > 1 {
		t.Errorf("%v allocations an event", n)
	}
}

// The simulator echoes the prompt: what it answers shows that it has got all of it.
func TestCompletionAtGoogle(t *testing.T) {
	s := google(t)
	body, members := scanned(t, `{"model":"m","prompt":["Once \"upon\" a\ntime 天 \ud83d\ude00, there was a very long sentence that takes several events"],`+
		`"echo":true,"max_tokens":400,"temperature":0.5,"top_p":0.9,"top_k":70,"seed":9007199254740993,"stop":["zzz",""],"frequency_penalty":0,"stream_options":{"include_usage":true}}`)
	const prompt = "Once \"upon\" a\ntime 天 😀, there was a very long sentence that takes several events"
	hub, r, bad := CompletionToHub(nil, body, members, pro25)
	if bad != nil {
		t.Fatal(bad)
	}
	type completion struct {
		Choices []struct {
			Text         string
			FinishReason *string `json:"finish_reason"`
		}
		Usage *struct {
			Prompt int `json:"prompt_tokens"`
		}
	}
	o := CompletionOptions{ID: "x", Model: "m", IncludeUsage: r.IncludeUsage, Echo: r.Echo}
	status, answer := ask(t, s, "gemini-2.5-flash:generateContent", hub)
	out, err := NewCompletionEncoder(o).Whole(nil, answer)
	if status != 200 || err != nil {
		t.Fatalf("%d %v %s", status, err, answer)
	}
	if got := decoded[completion](t, out); got.Choices[0].Text != prompt+"echo: "+prompt || *got.Choices[0].FinishReason != "stop" || got.Usage.Prompt == 0 {
		t.Errorf("%s", out)
	}
	status, answer = ask(t, s, "gemini-2.5-flash:streamGenerateContent?alt=sse", hub)
	if status != 200 {
		t.Fatalf("%d %s", status, answer)
	}
	var all []string
	for _, ev := range sseEvents(answer) {
		all = append(all, string(ev))
	}
	text, ends, used := "", 0, 0
	for _, data := range stream(t, NewCompletionEncoder(o), all...) {
		if data == "[DONE]" {
			continue
		}
		p := decoded[completion](t, []byte(data))
		for _, c := range p.Choices {
			text += c.Text
			if c.FinishReason != nil {
				ends++
			}
		}
		if p.Usage != nil {
			used++
		}
	}
	if text != prompt+"echo: "+prompt || ends != 1 || used != 1 || len(all) < 3 {
		t.Errorf("%d events, %d ends, %d usages, %q", len(all), ends, used, text)
	}
}

func FuzzCompletionToHub(f *testing.F) {
	for _, seed := range []string{
		`{"prompt":"hi"}`, `{"prompt":["a\n\u00e9"],"echo":true,"max_tokens":5,"stop":["a",""]}`, `{"prompt":[1,2]}`, `{"prompt":[["a"]]}`,
		`{"pr\u006fmpt":"x","n":1,"best_of":1e0,"logprobs":0,"suffix":"","seed":1e18,"stream":true,"stream_options":{"include_usage":true}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		members, err := wire.Scan(body, nil)
		if err != nil {
			return
		}
		hub, r, bad := CompletionToHub(nil, body, members, pro25)
		var plain struct{ Prompt any }
		if err := json.Unmarshal(body, &plain); err != nil {
			t.Fatal(err)
		}
		if bad != nil {
			if bad.Status != 400 || bad.Message == "" {
				t.Fatalf("%+v", bad)
			}
			return
		}
		if list, ok := plain.Prompt.([]any); ok && len(list) == 1 {
			plain.Prompt = list[0]
		}
		var got struct {
			Contents []struct{ Parts []struct{ Text string } }
		}
		if err := json.Unmarshal(hub, &got); err != nil {
			t.Fatalf("%v: %s", err, hub)
		}
		if _, fail := gemini.NewCall(hub); fail != nil {
			t.Fatalf("%v: %s", fail, hub)
		}
		// Of members that differ in case a plain decode takes the last; they are ignored here.
		if !caseless(members, "prompt") && plain.Prompt != got.Contents[0].Parts[0].Text {
			t.Fatalf("prompt %q became %s", plain.Prompt, hub)
		}
		out, err := NewCompletionEncoder(CompletionOptions{Echo: r.Echo}).Whole(nil, []byte(hubEvent))
		if err != nil || !json.Valid(out) {
			t.Fatalf("%v: %s", err, out)
		}
	})
}

// caseless tells that there are members that are called so only when case does not count.
func caseless(members []wire.Member, name string) bool {
	for i := range members {
		if key := string(members[i].Key); key != name && strings.EqualFold(key, name) {
			return true
		}
	}
	return false
}

func FuzzCompletionEncoder(f *testing.F) {
	for _, seed := range append(transcript, hubEvent, usageEvent, event(`{"inlineData":{"mimeType":"image/png","data":"AA"}},{"text":"a"}`, "STOP"),
		`{"candidates":[5,{"content":7}],"promptFeedback":{"blockReason":1}}`) {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		valid := wire.Check(data) == nil
		e := newCompleter("p", true)
		out, _ := e.Event(nil, data)
		out, _ = e.Event(out, data)
		unbroken(t, e.Finish(out), valid)
		if out, err := newCompleter("", false).Whole(nil, data); err == nil && !json.Valid(out) {
			t.Fatalf("no JSON: %s\nof %s", out, data)
		}
	})
}

func BenchmarkCompletionToHub(b *testing.B) {
	body, members := scanned(b, `{"model":"m","prompt":"`+strings.Repeat(`The quick brown fox, \"twice\" a day. `, 50)+`","max_tokens":400,"temperature":0.7,"stop":["\n\n"]}`)
	dst := make([]byte, 0, 8192)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := CompletionToHub(dst, body, members, pro25); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompletionEvent(b *testing.B) {
	e, data := newCompleter("", true), []byte(hubEvent)
	dst := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Event(dst, data); err != nil {
			b.Fatal(err)
		}
	}
}
