// Package storetest says what an engine has to promise, as tests that all of them run.
//
// Run is the suite, Bench the speed, Flaky a store that fails on command for the tests of those who
// use one.
package storetest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"gcli2api/store"
)

// Engine is what the suite has to know.
type Engine struct {
	// Fresh makes empty data, which goes away with t, and says how to open them.
	Fresh func(t testing.TB) Open
	// Nodes tells that several stores may be open on the same data at a time.
	Nodes bool
	// Clock tells that a store heeds the clock that Open gets. The others have the time of their
	// server, and the suite waits.
	Clock bool
	// Trips gives a count of the round trips of a store, for Bench. It may be nil.
	Trips func(s store.Store) func() int64
}

// Open opens the data, as often as it is called. The suite closes what it opened.
type Open func(t testing.TB, now func() time.Time) store.Store

// Run runs the suite. Each test has data of its own.
func Run(t *testing.T, e Engine) {
	for _, part := range []struct {
		name string
		test func(*kit)
	}{
		{"Documents", documents}, {"OwnBytes", ownBytes}, {"List", list}, {"ListPages", listPages},
		{"Names", names}, {"Refused", refused}, {"Bodies", bodies}, {"Docs", typed},
		{"RacePut", racePut}, {"RaceDelete", raceDelete}, {"RaceUpdate", raceUpdate},
		{"Take", take}, {"RaceTake", raceTake}, {"Add", addition}, {"RaceAdd", raceAdd}, {"Counters", counters},
		{"WalkCounters", walkCounters}, {"AddOnce", addOnce}, {"RaceAddOnce", raceAddOnce},
		{"Expiry", expiry}, {"ExpiryMoves", expiryMoves}, {"Claim", claim}, {"RaceClaim", raceClaim},
		{"Watch", watch}, {"WatchSlow", watchSlow}, {"WatchEnds", watchEnds}, {"Revision", revision},
		{"Restart", restart}, {"Closed", closed}, {"CloseUnderLoad", closeUnderLoad}, {"Cancelled", cancelled},
	} {
		t.Run(part.name, func(t *testing.T) { part.test(newKit(t, e)) })
	}
}

const (
	table = store.Table("storetest")
	crowd = 64 // goroutines in a race
)

// kit is one test with its data.
type kit struct {
	*testing.T
	Engine
	open   Open
	clock  *clock
	s      store.Store
	stores []store.Store // two where the engine allows it
	ctx    context.Context
}

func newKit(t *testing.T, e Engine) *kit {
	k := &kit{T: t, Engine: e, open: e.Fresh(t), clock: &clock{real: !e.Clock, now: time.UnixMilli(1_700_000_000_000)}, ctx: t.Context()}
	k.start()
	t.Cleanup(k.shut)
	return k
}

func (k *kit) start() {
	k.s = k.open(k, k.clock.Now)
	k.stores = []store.Store{k.s}
	if k.Nodes {
		k.stores = append(k.stores, k.open(k, k.clock.Now))
	}
}

func (k *kit) shut() {
	for _, s := range k.stores {
		if err := s.Close(); err != nil {
			k.Errorf("close: %v", err)
		}
	}
}

// all runs fn in a crowd, spread over the nodes, and waits for it.
func (k *kit) all(n int, fn func(i int, s store.Store)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { fn(i, k.stores[i%len(k.stores)]) })
	}
	wg.Wait()
}

func (k *kit) ok(err error) {
	k.Helper()
	if err != nil {
		k.Fatal(err)
	}
}

// is checks which of the errors of the waist this is; nil for none.
func (k *kit) is(what string, err, want error) {
	k.Helper()
	for _, e := range []error{store.ErrNotFound, store.ErrConflict, store.ErrExhausted, store.ErrInvalid, store.ErrClosed} {
		if got := errors.Is(err, e); got != (e == want) {
			k.Fatalf("%s: %v, want %v", what, err, want)
		}
	}
	if want == nil && err != nil {
		k.Fatalf("%s: %v", what, err)
	}
}

func (k *kit) put(id, body string, when store.Rev) store.Rev {
	k.Helper()
	rev, err := k.s.Put(k.ctx, table, store.Doc{ID: id, Body: []byte(body)}, when)
	if err != nil {
		k.Fatalf("put %q: %v", id, err)
	}
	return rev
}

// has checks a document; rev 0 for whatever revision.
func (k *kit) has(id, body string, rev store.Rev) store.Doc {
	k.Helper()
	d, err := k.s.Get(k.ctx, table, id)
	if err != nil {
		k.Fatalf("get %q: %v", id, err)
	}
	if d.ID != id || string(d.Body) != body || rev != 0 && d.Rev != rev {
		k.Fatalf("get %q: %q %q at %d, want %q at %d", id, d.ID, short(d.Body), d.Rev, short([]byte(body)), rev)
	}
	return d
}

func (k *kit) gone(id string) {
	k.Helper()
	_, err := k.s.Get(k.ctx, table, id)
	k.is("get "+id, err, store.ErrNotFound)
}

func (k *kit) counter(name string, want int64) {
	k.Helper()
	got, err := k.s.Counters(k.ctx, name)
	k.ok(err)
	if got[name] != want {
		k.Fatalf("counter %q is %d, want %d", name, got[name], want)
	}
}

func short(b []byte) string {
	if len(b) > 80 {
		return string(b[:80]) + "…"
	}
	return string(b)
}

// clock is the time of a test. A real one can only be waited for.
type clock struct {
	real bool
	mu   sync.Mutex
	now  time.Time
}

func (c *clock) Now() time.Time {
	if c.real {
		return time.Now()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	if c.real {
		time.Sleep(d)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
