package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"gcli2api/store"
)

var _ store.CounterWalker = (*DB)(nil)

// WalkCounters reads a part of the counters, in the state of one moment.
func (db *DB) WalkCounters(ctx context.Context, after string, limit int) (list []store.Delta, err error) {
	if limit <= 0 {
		return nil, fmt.Errorf("%w: a list of %d counters", store.ErrInvalid, limit)
	}
	from, _ := whole(after)
	const query = `SELECT name, value FROM {schema}.counters WHERE name > $1::text ORDER BY name LIMIT $2`
	err = db.run(ctx, call{what: fmt.Sprintf("read the counters behind %q", after), read: true, do: func(ctx context.Context, c *pgx.Conn) error {
		list = nil
		rows, err := c.Query(ctx, db.sql(query), from, limit)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var d store.Delta
			if err := rows.Scan(&d.Counter, &d.N); err != nil {
				return err
			}
			list = append(list, d)
		}
		return rows.Err()
	}})
	if err != nil {
		return nil, err
	}
	return list, nil
}
