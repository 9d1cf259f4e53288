package redis_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gcli2api/store"
	"gcli2api/store/redis"
	"gcli2api/store/storetest/faults"
	"gcli2api/store/storetest/servers"
)

// TestKilledServer: what was acknowledged is there after kill -9 of a server that syncs always, and the
// connections that had lain idle cost no call.
func TestKilledServer(t *testing.T) {
	s := servers.Redis(t, "appendonly", "yes", "appendfsync", "always")
	db := use(t, redis.Options{Address: s.Address(), Connections: 8})
	for round := range 3 {
		before, err := db.Counters(t.Context(), "taken")
		ok(t, err)
		var acked atomic.Int64
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for n := 0; ; n++ {
					if _, err := db.Take(t.Context(), "taken", 1, 1<<40); err != nil {
						if !errors.As(err, new(*store.Away)) {
							t.Error(err)
						}
						return
					}
					if _, err := db.Put(t.Context(), table, store.Doc{ID: fmt.Sprint(round, "/", i, "/", n), Body: []byte("1")}, store.New); err != nil {
						if !errors.As(err, new(*store.Away)) {
							t.Error(err)
						}
						return
					}
					acked.Add(1)
				}
			})
		}
		eventually(t, "200 writes", func() bool { return acked.Load() > 200 })
		s.Kill()
		wg.Wait()
		s.Start(t)
		eventually(t, "loaded", func() bool { _, err := db.Revision(t.Context()); return err == nil })
		docs, err := db.List(t.Context(), table, fmt.Sprint(round, "/"), 1<<20)
		ok(t, err)
		all, err := db.Counters(t.Context(), "taken")
		ok(t, err)
		least := acked.Load()
		if n := int64(len(docs)); n < least || n > least+8 || all["taken"] < before["taken"]+least {
			t.Errorf("round %d: %d documents and %v taken after %v of %d acknowledged", round, n, all, before, least)
		}
	}
}

// TestIdleConnections: a server that restarts behind idle connections costs no call, not even a write.
func TestIdleConnections(t *testing.T) {
	s := servers.Redis(t, "appendonly", "yes", "appendfsync", "always")
	db := use(t, redis.Options{Address: s.Address(), Connections: 8})
	crowd(t, db, 8)
	if now := db.Stats(); now.Idle == 0 || now.Max != 8 {
		t.Fatalf("nothing lies idle: %+v", now)
	}
	s.Kill()
	s.Start(t)
	c := admin(t, s)
	eventually(t, "loaded", func() bool { return c.Ping(t.Context()).Err() == nil })
	crowd(t, db, 8)
}

func crowd(t *testing.T, db *redis.DB, n int) {
	t.Helper()
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if _, err := db.Take(t.Context(), "n", 1, 1000); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// TestCutConnections: scripts are forgotten and connections cut while limits are used. An error may hide a
// unit, but none is given twice.
func TestCutConnections(t *testing.T) {
	s := servers.Redis(t)
	db, c := use(t, redis.Options{Address: s.Address()}), admin(t, s)
	var done, unsure atomic.Int64
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for {
				switch _, err := db.Take(t.Context(), "n", 1, 4000); {
				case err == nil:
					done.Add(1)
				case errors.Is(err, store.ErrExhausted):
					return
				case errors.As(err, new(*store.Away)):
					unsure.Add(1)
				default:
					t.Error(err)
					return
				}
			}
		})
	}
	for range 20 {
		ok(t, c.ScriptFlush(t.Context()).Err())
		ok(t, c.Do(t.Context(), "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes").Err())
		time.Sleep(time.Millisecond)
	}
	wg.Wait()
	if n := done.Load(); n > 4000 || n+unsure.Load() < 4000 {
		t.Errorf("%d given of 4000, %d in doubt", n, unsure.Load())
	}
	t.Logf("%d given, %d in doubt", done.Load(), unsure.Load())
}

