package logging

import "slices"

// tail is how many bytes of a secret it is found by: its last ones, because many begin alike.
const tail = 8

// index finds any of many secrets in one pass over a text.
type index struct {
	by    map[uint64]string   // by their tails
	more  map[uint64][]string // those whose tail another one has as well
	maybe []uint64            // bits by the hash of a tail: most places of a text are ruled out here
	shift uint8               // of the hash
}

// add takes a secret of at least tail bytes in.
func (x *index) add(secret string) {
	key := uint64(0)
	for i := len(secret) - tail; i < len(secret); i++ {
		key = roll(key, secret[i])
	}
	if x.by == nil {
		x.by, x.more = map[uint64]string{}, map[uint64][]string{}
	}
	switch first, there := x.by[key]; {
	case !there:
		x.by[key] = secret
	case first != secret && !slices.Contains(x.more[key], secret):
		x.more[key] = append(x.more[key], secret)
	}
	if len(x.by)*16 > len(x.maybe)*64 {
		x.grow()
	}
	x.set(key)
}

// grow doubles the bits.
func (x *index) grow() {
	size := max(16, 2*len(x.maybe))
	x.maybe, x.shift = make([]uint64, size), 64
	for n := 1; n < size*64; n *= 2 {
		x.shift--
	}
	for key := range x.by {
		x.set(key)
	}
}

func (x *index) set(key uint64) {
	h := x.hash(key)
	x.maybe[h/64] |= 1 << (h % 64)
}

func (x *index) hash(key uint64) uint64 { return key * 0x9E3779B97F4A7C15 >> x.shift }

// roll moves a tail on by one byte.
func roll(key uint64, c byte) uint64 { return key>>8 | uint64(c)<<56 }

// span is a part of a text.
type span struct{ start, end int }

// apply puts stars over what it finds; secrets that overlap get one cover.
func (x *index) apply(text string) string {
	spans := x.find(text)
	if spans == nil {
		return text
	}
	return replace(text, func(_ string, i int) (start, end int) {
		for len(spans) > 0 && spans[0].start < i {
			spans = spans[1:]
		}
		if len(spans) == 0 {
			return 0, 0
		}
		return spans[0].start, spans[0].end
	})
}

func (x *index) find(text string) (spans []span) {
	if len(x.by) == 0 {
		return nil
	}
	key := uint64(0)
	for i := range len(text) {
		key = roll(key, text[i])
		if i < tail-1 {
			continue
		}
		if h := x.hash(key); x.maybe[h/64]&(1<<(h%64)) == 0 {
			continue
		}
		if n := x.longest(key, text[:i+1]); n > 0 {
			spans = join(spans, span{i + 1 - n, i + 1})
		}
	}
	return spans
}

// longest is the length of the longest secret that a text ends with, given its tail.
func (x *index) longest(key uint64, text string) (n int) {
	ends := func(secret string) {
		if len(secret) > n && len(secret) <= len(text) && text[len(text)-len(secret):] == secret {
			n = len(secret)
		}
	}
	if first, there := x.by[key]; there {
		ends(first)
		for _, other := range x.more[key] {
			ends(other)
		}
	}
	return n
}

// join adds a span that ends behind all others, and takes in those that it overlaps.
func join(spans []span, s span) []span {
	for n := len(spans); n > 0 && s.start < spans[n-1].end; n = len(spans) {
		s.start = min(s.start, spans[n-1].start)
		spans = spans[:n-1]
	}
	return append(spans, s)
}
