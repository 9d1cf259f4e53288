package apikey

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"gcli2api/store"
)

// ErrUnknown means that there is no such key.
var ErrUnknown = errors.New("there is no such key")

// Keys is the table of keys. It is safe for concurrent use.
type Keys struct {
	docs store.Docs[Key]
	log  *slog.Logger

	mu     sync.RWMutex
	byHash map[string]*Key
	byID   map[string]*Key
}

func openKeys(ctx context.Context, o Options) (*Keys, error) {
	k := &Keys{docs: store.Docs[Key]{Store: o.Store, Table: store.Keys}, log: o.Log, byHash: map[string]*Key{}, byID: map[string]*Key{}}
	for id, doc := range k.docs.All(ctx) {
		switch {
		case id == "" && doc.Err != nil:
			return nil, doc.Err
		case doc.Err != nil:
			k.log.Error("an API key cannot be read, it is not in use", "document", id[:min(8, len(id))], "error", doc.Err)
		case doc.Value.ID == "":
			k.log.Warn("an API key of the old product is not in use yet: its file went away before it was taken over", "document", id[:min(8, len(id))])
		default:
			doc.Value.hash = id
			k.put(&doc.Value)
		}
	}
	return k, nil
}

func (k *Keys) put(one *Key) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.byHash[one.hash], k.byID[one.ID] = one, one
}

// Find looks a key up by its secret, in a time that does not depend on what there is.
func (k *Keys) Find(secret string) (*Key, bool) {
	hash := hashOf(secret)
	k.mu.RLock()
	defer k.mu.RUnlock()
	one, ok := k.byHash[hash]
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

// Create makes a key that is good from now on. The secret is shown this once.
func (k *Keys) Create(ctx context.Context, t Terms) (one *Key, secret string, err error) {
	secret = NewSecret()
	one = &Key{ID: newID(), Mask: Mask(secret), Created: time.Now().UTC().Truncate(time.Second), Terms: t, hash: hashOf(secret)}
	if _, err := k.docs.Put(ctx, one.hash, *one, store.New); err != nil {
		return nil, "", err
	}
	k.put(one)
	return one, secret, nil
}

// Edit changes the terms of a key; they are in force when it returns.
func (k *Keys) Edit(ctx context.Context, id string, change func(*Terms) error) (*Key, error) {
	was, ok := k.ByID(id)
	if !ok {
		return nil, ErrUnknown
	}
	now, err := k.docs.Update(ctx, was.hash, func(v *Key) error {
		if v.ID == "" {
			return ErrUnknown
		}
		return change(&v.Terms)
	})
	if err != nil {
		return nil, fmt.Errorf("change the key: %w", err)
	}
	now.hash = was.hash
	k.put(&now)
	return &now, nil
}

// Delete removes a key; it is refused from now on.
func (k *Keys) Delete(ctx context.Context, id string) error {
	was, ok := k.ByID(id)
	if !ok {
		return ErrUnknown
	}
	if err := k.docs.Delete(ctx, was.hash); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.byHash, was.hash)
	delete(k.byID, was.ID)
	return nil
}
