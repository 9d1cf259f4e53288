package wire

import "bytes"

// Comma separates what follows from what stands before it in the same bracket. dst ends with that,
// or with the bracket itself.
func Comma(dst []byte) []byte {
	if c := dst[len(dst)-1]; c == '{' || c == '[' {
		return dst
	}
	return append(dst, ',')
}

// Key appends a member name, which needs no escapes, with a comma when it is not the first of its object.
func Key[T string | []byte](dst []byte, name T) []byte {
	dst = append(append(Comma(dst), '"'), name...)
	return append(dst, '"', ':')
}

// Inside is Inner for a value that a scan or an iterator cut out: its last byte is the quote, which
// need not be looked for again, through megabytes of a picture.
func Inside(v []byte) ([]byte, bool) {
	if len(v) < 2 || v[0] != '"' {
		return nil, false
	}
	return v[1 : len(v)-1], true
}

// PlainKey is a member name without the escapes that it may be written with.
func PlainKey(key []byte) []byte {
	if bytes.IndexByte(key, '\\') < 0 {
		return key
	}
	return AppendText(nil, append(append([]byte{'"'}, key...), '"'))
}

// Given tells that a member is there and not null.
func Given(v []byte) bool {
	kind := KindOf(v)
	return kind != KindNone && kind != KindNull
}

// Filled is Given, without an empty list or object, which clients send for nothing.
func Filled(v []byte) bool {
	switch KindOf(v) {
	case KindNull, KindNone:
		return false
	case KindArray:
		a := ArrayOf(v)
		return a.Next()
	case KindObject:
		o := ObjectOf(v)
		return o.Next()
	}
	return true
}
