package postgres_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"gcli2api/store"
	"gcli2api/store/postgres"
	"gcli2api/store/storetest/faults"
	"gcli2api/store/storetest/servers"
)

// behind is a server behind a proxy for faults, and the address there.
func behind(t *testing.T, s *servers.PostgresServer) (*faults.Proxy, string) {
	at := fmt.Sprintf("127.0.0.1:%d", s.Port)
	p := faults.Start(t, at)
	return p, strings.Replace(s.Address(), at, p.Addr(), 1)
}

// TestRoundTrips: every call is one, from the first on a connection, and after a rest as well.
func TestRoundTrips(t *testing.T) {
	s := servers.Postgres(t)
	p, address := behind(t, s)
	db := open(t, postgres.Options{Address: address, Connections: 2}) // one for calls
	ctx := t.Context()
	if _, err := db.Take(ctx, "warm", 0, 1); err != nil { // connecting takes some
		t.Fatal(err)
	}
	deltas := make([]store.Delta, 100)
	for i := range deltas {
		deltas[i] = store.Delta{Counter: fmt.Sprint("c", i), N: int64(i) - 3}
	}
	for _, c := range []struct {
		name string
		call func(n int) error
	}{
		{"Take", func(int) error { _, err := db.Take(ctx, "n", 1, 100); return err }},
		{"Take too much", func(int) error {
			if _, err := db.Take(ctx, "n", 1000, 100); err == nil {
				return fmt.Errorf("it fits")
			}
			return nil
		}},
		{"Get", func(int) error {
			if _, err := db.Get(ctx, store.Costs, "a"); err == nil {
				return fmt.Errorf("it is there")
			}
			return nil
		}},
		{"Add", func(int) error { return db.Add(ctx, deltas) }},
		{"AddOnce", func(n int) error { return db.AddOnce(ctx, fmt.Sprint("id", n), deltas) }},
		{"Counters", func(int) error { _, err := db.Counters(ctx, "c"); return err }},
		{"Claim", func(int) error { _, err := db.Claim(ctx, "l", "me", time.Minute); return err }},
		{"List", func(int) error { _, err := db.List(ctx, store.Costs, "", 10); return err }},
		{"Revision", func(int) error { _, err := db.Revision(ctx); return err }},
	} {
		const times = 10
		before := p.Turns()
		for n := range times {
			if err := c.call(n); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
		}
		if got := p.Turns() - before; got != times {
			t.Errorf("%s: %d calls took %d round trips", c.name, times, got)
		}
	}
	time.Sleep(1500 * time.Millisecond) // the driver's own check of connections that rested begins at a second
	before := p.Turns()
	if _, err := db.Take(ctx, "n", 1, 100); err != nil || p.Turns()-before != 1 {
		t.Errorf("after a rest: %d round trips, %v", p.Turns()-before, err)
	}
	// A write tells others behind its answer.
	before = p.Turns()
	put(t, db, "a")
	if got := p.Turns() - before; got > 2 {
		t.Errorf("Put: %d round trips", got)
	}
}

// TestSilence: a connection on which nothing comes any more, as when a firewall has forgotten it. Calls end
// in time, and hints come again once the way is open.
func TestSilence(t *testing.T) {
	s := servers.Postgres(t)
	p, address := behind(t, s)
	db := open(t, postgres.Options{Address: address, Timeout: 500 * time.Millisecond})
	other := open(t, postgres.Options{Address: s.Address()})
	hints, err := db.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	listening(t, other, hints)
	for _, trouble := range []func(){p.Swallow, p.Away, p.Cut, func() { p.Reset(faults.Reset{Times: 3}) }} {
		trouble()
		put(t, other, "meanwhile")
		begun := time.Now()
		if _, err := db.Take(t.Context(), "n", 1, 1<<40); err != nil {
			wants(t, err, true, "Postgres cannot be reached")
		}
		if took := time.Since(begun); took > 20*time.Second {
			t.Errorf("a call took %v", took)
		}
		p.Heal(t)
		hinted(t, hints, "meanwhile")
		for late := time.Now().Add(time.Minute); ; {
			if _, err := db.Take(t.Context(), "n", 1, 1<<40); err == nil {
				break
			} else if time.Now().After(late) {
				t.Fatal(err)
			}
		}
	}
	listening(t, other, hints)
}
