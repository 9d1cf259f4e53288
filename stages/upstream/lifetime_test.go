package upstream

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/outbound"
	"gcli2api/pipeline/simulator"
	"gcli2api/stages/upstream/codeassist"
	"gcli2api/stages/upstream/geminiapi"
)

// A client that leaves ends the call wherever it is, and no credential is blamed.
func TestClientGone(t *testing.T) {
	for _, c := range []struct {
		name   string
		stream bool
		first  string // what the server sends before it falls silent; "" is not even a header
	}{
		{"before the header, whole", false, ""},
		{"before the header, stream", true, ""},
		{"inside a whole answer", false, `{"response":{"candidates":`},
		{"inside a stream, before an event", true, ": hello\n\n"},
		{"inside a stream, after an event", true, event(text)},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked, left := make(chan struct{}), make(chan struct{})
			r := newRig(t, func(w http.ResponseWriter, q *http.Request) {
				defer close(left)
				_, _ = io.Copy(io.Discard, q.Body)
				if c.first != "" {
					_, _ = io.WriteString(w, c.first)
					_ = http.NewResponseController(w).Flush()
				}
				close(asked)
				<-q.Context().Done() // the gateway has hung up
			})
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			x := exchange(t, ctx, "codeassist", pipeline.Streaming)
			x.WantsStream = c.stream
			go func() { <-asked; cancel() }()
			r.stage.Process(x)
			f := x.Reply.Err
			if s := x.Reply.Stream; s != nil {
				_, err := pull(s)
				f = apierror.From(err)
			}
			if f == nil || f.Code != apierror.ClientGone || f.Upstream {
				t.Errorf("ended with %+v", f)
			}
			finish(t, r.stage, x)
			if last := x.Lease.(*lease).reports[0]; last == nil || last.Code != apierror.ClientGone {
				t.Errorf("reported %v", last)
			}
			select {
			case <-left:
			case <-time.After(5 * time.Second):
				t.Error("the call to Google goes on")
			}
		})
	}
}

// A stream that nobody reads to its end: nobody is to blame, and after its end it was a success.
func TestClosedEarly(t *testing.T) {
	for _, c := range []struct {
		name string
		pull int
		code apierror.Code
	}{
		{"before anything", 0, apierror.ClientGone},
		{"in the middle", 1, apierror.ClientGone},
		{"behind the end", 2, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, func(w http.ResponseWriter, q *http.Request) {
				_, _ = io.WriteString(w, event(text)+event(stop))
				_ = http.NewResponseController(w).Flush()
				<-q.Context().Done()
			})
			x := exchange(t, context.Background(), "codeassist", pipeline.Streaming)
			x.WantsStream = true
			r.stage.Process(x)
			for range c.pull {
				if _, err := x.Reply.Stream.Next(); err != nil {
					t.Fatal(err)
				}
			}
			finish(t, r.stage, x)
			last := x.Lease.(*lease).reports[0]
			if (last == nil) != (c.code == "") || last != nil && (last.Code != c.code || last.Upstream) {
				t.Errorf("reported %v", last)
			}
			if last != nil && (last.Said != nil) != (c.pull > 0) { // Google counts what it had begun
				t.Errorf("an answer had begun: %+v", last.Said)
			}
			if _, err := x.Reply.Stream.Next(); err != io.EOF {
				t.Errorf("after Close: %v", err)
			}
		})
	}
}

