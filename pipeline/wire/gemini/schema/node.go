package schema

import "gcli2api/pipeline/wire"

// word is a keyword that a result may have.
type word uint8

const (
	wType word = iota
	wTitle
	wDescription
	wFormat
	wEnum
	wItems
	wPrefixItems
	wMinItems
	wMaxItems
	wMinimum
	wMaximum
	wAnyOf
	wProperties
	wAdditional
	wRequired
	wOrdering
	words
)

// kinds is a set of JSON types.
type kinds uint8

const (
	kString kinds = 1 << iota
	kNumber
	kInteger
	kBoolean
	kArray
	kObject
	kNull
	kAll = kString | kNumber | kBoolean | kArray | kObject
)

// kindNames are the types in the order in which they are written.
var kindNames = [...]string{"string", "number", "integer", "boolean", "array", "object", "null"}

// single reports whether the set has exactly one type besides null.
func (k kinds) single() bool { k &^= kNull; return k != 0 && k&(k-1) == 0 }

// meet is the types that are in both sets; a set that is not given allows everything.
func (k kinds) meet(other kinds) kinds {
	if k == 0 || other == 0 {
		return k | other
	}
	both := k & other
	if k&kNumber != 0 && other&kInteger != 0 || k&kInteger != 0 && other&kNumber != 0 {
		both |= kInteger
	}
	if both&kNumber != 0 {
		both &^= kInteger
	}
	return both
}

// extra is what additionalProperties says.
type extra uint8

const (
	extraUnset extra = iota
	extraYes
	extraNo
	extraSchema
)

// node is a schema: first what the client's keywords say, after finish what Google is told.
type node struct {
	order   [words]word // the keywords as they came
	ordered uint8

	types    kinds
	nullable bool // OpenAPI's nullable, or an alternative that is null
	never    bool // the schema false
	must     bool // "required":true inside a property, as draft 3 had it
	simple   bool // alternatives has been here
	again    bool // made by fold out of several schemas: anyOf may grow
	extra    extra
	below    bool // exclusiveMaximum:true, until all keywords are read
	above    bool // exclusiveMinimum:true

	title, description, format []byte // decoded
	minItems, maxItems         []byte // numbers as written
	minimum, maximum           []byte
	more, less                 []byte // exclusiveMinimum, exclusiveMaximum

	enum     []datum // nil is no enum
	items    *node
	rest     *node // additionalProperties as a schema
	prefix   []*node
	anyOf    []*node
	props    properties
	required names
	ordering names
	hints    []hint
}

// datum is a member of an enum: text is decoded for a string and as written otherwise.
type datum struct {
	kind wire.Kind
	text []byte
}

// has reports whether the keyword came.
func (n *node) has(w word) bool {
	for _, o := range n.order[:n.ordered] {
		if o == w {
			return true
		}
	}
	return false
}

// came notes the place of a keyword and reports whether it is new.
func (n *node) came(w word) bool {
	if n.has(w) {
		return false
	}
	n.order[n.ordered] = w
	n.ordered++
	return true
}

// front puts a keyword in front of the others, unless it is there.
func (n *node) front(w word) {
	if n.came(w) {
		copy(n.order[1:n.ordered], n.order[:n.ordered-1])
		n.order[0] = w
	}
}

// becomes puts the keyword w in the place of the keyword old, and only there.
func (n *node) becomes(old, w word) {
	order := n.order[:n.ordered]
	n.ordered = 0
	for _, o := range order {
		switch o {
		case w:
			continue
		case old:
			o = w
		}
		n.order[n.ordered] = o
		n.ordered++
	}
}

// tidy forgets the keywords that have nothing to say any more.
func (n *node) tidy() {
	order := n.order[:n.ordered]
	n.ordered = 0
	for _, w := range order {
		if n.says(w) {
			n.order[n.ordered] = w
			n.ordered++
		}
	}
}

func (n *node) says(w word) bool {
	switch w {
	case wType:
		return n.types != 0
	case wTitle:
		return n.title != nil
	case wDescription:
		return n.description != nil
	case wFormat:
		return n.format != nil
	case wEnum:
		return len(n.enum) > 0
	case wItems:
		return n.items != nil
	case wPrefixItems:
		return len(n.prefix) > 0
	case wMinItems:
		return n.minItems != nil
	case wMaxItems:
		return n.maxItems != nil
	case wMinimum:
		return n.minimum != nil
	case wMaximum:
		return n.maximum != nil
	case wAnyOf:
		return len(n.anyOf) > 0
	case wProperties:
		return n.types&kObject != 0
	case wAdditional:
		return n.extra != extraUnset
	case wRequired:
		return len(n.required.list) > 0
	case wOrdering:
		return len(n.ordering.list) > 0
	}
	return false
}

// blank reports whether the node says nothing.
func (n *node) blank() bool {
	return n.ordered == 0 && len(n.hints) == 0 && !n.nullable && !n.never
}

// bare reports whether the node has no keywords besides these.
func (n *node) bare(allowed ...word) bool {
next:
	for _, w := range n.order[:n.ordered] {
		for _, a := range allowed {
			if w == a {
				continue next
			}
		}
		return false
	}
	return true
}

// dropObject forgets the keywords of objects; the two below those of arrays and numbers.
func (n *node) dropObject() {
	n.props, n.required, n.ordering, n.extra, n.rest = properties{}, names{}, names{}, extraUnset, nil
}

func (n *node) dropArray() {
	n.items, n.prefix, n.minItems, n.maxItems = nil, nil, nil, nil
}

func (n *node) dropNumber() {
	n.minimum, n.maximum, n.more, n.less = nil, nil, nil, nil
}

// property is a member of properties.
type property struct {
	name []byte // decoded
	node *node
}

// properties keeps its order; a large one has an index.
type properties struct {
	list  []property
	index map[string]int
}

func (p *properties) find(name []byte) *property {
	if p.index != nil {
		if at, ok := p.index[string(name)]; ok {
			return &p.list[at]
		}
		return nil
	}
	for i := range p.list {
		if string(p.list[i].name) == string(name) {
			return &p.list[i]
		}
	}
	return nil
}

// add appends a property of a name that is not there yet.
func (p *properties) add(name []byte, n *node) {
	p.list = append(p.list, property{name, n})
	switch {
	case p.index != nil:
		p.index[string(name)] = len(p.list) - 1
	case len(p.list) > few:
		p.index = make(map[string]int, 2*len(p.list))
		for i := range p.list {
			p.index[string(p.list[i].name)] = i
		}
	}
}

// names is a list of different names.
type names struct {
	list  [][]byte
	index map[string]struct{}
}

func (s *names) has(name []byte) bool {
	if s.index != nil {
		_, ok := s.index[string(name)]
		return ok
	}
	for _, have := range s.list {
		if string(have) == string(name) {
			return true
		}
	}
	return false
}

func (s *names) add(name []byte) {
	if s.has(name) {
		return
	}
	s.list = append(s.list, name)
	switch {
	case s.index != nil:
		s.index[string(name)] = struct{}{}
	case len(s.list) > few:
		s.index = make(map[string]struct{}, 2*len(s.list))
		for _, have := range s.list {
			s.index[string(have)] = struct{}{}
		}
	}
}

// only keeps the names that are properties.
func (s *names) only(p *properties) {
	kept := names{list: s.list[:0]}
	for _, name := range s.list {
		if p.find(name) != nil {
			kept.list = append(kept.list, name)
		}
	}
	*s = kept
}
