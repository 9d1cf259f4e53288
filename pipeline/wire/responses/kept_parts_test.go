package responses

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// shelved keeps the parts of a document.
func shelved(t testing.TB, parts []Part) map[string][]byte {
	t.Helper()
	m := map[string][]byte{}
	for _, p := range parts {
		if m[p.ID] != nil || len(p.Data) == 0 || len(p.Data) > mostPart {
			t.Fatalf("part %s of %d bytes comes twice, or is of a wrong size", p.ID, len(p.Data))
		}
		m[p.ID] = bytes.Clone(p.Data)
	}
	return m
}

// thereAndBack slims a document and fills it again.
func thereAndBack(t testing.TB, doc []byte) (slim []byte, parts map[string][]byte) {
	t.Helper()
	before := bytes.Clone(doc)
	slim, list := Slim([]byte("x"), doc)
	parts = shelved(t, list)
	if slim[0] != 'x' || !bytes.Equal(doc, before) {
		t.Fatal("what was there is gone")
	}
	asked := map[string]int{}
	full, ok := Fill([]byte("y"), slim[1:], func(id string) ([]byte, bool) {
		if asked[id]++; asked[id] > 1 {
			t.Errorf("%s was asked for again", id)
		}
		data, ok := parts[id]
		return data, ok
	})
	if !ok || full[0] != 'y' || !bytes.Equal(full[1:], doc) || len(asked) != len(parts) {
		t.Fatalf("%v, %d of %d parts, %d bytes became %d: %.300q", ok, len(asked), len(parts), len(doc), len(full)-1, full)
	}
	return slim[1:], parts
}

func TestSlim(t *testing.T) {
	a, b := strings.Repeat("a", largeString+1), strings.Repeat(`\"é`, largeString)
	huge := strings.Repeat("0123456789abcde", mostPart/6) // of three parts
	id := strings.Repeat("0", idSize)
	for name, c := range map[string]struct {
		doc   string
		parts int
	}{
		"nothing":                         {``, 0},
		"small ones":                      {`{"a":"b","c":["\"",""]}`, 0},
		"as large as may stay":            {`["` + a[1:] + `"]`, 0},
		"one":                             {`{"a":"` + a + `"}`, 1},
		"the same twice":                  {`{"a":["` + a + `",1,{"b":"` + a + `"}]}`, 1},
		"two":                             {`["` + a + `","` + b + `"]`, 2},
		"a name":                          {`{"` + a + `":1}`, 1},
		"of many parts":                   {`["` + huge + `"," ","` + huge + `"]`, 3},
		"repeated in itself":              {`["` + strings.Repeat("a", 3*mostPart+largeString+1) + `"]`, 2},
		"a reference of a client":         {`["` + partMark + id + `"]`, 0},
		"one with an escape":              {`["gcli2api\u002dpart:` + id + `"]`, 0},
		"what a client's looks like here": {`["` + partMark + partMark + id + `","` + partMark + `"]`, 0},
		"a name like a reference":         {`{"` + partMark + id + `":"` + partMark + `"}`, 0},
		"a large one that begins so":      {`["` + partMark + a + `"]`, 1},
		"no JSON":                         {`"` + a + `" "" " ` + a, 1},
	} {
		t.Run(name, func(t *testing.T) {
			slim, parts := thereAndBack(t, []byte(c.doc))
			if len(parts) != c.parts || c.parts > 0 && len(slim) > len(c.doc)-largeString/2 || json.Valid(slim) != json.Valid([]byte(c.doc)) {
				t.Errorf("%d parts, %d bytes of %d", len(parts), len(slim), len(c.doc))
			}
		})
	}
}

// A client that names a part, of its own dialogue or of one it has seen, gets the name back.
func TestForgedReference(t *testing.T) {
	a := strings.Repeat("a", largeString+1)
	slim, list := Slim(nil, []byte(`["`+a+`"]`))
	ref := strings.Trim(string(slim), `[]"`)
	doc := `["` + ref + `","` + partMark + ref + `","` + strings.TrimPrefix(ref, partMark) + `"]`
	forged, none := Slim(nil, []byte(doc))
	got, ok := Fill(nil, forged, func(id string) ([]byte, bool) { return list[0].Data, true })
	if !ok || string(got) != doc || len(none) != 0 {
		t.Errorf("%v %d: %s", ok, len(none), got)
	}
}

func TestFillWithoutItsParts(t *testing.T) {
	a, b := strings.Repeat("a", largeString+1), strings.Repeat("b", largeString+1)
	slim, list := Slim(nil, []byte(`["`+a+`","`+b+`","`+a+`"]`))
	parts, asks := shelved(t, list[1:]), 0
	get := func(id string) ([]byte, bool) { asks++; data, ok := parts[id]; return data, ok }
	if got, ok := Fill([]byte("x"), slim, get); ok || string(got) != "x" || asks != 1 {
		t.Errorf("%v after %d: %.100s", ok, asks, got)
	}
	for _, doc := range []string{`"` + partMark + `"`, `"` + partMark + `0"`, `"` + partMark + strings.Repeat("0", idSize+1) + `"`} {
		if got, ok := Fill(nil, []byte(doc), func(string) ([]byte, bool) { return nil, true }); ok || got != nil {
			t.Errorf("%s: %v %s", doc, ok, got)
		}
	}
}

// The items that are kept as a length of the thread are the same ones afterwards.
func TestKeptInParts(t *testing.T) {
	picture := `[{"a":"` + strings.Repeat("x", largeString+1) + `"},{"b":"` + partMark + `"}`
	doc := AppendKept(nil, []byte(`{"id":"resp_1"}`), []byte(picture+`,{"c":1}]`), []byte(picture+"]"))
	slim, parts := thereAndBack(t, doc)
	if len(slim) > 400 {
		t.Errorf("%d bytes: %s", len(slim), slim)
	}
	full, _ := Fill(nil, slim, func(id string) ([]byte, bool) { return parts[id], true })
	if _, thread, items := ReadKept(full); string(thread) != picture+`,{"c":1}]` || string(items) != picture+"]" {
		t.Errorf("%.200s %.200s", thread, items)
	}
}

// Each # of a document stands for many bytes: a fuzzer does not get far with large inputs.
func FuzzSlim(f *testing.F) {
	for _, seed := range []string{
		`{"a":"#","b":["#","x#","c"],"#":null}`, `["gcli2api-part:#","gcli2api-part:gcli2api-part:","gcli2api-part:0"]`,
		`"a\\" "\"#" "#\`, `["\u0000#\"","\ud800"]`, "\"\xff#\"", `["gcli2api-part:` + strings.Repeat("0", idSize) + `"]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		doc = bytes.ReplaceAll(doc[:min(len(doc), 256)], []byte("#"), bytes.Repeat([]byte("ab"), largeString/2))
		slim, _ := thereAndBack(t, doc)
		if json.Valid(doc) && !json.Valid(slim) {
			t.Errorf("%.300q became %.300q", doc, slim)
		}
		// What nobody slimmed is filled or refused, and asks for nothing that is no id.
		Fill(nil, doc, func(id string) ([]byte, bool) {
			if len(id) != idSize {
				t.Errorf("asked for %.100q", id)
			}
			return nil, true
		})
	})
}

func BenchmarkSlim(b *testing.B) {
	doc := []byte(`[{"a":"` + strings.Repeat("x", 12<<20) + `"}]`)
	b.SetBytes(int64(len(doc)))
	for b.Loop() {
		Slim(nil, doc)
	}
}
