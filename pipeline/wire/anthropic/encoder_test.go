package anthropic

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
)

func newEncoder() wire.Encoder {
	return NewEncoder(EncoderOptions{ID: "1\"", Model: "假流式/gemini"})
}

// stream feeds the events and returns what a client reads.
func stream(t testing.TB, e wire.Encoder, events ...string) string {
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
	return string(e.Finish(out))
}

func event(parts, more string) string {
	return `{"candidates":[{"content":{"role":"model","parts":[` + parts + `]}` + more + `}]}`
}

const (
	stop      = `,"finishReason":"STOP"`
	usage     = `"usageMetadata":{"promptTokenCount":50,"cachedContentTokenCount":20,"toolUsePromptTokenCount":5,"candidatesTokenCount":9,"thoughtsTokenCount":18}`
	usageOut  = `{"input_tokens":35,"cache_creation_input_tokens":0,"cache_read_input_tokens":20,"output_tokens":27,"output_tokens_details":{"thinking_tokens":18}`
	zero      = `{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0`
	zeroUsage = zero + `,"service_tier":"standard"}`
	headOut   = `{"id":"msg_1\"","type":"message","role":"assistant","model":"假流式/gemini","content":[`
)

// accumulated is what an official client makes of a stream, and the state machine that it goes through.
type accumulated struct {
	Type    string           `json:"type"`
	Content []map[string]any `json:"content"`
	Stop    any              `json:"stop_reason"`
	Usage   map[string]any   `json:"usage"`
	failed  bool
}

type sent struct {
	Type    string         `json:"type"`
	Index   int            `json:"index"`
	Message *accumulated   `json:"message"`
	Block   map[string]any `json:"content_block"`
	Delta   map[string]any `json:"delta"`
	Usage   map[string]any `json:"usage"`
	Error   map[string]any `json:"error"`
}

// accumulate reads a stream and fails on every event that may not stand where it does.
func accumulate(t testing.TB, out string) *accumulated {
	t.Helper()
	var m *accumulated
	open, over, partial := false, false, ""
	for block := range strings.SplitSeq(strings.TrimSuffix(out, "\n\n"), "\n\n") {
		name, data, ok := strings.Cut(block, "\ndata: ")
		name, named := strings.CutPrefix(name, "event: ")
		var s sent
		if err := json.Unmarshal([]byte(data), &s); err != nil || !ok || !named || s.Type != name || strings.ContainsAny(data, "\r\n") {
			t.Fatalf("no event: %q (%v)", block, err)
		}
		if over || m == nil && name != "message_start" && name != "error" {
			t.Fatalf("%s stands in the wrong place:\n%s", name, out)
		}
		switch name {
		case "message_start":
			if m != nil || s.Message == nil || len(s.Message.Content) != 0 || s.Message.Stop != nil || s.Message.Usage["input_tokens"] == nil {
				t.Fatalf("wrong start: %s", block)
			}
			m = s.Message
		case "content_block_start":
			if open || s.Index != len(m.Content) || s.Block["type"] == nil {
				t.Fatalf("wrong block: %s\nof %s", block, out)
			}
			m.Content, open, partial = append(m.Content, s.Block), true, ""
		case "content_block_delta":
			if !open || s.Index != len(m.Content)-1 {
				t.Fatalf("a delta outside of its block: %s\nof %s", block, out)
			}
			b := m.Content[s.Index]
			join := func(kind, name, from string) {
				if b["type"] != kind {
					t.Fatalf("%v in a block of %v: %s", s.Delta["type"], b["type"], out)
				}
				b[name] = b[name].(string) + s.Delta[from].(string)
			}
			switch s.Delta["type"] {
			case "text_delta":
				join("text", "text", "text")
			case "thinking_delta":
				join("thinking", "thinking", "thinking")
			case "signature_delta":
				join("thinking", "signature", "signature")
			case "citations_delta":
				list, _ := b["citations"].([]any)
				b["citations"] = append(list, s.Delta["citation"])
			case "input_json_delta":
				if b["type"] != "tool_use" {
					t.Fatalf("input outside of a tool_use: %s", out)
				}
				partial += s.Delta["partial_json"].(string)
			default:
				t.Fatalf("unknown delta: %s", block)
			}
		case "content_block_stop":
			if !open || s.Index != len(m.Content)-1 {
				t.Fatalf("wrong stop: %s\nof %s", block, out)
			}
			b := m.Content[s.Index]
			switch open = false; b["type"] {
			case "tool_use":
				var input map[string]any
				if err := json.Unmarshal([]byte(partial), &input); err != nil {
					t.Fatalf("input %q: %v", partial, err)
				}
				b["input"] = input
			case "thinking":
				if b["signature"] == "" {
					t.Fatalf("no signature: %s", out)
				}
			}
		case "message_delta":
			if open || s.Delta["stop_reason"] == nil || s.Usage["output_tokens"] == nil {
				t.Fatalf("wrong end: %s\nof %s", block, out)
			}
			m.Stop, m.Usage = s.Delta["stop_reason"], s.Usage
		case "message_stop":
			if over = true; m.Stop == nil {
				t.Fatalf("no message_delta: %s", out)
			}
		case "error":
			if over = true; s.Error["type"] == nil || s.Error["message"] == nil {
				t.Fatalf("wrong error: %s", block)
			}
			if m == nil {
				m = &accumulated{}
			}
			m.failed = true
		default:
			t.Fatalf("unknown event: %s", block)
		}
	}
	if !over {
		t.Fatalf("the stream has no end: %s", out)
	}
	return m
}

