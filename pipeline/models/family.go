package models

import (
	"strconv"
	"strings"
)

// Line is the size class of a model: prices, thinking budgets and quotas go by it.
type Line uint8

// The lines.
const (
	OtherLine Line = iota // not a Gemini chat model, or one we cannot place
	Pro
	Flash
	FlashLite
	Image
)

// Family is what a name tells about a model, known or not.
type Family struct {
	Line  Line
	Major int // generation: 2 of "gemini-2.5-pro"; 0 when the name has none ("gemini-flash-latest")
	Minor int // 5 of "gemini-2.5-pro"
}

// FamilyOf reads the family off a base name.
func FamilyOf(base string) Family {
	rest, ok := strings.CutPrefix(base, "gemini-")
	if !ok {
		return Family{}
	}
	var f Family
	word, _, _ := strings.Cut(rest, "-")
	if major, minor, ok := generation(word); ok {
		f.Major, f.Minor = major, minor
	}
	f.Line = line(rest)
	return f
}

func generation(word string) (major, minor int, ok bool) {
	a, b, dotted := strings.Cut(word, ".")
	major, err := strconv.Atoi(a)
	if err != nil || major < 0 {
		return 0, 0, false
	}
	if !dotted {
		return major, 0, true
	}
	minor, err = strconv.Atoi(b)
	return major, minor, err == nil && minor >= 0
}

// line goes by whole words: "-promo" is not a pro. What speaks, listens or embeds is none of ours.
func line(rest string) (l Line) {
	for rest != "" {
		var word string
		word, rest, _ = strings.Cut(rest, "-")
		switch word {
		case "image":
			return Image
		case "tts", "embedding", "live", "audio", "native", "robotics":
			return OtherLine
		case "pro":
			l = Pro
		case "flash":
			l = Flash
		case "lite":
			if l == Flash {
				l = FlashLite
			}
		}
	}
	return l
}

// HasVariants tells whether the listing shows the model with features. Image models have none:
// their features would cost money and give nothing.
func (f Family) HasVariants() bool { return f.Line == Pro || f.Line == Flash || f.Line == FlashLite }

// Embeds tells a model that makes vectors and no words.
func Embeds(base string) bool { return strings.Contains(base, "embedding") }
