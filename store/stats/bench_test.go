package stats

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"gcli2api/store"
	"gcli2api/store/embedded"
)

// fill writes days of figures as the version before did: of so many credentials, five counters each.
func fill(b *testing.B, st store.Store, creds, days int) {
	b.Helper()
	today := dayOfHour(hourOf(time.Now()))
	for day := range int64(days) {
		var deltas []store.Delta
		for cred := range creds {
			for n, what := range []string{"calls", "errors", "prompt", "output", "total"} {
				deltas = append(deltas, store.Delta{Counter: fmt.Sprintf("%scred/%05d.json/gemini-2.5-pro/%s", dayPrefix(today-day), cred, what), N: int64(n + 1)})
			}
		}
		if err := st.Add(b.Context(), deltas); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpen starts on 92 days of figures: the first time after the version before, and every other time.
func BenchmarkOpen(b *testing.B) {
	for _, creds := range []int{40, 400, 4400} {
		b.Run(fmt.Sprintf("%d counters", creds*92*5), func(b *testing.B) {
			if creds > 400 && b.N == 1 && testing.Short() {
				b.Skip("takes a minute to write")
			}
			db, err := embedded.Open(embedded.Options{Path: filepath.Join(b.TempDir(), "x.db")})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			fill(b, db, creds, 92)
			first := time.Now()
			opened(b, db)
			took := time.Since(first)
			b.ReportAllocs()
			for b.Loop() {
				opened(b, db)
			}
			b.ReportMetric(float64(took.Milliseconds()), "ms-the-first-time")
		})
	}
}

func opened(b *testing.B, db store.Store) {
	s, err := Open(b.Context(), Options{Store: db, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkFlush writes what two seconds with so many credentials come to.
func BenchmarkFlush(b *testing.B) {
	for _, creds := range []int{1, 100, 2000} {
		b.Run(fmt.Sprint(creds, " credentials"), func(b *testing.B) {
			db, err := embedded.Open(embedded.Options{Path: filepath.Join(b.TempDir(), "x.db")})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			s, err := Open(b.Context(), Options{Store: db, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			b.ReportAllocs()
			for b.Loop() {
				for i := range creds {
					r := served("key-1", fmt.Sprint(i, ".json"), "m")
					r.First, r.Took, r.Tries[0].First, r.Tries[0].Took = time.Second, time.Second, time.Second, time.Second
					s.Record(r)
				}
				if !s.flush(b.Context()) {
					b.Fatal("not flushed")
				}
			}
		})
	}
}

// BenchmarkServedByKey is a list of a thousand keys.
func BenchmarkServedByKey(b *testing.B) {
	s := New()
	for i := range 1000 {
		for m := range 5 {
			s.Record(served(fmt.Sprint("key-", i), "c", fmt.Sprint("m", m)))
		}
	}
	runtime.GC()
	b.ReportAllocs()
	for b.Loop() {
		for i := range 1000 {
			if len(s.ByKey(fmt.Sprint("key-", i))) != 5 {
				b.Fatal("lost")
			}
		}
	}
}
