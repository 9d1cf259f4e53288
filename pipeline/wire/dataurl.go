package wire

import (
	"bytes"
	"strconv"
)

// MaxDataHead is how long the part of a data URL before its comma may be, escapes included.
const MaxDataHead = 256

// CutDataURL splits `data:<mime>[;parameters];base64,<data>`, given as the inside of a string. mime
// has only characters that need no escape; data is as written and not empty. room is for a header
// with escapes: PHP writes every slash with one.
func CutDataURL(room, inner []byte) (mime, data []byte, ok bool) {
	comma := bytes.IndexByte(inner[:min(len(inner), MaxDataHead-2)], ',')
	if comma < 0 || comma+1 == len(inner) {
		return nil, nil, false
	}
	head := inner[:comma]
	if bytes.IndexByte(head, '\\') >= 0 {
		var quoted [MaxDataHead]byte
		head = AppendText(room, append(append(append(quoted[:0], '"'), head...), '"'))
	}
	const scheme, ending = "data:", ";base64"
	if len(head) < len(scheme)+len(ending) || !bytes.EqualFold(head[:len(scheme)], []byte(scheme)) ||
		!bytes.EqualFold(head[len(head)-len(ending):], []byte(ending)) {
		return nil, nil, false
	}
	mime, _, _ = bytes.Cut(head[len(scheme):], []byte(";"))
	if !mimeType(mime) {
		return nil, nil, false
	}
	if bytes.EqualFold(mime, []byte("image/jpg")) { // no such type; Google knows image/jpeg only
		mime = []byte("image/jpeg")
	}
	return mime, inner[comma+1:], true
}

// mimeType tells whether b is type/subtype, of the characters of RFC 6838.
func mimeType(b []byte) bool {
	slashes := 0
	for i, c := range b {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '/' && i > 0 && i < len(b)-1:
			slashes++
		case bytes.IndexByte([]byte("!#$&-^_.+"), c) < 0:
			return false
		}
	}
	return slashes == 1
}

// MaxBase64 is how many letters of base64 the 20 MB are that Google takes in a request (protocol 3.4).
const MaxBase64 = 28 << 20

// AppendBase64 appends data without escapes and line ends, which some encoders put in and Google
// refuses; false when it is not base64, in either alphabet, padded or not. Spaces stay: Google skips
// them.
func AppendBase64(dst, data []byte) ([]byte, bool) {
	from := len(dst)
	for {
		i := bytes.IndexByte(data, '\\')
		if i < 0 {
			dst = append(dst, data...)
			return dst, isBase64(dst[from:])
		}
		dst = append(dst, data[:i]...)
		c, rest := escaped(data[i+1:])
		switch c {
		case 0:
			return dst, false
		case '\n', '\r':
		default:
			dst = append(dst, c)
		}
		data = rest
	}
}

// isBase64 looks at every letter: the data may be megabytes, so that there is one branch for eight.
func isBase64(b []byte) bool {
	padded := len(b)
	b = bytes.TrimRight(b, "=")
	n, all := len(b), byte(letter)
	for ; len(b) >= 8; b = b[8:] {
		p := b[:8:8]
		all |= letters[p[0]] | letters[p[1]] | letters[p[2]] | letters[p[3]] | letters[p[4]] | letters[p[5]] | letters[p[6]] | letters[p[7]]
	}
	for _, c := range b {
		all |= letters[c]
	}
	switch {
	case all == letter|blank: // where lines were wrapped; only the letters count
		return true
	case all != letter || n == 0 || n%4 == 1: // a single letter is six bits: no byte
		return false
	}
	return padded == n || padded%4 == 0 && padded-n <= 2
}

// letters says of every byte what it is in base64: a letter, a blank or, by a bit more, neither.
const (
	letter = '@'
	blank  = 'A'
	none32 = "CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC"

	letters = none32 +
		"ACCCCCCCCCC@C@C@" + // space, + - /
		"@@@@@@@@@@CCCCCC" + // 0 to 9
		"C@@@@@@@@@@@@@@@" + // A to O
		"@@@@@@@@@@@CCCC@" + // P to Z, _
		"C@@@@@@@@@@@@@@@" + // a to o
		"@@@@@@@@@@@CCCCC" + // p to z
		none32 + none32 + none32 + none32
)

// escaped is the letter that the escape behind a backslash means, 0 when it is none of base64, and
// what follows. .NET writes plus signs as \u002B. An escape is never cut short: the document was
// scanned.
func escaped(s []byte) (c byte, rest []byte) {
	switch s[0] {
	case '/':
		return '/', s[1:]
	case 'n', 'r':
		return '\n', s[1:]
	case 'u':
		n, err := strconv.ParseUint(string(s[1:5]), 16, 16)
		if err == nil && n < 0x80 {
			return byte(n), s[5:]
		}
	}
	return 0, nil
}
