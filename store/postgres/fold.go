package postgres

import (
	"math"
	"slices"
	"strings"

	"gcli2api/store"
)

// A difference that stops at zero and at the largest number, done after another one of its kind, is one of
// a more general kind: add n, then stay between low and high. So any row of differences to one counter
// becomes one step, which the server can do to a value that we do not know.
type shift struct {
	name         string
	n, low, high int64
}

// then is s followed by the difference n.
func (s *shift) then(n int64) {
	s.n = max(saturated(s.n, n), -math.MaxInt64) // beyond that the bounds decide whatever the value is
	s.low, s.high = stop(s.low, n), stop(s.high, n)
}

// stop is what becomes of a value of a counter, which is never negative.
func stop(value, n int64) int64 { return max(saturated(value, n), 0) }

func saturated(a, b int64) int64 {
	switch {
	case b > 0 && a > math.MaxInt64-b:
		return math.MaxInt64
	case b < 0 && a < math.MinInt64-b:
		return math.MinInt64
	}
	return a + b
}

// shifts is one batch as the server gets it: a name in each row, in order.
type shifts struct {
	names        []string
	n, low, high []int64
	plain        bool // nothing but additions
}

func fold(deltas []store.Delta) shifts {
	byName := make(map[string]*shift, len(deltas))
	all := make([]*shift, 0, len(deltas))
	for _, d := range deltas {
		s := byName[d.Counter]
		if s == nil {
			s = &shift{name: d.Counter, high: math.MaxInt64}
			byName[d.Counter], all = s, append(all, s)
		}
		s.then(d.N)
	}
	slices.SortFunc(all, func(a, b *shift) int { return strings.Compare(a.name, b.name) })
	out := shifts{plain: true, names: []string{}}
	for _, s := range all {
		if s.n == 0 && s.low == 0 && s.high == math.MaxInt64 {
			continue
		}
		out.names, out.n = append(out.names, s.name), append(out.n, s.n)
		out.low, out.high = append(out.low, s.low), append(out.high, s.high)
		out.plain = out.plain && s.n > 0 && s.low == s.n && s.high == math.MaxInt64
	}
	return out
}
