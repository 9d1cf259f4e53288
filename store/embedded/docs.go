package embedded

import (
	"bytes"
	"context"
	"fmt"

	"go.etcd.io/bbolt"

	"gcli2api/store"
)

// Get reads a document.
func (db *DB) Get(ctx context.Context, t store.Table, id string) (d store.Doc, err error) {
	if err := checkID(t, id); err != nil {
		return d, err
	}
	key, now := docKey(t, id), db.now().UnixMilli()
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		value := tx.Bucket([]byte(inDocs)).Get(key)
		if value == nil {
			return store.ErrNotFound
		}
		h, err := readDoc(key, value)
		if err != nil {
			return err
		}
		if h.expired(now) {
			return store.ErrNotFound
		}
		d = h.doc(id)
		return nil
	})
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
	prefix, from, now := docKey(t, ""), docKey(t, after), db.now().UnixMilli()
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		c := tx.Bucket([]byte(inDocs)).Cursor()
		for key, value := c.Seek(from); bytes.HasPrefix(key, prefix) && len(docs) < limit; key, value = c.Next() {
			h, err := readDoc(key, value)
			if err != nil {
				return err
			}
			if id := string(key[len(prefix):]); id != after && !h.expired(now) {
				docs = append(docs, h.doc(id))
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return docs, nil
}

// Put writes a document.
func (db *DB) Put(ctx context.Context, t store.Table, d store.Doc, when store.Rev) (rev store.Rev, err error) {
	if err := checkID(t, d.ID); err != nil {
		return 0, err
	}
	if err := store.CheckBody(d.Body); err != nil {
		return 0, err
	}
	// A copy: who gives up waiting may use the body again before the committer gets to it.
	key, value, expires := docKey(t, d.ID), docValue(d.Body), millis(d.Expires)
	var now store.Rev
	err = db.write(ctx, len(value), func(g *group) error {
		old, err := g.expect(key, when)
		if err != nil {
			return err
		}
		now = old.rev + 1
		return g.putDoc(key, sealDoc(key, value, now, expires), old.expires, expires)
	}, store.Change{Table: t, ID: d.ID})
	if err != nil {
		return 0, err
	}
	return now, nil
}

// Delete removes a document.
func (db *DB) Delete(ctx context.Context, t store.Table, id string, when store.Rev) error {
	if err := checkID(t, id); err != nil {
		return err
	}
	key := docKey(t, id)
	return db.write(ctx, len(key), func(g *group) error {
		old, err := g.find(key)
		switch {
		case err != nil:
			return err
		case old.rev == 0:
			return store.ErrNotFound
		case when != store.Any && when != old.rev:
			return store.ErrConflict
		}
		return g.deleteDoc(key, old.expires)
	}, store.Change{Table: t, ID: id})
}

// Revision reads how often documents were written.
func (db *DB) Revision(ctx context.Context) (n int64, err error) {
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		n, err = number(inInfo, []byte(keyRevision), tx.Bucket([]byte(inInfo)).Get([]byte(keyRevision)))
		return err
	})
	return n, err
}

func checkID(t store.Table, id string) error {
	if err := store.CheckName(string(t)); err != nil {
		return err
	}
	return store.CheckName(id)
}
