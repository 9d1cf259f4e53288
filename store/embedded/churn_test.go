package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gcli2api/store"
)

// TestChurn: trees that grow, split, shrink and merge are taken for sound at each start, and have in
// them what was written. The look at the start must never refuse a good file.
func TestChurn(t *testing.T) {
	path, rng := filepath.Join(t.TempDir(), "db"), rand.New(rand.NewPCG(7, rand.Uint64()))
	rounds, have, ctx := 20, map[string]string{}, context.Background()
	if testing.Short() {
		rounds = 8
	}
	for round := range rounds {
		db := open(t, path)
		for range 150 {
			id := strings.Repeat(fmt.Sprint(rng.IntN(400), "/"), 1+rng.IntN(2)*rng.IntN(100))
			if round%4 == 3 || rng.IntN(3) == 0 { // a round of deletes
				ids := slices.Sorted(maps.Keys(have))
				if len(ids) == 0 {
					continue
				}
				id = ids[rng.IntN(len(ids))]
				delete(have, id)
				if err := db.Delete(ctx, "t", id, store.Any); err != nil {
					t.Fatal(err)
				}
				continue
			}
			size := rng.IntN(200)
			switch rng.IntN(50) {
			case 0:
				size = 1 << 20
			case 1, 2, 3:
				size = rng.IntN(30_000)
			}
			have[id] = `"` + strings.Repeat("x", size) + `"`
			if _, err := db.Put(ctx, "t", store.Doc{ID: id, Body: []byte(have[id])}, store.Any); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(db.Close(), check(path)); err != nil {
			t.Fatal(err)
		}
		db = open(t, path)
		docs, err := db.List(ctx, "t", "", 10_000)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, d := range docs {
			got[d.ID] = string(d.Body)
		}
		if !maps.Equal(got, have) {
			t.Fatalf("round %d: %d documents, want %d", round, len(got), len(have))
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
