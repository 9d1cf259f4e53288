package pool

import (
	"fmt"
	"testing"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire/gemini"
	"gcli2api/store/oauth"
)

// failing makes a call of an exchange of its own that fails.
func failing(t *testing.T, p *Pool, c *clock, w Want, f *apierror.Error) *lease {
	t.Helper()
	w.ID = fmt.Sprint("exchange at ", c.now(), p.Breaks())
	l := take(t, p, w).(*lease)
	c.forward(300 * time.Millisecond)
	l.Report(f)
	l.Release()
	return l
}

func google500() *apierror.Error { return spoken(500, plain("Internal error encountered.")) }
func google503() *apierror.Error { return spoken(503, infoC) }

func spoken(status int, body string) *apierror.Error {
	return gemini.ParseError(status, "", []byte(body), newClock().at)
}

// turnedAway is how long a new exchange is told to stay away; 0 when it gets a credential.
func turnedAway(t *testing.T, p *Pool, w Want) time.Duration {
	t.Helper()
	l, fail := p.Acquire(t.Context(), w)
	if fail == nil {
		l.Release()
		return 0
	}
	if fail.Status != 503 || fail.Code != apierror.UpstreamUnavailable {
		t.Errorf("refused with %+v", fail)
	}
	return fail.RetryAfter
}

func TestBreaker(t *testing.T) {
	for _, row := range []struct {
		name   string
		f      *apierror.Error
		breaks []time.Duration // one behind the other
	}{
		{"no capacity", google503(), []time.Duration{5 * time.Second, 10 * time.Second, 15 * time.Second, 15 * time.Second}},
		{"broken", google500(), []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second, time.Minute, time.Minute}},
		{"no network", &apierror.Error{Code: apierror.UpstreamUnavailable, Status: 502, Upstream: true, Said: &apierror.Said{Network: true}}, []time.Duration{5 * time.Second, 10 * time.Second}},
	} {
		t.Run(row.name, func(t *testing.T) {
			p, c := keys(t, 10)
			m := Want{Model: "m"}
			for range patience - 1 {
				failing(t, p, c, m, row.f)
			}
			if turnedAway(t, p, m) != 0 {
				t.Fatal("it has opened early")
			}
			underway := take(t, p, m)
			late := take(t, p, m)
			for _, length := range row.breaks {
				failing(t, p, c, m, row.f)
				if got := turnedAway(t, p, m); got != length {
					t.Fatalf("a break of %s, want %s", got, length)
				}
				late.Report(row.f) // of before the break: no news
				if got := turnedAway(t, p, m); got != length {
					t.Fatalf("old news made it %s", got)
				}
				take(t, p, Want{Model: "m", Tried: []string{underway.ID()}}).Release() // one under way goes on
				if turnedAway(t, p, Want{Model: "other"}) != 0 {
					t.Fatal("another model is held up")
				}
				c.forward(length)
			}
			// One at a time is let through, whatever becomes of it.
			probe := take(t, p, m)
			if turnedAway(t, p, m) != time.Second {
				t.Error("two are let through")
			}
			probe.Report(spoken(400, plain("Request contains an invalid argument.")))
			probe.Release()
			probe = take(t, p, m)
			probe.Report(apierror.New(apierror.ClientGone, "left"))
			probe.Release()
			probe = take(t, p, m)
			if turnedAway(t, p, m) != time.Second {
				t.Error("two are let through")
			}
			c.forward(overdue)
			slow := probe
			probe = take(t, p, m) // that one hangs: another one may try
			slow.Release()
			if turnedAway(t, p, m) != time.Second {
				t.Error("the end of the slow one has let another one through")
			}
			probe.Report(nil)
			probe.Release()
			if turnedAway(t, p, m) != 0 || len(p.Breaks()) != 0 {
				t.Errorf("it is open after a success: %+v", p.Breaks())
			}
			underway.Release()
			late.Release()
			for _, s := range p.Status() {
				if s.Disabled || len(s.Models) > 0 || !s.CoolingUntil.IsZero() {
					t.Errorf("no credential is to blame: %+v", s)
				}
			}
			if p.Leases() != 0 {
				t.Errorf("%d leases", p.Leases())
			}
		})
	}
}

// The first piece of a long answer closes the breaker.
func TestBreakerClosesWhenAnAnswerBegins(t *testing.T) {
	p, c := keys(t, 2)
	m := Want{Model: "m"}
	for range patience {
		failing(t, p, c, m, google500())
	}
	c.forward(5 * time.Second)
	l := take(t, p, m)
	l.(pipeline.Hears).Began()
	if turnedAway(t, p, m) != 0 {
		t.Error("it waits for the end of the answer")
	}
	l.Release()
}

// What one request does to itself, and what is over within a moment, opens nothing.
func TestBreakerCountsRequestsThatLast(t *testing.T) {
	m := Want{Model: "m", ID: "one"}
	p, c := keys(t, 1)
	for range 3 * patience { // an input that Google stumbles over, tried again and again
		l := take(t, p, m)
		c.forward(time.Second)
		l.Report(google500())
		l.Release()
	}
	if turnedAway(t, p, m) != 0 {
		t.Error("one request stops the others")
	}
	p, c = keys(t, 1)
	var burst []pipeline.Lease
	for i := range 3 * patience {
		burst = append(burst, take(t, p, Want{Model: "m", ID: fmt.Sprint(i)}))
	}
	for _, l := range burst {
		c.forward(time.Millisecond)
		l.Report(google500())
		l.Release()
	}
	if turnedAway(t, p, m) != 0 {
		t.Error("a hiccup stops everybody")
	}
	failing(t, p, c, m, google500())
	c.forward(time.Second)
	failing(t, p, c, m, google500())
	if turnedAway(t, p, m) == 0 {
		t.Error("it lasts, and nothing opens")
	}
}