func encoded(v any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err)
	}
	return strings.TrimSpace(b.String())
}

const grounded = `,"groundingMetadata":{"groundingChunks":[{"web":{"uri":"https://a","title":"A"}},{"web":{"uri":"https://b"}},{"maps":{}}],` +
	`"groundingSupports":[{"segment":{"startIndex":0,"endIndex":2,"text":"so"},"groundingChunkIndices":[0,1,2,9,-1,"x"]}]}`

// answers holds what Google says, event by event, and the message that it is, streamed or not.
var answers = map[string]struct {
	events  []string
	content string // of the accumulated stream
	reason  string
}{
	"text":          {[]string{event(`{"text":"a\"\u00e9"}`, ""), event(`{"text":"b"}`, stop)}, `[{"text":"a\"éb","type":"text"}]`, "end_turn"},
	"thoughts":      {[]string{event(`{"text":"h","thought":true}`, ""), event(`{"text":"m","thought":true,"thoughtSignature":"c2ln"},{"text":"a"}`, stop)}, `[{"signature":"c2ln","thinking":"hm","type":"thinking"},{"text":"a","type":"text"}]`, "end_turn"},
	"unsigned":      {[]string{event(`{"thought":true,"text":"h"},{"text":"a"}`, ""), event(`{"text":"h2","thought":true},{"text":"","thought":true,"thoughtSignature":"s2"}`, stop)}, `[{"signature":"gcli2api","thinking":"h","type":"thinking"},{"text":"a","type":"text"},{"signature":"s2","thinking":"h2","type":"thinking"}]`, "end_turn"},
	"call":          {[]string{event(`{"functionCall":{"id":"toolu_a","name":"查","args": {"k":"v\n"} },"thoughtSignature":"s"}`, stop)}, `[{"id":"toolu_a","input":{"k":"v\n"},"name":"查","type":"tool_use"}]`, "tool_use"},
	"calls":         {[]string{event(`{"text":"go"},{"functionCall":{"id":"a","name":"f","args":{}}},{"functionCall":{"id":"b","name":"g"}}`, ""), event(`{"text":""}`, stop)}, `[{"text":"go","type":"text"},{"id":"a","input":{},"name":"f","type":"tool_use"},{"id":"b","input":{},"name":"g","type":"tool_use"}]`, "tool_use"},
	"call, no id":   {[]string{event(`{"functionCall":{"name":"f","args":null}},{"functionCall":5},{"functionCall":{}}`, "")}, `[{"id":"toolu_1\"_0","input":{},"name":"f","type":"tool_use"},{"id":"toolu_1\"_1","input":{},"name":"","type":"tool_use"}]`, "tool_use"},
	"call, text":    {[]string{event(`{"functionCall":{"id":"a","name":"f","args":{}}},{"text":"done"}`, stop)}, `[{"id":"a","input":{},"name":"f","type":"tool_use"},{"text":"done","type":"text"}]`, "tool_use"},
	"cut":           {[]string{event(`{"text":"a"}`, `,"finishReason":"MAX_TOKENS"`)}, `[{"text":"a","type":"text"}]`, "max_tokens"},
	"cut in a call": {[]string{event(`{"functionCall":{"id":"a","name":"f","args":{}}}`, `,"finishReason":"MAX_TOKENS"`)}, `[{"id":"a","input":{},"name":"f","type":"tool_use"}]`, "max_tokens"},
	"refusal":       {[]string{event(`{"text":"a"}`, `,"finishReason":"SAFETY"`)}, `[{"text":"a","type":"text"}]`, "refusal"},
	"blocked":       {[]string{`{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"}}`}, `[]`, "refusal"},
	"other":         {[]string{event(``, `,"finishReason":"MALFORMED_FUNCTION_CALL"`)}, `[]`, "end_turn"},
	"code": {[]string{event(`{"text":"a"},{"executableCode":{"language":"PYTHON","code":"print(1)\n"}},{"codeExecutionResult":{"outcome":"OUTCOME_OK","output":"1\n"}}`, ""), event(`{"codeExecutionResult":{"outcome":"OUTCOME_FAILED","output":"no"}}`, stop)},
		"[{\"text\":\"a\\n```python\\nprint(1)\\n\\n```\\n\\n```output\\n1\\n\\n```\\n\\n```error\\nno\\n```\\n\",\"type\":\"text\"}]", "end_turn"},
	"picture":          {[]string{event(`{"text":"see "},{"inlineData":{"mimeType":"image/png","data":"AA"}},{"inlineData":{"mimeType":"image/png","data":"BB"},"thought":true}`, stop)}, `[{"text":"see ![image](data:image/png;base64,AA)","type":"text"}]`, "end_turn"},
	"file":             {[]string{event(`{"inlineData":{"mimeType":"audio/wav","data":"AA"}}`, stop)}, `[{"text":"[file](data:audio/wav;base64,AA)","type":"text"}]`, "end_turn"},
	"grounding":        {[]string{event(`{"text":"so"}`, ""), event(`{"text":"!"}`, stop+grounded)}, `[{"citations":[{"cited_text":"so","encrypted_index":"","title":"A","type":"web_search_result_location","url":"https://a"},{"cited_text":"so","encrypted_index":"","title":null,"type":"web_search_result_location","url":"https://b"}],"text":"so!","type":"text"}]`, "end_turn"},
	"late":             {[]string{event(`{"text":"so"}`, stop), `{"candidates":[{"groundingMetadata":{"groundingSupports":[]}}]}`, `{"usageMetadata":{}}`}, `[{"text":"so","type":"text"}]`, "end_turn"},
	"second candidate": {[]string{`{"candidates":[{"content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"text":"b"}]}}]}`}, `[{"text":"a","type":"text"}]`, "end_turn"},
	"odd":              {[]string{`{"candidates":[{"content":null},5],"usageMetadata":null,"promptFeedback":null}`, `{"candidates":{}}`, `{}`, event(`5,null,{},{"text":5},{"text":null},{"thought":1,"text":"a"},{"inlineData":5}`, `,"finishReason":5`)}, `[{"text":"a","type":"text"}]`, "end_turn"},
}

