package apikey

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"gcli2api/store"
	"gcli2api/store/seal"
)

// ErrUnknown means that there is no such key.
var ErrUnknown = errors.New("there is no such key")

// maxSecret is more than any key has: what is longer is none, and is not hashed.
const maxSecret = 256

// Keys is the table of keys. It is safe for concurrent use.
type Keys struct {
	docs     store.Docs[Key]
	log      *slog.Logger
	settings func() Settings
	hide     func(secret string)
	now      func() time.Time
	ring     *seal.Ring
	spent    func(ctx context.Context, one *Key) (int64, error) // what a key has used of its quota
	shared   bool                                               // others write to the store as well

	writing sync.Mutex  // one change of ours at a time
	asked   budget      // for looks into a shared store
	lost    atomic.Bool // the shared store did not answer when it was asked last

	mu       sync.RWMutex
	byDigest map[digest]*Key
	byDoc    map[digest]*Key
	byID     map[string]*Key
	uses     map[string]*use      // by id
	broken   map[string]store.Rev // documents that cannot be read
	drops    int64                // grows with each key that goes: what was read before may be of one that is gone

	written map[string]int64 // last uses as the store has them; the loop's own
	stop    context.CancelFunc
	ended   sync.WaitGroup
}

func openKeys(ctx context.Context, o Options) (*Keys, error) {
	k := &Keys{docs: store.Docs[Key]{Store: o.Store, Table: store.Keys}, log: o.Log, settings: o.Settings, hide: o.Hide, now: o.Now, ring: o.Ring,
		shared: !store.Alone(o.Store), byDigest: map[digest]*Key{}, byDoc: map[digest]*Key{}, byID: map[string]*Key{},
		uses: map[string]*use{}, broken: map[string]store.Rev{}, written: map[string]int64{}, stop: func() {}}
	for id, doc := range k.docs.All(ctx) {
		if id == "" && doc.Err != nil {
			return nil, doc.Err
		}
		k.read(id, doc)
	}
	if !k.shared {
		k.tidy(ctx)
	}
	return k, k.readUses(ctx)
}

// start keeps the table in step with the store until close.
func (k *Keys) start() {
	ctx, cancel := context.WithCancel(context.Background())
	k.stop = cancel
	k.ended.Go(func() { k.writeUses(ctx) })
	if k.shared {
		hints, _ := k.docs.Store.Watch(ctx) // without hints the looks are left, and the next turn asks again
		k.ended.Go(func() { k.follow(ctx, hints) })
	}
}

// close writes what is only in memory.
func (k *Keys) close() error {
	k.stop()
	k.ended.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return k.flushUses(ctx)
}

// read takes a document of a list over.
func (k *Keys) read(id string, doc store.Read[Key]) {
	one, err := prepared(id, doc)
	k.mu.Lock()
	defer k.mu.Unlock()
	if err == nil {
		k.put(one)
		return
	}
	if k.broken[id] != doc.Rev {
		k.broken[id] = doc.Rev
		k.log.Error("an API key cannot be read, it is not in use", "document", id[:min(8, len(id))], "error", err)
	}
}

// prepared makes a key of a document.
func prepared(id string, doc store.Read[Key]) (*Key, error) {
	one, ok := doc.Value, false
	if doc.Err != nil {
		return nil, doc.Err
	}
	if one.doc, ok = digestOf(id); !ok || one.ID == "" || len(one.Digest) != 0 && len(one.Digest) != len(one.sum) {
		return nil, errors.New("it is not the document of a key")
	}
	one.rev, one.sum = doc.Rev, one.doc
	if len(one.Digest) > 0 {
		one.sum = digest(one.Digest)
	}
	var err error
	one.blocks, err = readAddresses(one.Addresses)
	return &one, err
}

// put takes a key over unless something newer is known of it. The caller holds mu.
func (k *Keys) put(one *Key) {
	delete(k.broken, one.doc.String())
	if before := k.byDoc[one.doc]; before != nil {
		if before.rev > one.rev {
			return
		}
		delete(k.byDigest, before.sum)
	}
	one.use = k.useOf(one.ID)
	k.byDigest[one.sum], k.byDoc[one.doc], k.byID[one.ID] = one, one, one
}

// drop forgets a document. The caller holds mu.
func (k *Keys) drop(doc digest) {
	k.drops++
	delete(k.broken, doc.String())
	if one := k.byDoc[doc]; one != nil {
		delete(k.byDoc, doc)
		delete(k.byDigest, one.sum)
		delete(k.byID, one.ID)
		delete(k.uses, one.ID)
	}
}

// tidy removes what a crash left: counters of keys that are gone.
func (k *Keys) tidy(ctx context.Context) {
	if len(k.broken) > 0 { // a key that cannot be read today may be mended tomorrow
		return
	}
	if err := k.sweep(ctx, counters, func(id string) bool { return k.byID[id] == nil }); err != nil {
		k.log.Warn("counters of deleted keys are still in the store", "error", err)
	}
}

// Find looks a key up by its secret, in a time that does not depend on what there is.
func (k *Keys) Find(secret string) (*Key, bool) {
	if len(secret) > maxSecret {
		return nil, false
	}
	var room [64]byte // for a key, so that no memory is asked for
	return k.FindBy(sha256.Sum256(append(room[:0], secret...)), secret)
}

// FindBy is Find for who has made the SHA-256 of the secret already.
func (k *Keys) FindBy(sum [sha256.Size]byte, secret string) (*Key, bool) {
	k.mu.RLock()
	one, ok := k.byDigest[sum]
	k.mu.RUnlock()
	if !ok && k.shared && wellFormed(secret) && k.asked.take(k.now()) {
		return k.fetch(sum)
	}
	return one, ok
}

// ByID looks a key up by its id.
func (k *Keys) ByID(id string) (*Key, bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	one, ok := k.byID[id]
	return one, ok
}

// Named looks a key up by its id or by itself, as paths may give it.
func (k *Keys) Named(name string) (*Key, bool) {
	if one, ok := k.ByID(name); ok {
		return one, true
	}
	return k.Find(name)
}

// List gives all keys, the oldest first.
func (k *Keys) List() []*Key {
	k.mu.RLock()
	defer k.mu.RUnlock()
	all := make([]*Key, 0, len(k.byID))
	for _, one := range k.byID {
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b *Key) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID)) })
	return all
}
