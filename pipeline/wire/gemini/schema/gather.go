package schema

import (
	"strings"

	"gcli2api/pipeline/wire"
)

// gather reads the schema i, with what it refers to and what its allOf adds, into one node. The
// schemas below are gathered too; nothing is decided yet, for a later part may change it.
func (j *job) gather(i int32, level int) (*node, *fault) {
	if j.chain++; j.chain > maxChain+4*level {
		return nil, because("has too many references in one another")
	}
	defer func() { j.chain-- }()
	j.nodes++
	if f := j.spend(0); f != nil {
		return nil, f
	}
	n := &node{}
	switch v := &j.v[i]; {
	case v.kind == wire.KindBool:
		n.never = v.raw[0] == 'f'
	case v.kind == wire.KindObject && level > maxGather && v.child != 0:
		return j.stump(i, cutOff), nil
	case v.kind == wire.KindObject:
		return n, j.keywords(n, i, level)
	case v.kind != wire.KindNull && (v.kind != wire.KindArray || v.child != 0):
		return nil, because("must be a schema, that is an object or a boolean")
	}
	return n, nil
}

// cutOff is said of a schema with more levels than Google takes.
const cutOff = "deeper levels are left out"

// keywords reads the members of the schema i, its own first; what it refers to fills the gaps.
func (j *job) keywords(n *node, i int32, level int) *fault {
	var base *node
	for c := j.v[i].child; c != 0; c = j.v[c].next {
		v := &j.v[c]
		if f := j.spend(len(v.key) + len(v.raw)); f != nil {
			return f
		}
		if v.kind == wire.KindNull && string(v.key) != "const" {
			continue // several serializers write what is not set
		}
		var part *node
		var f *fault
		switch key := string(v.key); key {
		case "$ref", "$dynamicRef", "$recursiveRef":
			part, f = j.follow(c, level)
		case "allOf":
			part, f = j.all(c, level)
		default:
			f = j.keyword(n, key, c, level)
		}
		if f != nil {
			return f.under("." + segment(v.key))
		}
		if part != nil && base != nil {
			f = j.merge(base, part, true)
		} else if part != nil {
			base = part
		}
		if f != nil {
			return f
		}
	}
	n.exclusive()
	if f := j.condition(n, i); f != nil || base == nil {
		return f
	}
	return j.merge(n, base, false)
}

// segment is a name as it stands in a path.
func segment(key []byte) string {
	for _, c := range key {
		if c == '.' || c <= ' ' || c == '"' {
			return quoted(key)
		}
	}
	return cut(string(key), maxName)
}

func (j *job) all(c int32, level int) (*node, *fault) {
	var sum *node
	f := j.schemas(c, level, func(part *node) *fault {
		if sum == nil {
			sum = part
			return nil
		}
		return j.merge(sum, part, true)
	})
	return sum, f
}

// schemas gathers every element of the list c.
func (j *job) schemas(c int32, level int, take func(*node) *fault) *fault {
	if j.v[c].kind != wire.KindArray {
		return because("must be a list of schemas")
	}
	at := 0
	for e := j.v[c].child; e != 0; e = j.v[e].next {
		part, f := j.gather(e, level)
		if f == nil {
			f = take(part)
		}
		if f != nil {
			return f.under("[" + itoa(at) + "]")
		}
		at++
	}
	return nil
}

// keyword reads one member of a schema.
func (j *job) keyword(n *node, key string, c int32, level int) *fault {
	switch key {
	case "type":
		return j.typeIs(n, c)
	case "nullable":
		n.nullable = n.nullable || j.isTrue(c)
		return nil
	case "enum", "const":
		return j.enumIs(n, key, c)
	case "properties":
		return j.propertiesAre(n, c, level)
	case "required":
		n.must = n.must || j.isTrue(c)
		if j.v[c].kind == wire.KindBool {
			return nil
		}
		return j.namesAre(n, &n.required, wRequired, c)
	case "propertyOrdering":
		return j.namesAre(n, &n.ordering, wOrdering, c)
	case "title", "description", "format":
		j.textIs(n, key, c)
		return nil
	case "anyOf", "oneOf":
		return j.anyOfIs(n, c, level)
	}
	if done, f := j.arrayWord(n, key, c, level); done {
		return f
	}
	if done, f := j.objectWord(n, key, c, level); done {
		return f
	}
	if j.numberWord(n, key, c) {
		return nil
	}
	if done, f := j.hintFor(n, key, c); done {
		return f
	}
	if !silent(key) {
		j.note(wire.HeaderSafe(key))
	}
	return nil
}

