package stats

import (
	"context"
	"sync"
	"time"
)

// sweeper removes the hours and days that are not kept any more. The sums since the beginning hold them, from
// the moment when they were counted: so there is nothing to be carried over, and removing them again, or on
// two nodes at a time, changes nothing.
type sweeper struct {
	mu        sync.Mutex
	at        int64 // the hour of the last sweep
	hour, day int64 // from which on there may be some
}

const (
	sweepBatch = 2048           // counters that go in one write
	sweepLease = "usage-rollup" // who has it sweeps
)

func (w *sweeper) begin(since, now time.Time) {
	first := hourOf(now) - oldestDays*24
	w.hour = max(hourOf(since), first)
	w.day = dayOfHour(w.hour)
}

// sweep works once an hour.
func (s *Stats) sweep(ctx context.Context) {
	k, hour := s.kept, hourOf(s.now())
	w := &k.sweeper
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.at == hour {
		return
	}
	w.at = hour
	if mine, err := k.Store.Claim(ctx, sweepLease, k.owner, time.Minute); err != nil || !mine {
		return // another node does it, or nobody can
	}
	defer k.Store.Claim(context.WithoutCancel(ctx), sweepLease, k.owner, 0) // nothing depends on it
	set := k.Settings()
	for ; w.hour < hour-int64(set.Hours); w.hour++ {
		if !k.drop(ctx, hourPrefix(w.hour)) {
			return
		}
	}
	for ; w.day < dayOfHour(hour)-int64(set.Days); w.day++ {
		if !k.drop(ctx, dayPrefix(w.day)) {
			return
		}
	}
}

// drop takes the counters of one hour or day away.
func (k *keeper) drop(ctx context.Context, prefix string) bool {
	found, err := k.Store.Counters(ctx, prefix)
	gone := map[string]int64{}
	for name, n := range found {
		if gone[name] = -n; len(gone) == sweepBatch && err == nil {
			err = k.Store.Add(ctx, deltasOf(gone))
			clear(gone)
		}
	}
	if len(gone) > 0 && err == nil {
		err = k.Store.Add(ctx, deltasOf(gone))
	}
	if err != nil && ctx.Err() == nil {
		k.Log.Warn("old usage figures could not be removed, it is tried again in an hour", "of", prefix, "error", err)
	}
	return err == nil
}
