package pool

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/store/oauth"
)

// narrow is a pool of n keys that take so many calls at a time, by the clock of the bubble.
func narrow(t *testing.T, n, calls int, change ...func(*Settings)) *Pool {
	p, _ := keys(t, n, func(o *Options) {
		o.Now = time.Now
		s := &o.Settings
		s.KeyConcurrency, s.QueueWait, s.QueueLength = calls, 30*time.Second, 1000
		for _, f := range change {
			f(s)
		}
	})
	return p
}

// answer is how an Acquire that waited ended.
type answer struct {
	name string
	l    pipeline.Lease
	fail *apierror.Error
	took time.Duration
}

// asks acquires beside the test, and has come as far as it can when it returns.
func asks(ctx context.Context, p *Pool, name string, w Want, to chan<- answer) {
	began := time.Now()
	if w.Model == "" {
		w.Model = "m"
	}
	go func() {
		l, fail := p.Acquire(ctx, w)
		to <- answer{name, l, fail, time.Since(began)}
	}()
	synctest.Wait()
}

func (a answer) code() apierror.Code {
	if a.fail == nil {
		return ""
	}
	return a.fail.Code
}

// Callers are served in turn, and the calls of one in the order in which they came.
func TestLineIsFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := narrow(t, 1, 1)
		l := take(t, p, Want{Model: "m"})
		got := make(chan answer, 10)
		for _, name := range []string{"a1", "a2", "a3", "b1", "b2", "c1"} {
			asks(t.Context(), p, name, Want{Caller: name[:1]}, got)
		}
		if p.Waiting() != 6 {
			t.Fatalf("%d wait", p.Waiting())
		}
		var order []string
		for range 6 {
			l.Release()
			a := <-got
			if a.fail != nil {
				t.Fatal(a.fail)
			}
			l, order = a.l, append(order, a.name)
			synctest.Wait()
			if len(got) > 0 {
				t.Fatal("two hold the same one")
			}
		}
		l.Release()
		if s := strings.Join(order, " "); s != "a1 b1 c1 a2 b2 a3" {
			t.Errorf("order %s", s)
		}
		if p.Waiting() != 0 || p.Leases() != 0 {
			t.Errorf("%d wait, %d leases", p.Waiting(), p.Leases())
		}
	})
}

// An exchange that tries again is before those of its caller that have not begun, and not before others'.
func TestExchangeUnderWayComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := narrow(t, 1, 1)
		l := take(t, p, Want{Model: "m"})
		got := make(chan answer, 10)
		for _, name := range []string{"a1", "b1", "a2"} {
			asks(t.Context(), p, name, Want{Caller: name[:1]}, got)
		}
		asks(t.Context(), p, "a0", Want{Caller: "a", Tried: []string{l.ID()}, Prefer: l.ID()}, got)
		var order []string
		for range 4 {
			l.Release()
			a := <-got
			l, order = a.l, append(order, a.name)
		}
		l.Release()
		if s := strings.Join(order, " "); s != "a0 b1 a1 a2" {
			t.Errorf("order %s", s)
		}
	})
}

