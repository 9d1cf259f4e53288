package storetest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gcli2api/store"
)

// Bench measures an engine: reads and writes one after the other, and writes of a crowd of 64 that
// know nothing of each other, which is what the gateway does under load.
func Bench(b *testing.B, e Engine) {
	body := []byte(`{"disabled":false,"cooldown":"2026-01-01T00:00:00Z","codes":[429,429]}`)
	const ids = 5000
	id := func(n int64) string { return fmt.Sprint("doc/", n%ids) }
	put := func(s store.Store, b *testing.B, n int64) error {
		_, err := s.Put(b.Context(), table, store.Doc{ID: id(n), Body: body}, store.Any)
		return err
	}
	get := func(s store.Store, b *testing.B, n int64) error {
		_, err := s.Get(b.Context(), table, id(0))
		return err
	}
	take := func(s store.Store, b *testing.B, n int64) error {
		_, err := s.Take(b.Context(), id(n), 1, 1<<60)
		return err
	}
	add := func(s store.Store, b *testing.B, n int64) error {
		deltas := make([]store.Delta, 10) // what a request counts
		for i := range deltas {
			deltas[i] = store.Delta{Counter: id(n + int64(i)), N: 1}
		}
		return s.Add(b.Context(), deltas)
	}
	for _, c := range []struct {
		name    string
		writers int
		call    func(store.Store, *testing.B, int64) error
	}{
		{"Get", 1, get}, {"Put", 1, put}, {"Take", 1, take}, {"Add10", 1, add},
		{"Get/64", crowd, get}, {"Put/64", crowd, put}, {"Take/64", crowd, take}, {"Add10/64", crowd, add},
	} {
		b.Run(c.name, func(b *testing.B) { measure(b, e, c.writers, c.call) })
	}
}

func measure(b *testing.B, e Engine, writers int, call func(store.Store, *testing.B, int64) error) {
	s := e.Fresh(b)(b, time.Now)
	defer s.Close()
	if _, err := s.Put(b.Context(), table, store.Doc{ID: "doc/0", Body: []byte("1")}, store.Any); err != nil {
		b.Fatal(err)
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	for range writers {
		wg.Go(func() {
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				if err := call(s, b, n*7919); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}
