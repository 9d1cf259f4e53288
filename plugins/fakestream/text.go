package fakestream

import "unicode/utf8"

// cutText is how many bytes the next piece of a text has: at most n characters, up to the last space
// among them where there is one. text is the inside of a JSON string, n at least 1.
//
// A piece that ends at a space leaves a run without one behind, so that two pieces in a row have n
// characters together: no character is looked at more than twice.
func cutText(text []byte, n int) int {
	i, space := 0, 0
	for ; n > 0 && i < len(text); n-- {
		size, blank := character(text[i:])
		if i += size; blank {
			space = i
		}
	}
	if i == len(text) || space == 0 {
		return i
	}
	return space
}

// character is the length of the first character, and whether a word ends with it. An escape is one
// character; so are the two that stand for halves of one.
func character(text []byte) (size int, blank bool) {
	switch c := text[0]; {
	case c == '\\' && len(text) > 1:
		if text[1] != 'u' {
			return 2, text[1] == 'n'
		}
		if half(text, "89abAB") && half(text[6:], "cdefCDEF") {
			return 12, false
		}
		return min(6, len(text)), false
	case c < utf8.RuneSelf:
		return 1, c == ' '
	}
	_, size = utf8.DecodeRune(text)
	return size, false
}

// half recognises one half of a pair: the escape of a surrogate whose second digit is one of these.
func half(text []byte, second string) bool {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' || text[2]|0x20 != 'd' {
		return false
	}
	for i := range len(second) {
		if text[3] == second[i] {
			return true
		}
	}
	return false
}
