package move

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gcli2api/store"
	"gcli2api/store/embedded"
	"gcli2api/store/open"
)

// gate is a node as it stands in the list after so many beats.
func gate(n int) store.Doc {
	return store.Doc{ID: "gate-7", Body: fmt.Appendf(nil, `{"beat":%d}`, n), Expires: later}
}

// eventful is a store in which a gateway writes whenever something happens to a table.
type eventful struct {
	store.Store
	table store.Table
	n     int
}

func (e *eventful) List(ctx context.Context, t store.Table, after string, limit int) ([]store.Doc, error) {
	e.happens(ctx, t)
	return e.Store.List(ctx, t, after, limit)
}

func (e *eventful) Put(ctx context.Context, t store.Table, d store.Doc, when store.Rev) (store.Rev, error) {
	e.happens(ctx, t)
	return e.Store.Put(ctx, t, d, when)
}

func (e *eventful) happens(ctx context.Context, t store.Table) {
	if t == e.table {
		e.n++
		_, _ = e.Store.Put(ctx, store.Nodes, gate(e.n), store.Any) // the test looks at what comes of it
	}
}

func sideOf(t *testing.T, name string) *Side {
	t.Helper()
	db, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "db")})
	ok(t, err)
	t.Cleanup(func() { db.Close() })
	return &Side{Name: name, ID: name, Store: db}
}

// What gateways use is left alone, unless somebody says so.
func TestMigrateLive(t *testing.T) {
	for _, at := range []string{"source", "target"} {
		from, to := sideOf(t, "the source"), sideOf(t, "the target")
		ok(t, from.put(t.Context(), store.Keys, store.Doc{ID: "one", Body: []byte("1")}))
		for _, s := range []*Side{from, to} {
			if strings.HasSuffix(s.Name, at) {
				s.Store = &eventful{Store: s.Store, table: store.Nodes}
			}
		}
		j := &job{from: from, id: from.ID, name: from.Name, to: to, say: io.Discard, progress: func(*Count) {}, silence: time.Minute, silent: map[*Side]map[string]string{}}
		says(t, j.run(t.Context()), "the "+at+" is used by gateways just now (gate-7)")
		if m, err := open.MarkOf(t.Context(), to.Store); m != nil || err != nil {
			t.Errorf("%s: %+v %v", at, m, err)
		}
		j.live = true
		ok(t, j.run(t.Context()))
	}
}

// A gateway that opened the target before the mark was there is seen behind it, and what was there before is
// put back.
func TestMigrateWhileGatewayStarts(t *testing.T) {
	for _, before := range []*open.Mark{nil, {From: "x", Name: "the place before", Done: time.Now()}} {
		from, to := sideOf(t, "the source"), sideOf(t, "the target")
		ok(t, from.put(t.Context(), store.Keys, store.Doc{ID: "one", Body: []byte("1")}))
		if before != nil {
			ok(t, before.Save(t.Context(), to.Store))
		}
		to.Store = &eventful{Store: to.Store, table: open.Moves}
		j := &job{from: from, id: from.ID, name: from.Name, to: to, say: io.Discard, progress: func(*Count) {}, silent: map[*Side]map[string]string{}}
		says(t, j.run(t.Context()), "a gateway began to use the target at this moment (gate-7)")
		m, err := open.MarkOf(t.Context(), to.Store)
		if err != nil || (m == nil) != (before == nil) || m != nil && m.Name != before.Name || open.Whole(t.Context(), to.Store) != nil {
			t.Errorf("%+v %v", m, err)
		}
		if docs, err := to.Store.List(t.Context(), store.Keys, "", 10); err != nil || len(docs) > 0 {
			t.Errorf("%d documents were moved, %v", len(docs), err)
		}
	}
}

// The other users of a machine see the command line: an address can stand in a variable.
func TestPlaceOfVariable(t *testing.T) {
	source, target := folder(t), folder(t)
	fill(t, source, 3)
	t.Setenv("WHERE_IT_WAS", source)
	_, err := does(t, migrate("env:WHERE_IT_WAS", target))
	ok(t, err)
	same(t, source, target)
	_, err = does(t, migrate("env:NOT_SET", target))
	says(t, err, "NOT_SET")
	if p := parsed(t, "user=me password=secret"); p.Engine != open.Postgres || strings.Contains(p.String(), "secret") {
		t.Errorf("%s", p)
	}
}

// A part of many short lines would take many times its length.
func TestArchiveOfManyLines(t *testing.T) {
	n := 0
	err := records(countFolder+"1.ndjson", bytes.NewReader(bytes.Repeat([]byte("{}\n"), maxLines+1)), func(string, store.Doc, store.Delta) error { n++; return nil })
	says(t, err, "more lines")
	if n != maxLines {
		t.Errorf("%d lines were read", n)
	}
}

// A gateway is named by its address: nobody knows the others.
func TestCalled(t *testing.T) {
	for wrote, want := range map[string]string{`{"host":"alpha","address":"10.0.0.1:7861","beat":3}`: "10.0.0.1:7861 on alpha", `{"beat":3}`: "id", `no`: "id"} {
		if got := called("id", wrote); got != want {
			t.Errorf("%s: %q", wrote, got)
		}
	}
}
