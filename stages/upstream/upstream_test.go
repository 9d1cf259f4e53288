package upstream

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/outbound"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
	"gcli2api/stages/upstream/codeassist"
	"gcli2api/stages/upstream/geminiapi"
)

// lease writes down what is reported to it.
type lease struct {
	kind    string
	reports []*apierror.Error
}

func (l *lease) ID() string      { return "c" }
func (l *lease) Kind() string    { return l.kind }
func (l *lease) Token() string   { return "token" }
func (l *lease) Project() string { return "project" }
func (l *lease) Proxy() string   { return "" }
func (l *lease) Release()        {}
func (l *lease) Report(f *apierror.Error) pipeline.Advice {
	l.reports = append(l.reports, f)
	return pipeline.Advice{Again: pipeline.Other}
}

type address string

func (a address) CodeAssist() string      { return string(a) }
func (a address) Gemini() string          { return string(a) }
func (a address) UserAgent(string) string { return "agent" }

// rig is a server that answers as the test wants, and the stage that calls it over a real socket.
type rig struct {
	*httptest.Server
	client *outbound.Client
	stage  *stage
	short  bool         // the time after the end of an answer is cut to a thousandth
	open   atomic.Int64 // bodies handed out and not closed
}

func newRig(t *testing.T, answer http.HandlerFunc) *rig {
	t.Helper()
	client, err := outbound.New(outbound.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{Server: httptest.NewServer(answer), client: client}
	at := address(r.URL)
	r.stage = &stage{clients: Clients{Caller: func() outbound.Caller { return r },
		Dialects: map[string]Dialect{"codeassist": codeassist.New(at), "gemini": geminiapi.New(at)}}}
	t.Cleanup(func() {
		_ = client.Close()
		r.CloseClientConnections()
		r.Close()
		if n := r.open.Load(); n != 0 {
			t.Errorf("%d bodies of answers were not closed", n)
		}
	})
	return r
}

// Do counts the bodies that go out.
func (r *rig) Do(ctx context.Context, req *outbound.Request) (*outbound.Response, error) {
	resp, err := r.client.Do(ctx, req)
	if err == nil {
		r.open.Add(1)
		resp.Body = &counted{Body: resp.Body, open: &r.open, short: r.short}
	}
	return resp, err
}

type counted struct {
	outbound.Body
	open   *atomic.Int64
	short  bool
	closed bool
}

func (c *counted) Hurry(d time.Duration) {
	if c.short {
		d /= 1000
	}
	c.Body.Hurry(d)
}

func (c *counted) Close() error {
	if !c.closed {
		c.closed = true
		c.open.Add(-1)
	}
	return c.Body.Close()
}

func exchange(t *testing.T, ctx context.Context, kind string, verb pipeline.Verb) *pipeline.Exchange {
	t.Helper()
	x := pipeline.NewExchange(ctx, pipeline.Request{ID: "t", Route: pipeline.Route{Format: wire.Gemini, Verb: verb}})
	x.Model = models.Model{Asked: "m", Base: "m"}
	var fail *apierror.Error
	if x.Call, fail = gemini.NewCall([]byte(`{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`)); fail != nil {
		t.Fatal(fail)
	}
	x.Lease = &lease{kind: kind}
	return x
}

// finish does what the engine does at the end, and holds the stage to one report a call.
func finish(t *testing.T, s *stage, x *pipeline.Exchange) {
	t.Helper()
	if x.Reply.Stream != nil {
		_ = x.Reply.Stream.Close()
		_ = x.Reply.Stream.Close() // the second call does nothing
	}
	c, held := x.Note(callKey{}).(*call)
	s.End(x)
	if x.Note(callKey{}) != nil || held && c.buf.B != nil {
		t.Error("the buffer was not given back")
	}
	l := x.Lease.(*lease)
	if len(l.reports) != len(x.Attempts) {
		t.Errorf("%d calls, %d reports", len(x.Attempts), len(l.reports))
	}
	for i, a := range x.Attempts {
		if !a.Done || a.Credential != "c" || a.Kind != l.kind || a.Model != "m" {
			t.Errorf("attempt %d: %+v", i, a)
		}
	}
}

const (
	text    = `{"candidates":[{"content":{"parts":[{"text":"hi"}]}}]}`
	thought = `{"candidates":[{"content":{"parts":[{"text":"hm","thought":true}]}}]}`
	stop    = `{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"totalTokenCount":3}}`
	answer  = `{"candidates":[{"content":{"parts":[{"text":"hi"}]},"finishReason":"STOP"}]}`
	count   = `{"usageMetadata":{"totalTokenCount":4}}`
	blocked = `{"promptFeedback":{"blockReason":"SAFETY"}}`
	refused = `{"error":{"code":429,"message":"Quota exceeded.","status":"RESOURCE_EXHAUSTED"}}`
)

// event is hub data as Code Assist sends it.
func event(hub string) string { return `data: {"response":` + hub + `,"traceId":"x"}` + "\r\n\r\n" }

func plainEvent(hub string) string { return "data: " + hub + "\n\n" }

// ending is how a call ended: what was passed, and the error or "".
type ending struct {
	passed []string
	code   apierror.Code
	http   int  // what Google said
	google bool // the error is Google's
}

func (e ending) check(t *testing.T, passed []string, f *apierror.Error, l *lease) {
	t.Helper()
	if fmt.Sprint(passed) != fmt.Sprint(e.passed) {
		t.Errorf("passed %q\nwant   %q", passed, e.passed)
	}
	last := l.reports[len(l.reports)-1]
	if e.code == "" {
		if f != nil || last != nil {
			t.Errorf("ended with %v, reported %v", f, last)
		}
		return
	}
	if f == nil || f.Code != e.code || f.Upstream != e.google {
		t.Fatalf("ended with %+v, want %s", f, e.code)
	}
	if last != f {
		t.Errorf("reported %v, ended with %v", last, f)
	}
	if e.http != 0 && (f.Said == nil || f.Said.HTTP != e.http) {
		t.Errorf("Google said %+v, want HTTP %d", f.Said, e.http)
	}
}

func TestStream(t *testing.T) {
	for _, c := range []struct {
		name string
		kind string
		body string
		want ending
	}{
		{"whole", "codeassist", event(text) + event(text) + event(stop), ending{passed: []string{text, text, stop}}},
		{"whole, of the other kind", "gemini", plainEvent(text) + plainEvent(stop), ending{passed: []string{text, stop}}},
		{"a count behind the end", "codeassist", event(text) + event(stop) + event(count), ending{passed: []string{text, stop, count}}},
		{"an unfinished last line", "gemini", plainEvent(text) + "data: " + stop, ending{passed: []string{text, stop}}},
		{"data in several lines, comments", "gemini", ": hello\ndata: {\ndata: " + text[1:] + "\n\n" + plainEvent(stop), ending{passed: []string{"{\n" + text[1:], stop}}},
		{"events with nothing in them", "codeassist", `data: {"traceId":"x"}` + "\n\n" + event(text) + event("{}") + plainEvent("{}") + `data: {"response":null}` + "\n\n" + event(stop), ending{passed: []string{text, stop}}},
		{"an empty event of the other kind", "gemini", plainEvent("{}") + plainEvent(answer), ending{passed: []string{answer}}},
		{"a refused prompt", "codeassist", event(blocked), ending{passed: []string{blocked}}},
		{"cut by tokens before a word", "gemini", plainEvent(`{"candidates":[{"finishReason":"MAX_TOKENS"}]}`), ending{passed: []string{`{"candidates":[{"finishReason":"MAX_TOKENS"}]}`}}},

		{"garbage", "codeassist", event(text) + "data: oops\n\n" + event(stop), ending{[]string{text}, apierror.UpstreamUnavailable, 200, true}},
		{"garbage that begins well", "codeassist", event(text) + `data: {"response": {"candidates": [oops` + "\n\n", ending{[]string{text}, apierror.UpstreamUnavailable, 200, true}},
		{"garbage of the other kind", "gemini", plainEvent(text) + `data: {"candidates": [{"content"` + "\n\n", ending{[]string{text}, apierror.UpstreamUnavailable, 200, true}},
		{"a page", "gemini", "<html>\n<body>busy</body>\n", ending{nil, apierror.StreamBroken, 200, true}},
		{"an error", "codeassist", event(text) + "data: " + refused + "\n\n", ending{[]string{text}, apierror.RateLimited, 429, true}},
		{"an error before anything", "gemini", plainEvent(refused), ending{nil, apierror.RateLimited, 429, true}},
		{"an error behind another member", "codeassist", event(text) + `data: {"traceId":"x","error":{"code":503,"message":"m"}}` + "\n\n", ending{[]string{text}, apierror.UpstreamUnavailable, 503, true}},
		{"an error behind another member, of the other kind", "gemini", `data: {"responseId":"x","error":{"status":"PERMISSION_DENIED"}}` + "\n\n", ending{nil, apierror.NoCredential, 403, true}},
		{"an error as a line of its own", "gemini", plainEvent(text) + refused + "\r\n", ending{[]string{text}, apierror.RateLimited, 429, true}},
		{"an error as a list", "codeassist", event(text) + "[" + refused + "]\r\n", ending{[]string{text}, apierror.RateLimited, 429, true}},
		{"an error as a list over many lines", "codeassist", "[{\n  \"error\": {\n    \"code\": 401\n  }\n}\n]\n", ending{nil, apierror.NoCredential, 401, true}},
		{"a list that is no error", "gemini", "data: [1,2]\n\n", ending{nil, apierror.UpstreamUnavailable, 200, true}},
		{"error as a word in an answer", "gemini", plainEvent(`{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"error":{"code":400}}}}]},"finishReason":"STOP"}]}`),
			ending{passed: []string{`{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"error":{"code":400}}}}]},"finishReason":"STOP"}]}`}}},
		{"no end", "codeassist", event(text), ending{[]string{text}, apierror.StreamBroken, 200, true}},
		{"no end, but an argument called like one", "gemini", plainEvent(`{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"finishReason":"x"}}}]}}]}`),
			ending{[]string{`{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"finishReason":"x"}}}]}}]}`}, apierror.StreamBroken, 200, true}},
		{"nothing at all", "codeassist", "", ending{nil, apierror.StreamBroken, 200, true}},
		{"an end without a word", "codeassist", event(count) + event(stop), ending{[]string{count}, apierror.EmptyAnswer, 200, true}},
		{"an end after thoughts", "codeassist", event(thought) + event(stop), ending{[]string{thought}, apierror.EmptyAnswer, 200, true}},
		{"a call that cannot be read", "gemini", plainEvent(`{"candidates":[{"finishReason":"MALFORMED_FUNCTION_CALL"}]}`), ending{nil, apierror.EmptyAnswer, 200, true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, func(w http.ResponseWriter, q *http.Request) {
				if !strings.HasSuffix(q.URL.Path, ":streamGenerateContent") || q.URL.RawQuery != "alt=sse" {
					t.Errorf("called %s", q.URL)
				}
				w.Header().Set("Content-Type", "text/event-stream")
				_, _ = io.WriteString(w, c.body)
			})
			x := exchange(t, context.Background(), c.kind, pipeline.Streaming)
			x.WantsStream = true
			if v := r.stage.Process(x); v != pipeline.Next || x.Reply.Stream == nil {
				t.Fatalf("verdict %v, reply %+v", v, x.Reply)
			}
			passed, err := pull(x.Reply.Stream)
			var f *apierror.Error
			if err != io.EOF {
				f = apierror.From(err)
			}
			c.want.check(t, passed, f, x.Lease.(*lease))
			if _, again := x.Reply.Stream.Next(); again != err {
				t.Errorf("after the end: %v", again)
			}
			finish(t, r.stage, x)
		})
	}
}

