package storetest_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"gcli2api/store"
	"gcli2api/store/embedded"
	"gcli2api/store/storetest"
)

func TestFlaky(t *testing.T) {
	db, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "db")})
	if err != nil {
		t.Fatal(err)
	}
	f := &storetest.Flaky{Store: db}
	defer f.Close()
	ctx, gone := context.Background(), errors.New("gone")
	take := func(want int64, failed error) {
		t.Helper()
		left, err := f.Take(ctx, "n", 1, 10)
		if left != want || !errors.Is(err, failed) {
			t.Fatalf("%d %v, want %d %v", left, err, want, failed)
		}
	}
	take(9, nil)
	f.Break(storetest.Fault{Err: gone, Calls: []string{"Take", "Get"}, Times: 2})
	take(0, gone)
	take(0, gone)
	take(8, nil)
	f.Break(storetest.Fault{Err: gone, Times: 1, Late: true})
	take(0, gone)
	take(6, nil) // the late one was carried out
	f.Break(storetest.Fault{Err: gone, Calls: []string{"Watch"}})
	f.Break(storetest.Fault{Err: store.ErrConflict, Calls: []string{"Put"}})
	for range 3 {
		if _, err := f.Watch(ctx); !errors.Is(err, gone) {
			t.Fatal(err)
		}
		if _, err := f.Put(ctx, "t", store.Doc{ID: "a", Body: []byte("1")}, store.Any); !errors.Is(err, store.ErrConflict) {
			t.Fatal(err)
		}
	}
	if f.Failed() != 9 {
		t.Fatalf("%d have failed", f.Failed())
	}
	f.Heal()
	if _, err := f.Put(ctx, "t", store.Doc{ID: "a", Body: []byte("1")}, store.New); err != nil {
		t.Fatal(err)
	}
}
