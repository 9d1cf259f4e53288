package openai

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
)

func newEncoder(usage bool) wire.Encoder {
	return NewEncoder(EncoderOptions{ID: "1", Model: "假流式/gemini", Created: 1, IncludeUsage: usage})
}

// stream feeds the events and returns what a client reads: the data of each event.
func stream(t *testing.T, e wire.Encoder, events ...string) []string {
	t.Helper()
	var out []byte
	for _, data := range events {
		buf := []byte(data)
		var err error
		if out, err = e.Event(out, buf); err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		for i := range buf { // the buffer belongs to the stream: nothing of it may be kept
			buf[i] = '#'
		}
	}
	return lines(t, e.Finish(out))
}

func lines(t *testing.T, out []byte) []string {
	t.Helper()
	var list []string
	for event := range strings.SplitSeq(strings.TrimSuffix(string(out), "\n\n"), "\n\n") {
		data, ok := strings.CutPrefix(event, "data: ")
		if !ok || strings.ContainsAny(data, "\r\n") || data != "[DONE]" && !json.Valid([]byte(data)) {
			t.Errorf("no event: %q", event)
		}
		list = append(list, data)
	}
	return list
}

// chunk is the data of a chunk with these choices, and perhaps more behind them.
func chunk(choices, more string) string {
	return `{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"假流式/gemini","choices":[` + choices + `]` + more + `}`
}

func delta(inside, finish string) string {
	if finish != "null" {
		finish = `"` + finish + `"`
	}
	return `{"index":0,"delta":{` + inside + `},"finish_reason":` + finish + `}`
}

func event(parts, finish string) string {
	if finish != "" {
		finish = `,"finishReason":"` + finish + `"`
	}
	return `{"candidates":[{"content":{"role":"model","parts":[` + parts + `]}` + finish + `}]}`
}

const aRole = `"role":"assistant"`

