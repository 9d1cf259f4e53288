package pool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gcli2api/store"
)

// keepLeft is how long the state of a credential that is gone is kept: as long as the credential
// itself can be brought back.
const keepLeft = 30 * 24 * time.Hour

// sweepStates lets the states go whose credentials have been gone for long.
func (p *Pool) sweepStates() {
	m, ok := p.states.(interface {
		Sweep(ctx context.Context, here map[string]bool, now time.Time) error
	})
	if !ok {
		return
	}
	here := map[string]bool{}
	p.mu.Lock()
	for _, e := range p.all() {
		here[e.cred.ID] = true
	}
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(p.ctx, time.Minute)
	defer cancel()
	if err := m.Sweep(ctx, here, p.now()); err != nil {
		p.log.Warn("states of credentials that are gone could not be swept", "error", err)
	}
}

// Sweep notes which credentials are not here, and deletes the states of those that have not been
// anywhere for 30 days: on a node that has one its state begins to be kept again.
func (m *Memory) Sweep(ctx context.Context, here map[string]bool, now time.Time) error {
	m.mu.Lock()
	left := make([]string, 0, len(m.known))
	for id := range m.known {
		if _, waits := m.pending[id]; !here[id] && !waits {
			left = append(left, id)
		}
	}
	m.mu.Unlock()
	for _, id := range left {
		m.mu.Lock()
		s, ok := m.load(id) // nobody here is about to have it
		m.mu.Unlock()
		switch {
		case !ok:
		case s.Left.IsZero():
			s.Left = stamp(now.UnixNano())
			m.Save(id, s)
		case now.Sub(s.Left) > keepLeft:
			if err := m.forget(ctx, id); err != nil {
				return err
			}
		}
	}
	return nil
}

// forget deletes a state as it is known, unless it has changed.
func (m *Memory) forget(ctx context.Context, id string) error {
	m.flushing.Lock()
	defer m.flushing.Unlock()
	m.mu.Lock()
	r, waits := *m.record(id), m.pending[id]
	m.mu.Unlock()
	if waits.n != 0 {
		return nil
	}
	err := m.docs.Store.Delete(ctx, m.docs.Table, id, r.rev)
	if errors.Is(err, store.ErrConflict) {
		return nil // somebody has it again: the next look tells
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("delete the state of %s: %w", id, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, waits := m.pending[id]; waits { // it came back this moment
		*m.record(id) = record{}
	} else {
		delete(m.known, id)
	}
	return nil
}