func pull(s wire.Stream) (passed []string, err error) {
	for {
		ev, err := s.Next()
		if err != nil {
			return passed, err
		}
		passed = append(passed, string(ev.Data))
	}
}

func TestWhole(t *testing.T) {
	const page = `<html><body>Sorry</body></html>`
	for _, c := range []struct {
		name   string
		kind   string
		verb   pipeline.Verb
		status int
		body   string
		want   ending
	}{
		{"answer", "codeassist", pipeline.Generate, 200, `{"response":` + answer + `,"traceId":"x"}`, ending{passed: []string{answer}}},
		{"answer of the other kind", "gemini", pipeline.Generate, 200, answer + "\n", ending{passed: []string{answer}}},
		{"space around it", "codeassist", pipeline.Generate, 200, "\r\n {\"response\": " + answer + " } \r\n", ending{passed: []string{answer}}},
		{"a refused prompt", "gemini", pipeline.Generate, 200, blocked, ending{passed: []string{blocked}}},
		{"count", "codeassist", pipeline.Count, 200, `{"totalTokens":3}`, ending{passed: []string{`{"totalTokens":3}`}}},
		{"count in an envelope", "codeassist", pipeline.Count, 200, `{"response":{"totalTokens":3}}`, ending{passed: []string{`{"totalTokens":3}`}}},
		{"count of nothing", "codeassist", pipeline.Count, 200, "{}\n", ending{passed: []string{`{}`}}},
		{"count of the other kind", "gemini", pipeline.Count, 200, `{"totalTokens":3}`, ending{passed: []string{`{"totalTokens":3}`}}},

		{"embeddings", "gemini", pipeline.Embed, 200, `{"embeddings":[{"values":[1]}]}` + "\n", ending{passed: []string{`{"embeddings":[{"values":[1]}]}`}}},
		{"an error in a 200 for embeddings", "gemini", pipeline.Embed, 200, refused, ending{nil, apierror.RateLimited, 429, true}},
		{"garbage for embeddings", "gemini", pipeline.Embed, 200, `{"embeddings":[{"values":[`, ending{nil, apierror.UpstreamUnavailable, 200, true}},

		{"an answer without a word", "codeassist", pipeline.Generate, 200, `{"response":` + stop + `}`, ending{nil, apierror.EmptyAnswer, 200, true}},
		{"an answer with nothing in it", "gemini", pipeline.Generate, 200, `{}`, ending{nil, apierror.EmptyAnswer, 200, true}},
		{"an envelope with nothing in it", "codeassist", pipeline.Generate, 200, `{"traceId":"x"}`, ending{nil, apierror.UpstreamUnavailable, 200, true}},
		{"an error in a 200", "codeassist", pipeline.Generate, 200, refused, ending{nil, apierror.RateLimited, 429, true}},
		{"an error in a 200, as a list", "codeassist", pipeline.Generate, 200, `[` + refused + `]`, ending{nil, apierror.RateLimited, 429, true}},
		{"an error in a 200, beside an answer", "gemini", pipeline.Generate, 200, strings.TrimSuffix(answer, "}") + "," + refused[1:], ending{nil, apierror.RateLimited, 429, true}},
		{"an error in a 200 that is none", "codeassist", pipeline.Generate, 200, `{"error":null,"response":` + answer + `}`, ending{passed: []string{answer}}},
		{"an error in a 200, of the other kind", "gemini", pipeline.Count, 200, refused, ending{nil, apierror.RateLimited, 429, true}},
		{"garbage", "gemini", pipeline.Generate, 200, `{"candidates": [{"content": {"parts" oops`, ending{nil, apierror.UpstreamUnavailable, 200, true}},
		{"a page", "codeassist", pipeline.Generate, 200, page, ending{nil, apierror.UpstreamUnavailable, 200, true}},
		{"no body", "codeassist", pipeline.Generate, 200, "", ending{nil, apierror.UpstreamUnavailable, 200, true}},

		{"400", "gemini", pipeline.Generate, 400, `{"error":{"code":400,"message":"bad","status":"INVALID_ARGUMENT"}}`, ending{nil, apierror.BadRequest, 400, true}},
		{"401", "codeassist", pipeline.Generate, 401, `{"error":{"code":401}}`, ending{nil, apierror.NoCredential, 401, true}},
		{"429 as a list", "codeassist", pipeline.Generate, 429, `[` + refused + `]`, ending{nil, apierror.RateLimited, 429, true}},
		{"502 as a page", "gemini", pipeline.Generate, 502, page, ending{nil, apierror.UpstreamUnavailable, 502, true}},
		{"503 without a body", "gemini", pipeline.Generate, 503, "", ending{nil, apierror.UpstreamUnavailable, 503, true}},
		{"204", "gemini", pipeline.Count, 204, "", ending{nil, apierror.UpstreamUnavailable, 0, true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			})
			x := exchange(t, context.Background(), c.kind, c.verb)
			v := r.stage.Process(x)
			if (v == pipeline.Next) != (c.want.code == "") || x.Reply.Stream != nil {
				t.Fatalf("verdict %v, reply %+v", v, x.Reply)
			}
			var passed []string
			if x.Reply.Body != nil {
				passed = []string{string(x.Reply.Body)}
			}
			c.want.check(t, passed, x.Reply.Err, x.Lease.(*lease))
			if c.status >= 400 && x.Attempts[0].Status != c.status {
				t.Errorf("attempt %+v", x.Attempts[0])
			}
			finish(t, r.stage, x)
		})
	}
}

