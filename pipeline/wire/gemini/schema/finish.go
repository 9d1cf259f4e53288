package schema

import "slices"

// finish turns what was gathered into what Google takes: n and everything below it.
func (j *job) finish(n *node, level int) *fault {
	if f := j.alternatives(n); f != nil {
		return f
	}
	if f := j.settle(n, level); f != nil {
		return f
	}
	if splits(n, level) {
		n.split()
	} else if f := j.prune(n); f != nil {
		return f
	}
	if level >= maxLevel && n.cutShort() {
		if f := j.hint(n, hint{"$ref", cutOff}, true); f != nil {
			return f
		}
	}
	if f := j.below(n, level+1); f != nil {
		return f
	}
	n.flatten()
	j.mixed = j.mixed || n.anyOf != nil && n.types != 0
	n.nullBranch()
	n.describe()
	return nil
}

func (j *job) below(n *node, level int) *fault {
	for _, one := range [...]*node{n.items, n.rest} {
		if one == nil {
			continue
		}
		if f := j.finish(one, level); f != nil {
			return f
		}
	}
	for _, list := range [...][]*node{n.prefix, n.anyOf} {
		for _, one := range list {
			if f := j.finish(one, level); f != nil {
				return f
			}
		}
	}
	for i := range n.props.list {
		if f := j.finish(n.props.list[i].node, level); f != nil {
			return f.under("." + segment(n.props.list[i].name))
		}
	}
	return nil
}

// settle decides on the types, with the enum, the format and the limits that depend on them.
func (j *job) settle(n *node, level int) *fault {
	if n.never {
		*n = node{hints: []hint{{"not", "no value is allowed"}}}
		return nil
	}
	if n.types&kAll == kAll && n.bare(wType, wTitle, wDescription, wAnyOf) {
		n.types = 0 // any value
	}
	if f := j.enumeration(n, level); f != nil {
		return f
	}
	if n.types == 0 {
		n.types = n.implied()
	}
	if n.types&kNumber != 0 {
		n.types &^= kInteger
	}
	if n.types != 0 {
		if n.front(wType); n.nullable {
			n.types |= kNull
		}
	}
	if f := j.formatOf(n); f != nil {
		return f
	}
	return j.limits(n)
}

// implied is the types that the keywords speak of. Beside alternatives only those of objects are
// trusted: limits may be meant for one of several.
func (n *node) implied() kinds {
	k := kinds(0)
	for _, w := range n.order[:n.ordered] {
		switch w {
		case wProperties, wAdditional, wRequired, wOrdering:
			k |= kObject
			continue
		}
		if n.anyOf != nil {
			continue
		}
		switch w {
		case wItems, wPrefixItems, wMinItems, wMaxItems:
			k |= kArray
		case wMinimum, wMaximum:
			k |= kNumber
		case wFormat:
			k |= known(n.format)
		}
	}
	return k
}

// known is the types of a format that is told to Google; 0 for others.
func known(format []byte) kinds {
	switch string(format) {
	case "date-time", "date", "time":
		return kString
	case "int32", "int64":
		return kInteger
	case "float", "double":
		return kNumber
	}
	return 0
}

func (j *job) formatOf(n *node) *fault {
	if n.format == nil || known(n.format)&n.types != 0 {
		return nil
	}
	format := n.format
	if n.format = nil; known(format) != 0 || string(format) == "enum" {
		return nil // int64 of a string says nothing
	}
	return j.hint(n, hint{"format", "format: " + cut(string(format), maxHint/2)}, true)
}

// prune leaves of the keywords those that the types have, and makes them complete.
func (j *job) prune(n *node) *fault {
	if n.types == 0 {
		return nil
	}
	if n.types&kObject == 0 {
		n.dropObject()
	} else if f := j.pruneObject(n); f != nil {
		return f
	}
	if n.types&kArray == 0 {
		n.dropArray()
	} else {
		n.pruneArray()
	}
	if n.types&(kNumber|kInteger) == 0 {
		n.dropNumber()
	}
	return nil
}

func (j *job) pruneObject(n *node) (f *fault) {
	if slices.ContainsFunc(n.props.list, func(p property) bool { return p.node.never }) {
		old := n.props.list
		n.props = properties{}
		for _, p := range old {
			if !p.node.never {
				n.props.add(p.name, p.node)
			}
		}
	}
	if n.rest != nil && n.rest.never {
		n.extra, n.rest = extraNo, nil
	}
	if len(n.props.list) == 0 && len(n.required.list) > 0 && n.extra != extraNo && n.anyOf == nil {
		text := appendNames([]byte("required: "), n.required.list)
		f = j.hint(n, hint{"required", cut(string(text), maxHint)}, true)
	}
	n.required.only(&n.props)
	n.ordering.only(&n.props)
	return f
}

func (n *node) pruneArray() {
	for i, p := range n.prefix {
		if p.never {
			n.prefix[i] = &node{}
		}
	}
	if n.items != nil && n.items.never {
		if n.items = nil; n.maxItems == nil {
			n.maxItems = []byte(itoa(len(n.prefix)))
			n.came(wMaxItems)
		}
	}
	if n.items == nil && len(n.prefix) == 0 {
		n.items = &node{}
		n.came(wItems)
	}
}

// cutShort takes away what lies deeper than Google looks and reports whether there was something.
func (n *node) cutShort() (short bool) {
	lose := func(below *node) bool {
		was := below != nil && !below.blank()
		if was {
			*below = node{}
		}
		short = short || was
		return was
	}
	lose(n.items)
	if lose(n.rest) {
		n.extra, n.rest = extraYes, nil
	}
	for i := range n.props.list {
		lose(n.props.list[i].node)
	}
	for _, p := range n.prefix {
		lose(p)
	}
	if n.anyOf != nil {
		short, n.anyOf = true, nil
	}
	return short
}

// flatten takes in alternatives that became alternatives themselves because they had several types.
func (n *node) flatten() {
	if !slices.ContainsFunc(n.anyOf, (*node).onlyAnyOf) {
		return
	}
	left := make([]*node, 0, 2*len(n.anyOf))
	for _, b := range n.anyOf {
		if !b.onlyAnyOf() {
			left = append(left, b)
			continue
		}
		for _, c := range b.anyOf {
			if c.isNull() {
				n.nullable = true
			} else {
				left = append(left, c)
			}
		}
	}
	n.anyOf = left
}

func (n *node) onlyAnyOf() bool {
	return n.anyOf != nil && n.types == 0 && n.description == nil && n.title == nil && len(n.hints) == 0
}

// nullBranch adds null to alternatives that stand for themselves.
func (n *node) nullBranch() {
	if n.anyOf == nil || !n.nullable || n.types != 0 {
		return
	}
	for _, b := range n.anyOf {
		if b.types&kNull != 0 {
			return
		}
	}
	null := &node{types: kNull}
	null.came(wType)
	n.anyOf = append(n.anyOf, null)
}