func TestStream(t *testing.T) {
	for name, c := range answers {
		t.Run(name, func(t *testing.T) {
			m := accumulate(t, stream(t, newEncoder(), c.events...))
			if got := encoded(m.Content); got != c.content && (got != "null" || c.content != "[]") || m.Stop != c.reason {
				t.Errorf("got  %s %v\nwant %s %s", got, m.Stop, c.content, c.reason)
			}
		})
	}
}

// The answer in one piece says what the stream says.
func TestWholeIsTheStream(t *testing.T) {
	for name, c := range answers {
		if len(c.events) > 1 && name != "grounding" {
			continue
		}
		events := c.events
		if name == "grounding" {
			events = []string{event(`{"text":"so"},{"text":"!"}`, stop+grounded)}
		}
		out, err := newEncoder().Whole([]byte("kept"), []byte(events[0]))
		var m accumulated
		if err != nil || json.Unmarshal(out[4:], &m) != nil || m.Type != "message" {
			t.Fatalf("%s: %v %s", name, err, out)
		}
		for _, b := range m.Content {
			if b["citations"] == nil {
				delete(b, "citations")
			}
		}
		if got := encoded(m.Content); got != c.content || m.Stop != c.reason {
			t.Errorf("%s:\ngot  %s %v\nwant %s %s", name, got, m.Stop, c.content, c.reason)
		}
	}
}

