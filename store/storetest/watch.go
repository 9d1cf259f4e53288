package storetest

import (
	"context"
	"fmt"
	"time"

	"gcli2api/store"
)

// patience is how long the suite waits for what has to come: long, because machines are slow.
const patience = time.Minute

// hinted waits for a hint that covers a document.
func (k *kit) hinted(hints <-chan store.Change, id string) {
	k.Helper()
	late := time.After(patience)
	for {
		select {
		case c, open := <-hints:
			if !open {
				k.Fatal("the hints have ended")
			}
			if c == (store.Change{Table: table, ID: id}) || c == (store.Change{Table: table}) || c == (store.Change{}) {
				return
			}
		case <-late:
			k.Fatalf("no hint about %q", id)
		}
	}
}

// ends waits for the channel to be closed.
func (k *kit) ends(hints <-chan store.Change) {
	k.Helper()
	late := time.After(patience)
	for {
		select {
		case _, open := <-hints:
			if !open {
				return
			}
		case <-late:
			k.Fatal("the channel stays open")
		}
	}
}

func watch(k *kit) {
	for i, s := range k.stores {
		hints, err := s.Watch(k.ctx)
		k.ok(err)
		second, err := s.Watch(k.ctx)
		k.ok(err)
		id := fmt.Sprint("doc ", i)
		rev := k.put(id, "1", store.New)
		k.hinted(hints, id)
		k.hinted(second, id)
		k.put(id, "2", rev)
		k.hinted(hints, id)
		k.ok(k.s.Delete(k.ctx, table, id, store.Any))
		k.hinted(hints, id)
	}
}

// watchSlow: who does not read holds up nobody, and learns in the end that it has missed something.
func watchSlow(k *kit) {
	hints, err := k.s.Watch(k.ctx)
	k.ok(err)
	for i := range 300 {
		k.put(fmt.Sprint("doc ", i), "1", store.New)
	}
	k.hinted(hints, "doc 299")
	k.put("one more", "1", store.New)
	k.hinted(hints, "one more")
}

func watchEnds(k *kit) {
	ctx, cancel := context.WithCancel(k.ctx)
	hints, err := k.s.Watch(ctx)
	k.ok(err)
	others, err := k.s.Watch(k.ctx)
	k.ok(err)
	cancel()
	k.ends(hints)
	k.put("a", "1", store.New)
	k.hinted(others, "a")
	k.ok(k.s.Close())
	k.ends(others)
}

func revision(k *kit) {
	read := func() int64 {
		k.Helper()
		n, err := k.s.Revision(k.ctx)
		k.ok(err)
		return n
	}
	before := read()
	grown := func(what string) {
		k.Helper()
		now := read()
		if now <= before {
			k.Fatalf("%s: the revision went from %d to %d", what, before, now)
		}
		before = now
	}
	rev := k.put("a", "1", store.New)
	grown("put")
	k.put("a", "1", rev) // the same body is a write as well
	grown("put again")
	k.ok(k.s.Delete(k.ctx, table, "a", store.Any))
	grown("delete")
	k.put("a", "1", store.New)
	grown("put anew")
	k.ok(k.s.Add(k.ctx, []store.Delta{{Counter: "n", N: 1}}))
	_, err := k.s.Take(k.ctx, "n", 1, 10)
	k.ok(err)
	if now := read(); now != before {
		k.Fatalf("counters moved the revision from %d to %d", before, now)
	}
	k.all(crowd, func(i int, s store.Store) {
		if _, err := s.Put(k.ctx, table, store.Doc{ID: fmt.Sprint(i), Body: []byte("1")}, store.New); err != nil {
			k.Error(err)
		}
	})
	if now := read(); now < before+crowd {
		k.Fatalf("%d writes moved the revision from %d to %d", crowd, before, now)
	}
}
