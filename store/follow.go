package store

import (
	"context"
	"time"
)

// Follow calls look whenever something of a table may have changed, until ctx is over: at each hint, and
// after each pause for what no hint told of. On a store of one process nobody else changes anything, and
// it only waits.
func Follow(ctx context.Context, s Store, t Table, pause time.Duration, look func(context.Context)) {
	if Alone(s) {
		<-ctx.Done()
		return
	}
	tick := time.NewTicker(pause)
	defer tick.Stop()
	hints, _ := s.Watch(ctx) // without hints the looks are left, and each of them asks again
	for {
		select {
		case <-ctx.Done():
			return
		case hint, ok := <-hints:
			if !ok {
				hints = nil
			} else if hint.Table == "" || hint.Table == t {
				look(ctx)
			}
		case <-tick.C:
			if hints == nil {
				hints, _ = s.Watch(ctx)
			}
			look(ctx)
		}
	}
}
