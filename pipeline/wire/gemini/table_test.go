package gemini

import (
	"strings"
	"testing"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
)

func TestTable(t *testing.T) {
	type form struct{ a string }
	table := Table[form]{
		"b": {"no effect", nil},
		"a": {"a text", func(f *form, v []byte) *apierror.Error {
			if f.a, _ = wire.Text(v); f.a == "" {
				return Refuse("a", "must be a string")
			}
			return nil
		}},
	}
	list := table.Fields()
	if len(list) != 2 || list[0] != (Field{"a", "a text"}) || list[1] != (Field{"b", "no effect"}) {
		t.Error(list)
	}
	long := strings.Repeat("l", 200)
	for body, want := range map[string]string{
		`{"a":"x","b":1,"c d":2,"` + long + `":3}`: "x c?d " + long[:64] + "...",
		`{"a":null,"c":null}`:                      " ",
		`{"a":1,"c":2}`:                            "a must be a string",
	} {
		members, err := wire.Scan([]byte(body), nil)
		if err != nil {
			t.Fatal(err)
		}
		var f form
		var b Beside
		fail := table.Read(&f, &b, members)
		if got := f.a + " " + strings.Join(b.Ignored, " "); fail == nil && got != want || fail != nil && fail.Message != want {
			t.Errorf("%s: %s, %v", body, got, fail)
		}
	}
}
