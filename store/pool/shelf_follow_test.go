package pool

import (
	"errors"
	"testing"
	"time"

	"gcli2api/store"
	"gcli2api/store/storetest"
)

// atShelf is a node whose shelf nobody else looks at meanwhile, with nothing left to be looked at.
func atShelf(t *testing.T) (*storetest.Flaky, node, *documents) {
	t.Helper()
	s := flakyStore(t, t.TempDir()+"/x.db")
	n := onStore(t, s)
	d := n.shelf.(*documents)
	n.disk.Lock()
	t.Cleanup(n.disk.Unlock)
	if _, err := d.scan(n.Pool, true, false); err != nil {
		t.Fatal(err)
	}
	d.due()
	return s, n, d
}

// everything tells that every document has to be looked at.
func everything(d *documents) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.all
}

// TestShelfAsksAgain: what could not be looked at, because the store was away, is looked at later: the one
// that was asked for, and the others that would have come.
func TestShelfAsksAgain(t *testing.T) {
	s, n, d := atShelf(t)
	d.hear("a.json")
	d.hear("b.json")
	s.Break(storetest.Fault{Err: errGone, Calls: []string{"Get"}})
	if _, err := d.scan(n.Pool, true, false); err == nil {
		t.Fatal("it was read from a store that is away")
	}
	s.Heal()
	if heard, _, _ := d.due(); !heard["a.json"] || !heard["b.json"] {
		t.Errorf("still heard of: %v", heard)
	}
}

// TestShelfOfAHint: a hint that came before a write of ours was noted may be about what somebody wrote behind it.
func TestShelfOfAHint(t *testing.T) {
	_, _, d := atShelf(t)
	ours := store.Doc{ID: "a.json", Rev: 2}
	d.wrote(ours)
	if _, own, _ := d.due(); own["a.json"].Rev != 2 {
		t.Error("what this node has just written is read again")
	}
	d.hear("a.json")
	d.wrote(ours)
	if heard, own, _ := d.due(); !heard["a.json"] || len(own) > 0 {
		t.Errorf("our own write is taken for the last one: %v", own)
	}
	d.wrote(ours)
	d.hear("a.json")
	if heard, own, _ := d.due(); !heard["a.json"] || len(own) > 0 {
		t.Errorf("a later hint is not heeded: %v", own)
	}
}

// TestShelfWithoutALog: what was written and is in no log, and what a log that cannot be read would have
// named, is found by a look at everything.
func TestShelfWithoutALog(t *testing.T) {
	s, _, d := atShelf(t)
	write := func(id, body string) {
		t.Helper()
		if _, err := s.Put(t.Context(), store.Credentials, store.Doc{ID: id, Body: []byte(body)}, store.Any); err != nil {
			t.Fatal(err)
		}
		if err := d.poll(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	d.listed = time.Now()
	write("by-hand.json", fileOf(1))
	if everything(d) {
		t.Error("everything is looked at with each write")
	}
	d.listed = time.Now().Add(-2 * listEvery)
	write("by-hand.json", fileOf(2))
	if !everything(d) {
		t.Error("what is not in the log is not looked for after a while")
	}
	d.due()
	d.listed = time.Now()
	write(changesID, `"spoilt"`)
	if !everything(d) {
		t.Error("a log that cannot be read is taken for one that says nothing new")
	}
}

// TestShelfGivesWay: what somebody else has changed since it was read is neither written over nor removed, and
// is looked at; so is what may have been written, because the answer got lost.
func TestShelfGivesWay(t *testing.T) {
	s, _, d := atShelf(t)
	rev, err := s.Put(t.Context(), store.Credentials, store.Doc{ID: "a.json", Body: []byte(fileOf(1))}, store.New)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), store.Credentials, store.Doc{ID: "a.json", Body: []byte(fileOf(2))}, rev); err != nil {
		t.Fatal(err)
	}
	for what, data := range map[string][]byte{"put": []byte(fileOf(3)), "remove": nil} {
		d.due()
		one := &draft{name: "a.json", data: data, was: version{rev: rev}}
		d.write([]*draft{one})
		doc, err := s.Get(t.Context(), store.Credentials, "a.json")
		if err != nil || string(doc.Body) != fileOf(2) || !errors.Is(one.err, store.ErrConflict) {
			t.Errorf("%s: %v; there is %q, %v", what, one.err, doc.Body, err)
		}
		if heard, _, _ := d.due(); !heard["a.json"] {
			t.Errorf("%s: what is there instead is not looked at", what)
		}
	}
	s.Break(storetest.Fault{Err: errGone, Late: true})
	one := &draft{name: "b.json", data: []byte(fileOf(4))}
	d.write([]*draft{one})
	s.Heal()
	if heard, _, _ := d.due(); !errors.Is(one.err, ErrAway) || !heard["b.json"] {
		t.Errorf("what may be there is not looked at: %v", one.err)
	}
}
