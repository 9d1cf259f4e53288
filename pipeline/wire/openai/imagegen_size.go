package openai

import "gcli2api/pipeline/wire/gemini"

// canvas is the shape of a picture as Google names it.
type canvas struct {
	ratio string
	size  string // "" where the model knows no sizes
	exact bool   // it is what was asked for, as near as Google's steps are
}

// ratio is width to height, one of those that Google's models draw in.
type ratio struct {
	wide, high int
	name       string
}

// ratios are those of every image model; longRatios those of Gemini 3.1 alone (protocol 8.1).
var (
	ratios = [...]ratio{{1, 1, "1:1"}, {3, 2, "3:2"}, {2, 3, "2:3"}, {4, 3, "4:3"}, {3, 4, "3:4"}, {5, 4, "5:4"}, {4, 5, "4:5"},
		{16, 9, "16:9"}, {9, 16, "9:16"}, {21, 9, "21:9"}}
	longRatios = [...]ratio{{4, 1, "4:1"}, {1, 4, "1:4"}, {8, 1, "8:1"}, {1, 8, "1:8"}}
)

// How many pixels a picture has at most that is made in each of Google's sizes. These stand for a
// square of that side, so that 1792x1024 is still of the first, and a screen of 3840x2160 of the last.
const (
	mostHalf = 512 * 768
	mostOneK = 2 << 20
	mostTwoK = 6 << 20
)

// canvasFor finds the nearest of what the model draws.
func canvasFor(wide, high int, t gemini.Target) canvas {
	long := t.Major == 3 && t.Minor == 1
	best := nearest(ratios[:], wide, high)
	if long {
		best = nearest(append(longRatios[:], best), wide, high)
	}
	c := canvas{ratio: best.name, exact: misfit(best, wide, high) == 1}
	asked := "4K"
	switch n := wide * high; {
	case n <= mostHalf:
		asked = "512"
	case n <= mostOneK:
		asked = "1K"
	case n <= mostTwoK:
		asked = "2K"
	}
	switch {
	case t.Major < 3: // pictures of about a thousand pixels a side, whatever is asked
		c.exact = c.exact && asked == "1K"
	case asked == "512" && !long:
		c.size, c.exact = "1K", false
	default:
		c.size = asked
	}
	return c
}

// nearest is the first of the ratios that fit best.
func nearest(list []ratio, wide, high int) ratio {
	best := list[0]
	for _, s := range list[1:] {
		if misfit(s, wide, high) < misfit(best, wide, high) {
			best = s
		}
	}
	return best
}

// misfit is by which factor the shape is too wide or too high, 1 when it fits.
func misfit(s ratio, wide, high int) float64 {
	a, b := float64(wide*s.high), float64(high*s.wide)
	return max(a, b) / min(a, b)
}

// pixels reads a number of at most five digits, 0 for anything else.
func pixels(word string) int {
	n := 0
	for _, c := range []byte(word) {
		if c < '0' || c > '9' || len(word) > 5 {
			return 0
		}
		n = n*10 + int(c-'0')
	}
	return n
}
