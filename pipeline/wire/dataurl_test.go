package wire

import "testing"

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
		`AA==`: "AA==", `A\/A`: "A/A", `A\nA\r\n`: "AA", `A\u002BA\u002fA\u003D`: "A+A/A=",
		`A\u0022A`: "", `A\"A`: "", `A\u00e9A`: "",
	} {
		got, ok := AppendBase64([]byte("x"), []byte(data))
		if ok != (want != "") || ok && string(got) != "x"+want {
			t.Errorf("%s: %s %v", data, got, ok)
		}
	}
}
