package pool

import (
	"cmp"
	"hash/fnv"
	"math"
	"math/bits"
	"slices"
)

// ring is where conversations stay: each credential has points on it that follow from its name
// alone, so that another one that comes or goes moves only the conversations next to its own points.
type ring struct {
	points []point
	hashes []uint64 // of the names, by place
}

type point struct {
	at  uint64
	pos int32
}

// pointsEach is the points of a credential of weight 1. When one rests, as many others share what it
// had.
const pointsEach = 4

func (e *entry) points() int { return pointsEach * min(e.sat.weight, 16) }

func pointOf(hash uint64, i int) uint64 { return mix(hash + uint64(i)*0x9e3779b97f4a7c15) }

// mix spreads a number over all bits (the finalizer of SplitMix64).
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

func (ix *index) layRing() {
	ix.ring.hashes = make([]uint64, len(ix.order))
	for i, e := range ix.order {
		h := fnv.New64a()
		_, _ = h.Write([]byte(e.cred.ID)) // it never fails
		ix.ring.hashes[i] = h.Sum64()
		for j := range e.points() {
			ix.ring.points = append(ix.ring.points, point{pointOf(ix.ring.hashes[i], j), int32(i)})
		}
	}
	slices.SortFunc(ix.ring.points, func(a, b point) int { return cmp.Compare(a.at, b.at) })
}

// probes is how many points are looked at one by one before the search begins at the other end, with
// those that can be lent: there are few of them then.
const probes = 64

// stick gives the credential of the first point behind that of the conversation, of those that can be
// lent and were not tried; -1 when there is none.
func (ix *index) stick(v *view, s span, talk uint64, tried []string) int {
	if ix.ring.points == nil {
		ix.layRing()
	}
	points, from := ix.ring.points, mix(talk)
	start, _ := slices.BinarySearchFunc(points, from, func(a point, at uint64) int { return cmp.Compare(a.at, at) })
	for j := range min(probes, len(points)) {
		if start+j == len(points) {
			start = -j
		}
		i := int(points[start+j].pos)
		if s.has(i) && v.has(i) && !slices.Contains(tried, ix.order[i].cred.ID) {
			return i
		}
	}
	at, best := -1, uint64(math.MaxUint64)
	if s.lo >= s.hi {
		return -1
	}
	for b, w := range v.fill(ix.scratch, s) {
		for ; w != 0; w &= w - 1 {
			i := (s.lo>>6+b)<<6 + bits.TrailingZeros64(w)
			if tried != nil && slices.Contains(tried, ix.order[i].cred.ID) {
				continue
			}
			for j := range ix.order[i].points() {
				if far := pointOf(ix.ring.hashes[i], j) - from; far <= best {
					at, best = i, far
				}
			}
		}
	}
	return at
}