func TestStream(t *testing.T) {
	const null = "null"
	for name, c := range map[string]struct {
		events []string
		want   []string
	}{
		"behaviour A1": {
			[]string{
				`{"candidates":[{"content":{"role":"model","parts":[{"text":"thinking..","thought":true}]}}]}`,
				`{"candidates":[{"content":{"role":"model","parts":[{"text":"Hello"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":1,"thoughtsTokenCount":7,"totalTokenCount":11}}`,
			},
			[]string{chunk(delta(aRole+`,"reasoning_content":"thinking.."`, null), ""), chunk(delta(`"content":"Hello"`, "stop"), "")},
		},
		"joined raw": {
			[]string{event(`{"text":"a\u00e9\""},{"text":"é\n"}`, "STOP")},
			[]string{chunk(delta(aRole+`,"content":"a\u00e9\"é\n"`, "stop"), "")},
		},
		"thought and text in one event": {
			[]string{event(`{"text":"x"},{"text":"hm","thought":true},{"text":"y"}`, "")},
			[]string{chunk(delta(aRole+`,"reasoning_content":"hm","content":"xy"`, null), "")},
		},
		"steps of Google's own tools, whose signatures belong to no text": {
			[]string{event(`{"toolCall":{"id":"s"},"thoughtSignature":"c2ln"},{"toolResponse":{"id":"s"},"thoughtSignature":"c2ln"},{"text":"x"}`, "STOP")},
			[]string{chunk(delta(aRole+`,"content":"x"`, "stop"), "")},
		},
		"nothing to tell": {
			[]string{event(`{"text":"x"}`, ""), event(`{"text":""}`, ""), `{"usageMetadata":{"promptTokenCount":1}}`, `{}`, `{"candidates":[]}`, `{"candidates":[{}]}`, `{"candidates":[{"content":{}}]}`, event(``, "STOP"), event(``, "STOP")},
			[]string{chunk(delta(aRole+`,"content":"x"`, null), ""), chunk(delta("", "stop"), "")},
		},
		"only an end":    {[]string{event(``, "MAX_TOKENS")}, []string{chunk(delta(aRole, "length"), "")}},
		"blocked prompt": {[]string{`{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},"usageMetadata":{"promptTokenCount":9,"totalTokenCount":9}}`}, []string{chunk(delta(aRole+`,"content":""`, "content_filter"), "")}},
		"feedback that does not block": {
			[]string{`{"promptFeedback":{"safetyRatings":[]},"candidates":[{"content":{"parts":[{"text":"x"}]}}]}`},
			[]string{chunk(delta(aRole+`,"content":"x"`, null), "")},
		},
		"picture":          {[]string{event(`{"text":"see "},{"inlineData":{"mimeType":"image/png","data":"AA=="}}`, "STOP")}, []string{chunk(delta(aRole+`,"content":"see ![image](data:image/png;base64,AA==)"`, "stop"), "")}},
		"text beside data": {[]string{event(`{"text":"","inlineData":{"mimeType":"image/png","data":"AA"}},{"inlineData":{"mimeType":"image/png","data":"BB"},"text":""}`, "")}, []string{chunk(delta(aRole+`,"content":"![image](data:image/png;base64,AA)![image](data:image/png;base64,BB)"`, null), "")}},
		"draft picture":    {[]string{event(`{"inlineData":{"mimeType":"image/png","data":"AA=="},"thought":true},{"text":"x"}`, "STOP")}, []string{chunk(delta(aRole+`,"content":"x"`, "stop"), "")}},
		"sound":            {[]string{event(`{"inlineData":{"mimeType":"audio/wav","data":"AA=="}}`, "")}, []string{chunk(delta(aRole+`,"content":"[file](data:audio/wav;base64,AA==)"`, null), "")}},
		"code":             {[]string{event(`{"executableCode":{"language":"PYTHON","code":"print(\"1\")\n"}}`, "")}, []string{chunk(delta(aRole+`,"content":"\n`+"```python"+`\nprint(\"1\")\n\n`+"```"+`\n"`, null), "")}},
		"code of no kind":  {[]string{event(`{"executableCode":{"language":"LANGUAGE_UNSPECIFIED","code":"x"}}`, "")}, []string{chunk(delta(aRole+`,"content":"\n`+"```"+`\nx\n`+"```"+`\n"`, null), "")}},
		"code result":      {[]string{event(`{"codeExecutionResult":{"outcome":"OUTCOME_OK","output":"1\n"}}`, "")}, []string{chunk(delta(aRole+`,"content":"\n`+"```output"+`\n1\n\n`+"```"+`\n"`, null), "")}},
		"code failed":      {[]string{event(`{"codeExecutionResult":{"outcome":"OUTCOME_FAILED","output":"no"}}`, "")}, []string{chunk(delta(aRole+`,"content":"\n`+"```error"+`\nno\n`+"```"+`\n"`, null), "")}},
		"two candidates": {
			[]string{`{"candidates":[{"index":0,"content":{"parts":[{"text":"a"}]}},{"index":1,"content":{"parts":[{"text":"b"}]},"finishReason":"STOP"}]}`, event(`{"text":"c"}`, "STOP")},
			[]string{chunk(delta(aRole+`,"content":"a"`, null)+`,{"index":1,"delta":{`+aRole+`,"content":"b"},"finish_reason":"stop"}`, ""), chunk(delta(`"content":"c"`, "stop"), "")},
		},
		"pretty": {
			[]string{"{\n  \"candidates\" : [ {\r\n \"content\" : {\"parts\": [ {\"text\" : \"x\" } ] } } ]\n}\n"},
			[]string{chunk(delta(aRole+`,"content":"x"`, null), "")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := stream(t, newEncoder(false), c.events...)
			want := append(c.want, "[DONE]")
			if strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

// transcript is appendix A of the protocol reference without its envelopes.
var transcript = []string{
	`{"candidates":[{"content":{"role":"model","parts":[{"text":"**Planning**\nNeed two lookups.","thought":true}]}}],"usageMetadata":{"promptTokenCount":50,"thoughtsTokenCount":18,"totalTokenCount":68},"modelVersion":"gemini-3.1-pro-preview","responseId":"r1"}`,
	`{"candidates":[{"content":{"role":"model","parts":[{"text":"Checking"}]}}],"usageMetadata":{"promptTokenCount":50,"candidatesTokenCount":1,"thoughtsTokenCount":18,"totalTokenCount":69},"modelVersion":"gemini-3.1-pro-preview","responseId":"r1"}`,
	`{"candidates":[{"content":{"role":"model","parts":[{"functionCall":{"id":"a1","name":"get_weather","args":{"city":"Oslo"}},"thoughtSignature":"EqQBCqEB"},{"functionCall":{"id":"a2","name":"get_weather","args":{"city":"Bern"}}}]}}],"modelVersion":"gemini-3.1-pro-preview","responseId":"r1"}`,
	`{"candidates":[{"content":{"role":"model","parts":[{"text":""}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":50,"candidatesTokenCount":25,"thoughtsTokenCount":18,"totalTokenCount":93},"modelVersion":"gemini-3.1-pro-preview","responseId":"r1"}`,
}

const usageA = `"usage":{"prompt_tokens":50,"completion_tokens":43,"total_tokens":93,"completion_tokens_details":{"reasoning_tokens":18}}`

func TestStreamTranscript(t *testing.T) {
	got := stream(t, newEncoder(true), transcript...)
	const fp = `,"system_fingerprint":"fp_5aea84bccf"`
	const open = fp + `,"usage":null`
	want := []string{
		chunk(delta(aRole+`,"reasoning_content":"**Planning**\nNeed two lookups."`, "null"), open),
		chunk(delta(`"content":"Checking"`, "null"), open),
		chunk(delta(`"tool_calls":[{"index":0,"id":"a1","type":"function","function":{"name":"get_weather","arguments":"{\"city\":\"Oslo\"}"},"extra_content":{"google":{"thought_signature":"EqQBCqEB"}}},`+
			`{"index":1,"id":"a2","type":"function","function":{"name":"get_weather","arguments":"{\"city\":\"Bern\"}"}}]`, "null"), open),
		chunk(delta("", "tool_calls"), open),
		chunk("", fp+","+usageA),
		"[DONE]",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestCallsWithoutID(t *testing.T) {
	const call = `{"functionCall":{"name":"f"}}`
	once := strings.Join(stream(t, newEncoder(false), event(call+","+call, ""), event(call, "STOP")), "\n")
	again := strings.Join(stream(t, newEncoder(false), event(call+","+call, ""), event(call, "STOP")), "\n")
	if once != again {
		t.Error("the ids depend on more than the answer's own")
	}
	seen := map[string]bool{}
	for _, piece := range strings.Split(once, `"id":"call_`)[1:] {
		id, rest, _ := strings.Cut(piece, `"`)
		if len(id) != 24 || strings.Trim(id, "0123456789abcdef") != "" || seen[id] {
			t.Errorf("id %q", id)
		}
		seen[id] = true
		if !strings.Contains(rest, `"arguments":"{}"`) {
			t.Errorf("no empty arguments: %s", rest)
		}
	}
	for _, part := range []string{`"index":0,`, `"index":1,`, `"index":2,`, `"finish_reason":"tool_calls"`} {
		if !strings.Contains(once, part) {
			t.Errorf("%s is missing in %s", part, once)
		}
	}
	if len(seen) != 3 {
		t.Errorf("%d ids", len(seen))
	}
}

func TestFinishReasons(t *testing.T) {
	for google, want := range map[string]string{
		"STOP": "stop", "MAX_TOKENS": "length", "SAFETY": "content_filter", "RECITATION": "content_filter",
		"LANGUAGE": "content_filter", "BLOCKLIST": "content_filter", "PROHIBITED_CONTENT": "content_filter",
		"SPII": "content_filter", "IMAGE_SAFETY": "content_filter", "MODEL_ARMOR": "content_filter",
		"OTHER": "stop", "MALFORMED_FUNCTION_CALL": "stop", "NO_IMAGE": "stop", "SOMETHING_NEW": "stop",
	} {
		got := stream(t, newEncoder(false), event(`{"text":"x"}`, google))[0]
		if !strings.Contains(got, `"finish_reason":"`+want+`"`) {
			t.Errorf("%s: %s", google, got)
		}
	}
}

func TestUsageIsSentOnlyWhenToldAndAsked(t *testing.T) {
	got := stream(t, newEncoder(true), event(`{"text":"x"}`, "STOP"))
	if len(got) != 2 {
		t.Errorf("a usage that nobody told: %q", got)
	}
	got = stream(t, newEncoder(true), `{"candidates":[{"content":{"parts":[{"text":"x"}]}}],"usageMetadata":{"promptTokenCount":10,"toolUsePromptTokenCount":5,"cachedContentTokenCount":4,"candidatesTokenCount":2}}`)
	const want = `,"usage":{"prompt_tokens":15,"completion_tokens":2,"total_tokens":17,"prompt_tokens_details":{"cached_tokens":4}}`
	if len(got) != 3 || got[1] != chunk("", want) {
		t.Errorf("got %q", got)
	}
}

func TestErrorEndsTheStream(t *testing.T) {
	e := newEncoder(true)
	out, err := e.Event(nil, []byte(transcript[0]))
	if err != nil {
		t.Fatal(err)
	}
	out = e.Finish(e.Error(out, apierror.New(apierror.StreamBroken, "it \"broke\"")))
	got := lines(t, out)
	const want = `{"error":{"message":"it \"broke\"","type":"server_error","param":null,"code":"stream_broken"}}`
	if len(got) != 2 || got[1] != want {
		t.Errorf("got %q", got)
	}
}

func TestFailure(t *testing.T) {
	for want, f := range map[string]*apierror.Error{
		`{"error":{"message":"m","type":"insufficient_quota","param":null,"code":"quota_exhausted"}}`:      apierror.New(apierror.QuotaExhausted, "m"),
		`{"error":{"message":"n","type":"invalid_request_error","param":"messages","code":"bad_request"}}`: apierror.New(apierror.BadRequest, "n").Naming("messages"),
	} {
		if got := string(newEncoder(false).Failure([]byte("x"), f)); got != "x"+want {
			t.Errorf("got %s", got)
		}
	}
}

func TestGarbageEvents(t *testing.T) {
	for _, data := range []string{`{`, `{"candidates":[{"content"`, `garbage`, `[]`, `5`,
		"{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\nb\"}]}}]}"} {
		e := newEncoder(false)
		out, err := e.Event([]byte("kept"), []byte(data))
		var bad *apierror.Error
		if !errors.As(err, &bad) || bad.Code != apierror.StreamBroken {
			t.Errorf("%q: %v", data, err)
		}
		if string(out) != "kept" {
			t.Errorf("%q: wrote %q", data, out)
		}
	}
}

func TestWhole(t *testing.T) {
	const head = `{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"假流式/gemini","choices":[`
	for name, c := range map[string]struct{ data, want string }{
		"text": {`{"candidates":[{"content":{"parts":[{"text":"2+2...","thought":true},{"text":"4"},{"text":"!"}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":1,"thoughtsTokenCount":24,"totalTokenCount":30}}`,
			`{"index":0,"message":{"role":"assistant","content":"4!","refusal":null,"reasoning_content":"2+2..."},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":25,"total_tokens":30,"completion_tokens_details":{"reasoning_tokens":24}}}`},
		"calls": {event(`{"functionCall":{"id":"a","name":"f","args":{"x":[1,"\u00e9"]}}}`, "STOP"),
			`{"index":0,"message":{"role":"assistant","content":null,"refusal":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":[1,\"\\u00e9\"]}"}}]},"logprobs":null,"finish_reason":"tool_calls"}]}`},
		"text and call": {event(`{"text":"t"},{"functionCall":{"id":"a","name":"f"}}`, "STOP"),
			`{"index":0,"message":{"role":"assistant","content":"t","refusal":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},"logprobs":null,"finish_reason":"tool_calls"}]}`},
		"blocked":    {`{"promptFeedback":{"blockReason":"SAFETY"}}`, `{"index":0,"message":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":"content_filter"}]}`},
		"no content": {`{"candidates":[{"finishReason":"MAX_TOKENS"}]}`, `{"index":0,"message":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":"length"}]}`},
		"two": {`{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"},{"content":{"parts":[{"text":"b"}]},"finishReason":"MAX_TOKENS"}]}`,
			`{"index":0,"message":{"role":"assistant","content":"a","refusal":null},"logprobs":null,"finish_reason":"stop"},{"index":1,"message":{"role":"assistant","content":"b","refusal":null},"logprobs":null,"finish_reason":"length"}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := newEncoder(false).Whole([]byte("x"), []byte(c.data))
			if err != nil || string(got) != "x"+head+c.want {
				t.Errorf("%v\ngot  %s\nwant x%s%s", err, got, head, c.want)
			}
			if !json.Valid(got[1:]) {
				t.Error("no JSON")
			}
		})
	}
	if out, err := newEncoder(false).Whole([]byte("x"), []byte(`{"candidates":[{]}`)); err == nil || string(out) != "x" {
		t.Errorf("garbage became %s, %v", out, err)
	}
}

func TestEventsDoNotAllocate(t *testing.T) {
	for name, data := range hubEvents() {
		e := benchEncoder()
		dst := make([]byte, 0, 4096)
		data := []byte(data)
		if n := testing.AllocsPerRun(100, func() {
			if _, err := e.Event(dst, data); err != nil {
				t.Fatal(err)
			}
		}); n > 0 {
			t.Errorf("%s: %v allocations an event", name, n)
		}
	}
}
