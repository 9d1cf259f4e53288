package pool

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gcli2api/store"
)

var errGone = &store.Away{Engine: "X", Err: errors.New("connection refused")}

// losing is a store that is away for one write of a document, or for lists of a table.
type losing struct {
	store.Store
	id    string
	lists store.Table
	left  atomic.Int64
}

func (l *losing) Put(ctx context.Context, t store.Table, d store.Doc, when store.Rev) (store.Rev, error) {
	if t == store.Credentials && d.ID == l.id && l.left.Add(-1) >= 0 {
		return 0, errGone
	}
	return l.Store.Put(ctx, t, d, when)
}

func (l *losing) List(ctx context.Context, t store.Table, after string, limit int) ([]store.Doc, error) {
	if t == l.lists && l.left.Add(-1) >= 0 {
		return nil, errGone
	}
	return l.Store.List(ctx, t, after, limit)
}

// later is a clock that a test moves.
func later(o *Options) (ahead *atomic.Int64) {
	ahead = new(atomic.Int64)
	o.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	return ahead
}

// TestInboxTakesTheRestLater: of a file of several credentials the store took one, and was away for the other.
// That one comes later, and is not taken for one that somebody has deleted.
func TestInboxTakesTheRestLater(t *testing.T) {
	s, dir := &losing{Store: flakyStore(t, filepath.Join(t.TempDir(), "x.db")), id: "b.json"}, t.TempDir()
	s.left.Store(1)
	put(t, dir, "creds.toml", "[\"a.json\"]\nrefresh_token = \"1//a\"\nproject_id = \"p-a\"\n\n[\"b.json\"]\nrefresh_token = \"1//b\"\nproject_id = \"p-b\"\n")
	var ahead *atomic.Int64
	n := onStore(t, s, inFolder(dir), func(o *Options) { ahead = later(o) })
	if got := namesIn(stored(t, s)); got != "a.json" {
		t.Fatalf("stored are %q while one could not be written", got)
	}
	ahead.Add(int64(2 * retryAfter))
	n.Rescan()
	if got := namesIn(stored(t, s)); got != "a.json b.json" {
		t.Errorf("stored are %q", got)
	}
}

// TestReceiptsThatCannotBeRead: a node with a large folder starts while the receipts cannot be listed. It
// does not take that for there being none: what was deleted in the panel stays deleted.
func TestReceiptsThatCannotBeRead(t *testing.T) {
	db, dir := flakyStore(t, filepath.Join(t.TempDir(), "x.db")), t.TempDir()
	for i := range manyFiles + 1 {
		put(t, dir, fmt.Sprintf("f%03d.json", i), fileOf(i))
	}
	first := onStore(t, db, inFolder(dir))
	if errs := first.Delete("f007.json"); errs[0] != nil {
		t.Fatal(errs)
	}
	s := &losing{Store: db, lists: store.Imports}
	s.left.Store(1)
	var ahead *atomic.Int64
	n := onStore(t, s, inFolder(dir), func(o *Options) { ahead = later(o) })
	if s.left.Load() > 0 {
		t.Fatal("nobody listed the receipts")
	}
	ahead.Add(int64(2 * retryAfter))
	n.Rescan()
	if got := namesIn(stored(t, db)); strings.Contains(got, "f007.json") {
		t.Error("it is back")
	}
}
