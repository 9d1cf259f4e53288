package redis

import (
	"context"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"gcli2api/store"
)

// quiet is how long nothing may be heard before the connection is asked whether it is there.
const quiet = 5 * time.Second

// step is how long a subscription may take to begin, or one look at what is heard, with a connection that has to
// be made anew. The client gives such a connection the time of a call, and cannot be closed meanwhile.
const step = 2 * quiet

// Watch gives hints until ctx is over or the store is closed.
func (db *DB) Watch(ctx context.Context) (<-chan store.Change, error) { return db.hints.Watch(ctx) }

// listen hears what the scripts publish, for as long as the store is open.
func (db *DB) listen(ctx context.Context) {
	for failed := 0; ctx.Err() == nil; {
		begun := time.Now()
		err := db.hear(ctx)
		if failed++; time.Since(begun) > time.Minute {
			failed = 1
		}
		if ctx.Err() != nil {
			return
		}
		if failed == 1 {
			db.log.Warn("hints about changes break off, trying again", "error", db.told(err))
		}
		wait := min(100*time.Millisecond<<min(failed, 6), 3*time.Second)
		select {
		case <-time.After(wait/2 + rand.N(wait/2)):
		case <-ctx.Done():
		}
	}
}

// hear is one subscription. When it begins, everything may have changed since the last one ended.
func (db *DB) hear(ctx context.Context) error {
	begin, cancel := context.WithTimeout(ctx, min(db.timeout, step))
	defer cancel()
	sub := db.client.Subscribe(begin)
	defer sub.Close()
	defer context.AfterFunc(ctx, func() { _ = sub.Close() })()
	if err := sub.Subscribe(begin, db.channel); err != nil {
		return err
	}
	for asked := false; ; {
		message, err := receive(ctx, sub)
		switch slow, is := err.(interface{ Timeout() bool }); {
		case err == nil:
			asked = false
			db.heard(message)
		case is && slow.Timeout() && !asked:
			if err := sub.Ping(ctx); err != nil {
				return err
			}
			asked = true
		default:
			return err
		}
	}
}

func receive(ctx context.Context, sub *redis.PubSub) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, step)
	defer cancel()
	return sub.ReceiveTimeout(ctx, quiet)
}

func (db *DB) heard(message any) {
	switch m := message.(type) {
	case *redis.Subscription:
		db.hints.Tell(store.Change{})
	case *redis.Message:
		if t, id, ok := strings.Cut(m.Payload, "\x00"); ok {
			db.hints.Tell(store.Change{Table: store.Table(t), ID: id})
		}
	}
}
