package wire

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// Kind is what a JSON value is, judged by its first byte.
type Kind byte

// The kinds; None is nothing at all, or no JSON.
const (
	KindNone Kind = iota
	KindString
	KindNumber
	KindObject
	KindArray
	KindBool
	KindNull
)

// KindOf tells what v is without looking further than its first byte.
func KindOf(v []byte) Kind {
	i := start(v)
	if i == len(v) {
		return KindNone
	}
	switch c := v[i]; {
	case c == '"':
		return KindString
	case c == '{':
		return KindObject
	case c == '[':
		return KindArray
	case c == 't' || c == 'f':
		return KindBool
	case c == 'n':
		return KindNull
	case c == '-' || c >= '0' && c <= '9':
		return KindNumber
	}
	return KindNone
}

// Object iterates over the members of a JSON object without allocation:
//
//	for o := wire.ObjectOf(v); o.Next(); { switch { case o.Is("model"): use(o.Value) } }
//
// It is tolerant: surplus commas are passed over and values are not checked inside (Check is).
// nil and null have no members and no error.
type Object struct {
	Key   []byte // between the quotes, escapes as written; compare with Is, or string(Key) for what Google writes
	Value []byte // the raw value, no space around it

	doc []byte
	pos int
	bad bool
}

// ObjectOf starts at the first member of v.
func ObjectOf(v []byte) Object {
	pos, bad := open(v, '{')
	return Object{doc: v, pos: pos, bad: bad}
}

// Next moves to the next member and reports whether there is one.
func (o *Object) Next() bool {
	if o.pos < 0 || o.bad {
		return false
	}
	b, i := o.doc, next(o.doc, o.pos)
	if i < len(b) && b[i] == '}' {
		o.pos = -1
		return false
	}
	if i >= len(b) || b[i] != '"' {
		return o.broken(i)
	}
	key := skipString(b, i)
	if key < 0 {
		return o.broken(len(b))
	}
	at := space(b, key)
	if at >= len(b) || b[at] != ':' {
		return o.broken(at)
	}
	at = space(b, at+1)
	end := skip(b, at)
	if end < 0 {
		return o.broken(at)
	}
	o.Key, o.Value, o.pos = b[i+1:key-1], b[at:end], end
	return true
}

func (o *Object) broken(at int) bool {
	o.Key, o.Value, o.pos, o.bad = nil, nil, at, true
	return false
}

// Is reports whether the current member is called name, also when its key is written with escapes.
func (o *Object) Is(name string) bool { return keyIs(o.Key, name) }

// Err is nil when the object was read to its closing bracket, or as far as Next was called.
func (o *Object) Err() error {
	if !o.bad {
		return nil
	}
	return &SyntaxError{Offset: o.pos, Why: "broken object"}
}

// Array iterates over the elements of a JSON array; what is said of Object holds here.
type Array struct {
	Value []byte // the raw element, no space around it

	doc []byte
	pos int
	bad bool
}

// ArrayOf starts at the first element of v.
func ArrayOf(v []byte) Array {
	pos, bad := open(v, '[')
	return Array{doc: v, pos: pos, bad: bad}
}

// Next moves to the next element and reports whether there is one.
func (a *Array) Next() bool {
	if a.pos < 0 || a.bad {
		return false
	}
	b, i := a.doc, next(a.doc, a.pos)
	if i < len(b) && b[i] == ']' {
		a.pos, a.Value = -1, nil
		return false
	}
	end := skip(b, i)
	if end < 0 {
		a.Value, a.pos, a.bad = nil, i, true
		return false
	}
	a.Value, a.pos = b[i:end], end
	return true
}

// Err is nil when the array was read to its closing bracket, or as far as Next was called.
func (a *Array) Err() error {
	if !a.bad {
		return nil
	}
	return &SyntaxError{Offset: a.pos, Why: "broken array"}
}

// Get follows member names down from the object doc and returns the raw value, nil when it is not
// there. Of members of one name the first counts.
func Get(doc []byte, path ...string) []byte {
	for _, name := range path {
		o := ObjectOf(doc)
		for {
			if !o.Next() {
				return nil
			}
			if o.Is(name) {
				break
			}
		}
		doc = o.Value
	}
	return doc
}

func keyIs(key []byte, name string) bool {
	if len(key) <= len(name) { // an escape is longer than what it stands for
		return string(key) == name
	}
	if bytes.IndexByte(key, '\\') < 0 {
		return false
	}
	var room [64]byte
	return string(unescape(room[:0], key)) == name
}

// open is the position behind the opening bracket, negative when there is nothing to iterate over.
func open(v []byte, bracket byte) (pos int, bad bool) {
	i := start(v)
	switch {
	case i == len(v) || v[i] == 'n':
		return -1, false
	case v[i] != bracket:
		return i, true
	}
	return i + 1, false
}

// start is the index of the first byte behind a byte order mark and white space.
func start(b []byte) int {
	i := 0
	if len(b) >= 3 && b[0] == 0xEF && b[1] == 0xBB && b[2] == 0xBF {
		i = 3
	}
	return space(b, i)
}

func space(b []byte, i int) int {
	for i < len(b) && b[i] <= ' ' && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// next passes over white space and commas: Google's error bodies have been seen with doubled and
// trailing ones (protocol 4.1).
func next(b []byte, i int) int {
	for i < len(b) && (b[i] == ',' || b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// skip is the index behind the value at i, -1 when it has no end. Nothing inside is checked.
func skip(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		return skipNested(b, i)
	}
	from := i
	for i < len(b) && b[i] > ' ' && b[i] != ',' && b[i] != '}' && b[i] != ']' && b[i] != ':' && b[i] != '"' {
		i++
	}
	if i == from {
		return -1
	}
	return i
}

func skipNested(b []byte, i int) int {
	for depth := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			if i = skipString(b, i) - 1; i < 0 {
				return -1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}

// skipString is the index behind the string that opens at i, -1 when it does not close.
func skipString(b []byte, i int) int {
	// Most strings are names and short words, which cost less than calling IndexByte.
	for j := i + 1; j <= i+17 && j+8 <= len(b); j += 8 {
		if hit := quotes(binary.LittleEndian.Uint64(b[j:])); hit != 0 {
			if j += bits.TrailingZeros64(hit) >> 3; b[j] == '"' {
				return j + 1
			}
			break
		}
	}
	for j := i + 1; ; j++ {
		k := bytes.IndexByte(b[j:], '"')
		if k < 0 {
			return -1
		}
		j += k
		// An odd run of backslashes escapes the quote. Runs do not overlap: linear in all.
		n := j - 1
		for b[n] == '\\' && n > i {
			n--
		}
		if (j-n)&1 == 1 {
			return j + 1
		}
	}
}
