package postgres

import (
	"math"
	"math/rand/v2"
	"testing"

	"gcli2api/store"
)

// TestFold compares one step with the row of steps that it stands for.
func TestFold(t *testing.T) {
	odd := []int64{0, 1, -1, 2, -2, 5, -5, 100, math.MaxInt64, math.MaxInt64 - 1, math.MinInt64, math.MinInt64 + 1, -math.MaxInt64 + 3, math.MaxInt64 / 2, -math.MaxInt64 / 2}
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 300_000 {
		deltas := make([]store.Delta, 1+rnd.IntN(5))
		for i := range deltas {
			deltas[i] = store.Delta{Counter: "a", N: odd[rnd.IntN(len(odd))]}
		}
		value := max(odd[rnd.IntN(len(odd))], 0)
		want := value
		for _, d := range deltas {
			want = stop(want, d.N)
		}
		s, got := fold(deltas), value
		if len(s.names) == 1 {
			got = min(max(saturated(value, s.n[0]), s.low[0]), s.high[0])
			if s.plain {
				got = saturated(value, s.n[0])
			}
		}
		if got != want {
			t.Fatalf("%v on %d: %d, want %d (%+v)", deltas, value, got, want, s)
		}
	}
}

func TestFoldRows(t *testing.T) {
	s := fold([]store.Delta{{Counter: "b", N: 1}, {Counter: "a", N: 2}, {Counter: "b", N: 3}, {Counter: "c", N: 0}})
	if !s.plain || len(s.names) != 2 || s.names[0] != "a" || s.names[1] != "b" || s.n[1] != 4 {
		t.Errorf("%+v", s)
	}
}

func TestSuccessor(t *testing.T) {
	for prefix, want := range map[string]string{"": "", "a": "b", "az": "a{", "a\U0010ffff": "b", "\U0010ffff": "", "\ud7ff": "\ue000", "中": "丮"} {
		if got := successor(prefix); got != want {
			t.Errorf("%q: %q, want %q", prefix, got, want)
		}
	}
}

func TestWhole(t *testing.T) {
	for s, want := range map[string]string{"": "", "a中": "a中", "a\x00b": "a", "a\xffb": "a", "\ufffdx": "\ufffdx", "a\xe4\xb8": "a"} {
		if got, all := whole(s); got != want || all != (got == s) {
			t.Errorf("%q: %q %v, want %q", s, got, all, want)
		}
	}
}
