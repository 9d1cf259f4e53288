package schema

import (
	"math"
	"slices"
	"strconv"

	"gcli2api/pipeline/wire"
)

// sorted is what an enum consists of.
type sorted struct {
	kept          []datum
	types         kinds
	yes, no, null bool
	nested        bool // there are objects or lists
}

// enumeration keeps of an enum what Google takes, which is strings and numbers, each once; the rest
// becomes types or words.
func (j *job) enumeration(n *node, level int) *fault {
	if n.enum == nil {
		return nil
	}
	s := n.sort()
	whole := n.enum
	switch {
	case s.nested, s.types == 0 && !s.null,
		s.types&kBoolean != 0 && len(s.kept) > 0 && (n.anyOf != nil || level >= maxLevel):
		n.enum = nil
		return j.oneOf(n, whole)
	}
	given := n.types
	if n.enum = s.kept; len(s.kept) == 0 {
		n.enum = nil
	}
	switch {
	case given == 0:
		n.types = s.types
		if s.null {
			n.types |= kNull
		}
	case s.types == 0:
		n.types = kNull
	default:
		n.types = given & (s.types | kNull)
		if s.types&(kNumber|kInteger) != 0 {
			n.types |= given & (kNumber | kInteger)
		}
	}
	if s.yes != s.no {
		say := "always "
		if len(s.kept) > 0 {
			say = "of true and false only "
		}
		return j.hint(n, hint{"const", say + strconv.FormatBool(s.yes)}, true)
	}
	return nil
}

// sort looks at every value. One of another type than the schema's is converted if that is sure to
// be meant, else it can never be chosen.
func (n *node) sort() sorted {
	s := sorted{kept: make([]datum, 0, len(n.enum))}
	seen := newSeen(len(n.enum))
	for _, d := range n.enum {
		d = n.convert(d)
		k := typeOf(d)
		if d.kind != wire.KindObject && d.kind != wire.KindArray && !n.allows(k) || seen.again(d, s.kept) {
			continue
		}
		switch d.kind {
		case wire.KindNull:
			s.null = true
			continue
		case wire.KindBool:
			s.yes, s.no = s.yes || d.text[0] == 't', s.no || d.text[0] == 'f'
		case wire.KindObject, wire.KindArray:
			s.nested = true
		default:
			s.kept = append(s.kept, d)
		}
		s.types |= k
	}
	return s
}

// allows reports whether the schema has the type k.
func (n *node) allows(k kinds) bool {
	return k != 0 && n.types == 0 || n.types&k != 0 || k == kInteger && n.types&kNumber != 0
}

// seen finds values that were there before; only large enums need a set.
type seen map[string]bool

func newSeen(size int) seen {
	if size <= few {
		return nil
	}
	return make(seen, size)
}

func (s seen) again(d datum, kept []datum) bool {
	if s == nil {
		return slices.ContainsFunc(kept, func(k datum) bool { return k.kind == d.kind && string(k.text) == string(d.text) })
	}
	id := d.id()
	if s[id] {
		return true
	}
	s[id] = true
	return false
}

func typeOf(d datum) kinds {
	switch d.kind {
	case wire.KindString:
		return kString
	case wire.KindBool:
		return kBoolean
	case wire.KindNull:
		return kNull
	case wire.KindObject:
		return kObject
	case wire.KindArray:
		return kArray
	}
	f, ok := wire.Float(d.text)
	switch {
	case !ok:
		return 0 // too large for Google
	case f == math.Trunc(f):
		return kInteger
	}
	return kNumber
}

// convert reads 1 as "1" where only strings are allowed, and "1" as 1 where only numbers are.
func (n *node) convert(d datum) datum {
	switch only := n.types &^ kNull; {
	case only == kString && (d.kind == wire.KindNumber || d.kind == wire.KindBool):
		d.kind = wire.KindString
	case only&^(kNumber|kInteger) == 0 && only != 0 && d.kind == wire.KindString && len(d.text) > 0 && len(d.text) <= 64:
		if c := d.text[0]; c == '-' || c >= '0' && c <= '9' {
			if _, ok := wire.Float(d.text); ok {
				d.kind = wire.KindNumber
			}
		}
	}
	return d
}

