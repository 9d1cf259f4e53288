package embedded

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"go.etcd.io/bbolt"

	"gcli2api/store"
)

// Take adds to a counter that has a limit.
func (db *DB) Take(ctx context.Context, counter string, n, limit int64) (int64, error) {
	if err := store.CheckName(counter); err != nil {
		return 0, err
	}
	if n < 0 {
		return 0, fmt.Errorf("%w: taking %d", store.ErrInvalid, n)
	}
	var left int64
	err := db.write(ctx, len(counter), func(g *group) error {
		used, err := g.count(counter)
		if err != nil {
			return err
		}
		if left = max(limit-used, 0); used > limit || n > left {
			return store.ErrExhausted
		}
		left -= n
		return g.setCount(counter, used, used+n)
	}, store.Change{})
	// Whoever gave up waiting must not look at left: the committer may be writing it.
	if err != nil && !errors.Is(err, store.ErrExhausted) {
		return 0, err
	}
	return left, err
}

// Add applies differences, all or none.
func (db *DB) Add(ctx context.Context, deltas []store.Delta) error {
	return db.add(ctx, deltas, func(*group) (bool, error) { return false, nil })
}

// AddOnce notes its id in the transaction that applies the differences.
func (db *DB) AddOnce(ctx context.Context, id string, deltas []store.Delta) error {
	if err := store.CheckName(id); err != nil {
		return err
	}
	key, value := docKey(store.Batches, id), docValue([]byte("1"))
	return db.add(ctx, deltas, func(g *group) (bool, error) {
		old, err := g.find(key)
		if err != nil || old.rev != 0 {
			return true, err
		}
		return false, g.note(key, value, old.expires, g.now+store.OnceFor.Milliseconds())
	})
}

// add applies differences unless done says that they have been.
func (db *DB) add(ctx context.Context, deltas []store.Delta, done func(*group) (bool, error)) error {
	size := 0
	for _, d := range deltas {
		if err := store.CheckName(d.Counter); err != nil {
			return err
		}
		size += len(d.Counter)
	}
	own := append([]store.Delta(nil), deltas...) // the caller may go away and use it again
	return db.write(ctx, size, func(g *group) error {
		if is, err := done(g); is || err != nil {
			return err
		}
		for _, d := range own {
			old, err := g.count(d.Counter)
			if err != nil {
				return err
			}
			if err := g.setCount(d.Counter, old, add(old, d.N)); err != nil {
				return err
			}
		}
		return nil
	}, store.Change{})
}

// add stops at zero and at the largest number. old is never negative.
func add(old, n int64) int64 {
	if n > math.MaxInt64-old {
		return math.MaxInt64
	}
	return max(old+n, 0)
}

// Counters reads the counters behind a prefix, in the state of one moment.
func (db *DB) Counters(ctx context.Context, prefix string) (map[string]int64, error) {
	found := map[string]int64{}
	err := db.view(ctx, func(tx *bbolt.Tx) error {
		c := tx.Bucket([]byte(inCounters)).Cursor()
		from := max(prefix, guard+"\x00") // behind the guard
		for key, value := c.Seek([]byte(from)); key != nil && strings.HasPrefix(string(key), prefix); key, value = c.Next() {
			n, err := number(inCounters, key, value)
			if err != nil {
				return err
			}
			found[string(key)] = n
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

func (g *group) count(counter string) (int64, error) {
	key := []byte(counter)
	return number(inCounters, key, g.counters.Get(key))
}

// setCount leaves no counter at zero behind: days and keys come and go, and their names with them.
func (g *group) setCount(counter string, old, now int64) error {
	if old == now {
		return nil
	}
	g.written = true
	key := []byte(counter)
	if now == 0 {
		return g.counters.Delete(key)
	}
	return g.counters.Put(key, sealNumber(inCounters, key, now))
}
