package retry

import (
	"context"
	"io"
	"testing"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
)

// lease gives the advice that the test wants and counts reports.
type lease struct {
	advice  pipeline.Advice
	reports int
}

func (*lease) ID() string      { return "c" }
func (*lease) Kind() string    { return "gemini" }
func (*lease) Token() string   { return "" }
func (*lease) Project() string { return "" }
func (*lease) Proxy() string   { return "" }
func (*lease) Release()        {}
func (l *lease) Report(f *apierror.Error) pipeline.Advice {
	l.reports++
	if f == nil {
		return pipeline.Advice{}
	}
	return l.advice
}

// said is an error that Google gave.
func said(status int) *apierror.Error {
	code := map[int]apierror.Code{400: apierror.BadRequest, 429: apierror.RateLimited, 500: apierror.UpstreamUnavailable, 503: apierror.NoCredential}[status]
	f := apierror.New(code, "said Google")
	f.Status, f.Upstream, f.Said = status, true, &apierror.Said{HTTP: status}
	return f
}

// failed is an exchange after a call that ended with f.
func failed(ctx context.Context, l *lease, f *apierror.Error) *pipeline.Exchange {
	x := pipeline.NewExchange(ctx, pipeline.Request{})
	x.Lease = l
	again(x, f)
	return x
}

// again is one more call.
func again(x *pipeline.Exchange, f *apierror.Error) {
	x.Try()
	x.Report(f)
	x.Reply = pipeline.Reply{Err: f}
}

var usual = Settings{MaxCalls: 12, Returns: 3, From: "credential", On429: true, Interval: time.Millisecond}

// calls counts how often an exchange calls Google when every call fails alike.
func calls(s Settings, advice pipeline.Advice, f *apierror.Error) (n, returns int) {
	x := failed(context.Background(), &lease{advice: advice}, f)
	r := &stage{Settings: s}
	for r.Process(x) == pipeline.Rewind("credential") {
		again(x, f)
	}
	return len(x.Attempts), x.Returns()
}

func TestHowOften(t *testing.T) {
	other, same, later := pipeline.Advice{Again: pipeline.Other}, pipeline.Advice{Again: pipeline.Same}, pipeline.Advice{Again: pipeline.Later}
	set := func(change func(*Settings)) Settings {
		s := usual
		change(&s)
		return s
	}
	for _, c := range []struct {
		name           string
		s              Settings
		advice         pipeline.Advice
		status         int
		calls, returns int
	}{
		{"no advice", usual, pipeline.Advice{}, 500, 1, 0},
		{"a fresh one is free, up to max_calls", usual, other, 429, 12, 0},
		{"a fresh one is free without returns", set(func(s *Settings) { s.Returns = 0 }), other, 500, 12, 0},
		{"a fresh one is free after a 429, without returns", set(func(s *Settings) { s.Returns = 0 }), other, 429, 12, 0},
		{"fewer calls", set(func(s *Settings) { s.MaxCalls = 2 }), other, 500, 2, 0},
		{"one call", set(func(s *Settings) { s.MaxCalls = 1 }), other, 500, 1, 0},
		{"the same one at once is no return", set(func(s *Settings) { s.Returns = 0 }), same, 503, 12, 0},
		{"the same one after a pause", usual, pipeline.Advice{Again: pipeline.Same, Wait: time.Millisecond}, 503, 4, 3},
		{"the same one after a 429", usual, same, 429, 4, 3},
		{"a tried one", usual, later, 429, 4, 3},
		{"no returns", set(func(s *Settings) { s.Returns = 0 }), later, 429, 1, 0},
		{"returns beyond max_calls", set(func(s *Settings) { s.Returns = 50 }), later, 500, 12, 11},
		{"a 429 when that is off", set(func(s *Settings) { s.On429 = false }), other, 429, 1, 0},
		{"a 500 when that is off", set(func(s *Settings) { s.On429 = false }), other, 500, 12, 0},
		{"a 400 of the client", usual, pipeline.Advice{Again: pipeline.No}, 400, 1, 0},
		{"a 400 that the table excepts", usual, same, 400, 12, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if n, returns := calls(c.s, c.advice, said(c.status)); n != c.calls || returns != c.returns {
				t.Errorf("%d calls, %d returns; want %d and %d", n, returns, c.calls, c.returns)
			}
		})
	}
}

// Whatever the lease once advised: an error that is not the call's is passed on.
func TestWhatIsNotGooglesIsPassedOn(t *testing.T) {
	advice := pipeline.Advice{Again: pipeline.Other}
	own := apierror.New(apierror.BadRequest, "of our own making")
	x := failed(context.Background(), &lease{advice: advice}, said(500))
	x.Reply.Err = own
	if v := (&stage{Settings: usual}).Process(x); v != pipeline.Next || x.Reply.Err != own {
		t.Errorf("own error: verdict %v", v)
	}
	x = failed(context.Background(), &lease{advice: advice}, said(500))
	x.Lease = nil // the pool had none; its error may be a failed refresh, which Google said too
	if v := (&stage{Settings: usual}).Process(x); v != pipeline.Next {
		t.Errorf("no lease: verdict %v", v)
	}
	x = pipeline.NewExchange(context.Background(), pipeline.Request{})
	x.Reply.Err, x.Lease = said(500), &lease{advice: advice}
	if v := (&stage{Settings: usual}).Process(x); v != pipeline.Next {
		t.Errorf("no call yet: verdict %v", v)
	}
}