// Embeddings come in one piece whatever the client asks, and never from Code Assist.
func TestEmbeddings(t *testing.T) {
	r := newRig(t, func(w http.ResponseWriter, req *http.Request) {
		_, _ = io.WriteString(w, `{"embedding":{"values":[1]},"path":"`+req.URL.Path+`"}`)
	})
	x := exchange(t, context.Background(), "gemini", pipeline.Embed)
	x.WantsStream = true
	if v := r.stage.Process(x); v != pipeline.Next || x.Reply.Stream != nil || string(x.Reply.Body) != `{"embedding":{"values":[1]},"path":"/v1beta/models/m:embedContent"}` {
		t.Errorf("%v %s", v, x.Reply.Body)
	}
	finish(t, r.stage, x)
	x = exchange(t, context.Background(), "codeassist", pipeline.Embed)
	if v := r.stage.Process(x); v == pipeline.Next || x.Reply.Err == nil || x.Reply.Err.Status != 501 || len(x.Attempts) != 0 {
		t.Errorf("%v %+v", v, x.Reply)
	}
	finish(t, r.stage, x)
}

func TestRetryAfterOfGoogle(t *testing.T) {
	r := newRig(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(429)
	})
	x := exchange(t, context.Background(), "gemini", pipeline.Generate)
	r.stage.Process(x)
	if f := x.Reply.Err; f.RetryAfter != 7*time.Second || f.Said.Delay != 7*time.Second {
		t.Errorf("%+v, said %+v", f, f.Said)
	}
	finish(t, r.stage, x)
}
