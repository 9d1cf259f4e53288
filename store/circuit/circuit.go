// Package circuit stands between the gateway and a database: it counts, bounds the time of each call, and
// while the database is away lets callers know at once instead of one time-out after the other.
//
// It is closed while the database answers. Some failures in a row open it, or a call that got no answer
// in time while nothing else was answered: from then on calls fail at once with *store.Away, and the
// circuit asks the database by itself, with growing pauses, until it answers. An answer that says no is an
// answer. A caller who gave up says nothing about the database, unless it gave up after a long wait.
package circuit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"gcli2api/store"
)

// Options say what stands behind the circuit.
type Options struct {
	Engine  string                   // as store.Away names it
	Place   string                   // without a password
	Timeout time.Duration            // of one call; 0 is 5 s
	Most    int                      // calls at a time, beyond which one fails at once; 0 is 1024
	Log     *slog.Logger             // nil logs nothing
	Mask    func(text string) string // takes secrets out of errors; nil leaves them as they are
	Pause   time.Duration            // the first one between two looks whether the database is back; 0 is 100 ms
}

const (
	inARow    = 3                // failures that open it
	longWait  = time.Second      // a caller who gave up after this tells that there was no answer
	mostPause = 2 * time.Second  // between two looks, before the jitter
	steady    = 10 * time.Second // who goes away again before that is looked at with the pauses of before
)

// Circuit is a store whose engine may be away. What it does not wrap goes straight to the engine.
type Circuit struct {
	store.Store
	o      Options
	calls  atomic.Int64
	failed atomic.Int64
	denied atomic.Int64
	flying atomic.Int64
	answer atomic.Int64 // when something was answered last, in nanoseconds since begun
	begun  time.Time
	away   atomic.Pointer[store.Away] // what calls fail with; nil while it is closed
	times  times
	reads  noes
	writes noes

	mu     sync.Mutex // guards what follows
	row    int        // failures since the last answer
	since  time.Time  // it was opened or closed
	last   error
	lastAt time.Time
	pause  time.Duration // before the next look
	before int64         // denied when it was opened
	ended  bool

	cancel context.CancelFunc
	ctx    context.Context
	looks  sync.WaitGroup
}

// Around puts a circuit around an engine, which has just answered. Close closes both.
func Around(s store.Store, o Options) *Circuit {
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Second
	}
	if o.Most <= 0 {
		o.Most = 1024
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Mask == nil {
		o.Mask = func(text string) string { return text }
	}
	if o.Pause <= 0 {
		o.Pause = 100 * time.Millisecond
	}
	c := &Circuit{Store: s, o: o, begun: time.Now(), since: time.Now(), pause: o.Pause}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// Unwrap is the engine, for those who want to know more of it.
func (c *Circuit) Unwrap() store.Store { return c.Store }

// Alone is what the engine says.
func (c *Circuit) Alone() bool { return store.Alone(c.Store) }

// Close ends the looks, then the engine.
func (c *Circuit) Close() error {
	c.mu.Lock()
	c.ended = true
	c.away.Store(nil) // from here on the engine says that it is closed
	c.mu.Unlock()
	c.cancel()
	err := c.Store.Close()
	c.looks.Wait()
	return err
}

// through makes a call.
func through[T any](c *Circuit, ctx context.Context, of *noes, do func(ctx context.Context) (T, error)) (v T, err error) {
	if away := c.away.Load(); away != nil {
		c.denied.Add(1)
		return v, away
	}
	if c.flying.Add(1) > int64(c.o.Most) {
		c.flying.Add(-1)
		c.denied.Add(1)
		return v, &store.Away{Engine: c.o.Engine, Err: fmt.Errorf("%d calls wait for it already", c.o.Most)}
	}
	defer c.flying.Add(-1)
	begun := time.Now()
	bounded, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	v, err = do(bounded)
	told := c.heard(ctx, begun, err)
	if told == nil || usual(told) {
		of.none()
	} else if !errors.As(told, new(*store.Away)) && ctx.Err() == nil && !errors.Is(told, store.ErrClosed) {
		of.more()
	}
	return v, told
}

// heard notes what came of a call, and says what its caller is told.
func (c *Circuit) heard(ctx context.Context, begun time.Time, err error) error {
	took := time.Since(begun)
	c.calls.Add(1)
	kind := c.kind(ctx, took, err)
	switch kind {
	case answered:
		c.answer.Store(int64(time.Since(c.begun)))
		c.times.add(time.Now(), took)
		c.back()
		return err
	case caller:
		return err
	}
	c.failed.Add(1)
	if kind == silence && !errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
	}
	away := (*store.Away)(nil)
	if !errors.As(err, &away) {
		away = &store.Away{Engine: c.o.Engine, Err: err}
		if kind == silence {
			away.Err = fmt.Errorf("no answer within %v: %w", took.Round(time.Millisecond), err)
		}
		err = away
	}
	alone := c.answer.Load() < int64(begun.Sub(c.begun)) // nothing was answered while it waited
	c.missed(away, kind == silence && alone)
	return err
}

// What a call can tell.
type kind int

const (
	answered kind = iota // whatever the answer was
	caller               // it ended here: the caller gave up, or the store was closed
	broken               // the database cannot be reached
	silence              // it did not answer in time
)

func (c *Circuit) kind(ctx context.Context, took time.Duration, err error) kind {
	away, netErr := (*store.Away)(nil), net.Error(nil)
	late := errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
	switch {
	case err == nil:
		return answered
	case errors.Is(err, store.ErrClosed):
		return caller
	case ctx.Err() != nil:
		if errors.Is(ctx.Err(), context.DeadlineExceeded) && took >= min(longWait, c.o.Timeout) {
			return silence
		}
		return caller
	case late || took >= c.o.Timeout && (errors.As(err, &away) || errors.As(err, &netErr)):
		return silence
	case errors.As(err, &away), errors.As(err, &netErr), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return broken
	}
	c.note(err) // it answered, and what it said is no good news
	return answered
}

// note remembers an answer of the engine that is not one of the waist.
func (c *Circuit) note(err error) {
	if usual(err) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last, c.lastAt = err, time.Now()
}
