package redis

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"gcli2api/store"
)

// countersPage is how many counters are read at a time: about 1 ms of the server.
const countersPage = 1000

// Take adds to a counter that has a limit.
func (db *DB) Take(ctx context.Context, counter string, n, limit int64) (int64, error) {
	if err := store.CheckName(counter); err != nil {
		return 0, err
	}
	if n < 0 {
		return 0, fmt.Errorf("%w: taking %d", store.ErrInvalid, n)
	}
	type taken struct {
		left int64
		fits bool
	}
	got, err := call(ctx, db, func(ctx context.Context) (taken, error) {
		if limit < 0 {
			return taken{}, nil // no counter is that low
		}
		answer, err := db.run(ctx, task{script: "take", keys: []string{db.keys.counts(), db.keys.names()}, args: []any{counter, n, limit}})
		if err != nil {
			return taken{}, err
		}
		parts, _ := answer.([]any)
		if len(parts) != 2 {
			return taken{}, unexpected(answer)
		}
		used, ok := number(parts[1])
		if !ok || parts[0] == int64(2) {
			return taken{}, db.noNumber(counter)
		}
		if parts[0] == int64(1) {
			return taken{limit - used - n, true}, nil
		}
		return taken{max(limit-used, 0), false}, nil
	})
	if err == nil && !got.fits {
		err = store.ErrExhausted
	}
	return got.left, err
}

func (db *DB) noNumber(counter string) error {
	return fmt.Errorf("the counter %q in Redis is no number (field %q of the key %s): nothing was changed", counter, counter, db.keys.counts())
}

func number(text any) (int64, bool) {
	s, is := text.(string)
	n, err := strconv.ParseInt(s, 10, 64)
	return n, is && err == nil && n >= 0
}

// Add applies differences, all or none.
func (db *DB) Add(ctx context.Context, deltas []store.Delta) error { return db.add(ctx, deltas) }

// AddOnce keeps its id beside the counters, and a script sees to both.
func (db *DB) AddOnce(ctx context.Context, id string, deltas []store.Delta) error {
	if err := store.CheckName(id); err != nil {
		return err
	}
	return db.add(ctx, deltas, db.keys.batch(id))
}

func (db *DB) add(ctx context.Context, deltas []store.Delta, batch ...string) error {
	args := append(make([]any, 0, 1+2*len(deltas)), store.OnceFor.Milliseconds())
	for _, d := range deltas {
		if err := store.CheckName(d.Counter); err != nil {
			return err
		}
		args = append(args, d.Counter, d.N)
	}
	_, err := call(ctx, db, func(ctx context.Context) (bool, error) {
		t := task{script: "add", keys: append([]string{db.keys.counts(), db.keys.names()}, batch...), args: args, again: len(batch) > 0}
		answer, err := db.run(ctx, t)
		if name, is := answer.(string); err == nil && answer != "done" {
			if !is {
				return false, unexpected(answer)
			}
			return false, db.noNumber(name)
		}
		return true, err
	})
	return err
}

// Counters reads the counters behind a prefix, in pages, so that millions of them hold up nobody. Each page
// is the state of one moment, all of them together are not. One that is no number is left out and logged: the
// rest is served.
func (db *DB) Counters(ctx context.Context, prefix string) (map[string]int64, error) {
	return call(ctx, db, func(ctx context.Context) (map[string]int64, error) {
		found := map[string]int64{}
		from, to := "-", "+"
		if prefix != "" {
			from, to = "["+prefix, "("+prefix+"\xff" // no name contains that byte
		}
		for {
			answer, err := db.run(ctx, task{script: "counters", keys: []string{db.keys.counts(), db.keys.names()}, args: []any{from, to, countersPage}, again: true})
			if err != nil {
				return nil, err
			}
			last, n, spoilt, err := db.page(answer, found)
			if err != nil {
				return nil, err
			}
			for _, name := range spoilt {
				if err := db.noNumber(name); db.said.First(err.Error()) {
					db.log.Error("a counter in the database is broken", "error", err)
				}
			}
			if n < countersPage {
				return found, nil
			}
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			from = "(" + last
		}
	})
}

// page takes an answer apart. spoilt are those that are no number.
func (db *DB) page(answer any, found map[string]int64) (last string, size int, spoilt []string, err error) {
	parts, _ := answer.([]any)
	if len(parts) != 2 {
		return "", 0, nil, unexpected(answer)
	}
	names, _ := parts[0].([]any)
	values, _ := parts[1].([]any)
	if len(names) != len(values) {
		return "", 0, nil, unexpected(answer)
	}
	for i, name := range names {
		last, _ = name.(string)
		if values[i] == nil {
			continue // its entry is left over: it counts nothing
		}
		n, ok := number(values[i])
		if !ok {
			spoilt = append(spoilt, last)
			continue
		}
		found[last] = n
	}
	return last, len(names), spoilt, nil
}

// Claim takes, renews or gives up a lease.
func (db *DB) Claim(ctx context.Context, name, owner string, ttl time.Duration) (bool, error) {
	for _, s := range []string{name, owner} {
		if err := store.CheckName(s); err != nil {
			return false, err
		}
	}
	return call(ctx, db, func(ctx context.Context) (bool, error) { return db.claim(ctx, db.keys.lease(name), owner, ttl) })
}

func (db *DB) claim(ctx context.Context, key, owner string, ttl time.Duration) (bool, error) {
	ms := int64(0)
	if ttl > 0 {
		ms = max(ttl.Milliseconds(), 1)
	}
	answer, err := db.run(ctx, task{script: "claim", keys: []string{key}, args: []any{owner, ms}, again: true})
	return answer == int64(1), err
}