// oneOf says the values of an enum in words.
func (j *job) oneOf(n *node, enum []datum) *fault {
	text := []byte("one of: ")
	for i, d := range enum {
		if i > 0 {
			text = append(text, ", "...)
		}
		if d.kind == wire.KindString {
			text = wire.AppendQuotedBytes(text, d.text)
		} else {
			text = append(text, d.text...)
		}
		if len(text) > maxHint {
			j.note("enum")
			return nil
		}
	}
	return j.hint(n, hint{"enum", string(text)}, true)
}

// splits reports whether the types of a schema have to become alternatives.
func splits(n *node, level int) bool {
	return n.types != 0 && n.types != kNull && !n.types.single() && n.anyOf == nil && level < maxLevel
}

// split makes an alternative for each type, with the keywords that belong to it.
func (n *node) split() {
	for bit := kString; bit < kNull; bit <<= 1 {
		if n.types&bit == 0 {
			continue
		}
		b := &node{types: bit}
		b.came(wType)
		for _, w := range n.order[:n.ordered] {
			n.give(b, w)
		}
		n.anyOf = append(n.anyOf, b)
	}
	n.nullable = n.nullable || n.types&kNull != 0
	n.dropObject()
	n.dropArray()
	n.dropNumber()
	n.types, n.enum, n.format = 0, nil, nil
	n.becomes(wType, wAnyOf)
}

// give hands the keyword w to the alternative b if it belongs to its type.
func (n *node) give(b *node, w word) {
	switch w {
	case wFormat:
		if known(n.format)&b.types == 0 {
			return
		}
		b.format = n.format
	case wEnum:
		for _, d := range n.enum {
			if k := typeOf(d); k&b.types != 0 || k == kInteger && b.types == kNumber {
				b.enum = append(b.enum, d)
			}
		}
	case wItems, wPrefixItems, wMinItems, wMaxItems:
		if b.types != kArray {
			return
		}
		b.items, b.prefix, b.minItems, b.maxItems = n.items, n.prefix, n.minItems, n.maxItems
	case wMinimum, wMaximum:
		if b.types&(kNumber|kInteger) == 0 {
			return
		}
		b.minimum, b.maximum = n.minimum, n.maximum
	case wProperties, wAdditional, wRequired, wOrdering:
		if b.types != kObject {
			return
		}
		b.props, b.required, b.ordering, b.extra, b.rest = n.props, n.required, n.ordering, n.extra, n.rest
	default:
		return
	}
	b.came(w)
}

// limits turns exclusive limits into the inclusive ones that Google knows.
func (j *job) limits(n *node) *fault {
	if n.more != nil {
		limit, exact := n.next(n.more, 1)
		if tighter(&n.minimum, limit, true); !exact && string(n.minimum) == string(limit) {
			if f := j.hint(n, hint{"exclusiveMinimum", "greater than " + string(limit)}, true); f != nil {
				return f
			}
		}
	}
	if n.less != nil {
		limit, exact := n.next(n.less, -1)
		if tighter(&n.maximum, limit, false); !exact && string(n.maximum) == string(limit) {
			if f := j.hint(n, hint{"exclusiveMaximum", "less than " + string(limit)}, true); f != nil {
				return f
			}
		}
	}
	n.more, n.less = nil, nil
	return nil
}

// next is the whole number beside limit, if the schema is of whole numbers and there is one.
func (n *node) next(limit []byte, step int64) (next []byte, exact bool) {
	v, whole := wire.Int(limit)
	if !whole || n.types&^kNull != kInteger || step > 0 && v == math.MaxInt64 || step < 0 && v == math.MinInt64 {
		return limit, false
	}
	return strconv.AppendInt(nil, v+step, 10), true
}
