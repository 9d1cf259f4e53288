package gemini

import (
	"testing"

	"gcli2api/pipeline/apierror"
)

func TestRange(t *testing.T) {
	r := Range{"x", -0.5, 2}
	for v, want := range map[string]string{
		"-0.5": "", "0": "", "2": "", "2e0": "", "-0.51": "x", "2.1": "x", `"1"`: "x", "null": "x", "": "x", "[1]": "x", "1e400": "x",
	} {
		var to []byte
		fail := r.Take(&to, []byte(v))
		if want == "" && (fail != nil || string(to) != v) || want != "" && (to != nil || said(fail) != "x must be a number from -0.5 to 2") {
			t.Errorf("%s: %s, %v", v, to, fail)
		}
	}
}

func TestLeast(t *testing.T) {
	for v, want := range map[string]int64{"2": 2, "3e0": 3, "1": 0, "2.5": 0, `"2"`: 0, "null": 0, "99999999999999999999": 0} {
		var to int64
		fail := Least{"x", 2}.Take(&to, []byte(v))
		if to != want || (fail == nil) != (want > 0) || fail != nil && said(fail) != "x must be a whole number of at least 2" {
			t.Errorf("%s: %d, %v", v, to, fail)
		}
	}
}

func said(fail *apierror.Error) string {
	if fail == nil || fail.Code != apierror.BadRequest || fail.Param == "" {
		return ""
	}
	return fail.Message
}

func TestAppendCapped(t *testing.T) {
	var b Beside
	if got := string(b.AppendCapped(nil, "top_k", 64, 64)); got != "64" || b.Ignored != nil {
		t.Error(got, b.Ignored)
	}
	if got := string(b.AppendCapped(nil, "top_k", 65, 64)); got != "64" || len(b.Ignored) != 1 || b.Ignored[0] != "top_k=64" {
		t.Error(got, b.Ignored)
	}
	if some, none := (&Target{MaxOutput: 8192}), (&Target{}); some.Output() != 8192 || none.Output() != 65536 {
		t.Error(some.Output(), none.Output())
	}
}

func TestStops(t *testing.T) {
	for v, want := range map[string]string{
		`"a"`: `{"stopSequences":["a"]`, `""`: `{`, `["a","","b\n"]`: `{"stopSequences":["a","b\n"]`, `[""]`: `{`, `[]`: `{`,
	} {
		if got := string(AppendStops([]byte("{"), []byte(v))); got != want {
			t.Errorf("%s: %s", v, got)
		}
	}
	if n, fail := CountStops([]byte(`["a","","b"]`), "stop"); n != 2 || fail != nil {
		t.Error(n, fail)
	}
	if _, fail := CountStops([]byte(`["a",1]`), "stop"); said(fail) != "stop[1] must be a string" {
		t.Error(fail)
	}
}
