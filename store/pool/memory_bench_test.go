package pool

import (
	"fmt"
	"path/filepath"
	"runtime"
	"testing"

	"gcli2api/pipeline"
)

// BenchmarkSaveCounts is the tick of every ten seconds when all of 10,000 credentials were used since
// the last one, on the embedded store.
func BenchmarkSaveCounts(b *testing.B) {
	const n = 10_000
	p := newNode(b, flakyStore(b, filepath.Join(b.TempDir(), "x.db")), n)
	for b.Loop() {
		b.StopTimer()
		for _, e := range p.queue {
			p.mu.Lock()
			l := &lease{pool: p.Pool, entry: e, lane: lane{model: proModel}}
			p.mu.Unlock()
			l.Report(nil)
		}
		b.StartTimer()
		p.saveCounts()
		if err := p.m.Sync(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCount is what a success costs more than before.
func BenchmarkCount(b *testing.B) {
	p, _ := counting(b, 1000, func(s *Settings) { s.EnforceLimits, s.DailyPro, s.DailyTotal = true, 1<<40, 1<<40 })
	l := &lease{pool: p, entry: p.queue[0], lane: lane{model: proModel}, free: !costs(pipeline.Generate)}
	b.ReportAllocs()
	for b.Loop() {
		l.Report(nil)
	}
}

// BenchmarkStatesInMemory tells what 10,000 credentials with a full day behind them take.
func BenchmarkStatesInMemory(b *testing.B) {
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		p := newNode(b, flakyStore(b, filepath.Join(b.TempDir(), fmt.Sprint(b.N, ".db"))), 10_000)
		for _, e := range p.queue {
			for h := range int32(24) {
				e.hours = countHour(e.hours, 400_000+h)
			}
			e.calls++
		}
		p.saveCounts()
		if err := p.m.Sync(b.Context()); err != nil {
			b.Fatal(err)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/10_000, "B/credential")
		runtime.KeepAlive(p)
	}
}

// BenchmarkLook is what a look for changes of others costs when nothing but our own was written.
func BenchmarkLook(b *testing.B) {
	p := newNode(b, flakyStore(b, filepath.Join(b.TempDir(), "x.db")), 10_000)
	for _, e := range p.queue {
		e.calls++
	}
	p.saveCounts()
	if err := p.m.Sync(b.Context()); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		p.m.look(b.Context(), -1)
	}
}
