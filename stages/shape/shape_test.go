package shape

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/wire"
)

// stream gives its events, then its error.
type stream struct {
	events []string
	err    error
	closed int
}

func (s *stream) Next() (wire.Event, error) {
	if len(s.events) == 0 {
		return wire.Event{}, s.err
	}
	e := s.events[0]
	s.events = s.events[1:]
	return wire.Event{Data: []byte(e)}, nil
}

func (s *stream) Close() error { s.closed++; return nil }

func exchange(route pipeline.Route, body string) *pipeline.Exchange {
	x := pipeline.NewExchange(context.Background(), pipeline.Request{ID: "42", Route: route, Client: pipeline.Fixed{Data: []byte(body)}})
	x.Model = models.Model{Asked: "假流式/m", Base: "m"}
	return x
}

var (
	openaiRoute = pipeline.Route{Format: wire.OpenAI}
	geminiRoute = pipeline.Route{Format: wire.Gemini}
	streamRoute = pipeline.Route{Format: wire.Gemini, Verb: pipeline.Streaming}
	arrayRoute  = pipeline.Route{Format: wire.Gemini, Verb: pipeline.Streaming, Array: true}

	usual = &stage{Settings{Grace: 10 * time.Second, Heartbeat: 15 * time.Second}, nil, slog.New(slog.DiscardHandler)}
)

const (
	text    = `{"candidates":[{"content":{"parts":[{"text":"hi"}]}}]}`
	thought = `{"candidates":[{"content":{"parts":[{"text":"hm","thought":true}]}}]}`
	stop    = `{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":2}}`
	count   = `{"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":1}}`
	blocked = `{"promptFeedback":{"blockReason":"SAFETY"}}`
)

func finish(reason string) string { return `{"candidates":[{"finishReason":"` + reason + `"}]}` }

// A stream keeps its promise, or ends with an error that the client hears of.
func TestPromise(t *testing.T) {
	cut := apierror.New(apierror.UpstreamTimeout, "the upstream fell silent")
	for _, c := range []struct {
		name   string
		events []string
		err    error
		code   apierror.Code // "" is a proper end
		passed int           // events before it
	}{
		{"whole", []string{text, text, stop}, io.EOF, "", 3},
		{"whole, the count behind the end", []string{text, stop, count}, io.EOF, "", 3},
		{"the end and a text in one", []string{`{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}]}`}, io.EOF, "", 1},
		{"no end", []string{text}, io.EOF, apierror.StreamBroken, 1},
		{"no end after a thought", []string{thought}, io.EOF, apierror.StreamBroken, 1},
		{"nothing at all", nil, io.EOF, apierror.StreamBroken, 0},
		{"broken", []string{text}, cut, apierror.UpstreamTimeout, 1},
		{"broken behind the end", []string{text, stop}, cut, apierror.UpstreamTimeout, 2},
		{"thoughts alone", []string{thought, stop}, io.EOF, apierror.EmptyAnswer, 1},
		{"an end alone", []string{stop}, io.EOF, apierror.EmptyAnswer, 0},
		{"cut by tokens before a word", []string{finish("MAX_TOKENS")}, io.EOF, "", 1},
		{"stopped for safety before a word", []string{finish("SAFETY"), count}, io.EOF, "", 2},
		{"a refused prompt", []string{blocked}, io.EOF, "", 1},
		{"a call that cannot be read", []string{finish("MALFORMED_FUNCTION_CALL")}, io.EOF, apierror.EmptyAnswer, 0},
		{"a call that cannot be read, after words", []string{text, finish("MALFORMED_FUNCTION_CALL")}, io.EOF, apierror.EmptyAnswer, 1},
		{"a tool that nobody declared, after words", []string{text, finish("UNEXPECTED_TOOL_CALL")}, io.EOF, apierror.EmptyAnswer, 1},
		{"a member of a call that is called like an end", []string{`{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"finishReason":"STOP"}}}]}}]}`}, io.EOF, apierror.StreamBroken, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := exchange(streamRoute, "")
			inner := &stream{events: c.events, err: c.err}
			x.Reply.Stream = inner
			if v := usual.Process(x); v != pipeline.Next {
				t.Fatalf("verdict %v", v)
			}
			passed, err := pull(x.Reply.Stream)
			if passed != c.passed {
				t.Errorf("%d events passed, want %d", passed, c.passed)
			}
			if c.code == "" && err != io.EOF {
				t.Errorf("the end: %v", err)
			}
			if c.code != "" && apierror.From(err).Code != c.code {
				t.Errorf("the end: %v, want %s", err, c.code)
			}
			if _, again := x.Reply.Stream.Next(); again != err {
				t.Errorf("after the end: %v", again)
			}
		})
	}
}

