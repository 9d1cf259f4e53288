// Package ephemeral keeps short-lived things with an owner in the store, so that any node can serve
// them: thought signatures, objects of the Responses API, cached answers.
//
// The id of a document is a hash of owner, shelf and the client's id: whatever a client sends is a
// good name, and nobody can spell the name of somebody else's thing. What does not fit into one
// document lies in parts beside it (parts.go). What has expired is hidden and swept by the engine.
//
// Small values also stay in the memory of the node that wrote or read them (cache.go). Such a copy
// is believed for a while without asking the store, and that is how long another node's Forget or
// Keep can go unseen: 2 seconds for Responses, 10 for Answers and 10 minutes for Signatures and
// Parts, which never change under their id. On the node that forgets, it is gone at once.
package ephemeral

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"gcli2api/pipeline"
	"gcli2api/store"
)

// MaxValue is how many bytes a value may have; Keep refuses a larger one with store.ErrInvalid.
const MaxValue = 64 << 20

// Memory is what pipeline.Ephemeral asks for. It is safe for concurrent use. How long a call takes
// is up to its ctx: the store may hang.
type Memory struct {
	store  store.Store
	log    *slog.Logger
	now    func() time.Time
	cache  cache
	large  chan struct{} // room for those who write parts
	later  *later        // nil where the store is this node's own
	closed atomic.Bool
}

var _ pipeline.Ephemeral = (*Memory)(nil)

// Open takes the store's table of short-lived things, and fails where the store cannot be read.
// Close the memory before the store.
func Open(ctx context.Context, s store.Store, log *slog.Logger) (*Memory, error) {
	return OpenAt(ctx, s, log, time.Now)
}

// OpenAt is Open by a clock: that of the store, where nodes share it.
func OpenAt(ctx context.Context, s store.Store, log *slog.Logger, now func() time.Time) (*Memory, error) {
	if _, err := s.Revision(ctx); err != nil {
		return nil, fmt.Errorf("open the table of short-lived things: %w", err)
	}
	m := &Memory{store: s, log: log, now: now, large: make(chan struct{}, largeAtOnce)}
	if !store.Alone(s) {
		m.later = startLater(m)
	}
	return m, nil
}

// Close writes what waits and gives the memory back that copies take. Every later call is store.ErrClosed.
func (m *Memory) Close() error {
	if m.closed.Swap(true) {
		return nil
	}
	if m.later != nil {
		m.later.close()
	}
	m.cache.clear()
	return nil
}

// writers is how many values one Keep writes at a time: an engine makes one commit of them.
const writers = 64

// Keep stores values until ttl is over, which must be positive. Of two items with one id the later
// one counts. After an error some of them may be there. Where the store is a database, signatures are
// written a moment later, and what comes while it is away waits for it.
func (m *Memory) Keep(ctx context.Context, at pipeline.Place, ttl time.Duration, items ...pipeline.Item) error {
	if err := m.check(ttl, items); err != nil {
		return err
	}
	items, expires := lastOnes(items), m.now().Add(ttl)
	if m.later != nil && waits(at) {
		m.later.settle(ctx, m.postpone(at, items, expires))
		return nil
	}
	err := each(ctx, len(items), func(ctx context.Context, i int) error {
		return m.keep(ctx, nameOf(at, items[i].ID), items[i].Value, expires)
	})
	if away := (*store.Away)(nil); m.later != nil && errors.As(err, &away) && !slices.ContainsFunc(items, isLarge) {
		m.postpone(at, items, expires)
		return nil
	}
	return err
}

func isLarge(i pipeline.Item) bool { return len(i.Value) > waitLarge }

// postpone has values written later.
func (m *Memory) postpone(at pipeline.Place, items []pipeline.Item, expires time.Time) []*due {
	all := make([]*due, len(items))
	for i := range items {
		n := nameOf(at, items[i].ID)
		all[i] = &due{name: n, value: items[i].Value, expires: expires, done: make(chan struct{})}
		turn := m.cache.end(n.key, m.cache.begin(n.key))
		m.learn(n, turn, copied{items[i].Value, n.believed(m.now(), expires), expires})
	}
	m.later.add(all...)
	return all
}

func (m *Memory) check(ttl time.Duration, items []pipeline.Item) error {
	if m.closed.Load() {
		return store.ErrClosed
	}
	if ttl <= 0 {
		return fmt.Errorf("%w: a value that lives for %v", store.ErrInvalid, ttl)
	}
	for i := range items {
		if n := len(items[i].Value); n > MaxValue {
			return fmt.Errorf("%w: a value of %d bytes, at most %d are possible", store.ErrInvalid, n, MaxValue)
		}
	}
	return nil
}

func (m *Memory) keep(ctx context.Context, n name, value []byte, expires time.Time) error {
	if m.later != nil {
		m.later.replace(n.key)
	}
	began, turn := m.now(), m.cache.begin(n.key)
	err := m.put(ctx, n, value, expires)
	turn = m.cache.end(n.key, turn)
	if err != nil {
		return fmt.Errorf("keep %s: %w", n.doc, err)
	}
	m.learn(n, turn, copied{value, n.believed(began, expires), expires})
	return nil
}

