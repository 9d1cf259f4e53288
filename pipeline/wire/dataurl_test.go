package wire

import (
	"bytes"
	"encoding/base64"
	"testing"
)

func TestCutDataURL(t *testing.T) {
	for inner, want := range map[string][2]string{
		`data:image/png;base64,AA`:                 {"image/png", "AA"},
		`DATA:application/pdf;BASE64,AA`:           {"application/pdf", "AA"},
		`data:image/jpg;base64,AA`:                 {"image/jpeg", "AA"},
		`data:image\/png;charset=utf-8;base64,A\/`: {"image/png", `A\/`},
		`data:image/svg+xml;base64,A`:              {"image/svg+xml", "A"},
		`data:image/svg+xml,%3Csvg`:                {},
		`data:;base64,AA`:                          {},
		`data:image/png;base64,`:                   {},
		`data:a/b/c;base64,AA`:                     {},
		`data:a\"/b;base64,AA`:                     {},
		`https://example.com/a.png`:                {},
		``:                                         {},
	} {
		var room [MaxDataHead]byte
		mime, data, ok := CutDataURL(room[:0], []byte(inner))
		if string(mime) != want[0] || string(data) != want[1] || ok != (want[0] != "") {
			t.Errorf("%s: %s %s %v", inner, mime, data, ok)
		}
	}
}

func TestAppendBase64(t *testing.T) {
	for data, want := range map[string]string{
		`AA==`: "AA==", `A\/A`: "A/A", `A\nA\r\n`: "AA", `A\u002BA\u002fAA\u003D\u003d`: "A+A/AA==",
		`-_-_AAAAAAAAAAAA`: "-_-_AAAAAAAAAAAA", `AAAA BBBB`: "AAAA BBBB", `AAA`: "AAA", `AAA=`: "AAA=",
		`A\u0022A`: "", `A\"A`: "", `A\u00e9A`: "", `A`: "", `AAAAA`: "", `AA=`: "", `AAA==`: "", `AAAA=`: "", `AA=A`: "", `=`: "", `\n`: "", ``: "",
		`AAAA!AAAAAAA`: "", `AAAAAAA.`: "", "AAAAAAA\xff": "", `AAAA%3D`: "",
	} {
		got, ok := AppendBase64([]byte("x"), []byte(data))
		if ok != (want != "") || ok && string(got) != "x"+want {
			t.Errorf("%s: %s %v", data, got, ok)
		}
	}
	for c := range 256 {
		if c == '\\' || c < ' ' { // cut escapes and control characters: the document was scanned
			continue
		}
		_, ok := AppendBase64(nil, []byte{'A', 'A', 'A', 'A', 'A', 'A', 'A', byte(c)})
		_, err := base64.StdEncoding.DecodeString("AAAAAAA" + string(rune(c)))
		if want := err == nil || c == '-' || c == '_' || c == ' '; ok != want {
			t.Errorf("%q: %v, want %v", string(rune(c)), ok, want)
		}
	}
}

func BenchmarkAppendBase64(b *testing.B) {
	data := bytes.Repeat([]byte("iVBORw0K"), 1<<17)
	dst := make([]byte, 0, len(data))
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, ok := AppendBase64(dst, data); !ok {
			b.Fatal("refused")
		}
	}
}