func pull(s wire.Stream) (n int, err error) {
	for {
		if _, err = s.Next(); err != nil {
			return n, err
		}
		n++
	}
}

// Once the model has finished, a heartbeat would open an event that never comes.
func TestNoHeartbeatBehindTheEnd(t *testing.T) {
	x := exchange(streamRoute, "")
	usual.Start(x)
	if x.Grace() != 10*time.Second || x.Beat() != 15*time.Second {
		t.Fatalf("grace %v, beat %v", x.Grace(), x.Beat())
	}
	refused := exchange(streamRoute, "")
	usual.Start(refused)
	refused.Reply.Stream = &stream{events: []string{blocked}, err: io.EOF}
	usual.Process(refused)
	if _, _ = refused.Reply.Stream.Next(); refused.Beat() != 0 {
		t.Errorf("after a refused prompt: beat %v", refused.Beat())
	}
	x.Reply.Stream = &stream{events: []string{text, stop}, err: io.EOF}
	usual.Process(x)
	_, _ = x.Reply.Stream.Next()
	if x.Beat() != 15*time.Second {
		t.Errorf("after a word: beat %v", x.Beat())
	}
	_, _ = x.Reply.Stream.Next()
	if x.Beat() != 0 || x.Grace() != 10*time.Second {
		t.Errorf("after the end: grace %v, beat %v", x.Grace(), x.Beat())
	}
}

func TestGather(t *testing.T) {
	for _, c := range []struct {
		name   string
		events []string
		err    error
		body   string
		code   apierror.Code
	}{
		{"whole", []string{text, text, stop, count}, io.EOF,
			`{"candidates":[{"content":{"parts":[{"text":"hihi"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":1}}`, ""},
		{"no end", []string{text}, io.EOF, "", apierror.StreamBroken},
		{"nothing", []string{stop}, io.EOF, "", apierror.EmptyAnswer},
		{"broken", []string{text}, apierror.New(apierror.UpstreamUnavailable, "gone"), "", apierror.UpstreamUnavailable},
		{"an event that is no JSON", []string{text, `{"a":oops}`}, io.EOF, "", apierror.StreamBroken},
		{"an error of no known kind", []string{text}, io.ErrUnexpectedEOF, "", apierror.Internal},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := exchange(openaiRoute, `{}`)
			inner := &stream{events: c.events, err: c.err}
			x.Reply.Stream = inner
			v := usual.Process(x)
			if inner.closed == 0 {
				t.Error("the stream was not closed")
			}
			if c.code != "" {
				if v != pipeline.Respond || x.Reply.Err == nil || x.Reply.Err.Code != c.code || x.Reply.Stream != nil || x.Reply.Body != nil {
					t.Errorf("verdict %v, reply %+v", v, x.Reply)
				}
				return
			}
			if v != pipeline.Next || string(x.Reply.Body) != c.body || x.Reply.Stream != nil {
				t.Errorf("verdict %v, %v\ngot  %s\nwant %s", v, x.Reply.Err, x.Reply.Body, c.body)
			}
		})
	}
}

