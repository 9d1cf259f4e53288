package pool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"gcli2api/store"
)

// Memory keeps states in a store. Saving never waits for it: what changes again before it was
// written is written once.
type Memory struct {
	docs   store.Docs[State]
	log    *slog.Logger
	known  map[string]State // what the store has; guarded by mu
	cancel context.CancelFunc
	done   chan struct{}
	wake   chan struct{}

	flushing sync.Mutex // one flush at a time; also of failing
	failing  bool

	mu      sync.Mutex
	pending map[string]State
}

// Remember reads every state. One that cannot be read is a warning, and its credential begins anew;
// the error is the store's. Close the memory before the store.
func Remember(ctx context.Context, s store.Store, log *slog.Logger) (*Memory, error) {
	m := &Memory{docs: store.Docs[State]{Store: s, Table: store.CredentialStates}, log: log,
		known: map[string]State{}, pending: map[string]State{}, done: make(chan struct{}), wake: make(chan struct{}, 1)}
	for id, got := range m.docs.All(ctx) {
		switch {
		case got.Err == nil:
			m.known[id] = got.Value
		case id == "":
			return nil, fmt.Errorf("read the states of credentials: %w", got.Err)
		default:
			log.Warn("the state of a credential cannot be read, it begins anew", "credential", id, "error", got.Err)
		}
	}
	ctx, m.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go m.write(ctx)
	return m, nil
}

// Load gives a state that was saved last, in this process or before.
func (m *Memory) Load(id string) (State, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s, ok := m.pending[id]; ok {
		return s, true
	}
	s, ok := m.known[id]
	return s, ok
}

// Save notes a state to be written at once.
func (m *Memory) Save(id string, s State) {
	m.mu.Lock()
	m.pending[id] = s
	m.mu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// again is the pause after a failure of the store.
const again = 5 * time.Second

// flushLimit is how long the store may take for all that is pending.
const flushLimit = 10 * time.Second

// write is the one writer, until Close.
func (m *Memory) write(ctx context.Context) {
	defer close(m.done)
	for {
		var retry <-chan time.Time
		if !m.flush(ctx) {
			retry = time.After(again)
		}
		select {
		case <-m.wake:
		case <-retry:
		case <-ctx.Done():
			return
		}
	}
}

// flush writes what is pending; false when something has to be tried again.
func (m *Memory) flush(ctx context.Context) bool {
	m.flushing.Lock()
	defer m.flushing.Unlock()
	// Close does not cut it short: a write that was given up may have happened or not.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushLimit)
	defer cancel()
	m.mu.Lock()
	batch := m.pending
	m.pending = map[string]State{}
	m.mu.Unlock()
	failed := m.put(ctx, batch)
	m.report(failed, len(batch))
	return failed == nil || errors.Is(failed, store.ErrInvalid)
}

// writers is how many states are written at a time: an engine makes one commit of them.
const writers = 64

// put writes states; the error is one of those that there were.
func (m *Memory) put(ctx context.Context, batch map[string]State) (failed error) {
	var all sync.WaitGroup
	room := make(chan struct{}, writers)
	for id, s := range batch {
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			_, err := m.docs.Put(ctx, id, s, store.Any)
			m.mu.Lock()
			defer m.mu.Unlock()
			if err == nil || errors.Is(err, store.ErrInvalid) { // trying again would not help
				m.known[id] = s
			} else if _, newer := m.pending[id]; !newer {
				m.pending[id] = s
			}
			if err != nil {
				failed = err
			}
		})
	}
	all.Wait()
	return failed
}

// report says when writing begins to fail and when it works again, not each time.
func (m *Memory) report(err error, written int) {
	switch {
	case err != nil && !m.failing:
		m.log.Error("the states of credentials cannot be kept; they count until the next start only", "error", err)
	case err == nil && m.failing && written > 0:
		m.log.Info("the states of credentials are kept again")
	case err == nil && written == 0:
		return
	}
	m.failing = err != nil
}

// Sync returns when all that was saved before is durable, or says that it is not.
func (m *Memory) Sync(ctx context.Context) error {
	if !m.flush(ctx) {
		return errors.New("not every state of a credential could be written")
	}
	return nil
}

// Close writes what is pending and ends the writer.
func (m *Memory) Close() error {
	m.cancel()
	<-m.done
	return m.Sync(context.Background())
}
