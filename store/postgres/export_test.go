package postgres

import "context"

// SweepNow does what the store does by itself every minute or so.
func (db *DB) SweepNow(ctx context.Context) { db.sweepAll(ctx) }
