package ephemeral

import (
	"context"
	"sync"
)

// each calls do for 0 to n-1, some of them at a time, and waits for all. The first error ends it.
func each(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	if n == 1 {
		return do(ctx, 0)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var (
		all   sync.WaitGroup
		once  sync.Once
		first error
	)
	fail := func(err error) { once.Do(func() { first = err; stop() }) }
	room := make(chan struct{}, writers)
	for i := range n {
		room <- struct{}{} // those who have it give it back, at the latest when ctx ends
		if err := ctx.Err(); err != nil {
			fail(err)
			break
		}
		all.Go(func() {
			defer func() { <-room }()
			if err := do(ctx, i); err != nil {
				fail(err)
			}
		})
	}
	all.Wait()
	return first
}
