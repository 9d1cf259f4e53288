package schema_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline/wire/gemini/schema"
)

func TestAppend(t *testing.T) {
	for name, c := range map[string]struct{ raw, want string }{
		"true":                     {`true`, `{}`},
		"false":                    {`false`, `{"description":"no value is allowed"}`},
		"null":                     {`null`, `{}`},
		"type kept":                {`{"type":"array","items":{"type":"string"}}`, `{"type":"array","items":{"type":"string"}}`},
		"order kept":               {`{"required":["a"],"properties":{"b":{},"a":{}},"type":"object"}`, `{"required":["a"],"properties":{"b":{},"a":{}},"type":"object"}`},
		"alternatives kept":        {`{"oneOf":[{"type":"string"},{"type":"object","properties":{}}]}`, `{"anyOf":[{"type":"string"},{"type":"object","properties":{}}]}`},
		"single alternative":       {`{"anyOf":[{"anyOf":[{"type":"string"}]}],"title":"T"}`, `{"title":"T","type":"string"}`},
		"alternatives within":      {`{"anyOf":[{"anyOf":[{"type":"string"},{"type":"integer"}]},{"type":"boolean"}]}`, `{"anyOf":[{"type":"string"},{"type":"integer"},{"type":"boolean"}]}`},
		"impossible alternatives":  {`{"type":"object","anyOf":[{"type":"string"},false,{"type":"object","required":["a"],"properties":{"a":{}}}]}`, `{"type":"object","required":["a"],"properties":{"a":{}}}`},
		"types and lists":          {`{"type":["array","string"],"items":{"type":"string"},"maxItems":3}`, `{"anyOf":[{"type":"string"},{"type":"array","items":{"type":"string"},"maxItems":3}]}`},
		"all types":                {`{"type":["string","number","boolean","object","array","null"],"title":"T"}`, `{"title":"T"}`},
		"integer is a number":      {`{"type":["number","integer"]}`, `{"type":"number"}`},
		"reference beats nothing":  {`{"$ref":"#/$defs/a","description":"own","$defs":{"a":{"type":"string","description":"other","pattern":"x"}}}`, `{"description":"own (pattern: x)","type":"string"}`},
		"reference chain":          {`{"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/c"},"c":{"type":"integer"}}}`, `{"type":"integer"}`},
		"reference to itself":      {`{"$ref":"#"}`, `{"description":"the same structure again: the whole schema"}`},
		"reference into a list":    {`{"anyOf":[{"type":"string"},{"type":"array","items":{"$ref":"#/anyOf/0"}}]}`, `{"anyOf":[{"type":"string"},{"type":"array","items":{"type":"string"}}]}`},
		"later part wins":          {`{"allOf":[{"type":"string","description":"a","default":1},{"description":"b","default":2}]}`, `{"type":"string","description":"b (default: 2)"}`},
		"own words win":            {`{"description":"own","allOf":[{"type":"string","description":"a"}]}`, `{"description":"own","type":"string"}`},
		"disjoint enums":           {`{"allOf":[{"enum":["a"]},{"enum":["b"]}]}`, `{"type":"string","enum":["b"]}`},
		"deep merge":               {`{"allOf":[{"properties":{"a":{"properties":{"x":{"type":"string"}}}}},{"properties":{"a":{"properties":{"y":{}},"required":["x"]}}}]}`, `{"type":"object","properties":{"a":{"type":"object","properties":{"x":{"type":"string"},"y":{}},"required":["x"]}}}`},
		"limits merged":            {`{"allOf":[{"type":"number","minimum":1,"maximum":10},{"minimum":-5,"maximum":7}]}`, `{"type":"number","minimum":1,"maximum":7}`},
		"required without object":  {`{"required":["a"]}`, `{"type":"object","description":"required: a"}`},
		"never a property":         {`{"properties":{"a":false,"b":true},"required":["a","b"]}`, `{"type":"object","properties":{"b":{}},"required":["b"]}`},
		"keywords of another type": {`{"type":"string","properties":{"a":{}},"items":{},"minimum":1,"required":["a"]}`, `{"type":"string"}`},
		"unsure enum":              {`{"type":"boolean","enum":["yes"]}`, `{"type":"boolean","description":"one of: \"yes\""}`},
		"hints are short":          {`{"type":"string","pattern":"a","minLength":2,"maxLength":3}`, `{"type":"string","description":"pattern: a; at least 2 characters; at most 3 characters"}`},
		"bad bytes":                {"{\"title\":\"a\xffb\",\"enum\":[\"\\ud800\"]}", "{\"type\":\"string\",\"title\":\"a\uFFFDb\",\"enum\":[\"\uFFFD\"]}"},
		"same names":               {`{"properties":{"\u0061":{"type":"string"},"a":{"type":"integer"}}}`, `{"type":"object","properties":{"a":{"type":"integer"}}}`},
	} {
		t.Run(name, func(t *testing.T) {
			out, notes, fail := schema.Append([]byte("was here "), []byte(c.raw))
			if fail != nil {
				t.Fatal(fail)
			}
			if got := strings.TrimPrefix(string(out), "was here "); got != c.want || notes != nil {
				t.Errorf("%s\n got %s %q\nwant %s", c.raw, got, notes, c.want)
			}
			if why := breaks([]byte(c.raw)); why != "" {
				t.Error(why)
			}
		})
	}
}

