package store

import (
	"context"
	"sync"
)

// hintsRoom is how many hints wait for a reader.
const hintsRoom = 64

// Hints hands an engine's hints to those who Watch. The zero value is ready; it is safe for concurrent use.
type Hints struct {
	mu    sync.Mutex
	ended bool
	stop  chan struct{}
	all   map[chan Change]bool
	owned sync.WaitGroup // one goroutine for each reader
}

// Watch gives hints until ctx is over or Close.
func (h *Hints) Watch(ctx context.Context) (<-chan Change, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended {
		return nil, ErrClosed
	}
	if h.all == nil {
		h.all, h.stop = map[chan Change]bool{}, make(chan struct{})
	}
	ch := make(chan Change, hintsRoom)
	h.all[ch] = true
	h.owned.Go(func() {
		select {
		case <-ctx.Done():
		case <-h.stop:
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.all, ch)
		close(ch)
	})
	return ch, nil
}

// Tell never waits. A reader who has no room left gets one hint instead of all those that it did not
// read: everything may have changed.
func (h *Hints) Tell(changes ...Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for ch := range h.all {
		for _, c := range changes {
			select {
			case ch <- c:
			default:
				drain(ch)
				ch <- Change{} // nobody else sends: there is room now
			}
		}
	}
}

func drain(ch chan Change) {
	for {
		select {
		case <-ch:
		default:
			return
		}
	}
}

// Close ends all channels, and lets no more readers in.
func (h *Hints) Close() {
	h.mu.Lock()
	if !h.ended && h.stop != nil {
		close(h.stop)
	}
	h.ended = true
	h.mu.Unlock()
	h.owned.Wait()
}
