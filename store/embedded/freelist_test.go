package embedded_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"gcli2api/store"
)

// synced writes to a file as gateways did that kept the list of free pages in it, so that the list has pages.
func synced(t *testing.T, path string) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{FreelistType: bbolt.FreelistMapType})
	if err != nil {
		t.Fatal(err)
	}
	fill := func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucket([]byte("passing"))
		if err != nil {
			return err
		}
		return b.Put([]byte("large"), make([]byte, 300_000))
	}
	gone := func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte("passing")) }
	nothing := func(*bbolt.Tx) error { return nil } // what a change freed is in the list of the next one
	if err := errors.Join(db.Update(fill), db.Update(gone), db.Update(nothing), db.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestListOfFreePages: a store is the same whether the gateway before kept the list of free pages in the file
// or not, in both directions, and pages that are free are used again.
func TestListOfFreePages(t *testing.T) {
	path, ctx := filepath.Join(t.TempDir(), "db"), context.Background()
	want := sound(t, path)
	var first int64
	for round := range 12 {
		if round%2 == 0 {
			synced(t, path)
			if err := check(path); err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
		}
		db := open(t, path)
		have, err := content(db)
		if err != nil || !maps.Equal(have, want) {
			t.Fatalf("round %d: %d things, want %d: %v", round, len(have), len(want), err)
		}
		for i := range 40 { // as much as there is room for, and all of it goes
			doc := store.Doc{ID: fmt.Sprint("brief/", i), Body: []byte(`"` + strings.Repeat("x", 20_000) + `"`)}
			if _, err := db.Put(ctx, "t", doc, store.Any); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 40 {
			if err := db.Delete(ctx, "t", fmt.Sprint("brief/", i), store.Any); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(db.Close(), check(path)); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if first == 0 {
			first = info.Size()
		}
		if info.Size() > first+1<<20 {
			t.Fatalf("round %d: the file has grown from %d to %d bytes", round, first, info.Size())
		}
	}
}

// TestDamagedListOfFreePages: one that an older gateway left is looked at before bbolt takes it.
func TestDamagedListOfFreePages(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	sound(t, path)
	synced(t, path)
	at := listAt(t, path)
	if at < 0 {
		t.Fatal("there is no list in the file")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[at+16] = 2 // the first page that is free is one in use, or none
	clear(data[at+17 : at+24])
	data[at+24], data[at+25] = 2, 0
	clear(data[at+26 : at+32])
	refuses(t, path, data, "damaged", "nothing was changed")
}

// TestNoListOfFreePages: what we write has none.
func TestNoListOfFreePages(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	sound(t, path)
	if at := listAt(t, path); at >= 0 {
		t.Errorf("there is one at %d", at)
	}
	synced(t, path)
	db := open(t, path)
	if _, err := db.Put(context.Background(), "t", store.Doc{ID: "a", Body: []byte("1")}, store.Any); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if at := listAt(t, path); at >= 0 {
		t.Errorf("the one of the gateway before is still at %d", at)
	}
}

// listAt is where the list of free pages begins; negative where there is none.
func listAt(t *testing.T, path string) int64 {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	size := os.Getpagesize()
	newest, list := uint64(0), int64(-1)
	for page := range 2 {
		meta := data[page*size+16:]
		tx, at := binary.NativeEndian.Uint64(meta[48:]), binary.NativeEndian.Uint64(meta[32:])
		if tx < newest {
			continue
		}
		newest, list = tx, -1
		if at != 1<<64-1 {
			list = int64(at) * int64(size)
		}
	}
	return list
}
