package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// documents are the seeds of every fuzz target here.
var documents = []string{
	``, ` `, `null`, `{}`, `[]`, ` { } `, `{"a":1}`, `{"a":1,"a":2}`, `{"m\u006fdel":"x","model":"y"}`,
	`[1,2.5e-3,-0,true,false,null,"x",{"y":[{}]}]`, `{"a":"\"\\\"","b":"\\"}`, `{"a":[}]}`, `{"a":{"b":]}`,
	"\ufeff{\"a\":\"\u4f60\u597d\"}", `{"a":1,}`, `{,"a":1}`, `[1,,2]`, `{"a" : "\ud83d\ude00\u00e9"}`, `{"a":"` + "\x01" + `"}`,
	`{"a":"\x"}`, `{"a":01}`, `{"a":1.}`, `{"a":-}`, `{"a":1e}`, `{"a":tru}`, `{"a":"x}`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1}x`,
	`{"contents":[{"role":"user","parts":[{"text":"hi \"there\"\n"}]}],"generationConfig":{"temperature":0.5}}`,
	strings.Repeat("[", 600) + strings.Repeat("]", 600), strings.Repeat(`{"a":`, 512) + "1" + strings.Repeat("}", 512),
}

func TestObject(t *testing.T) {
	tests := []struct {
		in, want string
		bad      bool
	}{
		{`{}`, "", false},
		{``, "", false},
		{`null`, "", false},
		{"\ufeff \t\r\n{ \"a\" : 1 , \"b\":[1,{\"c\":\"}\"}] }", `a=1;b=[1,{"c":"}"}];`, false},
		{`{"a":"\\","b":"\"}","c":"\\\""}`, `a="\\";b="\"}";c="\\\"";`, false},
		{`{"a":1,,"b":2,}`, `a=1;b=2;`, false}, // seen in Google's error bodies
		{`[1]`, "", true},
		{`"x"`, "", true},
		{`{"a":1`, "a=1;", true},
		{`{"a"}`, "", true},
		{`{"a":}`, "", true},
		{`{"a":"x`, "", true},
		{`{"a":[1,2`, "", true},
		{`{1:2}`, "", true},
	}
	for _, tt := range tests {
		var got strings.Builder
		o := ObjectOf([]byte(tt.in))
		for o.Next() {
			fmt.Fprintf(&got, "%s=%s;", o.Key, o.Value)
		}
		if got.String() != tt.want || (o.Err() != nil) != tt.bad {
			t.Errorf("ObjectOf(%q) = %q, %v", tt.in, got.String(), o.Err())
		}
		if o.Next() {
			t.Errorf("ObjectOf(%q): Next after the end", tt.in)
		}
	}
}

func TestArray(t *testing.T) {
	tests := []struct {
		in, want string
		bad      bool
	}{
		{`[]`, "", false}, {`null`, "", false}, {` [ 1 ,"a,]" , {"b":[2]},[] ] `, `1;"a,]";{"b":[2]};[];`, false},
		{`{}`, "", true}, {`[1,2`, "1;2;", true}, {`[1,:]`, "1;", true}, {`[1,"x`, "1;", true},
	}
	for _, tt := range tests {
		var got strings.Builder
		a := ArrayOf([]byte(tt.in))
		for a.Next() {
			fmt.Fprintf(&got, "%s;", a.Value)
		}
		if got.String() != tt.want || (a.Err() != nil) != tt.bad {
			t.Errorf("ArrayOf(%q) = %q, %v", tt.in, got.String(), a.Err())
		}
	}
}

func TestIs(t *testing.T) {
	tests := []struct {
		key, name string
		want      bool
	}{
		{`model`, "model", true}, {`m\u006fdel`, "model", true}, {`\u006d\u006f\u0064\u0065\u006c`, "model", true},
		{`Model`, "model", false}, {`models`, "model", false}, {`m\\del`, "model", false}, {``, "", true},
		{strings.Repeat(`\u0061`, 200), strings.Repeat("a", 200), true},
	}
	for _, tt := range tests {
		o := ObjectOf([]byte(`{"` + tt.key + `":1}`))
		if !o.Next() || o.Is(tt.name) != tt.want {
			t.Errorf("key %s Is %q: not %v", tt.key, tt.name, tt.want)
		}
	}
}

func TestGet(t *testing.T) {
	doc := []byte(`{"a":{"b":{"c":[1]},"b":2},"n":null,"s":"x"}`)
	tests := []struct {
		want string
		path []string
	}{
		{string(doc), nil}, {`[1]`, []string{"a", "b", "c"}}, {"null", []string{"n"}}, {"", []string{"n", "x"}},
		{"", []string{"a", "x"}}, {"", []string{"s", "x"}}, {`"x"`, []string{"s"}},
	}
	for _, tt := range tests {
		got := Get(doc, tt.path...)
		if string(got) != tt.want || (tt.want == "") != (got == nil) {
			t.Errorf("Get %v = %q, want %q", tt.path, got, tt.want)
		}
	}
}

func TestKindOf(t *testing.T) {
	for in, want := range map[string]Kind{
		"": KindNone, "x": KindNone, ` "`: KindString, "-1": KindNumber, "7": KindNumber, "\n{": KindObject,
		"\ufeff[": KindArray, "true": KindBool, "false": KindBool, "null": KindNull,
	} {
		if got := KindOf([]byte(in)); got != want {
			t.Errorf("KindOf(%q) = %v, want %v", in, got, want)
		}
	}
}

func TestCheckNamesTheOffset(t *testing.T) {
	tests := []struct {
		in     string
		offset int
		why    string
	}{
		{``, 0, whyEnd}, {`  `, 2, whyEnd}, {`{`, 1, whyEnd}, {`{"a"`, 4, whyEnd}, {`{"a":`, 5, whyEnd}, {`{"a":1`, 6, whyEnd},
		{`{"a":"x`, 7, whyEnd}, {`[1,`, 3, whyEnd}, {`{"a":1,}`, 7, whyKey}, {`{1:2}`, 1, whyKey}, {`{"a" 1}`, 5, whyColon},
		{`[1 2]`, 3, whyComma}, {`{"a":[}`, 6, whyValue}, {`[1}`, 2, whyComma}, {`{"a":1]`, 6, whyComma}, {`[1,]`, 3, whyValue}, {`[,1]`, 1, whyValue},
		{"[\"a\nb\"]", 3, whyControl}, {`["\x"]`, 2, whyEscape}, {`["\u12g4"]`, 2, whyEscape}, {`["\`, 2, whyEscape},
		{`[01]`, 2, whyNumber}, {`[-]`, 2, whyNumber}, {`[1.]`, 3, whyNumber}, {`[1e+]`, 4, whyNumber}, {`[+1]`, 1, whyValue},
		{`[nul]`, 1, whyValue}, {`{} x`, 3, "text behind the end of the document"}, {`]`, 0, whyValue},
		{strings.Repeat("[", 513), 512, whyDeep},
	}
	for _, tt := range tests {
		var e *SyntaxError
		if err := Check([]byte(tt.in)); !errors.As(err, &e) || e.Offset != tt.offset || e.Why != tt.why {
			t.Errorf("Check(%.40q) = %v, want byte %d: %s", tt.in, err, tt.offset, tt.why)
		}
	}
	if err := Check([]byte(strings.Repeat(`{"a":[`, 256) + strings.Repeat(`]}`, 256))); err != nil {
		t.Errorf("512 levels: %v", err)
	}
}

// FuzzCheck compares with encoding/json. The differences that are meant: a byte order mark in
// front is let through, and nesting ends at 512 levels (encoding/json: 10000).
func FuzzCheck(f *testing.F) {
	for _, s := range documents {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		err := Check(doc)
		want := json.Valid(bytes.TrimPrefix(doc, []byte("\ufeff")))
		var e *SyntaxError
		if errors.As(err, &e) {
			if e.Offset < 0 || e.Offset > len(doc) {
				t.Fatalf("offset %d of %d", e.Offset, len(doc))
			}
			if e.Why == whyDeep && bytes.Count(doc, []byte("["))+bytes.Count(doc, []byte("{")) > maxDepth {
				return
			}
		}
		if (err == nil) != want {
			t.Fatalf("Check(%q) = %v, encoding/json says %v", doc, err, want)
		}
	})
}

func TestScan(t *testing.T) {
	doc := []byte("\ufeff { \"a\" : [1,\"}\"] ,\"m\\u006fdel\":\"x\",\"a\":null}\n")
	members, err := Scan(doc, nil)
	if err != nil || len(members) != 3 {
		t.Fatal(members, err)
	}
	for i, want := range []struct {
		key, value, whole, raw string
		escaped                bool
	}{
		{"a", `[1,"}"]`, `"a" : [1,"}"]`, "a", false},
		{"model", `"x"`, `"m\u006fdel":"x"`, `m\u006fdel`, true},
		{"a", "null", `"a":null`, "a", false},
	} {
		m := members[i]
		if string(m.Key) != want.key || string(m.Value) != want.value || string(doc[m.Start:m.End]) != want.whole ||
			string(m.Raw(doc)) != want.raw || m.Escaped != want.escaped {
			t.Errorf("member %d: %+v", i, m)
		}
	}
	if name, found := Duplicate(members); !found || name != "a" {
		t.Error("the duplicate is not found")
	}
	if _, found := Duplicate(members[:2]); found {
		t.Error("found a duplicate that is none")
	}
	if Find(members, "model") != 1 || Find(members, "x") != -1 {
		t.Error("Find")
	}
}

func TestScanRefuses(t *testing.T) {
	many := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"k%d":%d`, i, i)
		}
		return "{" + b.String()[1:] + "}"
	}
	for _, in := range []string{``, `null`, `[]`, `{"a":1,}`, `{"a":1`, `{"a":01}`, `{} {}`, many(maxMembers + 1), `{"a":` + strings.Repeat("[", 512) + strings.Repeat("]", 512) + `}`} {
		if _, err := Scan([]byte(in), nil); err == nil {
			t.Errorf("Scan(%.40q) accepts", in)
		}
	}
	members, err := Scan([]byte(many(maxMembers)), nil)
	if _, twice := Duplicate(members); err != nil || twice {
		t.Error(err, twice)
	}
	if _, twice := Duplicate(append(members, members[7])); !twice {
		t.Error("a duplicate among many is not found")
	}
}

