package ephemeral

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"gcli2api/pipeline"
	"gcli2api/store"
	"gcli2api/store/storetest"
)

// said is a log that a test may read while it is written.
type said struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.Write(p)
}

func (s *said) has(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Contains(s.all.String(), text)
}

func (k *kit) logged(s store.Store) (*Memory, *said) {
	k.Helper()
	log := &said{}
	m, err := OpenAt(k.Context(), s, slog.New(slog.NewTextHandler(log, nil)), k.clock.Now)
	if err != nil {
		k.Fatal(err)
	}
	k.Cleanup(func() { m.Close() })
	return m, log
}

func (m *Memory) waits() int {
	m.later.mu.Lock()
	defer m.later.mu.Unlock()
	return len(m.later.waiting)
}

// written waits until nothing waits any more.
func (k *kit) written(m *Memory) {
	k.Helper()
	for late := time.Now().Add(time.Minute); m.waits() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(late) {
			k.Fatal("it still waits")
		}
	}
}

var (
	signs = pipeline.Place{Owner: "a", Shelf: pipeline.Signatures}
	gone  = &store.Away{Engine: "Test", Err: errors.New("gone")}
)

// gated is a store that writes when it is let.
type gated struct {
	*storetest.Flaky
	let chan struct{}
}

func (s gated) Put(ctx context.Context, t store.Table, d store.Doc, when store.Rev) (store.Rev, error) {
	select {
	case <-s.let:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	return s.Flaky.Put(ctx, t, d, when)
}

// TestSignaturesDoNotWait: an answer goes on before the store has them; this node finds them at once, the
// other one when they are written.
func TestSignaturesDoNotWait(t *testing.T) {
	k := newKit(t)
	let := make(chan struct{})
	m, _ := k.logged(gated{k.flaky, let})
	value := []byte("1")
	if err := m.Keep(t.Context(), signs, time.Hour, pipeline.Item{ID: "x", Value: value}); err != nil {
		t.Fatal(err)
	}
	value[0] = '9' // the caller's own again
	k.has(m, signs, "x", []byte("1"))
	m.cache.clear()
	k.has(m, signs, "x", []byte("1"))
	k.gone(k.there, signs, "x")
	close(let)
	k.written(m)
	k.has(k.there, signs, "x", []byte("1"))
}

// TestAwayWaits: what is kept while the database is away is there for this node, and for all when it is back;
// a copy that is not believed any more is better than nothing then.
func TestAwayWaits(t *testing.T) {
	k := newKit(t)
	m, log := k.logged(k.flaky)
	k.keep(m, at("a"), time.Hour, item("before", "0"))
	k.flaky.Break(storetest.Fault{Err: gone})
	for _, id := range []string{"x", "y"} {
		if err := m.Keep(t.Context(), at("a"), time.Hour, item(id, "1")); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Keep(t.Context(), at("a"), time.Hour, pipeline.Item{ID: "large", Value: make([]byte, waitLarge+1)}); !errors.Is(err, gone) {
		t.Error("a large one waits", err)
	}
	k.clock.pass(time.Minute)
	k.has(m, at("a"), "x", []byte("1"))
	k.has(m, at("a"), "before", []byte("0"))
	if _, _, err := m.Recall(t.Context(), at("a"), "never"); !errors.Is(err, gone) {
		t.Error(err)
	}
	if _, err := m.Forget(t.Context(), at("a"), "y"); !errors.Is(err, gone) {
		t.Error(err)
	}
	k.flaky.Heal()
	k.written(m)
	k.has(k.there, at("a"), "x", []byte("1"))
	k.gone(k.there, at("a"), "y")
	for late := time.Now().Add(time.Minute); !log.has("are kept again") && time.Now().Before(late); {
		time.Sleep(time.Millisecond)
	}
	if !log.has("cannot be kept") || !log.has("are kept again") || log.has("were lost") {
		t.Error(log.all.String())
	}
}

// TestWaitIsBounded: the oldest are lost, and that is said.
func TestWaitIsBounded(t *testing.T) {
	k := newKit(t)
	m, log := k.logged(k.flaky)
	k.flaky.Break(storetest.Fault{Err: gone})
	const n = 400
	for i := range n {
		id := string(rune('a'+i%26)) + strings.Repeat("x", i/26)
		if err := m.Keep(t.Context(), signs, time.Hour, pipeline.Item{ID: id, Value: make([]byte, 100<<10)}); err != nil {
			t.Fatal(err)
		}
	}
	m.later.mu.Lock()
	if m.later.bytes > waitBytes || len(m.later.waiting) < 300 || len(m.later.order) > 2*len(m.later.waiting) {
		t.Errorf("%d bytes in %d, %d", m.later.bytes, len(m.later.waiting), len(m.later.order))
	}
	m.later.mu.Unlock()
	if m.later.report(gone); !log.has("too many waited") {
		t.Error(log.all.String())
	}
}

// TestCloseWrites what waits, and says what it could not.
func TestCloseWrites(t *testing.T) {
	k := newKit(t)
	let := make(chan struct{})
	m, _ := k.logged(gated{k.flaky, let})
	if err := m.Keep(t.Context(), signs, time.Hour, item("x", "1")); err != nil {
		t.Fatal(err)
	}
	close(let)
	m.Close()
	k.has(k.there, signs, "x", []byte("1"))
	m, log := k.logged(k.flaky)
	k.flaky.Break(storetest.Fault{Err: gone})
	if err := m.Keep(t.Context(), signs, time.Hour, item("y", "1")); err != nil {
		t.Fatal(err)
	}
	if m.Close(); !log.has("did not take them at the end") {
		t.Error(log.all.String())
	}
}
