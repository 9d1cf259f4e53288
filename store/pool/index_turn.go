package pool

import (
	"math"
	"math/bits"
	"slices"
)

// The ways in which credentials take turns.
const (
	Counted   = "counted"    // so many requests in a row, then the next one
	LeastUsed = "least_used" // whoever had the fewest calls of the day
	Random    = "random"     // a throw of dice
	Sticky    = "sticky"     // a conversation stays where it is
)

// rotation is what one lane remembers.
type rotation struct {
	places []place   // by priority
	bounds []float64 // least_used: by 64 places, what the least used one has had at least
	seen   uint64    // of index.clock, when bounds were true
	why    Exhausted // as it was when ...
	whyAt  uint64    // ... this was Pool.loosened; 0 is never
}

// place is where a rotation stands among those of one priority.
type place struct {
	priority     int
	head, served int // place in the index, requests that it has served
}

// maxPlaces bounds the priorities that a rotation remembers.
const maxPlaces = 16

func (p *Pool) rotation(k lane) *rotation {
	if r := p.lanes[k]; r != nil {
		return r
	}
	if len(p.lanes) >= maxLanes {
		for other := range p.lanes {
			delete(p.lanes, other)
			break
		}
	}
	r := &rotation{}
	p.lanes[k] = r
	return r
}

// place is where the rotation stands in a tier, and otherwise where the last one of all did: not all
// models begin with the same credential.
func (p *Pool) place(r *rotation, tier span) place {
	at := p.last
	priority := p.index.order[tier.lo].sat.priority
	if i := r.find(priority); i >= 0 {
		at = r.places[i]
	}
	if at.priority != priority || !tier.has(at.head) {
		at = place{priority: priority, head: tier.lo}
	}
	return at
}

func (r *rotation) find(priority int) int {
	return slices.IndexFunc(r.places, func(at place) bool { return at.priority == priority })
}

// stand keeps where the rotation stands now.
func (r *rotation) stand(at place) {
	i := r.find(at.priority)
	switch {
	case i >= 0:
		r.places[i] = at
		return
	case len(r.places) >= maxPlaces:
		r.places = slices.Delete(r.places, 0, 1)
	}
	r.places = append(r.places, at)
}

// head is where the rotation stands in a tier, if it was there at all.
func (r *rotation) head(ix *index, tier span) int {
	if r == nil {
		return tier.lo
	}
	if i := r.find(ix.order[tier.lo].sat.priority); i >= 0 && tier.has(r.places[i].head) {
		return r.places[i].head
	}
	return tier.lo
}

// turn gives the credential whose turn it is, of those of the highest priority that can be lent.
func (p *Pool) turn(k lane, w *Want, now int64) *entry {
	v := p.view(k, now)
	ix, s := &p.index, v.all
	if len(ix.tiers) > 2 {
		first := v.first(s)
		if first < 0 {
			return nil
		}
		s = ix.tier(first).within(s)
	}
	if s.lo >= s.hi {
		return nil
	}
	r, share, i := p.rotation(k), ix.shares.by[k.model], -1
	switch {
	case p.set.Rotation == LeastUsed:
		i = ix.leastUsed(r, &v, s, share)
	case p.set.Rotation == Random:
		i = p.throw(&v, s, share)
	case p.set.Rotation == Sticky && w.Talk != 0:
		i = ix.stick(&v, s, w.Talk, nil)
	default:
		i = p.counted(r, &v, s, share)
	}
	if i < 0 {
		return nil
	}
	return ix.order[i]
}

// counted: the head of the queue serves a number of requests and goes to the tail, as does one that
// cannot serve.
func (p *Pool) counted(r *rotation, v *view, s span, share []uint8) int {
	at := p.place(r, s)
	head := at.head
	if at.served >= p.inARow(head, share) {
		if head++; head == s.hi {
			head = s.lo
		}
	}
	i := v.from(head, s)
	if i < 0 {
		return i
	}
	if i != at.head || head != i {
		at.head, at.served = i, 0
	} else if at.served >= p.inARow(head, share) { // it is the only one
		at.served = 0
	}
	at.served++
	r.stand(at)
	p.last = at
	return i
}

