// Package audit keeps what an operator looks up later: who changed what, and which requests came.
//
// Neither holds what clients said or were told. A change is in the store before it is answered. Requests
// are written every two seconds, many in one document: a crash loses no more than that, and a store that
// is away for long costs the oldest of those that wait, which is said.
package audit

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"gcli2api/pipeline/config"
	"gcli2api/pipeline/logging"
	"gcli2api/store"
)

// Options are what a Log stands on.
type Options struct {
	Store    store.Store
	Log      *slog.Logger
	Settings func() Settings          // asked at each use; nil is the defaults
	Mask     func(text string) string // takes secrets out of what changes say; nil knows them by their looks
	Now      func() time.Time         // nil is the real time
}

// Settings are how long things are kept, of the [usage] table.
type Settings struct {
	Requests time.Duration // 0 takes none down
	Changes  time.Duration
}

// SettingsOf reads the [usage] table.
func SettingsOf(c *config.Snapshot) Settings {
	return Settings{c.Duration("usage.keep_requests"), c.Duration("usage.keep_audit")}
}

// leastRequests is the least that the log of requests is kept, if it is: who writes 7 means no 7 seconds.
const leastRequests = time.Hour

// Check refuses a log of requests that is gone before anybody has looked at it.
func Check(c *config.Snapshot) error {
	keep := c.Duration("usage.keep_requests")
	if keep == 0 || keep >= leastRequests {
		return nil
	}
	return fmt.Errorf(`%s: usage.keep_requests: %s is less than an hour: a number alone counts seconds, "168h" is a week and 0 keeps none`,
		c.Place("usage.keep_requests"), keep)
}

const (
	flushEvery = 2 * time.Second
	writeLimit = 10 * time.Second // for one document
)

// Log is both records. It is safe for concurrent use.
type Log struct {
	o    Options
	node string // of the process: two of them may share a store

	off  atomic.Bool // no requests are taken down
	mu   sync.Mutex  // guards rows
	rows rows

	writing sync.Mutex // one flush at a time
	failing bool       // the last one failed

	number atomic.Uint64 // of the changes of this process
	crowd  crowd
	trims  []*trim

	wake   chan struct{} // many rows wait
	cancel context.CancelFunc
	done   chan struct{}
}

// Open begins. Close it before the store.
func Open(ctx context.Context, o Options) (*Log, error) {
	l := begin(o)
	ctx, l.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go l.keep(ctx)
	return l, nil
}

// begin makes a Log that writes when it is told to.
func begin(o Options) *Log {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Mask == nil {
		o.Mask = logging.Mask
	}
	if o.Settings == nil {
		o.Settings = func() Settings { return Settings{7 * 24 * time.Hour, 365 * 24 * time.Hour} }
	}
	var name [4]byte
	_, _ = rand.Read(name[:]) // never fails (crypto/rand)
	l := &Log{o: o, node: hex.EncodeToString(name[:]), wake: make(chan struct{}, 1), done: make(chan struct{})}
	l.off.Store(o.Settings().Requests <= 0)
	l.trims = []*trim{{table: store.Requests, kept: -1, of: func(s Settings) time.Duration { return s.Requests }},
		{table: store.Changes, kept: -1, of: func(s Settings) time.Duration { return s.Changes }}}
	return l
}

// keep writes until Close.
func (l *Log) keep(ctx context.Context) {
	defer close(l.done)
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-l.wake:
			if l.crowded() { // no longer where it was said while they were written
				l.flushFull(ctx)
			}
		case <-tick.C:
			l.tidy(ctx)
			l.flush(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// tidy does what time asks for.
func (l *Log) tidy(ctx context.Context) {
	off := l.o.Settings().Requests <= 0
	if off {
		l.forget()
	}
	l.off.Store(off)
	l.disperse(ctx, false)
	l.tellStrangers(false)
	for _, t := range l.trims {
		l.trim(ctx, t)
	}
}

// Close brings what is still in memory into the store.
func (l *Log) Close() error {
	if l.cancel != nil {
		l.cancel()
		<-l.done
	}
	ctx := context.Background()
	l.tellStrangers(true)
	var lost error
	if !l.flush(ctx) {
		lost = errors.New("the last requests could not be written into the log of requests")
	}
	if err := l.disperse(ctx, true); err != nil {
		lost = errors.Join(lost, fmt.Errorf("the last refusals could not be written into the audit: %w", err))
	}
	return lost
}