// What breaks on the way is told apart: Google's silence is Google's, the gateway's own limits are not.
func TestWhatBreaks(t *testing.T) {
	hangUp := func(w http.ResponseWriter, first string) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = io.WriteString(conn, first)
		_ = conn.(*net.TCPConn).CloseWrite()
		_ = conn.Close()
	}
	const head = "HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n"
	for _, c := range []struct {
		name   string
		stream bool
		answer http.HandlerFunc
		code   apierror.Code
		google bool
	}{
		{"no answer", false, func(w http.ResponseWriter, _ *http.Request) { hangUp(w, "") }, apierror.UpstreamUnavailable, true},
		{"not HTTP", false, func(w http.ResponseWriter, _ *http.Request) { hangUp(w, "oops\r\n\r\n") }, apierror.UpstreamUnavailable, true},
		{"half an answer", false, func(w http.ResponseWriter, _ *http.Request) { hangUp(w, head+`{"response":{`) }, apierror.UpstreamUnavailable, true},
		{"half a stream", true, func(w http.ResponseWriter, _ *http.Request) { hangUp(w, head+event(text)) }, apierror.UpstreamUnavailable, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, c.answer)
			x := exchange(t, context.Background(), "codeassist", pipeline.Generate)
			x.WantsStream = c.stream
			r.stage.Process(x)
			f := x.Reply.Err
			if s := x.Reply.Stream; s != nil {
				_, err := pull(s)
				f = apierror.From(err)
			}
			if f == nil || f.Code != c.code || f.Upstream != c.google || f.Said == nil || !f.Said.Network {
				t.Errorf("ended with %+v", f)
			}
			finish(t, r.stage, x)
		})
	}
	t.Run("a client that is closed", func(t *testing.T) {
		r := newRig(t, func(http.ResponseWriter, *http.Request) {})
		_ = r.client.Close()
		x := exchange(t, context.Background(), "codeassist", pipeline.Generate)
		r.stage.Process(x)
		if f := x.Reply.Err; f == nil || f.Code != apierror.Overloaded || f.Upstream {
			t.Errorf("ended with %+v", f)
		}
		finish(t, r.stage, x)
	})
}

func TestKindWithoutAClient(t *testing.T) {
	r := newRig(t, func(http.ResponseWriter, *http.Request) {})
	x := exchange(t, context.Background(), "vertex", pipeline.Generate)
	v := r.stage.Process(x)
	if f := x.Reply.Err; v != pipeline.Respond || f == nil || f.Code != apierror.Internal || f.Upstream || len(x.Attempts) != 0 {
		t.Errorf("verdict %v, %+v", v, f)
	}
	finish(t, r.stage, x)
}

// Two attempts of one exchange: each has its own report, and one buffer serves both.
func TestTwoAttempts(t *testing.T) {
	calls := 0
	var bodies []string
	r := newRig(t, func(w http.ResponseWriter, q *http.Request) {
		b, _ := io.ReadAll(q.Body)
		bodies = append(bodies, string(b))
		if calls++; calls == 1 {
			_, _ = io.WriteString(w, `{"response":`+stop+`}`)
			return
		}
		_, _ = io.WriteString(w, answer)
	})
	x := exchange(t, context.Background(), "codeassist", pipeline.Generate)
	if v := r.stage.Process(x); v != pipeline.Respond || x.Advice().Again != pipeline.Other {
		t.Fatalf("verdict %v, advice %+v", v, x.Advice())
	}
	x.Reply = pipeline.Reply{}
	l := x.Lease.(*lease)
	l.kind = "gemini"
	if v := r.stage.Process(x); v != pipeline.Next || string(x.Reply.Body) != answer {
		t.Fatalf("verdict %v, %+v", v, x.Reply)
	}
	if len(bodies) != 2 || bodies[0] != `{"model":"m","project":"project","request":`+bodies[1]+`}` {
		t.Errorf("bodies %q", bodies)
	}
	if len(l.reports) != 2 || l.reports[0] == nil || l.reports[1] != nil {
		t.Errorf("reports %v", l.reports)
	}
	x.Attempts[0].Kind = "gemini" // the lease of this test changed its kind
	finish(t, r.stage, x)
}

// twin is the stage in front of the simulator.
func twin(t *testing.T) (*simulator.Server, *stage, map[string]string) {
	t.Helper()
	sim, err := simulator.Start(simulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	client, err := outbound.New(outbound.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close(); _ = sim.Close() })
	a := sim.AddAccount(simulator.Account{})
	sim.AddKey("AIza-simulated-key")
	at := address(sim.URL())
	s := &stage{clients: Clients{Caller: func() outbound.Caller { return client },
		Dialects: map[string]Dialect{"codeassist": codeassist.New(at), "gemini": geminiapi.New(at)}}}
	return sim, s, map[string]string{"codeassist": sim.AccessToken(a.Email), "gemini": "AIza-simulated-key", "project": a.Project}
}

