package mongo

import "sync/atomic"

// Count is how often a connection was taken for a call.
func (db *DB) Count() *atomic.Int64 { return &db.pool.trips }
