package models

import "strings"

// Picture is what the suffixes of the name of an image model ask for. Which sizes and ratios a model
// has is not known here.
type Picture struct {
	Size  string // "2K", in Google's words; what Google has no word for as it was written
	Ratio string // "16:9", likewise
}

// pictureOf reads `-2k` and `-16x9`, given without the hyphen.
func pictureOf(word string) (p Picture, ok bool) {
	switch word {
	case "512":
		p.Size = "512"
	case "1k", "1K":
		p.Size = "1K"
	case "2k", "2K":
		p.Size = "2K"
	case "4k", "4K":
		p.Size = "4K"
	default:
		if n := len(word) - 1; n > 0 && digits(word[:n]) && (word[n] == 'k' || word[n] == 'K') {
			p.Size = word
		} else if wide, high, ok := strings.Cut(word, "x"); ok && digits(wide) && digits(high) {
			p.Ratio = colon(word)
		}
	}
	return p, p != Picture{}
}

// digits tells a number of one or two digits.
func digits(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(s) == 1 || len(s) == 2
}

// colon gives the ratio its usual form without making a new string for any that exists.
func colon(word string) string {
	for _, ratio := range [...]string{"1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9", "1:4", "4:1", "1:8", "8:1"} {
		if at := strings.IndexByte(ratio, ':'); len(word) == len(ratio) && word[:at] == ratio[:at] && word[at+1:] == ratio[at+1:] {
			return ratio
		}
	}
	return word
}

// String is the suffixes.
func (p Picture) String() string { return string(p.appendTo(nil)) }

// appendTo writes the suffixes.
func (p Picture) appendTo(b []byte) []byte {
	switch p.Size {
	case "":
	case "1K", "2K", "4K":
		b = append(b, '-', p.Size[0], 'k')
	default:
		b = append(append(b, '-'), p.Size...)
	}
	if wide, high, ok := strings.Cut(p.Ratio, ":"); ok {
		return append(append(append(append(b, '-'), wide...), 'x'), high...)
	}
	if p.Ratio != "" {
		b = append(append(b, '-'), p.Ratio...)
	}
	return b
}
