package redis

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"gcli2api/store"
)

var _ store.CounterWalker = (*DB)(nil)

// WalkCounters reads a part of the counters, in the state of one moment. One that is no number is an error:
// a copy without it would look whole.
func (db *DB) WalkCounters(ctx context.Context, after string, limit int) ([]store.Delta, error) {
	if limit <= 0 {
		return nil, fmt.Errorf("%w: a list of %d counters", store.ErrInvalid, limit)
	}
	return call(ctx, db, func(ctx context.Context) (list []store.Delta, err error) {
		for len(list) < limit {
			from, size := "-", min(limit-len(list), countersPage)
			if after != "" {
				from = "(" + after
			}
			answer, err := db.run(ctx, task{script: "counters", keys: []string{db.keys.counts(), db.keys.names()}, args: []any{from, "+", size}, again: true})
			if err != nil {
				return nil, err
			}
			found := map[string]int64{}
			last, n, spoilt, err := db.page(answer, found)
			if err != nil {
				return nil, err
			}
			if len(spoilt) > 0 {
				return nil, db.noNumber(spoilt[0])
			}
			list = append(list, inOrder(found)...)
			if n < size {
				break
			}
			after = last
		}
		return list, nil
	})
}

func inOrder(found map[string]int64) (list []store.Delta) {
	for _, name := range slices.Sorted(maps.Keys(found)) {
		list = append(list, store.Delta{Counter: name, N: found[name]})
	}
	return list
}
