package apikey

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"gcli2api/store"
)

// shared lets the store decide: it is the one that sees all nodes. What it has let pass is durable at once.
type shared struct {
	store   store.Store
	purses  *purses
	refunds *refunds
	floats  *floats
	node    string

	mu    sync.Mutex
	alien map[string]bool // ids of counters whose key was not known at the last sweep
}

func openShared(o Options, all *purses) *shared {
	r := openRefunds(o.Store, o.Log)
	s := &shared{store: o.Store, purses: all, refunds: r, node: r.mark}
	s.floats = openFloats(s, o)
	return s
}

const mostTries = 8 // of taking what is left while others take too

func (s *shared) move(ctx context.Context, a *account, had int64, w want) (got, error) {
	a.purse.mu.Lock()
	had, back := a.owned(had)
	a.purse.mu.Unlock()
	s.refunds.add(a.ever.name, -back)
	// Who gives up waiting could not be told whether something was taken.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeLimit)
	defer cancel()
	g := got{units: w.units}
	for try := 0; g.units > had; try++ {
		t, err := s.take(ctx, a, g.units-had, w)
		if err == nil {
			g.left, g.day = t.left, t.day
			s.floats.note(a, w, g.units)
			break
		}
		if s.floats.pays(a, had, g.units-had, err) {
			return g, nil
		}
		if !errors.Is(err, store.ErrExhausted) {
			return got{units: had}, err
		}
		g.left, g.day = t.left, t.day
		if g.units = plus(had, t.left); g.units < w.least || try == mostTries {
			return got{units: had, short: true, left: t.left, day: t.day}, nil
		}
	}
	if diff := g.units - had; diff < 0 {
		s.give(a, diff)
	} else if a.counts {
		s.refunds.add(a.ever.name, diff)
	}
	return g, nil
}

// returns gives back what was taken and not spent; less where what was used has been set anew since.
func (s *shared) returns(a *account, n int64) {
	a.purse.mu.Lock()
	n, back := a.owned(n)
	a.purse.mu.Unlock()
	s.refunds.add(a.ever.name, -back)
	if n > 0 {
		s.give(a, -n)
	}
}

func (s *shared) give(a *account, n int64) {
	s.refunds.add(a.main.name, n)
	if a.day != nil {
		s.refunds.add(a.day.name, n)
	}
	if a.counts {
		s.refunds.add(a.ever.name, n)
	}
}

// taken is what one counter said.
type taken struct {
	left int64
	day  bool
	err  error
}

// take takes from both counters at the same time, and gives back what it got where the other has none.
func (s *shared) take(ctx context.Context, a *account, n int64, w want) (taken, error) {
	one := func(t *tally, limit int64) (r taken) {
		r.left, r.err = s.store.Take(ctx, t.name, n, limit)
		return r
	}
	if a.day == nil {
		t := one(a.main, w.quota)
		return t, t.err
	}
	today := make(chan taken, 1)
	go func() { today <- one(a.day, w.daily) }()
	all := one(a.main, w.quota)
	day := <-today
	day.day = true
	switch {
	case all.err == nil && day.err != nil:
		return s.undo(ctx, a.main, n, day)
	case day.err == nil && all.err != nil:
		return s.undo(ctx, a.day, n, all)
	case errors.Is(all.err, store.ErrExhausted) && !errors.Is(day.err, store.ErrExhausted):
		return day, day.err
	case all.err != nil && !errors.Is(all.err, store.ErrExhausted), all.left <= day.left:
		return all, all.err
	}
	return day, day.err
}

// undo gives back what was taken, at once: a smaller sum may be tried next.
func (s *shared) undo(ctx context.Context, t *tally, n int64, why taken) (taken, error) {
	s.refunds.add(t.name, -n)
	_ = s.refunds.wait(ctx) // what failed is tried again, and has been logged
	return why, why.err
}

func (s *shared) set(ctx context.Context, a *account, used int64) error {
	s.floats.turn.Lock()
	defer s.floats.turn.Unlock()
	s.floats.drop(a.purse.id)
	if err := s.refunds.wait(ctx); err != nil { // what goes back now goes back to what was
		return err
	}
	all, err := s.read(ctx, a.purse.id)
	if err != nil {
		return err
	}
	a.purse.mu.Lock()
	a.purse.epoch++
	a.purse.mu.Unlock()
	had := all[a.main.name]
	deltas := []store.Delta{{Counter: a.main.name, N: used - had}}
	if !a.counts {
		deltas = append(deltas, store.Delta{Counter: a.ever.name, N: had})
	}
	if a.day != nil {
		deltas = append(deltas, store.Delta{Counter: a.day.name, N: min(used, all[a.day.name]) - all[a.day.name]})
	}
	return s.store.Add(ctx, deltas)
}

func (s *shared) read(ctx context.Context, id string) (map[string]int64, error) {
	if id == "" {
		return s.store.Counters(ctx, counters)
	}
	return s.store.Counters(ctx, ofKey(id))
}

const sweepLease = "keys/sweep"

// sweep is for one node at a time. A key that this node does not know may be a new one of another node: only
// after two sweeps it is gone.
func (s *shared) sweep(ctx context.Context, now time.Time, exists func(string) bool) error {
	if mine, err := s.store.Claim(ctx, sweepLease, s.node, sweepEvery); err != nil || !mine {
		return err
	}
	all, err := s.read(ctx, "")
	if err != nil {
		return err
	}
	var deltas []store.Delta
	s.mu.Lock()
	before := s.alien
	s.alien = map[string]bool{}
	for name := range all {
		id, ok := idOf(name)
		if !ok {
			continue
		}
		known := exists(id)
		if !known {
			s.alien[id] = true
		}
		if isOld(name, now) || !known && before[id] {
			deltas = append(deltas, store.Delta{Counter: name, N: -math.MaxInt64}) // it stops at zero
		}
	}
	s.mu.Unlock()
	s.purses.each(func(p *purse) {
		if p.forget(now, !exists(p.id)) {
			s.purses.drop(p.id)
		}
	})
	if len(deltas) == 0 {
		return nil
	}
	return s.store.Add(ctx, deltas)
}

func (s *shared) wait(context.Context, *group) error { return nil }

func (s *shared) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), writeLimit)
	defer cancel()
	s.floats.close()
	_, _ = s.store.Claim(ctx, sweepLease, s.node, 0) // else it runs out by itself
	return s.refunds.close()
}
