package apikey

import (
	"context"
	"errors"
	"slices"
	"time"

	"gcli2api/store"
)

// Edit changes the terms of a key; they are in force when it returns. Terms that are wrong are a
// *FieldError, and so is a quota that is lowered below what is used.
func (k *Keys) Edit(ctx context.Context, id string, change func(*Terms) error) (*Key, error) {
	ctx, cancel := detached(ctx)
	defer cancel()
	k.writing.Lock()
	defer k.writing.Unlock()
	return k.alter(ctx, id, func(v *Key) error {
		before := v.Terms
		v.Models, v.Addresses = slices.Clone(v.Models), slices.Clone(v.Addresses)
		if err := change(&v.Terms); err != nil {
			return err
		}
		if err := v.Check(); err != nil {
			return err
		}
		if !v.Expires.Equal(before.Expires) {
			if err := v.checkAhead(k.now()); err != nil {
				return err
			}
		}
		return k.covers(ctx, v, before.Quota)
	})
}

// covers refuses a quota that is lowered below what is used: nothing would be left, which is what
// disabling a key says more plainly.
func (k *Keys) covers(ctx context.Context, v *Key, before int64) error {
	if k.spent == nil || v.Quota >= before {
		return nil
	}
	used, err := k.spent(ctx, v)
	if err != nil {
		return err
	}
	if v.Quota < used {
		return wrong("total_quota", "%d is less than the %d units that are used already; disable the key if it is not to be used any more", v.Quota, used)
	}
	return nil
}

// TopUp adds to the quota of a key.
func (k *Keys) TopUp(ctx context.Context, id string, units int64) (*Key, error) {
	if units < 1 || units > MaxQuota {
		return nil, wrong("units", "must be a whole number from 1 to %d", int64(MaxQuota))
	}
	return k.Edit(ctx, id, func(t *Terms) error {
		if t.Quota > MaxQuota-units {
			return wrong("units", "the quota would be above %d", int64(MaxQuota))
		}
		t.Quota += units
		return nil
	})
}

// maxConflicts is how often a change is tried: each time somebody else got through.
const maxConflicts = 100

// alter reads, changes and writes the document of a key. The caller holds writing.
func (k *Keys) alter(ctx context.Context, id string, change func(v *Key) error) (*Key, error) {
	var err error
	for range maxConflicts {
		var v *Key
		if v, err = k.current(ctx, id); err != nil {
			return nil, err
		}
		if err = change(v); err != nil {
			return nil, err
		}
		if v.blocks, err = readAddresses(v.Addresses); err != nil {
			return nil, err
		}
		v.rev, err = k.docs.Put(ctx, v.doc.String(), *v, v.rev)
		if err == nil {
			k.keep(v)
			k.changed(ctx)
			return v, nil
		}
		if !errors.Is(err, store.ErrConflict) {
			_ = k.sync(ctx, v.doc) // it may have been written all the same
			return nil, err
		}
	}
	return nil, err
}

// current reads a key as the store has it.
func (k *Keys) current(ctx context.Context, id string) (*Key, error) {
	one, ok := k.ByID(id)
	if !ok {
		return nil, ErrUnknown
	}
	v, rev, err := k.docs.Get(ctx, one.doc.String())
	if errors.Is(err, store.ErrNotFound) {
		k.forget(one.doc)
		return nil, ErrUnknown
	}
	if err != nil {
		return nil, err
	}
	return prepared(one.doc.String(), store.Read[Key]{Value: v, Rev: rev})
}

func (k *Keys) keep(one *Key) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.put(one)
}

func (k *Keys) forget(doc digest) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.drop(doc)
}

// Rotate gives a key another secret, which is shown this once; the old one is dead when it returns. All
// else about the key stays, and so does its document: a crash leaves the old secret or the new one, never
// both and never none.
func (k *Keys) Rotate(ctx context.Context, id string) (*Key, string, error) {
	ctx, cancel := detached(ctx)
	defer cancel()
	secret := NewSecret()
	k.writing.Lock()
	defer k.writing.Unlock()
	one, err := k.alter(ctx, id, func(v *Key) error {
		v.Rotated = k.now().UTC().Truncate(time.Second)
		return k.arm(v, secret)
	})
	if err != nil {
		return nil, "", err
	}
	return one, secret, nil
}

// Delete removes a key with all that was counted for it; it is refused from now on. Calls that are under
// way may finish.
func (k *Keys) Delete(ctx context.Context, id string) error {
	ctx, cancel := detached(ctx)
	defer cancel()
	k.writing.Lock()
	defer k.writing.Unlock()
	one, ok := k.ByID(id)
	if !ok {
		return ErrUnknown
	}
	if err := k.docs.Delete(ctx, one.doc.String()); err != nil {
		_ = k.sync(ctx, one.doc) // it may be gone all the same
		return err
	}
	k.forget(one.doc)
	k.changed(ctx)
	if err := k.sweep(ctx, counters+id+"/", func(string) bool { return true }); err != nil {
		k.log.Warn("the key is deleted, what was counted for it is still in the store", "key", id, "error", err)
	}
	return nil
}
