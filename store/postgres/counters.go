package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"gcli2api/store"
)

// Take adds to a counter that has a limit.
func (db *DB) Take(ctx context.Context, counter string, n, limit int64) (left int64, err error) {
	if err := store.CheckName(counter); err != nil {
		return 0, err
	}
	if n < 0 {
		return 0, fmt.Errorf("%w: taking %d", store.ErrInvalid, n)
	}
	err = db.run(ctx, call{what: fmt.Sprintf("take from the counter %q", counter), do: func(ctx context.Context, c *pgx.Conn) error {
		var done bool
		if err := c.QueryRow(ctx, db.sql(`SELECT done, rest FROM {schema}.take($1::text, $2::bigint, $3::bigint)`),
			counter, n, limit).Scan(&done, &left); err != nil {
			return err
		}
		if !done {
			return store.ErrExhausted
		}
		return nil
	}})
	return left, err
}

// Add applies differences, all or none.
func (db *DB) Add(ctx context.Context, deltas []store.Delta) error {
	return db.add(ctx, deltas, `SELECT {schema}.add($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::boolean)`)
}

// AddOnce notes its id in the transaction that applies the differences.
func (db *DB) AddOnce(ctx context.Context, id string, deltas []store.Delta) error {
	if err := store.CheckName(id); err != nil {
		return err
	}
	return db.add(ctx, deltas, `SELECT {schema}.add_once($6::text, $7::bigint, $1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::boolean)`,
		id, store.OnceFor.Milliseconds())
}

func (db *DB) add(ctx context.Context, deltas []store.Delta, query string, more ...any) error {
	for _, d := range deltas {
		if err := store.CheckName(d.Counter); err != nil {
			return err
		}
	}
	s := fold(deltas)
	args := append([]any{s.names, s.n, s.low, s.high, s.plain}, more...)
	return db.run(ctx, call{what: "add to counters", do: func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, db.sql(query), args...)
		return err
	}})
}

// Counters reads the counters behind a prefix, in the state of one moment.
func (db *DB) Counters(ctx context.Context, prefix string) (map[string]int64, error) {
	// A range of the index. LIKE would take % and _ of a name for patterns, and needs another index.
	from, _ := whole(prefix)
	query, args := `SELECT name, value FROM {schema}.counters WHERE name >= $1::text`, []any{from}
	if to := successor(from); to != "" {
		query, args = query+` AND name < $2::text`, append(args, to)
	}
	found := map[string]int64{}
	all, err := db.counters(ctx, fmt.Sprintf("read the counters of %q", prefix), query, args...)
	for _, d := range all {
		if strings.HasPrefix(d.Counter, prefix) {
			found[d.Counter] = d.N
		}
	}
	if err != nil {
		return nil, err
	}
	return found, nil
}

// WalkCounters reads a part of the counters, in the order of their names.
func (db *DB) WalkCounters(ctx context.Context, after string, limit int) ([]store.Delta, error) {
	if limit <= 0 {
		return nil, fmt.Errorf("%w: a list of %d counters", store.ErrInvalid, limit)
	}
	return db.counters(ctx, "read counters", `SELECT name, value FROM {schema}.counters WHERE name > $1::text ORDER BY name LIMIT $2::bigint`, after, int64(limit))
}

func (db *DB) counters(ctx context.Context, what, query string, args ...any) (all []store.Delta, err error) {
	err = db.run(ctx, call{what: what, read: true, do: func(ctx context.Context, c *pgx.Conn) error {
		all = nil
		rows, err := c.Query(ctx, db.sql(query), args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var d store.Delta
			if err := rows.Scan(&d.Counter, &d.N); err != nil {
				return err
			}
			all = append(all, d)
		}
		return rows.Err()
	}})
	return all, err
}

// Claim takes, renews or gives up a lease, by the clock of the server.
func (db *DB) Claim(ctx context.Context, name, owner string, ttl time.Duration) (mine bool, err error) {
	for _, s := range []string{name, owner} {
		if err := store.CheckName(s); err != nil {
			return false, err
		}
	}
	length := ttl.Milliseconds()
	if ttl > 0 {
		length = max(length, 1)
	} else {
		length = 0
	}
	err = db.run(ctx, call{what: fmt.Sprintf("claim %q", name), do: func(ctx context.Context, c *pgx.Conn) error {
		return c.QueryRow(ctx, db.sql(`SELECT {schema}.claim($1::text, $2::text, $3::bigint)`), name, owner, length).Scan(&mine)
	}})
	return mine && err == nil, err
}
