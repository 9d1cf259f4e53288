package apikey

import (
	"context"
	"sync"
	"testing"

	"gcli2api/store"
)

// hanging is a store whose disk hangs once: the next batch is given up by who waits for it and made all the
// same, in its turn, before any other write. Who reads meanwhile sees nothing of it.
type hanging struct {
	store.Store
	alone bool

	mu   sync.Mutex
	hang bool
	owed []store.Delta
	id   string // of AddOnce
}

func (h *hanging) Alone() bool { return h.alone }

func (h *hanging) hangs() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hang = true
}

// pay makes the write that hung. The lock is held.
func (h *hanging) pay(ctx context.Context) error {
	owed := h.owed
	if h.owed = nil; owed == nil {
		return nil
	}
	return h.add(ctx, h.id, owed)
}

func (h *hanging) add(ctx context.Context, id string, deltas []store.Delta) error {
	if id == "" {
		return h.Store.Add(ctx, deltas)
	}
	return h.Store.AddOnce(ctx, id, deltas)
}

func (h *hanging) Add(ctx context.Context, deltas []store.Delta) error {
	return h.AddOnce(ctx, "", deltas)
}

func (h *hanging) AddOnce(ctx context.Context, id string, deltas []store.Delta) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.hang {
		h.hang, h.id, h.owed = false, id, append([]store.Delta(nil), deltas...)
		return context.DeadlineExceeded
	}
	if err := h.pay(ctx); err != nil {
		return err
	}
	return h.add(ctx, id, deltas)
}

func (h *hanging) Take(ctx context.Context, counter string, n, limit int64) (int64, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.pay(ctx); err != nil {
		return 0, err
	}
	return h.Store.Take(ctx, counter, n, limit)
}

// written waits until all that was decided so far is in the store, through writes that fail.
func written(t *testing.T, b *Book, one *Key) {
	t.Helper()
	for range 20 {
		if s, ok := b.Ledger.till.(*shared); ok {
			if s.refunds.wait(t.Context()) == nil {
				return
			}
			continue
		}
		bill := reserve(t, b, one, flash)
		fail := bill.Commit(t.Context())
		if bill.Close(false, Tokens{}); fail == nil {
			return
		}
	}
	t.Fatal("nothing can be written")
}

// A charge or a refund whose write was given up, and which the store makes later all the same, is made once.
func TestWriteThatComesLate(t *testing.T) {
	for name, alone := range map[string]bool{"local": true, "shared": false} {
		t.Run(name, func(t *testing.T) {
			h := &hanging{Store: onDisk(t), alone: alone}
			b := openOn(t, h, nil)
			one := newKey(t, b, Terms{Quota: 100})
			if alone { // of a shared store nobody takes anything by a batch
				h.hangs()
			}
			stays, back := reserve(t, b, one, pro), reserve(t, b, one, pro)
			if fail := stays.Commit(t.Context()); (fail != nil) != alone {
				t.Fatalf("a write that was given up: %v", fail)
			}
			written(t, b, one)
			h.hangs()
			back.Close(false, Tokens{})
			written(t, b, one)
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
			if got := inStore(t, h.Store)["key/"+one.ID+"/used"]; got != 10 {
				t.Errorf("%d units are charged for one call of 10", got)
			}
		})
	}
}
