package apikey

import (
	"context"
	"errors"
	"time"

	"gcli2api/store"
)

// costsLook is the pause between two looks for what no hint told of: with it another node's change counts
// here within a second.
const costsLook = 500 * time.Millisecond

// follow takes over what other nodes change, until Close. seen is the revision that the table was read after.
func (c *Costs) follow(seen int64) {
	if store.Alone(c.docs.Store) {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	c.stop, c.ended = stop, make(chan struct{})
	go func() {
		defer close(c.ended)
		c.watch(ctx, seen)
	}()
}

func (c *Costs) watch(ctx context.Context, seen int64) {
	tick := time.NewTicker(costsLook)
	defer tick.Stop()
	hints, _ := c.docs.Store.Watch(ctx) // without hints the looks are left, and each turn asks again
	for {
		select {
		case <-ctx.Done():
			return
		case hint, ok := <-hints:
			if !ok {
				hints = nil
				continue
			}
			c.hear(ctx, hint)
		case <-tick.C:
			if hints == nil {
				hints, _ = c.docs.Store.Watch(ctx)
			}
			seen = c.look(ctx, seen)
		}
	}
}

// hear takes over what a hint tells of; what fails here is seen by the next look.
func (c *Costs) hear(ctx context.Context, hint store.Change) {
	switch {
	case hint.Table != "" && hint.Table != c.docs.Table:
	case hint.Table == "" || hint.ID == "":
		_ = c.reload(ctx)
	default:
		c.writing.Lock()
		defer c.writing.Unlock()
		cost, _, err := c.docs.Get(ctx, hint.ID)
		switch {
		case err == nil:
			c.put(hint.ID, &cost)
		case errors.Is(err, store.ErrNotFound):
			c.put(hint.ID, nil)
		}
	}
}

// look reads the whole table when anything was written since the last look.
func (c *Costs) look(ctx context.Context, seen int64) int64 {
	rev, err := c.docs.Store.Revision(ctx)
	if err != nil || rev == seen || c.reload(ctx) != nil {
		return seen
	}
	return rev
}

// close ends what is under way.
func (c *Costs) close() {
	if c.stop != nil {
		c.stop()
		<-c.ended
	}
}
