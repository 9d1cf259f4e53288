package fakestream

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/wire"
)

// list is a configuration with nothing but an order and what is off.
type list struct {
	order []string
	off   string
}

func (l list) Order() []string           { return l.order }
func (l list) Enabled(name string) bool  { return name != l.off }
func (l list) Bool(string) bool          { return true }
func (l list) Section(string, any) error { return nil }
func (l list) SectionHash(string) uint64 { return 0 }
func (l list) Revision() string          { return fmt.Sprint(l.order, l.off) }

// step is a stage made of a function.
type step func(*pipeline.Exchange) pipeline.Verdict

func (s step) Process(x *pipeline.Exchange) pipeline.Verdict { return s(x) }

// road is a list around the stage whose stages note what they saw.
type road struct {
	answers  []pipeline.Reply // of upstream, one after the other
	prolongs bool             // a stage behind the one under test asks for events, and goes on where a stream ends
	restarts bool             // retry goes back before the stage under test
	faked    func() bool      // what model finds
	seen     []string
}

func (r *road) kind(name string, gives []pipeline.Fact, s step, declare func(*pipeline.Build) error) pipeline.Kind {
	needs := []pipeline.Fact(nil)
	if name == "retry" || name == "form" {
		needs = []pipeline.Fact{pipeline.HasReply}
	}
	return pipeline.Kind{Name: name, Gives: gives, Needs: needs, New: pipeline.New("", func(_ string, b *pipeline.Build) (pipeline.Stage, error) {
		if declare != nil {
			return s, declare(b)
		}
		return s, nil
	})}
}

func (r *road) kinds() []pipeline.Kind {
	return []pipeline.Kind{
		r.kind("who", []pipeline.Fact{pipeline.HasCaller, pipeline.HasFormat}, func(*pipeline.Exchange) pipeline.Verdict { return pipeline.Next }, nil),
		r.kind("model", []pipeline.Fact{pipeline.HasModel, pipeline.HasCall}, func(x *pipeline.Exchange) pipeline.Verdict {
			x.Model = models.Model{Base: "m"}
			if r.faked() {
				x.Model.Features = models.FakeStream
			}
			return pipeline.Next
		}, nil),
		Kind(),
		r.kind("prolong", nil, r.prolong, func(b *pipeline.Build) error { return b.RerunsRest("retry") }),
		r.kind("credential", []pipeline.Fact{pipeline.HasLease}, func(*pipeline.Exchange) pipeline.Verdict { return pipeline.Next }, nil),
		r.kind("upstream", []pipeline.Fact{pipeline.HasReply}, r.upstream, nil),
		r.kind("retry", nil, r.retry, func(b *pipeline.Build) error { return b.GoesBackTo("model") }),
		r.kind("form", []pipeline.Fact{pipeline.HasEncoder}, func(x *pipeline.Exchange) pipeline.Verdict {
			r.note("form", x)
			return pipeline.Next
		}, nil),
	}
}

func (r *road) note(who string, x *pipeline.Exchange) {
	r.seen = append(r.seen, fmt.Sprint(who, " ", x.Fetch, " ", x.Events(), " ", x.Grace(), " ", x.Beat()))
}

func (r *road) upstream(x *pipeline.Exchange) pipeline.Verdict {
	r.note("upstream", x)
	x.Reply, r.answers = r.answers[0], r.answers[1:]
	return pipeline.Next
}

func (r *road) retry(x *pipeline.Exchange) pipeline.Verdict {
	r.note("retry", x)
	if r.restarts && x.Reply.Err != nil {
		r.restarts = false
		return pipeline.Restart("model")
	}
	return pipeline.Next
}

// prolong does what anti-truncation does.
func (r *road) prolong(x *pipeline.Exchange) pipeline.Verdict {
	if !r.prolongs {
		return pipeline.Next
	}
	x.Fetch = pipeline.InEvents
	rest := x.Rest("retry")
	first := rest.Run(x)
	x.Reply = pipeline.Reply{Stream: &longer{x: x, rest: rest, inner: first.Stream}}
	return rest.Instead()
}

// longer runs its stretch once more where the stream ends.
type longer struct {
	x      *pipeline.Exchange
	rest   pipeline.Segment
	inner  wire.Stream
	second bool
	closed int
}

