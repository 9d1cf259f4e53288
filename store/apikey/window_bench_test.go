package apikey

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"gcli2api/pipeline/wire"
)

// BenchmarkLimits is one request in and out of the windows of a process that is alone.
func BenchmarkLimits(b *testing.B) {
	for name, one := range map[string]*Key{
		"none":     limited("k", 0, 0, 0),
		"requests": limited("k", 1<<40, 0, 0),
		"all":      limited("k", 1<<40, 1<<40, 1<<20),
	} {
		b.Run(name, func(b *testing.B) {
			w := &windows{newLocalWindows(time.Now)}
			b.ReportAllocs()
			for b.Loop() {
				p, fail := w.enter(context.Background(), one, Tokens{Input: 10})
				if fail != nil {
					b.Fatal(fail)
				}
				p.leave(true, Tokens{10, 10})
			}
		})
	}
}

// BenchmarkLimitsOfManyKeys has every core at work on a thousand keys.
func BenchmarkLimitsOfManyKeys(b *testing.B) {
	w := &windows{newLocalWindows(time.Now)}
	var keys []*Key
	for i := range 1000 {
		keys = append(keys, limited(fmt.Sprint("key", i), 1<<40, 1<<40, 1<<20))
	}
	var next atomic.Int64
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		i := int(next.Add(100))
		for pb.Next() {
			i++
			p, fail := w.enter(context.Background(), keys[i%len(keys)], Tokens{Input: 10})
			if fail != nil {
				b.Error(fail)
				return
			}
			p.leave(true, Tokens{10, 10})
		}
	})
}

// BenchmarkLimitHeaders is what telling them costs.
func BenchmarkLimitHeaders(b *testing.B) {
	p := &pass{requests: level{60, 59, 59874 * time.Millisecond}, tokens: level{150_000, 149_984, time.Second}}
	b.ReportAllocs()
	for b.Loop() {
		p.tell(wire.OpenAI, func(string, string) {})
	}
}

// BenchmarkLimitsShared is one request in and out on a store that others write to, here on this disk.
func BenchmarkLimitsShared(b *testing.B) {
	w := node(oneStore(b, time.Now), time.Now)
	one := limited("k", 1<<40, 1<<40, 1<<20)
	for b.Loop() {
		p, fail := w.enter(context.Background(), one, Tokens{Input: 10})
		if fail != nil {
			b.Fatal(fail)
		}
		p.leave(true, Tokens{10, 10})
	}
}
