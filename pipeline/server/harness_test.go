package server_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/server"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
	"gcli2api/pipeline/wire/openai"
)

// list is a configuration with a fixed order and no settings.
type list []string

func (l list) Order() []string           { return l }
func (l list) Enabled(string) bool       { return true }
func (l list) Bool(string) bool          { return true }
func (l list) Section(string, any) error { return nil }
func (l list) SectionHash(string) uint64 { return 0 }
func (l list) Revision() string          { return fmt.Sprint([]string(l)) }

// step is a stage made of a function.
type step func(*pipeline.Exchange) pipeline.Verdict

func (s step) Process(x *pipeline.Exchange) pipeline.Verdict { return s(x) }

// desk is a running server whose call stage is the test's.
type desk struct {
	t      *testing.T
	server *server.Server
	engine *pipeline.Engine
	addr   string
	ended  chan pipeline.Outcome // of every exchange, as long as there is room
}

func (d *desk) url(path string) string { return "http://" + d.addr + path }

// open starts a server with the stages who (password "pwd" as Bearer), read, call and form.
func open(t *testing.T, o server.Options, call step) *desk {
	t.Helper()
	o.Log = slog.New(slog.DiscardHandler)
	return opened(t, o, nil, call)
}

// openLogged is open with a log of the test's.
func openLogged(t *testing.T, o server.Options, call step, log *slog.Logger) *desk {
	t.Helper()
	o.Log = log
	return opened(t, o, nil, call)
}

// openOn is open with a listener of the test's.
func openOn(t *testing.T, on func(net.Listener) net.Listener, call step) *desk {
	t.Helper()
	return opened(t, server.Options{Log: slog.New(slog.DiscardHandler)}, on, call)
}

func opened(t *testing.T, o server.Options, on func(net.Listener) net.Listener, call step) *desk {
	t.Helper()
	d := &desk{t: t, ended: make(chan pipeline.Outcome, 64)}
	kinds := []pipeline.Kind{
		kind("who", d.who, pipeline.HasCaller), kind("read", read, pipeline.HasFormat),
		kind("call", call, pipeline.HasReply), kind("form", form, pipeline.HasEncoder), d.tally(),
	}
	var err error
	if d.engine, err = pipeline.NewEngine(pipeline.Options{Kinds: kinds, Log: o.Log}); err != nil {
		t.Fatal(err)
	}
	if err = d.engine.Apply(list{"who", "read", "call", "form", "tally"}); err != nil {
		t.Fatal(err)
	}
	o.Engine = d.engine
	d.server = server.New(o)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d.addr = ln.Addr().String()
	if on != nil {
		ln = on(ln)
	}
	served := make(chan error, 1)
	go func() { served <- d.server.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		_ = d.server.Shutdown(ctx)
		if err := d.engine.Close(ctx); err != nil {
			t.Errorf("exchanges left over: %v", err)
		}
		if n := d.server.Active(); n != 0 {
			t.Errorf("%d exchanges still counted", n)
		}
		<-served
	})
	return d
}

func kind(name string, s step, gives pipeline.Fact) pipeline.Kind {
	return pipeline.Kind{Name: name, Gives: []pipeline.Fact{gives},
		Verbs: []pipeline.Verb{pipeline.Generate, pipeline.Streaming, pipeline.Count, pipeline.List, pipeline.Get},
		New:   pipeline.New("", func(string, *pipeline.Build) (pipeline.Stage, error) { return s, nil })}
}

// who lets the password in.
func (d *desk) who(x *pipeline.Exchange) pipeline.Verdict {
	if x.In.Header("Authorization") != "Bearer pwd" {
		return x.Fail(apierror.New(apierror.Unauthorized, "wrong password"))
	}
	return pipeline.Next
}

func read(x *pipeline.Exchange) pipeline.Verdict {
	if x.In.Method != "POST" {
		return pipeline.Next
	}
	if _, fail := x.Members(); fail != nil {
		return x.Fail(fail)
	}
	if x.In.Route.Format == wire.OpenAI {
		x.WantsStream, _ = wire.Bool(x.Member("stream"))
	}
	return pipeline.Next
}

func form(x *pipeline.Exchange) pipeline.Verdict {
	if x.Answer == wire.OpenAI {
		x.Encoder = openai.NewEncoder(openai.EncoderOptions{ID: "t", Model: "m", Created: 1})
	} else {
		x.Encoder = gemini.NewEncoder(x.WantsStream, x.In.Route.Array)
	}
	if x.Note(buggy{}) != nil {
		x.Encoder = buggy{x.Encoder}
	}
	return pipeline.Next
}

// buggy is an encoder with a bug; a call stage asks for it by a note of that type.
type buggy struct{ wire.Encoder }

func (buggy) Event([]byte, []byte) ([]byte, error) { panic("bug in Event") }
func (buggy) Whole([]byte, []byte) ([]byte, error) { panic("bug in Whole") }

const hello = `{"candidates":[{"content":{"role":"model","parts":[{"text":"hello"}]},"finishReason":"STOP"}]}`

func whole(x *pipeline.Exchange) pipeline.Verdict {
	x.Reply = pipeline.Reply{Body: []byte(hello)}
	return pipeline.Next
}

// feed is a stream that the test fills; it ends when the exchange's context does.
type feed struct {
	ctx    context.Context
	events chan string
	closed chan struct{}
}

func newFeed(x *pipeline.Exchange) *feed {
	return &feed{ctx: x.Context(), events: make(chan string), closed: make(chan struct{})}
}

func (f *feed) Next() (wire.Event, error) {
	select {
	case s, ok := <-f.events:
		if !ok {
			return wire.Event{}, io.EOF
		}
		if strings.HasPrefix(s, "!") {
			return wire.Event{}, apierror.New(apierror.UpstreamUnavailable, s[1:])
		}
		return wire.Event{Data: []byte(s)}, nil
	case <-f.ctx.Done():
		return wire.Event{}, apierror.Wrap(apierror.ClientGone, "cancelled", context.Cause(f.ctx))
	}
}

func (f *feed) Close() error {
	select {
	case <-f.closed:
	default:
		close(f.closed)
	}
	return nil
}

// text is one event with some text.
func text(s string) string {
	return `{"candidates":[{"content":{"role":"model","parts":[{"text":"` + s + `"}]}}]}`
}

const finish = `{"candidates":[{"content":{"role":"model","parts":[{"text":""}]},"finishReason":"STOP"}]}`

func (d *desk) post(path, body string, change ...func(*http.Request)) *http.Response {
	d.t.Helper()
	req, err := http.NewRequest("POST", d.url(path), strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer pwd")
	for _, f := range change {
		f(req)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func content(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
