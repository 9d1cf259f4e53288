package mongo

import (
	"context"
	"sync/atomic"

	"gcli2api/store"
)

// Count is how often a connection was taken for a call.
func (db *DB) Count() *atomic.Int64 { return &db.pool.trips }

// Sweep deletes what has run out, at once.
func (db *DB) Sweep(ctx context.Context) error { return db.sweep(ctx) }

// Settle takes out that the write of a document is owed to the others, as of a revision.
func (db *DB) Settle(ctx context.Context, t store.Table, id string, rev store.Rev) error {
	return db.settle(ctx, []written{{docID(t, id), rev}})
}
