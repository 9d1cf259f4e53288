package pipeline

import (
	"slices"
	"sync"
)

// Header is the list of response headers that stages append to. It may be read by the server
// while a stage appends: the status line of a silent stream goes out before the stages are done,
// and what is appended later is lost.
type Header struct {
	mu    sync.Mutex
	pairs []pair
}

type pair struct{ name, value string }

// Set replaces what name said before.
func (h *Header) Set(name, value string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.pairs {
		if h.pairs[i].name == name {
			h.pairs[i].value = value
			return
		}
	}
	h.pairs = append(h.pairs, pair{name, value})
}

// Delete takes name back.
func (h *Header) Delete(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pairs = slices.DeleteFunc(h.pairs, func(p pair) bool { return p.name == name })
}

// Get gives the first value of name, "" when there is none.
func (h *Header) Get(name string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.pairs {
		if h.pairs[i].name == name {
			return h.pairs[i].value
		}
	}
	return ""
}

// Each calls f for every header in the order they were first set; f must not use the Header.
func (h *Header) Each(f func(name, value string)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.pairs {
		f(h.pairs[i].name, h.pairs[i].value)
	}
}
