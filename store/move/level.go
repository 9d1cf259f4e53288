package move

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"time"

	"gcli2api/store"
)

// Count is what there was of one table, or of the counters.
type Count struct {
	Name     string
	From, To int      // how many there are on either side
	Written  int      // written anew or differently
	Removed  int      // that only the target had
	Sum      *big.Int // of the counters of the source; nil for documents
	SumTo    *big.Int
	differs  int // found by comparing
}

// level makes the target like the source.
type level struct {
	from source
	to   *Side
	dry  bool // it only counts what there would be to do
	tell func(*Count)
	hold func(context.Context) error // keeps others away, and is called often

	run   string // of this process, for the ids of batches
	batch []store.Delta
	sent  int
	wrong *problems
}

func newLevel(from source, to *Side) *level {
	return &level{from: from, to: to, run: rand.Text(), wrong: &problems{}, tell: func(*Count) {}, hold: func(context.Context) error { return nil }}
}

// tables levels all documents and all counters. What is wrong with one document or one table does not stop
// the others.
func (l *level) tables(ctx context.Context) (counts []*Count, err error) {
	for _, t := range store.Tables() {
		c := &Count{Name: string(t)}
		counts = append(counts, c)
		if err := l.table(ctx, t, c); err != nil {
			if !l.bearable(ctx, err) {
				return counts, err
			}
			l.wrong.add("%v", err)
		}
	}
	c := &Count{Name: "counters", Sum: new(big.Int), SumTo: new(big.Int)}
	counts = append(counts, c)
	err = l.count(ctx, c)
	l.wrong.all = append(l.wrong.all, l.from.problems()...)
	l.wrong.all = append(l.wrong.all, l.to.problems()...)
	return counts, err
}

// bearable tells errors of one document or table from those that will meet the next one as well.
func (l *level) bearable(ctx context.Context, err error) bool {
	away := (*store.Away)(nil)
	return ctx.Err() == nil && !errors.As(err, &away) && !errors.Is(err, errLost) && !errors.Is(err, store.ErrClosed)
}

func (l *level) table(ctx context.Context, t store.Table, c *Count) error {
	id := func(d *store.Doc) string { return d.ID }
	a := &cursor[store.Doc]{read: l.from.documents(t), id: id}
	b := &cursor[store.Doc]{read: l.to.documents(t), id: id}
	soon := time.Now().Add(time.Minute)
	return sideBySide(ctx, a, b, func(from, to *store.Doc) error {
		if err := l.hold(ctx); err != nil {
			return err
		}
		l.tell(c)
		switch {
		case from == nil:
			if !to.Expires.IsZero() && to.Expires.Before(soon) {
				return nil // it is about to go by itself, and has gone at the other side
			}
			c.To++
			c.differs++
			return l.remove(ctx, t, to.ID, c)
		case to != nil && equal(t, from.Body, to.Body) && sameTime(from.Expires, to.Expires):
			c.From++
			c.To++
			return nil
		case to == nil && !from.Expires.IsZero() && from.Expires.Before(soon):
			return nil
		}
		if c.From++; to != nil {
			c.To++
		}
		c.differs++
		return l.write(ctx, t, *from, c)
	})
}

// equal compares bodies. Of credentials one may be the text of a file and the other one a document.
func equal(t store.Table, a, b []byte) bool {
	return bytes.Equal(a, b) || t == store.Credentials && bytes.Equal(asDocument(a), asDocument(b))
}

// sameTime compares what is kept of an expiry.
func sameTime(a, b time.Time) bool {
	return a.IsZero() == b.IsZero() && (a.IsZero() || a.UnixMilli() == b.UnixMilli())
}

func (l *level) write(ctx context.Context, t store.Table, d store.Doc, c *Count) error {
	if t == store.Credentials && l.to.Folder == "" {
		d.Body = asDocument(d.Body)
	}
	err := l.refused(t, d)
	if err == nil && !l.dry {
		err = patiently(ctx, func() error { return l.to.put(ctx, t, d) })
	}
	if err != nil {
		err = fmt.Errorf("document %q of table %s cannot be written to %s: %w", d.ID, t, l.to.Name, err)
		if !l.bearable(ctx, err) {
			return err
		}
		l.wrong.add("%v", err)
		return nil
	}
	c.Written++
	return nil
}

// refused says before it is tried why a document cannot be kept.
func (l *level) refused(t store.Table, d store.Doc) error {
	if t == store.Credentials && l.to.Folder != "" {
		return fileName(d.ID)
	}
	err := store.CheckName(d.ID)
	if err == nil {
		err = store.CheckBody(d.Body)
	}
	return err
}

func (l *level) remove(ctx context.Context, t store.Table, id string, c *Count) error {
	if !l.dry {
		if err := patiently(ctx, func() error { return l.to.remove(ctx, t, id) }); err != nil {
			return fmt.Errorf("remove %q of table %s from %s: %w", id, t, l.to.Name, err)
		}
	}
	c.Removed++
	return nil
}

func (s *Side) put(ctx context.Context, t store.Table, d store.Doc) error {
	if t == store.Credentials && s.Folder != "" {
		return s.putFile(d)
	}
	_, err := s.Store.Put(ctx, t, d, store.Any)
	return err
}

func (s *Side) remove(ctx context.Context, t store.Table, id string) error {
	if t == store.Credentials && s.Folder != "" {
		return s.setAside(id)
	}
	if err := s.Store.Delete(ctx, t, id, store.Any); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return nil
}

// maxBatch is how many counters are written at a time.
const maxBatch = 500

// count levels the counters, by what is missing to those of the target.
func (l *level) count(ctx context.Context, c *Count) error {
	id := func(d *store.Delta) string { return d.Counter }
	a := &cursor[store.Delta]{read: l.from.counters(), id: id}
	b := &cursor[store.Delta]{read: l.to.counters(), id: id}
	err := sideBySide(ctx, a, b, func(from, to *store.Delta) error {
		if err := l.hold(ctx); err != nil {
			return err
		}
		l.tell(c)
		var was, is int64
		name := ""
		if to != nil {
			name, was = to.Counter, to.N
			c.To++
			c.SumTo.Add(c.SumTo, big.NewInt(was))
		}
		if from != nil {
			name, is = from.Counter, from.N
			c.From++
			c.Sum.Add(c.Sum, big.NewInt(is))
		} else {
			c.Removed++
		}
		if is == was {
			return nil
		}
		c.differs++
		if from != nil {
			c.Written++
		}
		if l.dry {
			return nil
		}
		if l.batch = append(l.batch, store.Delta{Counter: name, N: is - was}); len(l.batch) < maxBatch {
			return nil
		}
		return l.flush(ctx)
	})
	if err != nil {
		return err
	}
	return l.flush(ctx)
}

// flush has an id for each batch: one whose answer was lost is sent again.
func (l *level) flush(ctx context.Context) error {
	if len(l.batch) == 0 {
		return nil
	}
	l.sent++
	id := fmt.Sprintf("move/%s/%d", l.run, l.sent)
	if err := patiently(ctx, func() error { return l.to.Store.AddOnce(ctx, id, l.batch) }); err != nil {
		return fmt.Errorf("write counters to %s: %w", l.to.Name, err)
	}
	l.batch = l.batch[:0]
	return nil
}

// problems are what could not be moved.
type problems struct{ all []string }

func (p *problems) add(form string, args ...any) { p.all = append(p.all, fmt.Sprintf(form, args...)) }
