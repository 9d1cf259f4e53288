package apikey

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"gcli2api/store"
)

const (
	durable    = 15 * time.Millisecond  // within which a change is written where nobody waits for it sooner
	gather     = 2 * time.Millisecond   // but so long others may join, also where writes take long
	again      = 250 * time.Millisecond // between two tries to write
	writeLimit = 10 * time.Second       // for a call to the store
)

// local decides in memory, which it may because nobody else writes to the store. One goroutine writes what is
// new of all keys; while it does, more gathers. What the store has is never believed to be more than what
// it said, so that a write whose answer was lost is not made twice.
type local struct {
	store  store.Store
	log    *slog.Logger
	purses *purses

	next  atomic.Pointer[group] // for what is decided from now on
	dirty atomic.Pointer[tally] // a list of those that differ from the store
	kick  chan struct{}         // the list is not empty any more
	hurry chan struct{}         // somebody waits
	stop  chan struct{}
	ended chan struct{} // the writer has written for the last time
	once  sync.Once

	// The writer's own.
	list   []*tally
	deltas []store.Delta
	failed bool          // the last write
	took   time.Duration // and how long it was
}

func openLocal(ctx context.Context, s store.Store, log *slog.Logger, all *purses) (*local, error) {
	l := &local{store: s, log: log, purses: all, kick: make(chan struct{}, 1), hurry: make(chan struct{}, 1), stop: make(chan struct{}), ended: make(chan struct{})}
	l.next.Store(newGroup())
	found, err := s.Counters(ctx, counters)
	if err != nil {
		return nil, fmt.Errorf("read what API keys have used: %w", err)
	}
	for name, n := range found {
		if id, ok := idOf(name); ok {
			t := all.of(id).tally(name)
			t.used, t.stored = n, n
		}
	}
	go l.run()
	return l, nil
}

func (l *local) move(_ context.Context, a *account, had int64, w want) (got, error) {
	p := a.purse
	p.mu.Lock()
	had, back := a.owned(had)
	left := max(w.quota-a.main.used, 0)
	g := got{units: w.units}
	if a.day != nil && w.daily-a.day.used < left {
		left, g.day = max(w.daily-a.day.used, 0), true
	}
	if room := plus(had, left); w.units > room {
		if g.units = room; room < w.least {
			p.mu.Unlock()
			return got{units: had, short: true, left: left, day: g.day}, nil
		}
	}
	diff := g.units - had
	kick := l.change(a.main, diff)
	if a.day != nil {
		kick = l.change(a.day, diff) || kick
	}
	if a.counts {
		back -= diff
	}
	kick = l.change(a.ever, -back) || kick
	g.left = left - diff
	g.group = l.next.Load() // behind the change: what the writer has taken by then is in this one or an earlier one
	p.mu.Unlock()
	if kick {
		poke(l.kick)
	}
	return g, nil
}

// change moves a counter, and says whether the writer has to hear of it. The lock of its purse is held.
func (l *local) change(t *tally, n int64) (first bool) {
	if n == 0 {
		return false
	}
	t.used = plus(t.used, n)
	return l.differs(t)
}