// holder is a lease of a credential that the simulator knows.
type holder struct {
	lease
	token, project string
}

func (h *holder) Token() string   { return h.token }
func (h *holder) Project() string { return h.project }
func (h *holder) Proxy() string   { return "" }

// Both dialects are understood by the twin of the backend that they are for, in every verb, and its
// faults come out as what they are.
func TestAgainstTheSimulator(t *testing.T) {
	sim, s, creds := twin(t)
	for _, kind := range []string{"codeassist", "gemini"} {
		for _, c := range []struct {
			fault  string
			stream bool
			verb   pipeline.Verb
			code   apierror.Code
			http   int
		}{
			{"", false, pipeline.Generate, "", 0}, {"", true, pipeline.Streaming, "", 0}, {"", false, pipeline.Count, "", 0},
			{"split-data", true, pipeline.Streaming, "", 0}, {"max-tokens-empty", true, pipeline.Streaming, "", 0}, {"blocked", true, pipeline.Streaming, "", 0}, {"safety", false, pipeline.Generate, "", 0},
			{"429-reset 30s", false, pipeline.Generate, apierror.RateLimited, 429}, {"429-bare", true, pipeline.Streaming, apierror.RateLimited, 429},
			{"401", false, pipeline.Generate, apierror.NoCredential, 401}, {"403", true, pipeline.Streaming, apierror.NoCredential, 403},
			{"500", false, pipeline.Generate, apierror.UpstreamUnavailable, 500}, {"503", true, pipeline.Streaming, apierror.UpstreamUnavailable, 503}, {"400", false, pipeline.Generate, apierror.BadRequest, 400},
			{"error-event 503", true, pipeline.Streaming, apierror.UpstreamUnavailable, 503}, {"error-line 429-bare", true, pipeline.Streaming, apierror.RateLimited, 429}, {"error-line 503", false, pipeline.Generate, apierror.UpstreamUnavailable, 503},
			{"cut", true, pipeline.Streaming, apierror.UpstreamUnavailable, 0}, {"cut", false, pipeline.Generate, apierror.UpstreamUnavailable, 0},
			{"eof", true, pipeline.Streaming, apierror.StreamBroken, 200}, {"garbage", true, pipeline.Streaming, apierror.UpstreamUnavailable, 200}, {"garbage", false, pipeline.Generate, apierror.UpstreamUnavailable, 200},
			{"empty", true, pipeline.Streaming, apierror.EmptyAnswer, 200}, {"empty", false, pipeline.Generate, apierror.EmptyAnswer, 200}, {"malformed-call", true, pipeline.Streaming, apierror.EmptyAnswer, 200},
		} {
			t.Run(kind+"/"+c.fault+"/"+c.verb.String(), func(t *testing.T) {
				sim.ClearScripts()
				if c.fault != "" {
					sim.Script(simulator.Fault{Do: c.fault})
				}
				x := exchange(t, context.Background(), kind, c.verb)
				x.WantsStream, x.Model.Base = c.stream, "gemini-2.5-pro"
				h := &holder{lease: lease{kind: kind}, token: creds[kind], project: creds["project"]}
				x.Lease = h
				s.Process(x)
				f := x.Reply.Err
				if x.Reply.Stream != nil {
					if _, err := pull(x.Reply.Stream); err != io.EOF {
						f = apierror.From(err)
					}
				}
				if c.code == "" && f != nil || c.code != "" && (f == nil || f.Code != c.code || !f.Upstream || c.http != 0 && f.Said.HTTP != c.http) {
					t.Errorf("ended with %+v", f)
				}
				if len(h.reports) != 1 || h.reports[0] != f {
					t.Errorf("reported %v, ended with %v", h.reports, f)
				}
				if x.Reply.Stream != nil {
					_ = x.Reply.Stream.Close()
				}
				s.End(x)
			})
		}
	}
}
