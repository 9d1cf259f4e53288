package pool

import "math/bits"

// bitmap is a set of places in the index.
type bitmap []uint64

func newBitmap(n int) bitmap { return make(bitmap, (n+63)/64) }

func (b bitmap) has(i int) bool { return b[i>>6]>>(i&63)&1 != 0 }

// put adds a place or takes it out, and says whether it was added.
func (b bitmap) put(i int, in bool) (added bool) {
	bit := uint64(1) << (i & 63)
	if !in {
		b[i>>6] &^= bit
		return false
	}
	added = b[i>>6]&bit == 0
	b[i>>6] |= bit
	return added
}

// span is a run of places: from lo up to and without hi.
type span struct{ lo, hi int }

func (s span) within(other span) span { return span{max(s.lo, other.lo), min(s.hi, other.hi)} }

func (s span) has(i int) bool { return s.lo <= i && i < s.hi }

// mask is what of word b lies in the span.
func (s span) mask(b int) uint64 {
	m := ^uint64(0)
	if b == s.lo>>6 {
		m <<= s.lo & 63
	}
	if b == (s.hi-1)>>6 {
		m &= ^uint64(0) >> (63 - (s.hi-1)&63)
	}
	return m
}

// view is who can be lent for a lane: an AND of bitmaps, a word at a time.
type view struct {
	up, room, kinds, rests, group bitmap
	base                          int  // word of the index that group begins with
	all                           span // outside of which there is nobody
}

// word is who can be lent of the 64 places that begin at 64*b.
func (v *view) word(b int) uint64 {
	return v.up[b] & v.room[b] & v.kinds[b] & v.group[b-v.base] &^ v.rests[b]
}

func (v *view) has(i int) bool { return v.all.has(i) && v.word(i>>6)>>(i&63)&1 != 0 }

// first is the first place of a span that can be lent, -1 when there is none.
func (v *view) first(s span) int {
	s = s.within(v.all)
	if s.lo >= s.hi {
		return -1
	}
	b, last := s.lo>>6, (s.hi-1)>>6
	w := v.word(b) & (^uint64(0) << (s.lo & 63))
	for w == 0 {
		if b++; b > last {
			return -1
		}
		w = v.word(b)
	}
	if i := b<<6 + bits.TrailingZeros64(w); i < s.hi {
		return i
	}
	return -1
}

// from is the first one at or behind a place of the span, which begins anew at its end.
func (v *view) from(at int, s span) int {
	if i := v.first(span{at, s.hi}); i >= 0 {
		return i
	}
	return v.first(span{s.lo, at})
}

// fill writes the words of a span, which is not empty, to the beginning of dst.
func (v *view) fill(dst []uint64, s span) []uint64 {
	lo, hi := s.lo>>6, (s.hi-1)>>6+1
	dst = dst[:hi-lo]
	up, room, kinds, rests, group := v.up[lo:hi], v.room[lo:hi], v.kinds[lo:hi], v.rests[lo:hi], v.group[lo-v.base:hi-v.base]
	for i := range dst {
		dst[i] = up[i] & room[i] & kinds[i] & group[i] &^ rests[i]
	}
	dst[0] &= s.mask(lo)
	dst[len(dst)-1] &= s.mask(hi - 1)
	return dst
}

// nth is the place of the nth bit that is in words and in among, counted from 0; base is the number of
// the first word.
func nth(n int, words, among []uint64, base int) int {
	for i, w := range words {
		w &= among[i]
		if c := bits.OnesCount64(w); n >= c {
			n -= c
			continue
		}
		for ; n > 0; n-- {
			w &= w - 1
		}
		return (base+i)<<6 + bits.TrailingZeros64(w)
	}
	return -1
}
