package embedded

import (
	"context"
	"sync"

	"gcli2api/store"
)

// watchRoom is how many hints wait for a reader.
const watchRoom = 64

// watchers are those who want hints.
type watchers struct {
	mu    sync.Mutex
	ended bool
	all   map[chan store.Change]bool
}

// Watch gives hints until ctx is over or the store is closed.
func (db *DB) Watch(ctx context.Context) (<-chan store.Change, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ws := &db.watchers
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.ended {
		return nil, store.ErrClosed
	}
	if ws.all == nil {
		ws.all = map[chan store.Change]bool{}
	}
	ch := make(chan store.Change, watchRoom)
	ws.all[ch] = true
	db.owned.Go(func() {
		select {
		case <-ctx.Done():
		case <-db.stop:
		}
		ws.mu.Lock()
		defer ws.mu.Unlock()
		delete(ws.all, ch)
		close(ch)
	})
	return ch, nil
}

// tell never waits. A reader who has no room left gets one hint instead of all those that it did not
// read: everything may have changed.
func (ws *watchers) tell(changes []store.Change) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for ch := range ws.all {
		for _, c := range changes {
			select {
			case ch <- c:
			default:
				drain(ch)
				ch <- store.Change{} // nobody else sends: there is room now
			}
		}
	}
}

func drain(ch chan store.Change) {
	for {
		select {
		case <-ch:
		default:
			return
		}
	}
}

// shut ends all of them, and lets no more in.
func (ws *watchers) shut(stop chan struct{}) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.ended = true
	close(stop)
}
