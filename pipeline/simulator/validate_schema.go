package simulator

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// checkSchemas looks into every schema of the request: the typed ones by Google's OpenAPI subset, the raw ones as JSON Schema.
func checkSchemas(r *request) *failure {
	for i, d := range r.tools.declared {
		where := fmt.Sprintf("tools[0].function_declarations[%d]", i)
		for _, name := range []string{"parameters", "response"} {
			if f := r.checkTyped(where+"."+name, child(d.fields, name)); f != nil {
				return f
			}
		}
		for _, name := range []string{"parametersJsonSchema", "responseJsonSchema"} {
			if v, ok := d.fields[name]; ok {
				if f := r.checkRawRoot(where+"."+snake(name), v, name == "parametersJsonSchema"); f != nil {
					return f
				}
			}
		}
	}
	if f := r.checkTyped("generation_config.response_schema", child(r.config, "responseSchema")); f != nil {
		return f
	}
	if v, ok := r.config["responseJsonSchema"]; ok {
		return r.checkRawRoot("generation_config.response_json_schema", v, false)
	}
	return nil
}

func (r *request) checkTyped(where string, s object) *failure {
	if s == nil {
		return nil
	}
	kind := str(s, "type")
	properties := child(s, "properties")
	if f := r.checkTypedNode(where, kind, s); f != nil {
		return f
	}
	for _, name := range texts(s, "required") {
		if _, ok := properties[name]; !ok {
			return r.refuse(where+".required", "property is not defined: %s", name)
		}
	}
	if f := r.checkTyped(where+".items", child(s, "items")); f != nil {
		return f
	}
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if f := r.checkTyped(where+".properties["+name+"]", properties[name].(object)); f != nil {
			return f
		}
	}
	for i, branch := range items(s, "anyOf") {
		if f := r.checkTyped(fmt.Sprintf("%s.any_of[%d]", where, i), branch.(object)); f != nil {
			return f
		}
	}
	return nil
}

func (r *request) checkTypedNode(where, kind string, s object) *failure {
	old := strings.HasPrefix(r.model.Name, "gemini-1") || strings.HasPrefix(r.model.Name, "gemini-2.0")
	format := str(s, "format")
	switch {
	case kind == "" && s["anyOf"] == nil && s["ref"] == nil:
		return r.refuse(where, "schema didn't specify the schema type field")
	case kind == "ARRAY" && s["items"] == nil:
		return r.refuse(where+".items", "missing field.")
	case kind == "OBJECT" && old && len(child(s, "properties")) == 0:
		return r.refuse(where+".properties", "should be non-empty for OBJECT type")
	case kind != "STRING" && len(items(s, "enum")) > 0:
		return r.refuse(where+".enum", "only allowed for STRING type")
	case kind != "OBJECT" && len(child(s, "properties")) > 0:
		return r.refuse(where+".properties", "only allowed for OBJECT type")
	case kind == "STRING" && format != "" && r.dialect != vertex && format != "enum" && format != "date-time":
		return r.refuse(where+".format", "only 'enum' and 'date-time' are supported for STRING type")
	case kind == "NUMBER" && format != "" && format != "float" && format != "double":
		return r.refuse(where+".format", "only 'float' and 'double' are supported for NUMBER type")
	case kind == "INTEGER" && format != "" && format != "int32" && format != "int64":
		return r.refuse(where+".format", "only 'int32' and 'int64' are supported for INTEGER type")
	}
	return nil
}
