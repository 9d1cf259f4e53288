package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"time"
)

// Docs is a table whose documents are all of one type. Its methods wrap those of Store with JSON.
type Docs[T any] struct {
	Store Store
	Table Table
}

// Get reads a document.
func (d Docs[T]) Get(ctx context.Context, id string) (v T, rev Rev, err error) {
	doc, err := d.Store.Get(ctx, d.Table, id)
	if err != nil {
		return v, 0, fmt.Errorf("read %s %q: %w", d.Table, Shown(id), err)
	}
	v, err = d.decode(doc)
	return v, doc.Rev, err
}

func (d Docs[T]) decode(doc Doc) (v T, err error) {
	if err = json.Unmarshal(doc.Body, &v); err != nil {
		return v, fmt.Errorf("read %s %q: it is no %T: %w", d.Table, Shown(doc.ID), v, err)
	}
	return v, nil
}

// Put writes a document without an expiry.
func (d Docs[T]) Put(ctx context.Context, id string, v T, when Rev) (Rev, error) {
	return d.PutUntil(ctx, id, v, when, time.Time{})
}

// PutUntil writes a document that is gone at a time; zero is never.
func (d Docs[T]) PutUntil(ctx context.Context, id string, v T, when Rev, expires time.Time) (Rev, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return 0, fmt.Errorf("write %s %q: %w", d.Table, Shown(id), err)
	}
	rev, err := d.Store.Put(ctx, d.Table, Doc{ID: id, Expires: expires, Body: body}, when)
	if err != nil {
		return 0, fmt.Errorf("write %s %q: %w", d.Table, Shown(id), err)
	}
	return rev, nil
}

// Delete removes a document, whatever its revision; one that is not there is no error.
func (d Docs[T]) Delete(ctx context.Context, id string) error {
	err := d.Store.Delete(ctx, d.Table, id, Any)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("delete %s %q: %w", d.Table, Shown(id), err)
	}
	return nil
}

// maxConflicts is how often Update tries: each time somebody else got through, so this many
// failures in a row are a fault and not bad luck.
const maxConflicts = 100

// Update reads a document, changes it and writes it, as often as somebody else comes in between.
// change gets the zero value when there is none; it may be called several times, and its error ends
// the update. The expiry of the document stays.
func (d Docs[T]) Update(ctx context.Context, id string, change func(v *T) error) (v T, err error) {
	for n := range maxConflicts {
		if err := pause(ctx, n); err != nil {
			return v, err
		}
		var zero T
		v = zero
		doc, err := d.Store.Get(ctx, d.Table, id)
		when := doc.Rev
		switch {
		case errors.Is(err, ErrNotFound):
			when = New
		case err != nil:
			return v, fmt.Errorf("read %s %q: %w", d.Table, Shown(id), err)
		default:
			if v, err = d.decode(doc); err != nil {
				return v, err
			}
		}
		if err := change(&v); err != nil {
			return v, err
		}
		if _, err = d.PutUntil(ctx, id, v, when, doc.Expires); !errors.Is(err, ErrConflict) {
			return v, err
		}
	}
	return v, fmt.Errorf("write %s %q: %w, again and again", d.Table, Shown(id), ErrConflict)
}

// pause lets the others finish. Without it they all come back in the order in which they were
// answered, and who was last loses every time.
func pause(ctx context.Context, n int) error {
	if n == 0 {
		return nil
	}
	t := time.NewTimer(rand.N(time.Duration(min(n, 20)) * time.Millisecond))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// page is how many documents All reads at a time.
const page = 256

// All goes through the table in the order of ids. A document that cannot be read as T comes with an
// error, and the walk goes on; an error of the engine comes last, with an empty id.
func (d Docs[T]) All(ctx context.Context) iter.Seq2[string, Read[T]] {
	return func(yield func(string, Read[T]) bool) {
		after := ""
		for {
			docs, err := d.Store.List(ctx, d.Table, after, page)
			if err != nil {
				yield("", Read[T]{Err: fmt.Errorf("list %s: %w", d.Table, err)})
				return
			}
			for _, doc := range docs {
				v, err := d.decode(doc)
				if !yield(doc.ID, Read[T]{v, doc.Rev, err}) {
					return
				}
				after = doc.ID
			}
			if len(docs) < page {
				return
			}
		}
	}
}

// Read is one document of All.
type Read[T any] struct {
	Value T
	Rev   Rev
	Err   error // why there is no Value
}

// Shown is how errors and logs call a document. The ids of API keys are their hashes, or end in them: the
// first characters tell them apart.
func Shown(id string) string {
	const hash, shown = 64, 8
	at := len(id) - hash
	if at < 0 || strings.Trim(id[at:], "0123456789abcdef") != "" {
		return id
	}
	return id[:at+shown]
}