// FuzzScan compares the members with those of encoding/json's decoder, and the tolerant iterator
// with both.
func FuzzScan(f *testing.F) {
	for _, s := range documents {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		members, err := Scan(doc, nil)
		iterate(doc) // no panic, whatever it is
		plain := bytes.TrimPrefix(doc, []byte("\ufeff"))
		if err != nil {
			if Check(doc) == nil && KindOf(doc) == KindObject && len(members) < maxMembers {
				t.Fatalf("Scan refuses %q: %v", doc, err)
			}
			return
		}
		if !json.Valid(plain) {
			t.Fatalf("Scan accepts %q", doc)
		}
		dec := json.NewDecoder(bytes.NewReader(plain))
		dec.Token()
		o := ObjectOf(doc)
		for i, m := range members {
			key, err := dec.Token()
			var value json.RawMessage
			if err != nil || dec.Decode(&value) != nil {
				t.Fatalf("member %d of %q: %v", i, doc, err)
			}
			if got := strings.ToValidUTF8(string(m.Key), "\ufffd"); got != strings.ToValidUTF8(key.(string), "\ufffd") && strings.Count(key.(string), "\ufffd") == 0 {
				t.Fatalf("member %d of %q is %q, want %q", i, doc, got, key)
			}
			if !bytes.Equal(m.Value, value) || !o.Next() || !bytes.Equal(o.Value, value) {
				t.Fatalf("value %d of %q: %q and %q, want %q", i, doc, m.Value, o.Value, value)
			}
			if doc[m.Start] != '"' || !bytes.HasSuffix(doc[m.Start:m.End], m.Value) {
				t.Fatalf("span of member %d of %q", i, doc)
			}
		}
		if dec.More() || o.Next() || o.Err() != nil {
			t.Fatalf("%q has more members", doc)
		}
	})
}

func iterate(v []byte) {
	for o := ObjectOf(v); o.Next(); {
		if KindOf(o.Value) == KindObject || KindOf(o.Value) == KindArray {
			iterate(o.Value)
		}
	}
	for a := ArrayOf(v); a.Next(); {
		if KindOf(a.Value) == KindObject || KindOf(a.Value) == KindArray {
			iterate(a.Value)
		}
	}
}
