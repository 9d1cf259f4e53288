package redis

import (
	"context"
	"strings"
	"time"

	"gcli2api/store"
)

const (
	sweepRest = 10 * time.Second
	sweepMore = 50 * time.Millisecond // while there is more to sweep
	sweepStep = 200                   // documents in one step
)

// tend sweeps, for as long as the store is open.
func (db *DB) tend(ctx context.Context) {
	for next := sweepRest; ; {
		select {
		case <-time.After(next):
		case <-ctx.Done():
			return
		}
		more, err := db.sweep(ctx)
		if next = sweepRest; more && err == nil {
			next = sweepMore
		}
	}
}

// sweep removes some documents that have expired, if no other gateway is at it, and says whether there may be
// more. Nobody can see the difference, so it is no change of a document; its errors are those that the next
// call will meet.
func (db *DB) sweep(ctx context.Context) (more bool, err error) {
	if mine, err := db.claim(ctx, db.keys.sweeping(), db.self, 3*sweepRest); err != nil || !mine {
		return false, err
	}
	answer, err := db.run(ctx, task{script: "due", keys: []string{db.keys.due()}, args: []any{sweepStep}, again: true})
	if err != nil {
		return false, err
	}
	due, _ := answer.([]any)
	tables := map[store.Table][]any{}
	for _, d := range due {
		text, _ := d.(string)
		t, id, _ := strings.Cut(text, "\x00")
		tables[store.Table(t)] = append(tables[store.Table(t)], id)
	}
	for t, ids := range tables {
		if _, err := db.run(ctx, task{script: "sweep", keys: db.ofTable(t)[:4], args: append([]any{dueID(t, "")}, ids...), again: true}); err != nil {
			return false, err
		}
	}
	return len(due) == sweepStep, nil
}
