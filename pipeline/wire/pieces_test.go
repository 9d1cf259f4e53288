package wire

import "testing"

func TestKey(t *testing.T) {
	for before, want := range map[string]string{
		`{`: `{"a":`, `[{`: `[{"a":`, `[`: `["a":`, `{"b":1`: `{"b":1,"a":`, `{"b":{}`: `{"b":{},"a":`, `{"b":[]`: `{"b":[],"a":`,
	} {
		if got := Key([]byte(before), "a"); string(got) != want {
			t.Errorf("%s becomes %s", before, got)
		}
		if got := Key([]byte(before), []byte("a")); string(got) != want {
			t.Errorf("%s becomes %s", before, got)
		}
	}
}

func TestInside(t *testing.T) {
	for v, want := range map[string]string{`""`: "", `"a"`: "a", `"\"\\"`: `\"\\`} {
		if got, ok := Inside([]byte(v)); !ok || string(got) != want {
			t.Errorf("Inside(%s) = %q, %v", v, got, ok)
		}
	}
	for _, v := range []string{``, `"`, `1`, `12`, `null`, `{}`, `["a"]`} {
		if got, ok := Inside([]byte(v)); ok || got != nil {
			t.Errorf("Inside(%s) = %q", v, got)
		}
	}
}

func TestPlainKey(t *testing.T) {
	for key, want := range map[string]string{"": "", "role": "role", `r\u006fle`: "role", `a\"b\\`: `a"b\`, `\ud83d`: "\ufffd"} {
		if got := PlainKey([]byte(key)); string(got) != want {
			t.Errorf("PlainKey(%s) = %q", key, got)
		}
	}
}

func TestGiven(t *testing.T) {
	for v, want := range map[string][2]bool{ // given, filled
		``: {}, `null`: {}, ` null`: {}, `[]`: {true}, `{ }`: {true}, `[ ]`: {true},
		`0`: {true, true}, `false`: {true, true}, `""`: {true, true}, `[null]`: {true, true}, `{"a":null}`: {true, true},
	} {
		if given, filled := Given([]byte(v)), Filled([]byte(v)); given != want[0] || filled != want[1] {
			t.Errorf("%q: given %v, filled %v", v, given, filled)
		}
	}
}