// What ends a wait, and when.
func TestWhatEndsAWait(t *testing.T) {
	first, second := oauth.APIKey("key-0").ID, oauth.APIKey("key-1").ID
	for _, row := range []struct {
		name    string
		n       int
		set     func(s *Settings)
		before  func(p *Pool)                                    // with key-0 lent
		then    func(p *Pool, l pipeline.Lease, end func(error)) // a second later
		token   string
		code    apierror.Code
		retry   time.Duration
		took    time.Duration
		waiting Want
	}{
		{name: "a lease comes back", n: 1, then: func(_ *Pool, l pipeline.Lease, _ func(error)) { l.Release() },
			token: "key-0", took: time.Second},
		{name: "a rest ends", n: 2, before: func(p *Pool) {
			p.mu.Lock()
			p.rests(p.byID[second], 10*time.Second, cooldown{code: apierror.RateLimited, status: 429})
			p.unlock()
		}, token: "key-1", took: 10 * time.Second},
		{name: "one is switched on", n: 2, before: func(p *Pool) { p.Disable(second) },
			then: func(p *Pool, _ pipeline.Lease, _ func(error)) { p.Enable(second) }, token: "key-1", took: time.Second},
		{name: "one is added", n: 1, then: func(p *Pool, _ pipeline.Lease, _ func(error)) {
			s := p.set
			s.APIKeys = append(s.APIKeys, "key-7")
			p.Apply(s)
		}, token: "key-7", took: time.Second},
		{name: "more calls are allowed", n: 1, then: func(p *Pool, _ pipeline.Lease, _ func(error)) {
			p.Configure(first, func(w *Wish) { w.Concurrency = -1 })
		}, token: "key-0", took: time.Second},
		{name: "all rest", n: 1, then: func(_ *Pool, l pipeline.Lease, _ func(error)) { l.Report(rate(time.Minute)) },
			code: apierror.RateLimited, retry: time.Minute, took: time.Second},
		{name: "the only one is switched off", n: 1, then: func(p *Pool, _ pipeline.Lease, _ func(error)) { p.Disable(first) },
			code: apierror.NoCredential, took: time.Second},
		{name: "the client leaves", n: 1, then: func(_ *Pool, _ pipeline.Lease, end func(error)) { end(nil) },
			code: apierror.ClientGone, took: time.Second},
		{name: "the server stops", n: 1, then: func(_ *Pool, _ pipeline.Lease, end func(error)) { end(apierror.New(apierror.Overloaded, "stops")) },
			code: apierror.Overloaded, took: time.Second},
		{name: "the pool is closed", n: 1, then: func(p *Pool, _ pipeline.Lease, _ func(error)) { _ = p.Close() },
			code: apierror.Overloaded, took: time.Second},
		{name: "it takes too long", n: 1, code: apierror.Overloaded, retry: 5 * time.Second, took: 30 * time.Second},
		{name: "nobody is to wait", n: 1, set: func(s *Settings) { s.QueueWait = 0 }, code: apierror.Overloaded, retry: time.Second},
		{name: "the line is full", n: 1, set: func(s *Settings) { s.QueueLength = 0 }, code: apierror.Overloaded, retry: 5 * time.Second},
		{name: "on its way", n: 1, waiting: Want{Tried: []string{first}, Prefer: first},
			then: func(_ *Pool, l pipeline.Lease, _ func(error)) { l.Release() }, token: "key-0", took: time.Second},
		{name: "on its way, all rest", n: 1, waiting: Want{Tried: []string{first}},
			then: func(p *Pool, l pipeline.Lease, _ func(error)) {
				l.Report(apierror.New(apierror.RateLimited, "no guess"))
				p.mu.Lock()
				p.rests(p.byID[first], time.Minute, cooldown{code: apierror.QuotaExhausted, status: 429})
				p.unlock()
			}, code: apierror.QuotaExhausted, retry: time.Minute, took: time.Second},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := narrow(t, row.n, 1, func(s *Settings) {
					if row.set != nil {
						row.set(s)
					}
				})
				l := take(t, p, Want{Model: "m"})
				if row.before != nil {
					row.before(p)
				}
				ctx, end := context.WithCancelCause(t.Context())
				defer end(nil)
				got := make(chan answer, 1)
				asks(ctx, p, "", row.waiting, got)
				if row.then != nil {
					time.Sleep(time.Second)
					row.then(p, l, end)
				}
				a := <-got
				if a.code() != row.code || a.took != row.took {
					t.Errorf("after %s: %v", a.took, a.fail)
				}
				if a.l != nil {
					if a.l.Token() != row.token {
						t.Errorf("got %s", a.l.Token())
					}
					a.l.Release()
				} else if a.fail.RetryAfter != row.retry {
					t.Errorf("Retry-After %s", a.fail.RetryAfter)
				}
				if a.code() == apierror.Overloaded && row.retry > 0 && (a.fail.Status != 503 || !strings.Contains(a.fail.Message, "all credentials are busy")) {
					t.Errorf("%+v", a.fail)
				}
				l.Release()
				if p.Waiting() != 0 || p.Leases() != 0 || p.queue[0].out != 0 {
					t.Errorf("%d wait, %d leases, %d calls", p.Waiting(), p.Leases(), p.queue[0].out)
				}
			})
		})
	}
}

// A full line gives the last place of who has the most to who has none; and a model that is not busy
// waits for nobody.
func TestNobodyFillsTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := narrow(t, 1, 1, func(s *Settings) { s.QueueLength = 3 })
		l := take(t, p, Want{Model: "m"})
		got := make(chan answer, 10)
		for _, name := range []string{"a1", "a2", "a3"} {
			asks(t.Context(), p, name, Want{Caller: "a"}, got)
		}
		asks(t.Context(), p, "a4", Want{Caller: "a"}, got)
		if a := <-got; a.name != "a4" || a.code() != apierror.Overloaded {
			t.Errorf("%s: %v", a.name, a.fail)
		}
		asks(t.Context(), p, "b1", Want{Caller: "b"}, got)
		if a := <-got; a.name != "a3" || a.code() != apierror.Overloaded {
			t.Errorf("%s: %v", a.name, a.fail)
		}
		for _, want := range []string{"a1", "b1", "a2"} {
			l.Release()
			a := <-got
			if l = a.l; a.name != want {
				t.Errorf("%s instead of %s", a.name, want)
			}
		}
		l.Release()
	})
}

