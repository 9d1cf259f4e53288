package schema

import "gcli2api/pipeline/wire"

// alternatives simplifies anyOf: null among them is nullable, a single one is no alternative, and
// constants are an enum.
func (j *job) alternatives(n *node) *fault {
	for n.anyOf != nil && !n.simple {
		if f := j.branches(n); f != nil {
			return f
		}
		switch {
		case len(n.anyOf) == 0:
			n.anyOf = nil
			if n.nullable && n.types == 0 && n.bare(wAnyOf, wTitle, wDescription) {
				n.types = kNull
				n.front(wType)
			}
		case len(n.anyOf) == 1:
			only := n.anyOf[0]
			n.anyOf = nil
			if f := j.merge(n, only, false); f != nil {
				return f
			}
		case all(n.anyOf, (*node).demand):
			if f := j.demands(n); f != nil {
				return f
			}
		case all(n.anyOf, (*node).constant):
			if f := j.constants(n); f != nil {
				return f
			}
		default:
			n.simple = true
			return j.lift(n)
		}
	}
	return nil
}

// branches simplifies each alternative and leaves those that can be chosen.
func (j *job) branches(n *node) *fault {
	left := make([]*node, 0, len(n.anyOf))
	for _, b := range n.anyOf {
		if f := j.alternatives(b); f != nil {
			return f
		}
		switch {
		case b.never:
		case b.isNull():
			n.nullable = true
		case b.anyOf != nil && b.bare(wAnyOf) && len(b.hints) == 0: // alternatives in an alternative
			left = append(left, b.anyOf...)
			n.nullable = n.nullable || b.nullable
		default:
			left = append(left, b)
		}
	}
	n.anyOf = left
	return nil
}

func all(list []*node, is func(*node) bool) bool {
	for _, n := range list {
		if !is(n) {
			return false
		}
	}
	return true
}

func (n *node) isNull() bool {
	if n.anyOf != nil || n.types != kNull && (n.types != 0 || len(n.enum) == 0) {
		return false
	}
	for _, d := range n.enum {
		if d.kind != wire.KindNull {
			return n.types == kNull
		}
	}
	return true
}

// demand reports whether a schema only says which properties must be there.
func (n *node) demand() bool {
	return len(n.required.list) > 0 && n.bare(wRequired, wType) && len(n.hints) == 0
}

// constant reports whether a schema only lists values.
func (n *node) constant() bool {
	return len(n.enum) > 0 && n.bare(wType, wEnum, wTitle, wDescription) && len(n.hints) == 0
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
	n.came(wEnum)
	if typed && n.types == 0 {
		n.types = types
		n.front(wType)
	}
	return nil
}

// lift says in words when an alternative asks for properties that are described beside it.
func (j *job) lift(n *node) *fault {
	if len(n.props.list) == 0 {
		return nil
	}
	for _, b := range n.anyOf {
		var outer [][]byte
		for _, name := range b.required.list {
			if b.props.find(name) == nil && n.props.find(name) != nil {
				outer = append(outer, name)
			}
		}
		if outer == nil {
			continue
		}
		text := appendNames([]byte("requires "), outer)
		if f := j.hint(b, hint{"required", cut(string(text), maxHint)}, true); f != nil {
			return f
		}
	}
	return nil
}
