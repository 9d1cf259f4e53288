package gemini

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
)

func mustCall(t testing.TB, body string) Call {
	t.Helper()
	c, err := NewCall([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestNewCallRefuses(t *testing.T) {
	for _, tt := range []struct{ body, words, param string }{
		{``, "byte 0", ""},
		{`[]`, "byte 0", ""},
		{`{"contents":[}`, "byte 13", ""},
		{`{"contents":[]} {}`, "byte 16", ""},
		{`{"model":"a","model":"b"}`, `"model" more than once`, "model"},
		{`{"model":"a","m\u006fdel":"b"}`, `"model" more than once`, "model"},
		{`{"systemInstruction":{},"system_instruction":{}}`, `"systemInstruction" more than once`, "systemInstruction"},
	} {
		_, err := NewCall([]byte(tt.body))
		if err == nil || err.Code != apierror.BadRequest || err.Status != 400 || !strings.Contains(err.Message, tt.words) || err.Param != tt.param {
			t.Errorf("NewCall(%s): %v (%q)", tt.body, err, err.Param)
		}
	}
}

func TestCallEdits(t *testing.T) {
	body := ` {"contents" : [ 1 ],"generation_config":{"top_p":1,"x":2}, "unknown":null }`
	for _, tt := range []struct {
		name string
		edit func(c *Call)
		want string
	}{
		{"nothing", func(*Call) {}, `{"contents" : [ 1 ],"generation_config":{"top_p":1,"x":2},"unknown":null}`},
		{"replace", func(c *Call) { c.Set("contents", []byte("[2]")) }, `{"contents":[2],"generation_config":{"top_p":1,"x":2},"unknown":null}`},
		{"last wins", func(c *Call) { c.Set("contents", []byte("[2]")); c.Set("contents", []byte("[3]")) }, `{"contents":[3],"generation_config":{"top_p":1,"x":2},"unknown":null}`},
		{"add", func(c *Call) { c.Delete("unknown"); c.Set("tools", []byte("[]")) }, `{"contents" : [ 1 ],"generation_config":{"top_p":1,"x":2},"tools":[]}`},
		{"snake", func(c *Call) { c.Set("generationConfig", []byte("{}")) }, `{"contents" : [ 1 ],"generationConfig":{},"unknown":null}`},
		{"snake in code", func(c *Call) { c.Delete("generation_config") }, `{"contents" : [ 1 ],"unknown":null}`},
		{"delete and set", func(c *Call) { c.Delete("contents"); c.Set("contents", []byte("4")) }, `{"contents":4,"generation_config":{"top_p":1,"x":2},"unknown":null}`},
		{"set in", func(c *Call) { c.SetIn("generationConfig", "topP", []byte("0.5")) }, `{"contents" : [ 1 ],"generationConfig":{"x":2,"topP":0.5},"unknown":null}`},
		{"set in new", func(c *Call) { c.SetIn("toolConfig", "a", []byte("1")) }, `{"contents" : [ 1 ],"generation_config":{"top_p":1,"x":2},"unknown":null,"toolConfig":{"a":1}}`},
		{"set in null", func(c *Call) { c.SetIn("unknown", "a\"", []byte("1")) }, `{"contents" : [ 1 ],"generation_config":{"top_p":1,"x":2},"unknown":{"a\"":1}}`},
		{"set in array", func(c *Call) { c.SetIn("contents", "a", []byte("1")) }, `{"contents" : [ 1 ],"generation_config":{"top_p":1,"x":2},"unknown":null}`},
		{"delete in", func(c *Call) { c.DeleteIn("generationConfig", "topP"); c.DeleteIn("generationConfig", "nope") }, `{"contents" : [ 1 ],"generationConfig":{"x":2},"unknown":null}`},
		{"all gone", func(c *Call) { c.Delete("contents"); c.Delete("unknown"); c.Delete("generationConfig") }, `{}`},
	} {
		c := mustCall(t, body)
		m := c.Mark()
		tt.edit(&c)
		if got := c.AppendTo(nil); string(got) != tt.want {
			t.Errorf("%s: %s\nwant %s", tt.name, got, tt.want)
		}
		if got := len(c.AppendTo(nil)); got > c.Size() {
			t.Errorf("%s: size %d, said %d", tt.name, got, c.Size())
		}
		c.Restore(m)
		if got := c.AppendTo(nil); string(got) != `{"contents" : [ 1 ],"generation_config":{"top_p":1,"x":2},"unknown":null}` {
			t.Errorf("%s undone: %s", tt.name, got)
		}
	}
}

func TestCallReads(t *testing.T) {
	c := mustCall(t, `{"system_instruction":{"parts":[]},"contents":[{"a":1},{"b":2}],"generationConfig":{"max_output_tokens":5,"t\u006fp_p":1}}`)
	if v, ok := c.Get("systemInstruction"); !ok || string(v) != `{"parts":[]}` {
		t.Errorf("%s, %v", v, ok)
	}
	if v, ok := c.GetIn("generation_config", "maxOutputTokens"); !ok || string(v) != "5" {
		t.Errorf("%s, %v", v, ok)
	}
	if v, ok := c.GetIn("generationConfig", "topP"); !ok || string(v) != "1" {
		t.Errorf("escaped and snake: %s, %v", v, ok)
	}
	c.SetIn("generationConfig", "topP", []byte("2"))
	if v, _ := c.Get("generationConfig"); string(v) != `{"max_output_tokens":5,"topP":2}` {
		t.Errorf("the escaped spelling stays: %s", v)
	}
	var names []string
	for i := range c.Len() {
		name, _ := c.At(i)
		names = append(names, name)
	}
	if got := strings.Join(names, " "); got != "systemInstruction contents generationConfig" {
		t.Error(got)
	}
	c.Delete("systemInstruction")
	if name, v := c.At(0); name != "contents" || c.Len() != 2 || len(v) == 0 {
		t.Error(name, c.Len())
	}
	if name, v := c.At(9); name != "" || v != nil {
		t.Error("there is no tenth member")
	}
	n := 0
	for a := c.Contents(); a.Next(); n++ {
	}
	if _, ok := c.Get("systemInstruction"); ok || n != 2 {
		t.Error("deleted, and two turns", n)
	}
	var zero Call
	if !zero.IsZero() || c.IsZero() || string(zero.AppendTo(nil)) != "{}" {
		t.Error("zero")
	}
}

func TestCloneHasItsOwnEdits(t *testing.T) {
	a := mustCall(t, `{"x":1}`)
	a.Set("y", []byte("2"))
	b := a.Clone()
	b.Set("x", []byte("9"))
	b.Set("z", []byte("3"))
	a.Set("w", []byte("4"))
	if string(a.AppendTo(nil)) != `{"x":1,"y":2,"w":4}` || string(b.AppendTo(nil)) != `{"x":9,"y":2,"z":3}` {
		t.Errorf("%s and %s", a.AppendTo(nil), b.AppendTo(nil))
	}
	b.Restore(0)
	if string(b.AppendTo(nil)) != `{"x":1}` {
		t.Errorf("%s", b.AppendTo(nil))
	}
}

func TestCanonical(t *testing.T) {
	for in, want := range map[string]string{
		"system_instruction": "systemInstruction", "systemInstruction": "systemInstruction", "top_p": "topP", "code_execution": "codeExecution",
		"google_search": "googleSearch", "google_search_retrieval": "googleSearchRetrieval", "url_context": "urlContext",
		"include_thoughts": "includeThoughts", "function_declarations": "functionDeclarations", "response_mime_type": "responseMimeType",
		"my_own_name": "my_own_name", "": "", "session_id": "sessionId", "allowed_function_names": "allowedFunctionNames",
	} {
		if got := Canonical(in); got != want {
			t.Errorf("Canonical(%q) = %q", in, got)
		}
	}
}

var fuzzNames = []string{"contents", "generationConfig", "system_instruction", "x", "t\u00f6\"ols", "tools"}

// FuzzSplice plays edits on a call and on the decoded body and compares what both make.
func FuzzSplice(f *testing.F) {
	f.Add([]byte(`{"contents":[1,{"a":"\""}],"generation_config":{"top_p":1,"topK":2},"x":null}`), []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
	f.Add([]byte(` {} `), []byte{12, 6, 0, 1, 18, 2, 3, 8, 4, 5, 24, 30, 31})
	f.Add([]byte(`{"t\u00f6\"ols":{"a":{"x":[{}]}},"tools":{}}`), []byte{4, 10, 16, 22, 28, 34, 40, 46, 29, 35, 41, 47})
	f.Fuzz(func(t *testing.T, body, script []byte) {
		c, err := NewCall(body)
		if !utf8.Valid(body) || bytes.Contains(body, []byte(`\u`)) && bytes.Contains(bytes.ToLower(body), []byte(`\ud`)) {
			return // encoding/json folds what is no UTF-8 into one character, and so different keys
		}
		if err != nil {
			if err.Param == "" && json.Valid(body) && body[0] == '{' && bytes.Count(body, []byte(":")) < 1000 && bytes.Count(body, []byte("[")) < 400 {
				t.Fatalf("%q is refused: %v", body, err)
			}
			return
		}
		model := decode(t, bytes.TrimPrefix(body, []byte("\ufeff")))
		var marks []Mark
		var snapshots []map[string]any
		for i, op := range script {
			name := fuzzNames[int(op)%len(fuzzNames)]
			known := Canonical(name)
			value := []byte(`{"n":[` + strings.Repeat("1,", i) + `"v"]}`)
			switch op / 6 % 6 {
			case 0:
				c.Set(name, value)
				model[known] = decodeAny(t, value)
			case 1:
				c.Delete(name)
				delete(model, known)
			case 2:
				c.SetIn(name, "top_p", value)
				parent, isObject := model[known].(map[string]any)
				if v, there := model[known]; !there || v == nil {
					parent, isObject = map[string]any{}, true
				}
				if isObject {
					parent = without(parent, "topP")
					parent["topP"] = decodeAny(t, value)
					model[known] = parent
				}
			case 3:
				c.DeleteIn(name, "topP")
				if parent, ok := model[known].(map[string]any); ok {
					model[known] = without(parent, "topP")
				}
			case 4:
				marks, snapshots = append(marks, c.Mark()), append(snapshots, clone(model))
			case 5:
				if n := len(marks); n > 0 {
					c.Restore(marks[n-1])
					model, marks, snapshots = snapshots[n-1], marks[:n-1], snapshots[:n-1]
				}
			}
		}
		out := c.AppendTo(nil)
		if got := decode(t, out); !reflect.DeepEqual(got, model) {
			t.Fatalf("%q with %v\ngives %s\nwant  %v", body, script, out, model)
		}
		if c.Len() != len(model) || len(out) > c.Size() {
			t.Fatalf("%d members, want %d; size %d, said %d", c.Len(), len(model), len(out), c.Size())
		}
	})
}

func decode(t *testing.T, doc []byte) map[string]any {
	t.Helper()
	top := map[string]any{}
	for name, v := range decodeAny(t, doc).(map[string]any) {
		top[Canonical(name)] = v
	}
	return top
}

func decodeAny(t *testing.T, doc []byte) any {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%q: %v", doc, err)
	}
	return v
}

// without is a copy of m in which no spelling of name is left.
func without(m map[string]any, name string) map[string]any {
	n := map[string]any{}
	for k, v := range m {
		if Canonical(k) != name {
			n[k] = v
		}
	}
	return n
}

func clone(m map[string]any) map[string]any {
	n := map[string]any{}
	for k, v := range m {
		n[k] = v
	}
	return n
}

func TestTakeMadeIsNewCallUnchecked(t *testing.T) {
	const body = `{"contents":[{"parts":[{"text":"a } , b"}]}],"generationConfig": {"topK":3},"safetySettings":[]}`
	for _, doc := range [][]byte{[]byte(body), append(make([]byte, 0, 4096), body...)} { // with and without room behind it
		want, fail := NewCall(doc)
		if fail != nil {
			t.Fatal(fail)
		}
		var made Call
		made.TakeMade(doc)
		if got := string(made.AppendTo(nil)); got != string(want.AppendTo(nil)) || made.Len() != want.Len() || made.Size() != want.Size() {
			t.Errorf("%s of %d bytes, want %s of %d", got, made.Size(), want.AppendTo(nil), want.Size())
		}
		made.Delete("generationConfig")
		made.Set("labels", []byte(`{}`))
		if got := string(made.AppendTo(nil)); got != `{"contents":[{"parts":[{"text":"a } , b"}]}],"safetySettings":[],"labels":{}}` {
			t.Errorf("edited: %s", got)
		}
	}
}

// What a call was before does not shine through, and more members than there is room for are kept.
func TestTakeForgets(t *testing.T) {
	var c Call
	for _, body := range []string{`{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8}`, `{"contents":[]}`, `{}`} {
		members, err := wire.Scan([]byte(body), nil)
		if err != nil {
			t.Fatal(err)
		}
		c.Set("labels", []byte(`{}`))
		if fail := c.Take([]byte(body), members); fail != nil {
			t.Fatal(fail)
		}
		if got := string(c.AppendTo(nil)); got != body || c.Mark() != 0 {
			t.Errorf("got %s, want %s", got, body)
		}
	}
	twice := `{"top_p":1,"topP":2}`
	members, _ := wire.Scan([]byte(twice), nil)
	if fail := c.Take([]byte(twice), members); fail == nil || !c.IsZero() {
		t.Errorf("%v, %s", fail, c.AppendTo(nil))
	}
}
