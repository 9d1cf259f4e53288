package redis

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gcli2api/store"
)

const (
	listStep  = 500     // ids that one step of a list looks at: less than 1 ms of the server
	listBytes = 4 << 20 // bodies in one step, from which on no more are taken in
)

// Get reads a document.
func (db *DB) Get(ctx context.Context, t store.Table, id string) (store.Doc, error) {
	if err := checkID(t, id); err != nil {
		return store.Doc{}, err
	}
	return call(ctx, db, func(ctx context.Context) (store.Doc, error) {
		answer, err := db.run(ctx, task{script: "get", keys: []string{db.keys.heads(t), db.keys.bodies(t)}, args: []any{id}, again: true})
		if err != nil {
			return store.Doc{}, err
		}
		parts, is := answer.([]any)
		if is && len(parts) == 2 {
			if d, ok := document(id, parts[0], parts[1]); ok {
				return d, nil
			}
		} else if answer == int64(0) {
			return store.Doc{}, store.ErrNotFound
		}
		return store.Doc{}, db.broken(t, id)
	})
}

// broken is a document of which a part is missing or unreadable: somebody else has written there.
func (db *DB) broken(t store.Table, id string) error {
	return fmt.Errorf("the document %s %q in Redis is broken (field %q of the keys %s and %s): nothing was changed; put back a copy of it, or remove both fields",
		t, id, id, db.keys.heads(t), db.keys.bodies(t))
}

// document puts a document together from "revision expiry" and its body.
func document(id string, head, body any) (d store.Doc, ok bool) {
	h, hasHead := head.(string)
	b, hasBody := body.(string)
	rev, expires, cut := strings.Cut(h, " ")
	n, err1 := strconv.ParseInt(rev, 10, 64)
	ms, err2 := strconv.ParseInt(expires, 10, 64)
	if !hasHead || !hasBody || !cut || err1 != nil || err2 != nil || n < 1 || ms < 0 {
		return d, false
	}
	d = store.Doc{ID: id, Rev: store.Rev(n), Body: []byte(b)}
	if ms != 0 {
		d.Expires = time.UnixMilli(ms)
	}
	return d, true
}

// List reads a part of a table in steps, so that the server is not held up; each step is the state of one
// moment. A broken document comes without a body and at revision 0: whoever reads it meets an error that
// names it, and the rest is served.
func (db *DB) List(ctx context.Context, t store.Table, after string, limit int) ([]store.Doc, error) {
	if err := store.CheckName(string(t)); err != nil {
		return nil, err
	}
	if limit <= 0 {
		return nil, fmt.Errorf("%w: a list of %d documents", store.ErrInvalid, limit)
	}
	return call(ctx, db, func(ctx context.Context) (docs []store.Doc, err error) {
		for more := true; more && len(docs) < limit; {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if docs, after, more, err = db.listStep(ctx, t, after, docs, limit); err != nil {
				return nil, err
			}
		}
		return docs, nil
	})
}

func (db *DB) listStep(ctx context.Context, t store.Table, after string, docs []store.Doc, limit int) ([]store.Doc, string, bool, error) {
	from := "-"
	if after != "" {
		from = "(" + after
	}
	answer, err := db.run(ctx, task{script: "list", keys: []string{db.keys.ids(t), db.keys.heads(t), db.keys.bodies(t)},
		args: []any{from, min(listStep, limit-len(docs)), listBytes}, again: true})
	if err != nil {
		return nil, "", false, err
	}
	parts, _ := answer.([]any)
	if len(parts) < 2 || len(parts)%3 != 2 {
		return nil, "", false, unexpected(answer)
	}
	for i := 2; i < len(parts); i += 3 {
		id, _ := parts[i].(string)
		d, ok := document(id, parts[i+1], parts[i+2])
		if !ok {
			d = store.Doc{ID: id}
			if err := db.broken(t, id); db.said.First(err.Error()) {
				db.log.Error("a document in the database is broken", "error", err)
			}
		}
		docs = append(docs, d)
	}
	last, _ := parts[1].(string)
	return docs, last, parts[0] == int64(1), nil
}

func unexpected(answer any) error {
	return fmt.Errorf("Redis answered a script with a %T that it does not give: is it a Redis?", answer)
}

// Put writes a document.
func (db *DB) Put(ctx context.Context, t store.Table, d store.Doc, when store.Rev) (store.Rev, error) {
	if err := checkID(t, d.ID); err != nil {
		return 0, err
	}
	if err := store.CheckBody(d.Body); err != nil {
		return 0, err
	}
	body := string(d.Body) // a copy: who gives up waiting may use the body again
	return call(ctx, db, func(ctx context.Context) (store.Rev, error) {
		answer, err := db.run(ctx, task{script: "put", keys: db.ofTable(t), args: []any{d.ID, int64(when), millis(d.Expires), body,
			dueID(t, d.ID), db.channel, dueID(t, d.ID)}})
		if err != nil {
			return 0, err
		}
		text, _ := answer.(string)
		switch rev, err := strconv.ParseInt(text, 10, 64); {
		case err == nil:
			return store.Rev(rev), nil
		case text == "conflict":
			return 0, store.ErrConflict
		case text == "broken":
			return 0, db.broken(t, d.ID)
		}
		return 0, unexpected(answer)
	})
}

// Delete removes a document.
func (db *DB) Delete(ctx context.Context, t store.Table, id string, when store.Rev) error {
	if err := checkID(t, id); err != nil {
		return err
	}
	_, err := call(ctx, db, func(ctx context.Context) (bool, error) {
		answer, err := db.run(ctx, task{script: "delete", keys: db.ofTable(t), args: []any{id, int64(when), dueID(t, id), db.channel, dueID(t, id)}})
		switch {
		case err != nil:
			return false, err
		case answer == "done":
			return true, nil
		case answer == "none":
			return false, store.ErrNotFound
		case answer == "conflict":
			return false, store.ErrConflict
		case answer == "broken":
			return false, db.broken(t, id)
		}
		return false, unexpected(answer)
	})
	return err
}

func (db *DB) ofTable(t store.Table) []string {
	return []string{db.keys.heads(t), db.keys.bodies(t), db.keys.ids(t), db.keys.due(), db.keys.revision()}
}

// Revision reads how often documents were written.
func (db *DB) Revision(ctx context.Context) (int64, error) {
	return call(ctx, db, func(ctx context.Context) (int64, error) {
		text, err := db.get(ctx, db.keys.revision())
		if err != nil || text == "" {
			return 0, err
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("the key %s in Redis is no number", db.keys.revision())
		}
		return n, nil
	})
}

func checkID(t store.Table, id string) error {
	if err := store.CheckName(string(t)); err != nil {
		return err
	}
	return store.CheckName(id)
}

// millis is when a document expires; 0 stands for never, so that a time that long ago is moved on.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return max(t.UnixMilli(), 1)
}
