package nodes

import (
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gcli2api/store"
	"gcli2api/store/embedded"
	"gcli2api/store/storetest"
)

// many hides that a store is one process's own.
type many struct{ store.Store }

func storeOf(t *testing.T) store.Store {
	t.Helper()
	db, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// clock is a machine's, and goes on by hand.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// still is a list that beats and looks when it is told to.
func still(s store.Store, c *clock, address string, report func() (int64, string, time.Time)) *List {
	if report == nil {
		report = func() (int64, string, time.Time) { return 1, "", time.Time{} }
	}
	l := Open(Options{Store: s, Log: slog.New(slog.DiscardHandler), Address: address, Version: "v", Now: c.now, Report: report})
	l.stop()
	<-l.done
	return l
}

func (l *List) round(t *testing.T) {
	t.Helper()
	l.beat(t.Context())
	l.look(t.Context())
}

// Who goes on is up, who is silent is gone and is swept later, whatever the clocks say.
func TestNodesComeAndGo(t *testing.T) {
	for name, apart := range map[string]time.Duration{"one clock": 0, "theirs is fast": 5 * time.Minute, "theirs is slow": -5 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			s := many{storeOf(t)}
			now := time.Now()
			mine, theirs := &clock{at: now}, &clock{at: now.Add(apart)}
			a, b := still(s, mine, "a", nil), still(s, theirs, "b", func() (int64, string, time.Time) { return 2, "no", now.Add(apart) })
			state := func() (v View) {
				all := a.Nodes()
				if !all[0].This || all[0].Address != "a" || len(all) > 2 {
					t.Fatalf("%+v", all)
				}
				if len(all) == 2 {
					return all[1]
				}
				return v
			}
			pass := func(d time.Duration) { mine.pass(d); theirs.pass(d) }
			b.round(t)
			a.round(t)
			if v := state(); v.State != New || v.Address != "b" {
				t.Errorf("at first: %+v", v)
			}
			pass(beatEvery)
			b.round(t)
			a.round(t)
			if v := state(); v.State != Up || v.Up != beatEvery || v.Silent != 0 || v.Error != "no" || v.ErrorAge != beatEvery || v.Revision != 2 {
				t.Errorf("then: %+v", v)
			}
			if text, rev := Summary(a.Nodes()); text != "1 of 2 nodes on revision 2" || rev != 2 {
				t.Errorf("%s", text)
			}
			pass(goneAfter + time.Second)
			a.round(t)
			if v := state(); v.State != Gone || v.Silent != goneAfter+time.Second || v.ErrorAge != v.Silent+beatEvery {
				t.Errorf("silent: %+v", v)
			}
			if text, _ := Summary(a.Nodes()); text != "1 node, on revision 1" {
				t.Errorf("%s", text)
			}
			b.round(t)
			a.round(t)
			if v := state(); v.State != Up {
				t.Errorf("it was only slow: %+v", v)
			}
			pass(shownFor + time.Second)
			a.round(t)
			a.round(t)
			if v := state(); v.ID != "" {
				t.Errorf("it is never swept: %+v", v)
			}
			b.round(t)
			a.round(t)
			if v := state(); v.State != New {
				t.Errorf("it lives: %+v", v)
			}
			if err := b.Close(); err != nil {
				t.Error(err)
			}
			a.round(t)
			if v := state(); v.ID != "" {
				t.Errorf("it has left: %+v", v)
			}
		})
	}
}

// On a store of its own a gateway lists itself, and writes nothing.
func TestANodeAlone(t *testing.T) {
	s := storeOf(t)
	l := Open(Options{Store: s, Log: slog.New(slog.DiscardHandler), Address: "a", Version: "v", Report: func() (int64, string, time.Time) { return 7, "", time.Time{} }})
	all := l.Nodes()
	if text, _ := Summary(all); len(all) != 1 || !all[0].This || text != "1 node, on revision 7" {
		t.Errorf("%+v", all)
	}
	if docs, err := s.List(t.Context(), store.Nodes, "", 10); err != nil || len(docs) != 0 {
		t.Errorf("%v, %v", docs, err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// A store that is away, and documents that are none of ours, stop nothing.
func TestTheListInTrouble(t *testing.T) {
	s := &storetest.Flaky{Store: many{storeOf(t)}}
	c := &clock{at: time.Now()}
	var said strings.Builder
	l := still(s, c, "a", nil)
	l.opt.Log = slog.New(slog.NewTextHandler(&said, nil))
	for id, body := range map[string]string{"x": `[]`, "y": `{"beat": "many"}`} {
		if _, err := s.Put(t.Context(), store.Nodes, store.Doc{ID: id, Body: []byte(body)}, store.New); err != nil {
			t.Fatal(err)
		}
	}
	l.round(t)
	s.Break(storetest.Fault{Err: &store.Away{Engine: "Redis", Err: errors.New("cut")}})
	l.round(t)
	l.round(t)
	if n := len(l.Nodes()); n != 1 || strings.Count(said.String(), "WARN") != 1 {
		t.Errorf("%d nodes, log %s", n, said.String())
	}
	s.Heal()
	l.round(t)
	if doc, err := s.Get(t.Context(), store.Nodes, l.id); err != nil || time.Until(doc.Expires) < 50*time.Minute {
		t.Errorf("%v, %v", doc.Expires, err)
	}
}
