package pool

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gcli2api/store"
	"gcli2api/store/embedded"
)

// breaking is a store whose writes fail on demand.
type breaking struct {
	store.Store
	broken atomic.Bool
}

func (b *breaking) Put(ctx context.Context, t store.Table, d store.Doc, when store.Rev) (store.Rev, error) {
	if b.broken.Load() {
		return 0, errors.New("the disk is full")
	}
	return b.Store.Put(ctx, t, d, when)
}

func openStore(t *testing.T, path string) *breaking {
	t.Helper()
	db, err := embedded.Open(embedded.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return &breaking{Store: db}
}

func remember(t *testing.T, s store.Store, log *slog.Logger) *Memory {
	t.Helper()
	m, err := Remember(t.Context(), s, log, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMemoryOutlivesTheProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	s := openStore(t, path)
	quiet := slog.New(slog.DiscardHandler)
	m := remember(t, s, quiet)
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	want := State{Of: "x", Disabled: true, Reason: "why", Link: "https://x.example", Rest: Rest{Until: at, Since: at, Code: "rate_limited", Status: 429, Soft: true},
		Rests: map[string]Rest{"a/b": {Until: at}}, SwitchedAt: at, Messages: map[int]string{403: "no"}, NoPreview: true, Day: Day{1, 2, 3}, Hours: []Hour{{4, 5}},
		Codes: []int{403, 429}, Calls: 7, LastSuccess: at, AccessToken: "made-up-token", TokenUntil: at, RefreshToken: "made-up-refresh",
		Project: "p", Email: "e@x", Tier: "t"}
	var all sync.WaitGroup
	for i := range 50 { // the last word counts
		all.Go(func() { m.Save("other", State{Calls: int64(i)}) })
	}
	all.Wait()
	m.Save("other", State{Of: "last"})
	m.Save("项目/1.json", want)
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = openStore(t, path)
	if _, err := s.Put(t.Context(), store.CredentialStates, store.Doc{ID: "odd", Body: []byte(`[1]`)}, store.New); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	m = remember(t, s, slog.New(slog.NewTextHandler(&log, nil)))
	defer m.Close()
	got, ok := m.Load("项目/1.json")
	got.Writes = nil
	if !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	if got, _ := m.Load("other"); got.Of != "last" {
		t.Errorf("%+v", got)
	}
	if _, ok := m.Load("odd"); ok || !strings.Contains(log.String(), "credential=odd") {
		t.Errorf("a state that cannot be read: %s", log.String())
	}
}

// A store that fails holds nobody up, and hears everything when it works again.
func TestMemoryWaitsForTheStore(t *testing.T) {
	s := openStore(t, filepath.Join(t.TempDir(), "x.db"))
	var log lockedBuffer
	m := remember(t, s, slog.New(slog.NewTextHandler(&log, nil)))
	s.broken.Store(true)
	m.Save("a", State{Of: "1"})
	until(t, "the failure is told", func() bool { return strings.Contains(log.String(), "cannot be kept") })
	m.Save("a", State{Of: "2"})
	m.Save("b", State{Of: "3"})
	s.broken.Store(false)
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]string{"a": "2", "b": "3"} {
		got, _, err := store.Docs[State]{Store: s, Table: store.CredentialStates}.Get(t.Context(), id)
		if err != nil || got.Of != want {
			t.Errorf("%s: %+v, %v", id, got, err)
		}
	}
	if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
		t.Errorf("%d lines: %s", n, log.String())
	}
	s.broken.Store(true)
	m = remember(t, s, slog.New(slog.DiscardHandler))
	m.Save("c", State{})
	if err := m.Close(); err == nil {
		t.Error("the end says nothing of what is lost")
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
