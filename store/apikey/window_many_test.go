package apikey

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// inAny is the most of times within any stretch of such a length.
func inAny(length time.Duration, at []time.Time) (most int) {
	slices.SortFunc(at, time.Time.Compare)
	first := 0
	for i := range at {
		for at[i].Sub(at[first]) >= length {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// Sixty-four at a time, a second after the other: never more than the limit in any minute, never more than the
// places, and all of the limit is used.
func TestManyAtATime(t *testing.T) {
	const callers, perMinute, places, seconds = 64, 400, 7, 150
	for name, make := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newHandClock()
			w, one := make(c), limited("k", perMinute, 0, places)
			var running, most atomic.Int64
			var mu sync.Mutex
			var let []time.Time
			call := func() {
				p, fail := w.enter(context.Background(), one, Tokens{})
				if fail != nil {
					return
				}
				now := running.Add(1)
				for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
				}
				mu.Lock()
				let = append(let, c.now())
				mu.Unlock()
				running.Add(-1)
				p.leave(true, Tokens{})
			}
			for range seconds {
				var all sync.WaitGroup
				for range callers {
					all.Go(call)
				}
				all.Wait()
				c.move(time.Second)
			}
			if m := most.Load(); m > places {
				t.Errorf("%d requests were under way at a time, %d may be", m, places)
			}
			if n := inAny(time.Minute, let); n > perMinute {
				t.Errorf("%d within a minute, the limit is %d", n, perMinute)
			}
			if n := len(let); n < 2*perMinute {
				t.Errorf("only %d were let in within %d s", n, seconds)
			}
		})
	}
}

// Never more than the limit in any sixty seconds, whatever comes when and how long it takes; and whoever
// waits as long as he is told gets in where nobody else came.
func TestNeverMoreThanTheLimitInAnyMinute(t *testing.T) {
	for name, make := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runs, turns := uint64(30), 2000
			if name == "shared" {
				runs, turns = 6, 250
			}
			for seed := range runs {
				r := rand.New(rand.NewPCG(seed, 3))
				c := newHandClock()
				limit := int64(1 + r.IntN(300))
				w, one := make(c), limited("k", limit, 0, 0)
				var let []time.Time
				pace := time.Minute / time.Duration(limit) * 2
				for range turns {
					c.move(rand.N(pace))
					p, fail := w.enter(context.Background(), one, Tokens{})
					switch {
					case fail == nil && r.IntN(5) == 0:
						p.drop()
					case fail == nil:
						let = append(let, c.now())
						p.leave(true, Tokens{})
					case r.IntN(3) == 0:
						c.move(fail.RetryAfter)
						if name == "shared" && fail.RetryAfter == time.Minute {
							c.move(step * time.Second) // a request counts for up to 65 s there, and nobody is told more than 60
						}
						if p, fail = w.enter(context.Background(), one, Tokens{}); fail != nil {
							t.Fatalf("seed %d: refused after the time that was told: %v", seed, fail)
						}
						let = append(let, c.now())
						p.leave(true, Tokens{})
					}
				}
				if most := inAny(time.Minute, let); int64(most) > limit {
					t.Errorf("seed %d: %d requests within a minute, the limit is %d", seed, most, limit)
				}
			}
		})
	}
}
