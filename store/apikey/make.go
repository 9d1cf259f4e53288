package apikey

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"

	"gcli2api/store"
)

// MaxBatch is how many keys one call makes.
const MaxBatch = 1000

const (
	patience = 30 * time.Second // for a store, whoever still waits
	atOnce   = 64               // writes of one batch: the store puts them into few commits
)

// Made is a new key with the secret that is shown this once.
type Made struct {
	Key    *Key
	Secret string
}

// Create makes a key that is good from now on. The secret is shown this once. Terms that are wrong are a
// *FieldError.
func (k *Keys) Create(ctx context.Context, t Terms) (one *Key, secret string, err error) {
	made, err := k.CreateMany(ctx, t, 1)
	if err != nil {
		return nil, "", err
	}
	return made[0].Key, made[0].Secret, nil
}

// CreateMany makes n keys of the same terms, all of them or none. Descriptions of several are numbered: in the
// place of {n} if there is one, else at the end.
func (k *Keys) CreateMany(ctx context.Context, t Terms, n int) ([]Made, error) {
	if n < 1 || n > MaxBatch {
		return nil, wrong("count", "must be a whole number from 1 to %d", MaxBatch)
	}
	if err := t.Check(); err != nil {
		return nil, err
	}
	if err := t.checkAhead(k.now()); err != nil {
		return nil, err
	}
	last := numbered(t, n, n) // the longest
	if err := last.Check(); err != nil {
		return nil, err
	}
	blocks, err := readAddresses(t.Addresses)
	if err != nil {
		return nil, err
	}
	ctx, cancel := detached(ctx)
	defer cancel()
	made := make([]Made, n)
	for i := range made {
		one := &Key{ID: newID(), Created: k.now().UTC().Truncate(time.Second), Terms: numbered(t, i+1, n), blocks: blocks}
		made[i] = Made{one, NewSecret()}
		if err := k.arm(one, made[i].Secret); err != nil {
			return nil, err
		}
	}
	k.writing.Lock()
	defer k.writing.Unlock()
	if err := k.writeNew(ctx, made); err != nil {
		k.takeBack(made)
		return nil, err
	}
	k.mu.Lock()
	for _, m := range made {
		k.put(m.Key)
	}
	k.mu.Unlock()
	k.changed(ctx)
	return made, nil
}

// detached is for writes: who gives up waiting must not leave it open what became of one.
func detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), patience)
}

// arm makes a secret that of a key.
func (k *Keys) arm(one *Key, secret string) (err error) {
	k.hide(secret)
	one.Mask, one.sum, one.Sealed, one.Digest = Mask(secret), sha256.Sum256([]byte(secret)), nil, nil
	if one.rev > 0 {
		one.Digest = one.sum[:]
	} else {
		one.doc = one.sum
	}
	if k.settings().Reveal {
		one.Sealed, err = k.seal(secret)
	}
	return err
}

// writeNew writes new documents, several at once.
func (k *Keys) writeNew(ctx context.Context, made []Made) error {
	var all sync.WaitGroup
	slots, errs := make(chan struct{}, atOnce), make([]error, len(made))
	for i := range made {
		slots <- struct{}{}
		all.Go(func() {
			one := made[i].Key
			one.rev, errs[i] = k.docs.Put(ctx, one.doc.String(), *one, store.New)
			<-slots
		})
	}
	all.Wait()
	for _, err := range errs { // one is enough to tell: they fail alike
		if err != nil {
			return err
		}
	}
	return nil
}

// takeBack removes what a batch that failed may have written.
func (k *Keys) takeBack(made []Made) {
	ctx, cancel := detached(context.Background())
	defer cancel()
	var failed error
	for _, m := range made {
		if err := k.docs.Delete(ctx, m.Key.doc.String()); err != nil {
			failed = err
			break
		}
	}
	if failed != nil {
		k.log.Error("keys that could not be made may be in the store: delete those that nobody has after the next start", "keys", len(made), "error", failed)
	}
}
