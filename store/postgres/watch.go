package postgres

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
	_, left, err := db.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer left()
	ws := &db.watchers
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.all == nil {
		ws.all = map[chan store.Change]bool{}
	}
	ch := make(chan store.Change, watchRoom)
	ws.all[ch] = true
	db.owned.Go(func() {
		select {
		case <-ctx.Done():
		case <-db.ctx.Done():
		}
		ws.mu.Lock()
		defer ws.mu.Unlock()
		delete(ws.all, ch)
		close(ch)
	})
	db.follows.Do(func() { db.owned.Go(db.follow) })
	return ch, nil
}

// tell never waits. A reader who has no room left gets one hint instead of all those that it did not
// read: everything may have changed.
func (ws *watchers) tell(c store.Change) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for ch := range ws.all {
		select {
		case ch <- c:
		default:
			drain(ch)
			ch <- store.Change{} // nobody else sends: there is room now
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