// silent reports whether a keyword says nothing about the values, or is looked at elsewhere.
func silent(key string) bool {
	switch key {
	case "$schema", "$comment", "$id", "id", "$vocabulary", "$anchor", "$dynamicAnchor", "$recursiveAnchor",
		"$defs", "definitions", "readOnly", "writeOnly", "deprecated", "xml", "discriminator", "externalDocs",
		"strict", "if", "then", "else", "unevaluatedItems", "markdownDescription":
		return true
	}
	return strings.HasPrefix(key, "x-")
}

func (j *job) textIs(n *node, key string, c int32) {
	if j.v[c].kind != wire.KindString || len(j.v[c].raw) == len(`""`) {
		return
	}
	switch text := j.text(c); key {
	case "title":
		n.title = text
		n.came(wTitle)
	case "description":
		n.description = text
		n.came(wDescription)
	case "format":
		n.format = text
		n.came(wFormat)
	}
}

func (j *job) typeIs(n *node, c int32) *fault {
	n.came(wType)
	switch j.v[c].kind {
	case wire.KindString:
		return j.typeNamed(n, c)
	case wire.KindArray:
		for e := j.v[c].child; e != 0; e = j.v[e].next {
			if f := j.typeNamed(n, e); f != nil {
				return f
			}
		}
		return nil
	}
	return because("must be a string or a list of strings")
}

func (j *job) typeNamed(n *node, c int32) *fault {
	switch j.v[c].kind {
	case wire.KindNull: // [“string”, null] is a common slip
		n.types |= kNull
		return nil
	case wire.KindString:
		k, ok := kindOf(j.text(c))
		if !ok {
			return because("is the unknown type " + quoted(j.text(c)))
		}
		n.types |= k
		return nil
	}
	return because("must be a string or a list of strings")
}

// kindOf reads the name of a type: JSON Schema's, Gemini's in capitals, and what authors write who
// think of their programming language. "any" is no restriction.
func kindOf(name []byte) (kinds, bool) {
	switch string(name) {
	case "string", "STRING", "String", "str":
		return kString, true
	case "number", "NUMBER", "Number", "float", "double":
		return kNumber, true
	case "integer", "INTEGER", "Integer", "int":
		return kInteger, true
	case "boolean", "BOOLEAN", "Boolean", "bool":
		return kBoolean, true
	case "array", "ARRAY", "Array", "list":
		return kArray, true
	case "object", "OBJECT", "Object", "dict":
		return kObject, true
	case "null", "NULL", "None", "none":
		return kNull, true
	case "any", "Any", "TYPE_UNSPECIFIED":
		return kAll | kInteger | kNull, true
	}
	return 0, false
}

func (j *job) enumIs(n *node, key string, c int32) *fault {
	if key == "const" {
		n.enum = j.data(make([]datum, 0, 1), c)
		n.came(wEnum)
		return j.spend(len(j.v[c].raw))
	}
	if j.v[c].kind != wire.KindArray {
		return because("must be a list")
	}
	count, size := 0, 0
	for e := j.v[c].child; e != 0; e = j.v[e].next {
		count, size = count+1, size+len(j.v[e].raw)+1
	}
	if f := j.spend(size); f != nil || count == 0 {
		return f
	}
	n.came(wEnum)
	n.enum = make([]datum, 0, count)
	for e := j.v[c].child; e != 0; e = j.v[e].next {
		n.enum = j.data(n.enum, e)
	}
	return nil
}

// data appends a member of an enum.
func (j *job) data(enum []datum, c int32) []datum {
	switch v := &j.v[c]; v.kind {
	case wire.KindString:
		return append(enum, datum{v.kind, j.text(c)})
	case wire.KindObject, wire.KindArray:
		return append(enum, datum{v.kind, j.compact(nil, c, maxHint)})
	default:
		return append(enum, datum{v.kind, v.raw})
	}
}