// The bytes themselves, once.
func TestBytes(t *testing.T) {
	got := stream(t, newEncoder(), `{"candidates":[{"content":{"parts":[{"text":"h","thought":true}]}}],`+usage+`}`, event(`{"text":"a"}`, ""), event(`{"functionCall":{"id":"i","name":"f","args":{"a":"\""}}}`, stop))
	ev := func(name, data string) string {
		return "event: " + name + "\ndata: {\"type\":\"" + name + "\"" + data + "}\n\n"
	}
	block := func(n int, inside string) string {
		return ev("content_block_start", `,"index":`+strconv.Itoa(n)+`,"content_block":`+inside)
	}
	delta := func(n int, inside string) string {
		return ev("content_block_delta", `,"index":`+strconv.Itoa(n)+`,"delta":`+inside)
	}
	end := func(n int) string { return ev("content_block_stop", `,"index":`+strconv.Itoa(n)) }
	want := ev("message_start", `,"message":`+headOut+`],"stop_reason":null,"stop_sequence":null,"usage":`+usageOut+`,"service_tier":"standard"}}`) +
		block(0, `{"type":"thinking","thinking":"","signature":""}`) + delta(0, `{"type":"thinking_delta","thinking":"h"}`) + delta(0, `{"type":"signature_delta","signature":"gcli2api"}`) + end(0) +
		block(1, `{"type":"text","text":""}`) + delta(1, `{"type":"text_delta","text":"a"}`) + end(1) +
		block(2, `{"type":"tool_use","id":"i","name":"f","input":{}}`) + delta(2, `{"type":"input_json_delta","partial_json":"{\"a\":\"\\\"\"}"}`) + end(2) +
		ev("message_delta", `,"delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":`+usageOut+`}`) + ev("message_stop", "")
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	out, err := newEncoder().Whole(nil, []byte(`{"candidates":[{"content":{"parts":[{"text":"h","thought":true},{"text":"a"}]},"finishReason":"STOP"}],`+usage+`}`))
	whole := headOut + `{"type":"thinking","thinking":"h","signature":"gcli2api"},{"type":"text","text":"a","citations":null}],"stop_reason":"end_turn","stop_sequence":null,"usage":` + usageOut + `,"service_tier":"standard"}}`
	if err != nil || string(out) != whole {
		t.Errorf("%v\ngot  %s\nwant %s", err, out, whole)
	}
}

func TestEnds(t *testing.T) {
	e := newEncoder()
	if out := string(e.Finish(nil)); !strings.Contains(out, zeroUsage) || accumulate(t, out).Stop != "end_turn" {
		t.Error(out)
	}
	if out := e.Finish(nil); len(out) != 0 {
		t.Errorf("a second end: %s", out)
	}

	e = newEncoder()
	out, err := e.Event(nil, []byte(event(`{"text":"a"}`, "")))
	if err != nil {
		t.Fatal(err)
	}
	if more, err := e.Event(nil, []byte(`{`+usage+`}`)); err != nil || len(more) != 0 {
		t.Errorf("usage alone: %v %s", err, more)
	}
	out = e.Error(out, apierror.New(apierror.StreamBroken, "gone"))
	if m := accumulate(t, string(out)); !m.failed {
		t.Errorf("%s", out)
	}
	if more := e.Finish(nil); len(more) != 0 {
		t.Errorf("behind an error: %s", more)
	}
	if more, err := e.Event(nil, []byte(event(`{"text":"a"}`, ""))); err != nil || len(more) != 0 {
		t.Errorf("behind an error: %v %s", err, more)
	}
}

func TestBroken(t *testing.T) {
	for _, data := range []string{``, `x`, `{"candidates":[{"content":{"parts":[{"text":"a"`, "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\nb\"}]}}]}",
		"{\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"a\rb\"}}]}}]}"} {
		out, err := newEncoder().Event([]byte("kept"), []byte(data))
		var e *apierror.Error
		if !errors.As(err, &e) || e.Code != apierror.StreamBroken || string(out) != "kept" {
			t.Errorf("%q: %v %s", data, err, out)
		}
		if out, err = newEncoder().Whole([]byte("kept"), []byte(data)); err == nil || string(out) != "kept" {
			t.Errorf("%q: %v %s", data, err, out)
		}
	}
	// Line ends between values are no harm.
	pretty := "{\n\"candidates\": [\r\n{\"content\": {\"parts\": [{\"functionCall\": {\"name\": \"f\", \"args\": {\n\"a\": 1}}}]}}]}"
	if m := accumulate(t, stream(t, newEncoder(), pretty)); len(m.Content) != 1 {
		t.Errorf("%+v", m)
	}
}

