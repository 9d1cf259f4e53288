package apikey

import (
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"sync/atomic"
	"time"

	"gcli2api/store"
)

const (
	writeUsesEvery = 5 * time.Second // what a crash may lose
	shelves        = 16              // documents that all last uses are in
	forgetAfter    = time.Hour       // a key that nobody knows, of another node at first
)

// use is when a key was last used. Requests write it, without a lock.
type use struct{ at atomic.Int64 } // unix seconds; 0 is never

// touch notes a use, unless a later one is known.
func (u *use) touch(at int64) {
	for was := u.at.Load(); at > was && !u.at.CompareAndSwap(was, at); {
		was = u.at.Load()
	}
}

// Touch notes that a key was used. It is written within seconds.
func (one *Key) Touch(at time.Time) {
	if one.use != nil {
		one.use.touch(at.Unix())
	}
}

// useOf is the note of a key. The caller holds mu.
func (k *Keys) useOf(id string) *use {
	u := k.uses[id]
	if u == nil {
		u = &use{}
		k.uses[id] = u
	}
	return u
}

// LastUsed tells when a key was last used; zero is never.
func (k *Keys) LastUsed(id string) time.Time {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if u := k.uses[id]; u != nil {
		if at := u.at.Load(); at > 0 {
			return time.Unix(at, 0).UTC()
		}
	}
	return time.Time{}
}

// shelf gives the documents of last uses.
func (k *Keys) shelf() store.Docs[map[string]int64] {
	return store.Docs[map[string]int64]{Store: k.docs.Store, Table: store.KeyUse}
}

func shelfOf(id string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id))
	return fmt.Sprintf("%02d", h.Sum32()%shelves)
}

// readUses takes over what was written.
func (k *Keys) readUses(ctx context.Context) error {
	for name, doc := range k.shelf().All(ctx) {
		switch {
		case name == "":
			return doc.Err
		case doc.Err != nil:
			k.log.Warn("when some API keys were last used cannot be read", "document", name, "error", doc.Err)
		default:
			k.learn(doc.Value)
		}
	}
	return nil
}

// learn takes over last uses from the store.
func (k *Keys) learn(all map[string]int64) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	for id, at := range all {
		if u := k.uses[id]; u != nil {
			u.touch(at)
			k.written[id] = at
		}
	}
}

// writeUses writes last uses now and then, until ctx is over.
func (k *Keys) writeUses(ctx context.Context) {
	tick := time.NewTicker(writeUsesEvery)
	defer tick.Stop()
	failed := false
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		err := k.flushUses(ctx)
		if err == nil && k.shared {
			err = k.readUses(ctx)
		}
		if err != nil && !failed && ctx.Err() == nil { // once an outage
			k.log.Warn("when API keys were last used could not be written; it is tried again", "error", err)
		}
		failed = err != nil
	}
}

// flushUses writes what is new.
func (k *Keys) flushUses(ctx context.Context) error {
	news := map[string]map[string]int64{}
	k.mu.RLock()
	maps.DeleteFunc(k.written, func(id string, _ int64) bool { return k.uses[id] == nil })
	for id, u := range k.uses {
		if at := u.at.Load(); at > k.written[id] {
			name := shelfOf(id)
			if news[name] == nil {
				news[name] = map[string]int64{}
			}
			news[name][id] = at
		}
	}
	k.mu.RUnlock()
	// All at once, so that the store writes them together.
	all := make(chan shelved, len(news))
	for name, own := range news {
		go func() {
			both, err := k.shelf().Update(ctx, name, func(v *map[string]int64) error {
				*v = k.merged(*v, own)
				return nil
			})
			all <- shelved{both, err}
		}()
	}
	var failed error
	for range news {
		if s := <-all; s.err != nil {
			failed = s.err
		} else {
			k.learn(s.all)
		}
	}
	return failed
}

// shelved is a document of last uses as it was written.
type shelved struct {
	all map[string]int64
	err error
}

// merged has the later time of each key, and none of keys that are gone.
func (k *Keys) merged(theirs, own map[string]int64) map[string]int64 {
	both := make(map[string]int64, len(theirs)+len(own))
	long := k.now().Add(-forgetAfter).Unix()
	k.mu.RLock()
	defer k.mu.RUnlock()
	for id, at := range theirs {
		if k.uses[id] != nil || at > long {
			both[id] = at
		}
	}
	for id, at := range own {
		both[id] = max(both[id], at)
	}
	return both
}
