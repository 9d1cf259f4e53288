package embedded

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"gcli2api/store"
)

const (
	maxGroup  = 1024     // writes in one transaction
	maxBytes  = 32 << 20 // and their size, from which on no more are taken in; also of what one sweep looks at
	sweepRest = 10 * time.Second
	sweepMore = 50 * time.Millisecond // while there is more to sweep
	sweepStep = 512                   // documents in one sweep: some ms, for which writers wait
)

// write is a call on its way to the committer.
type write struct {
	apply  func(*group) error // with an error of ours it has changed nothing
	change store.Change       // what to tell watchers; zero for nothing
	size   int
	err    error
	done   chan error
}

// write has a change made, and returns when it is in the file. When ctx ends first it may still be
// made, and nobody can say: so it is with every write that does not come back.
func (db *DB) write(ctx context.Context, size int, apply func(*group) error, change store.Change) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w := &write{apply: apply, change: change, size: size, done: make(chan error, 1)}
	select {
	case db.queue <- w:
	case <-ctx.Done():
		return ctx.Err()
	case <-db.stop:
		return store.ErrClosed
	}
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run is the committer: the only one who writes.
func (db *DB) run() {
	defer db.owned.Done()
	next := time.NewTimer(sweepRest)
	defer next.Stop()
	for {
		select {
		case w := <-db.queue:
			db.commit(db.gather(w))
		case <-next.C:
			next.Reset(db.sweep())
		case <-db.stop:
			return // those who wait in front of the queue see the same
		}
	}
}

// gather takes everybody who is waiting.
func (db *DB) gather(first *write) []*write {
	writes, size := []*write{first}, first.size
	for len(writes) < maxGroup && size < maxBytes {
		select {
		case w := <-db.queue:
			writes, size = append(writes, w), size+w.size
		default:
			return writes
		}
	}
	return writes
}

// commit answers after the sync and not before, also those who were refused: what refused them may
// be a write of the same group, and that one may yet fail.
func (db *DB) commit(writes []*write) {
	var changes []store.Change
	err := db.transact(func(g *group) error {
		for _, w := range writes {
			w.err = w.apply(g)
			switch {
			case w.err == nil && w.change.Table != "":
				changes = append(changes, w.change)
			case w.err != nil && !refused(w.err):
				return w.err
			}
		}
		return nil
	})
	if err == nil {
		db.watchers.tell(changes)
	}
	for _, w := range writes {
		if err != nil {
			w.err = err
		}
		w.done <- w.err
	}
}

// refused is an answer to one write. Anything else is a fault of the file, and ends the transaction:
// the write may be half made.
func refused(err error) bool {
	return errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrExhausted)
}

// transact makes one transaction. After a panic in it nothing is written any more, because nobody
// knows what bbolt has in its hands; the next start looks through the whole file.
func (db *DB) transact(fn func(*group) error) error {
	if db.broken != nil {
		return db.broken
	}
	var tx *bbolt.Tx
	done := false
	err := careful(func() (err error) {
		if tx, err = db.bolt.Begin(true); err != nil {
			done = true
			return err
		}
		err = db.fill(tx, fn)
		done = true
		return err
	})
	if err != nil {
		err = fmt.Errorf("write the store %s: %w", db.path, err)
	}
	if !done {
		db.broken = err
		db.stuck = tx == nil || careful(func() error { return ignoreClosed(tx.Rollback()) }) != nil
	}
	return err
}

func (db *DB) fill(tx *bbolt.Tx, fn func(*group) error) error {
	g := newGroup(tx, db.now().UnixMilli())
	err := fn(g)
	if err == nil && g.written {
		if err = g.finish(); err == nil {
			return tx.Commit()
		}
	}
	return errors.Join(err, tx.Rollback())
}

func ignoreClosed(err error) error {
	if errors.Is(err, bbolt.ErrTxClosed) {
		return nil
	}
	return err
}

// sweep removes what has expired, and says when to come back. Its errors are those that the next
// write will report.
func (db *DB) sweep() time.Duration {
	db.leases.sweep(db.now())
	if db.nothingDue() {
		return sweepRest
	}
	more := false
	err := db.transact(func(g *group) (err error) {
		more, err = g.sweep(sweepStep)
		return err
	})
	if err == nil && more {
		return sweepMore
	}
	return sweepRest
}

// nothingDue saves the transaction where nothing expires.
func (db *DB) nothingDue() bool {
	none := true
	err := db.view(context.Background(), func(tx *bbolt.Tx) error {
		key := firstDue(tx.Bucket([]byte(inDue)).Cursor())
		none = key == nil || dueTime(key) > db.now().UnixMilli()
		return nil
	})
	return none || err != nil
}