func TestErrors(t *testing.T) {
	for code, want := range map[apierror.Code]string{
		apierror.BadRequest: "invalid_request_error", apierror.ConfigInvalid: "invalid_request_error", apierror.MethodNotAllowed: "invalid_request_error",
		apierror.Conflict: "invalid_request_error", apierror.Unsupported: "invalid_request_error", apierror.Unauthorized: "authentication_error",
		apierror.Forbidden: "permission_error", apierror.ModelNotFound: "not_found_error", apierror.TooLarge: "request_too_large",
		apierror.RateLimited: "rate_limit_error", apierror.QuotaExhausted: "rate_limit_error", apierror.NoCredential: "overloaded_error",
		apierror.UpstreamUnavailable: "api_error", apierror.UpstreamTimeout: "timeout_error", apierror.Internal: "api_error", apierror.ClientGone: "api_error",
	} {
		f := apierror.New(code, "no \"tokens\"").Naming("p")
		body := `{"type":"error","error":{"type":"` + want + `","message":"no \"tokens\""}}`
		for _, e := range []wire.Encoder{newEncoder(), NewCountEncoder(), NewListEncoder(false)} {
			if got := string(e.Failure(nil, f)); got != body {
				t.Errorf("%s: %s", code, got)
			}
		}
		if got := string(newEncoder().Error(nil, f)); got != "event: error\ndata: "+body+"\n\n" {
			t.Errorf("%s: %s", code, got)
		}
	}
	if got := string(AppendError(nil, &apierror.Error{Status: 529})); !strings.Contains(got, "overloaded_error") {
		t.Error(got)
	}
}

func TestListAndCount(t *testing.T) {
	flash := `{"name":"models/gemini-2.5-flash","displayName":"Flash","inputTokenLimit":10,"outputTokenLimit":5}`
	flashOut := `{"type":"model","id":"gemini-2.5-flash","display_name":"Flash","created_at":"1970-01-01T00:00:00Z","lifecycle":"active","max_input_tokens":10,"max_tokens":5}`
	for _, c := range []struct {
		e        wire.Encoder
		in, want string
	}{
		{NewListEncoder(false), `{"models":[` + flash + `,{"name":"models/假流式/x"}]}`, `{"data":[` + flashOut + `,{"type":"model","id":"假流式/x","display_name":"假流式/x","created_at":"1970-01-01T00:00:00Z","lifecycle":"active"}],"has_more":false,"first_id":"gemini-2.5-flash","last_id":"假流式/x"}`},
		{NewListEncoder(false), `{}`, `{"data":[],"has_more":false,"first_id":null,"last_id":null}`},
		{NewListEncoder(true), flash, flashOut},
		{NewCountEncoder(), `{"totalTokens":31,"promptTokensDetails":[]}`, `{"input_tokens":31}`},
		{NewCountEncoder(), `{"totalTokens":"31"}`, `{"input_tokens":31}`},
		{NewCountEncoder(), `{}`, `{"input_tokens":0}`},
	} {
		for _, to := range []func([]byte, []byte) ([]byte, error){c.e.Whole, c.e.Event} {
			if out, err := to(nil, []byte(c.in)); err != nil || string(out) != c.want {
				t.Errorf("%v\ngot  %s\nwant %s", err, out, c.want)
			}
		}
		if out, err := c.e.Whole([]byte("kept"), []byte("[")); err == nil || string(out) != "kept" {
			t.Errorf("no JSON became %s", out)
		}
		if out := c.e.Finish([]byte("kept")); string(out) != "kept" || len(c.e.Beat().Open) == 0 {
			t.Errorf("no stream, and yet %s", out)
		}
		if out := string(c.e.Error(nil, apierror.New(apierror.Internal, "x"))); out != `{"type":"error","error":{"type":"api_error","message":"x"}}` {
			t.Error(out)
		}
	}
	if b := newEncoder().Beat(); !strings.HasPrefix(string(b.Open), "event: ping\n") || b.Joins {
		t.Errorf("%+v", b)
	}
}
