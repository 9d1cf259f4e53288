package schema_test

import (
	"fmt"
	"math/rand/v2"
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
		if wire.Check(raw) == nil {
			if why := breaks(raw); why != "" {
				t.Fatalf("%s\nin    %s", why, raw)
			}
		}
	})
}

// breaks says what is wrong with the results for raw.
func breaks(raw []byte) string {
	for name, rewrite := range map[string]func(dst, raw []byte) ([]byte, []string, *schema.Error){"Append": schema.Append, "AppendObject": schema.AppendObject} {
		once, notes, fail := rewrite([]byte("x"), raw)
		if fail != nil {
			if string(once) != "x" || fail.Why == "" {
				return fmt.Sprintf("%s: %v, but the result is %q", name, fail, once)
			}
			continue
		}
		once = once[1:]
		if err := wire.Check(once); err != nil {
			return fmt.Sprintf("%s: %v\n%s", name, err, once)
		}
		if len(notes) > 16 || strings.ContainsAny(strings.Join(notes, ""), "\r\n\", ") {
			return fmt.Sprintf("%s: notes that do not fit a header: %q", name, notes)
		}
		twice, notes, fail := rewrite(nil, once)
		if fail != nil || len(notes) > 0 || string(twice) != string(once) {
			return fmt.Sprintf("%s: not stable: %v %q\nonce  %s\ntwice %s", name, fail, notes, once, twice)
		}
	}
	return ""
}

// TestRandomSchemas makes schemas of keywords at random: the fuzzer rarely hits on a valid one.
func TestRandomSchemas(t *testing.T) {
	count := 4000
	if testing.Short() {
		count = 500
	}
	shortest, broken, why := []byte(nil), 0, ""
	for seed := range count {
		r := rand.New(rand.NewPCG(uint64(seed), 7))
		raw := randomSchema(r, nil, 1+seed%4)
		if w := breaks(raw); w != "" {
			if broken++; shortest == nil || len(raw) < len(shortest) {
				shortest, why = raw, w
			}
		}
	}
	if broken > 0 {
		t.Errorf("%d of %d schemas; the shortest is\n%s\n%s", broken, count, shortest, why)
	}
}

func randomSchema(r *rand.Rand, dst []byte, depth int) []byte {
	if depth == 0 || r.IntN(12) == 0 {
		return append(dst, pick(r, `true`, `false`, `{}`, `null`, `{"type":"string"}`, `{"type":"null"}`, `{"const":"a"}`, `{"const":1}`, `{"enum":["a","b"],"type":"string"}`)...)
	}
	below := func() string { return string(randomSchema(r, nil, depth-1)) }
	several := func() string {
		list := below()
		for range r.IntN(3) {
			list += "," + below()
		}
		return "[" + list + "]"
	}
	named := func() string {
		return `{"a":` + below() + `,"b":` + below() + `,"` + pick(r, "c", "type", "$ref", "a") + `":` + below() + `}`
	}
	dst = append(dst, '{')
	for i := range 1 + r.IntN(5) {
		if i > 0 {
			dst = append(dst, ',')
		}
		switch r.IntN(12) {
		case 0:
			dst = append(append(dst, `"type":`...), pick(r, `"string"`, `"object"`, `"array"`, `["string","null"]`, `["integer","string","array"]`, `["object","null"]`, `"integer"`, `"number"`, `"any"`, `["boolean","number"]`)...)
		case 1, 2:
			dst = append(append(dst, `"properties":`...), named()...)
		case 3:
			dst = append(append(dst, pick(r, `"anyOf":`, `"oneOf":`, `"allOf":`, `"prefixItems":`)...), several()...)
		case 4:
			dst = append(append(dst, pick(r, `"items":`, `"additionalProperties":`, `"not":`, `"if":`, `"additionalItems":`)...), below()...)
		case 5:
			dst = append(append(dst, pick(r, `"$defs":`, `"definitions":`, `"patternProperties":`)...), named()...)
		case 6:
			dst = append(dst, pick(r, `"$ref":"#"`, `"$ref":"#/$defs/a"`, `"$ref":"#/properties/b"`, `"$ref":"#/definitions/c"`)...)
		case 7:
			dst = append(append(dst, `"required":`...), pick(r, `["a"]`, `["b","c"]`, `["zz"]`, `true`, `[]`)...)
		case 8:
			dst = append(append(dst, pick(r, `"minimum":`, `"exclusiveMinimum":`, `"maximum":`, `"exclusiveMaximum":`, `"minItems":`, `"maxItems":`, `"multipleOf":`)...), pick(r, `1`, `2.5`, `-3`, `"4"`, `true`, `1e400`)...)
		case 9:
			dst = append(append(dst, `"enum":`...), pick(r, `["a","b"]`, `[1,2.5,"a"]`, `[null,true,"a"]`, `[{"a":1}]`, `[]`, `[false]`, `["1","2"]`)...)
		case 10:
			dst = append(dst, pick(r, `"description":"d"`, `"title":"t"`, `"nullable":true`, `"format":"date"`, `"format":"uuid"`, `"format":"int64"`, `"uniqueItems":true`, `"x-a":1`, `"foo":2`)...)
		default:
			dst = append(dst, pick(r, `"default":"x"`, `"pattern":"^a"`, `"const":true`, `"const":null`, `"additionalProperties":false`, `"propertyOrdering":["b","a"]`, `"examples":[1,"b"]`, `"dependentRequired":{"a":["b"]}`)...)
		}
	}
	return append(dst, '}')
}

func pick(r *rand.Rand, of ...string) string { return of[r.IntN(len(of))] }

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
