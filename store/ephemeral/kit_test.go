package ephemeral

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"gcli2api/pipeline"
	"gcli2api/store"
	"gcli2api/store/embedded"
	"gcli2api/store/storetest"
)

// clock is the time of a store and of the memories on it.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// kit is a store in a real file with two nodes on it.
type kit struct {
	*testing.T
	clock *clock
	file  string
	db    *embedded.DB
	flaky *storetest.Flaky
	here  *Memory
	there *Memory
	said  *bytes.Buffer // the log
}

func newKit(t *testing.T) *kit {
	k := &kit{T: t, file: filepath.Join(t.TempDir(), "db"), clock: &clock{now: time.UnixMilli(1_700_000_000_000)}, said: &bytes.Buffer{}}
	k.start()
	t.Cleanup(func() { k.db.Close() })
	return k
}

func (k *kit) start() {
	k.Helper()
	var err error
	if k.db, err = embedded.Open(embedded.Options{Path: k.file, Now: k.clock.Now}); err != nil {
		k.Fatal(err)
	}
	k.flaky = &storetest.Flaky{Store: k.db}
	k.here, k.there = k.node(k.flaky), k.node(k.flaky)
}

func (k *kit) node(s store.Store) *Memory {
	k.Helper()
	m, err := OpenAt(k.Context(), s, slog.New(slog.NewTextHandler(k.said, nil)), k.clock.Now)
	if err != nil {
		k.Fatal(err)
	}
	k.Cleanup(func() { m.Close() })
	return m
}

func (k *kit) keep(m *Memory, at pipeline.Place, ttl time.Duration, items ...pipeline.Item) {
	k.Helper()
	if err := m.Keep(k.Context(), at, ttl, items...); err != nil {
		k.Fatal(err)
	}
	if m.later != nil && !m.later.write(k.Context()) {
		k.Fatal("what waits was not written")
	}
}

func (k *kit) has(m *Memory, at pipeline.Place, id string, want []byte) {
	k.Helper()
	got, ok, err := m.Recall(k.Context(), at, id)
	if err != nil || !ok || !bytes.Equal(got, want) {
		k.Fatalf("%v %.40q: %d bytes %.40q, %v, %v; want %d bytes %.40q", at, id, len(got), got, ok, err, len(want), want)
	}
}

func (k *kit) gone(m *Memory, at pipeline.Place, id string) {
	k.Helper()
	if got, ok, err := m.Recall(k.Context(), at, id); err != nil || ok || got != nil {
		k.Fatalf("%v %.40q: %.40q, %v, %v; want nothing", at, id, got, ok, err)
	}
}

func (k *kit) forget(m *Memory, at pipeline.Place, id string, want bool) {
	k.Helper()
	if was, err := m.Forget(k.Context(), at, id); err != nil || was != want {
		k.Fatalf("forget %v %.40q: %v, %v; want %v", at, id, was, err, want)
	}
}

// docs is everything in the table.
func (k *kit) docs() []store.Doc {
	k.Helper()
	docs, err := k.db.List(k.Context(), store.Short, "", 1000)
	if err != nil {
		k.Fatal(err)
	}
	return docs
}

func at(owner string) pipeline.Place { return pipeline.Place{Owner: owner, Shelf: pipeline.Responses} }

func item(id, value string) pipeline.Item { return pipeline.Item{ID: id, Value: []byte(value)} }

// big is a value of n bytes that differs at each place.
func big(n int, seed byte) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

// text is a value of n bytes of UTF-8 that needs escapes, with runes that parts must not cut.
func text(n int) []byte {
	b := make([]byte, 0, n+32)
	for i := 0; len(b) < n; i++ {
		b = fmt.Appendf(b, "{\"第\": \"%d\"}\n", i)
	}
	b = b[:n]
	for !bytes.HasSuffix(b, []byte("}\n")) { // no half rune at the end
		b = b[:len(b)-1]
	}
	return b
}

// hanging is a store that never answers, as long as it is asked.
type hanging struct{ store.Store }

func (hanging) Get(ctx context.Context, _ store.Table, _ string) (store.Doc, error) {
	<-ctx.Done()
	return store.Doc{}, ctx.Err()
}

func (hanging) Put(ctx context.Context, _ store.Table, _ store.Doc, _ store.Rev) (store.Rev, error) {
	<-ctx.Done()
	return 0, ctx.Err()
}
