package wire

import (
	"bytes"
	"testing"
)

func TestBehind(t *testing.T) {
	const name = `"usage"`
	for _, tt := range []struct{ doc, want string }{
		{`{"usage":{"n":1}}`, `{"n":1}`},
		{`{"c":[{"text":"x"}],"usage":{"n":1},"v":"a","id":"b"}`, `{"n":1}`},
		{" { \"c\" : 1 , \"usage\" : [ 1 ] , \"v\" : \"}\" } \n", `[ 1 ]`},
		{`{"c":{"usage":1}}`, ""},
		{`{"c":{"usage":1},"d":2}`, ""},
		{`{"c":[{"usage":1,"d":2}]}`, ""},
		{`{"c":"usage"}`, ""},
		{`{"c":["usage"],"d":1}`, ""},
		{`{"c":"usage","d":1}`, ""},
		{`{"usage":}`, ""},
		{`{"usage"`, ""},
		{`{"usage":1`, ""},
		{`{"usage":1,"d`, ""},
		{`{"usage":1,"d":2]`, ""},
		{`{"usage":1}}`, ""},
	} {
		i := bytes.Index([]byte(tt.doc), []byte(name))
		if got := string(Behind([]byte(tt.doc), i+len(name))); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.doc, got, tt.want)
		}
	}
}

// FuzzBehind holds it to Get: in a sound document what it finds is a member of the document.
func FuzzBehind(f *testing.F) {
	for _, doc := range documents {
		f.Add([]byte(doc))
	}
	f.Add([]byte(`{"x\"a":[],"y":1}`))
	f.Add([]byte(`{"a":{"a":1},"b":{"a":[{"a":"a"}]},"c":"\"a\":1}"}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		members, err := Scan(doc, nil)
		if err != nil {
			for i := range doc {
				Behind(doc, i) // must only not panic
			}
			return
		}
		name := []byte(`"a"`)
		for at := 0; ; {
			i := bytes.Index(doc[at:], name)
			if i < 0 {
				return
			}
			at += i + len(name)
			if at > len(name) && doc[at-len(name)-1] == '\\' {
				continue // as it is asked for
			}
			v, there := Behind(doc, at), false
			for _, m := range members {
				there = there || string(m.Key) == "a" && !m.Escaped && m.Start == at-len(name) && string(m.Value) == string(v)
			}
			if there != (v != nil) {
				t.Fatalf("%q at %d of %s", v, at, doc)
			}
		}
	})
}
