package redis

import (
	"context"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

// Sweep is one step of the sweep.
func (db *DB) Sweep(ctx context.Context) (bool, error) { return db.sweep(ctx) }

// Count counts what goes to the server from now on: each of them is one round trip.
func (db *DB) Count() *atomic.Int64 {
	h := &hook{}
	db.client.AddHook(h)
	return &h.trips
}

type hook struct{ trips atomic.Int64 }

func (h *hook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h *hook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		h.trips.Add(1)
		return next(ctx, cmd)
	}
}

func (h *hook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		h.trips.Add(1)
		return next(ctx, cmds)
	}
}
