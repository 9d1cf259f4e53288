package pool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"gcli2api/store"
)

// follower is how the pool hears what others wrote of a credential. It gives its own state, takes
// what becomes of both and is back when it has; false when it has no such credential. Nothing of the
// credential changes between the two.
type follower func(id string, merge func(mine State) State) bool

// Follow sets who hears of changes by other nodes.
func (m *Memory) Follow(f func(id string, merge func(mine State) State) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.follower = f
}

// lookEvery is the pause between two looks for what no hint told of. A hint comes at once.
const lookEvery = 2 * time.Second

// watch takes over what other nodes write, until ctx is over. hints are those since before the first look.
func (m *Memory) watch(ctx context.Context, hints <-chan store.Change) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var seen int64
	for ctx.Err() == nil {
		if hints == nil {
			hints, _ = m.docs.Store.Watch(ctx) // without hints the looks are left, and the next turn asks again
		}
		select {
		case c, ok := <-hints:
			if !ok {
				hints = nil
				select { // a store that is closing would be asked without an end
				case <-tick.C:
				case <-ctx.Done():
				}
				continue
			}
			m.hear(ctx, c)
		case <-tick.C:
			m.tellAgain()
			seen = m.look(ctx, seen)
		case <-ctx.Done():
		}
	}
}

func (m *Memory) hear(ctx context.Context, c store.Change) {
	switch {
	case c.Table != "" && c.Table != m.docs.Table:
	case c.Table == "" || c.ID == "":
		_ = m.each(ctx, m.news) // the next look tries again
	default:
		m.flushing.Lock()
		defer m.flushing.Unlock()
		if doc, err := m.docs.Store.Get(ctx, m.docs.Table, c.ID); err == nil {
			m.arrived(doc)
		}
	}
}

// tellAgain takes over what came while the pool was about to have a credential: it had asked for the state
// already, and could not be told yet.
func (m *Memory) tellAgain() {
	m.flushing.Lock()
	defer m.flushing.Unlock()
	late := map[string]newer{}
	m.mu.Lock()
	for id, r := range m.known {
		if r.asked && r.news != nil {
			late[id] = *r.news
		}
	}
	m.mu.Unlock()
	for id, theirs := range late {
		m.take(id, theirs)
	}
}

// look reads the whole table when anything was written since the last look.
func (m *Memory) look(ctx context.Context, seen int64) int64 {
	rev, err := m.docs.Store.Revision(ctx)
	if err != nil || rev == seen || m.each(ctx, m.news) != nil {
		return seen
	}
	return rev
}

// news looks at a document of a list, which may be older than what we have written since.
func (m *Memory) news(doc store.Doc) {
	m.mu.Lock()
	r := m.known[doc.ID]
	known := r != nil && (r.rev == doc.Rev || r.news != nil && r.news.rev == doc.Rev)
	m.mu.Unlock()
	if !known {
		m.hear(context.Background(), store.Change{Table: m.docs.Table, ID: doc.ID})
	}
}

// pageSize is how many documents are read at a time.
const pageSize = 256

// each goes through all documents.
func (m *Memory) each(ctx context.Context, do func(store.Doc)) error {
	after := ""
	for {
		docs, err := m.docs.Store.List(ctx, m.docs.Table, after, pageSize)
		if err != nil {
			return err
		}
		for _, doc := range docs {
			do(doc)
			after = doc.ID
		}
		if len(docs) < pageSize {
			return nil
		}
	}
}

// arrived takes a document over if it is not the one that we know. The caller holds flushing.
func (m *Memory) arrived(doc store.Doc) {
	m.mu.Lock()
	r := m.record(doc.ID)
	known := r.rev == doc.Rev || r.news != nil && r.news.rev == doc.Rev
	m.mu.Unlock()
	if known {
		return
	}
	s, err := m.decode(doc.Body)
	if err != nil {
		m.log.Warn("what another node keeps of a credential cannot be read", "credential", doc.ID, "error", err)
		m.mu.Lock()
		defer m.mu.Unlock()
		r.rev = doc.Rev // the next write of ours replaces it
		return
	}
	m.take(doc.ID, newer{s, string(doc.Body), doc.Rev})
}

// meet reads what is in the way of our write and takes it over. The caller holds flushing.
func (m *Memory) meet(ctx context.Context, id string) error {
	doc, err := m.docs.Store.Get(ctx, m.docs.Table, id)
	if errors.Is(err, store.ErrNotFound) { // swept, or deleted by hand: ours is all there is
		m.mu.Lock()
		defer m.mu.Unlock()
		*m.record(id) = record{}
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the state of %s: %w", id, err)
	}
	s, err := m.decode(doc.Body)
	if err != nil { // it begins anew, as it does at a start
		m.mu.Lock()
		defer m.mu.Unlock()
		*m.record(id) = record{rev: doc.Rev}
		return nil
	}
	m.take(id, newer{s, string(doc.Body), doc.Rev})
	return nil
}

// take makes one state of what the pool has, or of what waits to be written, and of what somebody
// else wrote. What nobody has a use for yet is kept for Load.
func (m *Memory) take(id string, theirs newer) {
	m.mu.Lock()
	tell := m.follower
	m.mu.Unlock()
	if tell != nil && tell(id, func(mine State) State {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.join(id, mine, theirs)
	}) {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if p, ok := m.pending[id]; ok {
		m.join(id, p.state, theirs)
		return
	}
	m.record(id).news = &theirs
}

// join merges and notes what is to be written then. The caller holds mu.
func (m *Memory) join(id string, mine State, theirs newer) State {
	r := m.record(id)
	base := m.stateOf(id, r)
	if r.doubt != nil && slices.Contains(theirs.state.Writes, r.doubt.name) {
		base = r.doubt.sought // the write in doubt did happen
	}
	both := merge(base, mine, theirs.state)
	*r = m.recordOf(theirs)
	if same(both, theirs.state) {
		delete(m.pending, id)
	} else {
		m.save(id, both)
		select {
		case m.wake <- struct{}{}:
		default:
		}
	}
	return both
}

// follow makes the pool hear of other nodes, where States can tell it.
func (p *Pool) follow() {
	if m, ok := p.states.(interface {
		Follow(f func(id string, merge func(mine State) State) bool)
	}); ok {
		m.Follow(p.adopt)
	}
}

// absolve forgets what was about to end in a ban.
func (e *entry) absolve() {
	e.strikes, e.faults, e.rejected, e.enabledAt = 0, 0, "", time.Time{}
	if e.account != nil {
		e.account.forced = false
	}
}

// adopt takes over what another node wrote of a credential.
func (p *Pool) adopt(id string, merge func(mine State) State) bool {
	t := p.now()
	p.mu.Lock()
	defer p.unlock()
	e := p.named(id)
	if e == nil {
		return false
	}
	both, off := merge(e.state()), e.disabled
	if !e.isOf(both) {
		e.wish = both.Wish
	} else {
		p.take(e, both)
		e.dirty, e.told = false, e.calls
	}
	p.recap(e, t)
	p.moved(e)
	if off && !e.disabled {
		e.absolve()
	}
	if e.disabled != off {
		word := map[bool]string{true: "off", false: "on"}[e.disabled]
		p.say(slog.LevelInfo, "credential switched "+word+" by another node", "credential", id, "reason", e.reason)
	}
	return true
}
