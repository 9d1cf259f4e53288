package gemini

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"gcli2api/pipeline/wire"
)

// plain is what a decoder makes of a document; false for one that is read in more than one way: names
// that are given twice, in whatever spelling, or with escapes. Such documents prove nothing.
func plain(t *testing.T, doc []byte) (v any, ok bool) {
	t.Helper()
	if err := json.Unmarshal(doc, &v); err != nil {
		t.Fatalf("%v: %s", err, doc)
	}
	return v, !ambiguous(doc)
}

func ambiguous(v []byte) bool {
	seen := map[string]bool{}
	for o := wire.ObjectOf(v); o.Next(); {
		name := Canonical(string(o.Key))
		if seen[name] || bytes.IndexByte(o.Key, '\\') >= 0 || ambiguous(o.Value) {
			return true
		}
		seen[name] = true
	}
	for a := wire.ArrayOf(v); a.Next(); {
		if ambiguous(a.Value) {
			return true
		}
	}
	return false
}

// under is a member of what may be an object, items what may be a list.
func under(v any, names ...string) any {
	for _, name := range names {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

func items(v any) []any {
	list, _ := v.([]any)
	return list
}

// FuzzRestore: of a valid event a valid one is made; only calls are written anew, each with an id that
// Made lists and the name that the client knows, and nothing else changes.
func FuzzRestore(f *testing.F) {
	for _, seed := range []string{
		`{"candidates":[{"content":{"parts":[{"functionCall":{"id":"g1","name":"f","args":{"a":[1]}},"thoughtSignature":"s"},{"text":"x"},{"functionCall":{"name":"GOOGLE"}}]},"finishReason":"STOP"}]}`,
		`{"candidates":[{"content":{"parts":[ {"functionCall":{}} , {"functionCall":{"name":5,"args":[]}},{"functionCall":7},null,5,"]"]}},{"content":null},3],"usageMetadata":{}}`,
		`{"candidates":[{"content":{"parts":[{"text":"a"},{"functionCall":{"name":"f"}},{"functionCall":{"name":"g","name":"h"}}],"parts":[{"functionCall":{"args":{}}}]}}],"a":{"candidates":[{"functionCall":{}}]}}`,
		`{"functionCall":1,"candidates":{}}`, `{"candidates":[{"content":{"parts":[{"functionCall"`, `[]`,
	} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, single bool) {
		tools := &Tools{Single: single}
		tools.Declare("f", false)
		data = bytes.ReplaceAll(data, []byte("GOOGLE"), []byte(tools.Google("天气")))
		was := bytes.Clone(data)
		r := Restorer{Tools: tools, Seed: "s", Prefix: "call_"}
		out := r.Event(data)
		if !bytes.Equal(data, was) {
			t.Fatalf("the event itself became %s, was %s", data, was)
		}
		if wire.Check(data) != nil {
			return
		}
		if !json.Valid(out) {
			t.Fatalf("%s\nis no JSON, made of %s", out, data)
		}
		before, ok := plain(t, data)
		after, _ := plain(t, out)
		if !ok {
			return
		}
		want := restoredPlainly(before, tools, r.Made())
		if !reflect.DeepEqual(after, want) {
			t.Fatalf("%s\nwas made of %s", out, data)
		}
	})
}

// restoredPlainly does in a decoded event what a Restorer does in a written one.
func restoredPlainly(event any, tools *Tools, made []Made) any {
	for _, c := range items(under(event, "candidates")) {
		content, _ := under(c, "content").(map[string]any)
		parts, some := content["parts"].([]any)
		if !some {
			continue
		}
		kept := []any{}
		for _, p := range parts {
			m, _ := p.(map[string]any)
			name := "functionCall"
			if _, there := m[name]; !there {
				name = "function_call"
			}
			call, there := m[name].(map[string]any)
			switch {
			case !there:
				kept = append(kept, p)
			case len(made) > 0:
				m[name], kept = restoredCall(call, tools, made[0].ID), append(kept, p)
				made = made[1:]
			}
		}
		content["parts"] = kept
	}
	return event
}

func restoredCall(call map[string]any, tools *Tools, id string) map[string]any {
	name, _ := call["name"].(string)
	if f, known := tools.Client([]byte(name)); known {
		name = f.Client
	}
	args, some := call["args"].(map[string]any)
	if !some {
		args = map[string]any{}
	}
	return map[string]any{"id": id, "name": name, "args": args}
}

// FuzzSentinels: valid contents stay valid. What the user says stays as it is; of what the model said
// only signatures go, and the first call of each turn gets the sentinel.
func FuzzSentinels(f *testing.F) {
	for _, seed := range []string{
		`[{"role":"user","parts":[{"text":"a","thoughtSignature":"keep"}]},{"role":"model","parts":[{"text":"a","thoughtSignature":"x"},{"functionCall":{"name":"f"}},{"function_call":{"name":"g"},"thought_signature":"y"}],"more":1}]`,
		`[{"role":"model"},{"role":"model","parts":{}},{"role":"model","parts":[null,5,{"functionCall":null,"thoughtSignature":7}]},null,3,"model"]`,
		`[{"r\u006fle":"model","parts":[{"function\u0043all":{}}]},{"role":"m\u006fdel","parts":[]}]`, `{}`, `[{"role":"model","parts":[{`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, contents []byte) {
		out := AppendSentinels(nil, contents)
		if wire.Check(contents) != nil || wire.KindOf(contents) != wire.KindArray {
			return
		}
		if !json.Valid(out) {
			t.Fatalf("%s\nis no JSON, made of %s", out, contents)
		}
		before, ok := plain(t, contents)
		after, _ := plain(t, out)
		if !ok || bytes.IndexByte(contents, '\\') >= 0 { // a role with escapes is nobody's
			return
		}
		if want := sentinelsPlainly(before); !reflect.DeepEqual(after, want) {
			t.Fatalf("%s\nwas made of %s", out, contents)
		}
	})
}

// sentinelsPlainly does in decoded contents what AppendSentinels does in written ones.
func sentinelsPlainly(contents any) any {
	for _, turn := range items(contents) {
		if under(turn, "role") != "model" {
			continue
		}
		parts := []any{}
		first := true
		for _, p := range items(under(turn, "parts")) {
			parts = append(parts, p)
			m, _ := p.(map[string]any)
			_, signed := m["thoughtSignature"]
			_, snake := m["thought_signature"]
			_, called := m["functionCall"]
			if _, there := m["function_call"]; there {
				called = true
			}
			if !signed && !snake && (!called || !first) {
				continue
			}
			delete(m, "thoughtSignature")
			delete(m, "thought_signature")
			if called && first {
				m["thoughtSignature"] = Sentinel
			}
			first = first && !called
		}
		turn.(map[string]any)["parts"] = parts
	}
	return contents
}
