package schema_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini/schema"
)

// FuzzAppend holds that valid JSON becomes a valid schema or an error, and that a result is final.
func FuzzAppend(f *testing.F) {
	files, err := filepath.Glob("testdata/tools/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(wire.Get(data, "parameters"))
	}
	for _, seed := range seeds() {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if wire.Check(raw) != nil {
			return
		}
		for name, rewrite := range map[string]func(dst, raw []byte) ([]byte, []string, *schema.Error){"Append": schema.Append, "AppendObject": schema.AppendObject} {
			once, notes, fail := rewrite([]byte("x"), raw)
			if fail != nil {
				if string(once) != "x" || fail.Why == "" {
					t.Fatalf("%s: %v, but the result is %q", name, fail, once)
				}
				continue
			}
			once = once[1:]
			if err := wire.Check(once); err != nil {
				t.Fatalf("%s: %v\n%s\n%s", name, err, raw, once)
			}
			if len(notes) > 16 || strings.ContainsAny(strings.Join(notes, ""), "\r\n\", ") {
				t.Fatalf("%s: notes that do not fit a header: %q", name, notes)
			}
			twice, notes, fail := rewrite(nil, once)
			if fail != nil || len(notes) > 0 || string(twice) != string(once) {
				t.Fatalf("%s: not stable: %v %q\nin    %s\nonce  %s\ntwice %s", name, fail, notes, raw, once, twice)
			}
		}
	})
}

// seeds are what the corpus of tools does not have.
func seeds() []string {
	deep := strings.Repeat(`{"properties":{"a":`, 40) + `{"type":"string"}` + strings.Repeat(`}}`, 40)
	return []string{
		`true`, `false`, `null`, `[]`, `{}`, `""`, `1`, `{"type":"any"}`, `{"a":1,"type":["string","null"]}`,
		`{"enum":["a",1,null,true,1.5]}`, `{"const":{"a":[1]}}`, `{"type":"integer","enum":["1","2"]}`, `{"type":"string","enum":[1,true]}`,
		`{"anyOf":[{"type":"string"},{"type":"null"},false,true]}`, `{"oneOf":[{"const":1},{"const":"a"},{"const":true}]}`,
		`{"allOf":[{"anyOf":[{"type":"object","properties":{"a":{}}}]},{"required":["a"]}],"nullable":true}`,
		`{"$ref":"#"}`, `{"properties":{"a":{"$ref":"#"},"b":{"$ref":"#/properties/a"}}}`, `{"$defs":{"a/b~":{"$anchor":"x"}},"items":{"$ref":"#/$defs/a~1b~0"}}`,
		`{"type":"array","items":[{"type":"string"}],"additionalItems":false}`, `{"prefixItems":[true,false],"items":false}`,
		`{"minimum":1,"exclusiveMinimum":true,"maximum":2,"exclusiveMaximum":1.5}`, `{"type":"integer","exclusiveMinimum":9223372036854775807}`,
		`{"if":{},"then":{},"else":false,"not":{},"dependentRequired":{"a":["b"]},"patternProperties":{"^a":{"type":"string"}}}`,
		`{"type":["string","array","object"],"items":{"type":["number","boolean"]},"properties":{"\u0061":{},"a":{},"":{},"\ud800":{}},"required":["a","b",""]}`,
		`{"anyOf":[{"required":["a"]},{"required":["b"]}],"properties":{"a":{},"b":{"required":true}}}`,
		`{"anyOf":[{"type":"object","properties":{"k":{"const":"a"},"v":{"type":"string"}},"required":["k"]},{"properties":{"k":{"const":"b"},"v":{"type":"number"}},"required":["k","v"]}]}`,
		"{\"description\":\"\xff\",\"enum\":[\"\xff\"]}", deep,
	}
}
