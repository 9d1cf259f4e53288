package simulator

import (
	"maps"
	"slices"
	"strings"
)

// instance gives a JSON value that fits the response schema of the request; without a schema it is an echo in an object.
func (r *request) instance() any {
	schema := child(r.config, "responseSchema")
	if schema == nil {
		schema = child(r.config, "responseJsonSchema")
	}
	if schema == nil {
		return object{"echo": r.lastText()}
	}
	return instance(schema, schema, 0)
}

// firstWord is the answer to text/x.enum: the first word of the enumeration.
func (r *request) firstWord() string {
	schema := child(r.config, "responseSchema")
	if schema == nil {
		schema = child(r.config, "responseJsonSchema")
	}
	if words := texts(schema, "enum"); len(words) > 0 {
		return words[0]
	}
	return "echo: " + r.lastText()
}

// instance makes up a value for one node of a schema of either family; root resolves $ref.
func instance(root, s object, depth int) any {
	if depth > 16 {
		return nil
	}
	if ref := str(s, "$ref"); ref != "" {
		return instance(root, resolve(root, ref), depth+1)
	}
	if v, ok := s["const"]; ok {
		return v
	}
	if words := items(s, "enum"); len(words) > 0 {
		return words[0]
	}
	for _, key := range []string{"anyOf", "oneOf", "allOf"} {
		if branches := items(s, key); len(branches) > 0 {
			branch, _ := branches[0].(object)
			return instance(root, branch, depth+1)
		}
	}
	switch kindOf(s) {
	case "OBJECT":
		out := object{}
		properties := child(s, "properties")
		for _, name := range slices.Sorted(maps.Keys(properties)) {
			property, _ := properties[name].(object)
			out[name] = instance(root, property, depth+1)
		}
		return out
	case "ARRAY":
		n := 1
		if least, ok := number(s["minItems"]); ok {
			n = max(n, min(int(least), 100))
		}
		out := make([]any, n)
		for i := range out {
			out[i] = instance(root, child(s, "items"), depth+1)
		}
		return out
	}
	return scalarInstance(s)
}

func scalarInstance(s object) any {
	least, _ := number(s["minimum"])
	switch kindOf(s) {
	case "INTEGER":
		return int(max(least, 1))
	case "NUMBER":
		return max(least, 1.5)
	case "BOOLEAN":
		return true
	case "NULL":
		return nil
	}
	if str(s, "format") == "date-time" {
		return "2025-01-01T00:00:00Z"
	}
	text := "text"
	if least, ok := number(s["minLength"]); ok && int(least) > len(text) {
		text = strings.Repeat("t", min(int(least), 1000))
	}
	return text
}

// kindOf reads the type of a schema node in both spellings; a list of types gives its first.
func kindOf(s object) string {
	kind := str(s, "type")
	if list := texts(s, "type"); len(list) > 0 {
		kind = list[0]
	}
	if kind == "" && s["properties"] != nil {
		kind = "object"
	}
	return strings.ToUpper(kind)
}

// resolve follows a reference such as #/$defs/Name.
func resolve(root object, ref string) object {
	at := root
	for _, name := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
		at = child(at, name)
	}
	return at
}
