package store_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"gcli2api/store"
	"gcli2api/store/embedded"
	"gcli2api/store/storetest"
)

type price struct{ In, Out int }

func prices(t *testing.T) (store.Docs[price], *storetest.Flaky) {
	db, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	f := &storetest.Flaky{Store: db}
	return store.Docs[price]{Store: f, Table: store.Costs}, f
}

func TestDocsAll(t *testing.T) {
	docs, f := prices(t)
	ctx := t.Context()
	const n = 600 // more than two pages, and no full one at the end
	for i := range n {
		if _, err := docs.Put(ctx, fmt.Sprintf("m%03d", i), price{In: i}, store.New); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.Put(ctx, store.Costs, store.Doc{ID: "m300", Body: []byte(`{"In":"much"}`)}, store.Any); err != nil {
		t.Fatal(err)
	}
	i, bad := 0, 0
	for id, r := range docs.All(ctx) {
		if id != fmt.Sprintf("m%03d", i) {
			t.Fatalf("%s is number %d", id, i)
		}
		if r.Err != nil {
			bad++
		} else if r.Value.In != i || r.Rev != 1 {
			t.Fatalf("%s: %+v", id, r)
		}
		i++
	}
	if i != n || bad != 1 {
		t.Fatalf("%d documents, %d bad", i, bad)
	}
	for range docs.All(ctx) {
		break // must not go on by itself
	}
	gone := errors.New("gone")
	f.Break(storetest.Fault{Err: gone, Calls: []string{"List"}})
	seen := 0
	for id, r := range docs.All(ctx) {
		seen++
		if id != "" || !errors.Is(r.Err, gone) {
			t.Fatalf("%q %v", id, r.Err)
		}
	}
	if seen != 1 {
		t.Fatalf("the error came %d times", seen)
	}
}

func TestDocsErrors(t *testing.T) {
	docs, f := prices(t)
	ctx := t.Context()
	if _, _, err := docs.Get(ctx, "none"); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
	if _, err := docs.Put(ctx, "a", price{1, 2}, store.New); err != nil {
		t.Fatal(err)
	}
	if _, err := docs.Put(ctx, "a", price{1, 2}, store.New); !errors.Is(err, store.ErrConflict) {
		t.Error(err)
	}
	stop := errors.New("stop")
	if _, err := docs.Update(ctx, "a", func(*price) error { return stop }); !errors.Is(err, stop) {
		t.Error(err)
	}
	if v, rev, err := docs.Get(ctx, "a"); v != (price{1, 2}) || rev != 1 || err != nil {
		t.Error(v, rev, err)
	}
	if _, err := (store.Docs[func()]{Store: f, Table: "t"}).Put(ctx, "a", nil, store.New); err == nil {
		t.Error("a function was stored")
	}
	if _, err := (store.Docs[[]int]{Store: f, Table: store.Costs}).Update(ctx, "a", func(*[]int) error { return nil }); err == nil {
		t.Error("it was taken for a list")
	}
	f.Break(storetest.Fault{Err: stop, Times: 3})
	_, _, err1 := docs.Get(ctx, "a")
	_, err2 := docs.Put(ctx, "a", price{}, store.Any)
	err3 := docs.Delete(ctx, "a")
	for _, err := range []error{err1, err2, err3} {
		if !errors.Is(err, stop) {
			t.Error(err)
		}
	}
}

// TestDocsConflicts: somebody else may come in between, but not for ever.
func TestDocsConflicts(t *testing.T) {
	docs, f := prices(t)
	f.Break(storetest.Fault{Err: store.ErrConflict, Calls: []string{"Put"}, Times: 3})
	calls := 0
	v, err := docs.Update(t.Context(), "a", func(v *price) error { calls++; v.In++; return nil })
	if err != nil || v.In != 1 || calls != 4 {
		t.Fatalf("%+v after %d tries: %v", v, calls, err)
	}
	f.Break(storetest.Fault{Err: store.ErrConflict, Calls: []string{"Put"}})
	if _, err := docs.Update(t.Context(), "a", func(*price) error { return nil }); !errors.Is(err, store.ErrConflict) {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	calls = 0
	_, err = docs.Update(ctx, "a", func(*price) error {
		if calls++; calls == 2 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("after %d tries: %v", calls, err)
	}
	if _, err := docs.PutUntil(t.Context(), "b", price{}, store.New, time.Now()); !errors.Is(err, store.ErrConflict) {
		t.Fatal(err)
	}
}
