package logging

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// slow is what index.apply does, looked for one secret at a time.
func slow(text string, secrets []string) string {
	var covered []span
	for _, s := range secrets {
		for i := 0; i+len(s) <= len(text); i++ {
			if text[i:i+len(s)] == s {
				covered = append(covered, span{i, i + len(s)})
			}
		}
	}
	for changed := true; changed; { // joined until nothing overlaps
		changed = false
		for i := range covered {
			for j := i + 1; j < len(covered) && !changed; j++ {
				if a, b := covered[i], covered[j]; a.start < b.end && b.start < a.end {
					covered[i] = span{min(a.start, b.start), max(a.end, b.end)}
					covered = append(covered[:j], covered[j+1:]...)
					changed = true
				}
			}
			if changed {
				break
			}
		}
	}
	var out strings.Builder
	for i := 0; i <= len(text); i++ {
		for _, c := range covered {
			if c.start == i {
				out.WriteString(stars)
				i = c.end
				break
			}
		}
		adjacent := false
		for _, c := range covered {
			adjacent = adjacent || c.start == i
		}
		if adjacent {
			i--
			continue
		}
		if i < len(text) {
			out.WriteByte(text[i])
		}
	}
	return out.String()
}

// Texts and secrets of three letters overlap, repeat and share their tails all the time.
func TestIndexFindsWhatIsThere(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	random := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = "aab"[r.IntN(3)]
		}
		return string(b)
	}
	masked := 0
	for range 5000 {
		var x index
		var secrets []string
		for range 1 + r.IntN(40) {
			secrets = append(secrets, random(tail+r.IntN(6)))
			x.add(secrets[len(secrets)-1])
		}
		text := random(r.IntN(60))
		got, want := x.apply(text), slow(text, secrets)
		if got != want {
			t.Fatalf("%q with %q: %q, want %q", text, secrets, got, want)
		}
		if got != text {
			masked++
		}
	}
	if masked < 1000 {
		t.Errorf("only %d texts had a secret", masked)
	}
}

func TestThousandsOfSecretsAreHidden(t *testing.T) {
	var m masker
	for i := range 3000 {
		m.hide(fmt.Sprintf("%d-secret/of-the-test-%d", i, i))
	}
	for i := range 3000 {
		line := fmt.Sprintf("x %d-secret/of-the-test-%d y %d-secret%%2Fof-the-test-%d", i, i, i, i)
		if got := m.apply(line); got != "x *** y ***" {
			t.Fatalf("%q became %q", line, got)
		}
	}
}

// BenchmarkMask is one value of a line beside many secrets: what it costs must not grow with them.
func BenchmarkMask(b *testing.B) {
	for _, n := range []int{1, 100, 30_000} {
		b.Run(fmt.Sprintf("secrets=%d", n), func(b *testing.B) {
			var m masker
			for i := range n {
				m.hide(fmt.Sprintf("1//0gMadeUpForTheTest%030d", i))
			}
			b.ReportAllocs()
			for b.Loop() {
				m.apply("the request to gemini-2.5-pro was answered after 1.5s by ann-00017.json")
			}
		})
	}
}
