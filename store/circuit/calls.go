package circuit

import (
	"context"
	"time"

	"gcli2api/store"
)

// done is the answer of calls that give none.
type done struct{}

// reading makes a call that changes nothing.
func reading[T any](c *Circuit, ctx context.Context, do func(ctx context.Context) (T, error)) (T, error) {
	return through(c, ctx, &c.reads, do)
}

// writing makes a call that changes something: a full disk, or a replica, takes none of them.
func writing[T any](c *Circuit, ctx context.Context, do func(ctx context.Context) (T, error)) (T, error) {
	return through(c, ctx, &c.writes, do)
}

// Get is that of the engine, or *store.Away.
func (c *Circuit) Get(ctx context.Context, t store.Table, id string) (store.Doc, error) {
	return reading(c, ctx, func(ctx context.Context) (store.Doc, error) { return c.Store.Get(ctx, t, id) })
}

// List is that of the engine, or *store.Away.
func (c *Circuit) List(ctx context.Context, t store.Table, after string, limit int) ([]store.Doc, error) {
	return reading(c, ctx, func(ctx context.Context) ([]store.Doc, error) { return c.Store.List(ctx, t, after, limit) })
}

// Put is that of the engine, or *store.Away.
func (c *Circuit) Put(ctx context.Context, t store.Table, d store.Doc, when store.Rev) (store.Rev, error) {
	return writing(c, ctx, func(ctx context.Context) (store.Rev, error) { return c.Store.Put(ctx, t, d, when) })
}

// Delete is that of the engine, or *store.Away.
func (c *Circuit) Delete(ctx context.Context, t store.Table, id string, when store.Rev) error {
	_, err := writing(c, ctx, func(ctx context.Context) (done, error) { return done{}, c.Store.Delete(ctx, t, id, when) })
	return err
}

// Take is that of the engine, or *store.Away.
func (c *Circuit) Take(ctx context.Context, counter string, n, limit int64) (int64, error) {
	return writing(c, ctx, func(ctx context.Context) (int64, error) { return c.Store.Take(ctx, counter, n, limit) })
}

// Add is that of the engine, or *store.Away.
func (c *Circuit) Add(ctx context.Context, deltas []store.Delta) error {
	_, err := writing(c, ctx, func(ctx context.Context) (done, error) { return done{}, c.Store.Add(ctx, deltas) })
	return err
}

// AddOnce is that of the engine, or *store.Away.
func (c *Circuit) AddOnce(ctx context.Context, id string, deltas []store.Delta) error {
	_, err := writing(c, ctx, func(ctx context.Context) (done, error) { return done{}, c.Store.AddOnce(ctx, id, deltas) })
	return err
}

// Counters is that of the engine, or *store.Away.
func (c *Circuit) Counters(ctx context.Context, prefix string) (map[string]int64, error) {
	return reading(c, ctx, func(ctx context.Context) (map[string]int64, error) { return c.Store.Counters(ctx, prefix) })
}

// Claim is that of the engine, or *store.Away.
func (c *Circuit) Claim(ctx context.Context, name, owner string, ttl time.Duration) (bool, error) {
	return writing(c, ctx, func(ctx context.Context) (bool, error) { return c.Store.Claim(ctx, name, owner, ttl) })
}

// Revision is that of the engine, or *store.Away.
func (c *Circuit) Revision(ctx context.Context) (int64, error) {
	return reading(c, ctx, c.Store.Revision)
}

// Watch is that of the engine, which goes on by itself when the database is back.
func (c *Circuit) Watch(ctx context.Context) (<-chan store.Change, error) {
	if away := c.away.Load(); away != nil {
		return nil, away
	}
	return c.Store.Watch(ctx)
}
