package ephemeral

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"gcli2api/pipeline"
	"gcli2api/store"
)

// The bounds of what waits for a database, and how it is tried again.
const (
	waitBytes  = 32 << 20 // of all, with what it costs to know them
	waitCount  = 16 << 10
	waitLarge  = 4 << 20 // bytes of one value; a larger one does not wait
	firstPause = 200 * time.Millisecond
	mostPause  = 5 * time.Second
	writeLimit = 10 * time.Second // for one value
	lastWrite  = 5 * time.Second  // for all that waits at the end

	// promptly is how long an answer waits for its signatures, so that the next turn may come to any node. Where
	// the last write took longer, nobody waits.
	promptly = 50 * time.Millisecond
)

// later is what this node has been given and the database has not yet: thought signatures, so that no answer
// waits for a slow database, and whatever came while it was away. It is found as if it were there.
type later struct {
	m    *Memory
	log  *slog.Logger
	wake chan struct{}
	slow atomic.Bool // the last write was not prompt

	mu      sync.Mutex
	waiting map[key]*due
	order   []*due // the oldest first; those that are gone from waiting are skipped
	bytes   int
	lost    int64 // dropped since it was said last
	failing bool

	cancel context.CancelFunc
	done   chan struct{}
}

// due is one value.
type due struct {
	name
	value     []byte
	expires   time.Time
	written   bool
	forgotten bool          // it has to go, should it have been written
	done      chan struct{} // closed when it is written
}

func startLater(m *Memory) *later {
	l := &later{m: m, log: m.log, wake: make(chan struct{}, 1), waiting: map[key]*due{}, done: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	go l.run(ctx)
	return l
}

// waits tells whether a value of a shelf is written behind the back of who keeps it. The sentinel takes the
// place of a signature that is lost; nothing does that for the rest.
func waits(at pipeline.Place) bool { return at.Shelf == pipeline.Signatures }

// add takes values in; those that waited for longest make room where there is none. The values are copied.
func (l *later) add(all ...*due) {
	l.mu.Lock()
	for _, d := range all {
		l.drop(d.key)
		d.value = slices.Clone(d.value)
		l.waiting[d.key], l.order = d, append(l.order, d)
		l.bytes += len(d.value) + copyCost
	}
	for l.bytes > waitBytes || len(l.waiting) > waitCount {
		if l.drop(l.order[0].key, l.order[0]) {
			l.lost++
		}
		l.order = l.order[1:]
	}
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// drop takes a value out, if it is that one where one is named. The caller holds mu.
func (l *later) drop(k key, only ...*due) bool {
	d := l.waiting[k]
	if d == nil || len(only) > 0 && d != only[0] {
		return false
	}
	delete(l.waiting, k)
	l.bytes -= len(d.value) + copyCost
	return true
}

// get finds a value that waits.
func (l *later) get(k key, now time.Time) ([]byte, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.waiting[k]
	if d == nil || !now.Before(d.expires) {
		return nil, false
	}
	return d.value, true
}

// settle waits until values are written, as long as that is prompt.
func (l *later) settle(ctx context.Context, all []*due) {
	if l.slow.Load() {
		return
	}
	late := time.NewTimer(promptly)
	defer late.Stop()
	for _, d := range all {
		select {
		case <-d.done:
		case <-late.C:
			l.slow.Store(true)
			return
		case <-ctx.Done():
			return
		}
	}
}

// replace takes a value out that a newer one takes the place of.
func (l *later) replace(k key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop(k)
}

// forget takes a value out, and tells whether it was there. It may be written this very moment.
func (l *later) forget(k key) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.waiting[k]
	if d == nil {
		return false
	}
	d.forgotten = true
	return l.drop(k)
}

// some are the oldest that wait, as many as are written at a time.
func (l *later) some() (all []*due) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.order = slices.DeleteFunc(l.order, func(d *due) bool { return l.waiting[d.key] != d })
	return slices.Clone(l.order[:min(writers, len(l.order))])
}

// run writes until it is stopped.
func (l *later) run(ctx context.Context) {
	defer close(l.done)
	pause := firstPause
	for {
		var again <-chan time.Time
		if l.write(ctx) {
			pause = firstPause
		} else {
			again = time.After(pause/2 + rand.N(pause))
			pause = min(2*pause, mostPause)
		}
		wake := l.wake
		if again != nil {
			wake = nil // what comes meanwhile would be tried without a pause
		}
		select {
		case <-wake:
		case <-again:
		case <-ctx.Done():
			return
		}
	}
}

// write writes what waits; false when the database did not take it.
func (l *later) write(ctx context.Context) bool {
	for {
		all := l.some()
		if len(all) == 0 {
			l.report(nil)
			return true
		}
		err := each(ctx, len(all), func(ctx context.Context, i int) error { return l.one(ctx, all[i]) })
		if err != nil {
			if ctx.Err() == nil {
				l.report(err)
			}
			return false
		}
	}
}

// one writes a value. One that the store will never take is lost, or it would be in the way of all others.
func (l *later) one(ctx context.Context, d *due) error {
	ctx, cancel := context.WithTimeout(ctx, writeLimit)
	defer cancel()
	began := time.Now()
	err := l.m.put(ctx, d.name, d.value, d.expires)
	refused := errors.Is(err, store.ErrInvalid)
	if l.slow.Store(err != nil || time.Since(began) > promptly); err != nil && !refused {
		return err
	}
	l.mu.Lock()
	forgotten := d.forgotten
	if l.drop(d.key, d) && refused {
		l.lost++
	}
	if !d.written {
		d.written = true
		close(d.done)
	}
	l.mu.Unlock()
	if forgotten {
		_ = l.m.store.Delete(ctx, store.Short, d.doc, store.Any) // should it fail, it expires
	}
	return nil
}

// report says when writing begins to fail and when it works again, and what was lost.
func (l *later) report(err error) {
	l.mu.Lock()
	was, wait, lost := l.failing, len(l.waiting), l.lost
	l.failing, l.lost = err != nil, 0
	l.mu.Unlock()
	switch {
	case err != nil && !was:
		l.log.Error("short-lived things cannot be kept, they wait in memory", "waiting", wait, "error", err)
	case err == nil && was:
		l.log.Info("short-lived things are kept again")
	}
	if lost > 0 {
		l.log.Warn("short-lived things were lost: too many waited for the store", "lost", lost)
	}
}

// close writes what waits, for a short time.
func (l *later) close() {
	l.cancel()
	<-l.done
	ctx, cancel := context.WithTimeout(context.Background(), lastWrite)
	defer cancel()
	l.write(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.waiting); n > 0 {
		l.log.Warn("short-lived things were lost: the store did not take them at the end", "lost", n)
	}
	clear(l.waiting)
}
