package pool

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"gcli2api/store"
	"gcli2api/store/oauth"
	"gcli2api/store/seal"
)

// Memory keeps states in a store that other nodes may use as well. Saving never waits for it: what
// changes again before it was written is written once. A write never overwrites what somebody else
// has written meanwhile: merge.go makes one state of both. follow.go takes over what others write.
type Memory struct {
	docs   store.Docs[State]
	sealed oauth.Sealed    // seals the tokens in them
	alone  bool            // nobody else writes: what is in the store need not be kept here as well
	names  map[string]bool // of the members that this version knows
	node   string          // begins the names of our writes
	log    *slog.Logger
	cancel context.CancelFunc
	owned  sync.WaitGroup
	wake   chan struct{}

	// flushing is held from before a document is read or written until what came of it is noted in
	// known: without it our own write could be taken for somebody else's. It is taken before the
	// pool's lock, and that one before mu.
	flushing sync.Mutex

	mu       sync.Mutex
	known    map[string]*record
	pending  map[string]saved
	saves    uint64
	failing  bool
	follower follower
}

// record is a document as the pool has heard of it. The state in it is read when somebody asks: the
// pool has its own of each credential, and there are thousands.
type record struct {
	body   string    // "" when there is none, or none that can be read, or Memory.alone
	writes []string  // of that state
	more   bool      // there is something in it that this version does not know
	unread bool      // there is a document, and body is not what it says
	rev    store.Rev // store.New when there is none
	news   *newer    // what the store has by now, if nobody in the pool could take it
	asked  bool      // Load was called, so that the pool may have it soon
	doubt  *doubtful
}

// doubtful is a write of which nobody knows whether it happened.
type doubtful struct {
	name   string
	sought State
}

// newer is a document that somebody wrote.
type newer struct {
	state State
	body  string
	rev   store.Rev
}

// recordOf is what is kept of a document.
func (m *Memory) recordOf(n newer) record {
	r := record{body: n.body, writes: n.state.Writes, more: n.state.more != nil, rev: n.rev}
	if m.alone {
		r.body = ""
	}
	return r
}

// stateOf is the state that a record is about, the zero one where there is none.
func (m *Memory) stateOf(id string, r *record) (s State) {
	body := []byte(r.body)
	if m.alone && r.rev != store.New && !r.unread {
		if doc, err := m.docs.Store.Get(context.Background(), m.docs.Table, id); err == nil {
			body = doc.Body
		}
	}
	if len(body) > 0 {
		s, _ = m.decode(body) // it was read before, or we have written it
	}
	return s
}

// saved is what waits to be written.
type saved struct {
	state State
	n     uint64 // of the save
}

// Remember reads every state. One that cannot be read is a warning, and its credential begins anew;
// the error is the store's. What is secret in states is sealed with ring, nil seals nothing. Close the
// memory before the store.
func Remember(ctx context.Context, s store.Store, log *slog.Logger, ring *seal.Ring) (*Memory, error) {
	m := &Memory{sealed: oauth.Sealed{Ring: ring}, docs: store.Docs[State]{Store: s, Table: store.CredentialStates}, alone: store.Alone(s), names: stateNames(), node: rand.Text()[:6], log: log,
		known: map[string]*record{}, pending: map[string]saved{}, wake: make(chan struct{}, 1)}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var hints <-chan store.Change
	if !m.alone {
		hints, _ = s.Watch(running) // before the first look: what others write behind it is hinted at
	}
	if err := m.each(ctx, m.firstLook); err != nil {
		cancel()
		return nil, fmt.Errorf("read the states of credentials: %w", err)
	}
	m.cancel = cancel
	m.owned.Go(func() { m.write(running) })
	if !m.alone {
		m.owned.Go(func() { m.watch(running, hints) })
	}
	return m, nil
}

func (m *Memory) firstLook(doc store.Doc) {
	s, err := m.decode(doc.Body)
	if err != nil {
		m.log.Warn("the state of a credential cannot be read, it begins anew", "credential", doc.ID, "error", err)
		m.known[doc.ID] = &record{rev: doc.Rev, unread: true}
		return
	}
	if s.closed() {
		m.log.Warn("the refresh token that Google gave a credential stays sealed, so the one before it is used: set SECRET_KEY to the key that it was sealed with, or put that one into OLD_SECRET_KEYS", "credential", doc.ID)
	}
	r := m.recordOf(newer{s, string(doc.Body), doc.Rev})
	m.known[doc.ID] = &r
}

// Load gives a state that was saved last, in this process or before.
func (m *Memory) Load(id string) (State, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.load(id)
	if !m.alone {
		m.record(id).asked = true
	}
	return s, ok
}

// load is Load. The caller holds mu.
func (m *Memory) load(id string) (State, bool) {
	if s, ok := m.pending[id]; ok {
		return s.state, true
	}
	r := m.known[id]
	if r == nil || r.news == nil && (r.rev == store.New || r.unread) {
		return State{}, false
	}
	if r.news != nil { // from here on the pool has it
		s := r.news.state
		*r = m.recordOf(*r.news)
		return s, true
	}
	return m.stateOf(id, r), true
}