// inARow is how many requests in a row the credential at a place serves.
func (p *Pool) inARow(pos int, share []uint8) int {
	n := p.set.CallsPerRotation * p.index.order[pos].sat.weight
	if share != nil {
		n = (n*int(share[pos]) + allLeft/2) / allLeft
	}
	return max(n, 1)
}

// leastUsed gives the one that had the fewest calls of the day for its weight. What the least used of
// 64 has had at least is remembered: calls only add up, so that the 64 are looked at again only when
// theirs may be the least, or when one of them came back.
func (ix *index) leastUsed(r *rotation, v *view, s span, share []uint8) int {
	if len(r.bounds) != len(ix.gain) {
		r.bounds, r.seen = make([]float64, len(ix.gain)), ix.clock
	}
	if r.seen != ix.clock {
		for b, when := range ix.gain {
			if when > r.seen {
				r.bounds[b] = 0
			}
		}
		r.seen = ix.clock
	}
	low, most := s.lo>>6, (s.hi-1)>>6
	start := low
	for b := low; b <= most; b++ {
		if r.bounds[b] < r.bounds[start] {
			start = b
		}
	}
	at, best := ix.leastOf(v, s, start, share)
	r.note(start, s, best)
	for b := low; b <= most; b++ {
		inner := s.mask(b) == ^uint64(0)
		if b == start || inner && r.bounds[b] >= best {
			continue
		}
		i, least := ix.leastOf(v, s, b, share)
		r.note(b, s, least)
		if least < best {
			at, best = i, least
		}
	}
	return at
}

// note remembers what was seen of 64 places, if all of them were looked at.
func (r *rotation) note(b int, s span, least float64) {
	if s.mask(b) == ^uint64(0) {
		r.bounds[b] = least
	}
}

// leastOf looks at 64 places.
func (ix *index) leastOf(v *view, s span, b int, share []uint8) (at int, least float64) {
	at, least = -1, math.Inf(1)
	for w := v.word(b) & s.mask(b); w != 0; w &= w - 1 {
		i := b<<6 + bits.TrailingZeros64(w)
		key := ix.keys[i]
		if share != nil {
			key = key * allLeft / float64(share[i])
		}
		if key < least {
			at, least = i, key
		}
	}
	return at, least
}

// guesses is how often a throw goes for anybody at all before it counts who can be lent.
const guesses = 8

// throw gives one by chance, each as often as its weight says. Throws at anybody come first, those that
// miss are thrown again; where few can be lent they are counted, the weights digit by digit, so that
// nobody has to be looked at alone.
func (p *Pool) throw(v *view, s span, share []uint8) int {
	ix := &p.index
	// What is left of the quota decides whether a throw counts, within reason.
	stays := func(i int) bool { return share == nil || p.dice(allLeft) < uint64(share[i]) }
	for range guesses {
		i := s.lo + int(p.dice(uint64(s.hi-s.lo)))
		if v.has(i) && (ix.heaviest == 1 || p.dice(uint64(ix.heaviest)) < uint64(ix.order[i].sat.weight)) && stays(i) {
			return i
		}
	}
	words := v.fill(ix.scratch, s)
	var counts [16]uint64
	total := uint64(0)
	for d, plane := range ix.planes {
		for j, w := range words {
			counts[d] += uint64(bits.OnesCount64(w & plane[s.lo>>6+j]))
		}
		total += counts[d] << d
	}
	for try := 0; total > 0; try++ {
		n, d := p.dice(total), 0
		for ; n >= counts[d]<<d; d++ {
			n -= counts[d] << d
		}
		if i := nth(int(n>>d), words, ix.planes[d][s.lo>>6:], s.lo>>6); try == 2*guesses || stays(i) {
			return i
		}
	}
	return -1
}
