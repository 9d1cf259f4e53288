package settings_test

import (
	"context"
	"errors"
	"testing"

	"gcli2api/pipeline/config"
	"gcli2api/store"
	"gcli2api/store/settings"
)

// overtaken has something happen before its first write.
type overtaken struct {
	store.Store
	by func()
}

func (o *overtaken) Put(ctx context.Context, t store.Table, d store.Doc, when store.Rev) (store.Rev, error) {
	if by := o.by; by != nil {
		o.by = nil
		by()
	}
	return o.Store.Put(ctx, t, d, when)
}

// Of two nodes that save at the same time neither takes back what the other has saved.
func TestASaveThatIsOvertaken(t *testing.T) {
	s := storeOf(t)
	a := nodeOn(t, s)
	way := &overtaken{Store: s}
	b := nodeOn(t, way)
	way.by = func() {
		if _, err := a.Save(t.Context(), map[string]any{"server.public_models": true}, store.Any); err != nil {
			t.Error(err)
		}
	}
	if _, err := b.Save(t.Context(), map[string]any{"pool.calls_per_rotation": 77}, store.Any); err != nil {
		t.Fatal(err)
	}
	for _, n := range []*node{a, b} {
		soon(t, "both are in force", func() bool { return rotation(n) == 77 && n.Live().Bool("server.public_models") })
	}
}

// What cannot be served as a whole is not saved, although each change by itself could be.
func TestNothingIsSavedThatCannotBeServed(t *testing.T) {
	s := storeOf(t)
	n := nodeOn(t, s, func(_ *node, o *settings.Options) {
		load := o.Load
		o.Load = func(panel map[string]any) (*config.Snapshot, error) {
			if len(panel) > 1 {
				return nil, errors.New("these two do not go together")
			}
			return load(panel)
		}
	})
	_, err := n.Save(t.Context(), map[string]any{"pool.calls_per_rotation": 77, "server.public_models": true}, store.Any)
	if refused := (*settings.RefusedError)(nil); !errors.As(err, &refused) {
		t.Error(err)
	}
	if _, err := s.Get(t.Context(), store.Settings, "overrides"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("it was saved: %v", err)
	}
}
