package pool

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"gcli2api/store/oauth"
)

// rested is a pool of n credentials of which some have rests.
func rested(b testing.TB, n int, rotation string, rests func(i int) bool) *Pool {
	p, _ := keys(b, 0, func(o *Options) { o.Now = time.Now })
	s := p.set
	s.CallsPerRotation, s.Rotation, s.KeyConcurrency = 10, rotation, 1000
	p.Apply(s)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = nil
	for i := range n {
		c := oauth.APIKey(fmt.Sprintf("key-%d", i))
		p.keys = append(p.keys, p.newEntry(c, nil, nil))
	}
	p.replace(p.keys, nil)
	now := time.Now().UnixNano()
	for i, e := range p.queue {
		if rests(i) {
			e.mark("gemini-2.5-pro", now).until = now + int64(time.Hour)
		}
	}
	p.turn(lane{model: "gemini-2.5-pro", kinds: 7}, &Want{Talk: 1}, now) // what is laid out once
	return p
}

// arrangements are who rests of n; none of them may make a pick slow.
func arrangements(n int) map[string]func(i int) bool {
	return map[string]func(i int) bool{
		"first half":   func(i int) bool { return i < n/2 },
		"every other":  func(i int) bool { return i%2 == 0 },
		"all but last": func(i int) bool { return i < n-1 },
		"none":         func(int) bool { return false },
		"all":          func(int) bool { return true },
	}
}

func BenchmarkPick(b *testing.B) {
	for _, n := range []int{1000, 10000} {
		for _, rotation := range []string{Counted, LeastUsed, Random, Sticky} {
			for name, rests := range arrangements(n) {
				b.Run(fmt.Sprintf("%d/%s/%s", n, rotation, strings.ReplaceAll(name, " ", "_")), func(b *testing.B) {
					pick(b, rested(b, n, rotation, rests), name == "all")
				})
			}
		}
	}
}

// pick is what one request costs, the lease and its end included, without memory for the lease.
func pick(b *testing.B, p *Pool, fails bool) {
	b.SetParallelism(16 / runtime.GOMAXPROCS(0))
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		w := Want{Model: "gemini-2.5-pro"}
		for pb.Next() {
			w.Talk++
			k := p.laneOf(&w)
			now := time.Now().UnixNano()
			p.mu.Lock()
			e := p.turn(k, &w, now)
			if e != nil {
				p.hold(e)
				p.giveBack(e)
			}
			p.mu.Unlock()
			if (e == nil) != fails {
				b.Error("picked wrongly")
			}
		}
	})
}

// sixteen is the time a pick takes with 16 goroutines, the lease and its end included.
func sixteen(b *testing.B, p *Pool, picks int) time.Duration {
	var all sync.WaitGroup
	begun := time.Now()
	for g := range 16 {
		all.Go(func() {
			w := Want{Model: "gemini-2.5-pro", Talk: uint64(g) << 32}
			for range picks / 16 {
				w.Talk++
				k := p.laneOf(&w)
				now := time.Now().UnixNano()
				p.mu.Lock()
				e := p.turn(k, &w, now)
				if e == nil {
					b.Error("nobody")
				} else {
					p.hold(e)
					p.giveBack(e)
				}
				p.mu.Unlock()
			}
		})
	}
	all.Wait()
	return time.Since(begun) / time.Duration(picks)
}

// BenchmarkPickGrowth prints what a pick takes among 1,000 and among 10,000 of which half rest, and the
// ratio: the best of many short rounds in turn, so that both have had the same machine.
func BenchmarkPickGrowth(b *testing.B) {
	for _, rotation := range []string{Counted, LeastUsed, Random, Sticky} {
		b.Run(rotation, func(b *testing.B) {
			half := func(i int) bool { return i%2 == 0 }
			few, many := rested(b, 1000, rotation, half), rested(b, 10000, rotation, half)
			best := [2]time.Duration{time.Hour, time.Hour}
			for range max(b.N, 40) {
				for i, p := range []*Pool{few, many} {
					best[i] = min(best[i], sixteen(b, p, 16_000))
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(best[0]), "ns/pick-of-1000")
			b.ReportMetric(float64(best[1]), "ns/pick-of-10000")
			b.ReportMetric(float64(best[1])/float64(best[0]), "ratio")
		})
	}
}

func BenchmarkAcquire(b *testing.B) {
	for _, n := range []int{1000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p := rested(b, n, Counted, func(i int) bool { return i%2 == 0 })
			b.SetParallelism(16 / runtime.GOMAXPROCS(0))
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					l, fail := p.Acquire(context.Background(), Want{Model: "gemini-2.5-pro"})
					if fail != nil {
						b.Error(fail)
						return
					}
					l.Report(nil)
					l.Release()
				}
			})
		})
	}
}

// Ten thousand credentials, half of which rest for each of five models, with a thousand lanes in use and
// every rotation tried: what the pool keeps for them leaves a process of 80 MB most of its room.
func TestMemoryOfTenThousand(t *testing.T) {
	used := func() float64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc) / (1 << 20)
	}
	before := used()
	p := rested(t, 10000, Sticky, func(i int) bool { return i%2 == 0 })
	now := time.Now().UnixNano()
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, e := range p.queue {
		for m := range 4 {
			if (i+m)%2 == 0 {
				e.mark(fmt.Sprint("model-", m), now).until = now + int64(time.Hour)
			}
		}
	}
	p.index.stale = true
	for _, rotation := range []string{Sticky, LeastUsed, Random, Counted} {
		p.set.Rotation = rotation
		for i := range 1000 {
			p.turn(lane{model: fmt.Sprint("model-", i%300), kinds: 1 + uint8(i%7)}, &Want{Talk: 1}, now)
		}
	}
	grown := used() - before
	t.Logf("%.1f MB", grown)
	if grown > 40 {
		t.Errorf("%.1f MB", grown)
	}
	runtime.KeepAlive(p)
}
