package store_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"gcli2api/store"
	"gcli2api/store/embedded"
	"gcli2api/store/storetest"
)

// Errors of a store that is away end in logs: they name a key by the beginning of its hash.
func TestErrorsHoldNoHash(t *testing.T) {
	db, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "db")})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s := &storetest.Flaky{Store: db}
	s.Break(storetest.Fault{Err: errors.New("away"), Calls: []string{"Get", "Put", "Delete"}})
	docs := store.Docs[int]{Store: s, Table: store.Keys}
	hash := strings.Repeat("0123abcd", 8)
	for _, id := range []string{hash, "key/" + hash} {
		_, _, get := docs.Get(t.Context(), id)
		_, put := docs.Put(t.Context(), id, 1, store.Any)
		_, update := docs.Update(context.Background(), id, func(*int) error { return nil })
		for _, err := range []error{get, put, update, docs.Delete(t.Context(), id)} {
			if err == nil || strings.Contains(err.Error(), hash[:16]) || !strings.Contains(err.Error(), strings.TrimSuffix(id, hash)+hash[:8]+`"`) {
				t.Errorf("%v", err)
			}
		}
	}
	for _, id := range []string{"", "a.json", strings.Repeat("x", 70)} {
		if got := store.Shown(id); got != id {
			t.Errorf("%q is shown as %q", id, got)
		}
	}
}
