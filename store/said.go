package store

import (
	"sync"
	"time"
)

const (
	saidFor  = time.Hour
	saidMost = 1000
)

// Said keeps what an engine meets at each turn from being logged at each turn. The zero value is ready; it
// is safe for concurrent use.
type Said struct {
	mu sync.Mutex
	at map[string]time.Time
}

// First tells whether something was not said within the last hour, and notes that it is said now.
func (s *Said) First(what string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, has := s.at[what]; has && time.Since(at) < saidFor {
		return false
	}
	if s.at == nil || len(s.at) >= saidMost {
		s.at = map[string]time.Time{}
	}
	s.at[what] = time.Now()
	return true
}
