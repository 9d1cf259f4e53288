package apikey

import (
	"errors"
	"testing"
	"time"

	"gcli2api/store"
	"gcli2api/store/storetest"
)

func TestLastUsed(t *testing.T) {
	s := newStore(t)
	b := opened(t, sole{s})
	one, secret := b.Keys.mustCreate(t, Terms{})
	if at := b.Keys.LastUsed(one.ID); !at.IsZero() {
		t.Errorf("a new key was used at %s", at)
	}
	late := time.Now().UTC().Truncate(time.Second)
	for _, at := range []time.Time{late.Add(-time.Hour), late, late.Add(-time.Minute)} {
		one.Touch(at)
	}
	if _, err := b.Keys.Edit(t.Context(), one.ID, func(t *Terms) error { t.Description = "x"; return nil }); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Keys.Rotate(t.Context(), one.ID); err != nil {
		t.Fatal(err)
	}
	if at := b.Keys.LastUsed(one.ID); !at.Equal(late) {
		t.Errorf("last used at %s, want %s", at, late)
	}
	if _, ok := b.Keys.Find(secret); ok {
		t.Fatal("not rotated")
	}
	one.Touch(late.Add(time.Second)) // a request that came in before
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if at := opened(t, sole{s}).Keys.LastUsed(one.ID); !at.Equal(late.Add(time.Second)) {
		t.Errorf("after a restart %s", at)
	}
}

// The later time counts, whoever writes last, and other nodes come to know it.
func TestLastUsedOnTwoNodes(t *testing.T) {
	s := newStore(t)
	a, b := opened(t, s).Keys, opened(t, s).Keys
	one, secret := a.mustCreate(t, Terms{})
	same, ok := b.Find(secret)
	if !ok {
		t.Fatal("unknown on the other node")
	}
	early, late := time.Unix(1_900_000_000, 0).UTC(), time.Unix(1_900_000_100, 0).UTC()
	one.Touch(late)
	same.Touch(early)
	for _, k := range []*Keys{a, b} {
		if err := k.flushUses(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for name, k := range map[string]*Keys{"a": a, "b": b, "c": opened(t, s).Keys} {
		if at := k.LastUsed(one.ID); !at.Equal(late) {
			t.Errorf("node %s: %s", name, at)
		}
	}
}

// Keys that are gone do not stay in the documents, those of other nodes do.
func TestLastUsedOfKeysThatAreGone(t *testing.T) {
	s := newStore(t)
	k := opened(t, sole{s}).Keys
	one, _ := k.mustCreate(t, Terms{})
	theirs := map[string]int64{"key-gone": time.Now().Add(-2 * time.Hour).Unix(), "key-theirs": time.Now().Unix()}
	if _, err := k.shelf().Put(t.Context(), shelfOf(one.ID), theirs, store.New); err != nil {
		t.Fatal(err)
	}
	one.Touch(time.Now())
	if err := k.flushUses(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, _, err := k.shelf().Get(t.Context(), shelfOf(one.ID))
	if err != nil || len(got) != 2 || got["key-theirs"] == 0 || got[one.ID] == 0 {
		t.Errorf("%v %v", got, err)
	}
	if err := k.Delete(t.Context(), one.ID); err != nil {
		t.Fatal(err)
	}
	if at := k.LastUsed(one.ID); !at.IsZero() {
		t.Error("a deleted key was last used at", at)
	}
}

// Nothing is written where nothing was used, and what could not be written is written the next time.
func TestWritesOfLastUses(t *testing.T) {
	s := newStore(t)
	k := opened(t, sole{s}).Keys
	one, _ := k.mustCreate(t, Terms{})
	one.Touch(time.Now())
	s.Break(storetest.Fault{Err: errors.New("down"), Calls: []string{"Put"}})
	if err := k.flushUses(t.Context()); err == nil {
		t.Error("nobody says that it failed")
	}
	s.Heal()
	rev := func() int64 {
		n, err := s.Revision(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := rev()
	for range 3 {
		if err := k.flushUses(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := rev() - before; n != 1 {
		t.Errorf("%d writes of one use", n)
	}
}
