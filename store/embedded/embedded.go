// Package embedded is the engine that needs nothing else: one bbolt file beside the credentials.
//
// One process at a time holds the file. Writes go through one goroutine, which puts everything that
// has piled up into one transaction: two syncs serve them all. Reads go straight to the file. The
// file is looked through from end to end before bbolt sees it, because bbolt trusts what it maps
// into memory: on a damaged page it panics, runs in circles or reads where there is no file.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"gcli2api/store"
)

// Options says which file, and how.
type Options struct {
	Path     string           // of the file; its folder is made when it is missing
	Now      func() time.Time // nil for time.Now
	LockWait time.Duration    // how long to wait for a process that holds the file; 0 for one second
}

// DB is the engine. It is made by Open.
type DB struct {
	path string
	now  func() time.Time
	bolt *bbolt.DB

	queue  chan *write // no room inside: what was sent is in the committer's hands
	broken error       // the committer's own: why it writes no more
	stuck  bool        // bbolt still holds its lock after a panic, and closing it would hang

	leases   leases
	watchers watchers

	owned sync.WaitGroup // the committer, and one goroutine for each Watch
	stop  chan struct{}
	once  sync.Once
	ended error
}

var _ store.Store = (*DB)(nil)

// Open opens the file, or makes it. What can be wrong with it, the folder or the disk comes as an
// error of one line that names the path and says what to do; the file is as it was then.
func Open(o Options) (*DB, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.LockWait == 0 {
		o.LockWait = time.Second
	}
	bolt, err := open(o)
	if err != nil {
		return nil, err
	}
	db := &DB{path: o.Path, now: o.Now, bolt: bolt, queue: make(chan *write), stop: make(chan struct{})}
	db.owned.Add(1)
	go db.run()
	return db, nil
}

// Alone is true: one process at a time holds the file.
func (db *DB) Alone() bool { return true }

// Close lets the committer finish what it has taken, ends every Watch and closes the file.
func (db *DB) Close() error {
	db.once.Do(func() {
		db.watchers.shut(db.stop)
		db.owned.Wait()
		if !db.stuck {
			db.ended = db.bolt.Close()
		}
		if db.ended != nil {
			db.ended = fmt.Errorf("close the store %s: %w", db.path, db.ended)
		}
	})
	return db.ended
}

// closed is ErrClosed from the moment that Close was called.
func (db *DB) closed() error {
	select {
	case <-db.stop:
		return store.ErrClosed
	default:
		return nil
	}
}

// view reads. fn must copy what it wants to keep: it sees the mapped file.
func (db *DB) view(ctx context.Context, fn func(*bbolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := db.closed(); err != nil {
		return err
	}
	err := careful(func() error { return db.bolt.View(fn) })
	switch {
	case err == nil || errors.Is(err, store.ErrNotFound):
		return err
	case errors.Is(err, berrors.ErrDatabaseNotOpen):
		return store.ErrClosed
	}
	return fmt.Errorf("read the store %s: %w", db.path, err)
}

// errDamaged is what a reader meets when the file went bad after it was opened.
var errDamaged = errors.New("the file is damaged: stop the gateway, then put back a copy of it or move it away")

// careful turns a panic into an error, also that of reading where the file or the disk has nothing
// to give: without it, a file that somebody cuts off under a running gateway would kill it.
func careful(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w (%v)", errDamaged, p)
		}
	}()
	return fn()
}