// put writes the parts first: whoever finds the head finds them all.
func (m *Memory) put(ctx context.Context, n name, value []byte, expires time.Time) error {
	var err error
	body := n.open()
	if len(value) <= partSize {
		body = finish(body, value)
	} else if body, err = m.putParts(ctx, n, value, expires); err != nil {
		return err
	}
	_, err = m.store.Put(ctx, store.Short, store.Doc{ID: n.doc, Expires: expires, Body: body}, store.Any)
	return err
}

// learn keeps a copy of a small value.
func (m *Memory) learn(n name, turn uint32, v copied) {
	if len(v.value) <= largestCopy {
		v.value = bytes.Clone(v.value)
		m.cache.learn(n.key, turn, v)
	}
}

// Recall finds a value; the bytes are the caller's own. A value whose parts are gone is gone.
func (m *Memory) Recall(ctx context.Context, at pipeline.Place, id string) ([]byte, bool, error) {
	if m.closed.Load() {
		return nil, false, store.ErrClosed
	}
	n, began := nameOf(at, id), m.now()
	if value, ok := m.cache.get(n.key, began); ok {
		return bytes.Clone(value), true, nil
	}
	if m.later != nil {
		if value, ok := m.later.get(n.key, began); ok {
			return bytes.Clone(value), true, nil
		}
	}
	turn := m.cache.look(n.key)
	doc, err := m.store.Get(ctx, store.Short, n.doc)
	if errors.Is(err, store.ErrNotFound) {
		return nil, false, nil
	}
	if away := (*store.Away)(nil); errors.As(err, &away) {
		if value, ok := m.cache.old(n.key, began); ok { // better than nothing
			return bytes.Clone(value), true, nil
		}
	}
	if err != nil {
		return nil, false, fmt.Errorf("recall %s: %w", n.doc, err)
	}
	v, err := read(doc)
	if err != nil {
		return nil, false, err
	}
	if v.set != "" {
		return m.join(ctx, n, v)
	}
	m.learn(n, turn, copied{v.value, n.believed(began, doc.Expires), doc.Expires})
	return v.value, true, nil
}

// forgets is how often Forget begins anew because somebody keeps another value in between.
const forgets = 100

// Forget removes a value. After an error it may be there, or not to be found any more; a second try
// removes what is left.
func (m *Memory) Forget(ctx context.Context, at pipeline.Place, id string) (bool, error) {
	if m.closed.Load() {
		return false, store.ErrClosed
	}
	n := nameOf(at, id)
	turn := m.cache.begin(n.key)
	defer m.cache.end(n.key, turn)
	waited := m.later != nil && m.later.forget(n.key)
	err := store.ErrConflict
	for i := 0; i < forgets && errors.Is(err, store.ErrConflict); i++ {
		err = m.forget(ctx, n)
	}
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, store.ErrNotFound):
		return waited, nil
	}
	return false, fmt.Errorf("forget %s: %w", n.doc, err)
}

// forget removes the parts first: whoever is interrupted can still find the rest.
func (m *Memory) forget(ctx context.Context, n name) error {
	doc, err := m.store.Get(ctx, store.Short, n.doc)
	if err != nil {
		return err
	}
	if v, err := read(doc); err == nil { // one that cannot be read has to go all the same
		for i := range v.parts {
			err := m.store.Delete(ctx, store.Short, n.part(v.set, i), store.Any)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
		}
	}
	return m.store.Delete(ctx, store.Short, n.doc, doc.Rev)
}

// key is the hash that a thing is found by.
type key [sha256.Size]byte

// name is a thing's place in the store.
type name struct {
	at  pipeline.Place
	id  string
	key key
	doc string
}

// nameOf hashes the parts with their lengths: "a" and "bc" are not "ab" and "c".
func nameOf(at pipeline.Place, id string) name {
	h := sha256.New()
	for _, s := range []string{string(at.Shelf), at.Owner, id} {
		_, _ = h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(s))))
		_, _ = io.WriteString(h, s)
	}
	n := name{at: at, id: id}
	h.Sum(n.key[:0])
	n.doc = string(at.Shelf) + "/" + hex.EncodeToString(n.key[:])
	return n
}

// believed is until when a copy is believed that is as the store had it at a time.
func (n name) believed(at, expires time.Time) time.Time {
	trust := 2 * time.Second
	switch n.at.Shelf {
	case pipeline.Signatures, pipeline.Parts:
		trust = 10 * time.Minute
	case pipeline.Answers:
		trust = 10 * time.Second
	}
	if until := at.Add(trust); until.Before(expires) {
		return until
	}
	return expires
}

// lastOnes leaves out the items whose id comes again.
func lastOnes(items []pipeline.Item) []pipeline.Item {
	if len(items) < 2 {
		return items
	}
	last := make(map[string]int, len(items))
	for i := range items {
		last[items[i].ID] = i
	}
	kept := make([]pipeline.Item, 0, len(last))
	for i := range items {
		if last[items[i].ID] == i {
			kept = append(kept, items[i])
		}
	}
	return kept
}
