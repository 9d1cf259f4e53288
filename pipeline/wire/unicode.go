package wire

import (
	"bytes"
	"unicode/utf8"
)

// NotText is the offset of the first byte of a scanned document that is no text: not UTF-8, or the
// escape of half a surrogate pair. -1 when all is well. Google refuses such a document whole.
func NotText(doc []byte) int {
	if !utf8.Valid(doc) {
		for i := 0; i < len(doc); {
			r, n := utf8.DecodeRune(doc[i:])
			if r == utf8.RuneError && n == 1 {
				return i
			}
			i += n
		}
	}
	return halfPair(doc)
}

// halfPair looks at the escapes that can be a half: \ud800 to \udfff, in either case.
func halfPair(doc []byte) int {
	for i := 0; i < len(doc); {
		k := nextHalf(doc[i:])
		if k < 0 {
			return -1
		}
		at := i + k
		i = at + 2
		if escapedAt(doc, at) {
			continue
		}
		r, ok := hex4(doc[min(at+2, len(doc)):])
		if !ok || r < 0xD800 || r > 0xDFFF {
			continue
		}
		i = at + 6
		low, ok := rune(0), false
		if r < 0xDC00 && len(doc) >= i+6 && doc[i] == '\\' && doc[i+1] == 'u' {
			low, ok = hex4(doc[i+2:])
		}
		if !ok || low < 0xDC00 || low > 0xDFFF {
			return at
		}
		i += 6
	}
	return -1
}

// nextHalf finds `\ud` or `\uD`.
func nextHalf(doc []byte) int {
	for i := 0; ; {
		k := bytes.Index(doc[i:], []byte(`\u`))
		if k < 0 || i+k+2 >= len(doc) {
			return -1
		}
		i += k
		if doc[i+2]|0x20 == 'd' {
			return i
		}
		i += 2
	}
}

// escapedAt tells that the backslash at i is itself what a backslash before it stands for.
func escapedAt(doc []byte, i int) bool {
	n := i
	for n > 0 && doc[n-1] == '\\' {
		n--
	}
	return (i-n)&1 == 1
}
