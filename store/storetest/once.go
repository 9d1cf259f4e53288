package storetest

import (
	"fmt"

	"gcli2api/store"
)

// addOnce: an id is applied once, a refused call uses no id up, and the id is no document.
func addOnce(k *kit) {
	one := []store.Delta{{Counter: "a", N: 2}, {Counter: "b", N: 3}}
	for range 3 {
		k.ok(k.s.AddOnce(k.ctx, "first", one))
	}
	k.counter("a", 2)
	k.counter("b", 3)
	k.is("a wrong name", k.s.AddOnce(k.ctx, "second", []store.Delta{{Counter: "a", N: 1}, {Counter: "", N: 1}}), store.ErrInvalid)
	k.is("no id", k.s.AddOnce(k.ctx, "", one), store.ErrInvalid)
	k.counter("a", 2)
	before, err := k.s.Revision(k.ctx)
	k.ok(err)
	k.ok(k.s.AddOnce(k.ctx, "second", []store.Delta{{Counter: "a", N: -1}, {Counter: "b", N: -9}, {Counter: "a", N: 1}}))
	k.counter("a", 2)
	k.counter("b", 0)
	if now, err := k.s.Revision(k.ctx); err != nil || now != before {
		k.Fatalf("counters moved the revision from %d to %d, %v", before, now, err)
	}
	many := make([]store.Delta, 2000)
	for i := range many {
		many[i] = store.Delta{Counter: fmt.Sprint("many/", i), N: int64(i + 1)}
	}
	k.ok(k.s.AddOnce(k.ctx, "many", many))
	k.ok(k.s.AddOnce(k.ctx, "many", many))
	got, err := k.s.Counters(k.ctx, "many/")
	k.ok(err)
	if len(got) != len(many) || got["many/1999"] != 2000 {
		k.Fatalf("%d counters of a batch of %d, the last one %d", len(got), len(many), got["many/1999"])
	}
	k.shut()
	k.start()
	k.ok(k.s.AddOnce(k.ctx, "first", one))
	k.counter("a", 2)
}

// raceAddOnce: of a crowd with one id one gets through, on whatever node.
func raceAddOnce(k *kit) {
	const rounds = 5
	for round := range rounds {
		id := fmt.Sprint("round/", round)
		k.all(crowd, func(_ int, s store.Store) {
			if err := s.AddOnce(k.ctx, id, []store.Delta{{Counter: "a", N: 1}, {Counter: "b", N: 2}}); err != nil {
				k.Error(err)
			}
		})
	}
	k.counter("a", rounds)
	k.counter("b", 2*rounds)
}
