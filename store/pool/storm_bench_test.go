package pool

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"
)

// storm lets n clients of some callers want the few places of 10 credentials, each again and again.
func storm(b *testing.B, n, callers int) {
	p, _ := keys(b, 10, func(o *Options) {
		o.Now = time.Now
		o.Settings.KeyConcurrency, o.Settings.QueueWait, o.Settings.QueueLength = 2, time.Minute, 10_000
	})
	served := make([]int, n)
	var all sync.WaitGroup
	left := make(chan struct{}, b.N)
	for range b.N {
		left <- struct{}{}
	}
	close(left)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range n {
		all.Go(func() {
			for range left {
				l, fail := p.Acquire(context.Background(), Want{Model: "m", Caller: fmt.Sprint("caller-", i%callers)})
				if fail != nil {
					b.Error(fail)
					return
				}
				l.Report(nil)
				l.Release()
				served[i]++
			}
		})
	}
	all.Wait()
}

// BenchmarkStorm is what a call costs while so many wait for 20 places: it must not grow with them.
func BenchmarkStorm(b *testing.B) {
	for _, n := range []int{200, 2000, 8000} {
		for _, callers := range []int{1, 100, 2000} {
			b.Run(fmt.Sprintf("%d_clients/%d_callers", n, min(n, callers)), func(b *testing.B) { storm(b, n, callers) })
		}
	}
}
