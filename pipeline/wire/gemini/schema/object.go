package schema

import (
	"bytes"
	"slices"
)

// object makes the root the schema of a function's parameters.
func (j *job) object(n *node) *fault {
	if f := j.fold(n); f != nil {
		return f
	}
	if n.never {
		*n = node{}
	}
	if n.types != 0 && n.types&kObject == 0 {
		return &fault{path: ".type", why: "must be object: these are the parameters of a function"}
	}
	if n.enum != nil {
		n.enum = nil
		j.note("enum")
	}
	n.front(wType)
	n.types, n.nullable = kObject, false
	n.came(wProperties)
	return j.finish(n, 0)
}

// fold puts the alternatives of an object together into one: every property of any of them, and
// required what all of them require.
func (j *job) fold(n *node) *fault {
	if f := j.alternatives(n); f != nil || n.anyOf == nil {
		return f
	}
	var objects []*node
	for _, b := range n.anyOf {
		if f := j.fold(b); f != nil {
			return f
		}
		if b.types == 0 || b.types&kObject != 0 {
			objects = append(objects, b)
		} else {
			j.note("anyOf")
		}
	}
	if len(objects) == 0 {
		return &fault{path: ".anyOf", why: "must have an object among its alternatives: these are the parameters of a function"}
	}
	sum := &node{}
	for _, w := range [...]word{wType, wProperties, wRequired} {
		sum.came(w)
	}
	sum.types = kObject
	always := shared(objects)
	if f := j.variants(sum, objects, &always); f != nil {
		return f
	}
	sum.required = always
	for _, b := range objects {
		if f := j.widen(sum, b); f != nil {
			return f
		}
	}
	n.anyOf = nil
	return j.merge(n, sum, false)
}

// shared is the names that all require.
func shared(objects []*node) names {
	var s names
	times := map[string]int{}
	for _, b := range objects {
		for _, name := range b.required.list {
			times[string(name)]++
		}
	}
	for _, name := range objects[0].required.list {
		if times[string(name)] == len(objects) {
			s.add(name)
		}
	}
	return s
}

// variants says what each of the objects requires besides what all do.
func (j *job) variants(sum *node, objects []*node, always *names) *fault {
	var plain []byte
	for _, b := range objects {
		var own [][]byte
		for _, name := range b.required.list {
			if !always.has(name) {
				own = append(own, name)
			}
		}
		label := b.label()
		switch {
		case own == nil:
		case label == "" && len(plain) > maxHint:
		case label == "":
			if plain != nil {
				plain = append(plain, " | "...)
			}
			plain = appendNames(plain, own)
		default:
			text := appendNames([]byte(label+" requires "), own)
			if f := j.hint(sum, hint{"anyOf", cut(string(text), maxHint)}, true); f != nil {
				return f
			}
		}
	}
	if plain == nil {
		return nil
	}
	return j.hint(sum, hint{"anyOf", cut("one of these is required: "+string(plain), maxHint)}, true)
}

// label is the property that has one value only: it tells an alternative from the others.
func (n *node) label() string {
	for _, p := range n.props.list {
		if len(p.node.enum) == 1 {
			return cut(string(p.name), maxName) + " " + quoted(p.node.enum[0].text)
		}
	}
	return ""
}

// widen adds to sum what b allows.
func (j *job) widen(sum, b *node) *fault {
	for _, p := range b.props.list {
		if have := sum.props.find(p.name); have != nil {
			have.node = j.either(have.node, p.node)
		} else {
			sum.props.add(p.name, p.node)
		}
	}
	for _, h := range b.hints {
		if f := j.hint(sum, h, true); f != nil {
			return f
		}
	}
	return nil
}

// either is a schema of what one or the other allows.
func (j *job) either(a, b *node) *node {
	switch {
	case same(a, b):
		return a
	case a.constant() && b.constant():
		a.enum = append(a.enum, b.enum...)
		if a.types == 0 || b.types == 0 {
			a.types = 0
		} else {
			a.types |= b.types
		}
		return a
	case !a.again:
		a = &node{again: true, anyOf: []*node{a}}
		a.came(wAnyOf)
	}
	for _, have := range a.anyOf {
		if same(have, b) {
			return a
		}
	}
	if len(a.anyOf) >= few {
		j.note("anyOf")
		return a
	}
	a.simple = false
	a.anyOf = append(a.anyOf, b)
	return a
}

// same reports whether two schemas allow the same; what they say in words may differ, unless it is
// about the values.
func same(a, b *node) bool {
	switch {
	case a == nil || b == nil:
		return a == b
	case a.types != b.types || a.nullable != b.nullable || a.never != b.never || a.extra != b.extra,
		!bytes.Equal(a.format, b.format) || !bytes.Equal(a.minItems, b.minItems) || !bytes.Equal(a.maxItems, b.maxItems),
		!bytes.Equal(a.minimum, b.minimum) || !bytes.Equal(a.maximum, b.maximum) || !bytes.Equal(a.more, b.more) || !bytes.Equal(a.less, b.less),
		!slices.EqualFunc(a.enum, b.enum, func(x, y datum) bool { return x.kind == y.kind && bytes.Equal(x.text, y.text) }),
		!slices.Equal(a.hints, b.hints),
		!slices.EqualFunc(a.required.list, b.required.list, bytes.Equal),
		!same(a.items, b.items) || !same(a.rest, b.rest):
		return false
	}
	return slices.EqualFunc(a.prefix, b.prefix, same) && slices.EqualFunc(a.anyOf, b.anyOf, same) &&
		slices.EqualFunc(a.props.list, b.props.list, func(x, y property) bool { return bytes.Equal(x.name, y.name) && same(x.node, y.node) })
}
