package simulator

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// rawSchema is one raw JSON Schema of a request.
type rawSchema struct {
	*request
	root     object
	straight map[string]bool // references that lead into no cycle
}

// checkRawRoot holds the rules of protocol 9.2. The parameters of a function are an object.
func (r *request) checkRawRoot(where string, v any, parameters bool) *failure {
	root, ok := v.(object)
	if !ok {
		return r.refuse(where, "The schema must be a JSON object.")
	}
	s := rawSchema{r, root, map[string]bool{}}
	if parameters && !slices.Contains(rawTypes(s.target(root)), "object") {
		return r.refuse(where+".type", "the schema of function parameters must be of type object")
	}
	return s.check(where, root, 0)
}

// target follows the reference of a node, a few steps at most.
func (s rawSchema) target(node object) object {
	for range 16 {
		ref, ok := node["$ref"].(string)
		if !ok {
			break
		}
		node = s.resolve(ref)
	}
	return node
}

// resolve finds #, #/a/b and #anchor; nil when there is nothing.
func (s rawSchema) resolve(ref string) object {
	switch {
	case ref == "#":
		return s.root
	case strings.HasPrefix(ref, "#/"):
		return resolve(s.root, ref)
	}
	for _, d := range child(s.root, "$defs") {
		if o, ok := d.(object); ok && (ref == "#"+str(o, "$anchor") || ref == str(o, "$id")) {
			return o
		}
	}
	return nil
}

// rawTypes is the type of a node as a list, in lower case.
func rawTypes(node object) []string {
	list := texts(node, "type")
	if one := str(node, "type"); one != "" {
		list = []string{one}
	}
	out := make([]string, len(list))
	for i, name := range list {
		out[i] = strings.ToLower(name)
	}
	return out
}

// check walks the schema. Names of properties and definitions are not keywords; enum, default and example hold data.
func (s rawSchema) check(where string, v any, depth int) *failure {
	node, ok := v.(object)
	if _, plain := v.(bool); plain {
		return nil
	}
	switch {
	case !ok:
		return s.refuse(where, "a schema must be an object or a boolean")
	case depth > 32:
		return s.plain("Request contains an invalid argument: maximum schema depth exceeded.")
	}
	keys := slices.Sorted(maps.Keys(node))
	if at := slices.IndexFunc(keys, func(key string) bool { return !strings.HasPrefix(key, "$") }); node["$ref"] != nil && at >= 0 {
		return s.refuse(where, "A $ref must not have sibling keywords such as %q.", keys[at])
	}
	for _, key := range keys {
		if s.dialect == assist && dropped(key) {
			return badFields([]violation{{Field: "request." + where, Description: fmt.Sprintf("Invalid JSON payload received. Unknown name %q at 'request.%s': Cannot find field.", key, where)}})
		}
		if f := s.checkMember(where+"."+key, key, node[key], depth); f != nil {
			return f
		}
	}
	return s.checkRequired(where, node)
}

// dropped is the keywords that protocol 9.3 takes out for Code Assist, which is known to refuse $schema, const and x-*.
func dropped(key string) bool {
	switch key {
	case "$schema", "$comment", "$vocabulary", "const", "definitions", "allOf", "not", "if", "then", "else",
		"dependentRequired", "dependentSchemas", "dependencies", "unevaluatedItems", "unevaluatedProperties", "contains",
		"propertyNames", "patternProperties", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "uniqueItems", "examples",
		"readOnly", "writeOnly", "deprecated", "contentEncoding", "contentMediaType", "xml", "discriminator", "externalDocs", "strict":
		return true
	}
	return strings.HasPrefix(key, "x-")
}

func (s rawSchema) checkRequired(where string, node object) *failure {
	properties := child(node, "properties")
	for _, name := range texts(node, "required") {
		if _, ok := properties[name]; !ok {
			return s.refuse(where+".required", "property is not defined: %s", name)
		}
	}
	return nil
}

func (s rawSchema) checkMember(where, key string, v any, depth int) *failure {
	switch key {
	case "$ref":
		if ref, ok := v.(string); !ok || s.resolve(ref) == nil {
			return s.refuse(where, "The reference %v cannot be resolved.", v)
		}
		if again := s.cycle(object{"$ref": v}, nil); again != "" {
			return s.refuse(where, "The reference %s is a cycle of required properties.", again)
		}
	case "type":
		return s.checkType(where, v)
	case "enum":
		return s.checkEnum(where, v)
	case "properties", "$defs", "definitions", "patternProperties":
		members, ok := v.(object)
		if !ok {
			return s.refuse(where, "must be an object")
		}
		for _, name := range slices.Sorted(maps.Keys(members)) {
			if f := s.check(where+"["+name+"]", members[name], depth+1); f != nil {
				return f
			}
		}
	case "anyOf", "oneOf", "allOf", "prefixItems":
		list, ok := v.([]any)
		if !ok {
			return s.refuse(where, "must be a list of schemas")
		}
		return s.checkList(where, list, depth)
	case "items":
		if list, ok := v.([]any); ok && s.dialect != assist { // a tuple as it was before draft 2020-12
			return s.checkList(where, list, depth)
		}
		return s.check(where, v, depth+1)
	case "additionalProperties", "not", "if", "then", "else", "contains":
		return s.check(where, v, depth+1)
	}
	return nil
}

func (s rawSchema) checkList(where string, list []any, depth int) *failure {
	for i, item := range list {
		if f := s.check(fmt.Sprintf("%s[%d]", where, i), item, depth+1); f != nil {
			return f
		}
	}
	return nil
}

func (s rawSchema) checkType(where string, v any) *failure {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	for _, one := range list {
		name, _ := one.(string)
		if !slices.Contains([]string{"string", "number", "integer", "boolean", "array", "object", "null"}, strings.ToLower(name)) {
			return s.refuse(where, "%s is not a type", encode(one))
		}
	}
	return nil
}

// checkEnum: documented are strings and numbers; Code Assist is taken at its word.
func (s rawSchema) checkEnum(where string, v any) *failure {
	list, ok := v.([]any)
	if !ok {
		return s.refuse(where, "must be a list")
	}
	for i, one := range list {
		switch one.(type) {
		case string, json.Number:
		default:
			if s.dialect == assist {
				return s.refuse(fmt.Sprintf("%s[%d]", where, i), "only strings and numbers are supported")
			}
		}
	}
	return nil
}

// cycle follows a reference and what is behind it; it gives the reference that comes back to itself.
// Google unrolls cycles in properties that are not required, and takes no others.
func (s rawSchema) cycle(node object, path []string) string {
	if ref, ok := node["$ref"].(string); ok {
		switch {
		case slices.Contains(path, ref):
			return ref
		case s.straight[ref]:
			return ""
		}
		again := s.cycle(s.resolve(ref), append(path, ref))
		s.straight[ref] = again == ""
		return again
	}
	below := []any{node["items"], node["additionalProperties"]}
	for _, name := range texts(node, "required") {
		below = append(below, child(node, "properties")[name])
	}
	for _, key := range []string{"anyOf", "oneOf", "allOf", "prefixItems"} {
		below = append(below, items(node, key)...)
	}
	for _, v := range below {
		if o, ok := v.(object); ok {
			if again := s.cycle(o, path); again != "" {
				return again
			}
		}
	}
	return ""
}
