package schema

import "gcli2api/pipeline/wire"

// merge makes dst say what both say: limits become tighter, properties and required are united, and
// where only one can be right it is src's if it wins. src must not be used afterwards.
func (j *job) merge(dst, src *node, wins bool) *fault {
	must := dst.must || src.must
	if dst.blank() {
		*dst = *src
		dst.must = must
		return nil
	}
	dst.must = must
	dst.never = dst.never || src.never
	dst.nullable = dst.nullable || src.nullable
	for _, w := range src.order[:src.ordered] {
		if f := j.mergeWord(dst, src, w, wins || !dst.has(w)); f != nil {
			return f
		}
		dst.came(w)
	}
	for _, h := range src.hints {
		if f := j.hint(dst, h, wins); f != nil {
			return f
		}
	}
	return nil
}

func (j *job) mergeWord(dst, src *node, w word, wins bool) (f *fault) {
	switch w {
	case wType:
		both := dst.types.meet(src.types)
		if both == 0 && wins {
			both = src.types
		}
		if both != 0 {
			dst.types = both
		}
	case wTitle:
		take(&dst.title, src.title, wins)
	case wDescription:
		take(&dst.description, src.description, wins)
	case wFormat:
		take(&dst.format, src.format, wins)
	case wEnum:
		dst.enum = common(dst.enum, src.enum, wins)
	case wMinimum:
		tighter(&dst.minimum, src.minimum, true)
		tighter(&dst.more, src.more, true)
	case wMaximum:
		tighter(&dst.maximum, src.maximum, false)
		tighter(&dst.less, src.less, false)
	case wMinItems:
		tighter(&dst.minItems, src.minItems, true)
	case wMaxItems:
		tighter(&dst.maxItems, src.maxItems, false)
	case wAnyOf:
		if dst.anyOf != nil { // all combinations would have to be written out
			j.note("anyOf")
		}
		if dst.anyOf == nil || wins {
			dst.anyOf = src.anyOf
		}
	default:
		f = j.mergeBelow(dst, src, w, wins)
	}
	return f
}

// mergeBelow is mergeWord for what has schemas or names in it.
func (j *job) mergeBelow(dst, src *node, w word, wins bool) (f *fault) {
	switch w {
	case wItems:
		dst.items, f = j.mergeOne(dst.items, src.items, wins)
	case wPrefixItems:
		for i, p := range src.prefix {
			if i == len(dst.prefix) {
				dst.prefix = append(dst.prefix, p)
			} else if f = j.merge(dst.prefix[i], p, wins); f != nil {
				return f
			}
		}
	case wProperties:
		return j.mergeProperties(dst, src, wins)
	case wAdditional:
		switch {
		case dst.extra == extraNo || src.extra == extraNo:
			dst.extra, dst.rest = extraNo, nil
		case src.extra == extraSchema:
			dst.extra = extraSchema
			dst.rest, f = j.mergeOne(dst.rest, src.rest, wins)
		case dst.extra == extraUnset:
			dst.extra = src.extra
		}
	case wRequired:
		for _, name := range src.required.list {
			dst.required.add(name)
		}
	case wOrdering:
		for _, name := range src.ordering.list {
			dst.ordering.add(name)
		}
	}
	return f
}

func (j *job) mergeOne(dst, src *node, wins bool) (*node, *fault) {
	switch {
	case dst == nil:
		return src, nil
	case src == nil:
		return dst, nil
	}
	return dst, j.merge(dst, src, wins)
}

func (j *job) mergeProperties(dst, src *node, wins bool) *fault {
	if len(dst.props.list) == 0 {
		dst.props = src.props
		return nil
	}
	for _, p := range src.props.list {
		have := dst.props.find(p.name)
		if have == nil {
			dst.props.add(p.name, p.node)
			continue
		}
		if f := j.merge(have.node, p.node, wins); f != nil {
			return f.under("." + segment(p.name))
		}
	}
	return nil
}

func take(dst *[]byte, src []byte, wins bool) {
	if src != nil && (wins || *dst == nil) {
		*dst = src
	}
}

// tighter keeps the larger of two lower limits, or the smaller of two upper ones.
func tighter(dst *[]byte, src []byte, lower bool) {
	if src == nil {
		return
	}
	a, _ := wire.Float(*dst)
	b, _ := wire.Float(src)
	if *dst == nil || lower && b > a || !lower && b < a {
		*dst = src
	}
}

// common is the members that both enums have, in the order of a; when there is none, the winner's.
func common(a, b []datum, wins bool) []datum {
	switch {
	case len(a) == 0:
		return b
	case len(b) == 0:
		return a
	}
	in := make(map[string]bool, len(b))
	for _, d := range b {
		in[d.id()] = true
	}
	var both []datum
	for _, d := range a {
		if in[d.id()] {
			both = append(both, d)
		}
	}
	switch {
	case len(both) > 0:
		return both
	case wins:
		return b
	}
	return a
}

// id tells members of an enum apart: "1" is not 1.
func (d datum) id() string { return string(rune('0'+d.kind)) + string(d.text) }
