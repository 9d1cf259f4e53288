package apikey

import (
	"context"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"gcli2api/store"
)

const (
	slotLease  = time.Minute // after which the places of a node that died are free
	mostClaims = 64          // to find a free place
)

// slots are the places of requests under way in a shared store. Each is a lease, run/<key>/<number>, of the
// node that serves the request: those of a node that dies run out.
//
// A key has as many as its limit. All are looked at before a request is refused, where there are more than
// 64 as many of them: a key that is nearly full may be refused a little early then.
type slots struct {
	store store.Store
	now   func() time.Time
	owner string

	mu   sync.Mutex
	keys map[string]*held
}

// held is what this node has of a key.
type held struct {
	places map[int64]placing
	last   int64         // given back last, likely to be free; negative is none
	full   time.Time     // until then it is known that there is no place
	freed  chan struct{} // closed when a place that is being given back is free; nil where nobody waits
}

// placing is what is going on with a place of this node.
type placing uint8

const (
	moving   placing = iota // it is being claimed or given back
	claimed                 // a request is in it
	renewing                // likewise, and the lease is being renewed
	left                    // the request ended meanwhile: whoever renews gives it back
	leaving                 // it is being given back
)

func slotName(id string, slot int64) string { return "run/" + id + "/" + strconv.FormatInt(slot, 10) }

// take gives a place, or a negative one when there is none.
func (s *slots) take(ctx context.Context, id string, limit int64) (int64, error) {
	search := search{limit: limit, next: -1}
	for range mostClaims {
		slot := s.reserve(id, &search)
		for slot < 0 {
			freed := s.waits(id)
			if freed == nil {
				return -1, nil
			}
			select {
			case <-freed:
			case <-ctx.Done():
				return -1, ctx.Err()
			}
			search.next, search.steps = -1, 0
			slot = s.reserve(id, &search)
		}
		mine, err := s.store.Claim(ctx, slotName(id, slot), s.owner, slotLease)
		s.mu.Lock()
		if err == nil && mine {
			s.keys[id].places[slot] = claimed
			s.mu.Unlock()
			return slot, nil
		}
		delete(s.keys[id].places, slot)
		s.mu.Unlock()
		if err != nil {
			return -1, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.keys[id]; h != nil { // else it has nothing, and was forgotten just now
		h.full = s.now().Add(recall)
	}
	return -1, nil
}

// search walks over the places of a key, once.
type search struct{ limit, next, steps int64 }

// reserve gives the next place that this node does not have itself: for its own it needs not ask.
func (s *slots) reserve(id string, f *search) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.keys[id]
	if h == nil {
		h = &held{places: map[int64]placing{}, last: -1}
		s.keys[id] = h
	}
	if f.next < 0 {
		if int64(len(h.places)) >= f.limit || s.now().Before(h.full) {
			return -1
		}
		if f.next = h.last; f.next < 0 || f.next >= f.limit {
			f.next = rand.Int64N(f.limit)
		}
	}
	for most := min(f.limit, int64(len(h.places))+mostClaims); f.steps < most; {
		slot := f.next
		f.next, f.steps = (slot+1)%f.limit, f.steps+1
		if _, own := h.places[slot]; !own {
			h.places[slot] = moving
			return slot
		}
	}
	h.full = s.now().Add(recall)
	return -1
}

// waits is closed when one of the places that this node is giving back is free; nil when there is none.
func (s *slots) waits(id string) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.keys[id]
	if h == nil {
		return nil
	}
	for _, is := range h.places {
		if is != leaving && is != left {
			continue
		}
		if h.freed == nil {
			h.freed = make(chan struct{})
		}
		return h.freed
	}
	return nil
}

// giving begins to free a place: what it returns tells the store. It is free, also where the store does not hear
// of it before the lease runs out.
func (s *slots) giving(id string, slot int64) (tell func(context.Context) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.keys[id]
	if h.places[slot] == renewing {
		h.places[slot] = left
		return func(context.Context) error { return nil }
	}
	h.places[slot] = leaving
	return func(ctx context.Context) error { return s.release(ctx, id, slot) }
}

func (s *slots) release(ctx context.Context, id string, slot int64) error {
	_, err := s.store.Claim(ctx, slotName(id, slot), s.owner, 0)
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.keys[id]
	delete(h.places, slot)
	h.last, h.full = slot, time.Time{}
	if h.freed != nil {
		close(h.freed)
		h.freed = nil
	}
	return err
}

// renew holds on to the places of requests under way, and tells how many could not be held.
func (s *slots) renew(ctx context.Context) (lost int, err error) {
	type place struct {
		id   string
		slot int64
	}
	var all []place
	s.mu.Lock()
	for id, h := range s.keys {
		if len(h.places) == 0 {
			delete(s.keys, id)
			continue
		}
		for slot, is := range h.places {
			if is == claimed {
				all = append(all, place{id, slot})
			}
		}
	}
	s.mu.Unlock()
	for _, p := range all {
		mine, fail := s.renewOne(ctx, p.id, p.slot)
		if !mine || fail != nil {
			lost, err = lost+1, fail
		}
	}
	return lost, err
}

func (s *slots) renewOne(ctx context.Context, id string, slot int64) (mine bool, err error) {
	s.mu.Lock()
	h := s.keys[id]
	if h == nil || h.places[slot] != claimed {
		s.mu.Unlock()
		return true, nil // its request has ended
	}
	h.places[slot] = renewing
	s.mu.Unlock()
	mine, err = s.store.Claim(ctx, slotName(id, slot), s.owner, slotLease)
	s.mu.Lock()
	ended := h.places[slot] == left
	h.places[slot] = claimed
	if ended {
		h.places[slot] = leaving
	}
	s.mu.Unlock()
	if ended {
		return true, s.release(ctx, id, slot)
	}
	return mine, err
}
