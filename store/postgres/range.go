package postgres

import (
	"unicode/utf8"
)

// Names are UTF-8, and the server takes nothing else as a text. What they are compared with may be any
// bytes: whole is the part of it that is a text, and all where that is everything.
func whole(s string) (text string, all bool) {
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == 0 || r == utf8.RuneError && size == 1 {
			return s[:i], false
		}
		i += size
	}
	return s, true
}

// successor is the first text behind all those that begin with prefix; "" is none.
func successor(prefix string) string {
	runes := []rune(prefix)
	for n := len(runes) - 1; n >= 0; n-- {
		if r := runes[n] + 1; r <= utf8.MaxRune {
			if r == 0xd800 { // surrogates are no text
				r = 0xe000
			}
			return string(runes[:n]) + string(r)
		}
	}
	return ""
}
