package storetest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gcli2api/store"
)

// Bench measures an engine: each call one after the other, and in a crowd of 64 that know nothing of each
// other, which is what the gateway does under load. Beside a like, that engine is measured in the same run, and
// the metric ratio is how many times as many calls it makes.
func Bench(b *testing.B, e Engine, like ...Engine) {
	for _, c := range []struct {
		name string
		call benched
	}{{"Get", benchGet}, {"Put", benchPut}, {"Take", benchTake}, {"Add10", benchAdd(10)}, {"Add100", benchAdd(100)}} {
		for _, callers := range []int{1, crowd} {
			b.Run(fmt.Sprint(c.name, "/", callers), func(b *testing.B) {
				b.StopTimer()
				reference := 0.0
				for _, other := range like {
					reference = measure(b, other, callers, c.call)
				}
				b.ResetTimer()
				rate := measure(b, e, callers, c.call)
				b.ReportMetric(rate, "calls/s")
				if reference > 0 {
					b.ReportMetric(reference/rate, "ratio")
				}
			})
		}
	}
}

// benched is call number n.
type benched func(s store.Store, b *testing.B, n int64) error

func benchID(n int64) string { return fmt.Sprint("doc/", n%5000) }

func benchGet(s store.Store, b *testing.B, _ int64) error {
	_, err := s.Get(b.Context(), table, benchID(0))
	return err
}

func benchPut(s store.Store, b *testing.B, n int64) error {
	body := []byte(`{"disabled":false,"cooldown":"2026-01-01T00:00:00Z","codes":[429,429]}`)
	_, err := s.Put(b.Context(), table, store.Doc{ID: benchID(n), Body: body}, store.Any)
	return err
}

func benchTake(s store.Store, b *testing.B, n int64) error {
	_, err := s.Take(b.Context(), benchID(n), 1, 1<<60)
	return err
}

// benchAdd is a batch: 10 is what a request counts.
func benchAdd(size int64) benched {
	return func(s store.Store, b *testing.B, n int64) error {
		deltas := make([]store.Delta, size)
		for i := range deltas {
			deltas[i] = store.Delta{Counter: benchID(n + int64(i)), N: 1}
		}
		return s.Add(b.Context(), deltas)
	}
}

// measure gives calls a second, and reports the round trips of a call where they can be counted.
func measure(b *testing.B, e Engine, callers int, call benched) float64 {
	s := e.Fresh(b)(b, time.Now)
	defer s.Close()
	if _, err := s.Put(b.Context(), table, store.Doc{ID: benchID(0), Body: []byte("1")}, store.Any); err != nil {
		b.Fatal(err)
	}
	if err := call(s, b, 0); err != nil { // whatever happens once
		b.Fatal(err)
	}
	trips := func() int64 { return 0 }
	if e.Trips != nil {
		trips = e.Trips(s)
	}
	before := trips()
	var next atomic.Int64
	var wg sync.WaitGroup
	begun := time.Now()
	b.StartTimer()
	for range callers {
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
	b.StopTimer()
	if e.Trips != nil {
		b.ReportMetric(float64(trips()-before)/float64(b.N), "trips/op")
	}
	return float64(b.N) / time.Since(begun).Seconds()
}
