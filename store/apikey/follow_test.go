package apikey

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"gcli2api/store"
	"gcli2api/store/storetest"
)

// deaf is a store that gives no hints.
type deaf struct{ store.Store }

func (deaf) Watch(ctx context.Context) (<-chan store.Change, error) {
	ch := make(chan store.Change)
	context.AfterFunc(ctx, func() { close(ch) })
	return ch, nil
}

// counting counts the reads of documents.
type counting struct {
	store.Store
	gets *atomic.Int64
}

func (c counting) Get(ctx context.Context, t store.Table, id string) (store.Doc, error) {
	c.gets.Add(1)
	return c.Store.Get(ctx, t, id)
}

// What one node does is so on another within a second, with hints and without.
func TestTwoNodes(t *testing.T) {
	for name, with := range map[string]func(store.Store) store.Store{
		"hints":    func(s store.Store) store.Store { return s },
		"no hints": func(s store.Store) store.Store { return deaf{s} },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			a, b := opened(t, with(s)).Keys, opened(t, with(s)).Keys
			one, secret := a.mustCreate(t, Terms{})
			if got, ok := b.Find(secret); !ok || got.ID != one.ID {
				t.Fatal("a key of another node is not found at once")
			}
			many, err := a.CreateMany(t.Context(), Terms{Quota: 5}, 100)
			if err != nil {
				t.Fatal(err)
			}
			soon(t, "a batch is known by its ids", func() bool {
				for _, m := range many {
					if _, ok := b.ByID(m.Key.ID); !ok {
						return false
					}
				}
				return true
			})
			if _, err := a.Edit(t.Context(), one.ID, func(t *Terms) error { t.Disabled = true; return nil }); err != nil {
				t.Fatal(err)
			}
			soon(t, "it is disabled", func() bool { got, _ := b.Find(secret); return got.Disabled })
			_, second, err := b.Rotate(t.Context(), one.ID)
			if err != nil {
				t.Fatal(err)
			}
			soon(t, "the old key is dead", func() bool { _, ok := a.Find(secret); return !ok })
			soon(t, "the new key is good", func() bool { _, ok := a.Find(second); return ok })
			if err := b.Delete(t.Context(), one.ID); err != nil {
				t.Fatal(err)
			}
			soon(t, "it is deleted", func() bool { _, ok := a.Find(second); return !ok })
			if _, ok := a.ByID(one.ID); ok || len(a.List()) != 100 || len(b.List()) != 100 {
				t.Errorf("%d and %d keys", len(a.List()), len(b.List()))
			}
		})
	}
}

// What one node does has to be so on another within a second, so that each looks twice in it.
func TestNodesLookTwiceASecond(t *testing.T) {
	if pollEvery > time.Second/2 || costsLook > time.Second/2 {
		t.Errorf("keys are looked for each %s, costs each %s", pollEvery, costsLook)
	}
}

// A node that died before it said what it did is found out by the revision of the store.
func TestANodeThatDied(t *testing.T) {
	s := newStore(t)
	a := opened(t, deaf{s}).Keys
	one, secret := a.mustCreate(t, Terms{})
	at := position{count: -1}
	a.poll(t.Context(), &at)
	if err := s.Delete(t.Context(), store.Keys, one.doc.String(), store.Any); err != nil {
		t.Fatal(err)
	}
	a.poll(t.Context(), &at)
	if _, ok := a.Find(secret); !ok {
		t.Fatal("the revision is asked for at each poll: this test shows nothing")
	}
	at.asked = at.asked.Add(-lookEvery)
	a.poll(t.Context(), &at)
	if _, ok := a.Find(secret); ok {
		t.Error("a key that is gone is good")
	}
}

// While the store is away keys stay as they are, and what was missed comes afterwards.
func TestAStoreThatIsAway(t *testing.T) {
	s := newStore(t)
	away := &storetest.Flaky{Store: deaf{s}}
	a, b := opened(t, away).Keys, opened(t, s).Keys
	one, secret := b.mustCreate(t, Terms{})
	_, other := b.mustCreate(t, Terms{})
	soon(t, "both keys are known", func() bool { return len(a.List()) == 2 })
	away.Break(storetest.Fault{Err: errors.New("away")})
	if err := b.Delete(t.Context(), one.ID); err != nil {
		t.Fatal(err)
	}
	before := away.Failed()
	soon(t, "the store was asked", func() bool { return away.Failed() > before+1 })
	if _, ok := a.Find(other); !ok {
		t.Error("a key is forgotten because the store is away")
	}
	away.Heal()
	soon(t, "the deletion is seen", func() bool { _, ok := a.Find(secret); return !ok })
}

// Ten thousand wrong keys cost a shared store a few reads, and no memory.
func TestAFloodOfWrongKeys(t *testing.T) {
	var gets, clock atomic.Int64
	k := opened(t, counting{newStore(t), &gets}, func(o *Options) { o.Now = func() time.Time { return time.Unix(0, clock.Load()) } }).Keys
	_, secret := k.mustCreate(t, Terms{})
	wrong := make([]string, 10_000)
	for i := range wrong {
		wrong[i] = NewSecret()
	}
	gets.Store(0)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for _, w := range wrong {
		if _, ok := k.Find(w); ok {
			t.Fatal("found")
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if n := gets.Load(); n < 1 || n > asksAtOnce+5 {
		t.Errorf("%d reads", n)
	}
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 100_000 {
		t.Errorf("%d bytes are kept of 10,000 wrong keys", grown)
	}
	if _, ok := k.Find(secret); !ok {
		t.Error("a right key is not found in the flood")
	}
	clock.Add(int64(time.Second)) // a second later a few may be asked for again
	gets.Store(0)
	for _, w := range wrong[:1000] {
		k.Find(w)
	}
	if n := gets.Load(); n < asksPerSecond-5 || n > asksPerSecond+5 {
		t.Errorf("%d reads in the next second", n)
	}
	gets.Store(0)
	for _, w := range []string{"", "a password", "sk-short", wrong[0] + "x", wrong[0][:45] + "!"} {
		if k.Find(w); gets.Load() != 0 {
			t.Errorf("the store is asked for what is no key: %d bytes", len(w))
		}
	}
}
