package schema

import (
	"bytes"
	"unicode/utf8"

	"gcli2api/pipeline/wire"
)

// value is a JSON value on the tape. Members and elements hang in a list: child is the first,
// next the one behind; 0, the root, ends it.
type value struct {
	key         []byte // of a member: decoded, valid UTF-8
	raw         []byte // of a scalar
	kind        wire.Kind
	child, next int32
}

// tape holds a document in the order of reading. Of members of one name only the last is linked.
type tape struct {
	v       []value
	index   map[int32]map[string]int32 // members of large objects
	anchors map[string]int32           // what $id, $anchor and $dynamicAnchor name; nil until asked for
	full    bool
}

// few members are compared one by one, more get an index.
const few = 16

func (t *tape) read(raw []byte) *fault {
	t.v = make([]value, 0, min(len(raw)/24+8, maxValues))
	switch wire.KindOf(raw) {
	case wire.KindObject:
		c := wire.CursorOf(raw)
		t.v = append(t.v, value{kind: wire.KindObject})
		t.members(&c, 0, 0)
		if c.Broken() {
			return because("is not valid JSON")
		}
	case wire.KindBool, wire.KindNull:
		t.v = append(t.v, value{kind: wire.KindOf(raw), raw: bytes.TrimSpace(raw)})
	case wire.KindArray: // what PHP makes of an empty object
		if a := wire.ArrayOf(raw); a.Next() || a.Err() != nil {
			return because("must be an object")
		}
		t.v = append(t.v, value{kind: wire.KindObject})
	default:
		return because("must be an object")
	}
	if t.full {
		return because("has too many values")
	}
	return nil
}

func (t *tape) element(c *wire.Cursor, key []byte, depth int) int32 {
	i := int32(len(t.v))
	if t.full = t.full || i >= maxValues || depth > 512; t.full {
		c.Skip()
		return 0
	}
	t.v = append(t.v, value{key: key, kind: c.Kind()})
	switch t.v[i].kind {
	case wire.KindObject:
		c.Object()
		t.members(c, i, depth)
	case wire.KindArray:
		c.Array()
		for last := int32(0); c.Element(); {
			last = t.link(i, last, t.element(c, nil, depth+1))
		}
	default:
		t.v[i].raw = c.Value()
	}
	return i
}

func (t *tape) members(c *wire.Cursor, i int32, depth int) {
	n := 0
	for last := int32(0); c.Member(); n++ {
		key := name(c.Key)
		last = t.link(i, last, t.element(c, key, depth+1))
	}
	t.unique(i, n)
}

// link hangs v behind last, or as the first below i, and gives what is last then.
func (t *tape) link(i, last, v int32) int32 {
	switch {
	case v == 0:
		return last
	case last == 0:
		t.v[i].child = v
	default:
		t.v[last].next = v
	}
	return v
}

// name decodes a key. Most are written plainly and stay a part of the document.
func name(key []byte) []byte {
	if bytes.IndexByte(key, '\\') >= 0 {
		quoted := append(append(append(make([]byte, 0, len(key)+2), '"'), key...), '"')
		key = wire.AppendText(nil, quoted)
	}
	return valid(key)
}

func valid(s []byte) []byte {
	if utf8.Valid(s) {
		return s
	}
	return []byte(string([]rune(string(s)))) // every byte that is no part of a rune becomes U+FFFD
}

// unique unlinks every member that a later one of its name replaces; n is how many there are.
func (t *tape) unique(i int32, n int) {
	if n > few {
		last := make(map[string]int32, n)
		for c := t.v[i].child; c != 0; c = t.v[c].next {
			last[string(t.v[c].key)] = c
		}
		if t.index == nil {
			t.index = map[int32]map[string]int32{}
		}
		if t.index[i] = last; len(last) < n {
			t.keep(i, func(c int32) bool { return last[string(t.v[c].key)] == c })
		}
		return
	}
	for c := t.v[i].child; c != 0; c = t.v[c].next {
		if t.again(c) {
			t.keep(i, func(c int32) bool { return !t.again(c) })
			return
		}
	}
}

func (t *tape) again(c int32) bool {
	for d := t.v[c].next; d != 0; d = t.v[d].next {
		if bytes.Equal(t.v[c].key, t.v[d].key) {
			return true
		}
	}
	return false
}

func (t *tape) keep(i int32, wanted func(int32) bool) {
	last, next := int32(0), int32(0)
	first := t.v[i].child
	t.v[i].child = 0
	for c := first; c != 0; c = next {
		if next = t.v[c].next; wanted(c) {
			t.v[c].next = 0
			last = t.link(i, last, c)
		}
	}
}

// member finds a member of the object i by its name, 0 when there is none.
func (t *tape) member(i int32, name string) int32 {
	if all, ok := t.index[i]; ok {
		return all[name]
	}
	for c := t.v[i].child; c != 0; c = t.v[c].next {
		if string(t.v[c].key) == name {
			return c
		}
	}
	return 0
}

// text decodes the string c.
func (t *tape) text(c int32) []byte {
	inner, _ := wire.Inner(t.v[c].raw)
	if bytes.IndexByte(inner, '\\') >= 0 {
		inner = wire.AppendText(make([]byte, 0, len(inner)), t.v[c].raw)
	}
	return valid(inner)
}

func (t *tape) isFalse(c int32) bool { return t.v[c].kind == wire.KindBool && t.v[c].raw[0] == 'f' }
func (t *tape) isTrue(c int32) bool  { return t.v[c].kind == wire.KindBool && t.v[c].raw[0] == 't' }

// compact appends the value c as JSON without white space, or stops some way behind limit bytes.
func (t *tape) compact(dst []byte, c int32, limit int) []byte {
	v := &t.v[c]
	var open, shut byte
	switch v.kind {
	case wire.KindObject:
		open, shut = '{', '}'
	case wire.KindArray:
		open, shut = '[', ']'
	case wire.KindString:
		return wire.AppendQuotedBytes(dst, t.text(c))
	default:
		return append(dst, v.raw...)
	}
	dst = append(dst, open)
	for m := v.child; m != 0 && len(dst) <= limit; m = t.v[m].next {
		if m != v.child {
			dst = append(dst, ',')
		}
		if v.kind == wire.KindObject {
			dst = append(wire.AppendQuotedBytes(dst, t.v[m].key), ':')
		}
		dst = t.compact(dst, m, limit)
	}
	return append(dst, shut)
}
