package storetest

import (
	"context"
	"errors"
	"testing"

	"gcli2api/store"
	"gcli2api/store/storetest/faults"
)

// LostAnswers has an engine do each call on a server whose answer gets lost behind p. A call that nobody may
// repeat is an error that says so, and was made once: made again it would charge twice, or take one's own
// write for somebody else's.
func LostAnswers(t *testing.T, s store.Store, p *faults.Proxy) {
	const unsure = true // it is not known to the caller whether the call was made
	ctx := t.Context()
	once := func(counter string) func() int64 {
		return func() int64 {
			all, err := s.Counters(ctx, counter)
			if err != nil {
				t.Fatal(err)
			}
			return all[counter]
		}
	}
	revision := func(id string) func() int64 {
		return func() int64 {
			d, err := s.Get(ctx, store.Costs, id)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				t.Fatal(err)
			}
			return int64(d.Rev)
		}
	}
	put := func(id string, when store.Rev) func() error {
		return func() error {
			_, err := s.Put(ctx, store.Costs, store.Doc{ID: id, Body: []byte("1")}, when)
			return err
		}
	}
	_, taken := s.Take(ctx, "warm", 1, 100) // a first call may be more than one answer
	if err := errors.Join(taken, s.Add(ctx, []store.Delta{{Counter: "warm", N: 1}}), again(ctx, s, "warm"), put("warm", store.New)(),
		s.Delete(ctx, store.Costs, "warm", store.Any), put("lost-deleted", store.New)()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string // of the counter or document, which the client says
		call   func() error
		unsure bool
		found  func() int64
		want   int64
	}{
		{"lost-taken", func() error { _, err := s.Take(ctx, "lost-taken", 1, 100); return err }, unsure, once("lost-taken"), 1},
		{"lost-added", func() error { return s.Add(ctx, []store.Delta{{Counter: "lost-added", N: 1}}) }, unsure, once("lost-added"), 1},
		{"lost-batch", func() error { return again(ctx, s, "lost-batch") }, false, once("lost-batch"), 1},
		{"lost-new", put("lost-new", store.New), unsure, revision("lost-new"), 1},
		{"lost-any", put("lost-any", store.Any), unsure, revision("lost-any"), 1},
		{"lost-deleted", func() error { return s.Delete(ctx, store.Costs, "lost-deleted", store.Any) }, unsure, revision("lost-deleted"), 0},
	} {
		before := p.Resets()
		p.Reset(faults.Reset{Saying: c.name, Answers: true, Times: 1})
		err := c.call()
		p.Heal(t)
		if p.Resets() == before {
			t.Errorf("%s: no answer got lost", c.name)
		}
		if away := errors.As(err, new(*store.Away)); c.unsure && !away || !c.unsure && err != nil {
			t.Errorf("%s: %v, in doubt: %v", c.name, err, c.unsure)
		}
		if got := c.found(); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// again makes a batch until it is known to be there.
func again(ctx context.Context, s store.Store, id string) (err error) {
	for range 3 {
		if err = s.AddOnce(ctx, id, []store.Delta{{Counter: id, N: 1}}); !errors.As(err, new(*store.Away)) {
			return err
		}
	}
	return err
}
