package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"gcli2api/store"
)

// restart: what was written is there for the next one who opens the data.
func restart(k *kit) {
	until := k.clock.Now().Add(24 * time.Hour).Truncate(time.Millisecond)
	k.put("a", `{"v":1}`, store.New)
	k.put("a", `{"v":2}`, 1)
	_, err := k.putUntil("b", `"中"`, store.New, until)
	k.ok(err)
	k.put("c", "1", store.New)
	k.ok(k.s.Delete(k.ctx, table, "c", 1))
	_, err = k.s.Take(k.ctx, "taken", 3, 5)
	k.ok(err)
	k.ok(k.s.Add(k.ctx, []store.Delta{{Counter: "added", N: 7}}))
	was, err := k.s.Revision(k.ctx)
	k.ok(err)
	for range 3 {
		k.shut()
		k.start()
		k.has("a", `{"v":2}`, 2)
		if d := k.has("b", `"中"`, 1); !d.Expires.Equal(until) {
			k.Fatalf("it expires at %v", d.Expires)
		}
		k.gone("c")
		k.counter("added", 7)
		k.counter("taken", 3)
		if now, err := k.s.Revision(k.ctx); err != nil || now < was {
			k.Fatalf("revision %d %v, was %d", now, err, was)
		}
	}
	_, err = k.s.Take(k.ctx, "taken", 3, 5)
	k.is("the limit", err, store.ErrExhausted)
	k.put("a", `{"v":3}`, 2)
	if now, err := k.s.Revision(k.ctx); err != nil || now <= was {
		k.Fatalf("revision %d %v, was %d", now, err, was)
	}
}

// calls is every method once, with what it says.
func calls(ctx context.Context, s store.Store) map[string]func() error {
	return map[string]func() error{
		"Get":  func() error { _, err := s.Get(ctx, table, "a"); return err },
		"List": func() error { _, err := s.List(ctx, table, "", 1); return err },
		"Put": func() error {
			_, err := s.Put(ctx, table, store.Doc{ID: "a", Body: []byte("2")}, store.Any)
			return err
		},
		"Delete":   func() error { return s.Delete(ctx, table, "a", store.Any) },
		"Take":     func() error { _, err := s.Take(ctx, "n", 1, 10); return err },
		"AddOnce":  func() error { return s.AddOnce(ctx, "id", []store.Delta{{Counter: "n", N: 1}}) },
		"Add":      func() error { return s.Add(ctx, []store.Delta{{Counter: "n", N: 1}}) },
		"Counters": func() error { _, err := s.Counters(ctx, ""); return err },
		"Claim":    func() error { _, err := s.Claim(ctx, "l", "me", time.Minute); return err },
		"Watch":    func() error { _, err := s.Watch(ctx); return err },
		"Revision": func() error { _, err := s.Revision(ctx); return err },
	}
}

func closed(k *kit) {
	k.put("a", "1", store.New)
	k.ok(k.s.Close())
	k.ok(k.s.Close())
	for name, call := range calls(k.ctx, k.s) {
		k.is(name, call(), store.ErrClosed)
	}
	k.ok(k.s.Close())
}

// closeUnderLoad: everybody gets an answer, and those who heard that it was done find it done.
func closeUnderLoad(k *kit) {
	var done atomic.Int64
	var wg sync.WaitGroup
	started := make(chan struct{}, crowd)
	for i := range crowd {
		wg.Go(func() {
			for n := 0; ; n++ {
				_, err := k.s.Take(k.ctx, "n", 1, 1<<40)
				if err == nil {
					_, err = k.s.Get(k.ctx, table, fmt.Sprint(i))
					done.Add(1)
				}
				if n == 0 {
					started <- struct{}{}
				}
				if err != nil && !errors.Is(err, store.ErrNotFound) {
					if !errors.Is(err, store.ErrClosed) {
						k.Error(err)
					}
					return
				}
			}
		})
	}
	for range crowd {
		<-started
	}
	k.ok(k.s.Close())
	wg.Wait()
	k.shut()
	k.start()
	got, err := k.s.Counters(k.ctx, "n")
	k.ok(err)
	// A call that was under way may be done although its answer was ErrClosed.
	if n := got["n"]; n < done.Load() || n > done.Load()+crowd {
		k.Fatalf("%d answers, %d done", done.Load(), n)
	}
}

func cancelled(k *kit) {
	k.put("a", "1", store.New)
	ctx, cancel := context.WithCancel(k.ctx)
	cancel()
	for name, call := range calls(ctx, k.s) {
		if err := call(); !errors.Is(err, context.Canceled) {
			k.Errorf("%s: %v", name, err)
		}
	}
	k.has("a", "1", 1)
	k.counter("n", 0)
	// Others who wait are not disturbed by those who leave.
	var left atomic.Int64
	k.all(crowd, func(i int, s store.Store) {
		ctx, cancel := context.WithTimeout(k.ctx, time.Duration(i%8)*100*time.Microsecond)
		if i%8 == 0 {
			ctx, cancel = context.WithCancel(k.ctx)
		}
		defer cancel()
		switch _, err := s.Take(ctx, "m", 1, 1000); {
		case err == nil:
			left.Add(1)
		case i%8 == 0 || !errors.Is(err, context.DeadlineExceeded):
			k.Error(err)
		}
	})
	got, err := k.s.Counters(k.ctx, "m")
	k.ok(err)
	if n := got["m"]; n < left.Load() || n > crowd {
		k.Fatalf("%d answers, %d done", left.Load(), n)
	}
}
