package apikey

import (
	"context"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gcli2api/store"
)

// cpu is what this process has used so far.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkReserve is the way of a call through the book: its key is looked up, the price reserved, written
// and kept. All that this process does for it counts, the writer and the store as well; calls come as they
// do at 3,000 a second, or one behind the other as fast as it goes.
func BenchmarkReserve(b *testing.B) {
	for name, callers := range map[string]int{"calls": 1, "64-callers": 64} {
		b.Run(name, func(b *testing.B) {
			book := openOn(b, onDisk(b), nil)
			one, secret, err := book.Keys.Create(b.Context(), Terms{Quota: 1e15, Daily: 1e15})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.ResetTimer()
			before := cpu(b)
			crowd(callers, b.N, func() {
				found, ok := book.Keys.Find(secret)
				if !ok || found.ID != one.ID {
					b.Fatal("the key is not there")
				}
				bill, fail := book.Ledger.Reserve(context.Background(), Ask{Key: found.ID, Model: pro})
				if fail != nil {
					b.Fatal(fail)
				}
				if callers > 1 { // Google works meanwhile, and then the answer waits
					time.Sleep(20 * time.Millisecond)
					if fail := bill.Commit(context.Background()); fail != nil {
						b.Fatal(fail)
					}
				}
				bill.Close(true, Tokens{})
			})
			if err := book.Close(); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

// crowd makes n calls, by several callers at a time.
func crowd(callers, n int, call func()) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for next.Add(1) <= int64(n) {
				call()
			}
		})
	}
	wg.Wait()
}

// BenchmarkCharge compares, in one run, the charges of 64 callers on one key with the bare group committer:
// as many callers, each of which adds to a counter and waits until that is written.
func BenchmarkCharge(b *testing.B) {
	const callers, rounds = 64, 5
	var bare, charged time.Duration
	n := max(b.N/rounds, callers)
	for range rounds {
		s := onDisk(b)
		began := time.Now()
		crowd(callers, n, func() {
			if err := s.Add(context.Background(), []store.Delta{{Counter: "bare", N: 1}}); err != nil {
				b.Fatal(err)
			}
		})
		bare += time.Since(began)

		book := openOn(b, s, nil)
		one := newKey(b, book, Terms{Quota: 1e15})
		began = time.Now()
		crowd(callers, n, func() {
			bill, fail := book.Ledger.Reserve(context.Background(), Ask{Key: one.ID, Model: pro})
			if fail == nil {
				fail = bill.Commit(context.Background())
			}
			if fail != nil {
				b.Fatal(fail)
			}
			bill.Close(true, Tokens{})
		})
		charged += time.Since(began)
		_ = book.Close()
	}
	total := float64(n * rounds)
	b.ReportMetric(total/bare.Seconds(), "bare/s")
	b.ReportMetric(total/charged.Seconds(), "charged/s")
	b.ReportMetric(bare.Seconds()/charged.Seconds(), "ratio")
	b.ReportMetric(0, "ns/op")
}
