package schema

import (
	"strconv"

	"gcli2api/pipeline/wire"
)

func itoa(n int) string { return strconv.Itoa(n) }

func (j *job) propertiesAre(n *node, c int32, level int) *fault {
	if f := j.isMap(c); f != nil {
		return f
	}
	n.came(wProperties)
	for m := j.v[c].child; m != 0; m = j.v[m].next {
		name := j.v[m].key
		if f := j.spend(len(name) + len(`"":{},`)); f != nil {
			return f
		}
		p, f := j.gather(m, level+1)
		if f != nil {
			return f.under("." + segment(name))
		}
		if p.must {
			n.came(wRequired)
			n.required.add(name)
		}
		if n.props.list == nil {
			n.props.list = make([]property, 0, 4)
		}
		n.props.add(name, p)
	}
	return nil
}

// isMap lets an empty list pass, which is how PHP writes an empty object.
func (j *job) isMap(c int32) *fault {
	if j.v[c].kind == wire.KindObject || j.v[c].kind == wire.KindArray && j.v[c].child == 0 {
		return nil
	}
	return because("must be an object")
}

func (j *job) namesAre(n *node, s *names, w word, c int32) *fault {
	if j.v[c].kind != wire.KindArray {
		return because("must be a list of strings")
	}
	if j.v[c].child == 0 {
		return nil
	}
	n.came(w)
	for e := j.v[c].child; e != 0; e = j.v[e].next {
		if j.v[e].kind != wire.KindString {
			return because("must be a list of strings")
		}
		if f := j.spend(len(j.v[e].raw)); f != nil {
			return f
		}
		s.add(j.text(e))
	}
	return nil
}

func (j *job) anyOfIs(n *node, c int32, level int) *fault {
	var list []*node
	f := j.schemas(c, level+1, func(part *node) *fault {
		list = append(list, part)
		return nil
	})
	switch {
	case f != nil || len(list) == 0:
		return f
	case n.anyOf != nil: // anyOf beside oneOf: both would hold, which Google cannot say
		j.note("oneOf")
		return nil
	}
	n.anyOf = list
	n.came(wAnyOf)
	return nil
}

func (j *job) arrayWord(n *node, key string, c int32, level int) (done bool, f *fault) {
	switch key {
	case "items":
		if j.v[c].kind == wire.KindArray { // a tuple as it was before draft 2020-12
			return true, j.tuple(n, c, level)
		}
		return true, j.itemsAre(n, c, level)
	case "prefixItems":
		return true, j.tuple(n, c, level)
	case "additionalItems":
		if len(n.prefix) == 0 && n.items != nil {
			return true, nil // says nothing beside a single schema
		}
		return true, j.itemsAre(n, c, level)
	case "minItems":
		n.minItems = j.number(c)
		n.came(wMinItems)
	case "maxItems":
		n.maxItems = j.number(c)
		n.came(wMaxItems)
	default:
		return false, nil
	}
	return true, nil
}

func (j *job) itemsAre(n *node, c int32, level int) (f *fault) {
	n.items, f = j.gather(c, level+1)
	n.came(wItems)
	return f
}

func (j *job) tuple(n *node, c int32, level int) *fault {
	n.prefix = nil
	f := j.schemas(c, level+1, func(part *node) *fault {
		n.prefix = append(n.prefix, part)
		return nil
	})
	if n.came(wPrefixItems); len(n.prefix) == 0 {
		n.came(wItems) // an array all the same
	}
	return f
}

func (j *job) objectWord(n *node, key string, c int32, level int) (done bool, f *fault) {
	switch key {
	case "additionalProperties":
		return true, j.restIs(n, c, level)
	case "unevaluatedProperties": // says the same once allOf is merged
		if n.extra == extraUnset && j.v[c].kind == wire.KindBool {
			return true, j.restIs(n, c, level)
		}
	case "patternProperties":
		return true, j.patterns(n, c, level)
	default:
		return false, nil
	}
	return true, nil
}

func (j *job) restIs(n *node, c int32, level int) (f *fault) {
	if n.extra == extraSchema && j.isFalse(c) {
		return nil // patternProperties came first: what it allows is additional for Google
	}
	n.came(wAdditional)
	if j.v[c].kind == wire.KindBool {
		if n.extra = extraYes; j.isFalse(c) {
			n.extra = extraNo
		}
		return nil
	}
	n.rest, f = j.gather(c, level+1)
	n.extra = extraSchema
	return f
}

// patterns makes of a single pattern what is additional; several are said in words.
func (j *job) patterns(n *node, c int32, level int) *fault {
	if f := j.isMap(c); f != nil {
		return f
	}
	first := j.v[c].child
	switch {
	case first == 0:
		return nil
	case j.v[first].next != 0 || n.extra == extraSchema || n.extra == extraYes:
		return j.sayValue(n, hint{"patternProperties", "properties by pattern: "}, c)
	}
	n.came(wAdditional)
	rest, f := j.gather(first, level+1)
	if f != nil {
		return f.under("." + segment(j.v[first].key))
	}
	n.extra, n.rest = extraSchema, rest
	switch key := string(j.v[first].key); key {
	case "", ".*", "^.*$", "^(.*)$", ".+", "^.+$":
		return nil
	default:
		return j.hint(n, hint{"patternProperties", cut("property names match "+key, maxHint)}, true)
	}
}

func (j *job) numberWord(n *node, key string, c int32) bool {
	switch key {
	case "minimum":
		n.minimum = j.number(c)
		n.came(wMinimum)
	case "maximum":
		n.maximum = j.number(c)
		n.came(wMaximum)
	case "exclusiveMinimum":
		n.came(wMinimum)
		if n.above = j.isTrue(c); !n.above {
			n.more = j.number(c)
		}
	case "exclusiveMaximum":
		n.came(wMaximum)
		if n.below = j.isTrue(c); !n.below {
			n.less = j.number(c)
		}
	default:
		return false
	}
	return true
}

// exclusive reads the booleans of draft 4, which speak of the limit beside them.
func (n *node) exclusive() {
	if n.above && n.more == nil {
		n.more, n.minimum = n.minimum, nil
	}
	if n.below && n.less == nil {
		n.less, n.maximum = n.maximum, nil
	}
	n.above, n.below = false, false
}

// number is the number c as written, also one in quotes; nil when it is none that Google can read.
func (j *job) number(c int32) []byte {
	raw := j.v[c].raw
	if j.v[c].kind == wire.KindString {
		raw = j.text(c)
	}
	if len(raw) == 0 || len(raw) > 64 || raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
		return nil
	}
	if _, ok := wire.Float(raw); !ok {
		return nil
	}
	return raw
}
