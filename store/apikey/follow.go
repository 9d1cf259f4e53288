package apikey

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"gcli2api/store"
)

// A node that shares the store says that it changed a key by a counter: it costs next to nothing to read
// twice a second, and no hint can be lost on the way. The revision of the store, which nearly everything
// moves, is for a node that died between the two.
const (
	changes   = "keychanges"
	pollEvery = 400 * time.Millisecond
	lookEvery = 10 * time.Second
	pollFor   = 5 * time.Second // a store that does not answer is asked again
)

// changed tells the other nodes.
func (k *Keys) changed(ctx context.Context) {
	if !k.shared {
		return
	}
	if err := k.docs.Store.Add(ctx, []store.Delta{{Counter: changes, N: 1}}); err != nil {
		k.log.Warn("other nodes could not be told at once that a key has changed", "error", err)
	}
}

// follow takes over what other nodes change, until ctx is over.
func (k *Keys) follow(ctx context.Context, hints <-chan store.Change) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	at := position{count: -1, revision: -1}
	for ctx.Err() == nil {
		select {
		case c, ok := <-hints:
			switch {
			case !ok:
				hints = nil // a nil channel never speaks: the next poll asks again
			case c.Table == "" || c.Table == store.Keys && c.ID == "":
				at.count = -1
			case c.Table == store.Keys:
				if doc, ok := digestOf(c.ID); ok {
					_ = k.sync(ctx, doc) // the next look tries again
				}
			}
		case <-tick.C:
			if hints == nil {
				hints, _ = k.docs.Store.Watch(ctx)
			}
			k.poll(ctx, &at)
		case <-ctx.Done():
		}
	}
}

// position is how far the table is in step.
type position struct {
	count, revision int64
	asked           time.Time // for the revision
}

// poll reads the table when something of it changed since the last time.
func (k *Keys) poll(ctx context.Context, at *position) {
	ctx, cancel := context.WithTimeout(ctx, pollFor)
	defer cancel()
	now, next := k.now(), *at
	counted, err := k.docs.Store.Counters(ctx, changes)
	k.lost.Store(err != nil)
	if err != nil {
		return
	}
	if next.count = counted[changes]; now.Sub(at.asked) >= lookEvery {
		if next.revision, err = k.docs.Store.Revision(ctx); err != nil {
			return
		}
		next.asked = now
	}
	if next.count == at.count && next.revision == at.revision || k.look(ctx) == nil {
		*at = next
	}
}

// look compares the table with the store.
func (k *Keys) look(ctx context.Context) error {
	there := map[string]bool{}
	for id, doc := range k.docs.All(ctx) {
		if id == "" && doc.Err != nil {
			return doc.Err
		}
		there[id] = true
		if d, ok := digestOf(id); ok && !k.has(d, doc.Rev) {
			_ = k.sync(ctx, d)
		}
	}
	k.mu.RLock()
	var gone []digest
	for doc := range k.byDoc {
		if !there[doc.String()] {
			gone = append(gone, doc)
		}
	}
	k.mu.RUnlock()
	for _, doc := range gone { // or made since
		_ = k.sync(ctx, doc)
	}
	return nil
}

func (k *Keys) has(doc digest, rev store.Rev) bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	one := k.byDoc[doc]
	return one != nil && one.rev >= rev || k.broken[doc.String()] == rev
}

// sync makes the table have what the store has under a document. An error is that of a store that does not answer.
func (k *Keys) sync(ctx context.Context, doc digest) error {
	for range 3 { // keys may be dropped meanwhile, and this one may be among them
		k.mu.RLock()
		drops := k.drops
		k.mu.RUnlock()
		v, rev, err := k.docs.Get(ctx, doc.String())
		if errors.Is(err, store.ErrNotFound) {
			k.forget(doc)
			return nil
		}
		if err != nil && rev == 0 {
			return err // the next look tries again
		}
		if k.adopt(doc, store.Read[Key]{Value: v, Rev: rev, Err: err}, drops) {
			return nil
		}
	}
	return nil
}

// adopt takes over what was read, unless keys have been dropped since.
func (k *Keys) adopt(doc digest, read store.Read[Key], drops int64) bool {
	one, err := prepared(doc.String(), read)
	k.mu.Lock()
	if k.drops != drops {
		k.mu.Unlock()
		return false
	}
	if err == nil {
		k.put(one)
		k.mu.Unlock()
		return true
	}
	k.mu.Unlock()
	k.forget(doc) // it may be of a newer version of this program that says more of who may use it
	k.read(doc.String(), read)
	return true
}

// fetch looks into the store for a key that another node may have made just now. One that another node
// rotated just now comes with the next poll: its document has the name of the secret that it began with.
func (k *Keys) fetch(sum digest) (*Key, bool) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := k.sync(ctx, sum); err != nil {
		k.lost.Store(true)
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	one, ok := k.byDigest[sum]
	return one, ok
}

// budget bounds how often a second the store is asked about what may be no key at all.
type budget struct {
	mu   sync.Mutex
	left float64
	at   time.Time
}

const (
	asksPerSecond = 20
	asksAtOnce    = 20
)

func (b *budget) take(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.at.IsZero() {
		b.left = asksAtOnce
	} else if since := now.Sub(b.at).Seconds(); since > 0 {
		b.left = min(b.left+since*asksPerSecond, asksAtOnce)
	}
	b.at = now
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}

// counters is what the names of all counters of keys begin with; the id follows.
const counters = "key/"

// sweep sets the counters of keys to zero that are to go.
func (k *Keys) sweep(ctx context.Context, prefix string, gone func(id string) bool) error {
	all, err := k.docs.Store.Counters(ctx, prefix)
	if err != nil {
		return err
	}
	var deltas []store.Delta
	for name, n := range all {
		id, _, _ := strings.Cut(strings.TrimPrefix(name, counters), "/")
		if n > 0 && gone(id) {
			deltas = append(deltas, store.Delta{Counter: name, N: -n})
		}
	}
	if len(deltas) == 0 {
		return nil
	}
	return k.docs.Store.Add(ctx, deltas)
}
