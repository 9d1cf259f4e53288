package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"gcli2api/store"
	"gcli2api/store/postgres"
	"gcli2api/store/storetest/servers"
)

// TestServerKilled: the server is killed in the middle of writes, twice, and stopped once. What was
// acknowledged is there, watchers learn what they have missed, and calls go on by themselves.
func TestServerKilled(t *testing.T) {
	s := servers.Postgres(t, "fsync", "on")
	db := open(t, postgres.Options{Address: s.Address(), Connections: 8})
	hints, err := db.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	listening(t, db, hints)
	put(t, db, "first")
	for round, end := range []func(){s.Kill, s.Stop, func() { s.Kill() }} {
		killed(t, s, db, round, end)
		put(t, db, "last")
		hinted(t, hints, "last")
	}
}

func killed(t *testing.T, s *servers.PostgresServer, db *postgres.DB, round int, end func()) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	before, err := db.Revision(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var good, bad, written, lost, working atomic.Int64
	ends := make(chan bool)
	const writers = 8
	for i := range writers {
		go func() {
			defer func() { ends <- true }()
			for n := 0; ctx.Err() == nil; n++ {
				_, err := db.Take(t.Context(), fmt.Sprint("n", round), 1, 1<<40)
				note(t, err, &good, &bad)
				_, err = db.Put(t.Context(), store.Costs, store.Doc{ID: fmt.Sprint(round, " ", i, " ", n), Body: []byte("1")}, store.New)
				note(t, err, &written, &lost)
				if working.Add(1); err != nil {
					time.Sleep(10 * time.Millisecond)
				}
			}
		}()
	}
	await(&working, 200)
	end()
	_, err = db.Get(t.Context(), store.Costs, "first")
	wants(t, err, true, "Postgres cannot be reached")
	s.Restart(t)
	for late := time.Now().Add(time.Minute); ; {
		if _, err := db.Get(t.Context(), store.Costs, "first"); err == nil {
			break
		} else if time.Now().After(late) {
			t.Fatal(err)
		}
	}
	await(&working, working.Load()+200)
	stop()
	for range writers {
		<-ends
	}
	t.Logf("round %d: %d taken, %d failed; %d written, %d failed", round, good.Load(), bad.Load(), written.Load(), lost.Load())
	counters, err := db.Counters(t.Context(), "n")
	if n := counters[fmt.Sprint("n", round)]; err != nil || n < good.Load() || n > good.Load()+bad.Load() {
		t.Errorf("round %d: %d were acknowledged, %d failed, %d are counted, %v", round, good.Load(), bad.Load(), n, err)
	}
	docs := ask[int64](t, s.Address(), fmt.Sprintf("SELECT count(*) FROM gcli2api.docs WHERE id LIKE '%d %%'", round))
	now, err := db.Revision(t.Context())
	if err != nil || docs < written.Load() || docs > written.Load()+lost.Load() || now-before != docs {
		t.Errorf("round %d: %d were acknowledged, %d failed, %d are there, the revision went from %d to %d, %v", round, written.Load(), lost.Load(), docs, before, now, err)
	}
}

// note counts an answer. While the server is away nothing but that may be said.
func note(t *testing.T, err error, good, bad *atomic.Int64) {
	if err == nil {
		good.Add(1)
	} else if bad.Add(1); !errors.As(err, new(*store.Away)) && !errors.Is(err, store.ErrConflict) {
		t.Error(err)
	}
}

func await(n *atomic.Int64, least int64) {
	for n.Load() < least {
		time.Sleep(time.Millisecond)
	}
}

// TestReplica: a replica is refused at the start. One that was made of a primary while we use it takes no
// writes, and does when it is promoted.
func TestReplica(t *testing.T) {
	s := servers.Postgres(t)
	db := open(t, postgres.Options{Address: s.Address()})
	put(t, db, "a")
	s.Stop()
	if err := os.WriteFile(filepath.Join(s.Dir, "data", "standby.signal"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	s.Restart(t)
	refuses(t, postgres.Options{Address: s.Address()}, false, "read-only replica")
	var err error
	for range 3 {
		_, err = db.Take(t.Context(), "n", 1, 10)
	}
	wants(t, err, true, "takes no writes just now")
	if err := os.Chmod(filepath.Join(s.Dir, "data", "standby.signal"), 0o666); err != nil {
		t.Fatal(err)
	}
	sql(t, s.Address(), "SELECT pg_promote()")
	if left, err := db.Take(t.Context(), "n", 1, 10); err != nil || left != 9 {
		t.Error(left, err)
	}
}