// Each kind of upstream has a breaker of its own, and the ones that work go on.
func TestBreakerIsOfOneKind(t *testing.T) {
	c := newClock()
	hour := c.at.Add(time.Hour)
	p := folder(t, Options{Now: c.now, Settings: Settings{APIKeys: []string{"key-0"}}},
		"a.json", ready("a", "ya29.a", hour), "b.json", ready("b", "ya29.b", hour))
	only := Want{Model: "gemini-2.5-pro", Kinds: []string{oauth.CodeAssist}}
	l := failing(t, p, c, only, google500())
	for range patience - 1 {
		failing(t, p, c, only, google500())
	}
	if turnedAway(t, p, only) == 0 {
		t.Fatal("it is not open")
	}
	any := Want{Model: "gemini-2.5-pro"}
	for range 5 {
		l := take(t, p, any)
		if l.Kind() != oauth.Gemini {
			t.Fatalf("%s serves", l.ID())
		}
		l.Release()
	}
	if next := take(t, p, Want{Model: any.Model, Tried: []string{l.ID()}}); next.Kind() != oauth.Gemini {
		t.Errorf("one under way goes on with %s", next.ID())
	}
	// An exchange whose upstream broke moves to the other kind at once.
	c.forward(6 * time.Second)
	l = take(t, p, only).(*lease)
	l.lane = p.laneOf(&any)
	if a := l.Report(google500()); a.Again != pipeline.Other {
		t.Errorf("advice %+v", a)
	}
	for range patience {
		failing(t, p, c, Want{Model: any.Model, Kinds: []string{oauth.Gemini}}, google503())
	}
	if got := turnedAway(t, p, any); got != 5*time.Second { // the first of both
		t.Errorf("told to wait %s", got)
	}
}

// A credential behind a breaker is no reason to tell of another one's rest.
func TestBreakerBesideRests(t *testing.T) {
	c := newClock()
	p := folder(t, Options{Now: c.now, Settings: Settings{APIKeys: []string{"key-0"}}}, "a.json", ready("a", "ya29.a", c.at.Add(time.Hour)))
	for range patience {
		failing(t, p, c, Want{Model: "m", Kinds: []string{oauth.CodeAssist}}, google500())
	}
	l := take(t, p, Want{Model: "m"})
	l.Report(spoken(429, infoB))
	l.Release()
	if got := turnedAway(t, p, Want{Model: "m"}); got != 5*time.Second {
		t.Errorf("told to wait %s", got)
	}
}

func TestUnusualTrafficStopsAll(t *testing.T) {
	p, c := keys(t, 3)
	for range patience {
		failing(t, p, c, Want{Model: "m"}, spoken(429, page))
	}
	if turnedAway(t, p, Want{Model: "other"}) != 5*time.Second {
		t.Fatal("another model is called")
	}
	if b := p.Breaks(); len(b) != 1 || b[0].State != "open" || b[0].Row != "page: unusual traffic" || b[0].Left != 5*time.Second {
		t.Errorf("%+v", b)
	}
	c.forward(5 * time.Second)
	l := take(t, p, Want{Model: "other"})
	l.Report(nil)
	l.Release()
	if len(p.Breaks()) != 0 {
		t.Errorf("%+v", p.Breaks())
	}
	for _, s := range p.Status() {
		if s.Disabled || len(s.Models) > 0 || !s.CoolingUntil.IsZero() {
			t.Errorf("no credential is to blame: %+v", s)
		}
	}
}

// Names that clients make up cost neither memory nor the break of a real model.
func TestBreakersAreBounded(t *testing.T) {
	p, c := keys(t, 1)
	for range patience {
		failing(t, p, c, Want{Model: "m"}, google500())
	}
	for i := range 2 * maxLanes {
		l := take(t, p, Want{Model: fmt.Sprint("made-up-", i)})
		l.Report(google500())
		l.Release()
	}
	if len(p.breakers) > maxLanes || turnedAway(t, p, Want{Model: "m"}) == 0 {
		t.Errorf("%d breakers, the real one is open for %s", len(p.breakers), turnedAway(t, p, Want{Model: "m"}))
	}
}

// An answer to a call from before the break says nothing about Google now.
func TestOldSuccessEndsNoBreak(t *testing.T) {
	p, c := keys(t, 10)
	m := Want{Model: "m"}
	early := take(t, p, m)
	c.forward(time.Second)
	for range patience {
		failing(t, p, c, m, google500())
	}
	if turnedAway(t, p, m) != 5*time.Second {
		t.Fatal("it has not opened")
	}
	early.Report(nil)
	if got := turnedAway(t, p, m); got != 5*time.Second {
		t.Errorf("a success from before the break left %s of it", got)
	}
	early.Report(nil) // of a call that began in the break
	early.Release()
	if turnedAway(t, p, m) != 0 {
		t.Error("Google serves, and the break lasts")
	}
}
