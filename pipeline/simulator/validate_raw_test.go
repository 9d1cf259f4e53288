package simulator

import "testing"

func TestRawSchemaRules(t *testing.T) {
	a := func(schema string) string {
		return declare(`"parametersJsonSchema":{"type":"object","properties":{"a":` + schema + `}}`)
	}
	root := func(schema string) string { return declare(`"parametersJsonSchema":` + schema) }
	answer := func(schema string) string {
		return with(`{"responseMimeType":"application/json","responseJsonSchema":` + schema + `}`)
	}
	cases := []refusal{
		{"documented", "a", "", a(`{"type":["array","null"],"title":"t","description":"d","items":{"type":"string","format":"date-time"},"prefixItems":[{"enum":["a",1]}],"minItems":1,"maxItems":2}`), ""},
		{"documented of objects", "a", "", a(`{"type":"object","properties":{"x":{"minimum":1,"maximum":2}},"additionalProperties":{"type":"number"},"required":["x"],"propertyOrdering":["x"],"$id":"i","$anchor":"n"}`), ""},
		{"alternatives", "a", "", a(`{"anyOf":[{"type":"string"},{"type":"null"}],"oneOf":[{"type":"string"},true]}`), ""},
		{"undocumented but let through", "a", "", a(`{"type":"string","pattern":"x","minLength":1,"default":"a","format":"uuid","nullable":true}`), ""},
		{"capitals", "a", "", a(`{"type":"STRING"}`), ""},
		{"root without type", "a", "", root(`{"properties":{}}`), "type object"},
		{"root of strings", "s", "", root(`{"type":"string"}`), "type object"},
		{"root of alternatives", "s", "", root(`{"anyOf":[{"type":"object"}]}`), "type object"},
		{"root by reference", "s", "", root(`{"$ref":"#/$defs/A","$defs":{"A":{"type":"object"}}}`), ""},
		{"answer of any type", "s", "", answer(`{"type":"array","items":{"type":"string"}}`), ""},
		{"answer without type", "a", "", answer(`{}`), ""},
		{"unknown type", "s", "", a(`{"type":"text"}`), "is not a type"},
		{"type in a list", "s", "", a(`{"type":["string",1]}`), "is not a type"},
		{"enum of null", "a", "", a(`{"enum":["a",null]}`), "only strings and numbers"},
		{"enum of booleans", "a", "", a(`{"enum":[true]}`), "only strings and numbers"},
		{"enum of booleans at studio", "s", "", a(`{"enum":[true]}`), ""},
		{"enum no list", "s", "", a(`{"enum":"a"}`), "must be a list"},
		{"required without properties", "s", "", a(`{"type":"object","required":["x"]}`), "property is not defined"},
		{"reference to nothing", "s", "", a(`{"$ref":"#/$defs/X"}`), "cannot be resolved"},
		{"reference to elsewhere", "a", "", a(`{"$ref":"https://example.com/x.json"}`), "cannot be resolved"},
		{"reference by anchor", "a", "", root(`{"type":"object","properties":{"a":{"$ref":"#n"}},"$defs":{"A":{"$anchor":"n","type":"string"}}}`), ""},
		{"cycle", "a", "", root(`{"type":"object","properties":{"a":{"$ref":"#/$defs/A"}},"$defs":{"A":{"type":"object","properties":{"b":{"$ref":"#/$defs/A"}},"required":["b"]}}}`), "cycle"},
		{"cycle that may end", "a", "", root(`{"type":"object","properties":{"a":{"$ref":"#/$defs/A"}},"$defs":{"A":{"type":"object","properties":{"b":{"$ref":"#/$defs/A"}}}}}`), ""},
		{"cycle of nullables", "a", "", root(`{"type":"object","properties":{"a":{"anyOf":[{"$ref":"#"},{"type":"null"}]}},"required":["a"]}`), "cycle"},
		{"cycle of lists", "s", "", root(`{"type":"object","properties":{"a":{"type":"array","items":{"$ref":"#"}}},"required":["a"]}`), "cycle"},
		{"tuple", "a", "", a(`{"type":"array","items":[{"type":"string"}]}`), "must be an object or a boolean"},
		{"tuple at studio", "s", "", a(`{"type":"array","items":[{"type":"string"}]}`), ""},
		{"items of text", "s", "", a(`{"type":"array","items":"string"}`), "must be an object or a boolean"},
		{"alternatives no list", "s", "", a(`{"anyOf":{}}`), "must be a list"},
		{"properties no object", "s", "", a(`{"properties":[]}`), "must be an object"},
		{"additional text", "s", "", a(`{"type":"object","additionalProperties":"no"}`), "must be an object or a boolean"},
		{"names are no keywords", "a", "", a(`{"type":"object","properties":{"not":{},"const":{},"$schema":{},"x-a":{}},"required":["not"]}`), ""},
	}
	for key, value := range map[string]string{
		"$comment": `"x"`, "allOf": `[]`, "not": `{}`, "if": `{}`, "dependentRequired": `{}`, "patternProperties": `{}`, "exclusiveMinimum": `1`,
		"multipleOf": `2`, "uniqueItems": `true`, "examples": `[]`, "readOnly": `true`, "xml": `{}`, "x-order": `1`, "definitions": `{}`,
	} {
		schema := a(`{"` + key + `":` + value + `}`)
		cases = append(cases, refusal{key, "a", "", schema, `Unknown name "` + key + `"`}, refusal{key + " at studio", "s", "", schema, ""})
	}
	run(t, cases)
}