func (l *longer) Next() (wire.Event, error) {
	ev, err := l.inner.Next()
	if err != io.EOF || l.second {
		return ev, err
	}
	l.second = true
	_ = l.inner.Close()
	more := l.rest.Run(l.x)
	if more.Err != nil {
		return wire.Event{}, more.Err
	}
	l.inner = more.Stream
	return l.inner.Next()
}

func (l *longer) Close() error {
	l.closed++
	return l.inner.Close()
}

// tape is a stream of events; err is how it ends.
type tape struct {
	events []string
	err    error
	closed bool
}

func (s *tape) Next() (wire.Event, error) {
	if s.closed {
		return wire.Event{}, apierror.New(apierror.Internal, "the stream is closed")
	}
	if len(s.events) == 0 {
		return wire.Event{}, s.err
	}
	e := s.events[0]
	s.events = s.events[1:]
	return wire.Event{Data: []byte(e)}, nil
}

func (s *tape) Close() error { s.closed = true; return nil }

// walk sends one request down the road.
func (r *road) walk(t *testing.T, l list, streams bool) (*pipeline.Exchange, pipeline.Reply) {
	t.Helper()
	if l.order == nil {
		for _, k := range r.kinds() {
			l.order = append(l.order, k.Name)
		}
	}
	e, err := pipeline.NewEngine(pipeline.Options{Kinds: r.kinds(), Loopback: true, Log: slog.New(slog.DiscardHandler)})
	if err == nil {
		err = e.Apply(l)
	}
	if err != nil {
		t.Fatal(err)
	}
	if r.faked == nil {
		r.faked = func() bool { return true }
	}
	x := pipeline.NewExchange(context.Background(), pipeline.Request{ID: "t"})
	x.WantsStream = streams
	x.Patience(7*time.Second, 15*time.Second)
	reply := e.Run(x)
	t.Cleanup(func() { e.End(x, pipeline.Outcome{}) })
	return x, reply
}

const whole = `{"candidates":[{"content":{"parts":[{"text":"one two"}]},"finishReason":"STOP"}]}`

func pull(t *testing.T, reply pipeline.Reply) string {
	t.Helper()
	if reply.Stream == nil {
		t.Fatalf("no stream: %+v", reply)
	}
	var all []string
	for {
		ev, err := reply.Stream.Next()
		if err == io.EOF {
			return string(gathered(t, all...))
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(ev.Data))
	}
}

// The answer comes in one piece; what is set for that is set for nobody else.
func TestFetchesInOnePiece(t *testing.T) {
	for off, want := range map[string][]string{
		"":      {"upstream 1 false 7s 3s", "retry 1 false 7s 3s", "form 0 true 7s 15s"},
		"retry": {"upstream 1 false 7s 3s", "form 0 true 7s 15s"},
	} {
		r := &road{answers: []pipeline.Reply{{Body: []byte(whole)}}}
		_, reply := r.walk(t, list{off: off}, true)
		if got := pull(t, reply); got != whole || !slices.Equal(r.seen, want) {
			t.Errorf("%q off: %s, saw %q", off, got, r.seen)
		}
	}
}

func TestNothingToDo(t *testing.T) {
	for _, c := range []struct{ faked, streams bool }{{false, true}, {true, false}, {false, false}} {
		r := &road{faked: func() bool { return c.faked }, answers: []pipeline.Reply{{Body: []byte(whole)}}}
		_, reply := r.walk(t, list{}, c.streams)
		if string(reply.Body) != whole || strings.Contains(strings.Join(r.seen, "\n"), "3s") || r.seen[0] != fmt.Sprintf("upstream 0 %v 7s 15s", c.streams) {
			t.Errorf("%+v: %+v, saw %q", c, reply, r.seen)
		}
	}
}

// An error stays what it is; nothing at all as well.
func TestErrors(t *testing.T) {
	f := apierror.New(apierror.RateLimited, "all are limited")
	if _, reply := (&road{answers: []pipeline.Reply{{Err: f}}}).walk(t, list{}, true); reply.Err != f || reply.Stream != nil {
		t.Errorf("%+v", reply)
	}
	if _, reply := (&road{answers: []pipeline.Reply{{}}}).walk(t, list{}, true); !reply.Empty() {
		t.Errorf("%+v", reply)
	}
}

