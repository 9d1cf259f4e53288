package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"gcli2api/store"
)

// Get reads a document.
func (db *DB) Get(ctx context.Context, t store.Table, id string) (d store.Doc, err error) {
	if err := checkID(t, id); err != nil {
		return d, err
	}
	err = db.run(ctx, call{what: fmt.Sprintf("read %s %q", t, store.Shown(id)), read: true, do: func(ctx context.Context, c *pgx.Conn) error {
		var rev, expires *int64
		var body []byte
		err := c.QueryRow(ctx, db.sql(`SELECT rev, expires, body FROM {schema}.get($1::text, $2::text)`), string(t), id).Scan(&rev, &expires, &body)
		if err != nil {
			return err
		}
		if rev == nil {
			return store.ErrNotFound
		}
		d = document(id, *rev, expires, body)
		return nil
	}})
	return d, err
}

// List reads a part of a table, in the state of one moment.
func (db *DB) List(ctx context.Context, t store.Table, after string, limit int) (docs []store.Doc, err error) {
	if err := store.CheckName(string(t)); err != nil {
		return nil, err
	}
	if limit <= 0 {
		return nil, fmt.Errorf("%w: a list of %d documents", store.ErrInvalid, limit)
	}
	query := `SELECT id, rev, expires, body::text FROM {schema}.docs
		WHERE tbl = $1 AND id > $2 AND (expires IS NULL OR expires > (SELECT {schema}.ms())) ORDER BY id LIMIT $3::bigint`
	text, all := whole(after)
	args := []any{string(t), text, int64(limit)}
	if !all {
		query = strings.Replace(query, "id > $2", "id >= $2 AND convert_to(id, 'UTF8') > $4::bytea", 1)
		args = append(args, []byte(after))
	}
	err = db.run(ctx, call{what: fmt.Sprintf("list %s", t), read: true, do: func(ctx context.Context, c *pgx.Conn) error {
		docs = nil
		rows, err := c.Query(ctx, db.sql(query), args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id string
			var rev int64
			var expires *int64
			var body []byte
			if err := rows.Scan(&id, &rev, &expires, &body); err != nil {
				return err
			}
			docs = append(docs, document(id, rev, expires, body))
		}
		return rows.Err()
	}})
	return docs, err
}

func document(id string, rev int64, expires *int64, body []byte) store.Doc {
	d := store.Doc{ID: id, Rev: store.Rev(rev), Body: body}
	if expires != nil {
		d.Expires = time.UnixMilli(*expires)
	}
	return d
}

// Put writes a document.
func (db *DB) Put(ctx context.Context, t store.Table, d store.Doc, when store.Rev) (rev store.Rev, err error) {
	if err := checkID(t, d.ID); err != nil {
		return 0, err
	}
	if err := store.CheckBody(d.Body); err != nil {
		return 0, err
	}
	var expires *int64
	if !d.Expires.IsZero() {
		expires = new(d.Expires.UnixMilli())
	}
	// The driver keeps nothing of the body, but somebody who gave up waiting may use it again at once.
	body := string(d.Body)
	err = db.run(ctx, call{what: fmt.Sprintf("write %s %q", t, store.Shown(d.ID)), do: func(ctx context.Context, c *pgx.Conn) error {
		var got *int64
		if err := c.QueryRow(ctx, db.sql(`SELECT {schema}.put($1::text, $2::text, $3::bigint, $4::text, $5::bigint)`),
			string(t), d.ID, expires, body, int64(when)).Scan(&got); err != nil {
			return err
		}
		if got == nil {
			return store.ErrConflict
		}
		rev = store.Rev(*got)
		return nil
	}})
	if err != nil {
		return 0, err
	}
	db.outbox.add(store.Change{Table: t, ID: d.ID}, 1)
	return rev, nil
}

// Delete removes a document.
func (db *DB) Delete(ctx context.Context, t store.Table, id string, when store.Rev) error {
	if err := checkID(t, id); err != nil {
		return err
	}
	err := db.run(ctx, call{what: fmt.Sprintf("delete %s %q", t, store.Shown(id)), do: func(ctx context.Context, c *pgx.Conn) error {
		var was, done bool
		if err := c.QueryRow(ctx, db.sql(`SELECT was, done FROM {schema}.del($1::text, $2::text, $3::bigint)`),
			string(t), id, int64(when)).Scan(&was, &done); err != nil {
			return err
		}
		switch {
		case !was:
			return store.ErrNotFound
		case !done:
			return store.ErrConflict
		}
		return nil
	}})
	if err != nil {
		return err
	}
	db.outbox.add(store.Change{Table: t, ID: id}, 1)
	return nil
}

// Revision reads how often documents were written.
func (db *DB) Revision(ctx context.Context) (n int64, err error) {
	err = db.run(ctx, call{what: "read the revision", read: true, do: func(ctx context.Context, c *pgx.Conn) error {
		n, err = db.revision(ctx, c)
		return err
	}})
	return n, err
}

func (to *target) revision(ctx context.Context, c *pgx.Conn) (n int64, err error) {
	err = c.QueryRow(ctx, to.sql(`SELECT sum(n)::bigint FROM {schema}.revision`)).Scan(&n)
	return n, err
}

func checkID(t store.Table, id string) error {
	if err := store.CheckName(string(t)); err != nil {
		return err
	}
	return store.CheckName(id)
}
