package apikey

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"sync"
	"time"

	"gcli2api/store"
)

// refunds writes what goes back to the counters of a shared store, and what else nobody has to wait for. What
// waits is kept by counter: it cannot become more than there are. It is written in batches with an id, so that
// one whose answer was lost is made again and arrives once. A process that dies takes with it what waits.
type refunds struct {
	store store.Store
	log   *slog.Logger
	mark  string // ids of batches begin with it

	mu      sync.Mutex
	pending map[string]int64
	next    *group

	kick  chan struct{}
	stop  chan struct{}
	ended chan struct{}
	once  sync.Once

	// The writer's own.
	made  int
	batch batch // being written
	err   error // of the last write
}

// batch is what is written at once.
type batch struct {
	id     string
	begun  time.Time
	deltas []store.Delta // none: there is no batch
}

const (
	mostDeltas = 500                       // of a batch
	sureFor    = store.OnceFor - time.Hour // a batch that is older may arrive twice
)

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
	before := r.err
	r.err = r.write()
	switch {
	case r.err != nil && before == nil: // once an outage
		r.log.Error("what goes back to API keys could not be written; it is tried again", "error", r.err)
	case r.err == nil && before != nil:
		r.log.Info("what goes back to API keys is written again")
	}
	g.err = r.err
	close(g.done)
}

// write makes the batch that failed again, then writes all that waits.
func (r *refunds) write() error {
	for len(r.batch.deltas) > 0 || r.take() {
		if time.Since(r.batch.begun) > sureFor {
			r.log.Error("a refund is given up: nobody could say for a day whether it was written", "counters", len(r.batch.deltas))
			r.batch = batch{}
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), writeLimit)
		err := r.store.AddOnce(ctx, r.batch.id, r.batch.deltas)
		cancel()
		if err != nil {
			return err
		}
		r.batch = batch{}
	}
	return nil
}

// take makes a batch of what waits, and says whether there was any.
func (r *refunds) take() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for counter, n := range r.pending {
		r.batch.deltas = append(r.batch.deltas, store.Delta{Counter: counter, N: n})
		delete(r.pending, counter)
		if len(r.batch.deltas) == mostDeltas {
			break
		}
	}
	r.made++
	r.batch.id, r.batch.begun = r.mark+"/"+strconv.Itoa(r.made), time.Now()
	return len(r.batch.deltas) > 0
}

// close writes what is left.
func (r *refunds) close() error {
	r.once.Do(func() { close(r.stop) })
	<-r.ended
	if r.err != nil {
		return fmt.Errorf("refunds could not be written in the end: %w", r.err)
	}
	return nil
}
