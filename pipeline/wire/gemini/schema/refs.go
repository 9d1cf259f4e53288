package schema

import (
	"net/url"
	"strconv"
	"strings"

	"gcli2api/pipeline/wire"
)

// resolve finds what the reference c means. Google takes references too, but forbids siblings and
// cycles in required properties, so that none is left in the result.
func (j *job) resolve(c int32) (int32, *fault) {
	if j.v[c].kind != wire.KindString {
		return 0, because("must be a string")
	}
	ref := string(j.text(c))
	base, fragment, _ := strings.Cut(ref, "#")
	at := int32(0)
	if base != "" {
		var ok bool
		if at, ok = j.named()[base]; !ok {
			return 0, because("points to a schema that is not in this document")
		}
	}
	if plain, err := url.PathUnescape(fragment); err == nil {
		fragment = plain
	}
	switch {
	case fragment == "":
		return at, nil
	case fragment[0] == '/':
		return j.pointer(at, fragment)
	}
	if at, ok := j.named()["#"+fragment]; ok {
		return at, nil
	}
	return 0, because("points to nothing in this schema")
}

// pointer follows a JSON pointer down from the value at.
func (j *job) pointer(at int32, pointer string) (int32, *fault) {
	unescape := strings.NewReplacer("~1", "/", "~0", "~")
	for _, segment := range strings.Split(pointer[1:], "/") {
		if f := j.spend(len(segment)); f != nil {
			return 0, f
		}
		if strings.IndexByte(segment, '~') >= 0 {
			segment = unescape.Replace(segment)
		}
		switch j.v[at].kind {
		case wire.KindObject:
			at = j.member(at, segment)
		case wire.KindArray:
			n, err := strconv.Atoi(segment)
			for at = j.v[at].child; n > 0 && at != 0 && err == nil; n-- {
				at = j.v[at].next
			}
			if err != nil || n < 0 || j.spend(n/few) != nil {
				at = 0
			}
		default:
			at = 0
		}
		if at == 0 {
			return 0, because("points to nothing in this schema")
		}
	}
	return at, nil
}

// named lists the schemas that have a name of their own: "#name" for anchors, the identifier as it
// is written for the others.
func (t *tape) named() map[string]int32 {
	if t.anchors == nil {
		t.anchors = map[string]int32{}
		t.collect(0, false)
	}
	return t.anchors
}

// collect looks into the schema i and below, or, when the members of i are names and no keywords,
// only below.
func (t *tape) collect(i int32, names bool) {
	for c := t.v[i].child; c != 0; c = t.v[c].next {
		if names || t.v[i].kind == wire.KindArray {
			t.collect(c, false)
			continue
		}
		switch key := string(t.v[c].key); key {
		case "$id", "id":
			if t.v[c].kind == wire.KindString {
				id := string(t.text(c))
				if t.anchors[id] = i; !strings.HasPrefix(id, "#") { // draft 4 has anchors as "id":"#name"
					t.anchors[strings.TrimSuffix(id, "#")] = i
				}
			}
		case "$anchor", "$dynamicAnchor":
			if t.v[c].kind == wire.KindString {
				t.anchors["#"+string(t.text(c))] = i
			}
		case "enum", "const", "default", "example", "examples":
		case "properties", "patternProperties", "$defs", "definitions", "dependentSchemas":
			t.collect(c, true)
		default:
			t.collect(c, false)
		}
	}
}

// follow gathers what the reference c means. A definition that stands inside itself too often is
// cut: what is inside a circle may go on for ever.
func (j *job) follow(c int32, level int) (*node, *fault) {
	target, f := j.resolve(c)
	if f != nil {
		return nil, f
	}
	times := 0
	for _, at := range j.path {
		if at == target {
			times++
		}
	}
	if times >= j.unroll {
		return j.stump(target, "the same structure again: "+j.called(c, target)), nil
	}
	j.path = append(j.path, target)
	n, f := j.gather(target, level)
	j.path = j.path[:len(j.path)-1]
	if f != nil && !f.fixed {
		f.path, f.fixed = j.where(c)+f.path, true
	}
	return n, f
}

// stump stands for the schema i where it is not followed any more: its types are all that is known.
func (j *job) stump(i int32, why string) *node {
	n := &node{types: j.kindAt(i, 4), hints: []hint{{"$ref", why}}}
	n.came(wType)
	return n
}

// kindAt is the types of the schema i as far as they can be seen without reading it; 0 is unknown.
func (j *job) kindAt(i int32, depth int) (k kinds) {
	if depth == 0 || j.spend(few) != nil {
		return 0
	}
	if c := j.member(i, "type"); c != 0 {
		var n node
		if j.typeIs(&n, c) != nil {
			return 0
		}
		return n.types
	}
	if c := j.member(i, "$ref"); c != 0 {
		if target, f := j.resolve(c); f == nil {
			return j.kindAt(target, depth-1)
		}
		return 0
	}
	for _, key := range [...]string{"anyOf", "oneOf"} {
		if c := j.member(i, key); c != 0 {
			for e := j.v[c].child; e != 0; e = j.v[e].next {
				one := j.kindAt(e, depth-1)
				if one == 0 {
					return 0
				}
				k |= one
			}
			return k
		}
	}
	if j.member(i, "items") != 0 {
		return kArray
	}
	return kObject
}

// called is the name of a definition, for readers.
func (j *job) called(c, target int32) string {
	if title := j.member(target, "title"); title != 0 && j.v[title].kind == wire.KindString {
		return cut(string(j.text(title)), maxName)
	}
	ref := string(j.text(c))
	if at := strings.LastIndexAny(ref, "/#"); at >= 0 && at+1 < len(ref) {
		return cut(ref[at+1:], maxName)
	}
	return "the whole schema"
}

// where is the path of what the reference c points to, as an Error has it.
func (j *job) where(c int32) string {
	_, fragment, _ := strings.Cut(string(j.text(c)), "#")
	return cut(strings.ReplaceAll(fragment, "/", "."), 8*maxName)
}
