package wire

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	tests := []struct {
		in, want string
		ok       bool
	}{
		{`""`, "", true}, {` "a" `, "a", true}, {`"a\"b\\\/\b\f\n\r\t"`, "a\"b\\/\b\f\n\r\t", true},
		{`"\u4f60\u00e9"`, "\u4f60\u00e9", true}, {`"\ud83d\ude00"`, "\U0001F600", true}, {`"\ud83d"`, "\ufffd", true}, {`"\ud83dx"`, "\ufffdx", true},
		{`"\ud83d\u0041"`, "\ufffdA", true}, {`"\ude00\ud83d"`, "\ufffd\ufffd", true}, {`1`, "", false}, {``, "", false}, {`"a`, "", false}, {`null`, "", false},
	}
	for _, tt := range tests {
		got, ok := Text([]byte(tt.in))
		if got != tt.want || ok != tt.ok {
			t.Errorf("Text(%s) = %q, %v", tt.in, got, ok)
		}
		if app := AppendText([]byte("x"), []byte(tt.in)); string(app) != "x"+tt.want {
			t.Errorf("AppendText(%s) = %q", tt.in, app)
		}
	}
}

func TestNumbers(t *testing.T) {
	for in, want := range map[string]int64{
		"0": 0, "-1": -1, "42": 42, " 7": 7, "1e3": 1000, "100.0": 100, "9223372036854775807": 1<<63 - 1, "-9223372036854775808": -1 << 63,
	} {
		if got, ok := Int([]byte(in)); !ok || got != want {
			t.Errorf("Int(%q) = %d, %v", in, got, ok)
		}
	}
	for _, in := range []string{"", "-", "1.5", `"1"`, "true", "null", "9223372036854775808", "1e400", "x", "1x", "[1]"} {
		if got, ok := Int([]byte(in)); ok {
			t.Errorf("Int(%q) = %d", in, got)
		}
	}
	for in, want := range map[string]float64{"0.5": 0.5, "-2": -2, "1e-3": 0.001} {
		if got, ok := Float([]byte(in)); !ok || got != want {
			t.Errorf("Float(%q) = %v, %v", in, got, ok)
		}
	}
	for _, in := range []string{"", `"0.5"`, "NaN", "Infinity", "0x10", "1_0", "1e999", "true", ".5"} {
		if got, ok := Float([]byte(in)); ok {
			t.Errorf("Float(%q) = %v", in, got)
		}
	}
	for in, want := range map[string][2]bool{"true": {true, true}, " false": {false, true}, "1": {}, `"true"`: {}, "": {}} {
		if v, ok := Bool([]byte(in)); v != want[0] || ok != want[1] {
			t.Errorf("Bool(%q) = %v, %v", in, v, ok)
		}
	}
}

func TestAppendQuoted(t *testing.T) {
	for in, want := range map[string]string{
		"": `""`, "plain": `"plain"`, "a\"b\\c": `"a\"b\\c"`, "\b\f\n\r\t\x00\x1f": `"\b\f\n\r\t\u0000\u001f"`,
		"<a href='x'>&\u2028": `"<a href='x'>&` + "\u2028" + `"`, "a\xffb\xc3": "\"a\ufffdb\ufffd\"", "0123456789\"": `"0123456789\""`,
	} {
		if got := AppendQuoted(nil, in); string(got) != want {
			t.Errorf("AppendQuoted(%q) = %s", in, got)
		}
	}
}

// FuzzText compares both directions with encoding/json.
func FuzzText(f *testing.F) {
	for _, s := range []string{`"a"`, `"\ud83d\ude00"`, `"\ud83d\ud83d\ude00"`, "\"\xff\"", `"\\\""`, "a\x00\"\\\n\u4f60\xf0\x9f"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, v []byte) {
		quoted := AppendQuotedBytes(nil, v)
		var back string
		if err := json.Unmarshal(quoted, &back); err != nil || !utf8.Valid(quoted) || back != string([]rune(string(v))) {
			t.Fatalf("AppendQuotedBytes(%q) = %s: %v", v, quoted, err)
		}
		if got, ok := Text(quoted); !ok || got != back {
			t.Fatalf("Text(%s) = %q", quoted, got)
		}
		if len(v) == 0 || v[0] != '"' || !utf8.Valid(v) || json.Unmarshal(v, &back) != nil {
			return
		}
		if got, ok := Text(v); !ok || got != back {
			t.Fatalf("Text(%s) = %q, want %q", v, got, back)
		}
	})
}

func TestPool(t *testing.T) {
	var p Pool
	for _, tt := range []struct{ n, size int }{{0, 4096}, {1, 4096}, {4096, 4096}, {4097, 8192}, {1 << 20, 1 << 20}, {1<<20 + 1, 1<<20 + 1}} {
		b := p.Get(tt.n)
		if len(b.B) != 0 || cap(b.B) != tt.size {
			t.Errorf("Get(%d): len %d cap %d", tt.n, len(b.B), cap(b.B))
		}
		p.Put(b)
	}
	b := p.Get(10)
	b.B = append(b.B, strings.Repeat("x", 5000)...) // an odd capacity after append
	stale := b
	p.Put(b)
	if b.B != nil {
		t.Error("the handle keeps the bytes")
	}
	one, two := p.Get(4096), p.Get(4096)
	p.Put(stale) // must not lend what one or two hold
	three := p.Get(4096)
	one.B, two.B, three.B = append(one.B, "one"...), append(two.B, "two"...), append(three.B, "three"...)
	if string(one.B) != "one" || string(two.B) != "two" || string(three.B) != "three" {
		t.Error("a second Put lent a buffer twice")
	}
	p.Put(nil)
	p.Put(&Buffer{B: make([]byte, 10)})
	if got := p.Get(1); cap(got.B) < 4096 {
		t.Error("a small buffer was pooled")
	}
}