// A 429 that ends here says when the pool can serve again, not what Google said of one credential.
func TestWhenThePoolIsFree(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		free   time.Duration
		want   time.Duration
	}{
		{"a 429", 429, time.Minute, time.Minute},
		{"a 429 with something free", 429, 0, time.Second},
		{"a 500", 500, time.Minute, time.Second},
	} {
		x := failed(context.Background(), &lease{advice: pipeline.Advice{Free: c.free}}, said(c.status).After(time.Second))
		if v := (&stage{Settings: usual}).Process(x); v != pipeline.Next || x.Reply.Err.RetryAfter != c.want {
			t.Errorf("%s: verdict %v, retry after %v, want %v", c.name, v, x.Reply.Err.RetryAfter, c.want)
		}
	}
}

func TestPauses(t *testing.T) {
	const interval, wait = 30 * time.Millisecond, 60 * time.Millisecond
	s := usual
	s.Interval = interval
	for _, c := range []struct {
		name   string
		advice pipeline.Advice
		status int
		least  time.Duration
		most   time.Duration // 0: not looked at
	}{
		{"a tried one after a 429", pipeline.Advice{Again: pipeline.Later}, 429, interval, 0},
		{"the longer of both counts", pipeline.Advice{Again: pipeline.Later, Wait: wait}, 429, wait, 0},
		{"a 500 waits as advised", pipeline.Advice{Again: pipeline.Same, Wait: wait}, 500, wait, 0},
		{"a fresh one does not wait", pipeline.Advice{Again: pipeline.Other, Wait: time.Hour}, 429, 0, time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := failed(context.Background(), &lease{advice: c.advice}, said(c.status))
			start := time.Now()
			if v := (&stage{Settings: s}).Process(x); v != pipeline.Rewind("credential") {
				t.Fatalf("verdict %v", v)
			}
			if took := time.Since(start); took < c.least || c.most > 0 && took > c.most {
				t.Errorf("took %v", took)
			}
		})
	}
}

func TestNobodyWaitsAnyMore(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	x := failed(ctx, &lease{advice: pipeline.Advice{Again: pipeline.Later, Wait: time.Hour}}, said(429))
	done := make(chan pipeline.Verdict)
	go func() { done <- (&stage{Settings: usual}).Process(x) }()
	cancel()
	if v := <-done; v != pipeline.Next || x.Returns() != 0 {
		t.Errorf("verdict %v, returns %d", v, x.Returns())
	}
}

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

const (
	text    = `{"candidates":[{"content":{"parts":[{"text":"hi"}]}}]}`
	thought = `{"candidates":[{"content":{"parts":[{"text":"hm","thought":true}]}}]}`
	stop    = `{"candidates":[{"finishReason":"STOP"}]}`
	silent  = `{"usageMetadata":{"promptTokenCount":1}}`
)

func TestStreams(t *testing.T) {
	broken := said(500)
	for _, c := range []struct {
		name   string
		events []string
		err    error
		goes   bool // back for another try
	}{
		{"an error before anything", nil, broken, true},
		{"an error after an event that says nothing", []string{silent}, broken, true},
		{"an end without a word", []string{silent, stop}, io.EOF, true},
		{"an error after a word", []string{text}, broken, false},
		{"an error after a thought that was shown", []string{thought}, broken, false},
		{"a whole answer", []string{text, stop}, io.EOF, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := &lease{advice: pipeline.Advice{Again: pipeline.Other}}
			x := pipeline.NewExchange(context.Background(), pipeline.Request{})
			x.Lease = l
			x.Try()
			s := &stream{events: c.events, err: c.err}
			x.Reply.Stream = &reporting{s, x}
			v := (&stage{Settings: usual}).Process(x)
			if c.goes != (v == pipeline.Rewind("credential")) || !c.goes && v != pipeline.Next {
				t.Fatalf("verdict %v", v)
			}
			if c.goes != (s.closed > 0) {
				t.Errorf("the stream was closed %d times", s.closed)
			}
			if c.goes {
				return
			}
			for i, want := range c.events { // nothing is lost, nothing doubled
				if ev, err := x.Reply.Stream.Next(); err != nil || string(ev.Data) != want {
					t.Errorf("event %d: %s, %v", i, ev.Data, err)
				}
			}
			if _, err := x.Reply.Stream.Next(); err != c.err {
				t.Errorf("the end: %v", err)
			}
			if v := (&stage{Settings: usual}).Process(x); v != pipeline.Next || len(x.Attempts) != 1 {
				t.Errorf("after the first byte: verdict %v", v)
			}
		})
	}
}

// reporting is a stream that reports how it ended, as upstream's does.
type reporting struct {
	wire.Stream
	x *pipeline.Exchange
}

func (r *reporting) Next() (wire.Event, error) {
	ev, err := r.Stream.Next()
	if f, ok := err.(*apierror.Error); ok {
		r.x.Report(f)
	}
	return ev, err
}
