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
		v.rev, err = k.docs.Put(ctx, v.sum.doc(), *v, v.rev)
		if err == nil {
			k.keep(v)
			k.changed(ctx)
			return v, nil
		}
		if !errors.Is(err, store.ErrConflict) {
			k.sync(ctx, v.sum) // it may have been written all the same
			return nil, err
		}
	}
	return nil, err
}

// maxConflicts is how often a change is tried: each time somebody else got through.
const maxConflicts = 100

// current reads a key as the store has it. Where others write too, it may have been rotated meanwhile.
func (k *Keys) current(ctx context.Context, id string) (*Key, error) {
	for again := range 2 {
		if one, ok := k.ByID(id); ok {
			v, rev, err := k.docs.Get(ctx, one.sum.doc())
			if err == nil {
				v.sum, v.rev = one.sum, rev
				return &v, nil
			}
			if !errors.Is(err, store.ErrNotFound) {
				return nil, err
			}
			k.forget(one.sum)
		}
		if !k.shared || again > 0 {
			break
		}
		if err := k.look(ctx); err != nil {
			return nil, err
		}
	}
	return nil, ErrUnknown
}

func (k *Keys) keep(one *Key) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.put(one)
}

func (k *Keys) forget(sum digest) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.drop(sum)
}

// Rotate gives a key another secret, which is shown this once; the old one is dead when it returns. All
// else about the key stays.
//
// The new document is written first and the old one removed then. Of two documents the one that was
// rotated last counts, so that a crash in between leaves one key that is good, and no more.
func (k *Keys) Rotate(ctx context.Context, id string) (*Key, string, error) {
	ctx, cancel := detached(ctx)
	defer cancel()
	k.writing.Lock()
	defer k.writing.Unlock()
	was, err := k.current(ctx, id)
	if err != nil {
		return nil, "", err
	}
	now := *was
	now.Rotated = k.now().UTC()
	if least := was.Rotated.Add(time.Microsecond); now.Rotated.Before(least) { // a clock may go back
		now.Rotated = least
	}
	secret, err := k.renew(&now)
	if err != nil {
		return nil, "", err
	}
	if err := k.writeNew(ctx, []Made{{&now, secret}}); err != nil {
		k.takeBack([]Made{{&now, secret}})
		return nil, "", err
	}
	removed, err := k.replace(ctx, was, &now)
	if err != nil {
		k.takeBack([]Made{{&now, secret}})
		return nil, "", err
	}
	k.keep(&now) // notes the old one, which Delete takes along
	if removed {
		k.forget(was.sum)
	}
	k.changed(ctx)
	return &now, secret, nil
}

// replace removes the old document of a key. What others changed in it meanwhile goes into the new one; if
// they removed it, the new one must not stay either.
func (k *Keys) replace(ctx context.Context, was, now *Key) (removed bool, err error) {
	for range maxConflicts {
		err := k.docs.Store.Delete(ctx, store.Keys, was.sum.doc(), was.rev)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, store.ErrNotFound):
			k.forget(was.sum)
			return false, ErrUnknown
		case !errors.Is(err, store.ErrConflict):
			k.log.Warn("what a key was before it was rotated is still in the store, out of force", "key", was.ID, "error", err)
			return false, nil // the new one counts
		}
		v, rev, err := k.docs.Get(ctx, was.sum.doc())
		if err != nil {
			continue // gone is for the next Delete to say
		}
		was.rev, now.Terms = rev, v.Terms
		if now.rev, err = k.docs.Put(ctx, now.sum.doc(), *now, store.Any); err != nil {
			return false, err
		}
	}
	return false, store.ErrConflict
}

// Delete removes a key with all that was counted for it; it is refused from now on. Calls that are under
// way may finish.
func (k *Keys) Delete(ctx context.Context, id string) error {
	ctx, cancel := detached(ctx)
	defer cancel()
	k.writing.Lock()
	defer k.writing.Unlock()
	if _, err := k.current(ctx, id); err != nil {
		return err
	}
	if k.shared { // for documents of the key that only others know
		if err := k.look(ctx); err != nil {
			return err
		}
	}
	k.mu.RLock()
	sums := slices.Clone(k.older[id]) // the one in force last, or an older one would come into force
	if one := k.byID[id]; one != nil {
		sums = append(sums, one.sum)
	}
	k.mu.RUnlock()
	for _, sum := range sums {
		if err := k.docs.Delete(ctx, sum.doc()); err != nil {
			k.sync(ctx, sum)
			return err
		}
		k.forget(sum)
	}
	k.changed(ctx)
	if err := k.sweep(ctx, counters+id+"/", func(string) bool { return true }); err != nil {
		k.log.Warn("the key is deleted, what was counted for it is still in the store", "key", id, "error", err)
	}
	return nil
}
