package mongo

import (
	"context"
	"sync/atomic"
)

// Count is how often a connection was taken for a call.
func (db *DB) Count() *atomic.Int64 { return &db.pool.trips }

// Sweep deletes what has run out, at once.
func (db *DB) Sweep(ctx context.Context) error { return db.sweep(ctx) }
