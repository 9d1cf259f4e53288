package move

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"gcli2api/store"
	"gcli2api/store/open"
)

// growing is a store to which somebody writes as soon as its counters are read for the first time.
type growing struct {
	store.Store
	grown bool
}

func (g *growing) WalkCounters(ctx context.Context, after string, limit int) ([]store.Delta, error) {
	if !g.grown {
		g.grown = true
		if _, err := g.Put(ctx, store.Keys, store.Doc{ID: "late", Body: []byte("1")}, store.New); err != nil {
			return nil, err
		}
	}
	return g.Store.(store.CounterWalker).WalkCounters(ctx, after, limit)
}

// TestMigrateDiffers: what somebody wrote to the source behind the move's back is found by comparing, and the
// move does not say that it went well, unless it was told that gateways go on.
func TestMigrateDiffers(t *testing.T) {
	for _, live := range []bool{false, true} {
		from, to := sideOf(t, "the source"), sideOf(t, "the target")
		ok(t, from.put(t.Context(), store.Keys, store.Doc{ID: "one", Body: []byte("1")}))
		ok(t, from.Store.Add(t.Context(), []store.Delta{{Counter: "a", N: 1}}))
		source := &growing{Store: from.Store}
		from.Store = source
		var said bytes.Buffer
		j := &job{from: from, id: from.ID, name: from.Name, to: to, say: &said, live: live, progress: func(*Count) {}, silence: time.Minute, silent: map[*Side]map[string]string{}}
		if err := j.run(t.Context()); errors.Is(err, errDiffers) == live || live && err != nil {
			t.Errorf("live %v: %v", live, err)
		}
		if !source.grown || !strings.Contains(said.String(), string(store.Keys)) {
			t.Errorf("it says %q", &said)
		}
		if m, err := open.MarkOf(t.Context(), to.Store); err != nil || m == nil || m.Done.IsZero() == live {
			t.Errorf("live %v: the mark is %+v, %v", live, m, err)
		}
		if live {
			continue
		}
		if err := j.run(t.Context()); err != nil { // it goes on from there
			t.Error(err)
		}
		if m, err := open.MarkOf(t.Context(), to.Store); err != nil || m == nil || m.Done.IsZero() {
			t.Errorf("the mark is %+v, %v", m, err)
		}
	}
}

// TestLevelByExpiry: a document that differs in its expiry alone is written as well, and a dry run neither
// writes nor removes.
func TestLevelByExpiry(t *testing.T) {
	from, to := sideOf(t, "the source"), sideOf(t, "the target")
	ok(t, from.put(t.Context(), store.Short, store.Doc{ID: "same", Body: []byte("1"), Expires: later}))
	ok(t, to.put(t.Context(), store.Short, store.Doc{ID: "same", Body: []byte("1")}))
	ok(t, to.put(t.Context(), store.Short, store.Doc{ID: "surplus", Body: []byte("1")}))
	for _, dry := range []bool{true, false} {
		l := newLevel(from, to)
		l.dry = dry
		if _, err := l.tables(t.Context()); err != nil || len(l.wrong.all) > 0 {
			t.Fatal(err, l.wrong.all)
		}
		d, err := to.Store.Get(t.Context(), store.Short, "same")
		if ok(t, err); d.Expires.IsZero() != dry || !dry && !d.Expires.Equal(later) {
			t.Errorf("dry %v: it expires %v", dry, d.Expires)
		}
		if _, err := to.Store.Get(t.Context(), store.Short, "surplus"); errors.Is(err, store.ErrNotFound) == dry {
			t.Errorf("dry %v: %v", dry, err)
		}
	}
}
