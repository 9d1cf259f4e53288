package storetest

import (
	"context"
	"slices"
	"sync"
	"time"

	"gcli2api/store"
)

// Fault is what happens to calls.
type Fault struct {
	Err   error    // what they return
	Calls []string // names of methods; none for all of them but Close
	Times int      // how many calls; 0 for all until Heal
	Late  bool     // the call is carried out first: its answer got lost
}

// Flaky is a store whose calls fail on command. It is safe for concurrent use, as the store in it.
type Flaky struct {
	store.Store
	mu     sync.Mutex
	faults []Fault
	failed int
}

var _ store.Store = (*Flaky)(nil)

// Break lets calls fail from now on. Faults add up; the oldest that fits a call is its.
func (f *Flaky) Break(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = append(f.faults, fault)
}

// Heal takes all faults away.
func (f *Flaky) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = nil
}

// Failed is how many calls have failed by a fault.
func (f *Flaky) Failed() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed
}

// fault is what a call meets, if anything.
func (f *Flaky) fault(call string) (hit Fault, is bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, x := range f.faults {
		if len(x.Calls) > 0 && !slices.Contains(x.Calls, call) {
			continue
		}
		if x.Times == 1 {
			f.faults = slices.Delete(f.faults, i, i+1)
		} else if x.Times > 1 {
			f.faults[i].Times--
		}
		f.failed++
		return x, true
	}
	return hit, false
}

// through makes a call, unless a fault is in its way.
func through[T any](f *Flaky, call string, do func() (T, error)) (T, error) {
	x, hit := f.fault(call)
	var none T
	if hit && x.Late {
		_, _ = do()
	}
	if hit {
		return none, x.Err
	}
	return do()
}

// Get is that of the store, or a fault.
func (f *Flaky) Get(ctx context.Context, t store.Table, id string) (store.Doc, error) {
	return through(f, "Get", func() (store.Doc, error) { return f.Store.Get(ctx, t, id) })
}

// List is that of the store, or a fault.
func (f *Flaky) List(ctx context.Context, t store.Table, after string, limit int) ([]store.Doc, error) {
	return through(f, "List", func() ([]store.Doc, error) { return f.Store.List(ctx, t, after, limit) })
}

// Put is that of the store, or a fault.
func (f *Flaky) Put(ctx context.Context, t store.Table, d store.Doc, when store.Rev) (store.Rev, error) {
	return through(f, "Put", func() (store.Rev, error) { return f.Store.Put(ctx, t, d, when) })
}

// Delete is that of the store, or a fault.
func (f *Flaky) Delete(ctx context.Context, t store.Table, id string, when store.Rev) error {
	_, err := through(f, "Delete", func() (bool, error) { return true, f.Store.Delete(ctx, t, id, when) })
	return err
}

// Take is that of the store, or a fault.
func (f *Flaky) Take(ctx context.Context, counter string, n, limit int64) (int64, error) {
	return through(f, "Take", func() (int64, error) { return f.Store.Take(ctx, counter, n, limit) })
}

// Add is that of the store, or a fault.
func (f *Flaky) Add(ctx context.Context, deltas []store.Delta) error {
	_, err := through(f, "Add", func() (bool, error) { return true, f.Store.Add(ctx, deltas) })
	return err
}

// AddOnce is that of the store, or a fault.
func (f *Flaky) AddOnce(ctx context.Context, id string, deltas []store.Delta) error {
	_, err := through(f, "AddOnce", func() (bool, error) { return true, f.Store.AddOnce(ctx, id, deltas) })
	return err
}

// Counters is that of the store, or a fault.
func (f *Flaky) Counters(ctx context.Context, prefix string) (map[string]int64, error) {
	return through(f, "Counters", func() (map[string]int64, error) { return f.Store.Counters(ctx, prefix) })
}

// Claim is that of the store, or a fault.
func (f *Flaky) Claim(ctx context.Context, name, owner string, ttl time.Duration) (bool, error) {
	return through(f, "Claim", func() (bool, error) { return f.Store.Claim(ctx, name, owner, ttl) })
}

// Watch is that of the store, or a fault. A late one makes no sense here: nobody could end it.
func (f *Flaky) Watch(ctx context.Context) (<-chan store.Change, error) {
	if x, hit := f.fault("Watch"); hit {
		return nil, x.Err
	}
	return f.Store.Watch(ctx)
}

// Revision is that of the store, or a fault.
func (f *Flaky) Revision(ctx context.Context) (int64, error) {
	return through(f, "Revision", func() (int64, error) { return f.Store.Revision(ctx) })
}