func TestAppendObject(t *testing.T) {
	for name, c := range map[string]struct{ raw, want string }{
		"nothing":          {`null`, schema.Empty},
		"true":             {`true`, schema.Empty},
		"false":            {`false`, schema.Empty},
		"empty":            {`{}`, schema.Empty},
		"a list of PHP":    {`[]`, schema.Empty},
		"no properties":    {`{"type":"object"}`, schema.Empty},
		"null allowed":     {`{"type":["object","null"],"nullable":true}`, schema.Empty},
		"one of the types": {`{"type":["string","object"],"properties":{"a":{}}}`, `{"type":"object","properties":{"a":{}}}`},
		"same in both": {`{"anyOf":[{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]},{"type":"object","properties":{"a":{"type":"string"},"b":{}},"required":["a","b"]}]}`,
			`{"type":"object","properties":{"a":{"type":"string"},"b":{}},"required":["a"],"description":"one of these is required: b"}`},
		"different in each": {`{"anyOf":[{"type":"object","properties":{"a":{"type":"string"}}},{"type":"object","properties":{"a":{"type":"integer"}}},{"type":"object","properties":{"a":{"type":"string"}}}]}`,
			`{"type":"object","properties":{"a":{"anyOf":[{"type":"string"},{"type":"integer"}]}}}`},
		"own and others": {`{"type":"object","properties":{"k":{"type":"string"},"n":{"type":"number"}},"required":["k"],"oneOf":[{"properties":{"k":{"const":"x"}},"required":["n"]},{"properties":{"k":{"const":"y"}}}]}`,
			`{"type":"object","properties":{"k":{"type":"string","enum":["x","y"]},"n":{"type":"number"}},"required":["k"],"description":"k \"x\" requires n"}`},
		"by reference": {`{"$ref":"#/definitions/P","$schema":"s","definitions":{"P":{"type":"object","properties":{"a":{"type":"string"}}}}}`,
			`{"type":"object","properties":{"a":{"type":"string"}}}`},
	} {
		t.Run(name, func(t *testing.T) {
			out, notes, fail := schema.AppendObject(nil, []byte(c.raw))
			if fail != nil || string(out) != c.want || notes != nil {
				t.Errorf("%s\n got %s %q %v\nwant %s", c.raw, out, notes, fail, c.want)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	deep := `{"$ref":"#/$defs/a0","$defs":{"z":{}`
	for i := range 200 {
		deep += fmt.Sprintf(`,"a%d":{"$ref":"#/$defs/a%d"}`, i, i+1)
	}
	for raw, want := range map[string]string{
		`"x"`: "the schema must be an object", `1`: "the schema must be an object", `[1]`: "the schema must be an object",
		`{"properties":{"city":{"type":"strin"}}}`:                            `.properties.city.type is the unknown type "strin"`,
		`{"properties":{"city":{"type":5}}}`:                                  ".properties.city.type must be a string or a list of strings",
		`{"properties":{"a.b":{"items":"x"}}}`:                                `.properties."a.b".items must be a schema, that is an object or a boolean`,
		`{"properties":[1]}`:                                                  ".properties must be an object",
		`{"properties":{"a":"string"}}`:                                       ".properties.a must be a schema, that is an object or a boolean",
		`{"required":"a"}`:                                                    ".required must be a list of strings",
		`{"required":[1]}`:                                                    ".required must be a list of strings",
		`{"enum":"a"}`:                                                        ".enum must be a list",
		`{"anyOf":{}}`:                                                        ".anyOf must be a list of schemas",
		`{"anyOf":[{},{"not":1,"type":{}}]}`:                                  ".anyOf[1].type must be a string or a list of strings",
		`{"items":{"$ref":"#/$defs/X"}}`:                                      ".items.$ref points to nothing in this schema",
		`{"items":{"$ref":"#/type/0/1","type":["a"]},"type":["array"]}`:       ".items.$ref points to nothing in this schema",
		`{"items":{"$ref":"https://example.com/a.json"}}`:                     ".items.$ref points to a schema that is not in this document",
		`{"items":{"$ref":7}}`:                                                ".items.$ref must be a string",
		`{"items":{"$ref":"#/$defs/X"},"$defs":{"X":{"items":{"type":"y"}}}}`: `.$defs.X.items.type is the unknown type "y"`,
		deep + `}}`: ".$defs.a",
		`{"items":` + strings.Repeat(`{"allOf":[`, 200) + strings.Repeat(`]}`, 200) + `}`: ".items.allOf[0].allOf[0]",
	} {
		_, notes, fail := schema.Append(nil, []byte(raw))
		if fail == nil || !strings.HasPrefix(fail.Error(), want) || notes != nil {
			t.Errorf("%s\n got %v %q\nwant %s", raw, fail, notes, want)
		}
	}
	for raw, want := range map[string]string{
		`{"type":"string"}`:           ".type must be object",
		`{"anyOf":[{"type":"null"}]}`: ".type must be object",
		`{"anyOf":[{"type":"string"},{"type":"number","minimum":1}]}`: ".anyOf must have an object",
	} {
		if out, _, fail := schema.AppendObject([]byte("x"), []byte(raw)); fail == nil || !strings.HasPrefix(fail.Error(), want) || string(out) != "x" {
			t.Errorf("%s: got %v %s, want %s", raw, fail, out, want)
		}
	}
}

func TestNotes(t *testing.T) {
	raw := `{"type":"object","widget":"x","bad name":1,"properties":{"a":{"widget":2,"not":{"enum":["` + strings.Repeat("long", 100) + `"]}}},"anyOf":[{"type":"object"},{"properties":{"b":{}}}],"oneOf":[{},{"minProperties":1}]`
	for i := range 30 {
		raw += fmt.Sprintf(`,"more%d":{}`, i)
	}
	_, notes, fail := schema.Append(nil, []byte(raw+`}`))
	if fail != nil || len(notes) != 16 || !slices.Equal(notes[:4], []string{"widget", "bad?name", "not", "oneOf"}) {
		t.Errorf("%q %v", notes, fail)
	}
}

// TestBombs holds that what grows without end stops at a limit, and soon.
func TestBombs(t *testing.T) {
	doubling := `{"$ref":"#/$defs/a0","$defs":{"a40":{"type":"string"}`
	for i := range 40 {
		doubling += fmt.Sprintf(`,"a%d":{"type":"object","properties":{"x":{"$ref":"#/$defs/a%d"},"y":{"$ref":"#/$defs/a%d"}}}`, i, i+1, i+1)
	}
	merging := strings.ReplaceAll(strings.ReplaceAll(doubling, `"type":"object","properties":{"x":`, `"allOf":[`), `,"y":`, `,`)
	merging = strings.ReplaceAll(merging, `"}}}`, `"}]}`)
	meshed := `{"$ref":"#/$defs/a0","$defs":{"z":{}`
	for i := range 20 {
		meshed += fmt.Sprintf(`,"a%d":{"anyOf":[{}`, i)
		for k := range 20 {
			meshed += fmt.Sprintf(`,{"type":"array","items":{"$ref":"#/$defs/a%d"}}`, k)
		}
		meshed += `]}`
	}
	texts := `{"$defs":{"a":{"enum":["` + strings.Repeat("x", 1000) + `"]}},"properties":{"a":{}`
	for i := range 4000 {
		texts += fmt.Sprintf(`,"p%d":{"$ref":"#/$defs/a"}`, i)
	}
	for name, raw := range map[string]string{"doubling": doubling + `}}`, "merging": merging + `}}`, "meshed": meshed + `}}`, "texts": texts + `}}`} {
		start := time.Now()
		out, _, fail := schema.Append(nil, []byte(raw))
		if fail == nil || !strings.HasSuffix(fail.Why, "is too large once its references are followed") || out != nil {
			t.Errorf("%s: %v, %d bytes", name, fail, len(out))
		}
		t.Logf("%s: %v %v", name, time.Since(start), fail)
	}
	many := `{"enum":[` + strings.Repeat(`1,`, 1<<18) + `1]}`
	if _, _, fail := schema.Append(nil, []byte(many)); fail == nil || fail.Why != "has too many values" {
		t.Errorf("many: %v", fail)
	}
}

// TestRecursionFits shows a recursion that is too large twice and not once.
func TestRecursionFits(t *testing.T) {
	raw := `{"$ref":"#/$defs/a","$defs":{"a":{"type":"object","properties":{"z":{}`
	for i := range 100 {
		raw += fmt.Sprintf(`,"p%d":{"type":"array","items":{"$ref":"#/$defs/a"}}`, i)
	}
	out, _, fail := schema.Append(nil, []byte(raw+`}}}}`))
	if fail != nil || strings.Count(string(out), "the same structure again: a") != 100 {
		t.Errorf("%v, %d bytes", fail, len(out))
	}
}

// TestLarge holds that large schemas are no trouble without references.
func TestLarge(t *testing.T) {
	wide, parts, values := `{"properties":{"a":{}`, `{"allOf":[{}`, `{"enum":["x"`
	for i := range 10000 {
		wide += fmt.Sprintf(`,"p%d":{"type":"string"}`, i)
		if values += fmt.Sprintf(`,"v%d"`, i); i < 5000 {
			parts += fmt.Sprintf(`,{"properties":{"p%d":{}},"required":["p%d"]}`, i, i)
		}
	}
	for name, raw := range map[string]string{"wide": wide + `}}`, "parts": parts + `]}`, "values": values + `]}`} {
		out, notes, fail := schema.Append(nil, []byte(raw))
		if fail != nil || notes != nil || len(out) < len(raw)/3 {
			t.Errorf("%s: %v %q, %d bytes of %d", name, fail, notes, len(out), len(raw))
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	tools := corpus(b)
	pick := func(file string) tool {
		return tools[slices.IndexFunc(tools, func(c tool) bool { return c.file == file })]
	}
	run := func(name string, tools ...tool) {
		b.Run(name, func(b *testing.B) {
			var dst []byte
			size := 0
			for _, c := range tools {
				size += len(c.parameters)
			}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				for _, c := range tools {
					dst, _, _ = schema.AppendObject(dst[:0], c.parameters)
				}
			}
		})
	}
	run("2 KB", pick("mcp_slack_post.json"), pick("flow_zod_schema.json"))
	run("40 tools", tools[:40]...)
}