// Save notes a state to be written at once.
func (m *Memory) Save(id string, s State) {
	m.mu.Lock()
	m.save(id, s)
	m.mu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

func (m *Memory) save(id string, s State) {
	m.saves++
	m.pending[id] = saved{s, m.saves}
}

// retryAfter is the pause after a failure of the store.
const retryAfter = 5 * time.Second

// flushLimit is how long the store may take for atOnce states.
const flushLimit = 10 * time.Second

// write is the one writer, until Close.
func (m *Memory) write(ctx context.Context) {
	for {
		var retry <-chan time.Time
		if m.flush(ctx) != nil {
			retry = time.After(retryAfter)
		}
		select {
		case <-m.wake:
		case <-retry:
		case <-ctx.Done():
			return
		}
	}
}

// writers is how many states are written at a time: an engine makes one commit of them. atOnce is
// how many are written before others get a word in.
const (
	writers = 256
	atOnce  = 512
)

// flush writes what is pending; the error is one of those after which it has to be tried again.
func (m *Memory) flush(ctx context.Context) (failed error) {
	m.mu.Lock()
	ids := make([]string, 0, len(m.pending))
	for id := range m.pending {
		ids = append(ids, id)
	}
	m.mu.Unlock()
	for part := range slices.Chunk(ids, atOnce) {
		if err := m.put(ctx, part); err != nil {
			failed = err
			if errors.Is(err, context.DeadlineExceeded) {
				break // the store hangs: all others would wait as long
			}
		}
	}
	if len(ids) > 0 {
		m.report(failed)
	}
	return failed
}

func (m *Memory) put(ctx context.Context, ids []string) (failed error) {
	m.flushing.Lock()
	defer m.flushing.Unlock()
	// Close does not cut it short: a write that was given up may have happened or not.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushLimit)
	defer cancel()
	var all sync.WaitGroup
	var mu sync.Mutex
	room := make(chan struct{}, writers)
	for _, id := range ids {
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			if err := m.putOne(ctx, id); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = err
			}
		})
	}
	all.Wait()
	return failed
}

// maxConflicts is how often a write gives way to others: each time one of them got through.
const maxConflicts = 50

// putOne writes what is pending of one credential, merged with what others wrote. The caller holds
// flushing.
func (m *Memory) putOne(ctx context.Context, id string) (err error) {
	for range maxConflicts {
		now, write, rev, due := m.due(id)
		if !due {
			return nil
		}
		var done newer
		done, err = m.putState(ctx, id, write, rev)
		switch {
		case err == nil:
			m.wrote(id, now, done)
			if now.n != again {
				return nil
			}
			continue // what is newer waits behind it
		case errors.Is(err, store.ErrInvalid): // trying again would not help
			m.log.Error("the state of a credential cannot be kept", "credential", id, "error", err)
			m.wrote(id, now, newer{write, done.body, rev})
			return nil
		case !errors.Is(err, store.ErrConflict):
			m.doubt(id, write)
			return err
		}
		if err := m.meet(ctx, id); err != nil {
			return err
		}
	}
	return err
}

func (m *Memory) putState(ctx context.Context, id string, write State, when store.Rev) (n newer, err error) {
	body, err := json.Marshal(write)
	if err == nil {
		body, err = m.sealed.Seal("", body)
	}
	if err != nil {
		return n, fmt.Errorf("%w: %w", store.ErrInvalid, err)
	}
	n = newer{state: write, body: string(body)}
	n.rev, err = m.docs.Store.Put(ctx, m.docs.Table, store.Doc{ID: id, Body: body}, when)
	return n, err
}

// again is the number of a write that was in doubt: it is made as it was, name and all, so that it does
// not matter whether it happens now or has happened.
const again = 0

// due is what to write of a credential, under a name that tells this write from all others.
func (m *Memory) due(id string) (now saved, write State, rev store.Rev, due bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, due = m.pending[id]
	if !due {
		return now, write, rev, false
	}
	r := m.record(id)
	if r.doubt != nil {
		return saved{n: again}, r.doubt.sought, r.rev, true
	}
	m.saves++
	write = now.state
	write.more = nil
	if r.more {
		write.more = m.stateOf(id, r).more
	}
	write.Writes = m.sign(r.writes)
	return now, write, r.rev, true
}

// keepWrites is how many names of writes a state has, one a node: that of its last write.
const keepWrites = 8

// sign puts the name of a new write of ours in the place of our last one. A node whose write is in
// doubt makes no other before it knows, so it finds the name unless as many other nodes have written.
func (m *Memory) sign(writes []string) []string {
	signed := slices.DeleteFunc(slices.Clone(writes), func(name string) bool { return strings.HasPrefix(name, m.node) })
	signed = append(signed, m.node+strconv.FormatUint(m.saves, 36))
	return signed[max(0, len(signed)-keepWrites):]
}

// record is that of an id. The caller holds mu.
func (m *Memory) record(id string) *record {
	r := m.known[id]
	if r == nil {
		r = &record{}
		m.known[id] = r
	}
	return r
}

// wrote notes what the store has, and that it is what was to be written.
func (m *Memory) wrote(id string, written saved, by newer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	*m.record(id) = m.recordOf(by)
	if m.pending[id].n == written.n {
		delete(m.pending, id)
	}
}

// doubt notes a write that may have happened: its answer got lost.
func (m *Memory) doubt(id string, write State) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.record(id).doubt = &doubtful{write.Writes[len(write.Writes)-1], write}
}

// report says when writing begins to fail and when it works again, not each time.
func (m *Memory) report(err error) {
	m.mu.Lock()
	was := m.failing
	m.failing = err != nil
	m.mu.Unlock()
	switch {
	case err != nil && !was:
		m.log.Error("the states of credentials cannot be kept; they count until the next start only", "error", err)
	case err == nil && was:
		m.log.Info("the states of credentials are kept again")
	}
}

// Sync returns when all that was saved before is durable, or says that it is not.
func (m *Memory) Sync(ctx context.Context) error {
	if err := m.flush(ctx); err != nil {
		return fmt.Errorf("not every state of a credential could be written: %w", err)
	}
	return nil
}

// Close writes what is pending and ends the writer.
func (m *Memory) Close() error {
	m.cancel()
	m.owned.Wait()
	return m.Sync(context.Background())
}
