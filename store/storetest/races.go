package storetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"gcli2api/store"
)

// racePut: of all who write to a revision one gets through, and the document is that one's.
func racePut(k *kit) {
	when := store.New
	for round := range 10 {
		var winner atomic.Int64
		var wins, odd atomic.Int64
		k.all(crowd, func(i int, s store.Store) {
			rev, err := s.Put(k.ctx, table, store.Doc{ID: "a", Body: fmt.Appendf(nil, `[%d,%d]`, round, i)}, when)
			switch {
			case err == nil && rev == when+1:
				wins.Add(1)
				winner.Store(int64(i))
			case !errors.Is(err, store.ErrConflict):
				odd.Add(1)
				k.Errorf("round %d: revision %d, %v", round, rev, err)
			}
		})
		if wins.Load() != 1 || odd.Load() != 0 {
			k.Fatalf("round %d: %d winners", round, wins.Load())
		}
		k.has("a", fmt.Sprintf(`[%d,%d]`, round, winner.Load()), when+1)
		when++
	}
}

func raceDelete(k *kit) {
	for round := range 5 {
		rev := k.put("a", "1", store.Any)
		var wins atomic.Int64
		k.all(crowd, func(_ int, s store.Store) {
			switch err := s.Delete(k.ctx, table, "a", rev); {
			case err == nil:
				wins.Add(1)
			case !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrConflict):
				k.Error(err)
			}
		})
		if wins.Load() != 1 {
			k.Fatalf("round %d: %d have deleted it", round, wins.Load())
		}
		k.gone("a")
	}
}

func raceUpdate(k *kit) {
	const writers, times = 8, 25
	k.all(writers, func(_ int, s store.Store) {
		for range times {
			_, err := store.Docs[int]{Store: s, Table: table}.Update(k.ctx, "sum", func(n *int) error { *n++; return nil })
			if err != nil {
				k.Error(err)
				return
			}
		}
	})
	k.has("sum", fmt.Sprint(writers*times), writers*times)
}

// raceTake: nothing is given twice, and nothing is left over.
func raceTake(k *kit) {
	const limit = 500
	var mu sync.Mutex
	lefts := map[int64]bool{}
	k.all(crowd, func(_ int, s store.Store) {
		for {
			left, err := s.Take(k.ctx, "limit", 1, limit)
			if err != nil {
				if !errors.Is(err, store.ErrExhausted) || left != 0 {
					k.Errorf("%d left, %v", left, err)
				}
				return
			}
			mu.Lock()
			if lefts[left] || left < 0 || left >= limit {
				k.Errorf("%d left, twice or never possible", left)
			}
			lefts[left] = true
			mu.Unlock()
		}
	})
	if len(lefts) != limit {
		k.Fatalf("%d were given, the limit is %d", len(lefts), limit)
	}
	k.counter("limit", limit)

	// In pieces of different size it must not be more, and in the end no piece of one may fit.
	var given atomic.Int64
	k.all(crowd, func(i int, s store.Store) {
		for n := int64(i%7 + 1); n > 0; {
			switch _, err := s.Take(k.ctx, "pieces", n, limit); {
			case err == nil:
				given.Add(n)
			case errors.Is(err, store.ErrExhausted):
				n--
			default:
				k.Error(err)
				return
			}
		}
	})
	if given.Load() != limit {
		k.Fatalf("%d were given in pieces, the limit is %d", given.Load(), limit)
	}
	k.counter("pieces", limit)
}

func raceAdd(k *kit) {
	const times = 10
	k.all(crowd, func(i int, s store.Store) {
		for range times {
			// Both orders: an engine that locks counter by counter must not lock itself up.
			a, b := store.Delta{Counter: "race/a", N: 2}, store.Delta{Counter: "race/b", N: 3}
			if i%2 == 0 {
				a, b = b, a
			}
			if err := s.Add(k.ctx, []store.Delta{a, b}); err != nil {
				k.Error(err)
				return
			}
		}
	})
	k.counter("race/a", 2*crowd*times)
	k.counter("race/b", 3*crowd*times)
}

func raceClaim(k *kit) {
	for round := range 5 {
		var wins atomic.Int64
		k.all(crowd, func(i int, s store.Store) {
			mine, err := s.Claim(k.ctx, fmt.Sprint("lease ", round), fmt.Sprint("owner ", i), time.Hour)
			if err != nil {
				k.Error(err)
			}
			if mine {
				wins.Add(1)
			}
		})
		if wins.Load() != 1 {
			k.Fatalf("round %d: %d hold the lease", round, wins.Load())
		}
	}
}