// A stage behind this one may ask for events and go on where they end.
func TestDrainsAStream(t *testing.T) {
	first := &tape{events: []string{`{"candidates":[{"content":{"parts":[{"text":"one "}]}}]}`}, err: io.EOF}
	second := &tape{events: []string{`{"candidates":[{"content":{"parts":[{"text":"two"}]},"finishReason":"STOP"}]}`}, err: io.EOF}
	r := &road{prolongs: true, answers: []pipeline.Reply{{Stream: first}, {Stream: second}}}
	x, reply := r.walk(t, list{}, true)
	if got := pull(t, reply); got != whole || !first.closed || !second.closed || x.Fetch != pipeline.AsAsked {
		t.Errorf("%s, closed %v %v, then %v", got, first.closed, second.closed, x.Fetch)
	}
	want := []string{"upstream 2 true 7s 3s", "retry 2 true 7s 3s", "upstream 2 true 7s 3s", "retry 2 true 7s 3s", "form 0 true 7s 15s"}
	if !slices.Equal(r.seen, want) {
		t.Errorf("saw %q", r.seen)
	}
}

// Half of a stream is none.
func TestDrainFails(t *testing.T) {
	f := apierror.New(apierror.UpstreamUnavailable, "cut")
	one := `{"candidates":[{"content":{"parts":[{"text":"one "}]}}]}`
	for name, c := range map[string]struct {
		answers []pipeline.Reply
		is      func(*apierror.Error) bool
	}{
		"cut": {[]pipeline.Reply{{Stream: &tape{events: []string{one}, err: f}}}, func(g *apierror.Error) bool { return g == f }},
		"cut in what followed": {[]pipeline.Reply{{Stream: &tape{events: []string{one}, err: io.EOF}}, {Stream: &tape{events: []string{one}, err: f}}},
			func(g *apierror.Error) bool { return g == f }},
		"no more of it": {[]pipeline.Reply{{Stream: &tape{events: []string{one}, err: io.EOF}}, {Err: f}}, func(g *apierror.Error) bool { return g == f }},
		"garbage":       {[]pipeline.Reply{{Stream: &tape{events: []string{`{"candidates":`}}}}, func(g *apierror.Error) bool { return g.Code == apierror.StreamBroken }},
	} {
		r := &road{prolongs: true, answers: c.answers}
		if _, reply := r.walk(t, list{}, true); reply.Err == nil || !c.is(reply.Err) || reply.Stream != nil || reply.Body != nil {
			t.Errorf("%s: %+v", name, reply)
		}
	}
}

// The list may be walked again, for a model that is not to be faked, also from inside the stretch.
func TestRestart(t *testing.T) {
	models := 0
	for _, prolongs := range []bool{false, true} {
		models = 0
		f := apierror.New(apierror.Overloaded, "full")
		answers := []pipeline.Reply{{Err: f}, {Body: []byte(whole)}}
		want := []string{"upstream 1 false 7s 3s", "retry 1 false 7s 3s", "upstream 0 true 7s 15s", "retry 0 true 7s 15s", "form 0 true 7s 15s"}
		r := &road{restarts: true, answers: answers, faked: func() bool { models++; return models == 1 }}
		if prolongs { // the failure is met in the middle of the drain
			one := &tape{events: []string{`{"candidates":[]}`}, err: io.EOF}
			r.prolongs, r.answers = true, append([]pipeline.Reply{{Stream: one}}, pipeline.Reply{Err: f}, pipeline.Reply{Stream: &tape{err: io.EOF}})
			want = []string{"upstream 2 true 7s 3s", "retry 2 true 7s 3s", "upstream 2 true 7s 3s", "retry 2 true 7s 3s", "upstream 2 true 7s 15s", "retry 2 true 7s 15s", "form 2 true 7s 15s"}
		}
		_, reply := r.walk(t, list{}, true)
		if models != 2 || reply.Err != nil || !slices.Equal(r.seen, want) {
			t.Errorf("%d models, %+v, saw %q", models, reply, r.seen)
		}
	}
}

// What the order check says of a list in which the stage cannot work.
func TestOrder(t *testing.T) {
	for says, order := range map[string][]string{
		`needs "model"`: {"who", "fakestream", "model", "credential", "upstream", "retry", "form"},
		`"lease"`:       {"who", "model", "credential", "fakestream", "upstream", "retry", "form"},
	} {
		r := &road{}
		e, err := pipeline.NewEngine(pipeline.Options{Kinds: r.kinds(), Loopback: true, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		if err = e.Check(list{order: order}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", order, err)
		}
	}
}
