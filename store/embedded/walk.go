package embedded

import (
	"context"
	"fmt"

	"go.etcd.io/bbolt"

	"gcli2api/store"
)

// WalkCounters reads a part of the counters, in the state of one moment.
func (db *DB) WalkCounters(ctx context.Context, after string, limit int) (list []store.Delta, err error) {
	if limit <= 0 {
		return nil, fmt.Errorf("%w: a list of %d counters", store.ErrInvalid, limit)
	}
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		c := tx.Bucket([]byte(inCounters)).Cursor()
		from := max(after, guard) + "\x00" // names have no such byte: this is right behind
		for key, value := c.Seek([]byte(from)); key != nil && len(list) < limit; key, value = c.Next() {
			n, err := number(inCounters, key, value)
			if err != nil {
				return err
			}
			list = append(list, store.Delta{Counter: string(key), N: n})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

var _ store.CounterWalker = (*DB)(nil)