// The encoder is that of what the client wants to hear, not of what it wrote.
func TestEncoders(t *testing.T) {
	whole := `{"candidates":[{"content":{"parts":[{"text":"hi"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":2,"candidatesTokenCount":1,"totalTokenCount":3}}`
	listing := `{"models":[{"name":"models/a"}]}`
	for _, c := range []struct {
		name   string
		route  pipeline.Route
		asked  wire.Format
		stream bool
		in     string
		want   string // what the whole answer, or the event, begins with
	}{
		{"OpenAI", openaiRoute, wire.OpenAI, false, whole, `{"id":"chatcmpl-42","object":"chat.completion",`},
		{"OpenAI to a Gemini body", openaiRoute, wire.Gemini, false, whole, `{"id":"chatcmpl-42","object":"chat.completion",`},
		{"OpenAI stream", openaiRoute, wire.OpenAI, true, text, `data: {"id":"chatcmpl-42","object":"chat.completion.chunk",`},
		{"Gemini", geminiRoute, wire.Gemini, false, whole, whole},
		{"Gemini to an OpenAI body", geminiRoute, wire.OpenAI, false, whole, whole},
		{"Gemini stream", streamRoute, wire.Gemini, true, text, "data: " + text + "\r\n\r\n"},
		{"Gemini array", arrayRoute, wire.Gemini, true, text, "[" + text},
		{"Gemini listing", pipeline.Route{Format: wire.Gemini, Verb: pipeline.List}, wire.Gemini, false, listing, listing},
		{"Gemini count", pipeline.Route{Format: wire.Gemini, Verb: pipeline.Count}, wire.Gemini, false, `{"totalTokens":3}`, `{"totalTokens":3}`},
		{"OpenAI listing", pipeline.Route{Format: wire.OpenAI, Verb: pipeline.List}, wire.OpenAI, false, listing, `{"object":"list","data":[{"id":"a","object":"model","created":1700000000,`},
		{"OpenAI model", pipeline.Route{Format: wire.OpenAI, Verb: pipeline.Get}, wire.OpenAI, false, `{"name":"models/a"}`, `{"id":"a","object":"model","created":1700000000,`},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := exchange(c.route, `{}`)
			x.Asked, x.WantsStream = c.asked, c.stream
			x.Reply.Body = []byte(c.in)
			if v := usual.Process(x); v != pipeline.Next || string(x.Reply.Body) != c.in {
				t.Fatalf("verdict %v, body %s", v, x.Reply.Body)
			}
			turn := x.Encoder.Whole
			if c.stream {
				turn = x.Encoder.Event
			}
			got, err := turn(nil, []byte(c.in))
			if err != nil || !strings.HasPrefix(string(got), c.want) {
				t.Errorf("%v\ngot  %s\nwant %s", err, got, c.want)
			}
		})
	}
}

func TestModelAndUsageAsAsked(t *testing.T) {
	for body, want := range map[string]bool{`{"stream_options":{"include_usage":true}}`: true, `{"stream_options":{"include_usage":false}}`: false, `{"stream_options":null}`: false, `{}`: false} {
		x := exchange(openaiRoute, body)
		x.WantsStream = true
		x.Reply.Stream = &stream{}
		usual.Process(x)
		out, err := x.Encoder.Event(nil, []byte(text))
		if err != nil || !strings.Contains(string(out), `"model":"假流式/m"`) {
			t.Errorf("%v: %s", err, out)
		}
		_, _ = x.Encoder.Event(nil, []byte(stop))
		if end := string(x.Encoder.Finish(nil)); strings.Contains(end, `"prompt_tokens":2`) != want || !strings.Contains(end, "[DONE]") {
			t.Errorf("%s: the end is %s", body, end)
		}
	}
}

// unread is a client whose body nobody may read.
type unread struct {
	pipeline.Fixed
	t *testing.T
}

func (u unread) Body() ([]byte, *apierror.Error) {
	u.t.Error("the body was read")
	return nil, nil
}

// A refused caller hears why in the form of the route, and its body stays where it is.
func TestErrorsHaveTheClientsForm(t *testing.T) {
	for _, route := range []pipeline.Route{openaiRoute, geminiRoute, streamRoute, arrayRoute, {Format: wire.OpenAI, Verb: pipeline.List}, {Format: wire.Gemini, Verb: pipeline.Get}} {
		x := pipeline.NewExchange(context.Background(), pipeline.Request{Route: route, Client: unread{t: t}})
		fail := apierror.New(apierror.Unauthorized, "no")
		x.Reply.Err = fail
		if v := usual.Process(x); v != pipeline.Next || x.Reply.Err != fail {
			t.Errorf("%v: verdict %v, reply %v", route, v, x.Reply.Err)
		}
		var got struct {
			Error struct{ Type, Status string }
		}
		if err := json.Unmarshal(x.Encoder.Failure(nil, fail), &got); err != nil {
			t.Error(err)
		}
		if route.Format == wire.OpenAI && got.Error.Type != "authentication_error" || route.Format == wire.Gemini && got.Error.Status != "UNAUTHENTICATED" {
			t.Errorf("%v: %+v", route, got)
		}
	}
}
