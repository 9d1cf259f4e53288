package apikey

import (
	"context"
	"errors"
	"sync"
	"testing"

	"gcli2api/store"
	"gcli2api/store/storetest"
)

func TestRotate(t *testing.T) {
	s := newStore(t)
	k := opened(t, sole{s}).Keys
	one, old := k.mustCreate(t, Terms{Description: "Alice", Quota: 55})
	now, secret, err := k.Rotate(t.Context(), one.ID)
	if err != nil {
		t.Fatal(err)
	}
	if secret == old || now.ID != one.ID || now.Mask != Mask(secret) || now.Terms.Quota != 55 || !now.Created.Equal(one.Created) || now.Rotated.IsZero() {
		t.Errorf("%+v", now)
	}
	next, third, err := k.Rotate(t.Context(), one.ID)
	if err != nil || next.Rotated.Before(now.Rotated) {
		t.Fatal(err)
	}
	for name, keys := range map[string]*Keys{"at once": k, "after a restart": opened(t, sole{s}).Keys} {
		for _, dead := range []string{old, secret} {
			if _, ok := keys.Find(dead); ok {
				t.Errorf("%s: an old key is good", name)
			}
		}
		if got, ok := keys.Find(third); !ok || got.ID != one.ID || len(keys.List()) != 1 {
			t.Errorf("%s: the new key is not good", name)
		}
	}
	if docs, _ := s.List(t.Context(), store.Keys, "", 10); len(docs) != 1 {
		t.Errorf("%d documents", len(docs))
	}
	if _, _, err := k.Rotate(t.Context(), "key-nobody"); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
}

// However a rotation is cut short, one secret of the key is good at once and after a restart, the same one,
// and when the key is deleted then, none is.
func TestARotationThatIsCutShort(t *testing.T) {
	for name, c := range map[string]struct {
		fault storetest.Fault
		good  string // "old", "new" or "lost", which nobody was told
	}{
		"it is not written":         {storetest.Fault{Err: errors.New("dead"), Calls: []string{"Put"}}, "old"},
		"it is written, unsaid":     {storetest.Fault{Err: errors.New("dead"), Calls: []string{"Put"}, Late: true}, "lost"},
		"it cannot be read":         {storetest.Fault{Err: errors.New("dead"), Calls: []string{"Get"}}, "old"},
		"somebody changed it first": {storetest.Fault{Err: store.ErrConflict, Calls: []string{"Put"}, Times: 3}, "new"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			k := opened(t, sole{s}).Keys
			one, old := k.mustCreate(t, Terms{})
			s.Break(c.fault)
			_, secret, err := k.Rotate(t.Context(), one.ID)
			s.Heal()
			if (err == nil) != (c.good == "new") {
				t.Fatal(err)
			}
			for name, keys := range map[string]*Keys{"at once": k, "after a restart": opened(t, sole{s}).Keys} {
				_, before := keys.Find(old)
				_, after := keys.Find(secret)
				if before != (c.good == "old") || after != (c.good == "new") || len(keys.List()) != 1 || len(keys.byDigest) != 1 {
					t.Errorf("%s: old %v, new %v, %d keys, %d secrets", name, before, after, len(keys.List()), len(keys.byDigest))
				}
			}
			if err := k.Delete(t.Context(), one.ID); err != nil {
				t.Fatal(err)
			}
			again := opened(t, sole{s}).Keys
			if docs, _ := s.List(t.Context(), store.Keys, "", 10); len(docs) != 0 || len(again.byDigest) != 0 {
				t.Errorf("%d documents after the key was deleted", len(docs))
			}
		})
	}
}

// Edits are not lost in a rotation, nor keys brought back that were deleted, by anybody at any time.
func TestRotationsAmongOtherChanges(t *testing.T) {
	s := newStore(t)
	nodes := []*Keys{opened(t, s).Keys, opened(t, s).Keys}
	one, _ := nodes[0].mustCreate(t, Terms{Quota: 100})
	soon(t, "both nodes know the key", func() bool { _, ok := nodes[1].ByID(one.ID); return ok })
	var all sync.WaitGroup
	var mu sync.Mutex
	added, secrets := int64(0), []string{}
	for _, k := range nodes {
		all.Go(func() {
			for range 15 {
				if _, secret, err := k.Rotate(context.Background(), one.ID); err == nil {
					mu.Lock()
					secrets = append(secrets, secret)
					mu.Unlock()
				} else if !errors.Is(err, ErrUnknown) {
					t.Error(err)
				}
			}
		})
		all.Go(func() {
			for range 15 {
				if _, err := k.TopUp(context.Background(), one.ID, 10); err == nil {
					mu.Lock()
					added += 10
					mu.Unlock()
				} else if !errors.Is(err, ErrUnknown) {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	end := opened(t, sole{s}).Keys
	got, ok := end.ByID(one.ID)
	if !ok || len(end.List()) != 1 || got.Quota != 100+added {
		t.Fatalf("there %v, %d keys, quota %+v, want %d", ok, len(end.List()), got, 100+added)
	}
	good := 0
	for _, secret := range secrets {
		if _, ok := end.Find(secret); ok {
			good++
		}
	}
	if good != 1 || added == 0 || len(secrets) == 0 {
		t.Errorf("%d of %d keys are good, %d units added", good, len(secrets), added)
	}
}
