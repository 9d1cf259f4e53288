package apikey

import (
	"context"
	"time"

	"gcli2api/store"
)

const (
	tending  = 20 * time.Second // how often places are renewed
	sweeps   = 3                // one round in so many clears old counters
	sweeping = 50 * time.Second // for which the one who does so keeps the others from it
)

// tend renews places and clears counters until ctx is over.
func (w *sharedWindows) tend(ctx context.Context) {
	defer close(w.done)
	tick := time.NewTicker(tending)
	defer tick.Stop()
	for round := 1; ; round++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			w.round(ctx, round%sweeps == 0)
		}
	}
}

func (w *sharedWindows) round(ctx context.Context, sweep bool) {
	ctx, cancel := context.WithTimeout(ctx, tending)
	defer cancel()
	lost, err := w.slots.renew(ctx)
	if ctx.Err() == context.Canceled {
		return
	}
	if lost > 0 {
		w.log.Warn("places of requests under way could not be renewed, others may take them", "places", lost, "error", err)
	}
	if !sweep {
		return
	}
	if err := w.sweepRates(ctx); err != nil {
		w.log.Warn("old counters of requests and tokens a minute could not be cleared", "error", err)
	}
}

// sweepRates clears the counters of steps that are over. Doing it twice does no harm: a counter stops at
// zero, and no step comes again.
func (w *sharedWindows) sweepRates(ctx context.Context) error {
	if mine, err := w.store.Claim(ctx, "sweep/rate", w.owner, sweeping); err != nil || !mine {
		return err
	}
	all, err := w.store.Counters(ctx, rates)
	if err != nil {
		return err
	}
	now := stepOf(w.now())
	var old []store.Delta
	for name, n := range all {
		// Steps far ahead are those of a clock that was wrong: nobody is to find them closed when they come.
		if at, _, ok := readName(name); !ok || at < now-oldSteps || at > now+oldSteps {
			old = append(old, store.Delta{Counter: name, N: -n})
		}
	}
	const batch = 500
	for len(old) > 0 {
		part := old[:min(batch, len(old))]
		if err := w.store.Add(ctx, part); err != nil {
			return err
		}
		old = old[len(part):]
	}
	return nil
}
