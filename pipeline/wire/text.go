package wire

import (
	"bytes"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// Text decodes the JSON string v; false when v is none. Lone surrogates become U+FFFD.
func Text(v []byte) (string, bool) {
	inner, ok := Inner(v)
	if !ok {
		return "", false
	}
	if bytes.IndexByte(inner, '\\') < 0 {
		return string(inner), true
	}
	b := unescape(make([]byte, 0, len(inner)), inner)
	return unsafe.String(unsafe.SliceData(b), len(b)), true // b is ours alone and never written again
}

// AppendText appends the decoded JSON string v to dst, or nothing when v is no string.
func AppendText(dst, v []byte) []byte {
	inner, ok := Inner(v)
	if !ok {
		return dst
	}
	return unescape(dst, inner)
}

// Inner is what stands between the quotes of the JSON string v, escapes as written. Inner parts of
// two strings may be joined and quoted again without decoding.
func Inner(v []byte) ([]byte, bool) {
	i := start(v)
	if i == len(v) || v[i] != '"' {
		return nil, false
	}
	end := skipString(v, i)
	if end < 0 {
		return nil, false
	}
	return v[i+1 : end-1], true
}

func unescape(dst, inner []byte) []byte {
	for {
		i := bytes.IndexByte(inner, '\\')
		if i < 0 || i+1 == len(inner) {
			return append(dst, inner...)
		}
		dst = append(dst, inner[:i]...)
		c := inner[i+1]
		inner = inner[i+2:]
		switch c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			dst, inner = unescapeRune(dst, inner)
			continue
		}
		dst = append(dst, c)
	}
}

// unescapeRune decodes what follows \u, with the second half of a surrogate pair.
func unescapeRune(dst, rest []byte) (out, left []byte) {
	r, ok := hex4(rest)
	if !ok {
		return append(dst, 'u'), rest
	}
	rest = rest[4:]
	if utf16.IsSurrogate(r) {
		low, ok := rune(-1), false
		if len(rest) >= 6 && rest[0] == '\\' && rest[1] == 'u' {
			low, ok = hex4(rest[2:])
		}
		if r = utf16.DecodeRune(r, low); ok && r != utf8.RuneError {
			rest = rest[6:]
		}
	}
	return utf8.AppendRune(dst, r), rest
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// AppendQuoted appends s as a JSON string: always valid UTF-8, every byte that is none becomes
// U+FFFD; nothing is escaped for HTML.
func AppendQuoted(dst []byte, s string) []byte {
	return AppendQuotedBytes(dst, unsafe.Slice(unsafe.StringData(s), len(s)))
}

// AppendQuotedBytes is AppendQuoted for bytes.
func AppendQuotedBytes(dst, s []byte) []byte {
	dst = append(dst, '"')
	if !utf8.Valid(s) {
		s = bytes.Join(invalidSplit(s), []byte("\uFFFD"))
	}
	for {
		i := special(s, 0)
		dst = append(dst, s[:i]...)
		if i == len(s) {
			return append(dst, '"')
		}
		dst = appendEscaped(dst, s[i])
		s = s[i+1:]
	}
}

// invalidSplit cuts s at every byte that is not part of a rune.
func invalidSplit(s []byte) [][]byte {
	var pieces [][]byte
	from := 0
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRune(s[i:])
		if r == utf8.RuneError && n == 1 {
			pieces = append(pieces, s[from:i])
			from = i + 1
		}
		i += n
	}
	return append(pieces, s[from:])
}

func appendEscaped(dst []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}

// Int reads the JSON number v when it is a whole one that fits; 1e3 and 100.0 are.
func Int(v []byte) (int64, bool) {
	v = v[start(v):]
	if n := len(v); n > 0 && n <= 18 {
		i, neg := 0, v[0] == '-'
		if neg {
			i++
		}
		var sum int64
		from := i
		for ; i < n && v[i] >= '0' && v[i] <= '9'; i++ {
			sum = sum*10 + int64(v[i]-'0')
		}
		if i > from && i == n {
			if neg {
				sum = -sum
			}
			return sum, true
		}
	}
	if KindOf(v) != KindNumber {
		return 0, false
	}
	if n, err := strconv.ParseInt(string(v), 10, 64); err == nil {
		return n, true
	}
	f, ok := Float(v)
	if !ok || f != math.Trunc(f) || f < -1<<63 || f >= 1<<63 {
		return 0, false
	}
	return int64(f), true
}

// Float reads the JSON number v.
func Float(v []byte) (float64, bool) {
	v = v[start(v):]
	if end, why := strict(v, 0, 0); why != "" || end != len(v) || KindOf(v) != KindNumber {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(v), 64)
	return f, err == nil
}

// Bool reads true or false.
func Bool(v []byte) (value, ok bool) {
	switch string(v[start(v):]) {
	case "true":
		return true, true
	case "false":
		return false, true
	}
	return false, false
}

// maxHeaderSafe is the longest name that is worth a place in a header.
const maxHeaderSafe = 64

// HeaderSafe is a name as it may stand in a list in a header: "?" for what is neither a letter, a
// digit nor one of "_-.[]", and cut when it is long.
func HeaderSafe(name string) string {
	cut := len(name) > maxHeaderSafe
	b := []byte(name[:min(len(name), maxHeaderSafe)])
	for i, c := range b {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' && c != '.' && c != '[' && c != ']' {
			b[i] = '?'
		}
	}
	if len(b) == 0 {
		return "?"
	}
	if cut {
		b = append(b, "..."...)
	}
	return string(b)
}
