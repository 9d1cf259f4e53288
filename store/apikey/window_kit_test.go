package apikey

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/store"
	"gcli2api/store/embedded"
)

// handClock is a clock that a test moves.
type handClock struct {
	mu sync.Mutex
	t  time.Time
}

func newHandClock() *handClock { return &handClock{t: time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)} }

func (c *handClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *handClock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// together hides that the store has this process only.
type together struct{ store.Store }

// oneStore is an embedded store on disk with a clock.
func oneStore(t testing.TB, now func() time.Time) store.Store {
	t.Helper()
	db, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "test.db"), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return together{db}
}

// node is the windows of one node on a store; nobody tends them but the test.
func node(s store.Store, now func() time.Time) *windows {
	return &windows{newSharedWindows(s, slog.New(slog.DiscardHandler), now)}
}

// kinds are the windows of both kinds, so that one test holds them to the same.
func kinds(t testing.TB) map[string]func(c *handClock) *windows {
	return map[string]func(c *handClock) *windows{
		"alone":  func(c *handClock) *windows { return &windows{newLocalWindows(c.now)} },
		"shared": func(c *handClock) *windows { return node(oneStore(t, c.now), c.now) },
	}
}

func limited(id string, requests, tokens, atOnce int64) *Key {
	return &Key{ID: id, Terms: Terms{Requests: requests, Tokens: tokens, Concurrency: atOnce}}
}

func headersOf(p *pass, f wire.Format) map[string]string {
	all := map[string]string{}
	p.tell(f, func(name, value string) { all[name] = value })
	return all
}

// in lets a request in that must get in.
func in(t *testing.T, w *windows, one *Key, tokens int64) *pass {
	t.Helper()
	p, fail := w.enter(context.Background(), one, Tokens{Input: tokens})
	if fail != nil {
		t.Fatalf("refused: %v", fail)
	}
	return p
}

// out asks for a request that must be refused.
func out(t *testing.T, w *windows, one *Key, tokens int64) (*pass, *apierror.Error) {
	t.Helper()
	p, fail := w.enter(context.Background(), one, Tokens{Input: tokens})
	if fail == nil {
		t.Fatalf("let in beyond the limit: %+v", p)
	}
	if fail.Code != apierror.RateLimited || fail.Status != 429 {
		t.Fatalf("refused with %v", fail)
	}
	return p, fail
}
