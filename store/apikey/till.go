package apikey

import (
	"context"
	"sync/atomic"
	"time"
)

// till is how the money of keys is kept: decided in memory where nobody else writes to the store (local), by
// the store where others do (shared).
type till interface {
	// move changes what is taken from an account: all or nothing, or as far as the want allows. It is no
	// error that there is not enough.
	move(ctx context.Context, a *account, had int64, w want) (got, error)
	// set makes what was used a number, durably. Who has taken something before gives nothing back.
	set(ctx context.Context, a *account, used int64) error
	// read gives the counters of a key, or of all where id is empty.
	read(ctx context.Context, id string) (map[string]int64, error)
	// sweep removes counters: of periods that are long over, and of keys that are gone.
	sweep(ctx context.Context, now time.Time, exists func(id string) bool) error
	// wait returns when a group is written.
	wait(ctx context.Context, g *group) error
	// close writes what is left.
	close() error
}

// want is what a request wants to have taken.
type want struct {
	units int64
	least int64 // with less than this there is no sense in it; units takes all or nothing
	quota int64 // what the key may use
	daily int64 // on one day, where there is such a limit
}

// got is what a move came to.
type got struct {
	units int64 // what is taken now
	short bool  // there was not enough: nothing has changed
	left  int64 // what is left then, of the narrower limit
	day   bool  // which is that of the day
	group *group
}

// group is a write that several wait for.
type group struct {
	done  chan struct{} // closed when it is over
	err   error         // set before that
	asked atomic.Bool   // somebody waits
}

func newGroup() *group { return &group{done: make(chan struct{})} }

// over tells whether there is nothing to wait for.
func (g *group) over() bool {
	if g == nil {
		return true
	}
	select {
	case <-g.done:
		return g.err == nil
	default:
		return false
	}
}
