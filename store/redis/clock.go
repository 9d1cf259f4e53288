package redis

import (
	"context"
	"time"
)

// Time is the server's; of a cluster, that of any of its nodes.
func (db *DB) Time(ctx context.Context) (time.Time, error) {
	return call(ctx, db, func(ctx context.Context) (time.Time, error) {
		now, err := db.client.Time(ctx).Result()
		return now, db.told(err)
	})
}
