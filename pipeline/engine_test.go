package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
)

// list is a configuration made by hand.
type list struct {
	order    []string
	off      map[string]bool
	sections map[string]string // content of a table, by key
	open     bool
	revision string
}

func (l list) Order() []string          { return l.order }
func (l list) Enabled(name string) bool { return !l.off[name] }
func (l list) Bool(string) bool         { return l.open }
func (l list) Section(key string, into any) error {
	if s, ok := into.(*string); ok {
		*s = l.sections[key]
	}
	return nil
}
func (l list) SectionHash(key string) uint64 {
	var h uint64 = 14695981039346656037
	for _, c := range []byte(l.sections[key]) {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}
func (l list) Revision() string {
	if l.revision != "" {
		return l.revision
	}
	return fmt.Sprint(l.order, l.off, l.sections, l.open)
}

func order(names ...string) list { return list{order: names} }

// script is a stage made of functions.
type script struct {
	process func(*pipeline.Exchange) pipeline.Verdict
	end     func(*pipeline.Exchange)
	begin   func(*pipeline.Exchange) *apierror.Error
	close   func() error
}

func (s *script) Process(x *pipeline.Exchange) pipeline.Verdict {
	if s.process == nil {
		return pipeline.Next
	}
	return s.process(x)
}
func (s *script) End(x *pipeline.Exchange) {
	if s.end != nil {
		s.end(x)
	}
}
func (s *script) Begin(x *pipeline.Exchange) *apierror.Error {
	if s.begin != nil {
		return s.begin(x)
	}
	return nil
}
func (s *script) Close() error {
	if s.close != nil {
		return s.close()
	}
	return nil
}

func kind(name string, s *script, change ...func(*pipeline.Kind)) pipeline.Kind {
	k := pipeline.Kind{Name: name, New: pipeline.New("", func(string, *pipeline.Build) (pipeline.Stage, error) { return s, nil })}
	for _, f := range change {
		f(&k)
	}
	return k
}

func gives(f ...pipeline.Fact) func(*pipeline.Kind)  { return func(k *pipeline.Kind) { k.Gives = f } }
func needs(f ...pipeline.Fact) func(*pipeline.Kind)  { return func(k *pipeline.Kind) { k.Needs = f } }
func before(f ...pipeline.Fact) func(*pipeline.Kind) { return func(k *pipeline.Kind) { k.Before = f } }
func builds(f func(b *pipeline.Build) (pipeline.Stage, error)) func(*pipeline.Kind) {
	return func(k *pipeline.Kind) {
		k.New = pipeline.New("", func(_ string, b *pipeline.Build) (pipeline.Stage, error) { return f(b) })
	}
}

// frame is the least that every list must have: who asks, the reply, the encoder.
func frame(reply func(*pipeline.Exchange) pipeline.Verdict) []pipeline.Kind {
	return []pipeline.Kind{
		kind("who", &script{}, gives(pipeline.HasCaller)),
		kind("call", &script{process: reply}, gives(pipeline.HasReply)),
		kind("form", &script{}, gives(pipeline.HasEncoder), needs(pipeline.HasReply)),
	}
}

var whole = []byte(`{}`)

func answer(x *pipeline.Exchange) pipeline.Verdict {
	x.Reply = pipeline.Reply{Body: whole}
	return pipeline.Next
}

func engine(t testing.TB, kinds []pipeline.Kind, l list) *pipeline.Engine {
	t.Helper()
	e := bare(t, kinds)
	if err := e.Apply(l); err != nil {
		t.Fatal(err)
	}
	return e
}

func bare(t testing.TB, kinds []pipeline.Kind) *pipeline.Engine {
	t.Helper()
	e, err := pipeline.NewEngine(pipeline.Options{Kinds: kinds, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func exchange() *pipeline.Exchange {
	return pipeline.NewExchange(context.Background(), pipeline.Request{ID: "t"})
}

func run(e *pipeline.Engine, x *pipeline.Exchange) pipeline.Reply {
	r := e.Run(x)
	e.End(x, pipeline.Outcome{Err: r.Err})
	return r
}

func TestStagesRunInOrderAndEndInReverse(t *testing.T) {
	var trace []string
	step := func(name string, v pipeline.Verdict) *script {
		return &script{
			process: func(x *pipeline.Exchange) pipeline.Verdict { trace = append(trace, name); return v },
			end:     func(*pipeline.Exchange) { trace = append(trace, "/"+name) },
		}
	}
	kinds := []pipeline.Kind{
		kind("a", step("a", pipeline.Next), gives(pipeline.HasCaller)), kind("b", step("b", pipeline.Respond)),
		kind("c", step("c", pipeline.Next), gives(pipeline.HasReply)), kind("d", step("d", pipeline.Next), gives(pipeline.HasEncoder)),
	}
	run(engine(t, kinds, order("a", "b", "c", "d")), exchange())
	if got, want := strings.Join(trace, " "), "a b d /d /b /a"; got != want {
		t.Errorf("trace %q, want %q: Respond goes on after the stage that settles the reply", got, want)
	}
}

func TestRewindClosesTheReplyAndIsBounded(t *testing.T) {
	var opened, closed int
	kinds := frame(func(x *pipeline.Exchange) pipeline.Verdict {
		opened++
		x.Reply.Stream = &counted{closed: &closed}
		return pipeline.Next
	})
	kinds = append(kinds, kind("again", nil, needs(pipeline.HasReply), builds(func(b *pipeline.Build) (pipeline.Stage, error) {
		return &script{process: func(*pipeline.Exchange) pipeline.Verdict { return pipeline.Rewind("call") }}, b.GoesBackTo("call")
	})))
	r := run(engine(t, kinds, order("who", "call", "again", "form")), exchange())
	if r.Err == nil || r.Err.Code != apierror.Internal {
		t.Errorf("endless rewinds gave %+v, want an internal error", r)
	}
	if opened != 65 || closed != opened {
		t.Errorf("%d streams opened, %d closed; want 65 of each", opened, closed)
	}
}

// counted is a stream of n events that counts how often it was closed for the first time.
type counted struct {
	n      int
	closed *int
	done   bool
}

func (c *counted) Next() (wire.Event, error) {
	if c.n == 0 {
		return wire.Event{}, io.EOF
	}
	c.n--
	return wire.Event{Data: []byte(`{}`)}, nil
}
func (c *counted) Close() error {
	if !c.done {
		c.done = true
		*c.closed++
	}
	return nil
}

func TestPanicBecomesTheReplyAndTheSecondHalfRuns(t *testing.T) {
	formed := false
	kinds := []pipeline.Kind{
		kind("who", &script{process: func(*pipeline.Exchange) pipeline.Verdict { panic("boom") }}, gives(pipeline.HasCaller)),
		kind("call", &script{process: answer}, gives(pipeline.HasReply)),
		kind("form", &script{process: func(x *pipeline.Exchange) pipeline.Verdict { formed = true; return pipeline.Next }}, gives(pipeline.HasEncoder)),
	}
	e := engine(t, kinds, order("who", "call", "form"))
	r := run(e, exchange())
	if r.Err == nil || r.Err.Code != apierror.Internal || strings.Contains(r.Err.Message, "boom") {
		t.Errorf("reply %+v, want an internal error without the panic's words", r.Err)
	}
	if !formed {
		t.Error("the stage after the turning point did not run")
	}
	if f := e.Status().Stages[0].Fault; !strings.Contains(f, "boom") {
		t.Errorf("fault of the stage is %q, want the panic", f)
	}
}

func TestEnterStopsWhereStreamingIsKnown(t *testing.T) {
	var trace []string
	say := func(name string, f func(*pipeline.Exchange) pipeline.Verdict) *script {
		return &script{process: func(x *pipeline.Exchange) pipeline.Verdict { trace = append(trace, name); return f(x) }}
	}
	pass := func(*pipeline.Exchange) pipeline.Verdict { return pipeline.Next }
	kinds := []pipeline.Kind{
		kind("who", say("who", pass), gives(pipeline.HasCaller)),
		kind("read", say("read", func(x *pipeline.Exchange) pipeline.Verdict { x.WantsStream = true; return pipeline.Next }), gives(pipeline.HasFormat)),
		kind("call", say("call", answer), gives(pipeline.HasReply)), kind("form", say("form", pass), gives(pipeline.HasEncoder)),
	}
	e := engine(t, kinds, order("who", "read", "call", "form"))
	x := exchange()
	if f := e.Enter(x); f != nil {
		t.Fatal(f)
	}
	if got := strings.Join(trace, " "); got != "who read" || !x.WantsStream {
		t.Errorf("Enter ran %q (stream %v), want who and read, and a stream", got, x.WantsStream)
	}
	if r := run(e, x); r.Body == nil || strings.Join(trace, " ") != "who read call form" {
		t.Errorf("Run went on with %v, reply %+v", trace, r)
	}
}

func TestBeginRunsOnceForStagesThatRan(t *testing.T) {
	var began int
	charge := &script{begin: func(*pipeline.Exchange) *apierror.Error { began++; return nil }}
	kinds := append(frame(answer), kind("charge", charge), kind("late", charge))
	e := engine(t, kinds, order("who", "charge", "call", "form"))
	x := exchange()
	e.Run(x)
	for range 3 {
		if f := e.Begin(x); f != nil {
			t.Fatal(f)
		}
	}
	e.End(x, pipeline.Outcome{Began: true})
	if began != 1 {
		t.Errorf("Begin ran %d times, want once", began)
	}
}

func TestInstancesAreKeptUntilTheirSectionOrAnswersChange(t *testing.T) {
	var built, closed atomic.Int64
	kinds := append(frame(answer), kind("extra", nil, builds(func(b *pipeline.Build) (pipeline.Stage, error) {
		built.Add(1)
		b.Has("other")
		return &script{close: func() error { closed.Add(1); return nil }}, nil
	})), kind("other", &script{}))
	e := engine(t, kinds, order("who", "extra", "call", "form"))
	steps := []struct {
		what          string
		l             list
		built, closed int64
	}{
		{"equal content", order("who", "extra", "call", "form"), 1, 0},
		{"order changed", order("extra", "who", "call", "form"), 1, 0},
		{"another stage's table", list{order: []string{"extra", "who", "call", "form"}, sections: map[string]string{"stage.who": "x"}}, 1, 0},
		{"answer of Has changed", order("extra", "other", "who", "call", "form"), 2, 1},
		{"own table", list{order: []string{"extra", "other", "who", "call", "form"}, sections: map[string]string{"stage.extra": "x"}}, 3, 2},
		{"taken out", order("who", "call", "form"), 3, 3},
	}
	for _, s := range steps {
		if err := e.Apply(s.l); err != nil {
			t.Fatalf("%s: %v", s.what, err)
		}
		if built.Load() != s.built || closed.Load() != s.closed {
			t.Errorf("%s: built %d, closed %d; want %d and %d", s.what, built.Load(), closed.Load(), s.built, s.closed)
		}
	}
}

func TestFailedApplyKeepsTheOldListAndClosesOnlyItsOwn(t *testing.T) {
	var closed []string
	shut := func(name string) *script {
		return &script{close: func() error { closed = append(closed, name); return nil }}
	}
	kinds := append(frame(answer), kind("old", shut("old")), kind("new", shut("new")),
		kind("bad", nil, builds(func(*pipeline.Build) (pipeline.Stage, error) { return nil, errors.New("no such thing") })))
	e := engine(t, kinds, order("who", "old", "call", "form"))
	err := e.Apply(order("who", "old", "new", "bad", "call", "form"))
	var stage *pipeline.StageError
	if !errors.As(err, &stage) || stage.Stage != "bad" || !strings.Contains(err.Error(), "no such thing") {
		t.Fatalf("error %v, want one pinned to bad", err)
	}
	if fmt.Sprint(closed) != "[new]" {
		t.Errorf("closed %v, want only the instance made for the failed list", closed)
	}
	if r := run(e, exchange()); r.Body == nil {
		t.Error("the old list does not serve any more")
	}
	if got := e.Status().LastError; got == "" {
		t.Error("the status does not tell of the failure")
	}
}

func TestCheckClosesWhatItMade(t *testing.T) {
	var closed int
	kinds := append(frame(answer), kind("extra", &script{close: func() error { closed++; return nil }}))
	if err := bare(t, kinds).Check(order("who", "extra", "call", "form")); err != nil || closed != 1 {
		t.Errorf("closed %d times, %v", closed, err)
	}
}

// heir takes over from the instance before it.
type heir struct {
	script
	before pipeline.Stage
}

func (h *heir) Adopt(old pipeline.Stage) { h.before = old }

func TestInstancesHandStateOver(t *testing.T) {
	var made []*heir
	kinds := append(frame(answer), kind("extra", nil, builds(func(*pipeline.Build) (pipeline.Stage, error) {
		made = append(made, &heir{})
		return made[len(made)-1], nil
	})))
	l := order("who", "extra", "call", "form")
	e := engine(t, kinds, l)
	l.sections = map[string]string{"stage.extra": "x"}
	if err := e.Apply(l); err != nil || len(made) != 2 || made[0].before != nil || made[1].before != pipeline.Stage(made[0]) {
		t.Errorf("%v, %v", made, err)
	}
}

func TestDrainedListLetsNobodyIn(t *testing.T) {
	if pipeline.LetsIn(0) || !pipeline.LetsIn(1) {
		t.Error("an exchange may only enter a list that somebody holds")
	}
}

func TestExchangeFinishesOnItsSnapshot(t *testing.T) {
	var closed atomic.Bool
	kinds := append(frame(answer), kind("old", &script{close: func() error { closed.Store(true); return nil }}))
	e := engine(t, kinds, order("who", "old", "call", "form"))
	x := exchange()
	e.Run(x)
	if err := e.Apply(order("who", "call", "form")); err != nil {
		t.Fatal(err)
	}
	if closed.Load() {
		t.Error("the instance was closed under a running exchange")
	}
	e.End(x, pipeline.Outcome{})
	if !closed.Load() {
		t.Error("the instance was not closed when its last exchange ended")
	}
}

func TestManyClientsUnderManyApplies(t *testing.T) {
	var live, served, open atomic.Int64
	kinds := append(frame(func(x *pipeline.Exchange) pipeline.Verdict {
		open.Add(1)
		return answer(x)
	}), kind("turn", nil, builds(func(b *pipeline.Build) (pipeline.Stage, error) {
		live.Add(1)
		gone := new(atomic.Bool)
		return &script{
			process: func(x *pipeline.Exchange) pipeline.Verdict {
				if gone.Load() {
					t.Error("a closed instance was used")
				}
				return pipeline.Next
			},
			end:   func(*pipeline.Exchange) { open.Add(-1) },
			close: func() error { gone.Store(true); live.Add(-1); return nil },
		}, nil
	})))
	with := func(i int) list {
		return list{order: []string{"who", "turn", "call", "form"}, sections: map[string]string{"stage.turn": fmt.Sprint(i)}}
	}
	e := engine(t, kinds, with(0))
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for range 40 {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if r := run(e, exchange()); r.Body == nil {
					t.Error("a request failed during a reload")
					return
				}
				served.Add(1)
			}
		})
	}
	for i := range 50 {
		if err := e.Apply(with(i + 1)); err != nil {
			t.Error(err)
		}
		if i%10 == 0 {
			if err := e.Apply(order("call", "who")); err == nil {
				t.Error("a list without an encoder was accepted")
			}
		}
		for before := served.Load(); served.Load() < before+40; {
			time.Sleep(time.Millisecond)
		}
	}
	close(stop)
	clients.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := e.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if live.Load() != 0 || open.Load() != 0 {
		t.Errorf("%d instances and %d exchanges left over", live.Load(), open.Load())
	}
	if r := run(e, exchange()); r.Err == nil || r.Err.Status != 503 {
		t.Errorf("a closed engine answered %+v", r)
	}
}

func TestCloseWaitsForExchanges(t *testing.T) {
	e := engine(t, frame(answer), order("who", "call", "form"))
	x := exchange()
	e.Run(x)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := e.Close(ctx); err == nil {
		t.Error("Close did not wait for the running exchange")
	}
	e.End(x, pipeline.Outcome{})
	if err := e.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

func BenchmarkTenEmptyStages(b *testing.B) {
	kinds := frame(answer)
	names := []string{"who"}
	for i := range 7 {
		n := fmt.Sprintf("s%d", i)
		kinds = append(kinds, pipeline.Kind{Name: n, New: pipeline.New("", func(string, *pipeline.Build) (pipeline.Stage, error) { return empty{}, nil })})
		names = append(names, n)
	}
	e := engine(b, kinds, order(append(names, "call", "form")...))
	x := exchange()
	b.ReportAllocs()
	for b.Loop() {
		e.Run(x)
		e.End(x, pipeline.Outcome{})
		pipeline.Fresh(x)
	}
}

type empty struct{}

func (empty) Process(*pipeline.Exchange) pipeline.Verdict { return pipeline.Next }
