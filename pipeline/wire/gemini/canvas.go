package gemini

import "strings"

// Draws tells whether pictures can be asked of the model: it is known to draw, or nothing is known of it
// and the request wants a picture.
func (t *Target) Draws(asked bool) bool { return t.Image || asked && !t.Limits.Thinks() }

// Sizes are the words for imageSize that an image model knows, the smallest first (protocol 8.1). The
// second generation has none.
func (t *Target) Sizes() []string {
	switch {
	case t.Major < 3:
		return nil
	case t.long():
		return []string{"512", "1K", "2K", "4K"}
	}
	return []string{"1K", "2K", "4K"}
}

// Ratios are the words for aspectRatio that an image model knows.
func (t *Target) Ratios() []string {
	var names []string
	for _, r := range t.ratios() {
		names = append(names, r.name)
	}
	return names
}

// long tells the generation that draws small, and very long.
func (t *Target) long() bool { return t.Major == 3 && t.Minor == 1 }

func (t *Target) ratios() []ratio {
	if t.long() {
		return ratios[:]
	}
	return ratios[:usualRatios]
}

// ratio is width to height.
type ratio struct {
	wide, high int
	name       string
}

// ratios are those of every image model, and behind them those of Gemini 3.1 alone (protocol 8.1).
var ratios = [...]ratio{{1, 1, "1:1"}, {3, 2, "3:2"}, {2, 3, "2:3"}, {4, 3, "4:3"}, {3, 4, "3:4"}, {5, 4, "5:4"}, {4, 5, "4:5"},
	{16, 9, "16:9"}, {9, 16, "9:16"}, {21, 9, "21:9"}, {4, 1, "4:1"}, {1, 4, "1:4"}, {8, 1, "8:1"}, {1, 8, "1:8"}}

const usualRatios = len(ratios) - 4

// nearest is the first of the ratios that fit best.
func nearest(list []ratio, to ratio) ratio {
	best := list[0]
	for _, s := range list[1:] {
		if misfit(s, to) < misfit(best, to) {
			best = s
		}
	}
	return best
}

// misfit is by which factor the shape is too wide or too high, 1 when it fits.
func misfit(s, to ratio) float64 {
	a, b := float64(to.wide*s.high), float64(to.high*s.wide)
	return max(a, b) / min(a, b)
}

// How many pixels a picture has at most that is made in each of Google's sizes. These stand for a
// square of that side, so that 1792x1024 is still of the first, and a screen of 3840x2160 of the last.
const (
	mostHalf = 512 * 768
	mostOneK = 2 << 20
	mostTwoK = 6 << 20
)

// sizeFor is the size for a number of pixels.
func sizeFor(pixels int) string {
	switch {
	case pixels <= mostHalf:
		return "512"
	case pixels <= mostOneK:
		return "1K"
	case pixels <= mostTwoK:
		return "2K"
	}
	return "4K"
}

// sizeOf is a size of Google's, in either case; "" for other words.
func sizeOf(word string) string {
	switch word = strings.ToUpper(word); word {
	case "512", "1K", "2K", "4K":
		return word
	}
	return ""
}

// number reads at most five digits, 0 for anything else.
func number(word string) int {
	n := 0
	for _, c := range []byte(word) {
		if c < '0' || c > '9' || len(word) > 5 {
			return 0
		}
		n = n*10 + int(c-'0')
	}
	return n
}
