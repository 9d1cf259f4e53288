package schema

import (
	"slices"

	"gcli2api/pipeline/wire"
)

// alternatives simplifies anyOf: null among them is nullable, a single one is no alternative, and
// constants are an enum.
func (j *job) alternatives(n *node) *fault {
	for n.anyOf != nil && !n.simple {
		if f := j.settle(n, 0); f != nil {
			return f
		}
		if f := j.choosable(n); f != nil {
			return f
		}
		switch len(n.anyOf) {
		case 0:
			n.anyOf = nil
			if n.nullable && n.types == 0 && n.bare(wAnyOf, wTitle, wDescription) {
				n.types = kNull
				n.becomes(wAnyOf, wType)
			}
			continue
		case 1:
			only := n.anyOf[0]
			n.anyOf = nil
			if f := j.merge(n, only, false); f != nil {
				return f
			}
			continue
		}
		if f := j.compare(n); f != nil {
			return f
		}
	}
	return nil
}

// choosable simplifies each alternative and leaves those that can be chosen.
func (j *job) choosable(n *node) *fault {
	left := make([]*node, 0, len(n.anyOf))
	for _, b := range n.anyOf {
		if f := j.alternatives(b); f != nil {
			return f
		}
		switch {
		case b.never || n.excludes(b):
		case b.isNull():
			n.nullable = true
		case b.bare(wAnyOf) && b.onlyAnyOf(): // alternatives in an alternative
			left = append(left, b.anyOf...)
			n.nullable = n.nullable || b.nullable
		default:
			left = append(left, b)
		}
	}
	n.anyOf = left
	return nil
}

// compare looks for what two or more alternatives have in common.
func (j *job) compare(n *node) *fault {
	if all(n.anyOf, (*node).demand) {
		return j.demands(n)
	}
	for _, b := range n.anyOf {
		f := j.lift(n, b)
		if f == nil {
			f = j.settle(b, 0)
		}
		if n.types != 0 && b.types != 0 && !n.excludes(b) {
			b.types = n.types.meet(b.types)
		}
		if f == nil {
			f = j.prune(b)
		}
		if f != nil {
			return f
		}
		b.tidy()
	}
	switch {
	case slices.ContainsFunc(n.anyOf, (*node).isNull) || slices.ContainsFunc(n.anyOf, n.excludes):
	case all(n.anyOf, (*node).constant):
		return j.constants(n)
	default:
		n.simple = true
	}
	return nil
}

// excludes reports whether the types beside the alternatives leave no room for b.
func (n *node) excludes(b *node) bool {
	return n.types != 0 && b.types != 0 && n.types.meet(b.types) == 0
}

func all(list []*node, is func(*node) bool) bool {
	for _, n := range list {
		if !is(n) {
			return false
		}
	}
	return true
}

// isNull reports whether only null is allowed.
func (n *node) isNull() bool {
	if n.anyOf != nil || n.types != 0 && n.types&kNull == 0 {
		return false
	}
	other := slices.ContainsFunc(n.enum, func(d datum) bool { return d.kind != wire.KindNull })
	return n.types == kNull || len(n.enum) > 0 && !other
}

// demand reports whether a schema only says which properties must be there.
func (n *node) demand() bool {
	return len(n.required.list) > 0 && n.bare(wRequired, wType) && len(n.hints) == 0
}

// constant reports whether a schema only lists values.
func (n *node) constant() bool {
	return len(n.enum) > 0 && n.bare(wType, wEnum, wTitle, wDescription)
}

func (j *job) demands(n *node) *fault {
	text := []byte("one of these is required: ")
	for i, b := range n.anyOf {
		if i > 0 {
			text = append(text, " | "...)
		}
		if text = appendNames(text, b.required.list); len(text) > maxHint {
			break
		}
	}
	n.anyOf = nil
	return j.hint(n, hint{"anyOf", cut(string(text), maxHint)}, true)
}

func appendNames(dst []byte, list [][]byte) []byte {
	for i, name := range list {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		if dst = append(dst, name...); len(dst) > maxHint {
			break
		}
	}
	return dst
}

// constants makes one enum of alternatives that are values. What was said of each is kept.
func (j *job) constants(n *node) *fault {
	var enum []datum
	types, typed := kinds(0), true
	list := n.anyOf
	n.anyOf = nil
	for _, b := range list {
		enum = append(enum, b.enum...)
		types, typed = types|b.types, typed && b.types != 0
		n.nullable = n.nullable || b.nullable
		b.describe()
		about := b.description
		if about == nil {
			about = b.title
		}
		if about != nil && string(about) != string(b.enum[0].text) {
			text := string(b.enum[0].text) + ": " + string(about)
			if f := j.hint(n, hint{"enum", cut(text, maxHint)}, true); f != nil {
				return f
			}
		}
	}
	n.enum = common(n.enum, enum, false)
	if !n.has(wType) {
		n.becomes(wAnyOf, wType)
	}
	n.came(wEnum)
	if typed && n.types == 0 {
		n.types = types
	}
	return nil
}

// lift says in words that the alternative b asks for properties that are described beside it.
func (j *job) lift(n, b *node) *fault {
	var outer [][]byte
	for _, name := range b.required.list {
		if b.props.find(name) == nil && n.props.find(name) != nil {
			outer = append(outer, name)
		}
	}
	if outer == nil {
		return nil
	}
	text := "requires "
	if label := b.label(); label != "" {
		text = label + " requires "
	}
	return j.hint(b, hint{"required", cut(string(appendNames([]byte(text), outer)), maxHint)}, true)
}
