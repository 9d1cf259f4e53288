package apikey

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"gcli2api/store"
)

// refunds writes what goes back to the counters of a shared store, so that nobody has to wait for it. What
// waits is kept by counter: it cannot become more than there are. With each write a mark of this process goes
// up by one, so that after an error it can be found out whether the write was made: a refund must not be
// made twice.
type refunds struct {
	store store.Store
	log   *slog.Logger
	mark  string

	mu      sync.Mutex
	pending map[string]int64
	next    *group

	kick  chan struct{}
	stop  chan struct{}
	ended chan struct{}
	once  sync.Once

	// The writer's own.
	made   int64            // what the mark is at
	unsure map[string]int64 // of a write that failed
	err    error            // of the last write
}

func openRefunds(s store.Store, log *slog.Logger) *refunds {
	r := &refunds{store: s, log: log, mark: "refunds/" + rand.Text(), pending: map[string]int64{}, next: newGroup(),
		kick: make(chan struct{}, 1), stop: make(chan struct{}), ended: make(chan struct{})}
	go r.run()
	return r
}

// add has a counter changed soon.
func (r *refunds) add(counter string, n int64) {
	if n == 0 {
		return
	}
	r.mu.Lock()
	if r.pending[counter] += n; r.pending[counter] == 0 {
		delete(r.pending, counter)
	}
	r.mu.Unlock()
	poke(r.kick)
}

// wait returns when all that was added before is written, or the try failed and there will be another.
func (r *refunds) wait(ctx context.Context) error {
	r.mu.Lock()
	g := r.next
	r.mu.Unlock()
	poke(r.kick)
	select {
	case <-g.done:
		return g.err
	case <-ctx.Done():
		return ctx.Err()
	case <-r.ended:
		return store.ErrClosed
	}
}

func (r *refunds) run() {
	defer close(r.ended)
	timer := time.NewTimer(math.MaxInt64)
	defer timer.Stop()
	for {
		select {
		case <-r.kick:
		case <-timer.C:
		case <-r.stop:
			r.flush()
			return
		}
		timer.Stop()
		if r.flush(); r.err != nil {
			timer.Reset(again)
		}
	}
}

func (r *refunds) flush() {
	r.mu.Lock()
	g := r.next
	r.next = newGroup()
	r.mu.Unlock()
	if r.err = r.clear(); r.err == nil {
		r.mu.Lock()
		r.unsure, r.pending = r.pending, map[string]int64{}
		r.mu.Unlock()
		r.err = r.write()
	}
	if r.err != nil {
		r.log.Error("a refund could not be written; it is tried again", "error", r.err)
	}
	g.err = r.err
	close(g.done)
}

// clear finds out what became of a write that failed, and makes it again where it was not made.
func (r *refunds) clear() error {
	if len(r.unsure) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), writeLimit)
	defer cancel()
	// A write that changes nothing comes behind the other, which may still be made; a read may come before it.
	switch _, err := r.store.Take(ctx, r.mark, 0, r.made); {
	case errors.Is(err, store.ErrExhausted): // the mark has gone up
		r.made, r.unsure = r.made+1, nil
		return nil
	case err != nil:
		return err
	}
	return r.write()
}

func (r *refunds) write() error {
	if len(r.unsure) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), writeLimit)
	defer cancel()
	deltas := make([]store.Delta, 0, len(r.unsure)+1)
	for counter, n := range r.unsure {
		deltas = append(deltas, store.Delta{Counter: counter, N: n})
	}
	err := r.store.Add(ctx, append(deltas, store.Delta{Counter: r.mark, N: 1}))
	if err == nil {
		r.made++
		r.unsure = nil
	}
	return err
}

// close writes what is left, and takes the mark away.
func (r *refunds) close() error {
	r.once.Do(func() { close(r.stop) })
	<-r.ended
	if r.err != nil {
		return fmt.Errorf("refunds could not be written in the end: %w", r.err)
	}
	if r.made == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), writeLimit)
	defer cancel()
	made := r.made
	r.made = 0
	return r.store.Add(ctx, []store.Delta{{Counter: r.mark, N: -made}})
}
