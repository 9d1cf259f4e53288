package settings

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"gcli2api/pipeline/config"
	"gcli2api/store"
)

// Saved is what became of a wish to save.
type Saved struct {
	Changes  []config.Change // those that said something new
	Revision store.Rev       // of the panel's layer now
	NotHere  error           // why this node, of all, could not put into force what was saved
}

// RefusedError says why what was asked for cannot be served.
type RefusedError struct{ Err error }

// Error is the reason.
func (e *RefusedError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *RefusedError) Unwrap() error { return e.Err }

// maxTries is how often a save goes on after somebody else came in between.
const maxTries = 20

// Save sets settings for all nodes: by their key or flat key, or tables of them; nil takes back what the panel
// said. when is the revision that the caller saw, or store.Any. Nothing is saved that this node could not
// serve. What is saved is durable, and in force on this node, when it returns. The error is a
// *RefusedError, a *config.LockedError, store.ErrConflict, ErrBroken, or of the store.
func (p *Panel) Save(ctx context.Context, asked map[string]any, when store.Rev) (Saved, error) {
	p.changing.Lock()
	defer p.changing.Unlock()
	for range maxTries {
		saved, err := p.save(ctx, asked, when)
		if when != store.Any || !errors.Is(err, store.ErrConflict) {
			return saved, err
		}
	}
	return Saved{}, fmt.Errorf("save settings: %w", store.ErrConflict)
}

func (p *Panel) save(ctx context.Context, asked map[string]any, when store.Rev) (Saved, error) {
	doc, err := p.read(ctx)
	if err != nil {
		return Saved{}, err
	}
	if err := doc.legible(); err != nil {
		return Saved{}, err
	}
	if when != store.Any && when != doc.rev {
		return Saved{}, fmt.Errorf("save settings: %w", store.ErrConflict)
	}
	if !p.known(doc) { // what another node saved a moment ago is part of what this is measured by
		_ = p.force(doc)
	}
	changes, err := p.Live().Changes(asked)
	if wrong := (config.Problems)(nil); errors.As(err, &wrong) {
		return Saved{}, &RefusedError{err}
	}
	if err != nil || len(changes) == 0 {
		return Saved{Revision: doc.rev}, err
	}
	values := maps.Clone(doc.values)
	for _, c := range changes {
		if err := usable(c); err != nil {
			return Saved{}, err
		}
		delete(values, c.Param.Flat)
		if values[c.Param.Key] = c.Value; c.Value == nil {
			delete(values, c.Param.Key)
		} else if c.Param.Secret {
			if values[c.Param.Key], err = each(c.Value, box(p.opt.Ring).Seal); err != nil {
				return Saved{}, fmt.Errorf("save settings: %s: %w", c.Param.Key, err)
			}
		}
	}
	if _, err := p.opt.Load(values); err != nil {
		return Saved{}, &RefusedError{err}
	}
	body, err := json.Marshal(values)
	if err != nil {
		return Saved{}, fmt.Errorf("save settings: %w", err)
	}
	rev, err := p.opt.Store.Put(ctx, store.Settings, store.Doc{ID: id, Body: body}, doc.rev)
	if err != nil {
		return Saved{}, fmt.Errorf("save settings: %w", err)
	}
	written := layerOf(store.Doc{Rev: rev, Body: body})
	return Saved{Changes: changes, Revision: rev, NotHere: p.force(written)}, nil
}