// One lane that is full holds no other one up.
func TestLinePassesOverWhatIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := narrow(t, 2, 1)
		p.Configure(oauth.APIKey("key-0").ID, func(w *Wish) { w.Groups = []string{"g"} })
		a, b := take(t, p, Want{Model: "m"}), take(t, p, Want{Model: "m"})
		got := make(chan answer, 10)
		asks(t.Context(), p, "bound", Want{Caller: "x", Group: "g"}, got)
		asks(t.Context(), p, "free", Want{Caller: "x"}, got)
		b.Release() // key-1, of no group
		if c := <-got; c.name != "free" {
			t.Errorf("%s was served", c.name)
		} else {
			c.l.Release()
		}
		a.Release()
		if c := <-got; c.name != "bound" || c.l.Token() != "key-0" {
			t.Errorf("%+v", c)
		} else {
			c.l.Release()
		}
	})
}

// A client that leaves in the moment in which it is served gives back what it did not take.
func TestLeavingWhileServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := narrow(t, 1, 1)
		left := 0
		for i := range 20 {
			l := take(t, p, Want{Model: "m"})
			ctx, leave := context.WithCancel(t.Context())
			got := make(chan answer, 1)
			asks(ctx, p, "", Want{}, got)
			if i%2 == 0 {
				l.Release()
				leave()
			} else { // it has seen that it is to leave, and not yet done so
				p.mu.Lock()
				leave()
				p.giveBack(l.(*lease).entry)
				p.serve(p.now())
				p.mu.Unlock()
				p.out.Add(-1)
			}
			if a := <-got; a.l != nil {
				a.l.Release()
			} else {
				left++
			}
			if p.Waiting() != 0 || p.Leases() != 0 || p.queue[0].out != 0 {
				t.Fatalf("%d wait, %d leases, %d calls", p.Waiting(), p.Leases(), p.queue[0].out)
			}
		}
		if left != 10 {
			t.Errorf("%d of 20 left", left)
		}
	})
}

// Who comes when a rest has just ended does not overtake those who wait for that.
func TestNobodyOvertakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, c := keys(t, 2, func(o *Options) {
			o.Settings.KeyConcurrency, o.Settings.QueueWait, o.Settings.QueueLength = 1, time.Hour, 10
		})
		p.mu.Lock()
		p.rests(p.byID[keyID(1)], time.Minute, cooldown{code: apierror.RateLimited, status: 429})
		p.unlock()
		l := take(t, p, Want{Model: "m"})
		got := make(chan answer, 2)
		asks(t.Context(), p, "first", Want{Caller: "a"}, got)
		c.forward(time.Minute)
		asks(t.Context(), p, "second", Want{Caller: "b"}, got)
		a := <-got
		if a.name != "first" || a.l.Token() != "key-1" || p.Waiting() != 1 {
			t.Errorf("%+v, %d wait", a, p.Waiting())
		}
		a.l.Release()
		b := <-got
		b.l.Release()
		l.Release()
	})
}

// Many callers on few credentials, with clients that leave: nobody is refused or forgotten, and never
// are there more calls at a time than a credential takes.
func TestStormOnTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := narrow(t, 3, 2, func(s *Settings) { s.QueueWait = time.Hour })
		var mu sync.Mutex
		under, most, done := map[string]int{}, 0, map[string]int{}
		var wg sync.WaitGroup
		for caller := range 40 {
			for call := range 20 {
				r := rand.New(rand.NewPCG(uint64(caller), uint64(call)))
				wg.Go(func() {
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					if call%4 == 3 {
						defer time.AfterFunc(time.Duration(r.IntN(3000))*time.Millisecond, cancel).Stop()
					}
					name := fmt.Sprint("caller-", caller)
					l, fail := p.Acquire(ctx, Want{Model: "m", Caller: name})
					if fail != nil {
						if fail.Code != apierror.ClientGone {
							t.Error(fail)
						}
						return
					}
					mu.Lock()
					under[l.ID()]++
					most = max(most, under[l.ID()])
					done[name]++
					mu.Unlock()
					time.Sleep(time.Duration(1+r.IntN(50)) * time.Millisecond)
					mu.Lock()
					under[l.ID()]--
					mu.Unlock()
					l.Report(nil)
					l.Release()
				})
			}
		}
		wg.Wait()
		for name, n := range done {
			if n < 15 {
				t.Errorf("%s had %d calls", name, n)
			}
		}
		if most != 2 || p.Waiting() != 0 || p.Leases() != 0 || len(p.line.turn)+len(p.line.by)+len(p.line.lanes)+p.line.asked != 0 {
			t.Errorf("%d at a time, %d wait, %d leases, %+v", most, p.Waiting(), p.Leases(), p.line)
		}
	})
}

// A storm of 429 on nine of ten costs no client an error, and nobody a wait.
func TestStormOfLimits(t *testing.T) {
	p, c := keys(t, 10)
	began := c.at
	calls := 0
	for i := range 200 {
		story := walk(t, p, c, func(token string) *apierror.Error {
			calls++
			if token == "key-6" {
				return nil
			}
			return rate(time.Hour)
		})
		if !strings.HasSuffix(story, " key-6 ok") {
			t.Fatalf("request %d: %s", i, story)
		}
	}
	if calls != 200+9 || c.at != began {
		t.Errorf("%d calls, %s waited", calls, c.at.Sub(began))
	}
}
