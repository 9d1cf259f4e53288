package mongo

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unicode/utf8"

	"gcli2api/store"
)

// step is one difference the slow way.
func step(x, n int64) int64 {
	switch {
	case n > 0 && x > math.MaxInt64-n:
		return math.MaxInt64
	case n < 0 && (n == math.MinInt64 || x < -n):
		return 0
	}
	return x + n
}

// TestSpans: a row of differences as one update is what they are one after the other, and where plain says
// that adding is exact, it is.
func TestSpans(t *testing.T) {
	edges := []int64{0, 1, -1, 2, -2, 5, -5, 100, -100, math.MaxInt64, -math.MaxInt64, math.MinInt64, math.MaxInt64 - 1, math.MinInt64 + 1, 1 << 62, -1 << 62}
	for range 200_000 {
		row := make([]store.Delta, 1+rand.IntN(6))
		for i := range row {
			row[i] = store.Delta{Counter: "a", N: edges[rand.IntN(len(edges))]}
		}
		whole, _ := spans(row)
		cut := rand.IntN(len(row))
		first, _ := spans(row[:cut])
		second, _ := spans(row[cut:])
		for _, x := range []int64{0, 1, 4, 99, math.MaxInt64, math.MaxInt64 - 3, rand.Int64()} {
			want := x
			for _, d := range row {
				want = step(want, d.N)
			}
			s, moves := whole["a"]
			if !moves {
				s = still()
			}
			if got := s.of(x); got != want {
				t.Fatalf("%d with %v is %d, want %d", x, row, got, want)
			}
			if from, to := s.plain(); from <= x && x <= to && plus(x, s.sum) != want {
				t.Fatalf("adding %d to %d is not exact for %v: %d", s.sum, x, row, want)
			}
			a, b := still(), still()
			if is, has := first["a"]; has {
				a = is
			}
			if is, has := second["a"]; has {
				b = is
			}
			if got := a.and(b).of(x); got != want {
				t.Fatalf("%v cut at %d: %d becomes %d, want %d", row, cut, x, got, want)
			}
		}
	}
}

// FuzzWithin: the range holds what begins with the prefix, and nothing else.
func FuzzWithin(f *testing.F) {
	for _, c := range []string{"use/1", "中", "\U0010ffff", "a\U0010ffff", "\ud7ff", "%"} {
		f.Add(c, c+"x")
		f.Add(c, "x")
		f.Add(c, c+"\U0010ffff\U0010ffff")
	}
	f.Fuzz(func(t *testing.T, prefix, name string) {
		if prefix == "" || !utf8.ValidString(prefix) || !utf8.ValidString(name) {
			return
		}
		is := within(prefix)
		upper, has := is["$lt"].(string)
		in := name >= is["$gte"].(string) && (!has || name < upper)
		if begins := len(name) >= len(prefix) && name[:len(prefix)] == prefix; begins != in && !(begins == false && in && !has) {
			t.Fatalf("%q within %q: %v (up to %q)", name, prefix, in, upper)
		}
		if has && !utf8.ValidString(upper) {
			t.Fatalf("the end %q is no text", upper)
		}
	})
}

func TestSecrets(t *testing.T) {
	for address, want := range map[string]string{
		"mongodb://u:p%40ss@h/db": "p@ss", "mongodb://u:p:w@h": "p:w", "mongodb+srv://u:secret@h/?x=@": "", "mongodb://h/": "",
	} {
		all := secrets(address)
		if all[0] != address || want != "" && !slices.Contains(all, want) {
			t.Errorf("%s: %q", address, all)
		}
	}
}
