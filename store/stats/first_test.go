package stats

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"

	"gcli2api/store"
	"gcli2api/store/embedded"
)

// asked counts how often counters are read.
type asked struct {
	store.Store
	calls atomic.Int64
}

func (a *asked) Counters(ctx context.Context, prefix string) (map[string]int64, error) {
	a.calls.Add(1)
	return a.Store.Counters(ctx, prefix)
}

func (a *asked) Unwrap() store.Store { return a.Store }

// TestFirstStartAsksLittle: each question is a round trip to a database, before the gateway listens.
func TestFirstStartAsksLittle(t *testing.T) {
	db, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "x.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	a := &asked{Store: db}
	s, err := Open(t.Context(), Options{Store: a})
	if err != nil {
		t.Fatal(err)
	}
	if n := a.calls.Load(); n > 10 {
		t.Errorf("counters were read %d times", n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
