package apikey

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"gcli2api/store"
)

// trips is a store that counts what it is asked for keys: all calls, and how many had to wait for an earlier one.
type trips struct {
	store.Store
	calls atomic.Int64
	held  chan func()
}

func (s *trips) call() {
	s.calls.Add(1)
	if s.held == nil {
		return
	}
	let := make(chan struct{})
	s.held <- func() { close(let) }
	<-let
}

func (s *trips) Take(ctx context.Context, counter string, n, limit int64) (int64, error) {
	s.call()
	return s.Store.Take(ctx, counter, n, limit)
}

func (s *trips) Counters(ctx context.Context, prefix string) (map[string]int64, error) {
	if prefix != changes {
		s.call()
	}
	return s.Store.Counters(ctx, prefix)
}

func (s *trips) Claim(ctx context.Context, name, owner string, ttl time.Duration) (bool, error) {
	if ttl > 0 {
		s.call()
	}
	return s.Store.Claim(ctx, name, owner, ttl)
}

// waits has a request made, and says how many calls it made before its answer, and in how many round trips: all
// calls that are there together are let go together.
func (s *trips) waits(t *testing.T, calls int64, do func() *Bill) (bill *Bill, trips int) {
	t.Helper()
	s.calls.Store(0)
	s.held = make(chan func(), 64)
	done := make(chan *Bill, 1)
	go func() { done <- do() }()
	var open []func()
	came := int64(0)
	for {
		select {
		case let := <-s.held:
			came++
			open = append(open, let)
			if came < calls { // those of the same trip are on their way
				continue
			}
			trips++
			for _, let := range open {
				let()
			}
			open = nil
		case bill = <-done:
			s.held = nil
			return bill, trips
		case <-time.After(20 * time.Second):
			t.Fatalf("%d calls came together, not %d", s.calls.Load(), calls)
		}
	}
}

// TestOneRoundTrip: a request of a known key waits for the store once, whatever its limits are: all that it asks
// is asked at the same time. A key with a quota alone asks one thing.
func TestOneRoundTrip(t *testing.T) {
	for _, kind := range []struct {
		name        string
		terms       Terms
		first, then int64 // calls of the first request in five seconds, and of others
	}{
		{"a quota", Terms{}, 1, 1},
		{"a quota that renews", Terms{Renews: Monthly}, 1, 1},
		{"and one of the day", Terms{Daily: 500}, 2, 2},
		{"requests at a time", Terms{Concurrency: 5}, 2, 2},
		{"requests a minute", Terms{Requests: 50}, 7, 2},
		{"tokens a minute", Terms{Tokens: 5000}, 7, 2},
		{"all of them", Terms{Daily: 500, Requests: 50, Tokens: 5000, Concurrency: 5}, 10, 5},
	} {
		t.Run(kind.name, func(t *testing.T) {
			c := &clock{}
			c.at.Store(time.Date(2026, 11, 17, 12, 0, 0, 0, time.UTC).UnixNano())
			s := &trips{Store: onDisk(t)}
			b := openOn(t, s, c)
			kind.terms.Quota = 1000
			one := newKey(t, b, kind.terms)
			for i, calls := range []int64{kind.first, kind.then, kind.then} {
				bill, trips := s.waits(t, calls, func() *Bill {
					bill, fail := b.Ledger.Reserve(context.Background(), Ask{Key: one.ID, Model: flash, Tokens: Tokens{Input: 10}})
					if fail != nil {
						t.Error(fail)
					}
					return bill
				})
				if t.Failed() {
					return
				}
				if made := s.calls.Load(); made != calls || trips != 1 {
					t.Errorf("request %d: %d calls in %d round trips, want %d in one", i, made, trips, calls)
				}
				if fail := bill.Commit(context.Background()); fail != nil || s.calls.Load() != calls {
					t.Errorf("the answer waits for more: %v", fail)
				}
				bill.Close(true, Tokens{Input: 10, Output: 10})
			}
		})
	}
}