func (l *local) differs(t *tally) (first bool) {
	if t.queued {
		return false
	}
	t.queued = true
	for {
		t.next = l.dirty.Load()
		if l.dirty.CompareAndSwap(t.next, t) {
			return t.next == nil
		}
	}
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (l *local) wait(ctx context.Context, g *group) error {
	if g.asked.CompareAndSwap(false, true) {
		poke(l.hurry)
	}
	select {
	case <-g.done:
		return g.err
	case <-ctx.Done():
		return ctx.Err()
	case <-l.ended:
		return store.ErrClosed
	}
}

// run is the writer.
func (l *local) run() {
	defer close(l.ended)
	timer := time.NewTimer(math.MaxInt64)
	defer timer.Stop()
	for {
		select {
		case <-l.kick:
			timer.Reset(max(durable-l.took, gather))
			select {
			case <-l.hurry:
			case <-timer.C:
			case <-l.stop:
			}
		case <-l.hurry:
		case <-timer.C:
		case <-l.stop:
			l.flush()
			return
		}
		timer.Stop()
		if l.flush(); l.failed {
			timer.Reset(again)
		}
	}
}

// flush writes what is new. The order of its first two steps is what makes a group safe to wait for: a change
// that was in the list before the next group stood there is taken now, or was already.
func (l *local) flush() {
	runtime.Gosched() // those who were woken by the last write may have something new
	g := l.next.Swap(newGroup())
	l.list = l.list[:0]
	for t := l.dirty.Swap(nil); t != nil; t = t.next {
		l.list = append(l.list, t)
	}
	began := time.Now()
	err := l.write()
	l.took = time.Since(began)
	for _, t := range l.list {
		t.purse.mu.Lock()
		if err == nil {
			t.stored += t.write
		} else {
			t.doubt = t.doubt || t.write != 0
			l.differs(t)
		}
		t.write = 0
		t.purse.mu.Unlock()
	}
	switch was := l.failed; {
	case err != nil && !was:
		l.log.Error("what API keys have used cannot be written: no answers go out to them until it can", "error", err)
	case err == nil && was && len(l.list) > 0:
		l.log.Info("what API keys have used is written again")
	}
	l.failed = err != nil
	g.err = err
	close(g.done)
}

// write brings the counters of the list to what was decided.
func (l *local) write() error {
	ctx, cancel := context.WithTimeout(context.Background(), writeLimit)
	defer cancel()
	l.deltas = l.deltas[:0]
	var unread error
	for _, t := range l.list {
		if err := l.settle(ctx, t); err != nil {
			unread = errors.Join(unread, err)
		}
		t.purse.mu.Lock()
		t.queued = false
		if !t.doubt {
			t.write = t.used - t.stored
		}
		if t.write != 0 {
			l.deltas = append(l.deltas, store.Delta{Counter: t.name, N: t.write})
		}
		t.purse.mu.Unlock()
	}
	if len(l.deltas) == 0 || unread != nil {
		return unread
	}
	return l.store.Add(ctx, l.deltas)
}

// settle asks again what the store has of a counter, where a write failed and nobody knows. It asks by a write
// that changes nothing: that one comes behind the other, which may still be made, while a read may come before.
func (l *local) settle(ctx context.Context, t *tally) error {
	t.purse.mu.Lock()
	doubt := t.doubt
	t.purse.mu.Unlock()
	if !doubt {
		return nil
	}
	room, err := l.store.Take(ctx, t.name, 0, math.MaxInt64)
	if err != nil {
		return err
	}
	t.purse.mu.Lock()
	t.stored, t.doubt = math.MaxInt64-room, false
	t.purse.mu.Unlock()
	return nil
}

func (l *local) set(ctx context.Context, a *account, used int64) error {
	p := a.purse
	p.mu.Lock()
	p.epoch++
	if !a.counts {
		l.change(a.ever, a.main.used)
	}
	l.change(a.main, used-a.main.used)
	if a.day != nil {
		l.change(a.day, min(used, a.day.used)-a.day.used)
	}
	g := l.next.Load()
	p.mu.Unlock()
	poke(l.kick)
	return l.wait(ctx, g)
}

func (l *local) read(_ context.Context, id string) (map[string]int64, error) {
	all := map[string]int64{}
	take := func(p *purse) {
		p.mu.Lock()
		defer p.mu.Unlock()
		for name, t := range p.tallies {
			all[name] = t.used
		}
	}
	if id != "" {
		take(l.purses.of(id))
	} else {
		l.purses.each(take)
	}
	return all, nil
}

func (l *local) sweep(ctx context.Context, now time.Time, exists func(string) bool) error {
	kick := false
	l.purses.each(func(p *purse) {
		gone := !exists(p.id)
		p.mu.Lock()
		for name, t := range p.tallies {
			if gone || isOld(name, now) {
				kick = l.change(t, -t.used) || kick
			}
		}
		p.mu.Unlock()
		if p.forget(now, gone) {
			l.purses.drop(p.id)
		}
	})
	if kick {
		poke(l.kick)
	}
	return ctx.Err()
}

func (l *local) close() error {
	l.once.Do(func() { close(l.stop) })
	<-l.ended
	if l.dirty.Load() != nil {
		return errors.New("what API keys have used could not be written in the end")
	}
	return nil
}