// TestScriptsForgotten: every call sends its script where the server has forgotten it.
func TestScriptsForgotten(t *testing.T) {
	s := servers.Redis(t)
	db, c := use(t, redis.Options{Address: s.Address()}), admin(t, s)
	for name, call := range map[string]func() error{
		"put": func() error {
			_, err := db.Put(t.Context(), table, store.Doc{ID: "a", Body: []byte("1")}, store.Any)
			return err
		},
		"get":    func() error { _, err := db.List(t.Context(), table, "", 1); return err },
		"take":   func() error { _, err := db.Take(t.Context(), "n", 1, 100); return err },
		"add":    func() error { return db.AddOnce(t.Context(), "id", []store.Delta{{Counter: "n", N: 1}}) },
		"counts": func() error { _, err := db.Counters(t.Context(), ""); return err },
		"claim":  func() error { _, err := db.Claim(t.Context(), "l", "me", time.Minute); return err },
	} {
		ok(t, c.ScriptFlush(t.Context()).Err())
		if err := call(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestHintsAfterGap: whoever watches learns that something may have been missed.
func TestHintsAfterGap(t *testing.T) {
	s := servers.Redis(t)
	log := &lines{}
	db, c := use(t, redis.Options{Address: s.Address(), Log: log.logger()}), admin(t, s)
	hints, err := db.Watch(t.Context())
	ok(t, err)
	put(t, db, "a")
	<-hints // the subscription stands, whether it was there before the document or not
	eventually(t, "cut", func() bool {
		n, err := c.Do(t.Context(), "CLIENT", "KILL", "TYPE", "pubsub").Int()
		return err == nil && n > 0
	})
	for h := range hints {
		if h == (store.Change{}) {
			break
		}
	}
	put(t, db, "b") // after the gap was told: the subscription stands again
	for h := range hints {
		if h == (store.Change{Table: table, ID: "b"}) {
			break
		}
	}
	if !log.has("hints about changes break off") {
		t.Error("nothing in the log")
	}
}

// TestHangingServer: nobody waits longer than was said, those who give up are let go, and Close ends it all.
func TestHangingServer(t *testing.T) {
	s := servers.Redis(t)
	db := use(t, redis.Options{Address: s.Address(), Timeout: 300 * time.Millisecond})
	put(t, db, "a")
	s.Signal(syscall.SIGSTOP)
	defer s.Signal(syscall.SIGCONT)
	_, err := db.Take(t.Context(), "n", 1, 10)
	says(t, err, "no answer within 300ms", true)
	if errors.Is(err, context.DeadlineExceeded) {
		t.Error("it looks like the time of the caller")
	}
	_, err = db.Get(t.Context(), table, "a")
	says(t, err, "no answer within", true)
	ctx, cancel := context.WithCancel(t.Context())
	answer := make(chan error)
	go func() { _, err := db.Take(ctx, "n", 1, 10); answer <- err }()
	cancel()
	if err := <-answer; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	ok(t, db.Close())
}

// TestCloseUnanswered: Close does not wait for a server that says nothing, and who waits hears that.
func TestCloseUnanswered(t *testing.T) {
	s := servers.Redis(t)
	db := use(t, redis.Options{Address: s.Address(), Timeout: time.Hour})
	put(t, db, "a")
	s.Signal(syscall.SIGSTOP)
	defer s.Signal(syscall.SIGCONT)
	answer := make(chan error, 1)
	go func() { _, err := db.Take(t.Context(), "n", 1, 10); answer <- err }()
	eventually(t, "under way", func() bool { return db.Stats().InUse > 0 })
	ok(t, db.Close())
	if err := <-answer; !errors.Is(err, store.ErrClosed) {
		t.Error(err)
	}
}

// TestCloseWhileItBegins: a subscription that the server does not answer yet does not hold up Close.
func TestCloseWhileItBegins(t *testing.T) {
	s := servers.Redis(t)
	proxy := faults.Start(t, fmt.Sprintf("127.0.0.1:%d", s.Port))
	db := open(t, redis.Options{Address: "redis://" + proxy.Addr(), Timeout: time.Hour})
	put(t, db, "a")
	proxy.Swallow()
	seen, _ := proxy.Connections()
	proxy.Cut() // the subscription begins anew
	eventually(t, "it begins anew", func() bool { now, _ := proxy.Connections(); return now > seen })
	closed := make(chan error, 1)
	go func() { closed <- db.Close() }()
	select {
	case err := <-closed:
		ok(t, err)
	case <-time.After(time.Minute):
		t.Fatal("Close waits for the subscription")
	}
}

// TestClosedForGood: nothing of ours goes on after Close.
func TestClosedForGood(t *testing.T) {
	s := servers.Redis(t)
	before := runtime.NumGoroutine()
	defer func() {
		if all := make([]byte, 1<<20); t.Failed() {
			t.Logf("%s", all[:runtime.Stack(all, true)])
		}
	}()
	for range 10 {
		db := open(t, redis.Options{Address: s.Address()})
		_, err := db.Watch(t.Context())
		ok(t, err)
		put(t, db, "a")
		ok(t, db.Close())
		if now := db.Stats(); now.InUse+now.Idle != 0 {
			t.Errorf("connections stay: %+v", now)
		}
	}
	eventually(t, "as many goroutines as before", func() bool { return runtime.NumGoroutine() <= before })
}
