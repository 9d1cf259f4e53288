package circuit

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"gcli2api/store"
)

// noes are refusals of one kind of call in a row: the database answers, and does nothing of what it is asked for.
type noes struct {
	row atomic.Int64

	mu    sync.Mutex
	since time.Time // the first one of the row
}

func (n *noes) more() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.row.Add(1) == 1 {
		n.since = time.Now()
	}
}

func (n *noes) none() {
	if n.row.Load() != 0 {
		n.row.Store(0)
	}
}

// refusing tells that so many calls were refused that it is no single document, and since when.
func (n *noes) refusing() (bool, time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.row.Load() >= inARow, n.since
}

// usual is an answer of the waist, which says that the engine is well.
func usual(err error) bool {
	for _, one := range []error{store.ErrNotFound, store.ErrConflict, store.ErrExhausted, store.ErrInvalid} {
		if errors.Is(err, one) {
			return true
		}
	}
	return false
}

// refuses says which kinds of call the database refuses, "" for none, and since when.
func (c *Circuit) refuses() (what string, since time.Time) {
	reads, from := c.reads.refusing()
	writes, then := c.writes.refusing()
	switch {
	case reads && writes:
		return "everything", from
	case reads:
		return "reads", from
	case writes:
		return "writes", then
	}
	return "", time.Time{}
}
