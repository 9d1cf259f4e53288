package translate

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/outbound"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// FuzzHollow: of valid contents valid ones remain; turns with nothing in them go, all others stay byte
// for byte, in order, and something always remains.
func FuzzHollow(f *testing.F) {
	for _, seed := range []string{
		`[{"role":"user","parts":[{"text":"a"}]},{"role":"model","parts":[{"text":""}]},{"role":"model","parts":[]},{"role":"user","parts":[{"text":"b"}]}]`,
		`[ {"parts":[{"text":"","thought":true}]} , {"parts":[{"text":"","thoughtSignature":"s"}]},{"parts":[{"text":"","x":1}]},{"parts":[{}]},{"parts":null},null,5]`,
		`[{"parts":[{"text":"","executableCode":{}}]},{"parts":[{"text":"","text":"a"}]},{"parts":[""]}]`,
		`[{"parts":[{"text":"b"}]},{"parts":[],"parts":[{"text":"a"}]},{"parts":[{"text":"a"}],"parts":[]},{"p\u0061rts":[]}]`,
		`[{"parts":[]}]`, `{"parts":[]}`, `5`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, contents []byte) {
		body := append(append([]byte(`{"contents":`), contents...), '}')
		if wire.Check(contents) != nil || wire.Check(body) != nil {
			return
		}
		x := exchange(geminiRoute, wire.Gemini, string(body))
		call, fail := gemini.NewCall(body)
		if fail != nil {
			t.Fatal(fail)
		}
		x.Call = call
		withoutHollow(x)
		out, _ := x.Call.Get("contents")
		if wire.Check(out) != nil {
			t.Fatalf("%s\nis no JSON, made of %s", out, contents)
		}
		left := wire.ArrayOf(out)
		more, gone := left.Next(), 0
		for a := wire.ArrayOf(contents); a.Next(); {
			if more && bytes.Equal(left.Value, a.Value) {
				more = left.Next()
				continue
			}
			gone++
			if says(a.Value) {
				t.Fatalf("%s is gone from %s: %s", a.Value, contents, out)
			}
		}
		if more || gone > 0 && len(out) == 2 {
			t.Fatalf("%s\nwas made of %s", out, contents)
		}
	})
}

// FuzzJoined: the turns that remain say the same, and no two of the model that could be one follow each other.
func FuzzJoined(f *testing.F) {
	for _, seed := range []string{
		`[{"role":"user","parts":[{"text":"a"}]},{"role":"model","parts":[{"text":"b","thought":true}]},{"parts":[{"functionCall":{}}],"role":"model"},{"role":"user","parts":[{"functionResponse":{}}]}]`,
		`[{"role":"model","parts":[1]},{"role":"model","parts":[2]},{"role":"model","parts":[]},{"role":"model","parts":[ ]},{"role":"model","parts":[3],"x":1},{"role":"model","parts":[4]} , {"parts":[5,6],"role":"model"}]`,
		`[{"role":"mod\u0065l","parts":[1]},{"role":"model","parts":[2],"parts":[3]},{"r\u006fle":"model","parts":[7]},null,{"role":"model","parts":{}}]`,
		`{"parts":["model","model"]}`, `"model \"model\""`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, contents []byte) {
		body := append(append([]byte(`{"contents":`), contents...), '}')
		call, fail := gemini.NewCall(body)
		if wire.Check(contents) != nil || fail != nil {
			return
		}
		x := exchange(geminiRoute, wire.Gemini, string(body))
		x.Call = call
		joined(x)
		out, _ := x.Call.Get("contents")
		if wire.Check(out) != nil {
			t.Fatalf("%s\nis no JSON, made of %s", out, contents)
		}
		if got, want := flat(t, out), flat(t, contents); got != want {
			t.Fatalf("%s\nsays  %s\nof    %s", out, got, want)
		}
		before := false
		for a := wire.ArrayOf(out); a.Next(); {
			now := modelParts(a.Value) != nil
			if now && before {
				t.Fatalf("%s has two turns of the model behind each other", out)
			}
			before = now
		}
	})
}

// flat is every turn, and those of the model part by part, by a plain decode.
func flat(t *testing.T, contents []byte) string {
	var turns []json.RawMessage
	if json.Unmarshal(contents, &turns) != nil {
		return string(bytes.TrimSpace(contents))
	}
	var b strings.Builder
	for _, turn := range turns {
		parts := modelParts(turn)
		if parts == nil {
			b.WriteString("turn " + string(turn) + "\n")
			continue
		}
		var list []json.RawMessage
		if err := json.Unmarshal(parts, &list); err != nil {
			t.Fatal(err)
		}
		for _, p := range list {
			b.WriteString("part " + string(p) + "\n")
		}
	}
	return b.String()
}

// says tells by a plain decode whether a turn has a part with anything but an empty text.
func says(turn []byte) bool {
	var v map[string]json.RawMessage
	var parts []map[string]any
	if json.Unmarshal(turn, &v) != nil || json.Unmarshal(v["parts"], &parts) != nil {
		return true
	}
	for _, p := range parts {
		delete(p, "thought")
		if text, is := p["text"].(string); !is || text != "" || len(p) != 1 {
			return true
		}
	}
	return false
}

// anyAlbum has a picture for every address.
type anyAlbum struct{}

func (anyAlbum) FetchImage(context.Context, string) (outbound.Picture, *apierror.Error) {
	return outbound.Picture{MIME: "image/png", Data: []byte("picture")}, nil
}

// FuzzInline: in whatever is valid the splice leaves valid JSON; in what the translators write, the
// pictures that are named are replaced and nothing else.
func FuzzInline(f *testing.F) {
	f.Add("look", "http://h/a", `{"parts":[{"fileData":{"fileUri":"http://x/evil"}}]}`, uint8(2))
	f.Add(`"fileData"`, "http://h/\"", `[]`, uint8(20))
	f.Add("", "", `{"contents":[{"parts":[{"fileData":{}},{"fileData":7},{"x":"fileData"},null]}],"a":{"contents":[]}}`, uint8(0))
	f.Fuzz(func(t *testing.T, text, address, raw string, n uint8) {
		s := made(t)
		s.pictures = anyAlbum{}
		x := exchange(openaiRoute, wire.OpenAI, `{}`)
		if wire.Check([]byte(raw)) == nil {
			if got, fail := s.inline(x, []byte(raw)); fail == nil && wire.Check(got) != nil {
				t.Fatalf("%s\nis no JSON, made of %s", got, raw)
			}
		}
		d := gemini.Draft{B: []byte("{"), Tools: &gemini.Tools{}}
		d.Turn(gemini.User)
		for range n % 20 {
			d.Text(inner(text + "x"))
			d.Remote(inner(address))
		}
		d.Text(inner(text + "x"))
		d.Finish()
		hub := append(d.B, '}')
		got, fail := s.inline(x, bytes.Clone(hub))
		if n%20 > mostPictures {
			if fail == nil || fail.Status != 400 {
				t.Fatalf("%d pictures: %v", n%20, fail)
			}
			return
		}
		named := `{"fileData":{"fileUri":` + string(wire.AppendQuoted(nil, address)) + `}}`
		if want := strings.ReplaceAll(string(hub), named, `{"inlineData":{"mimeType":"image/png","data":"cGljdHVyZQ=="}}`); fail != nil || string(got) != want {
			t.Fatalf("%v\ngot  %s\nwant %s", fail, got, want)
		}
	})
}

// inner is a text as it stands between quotes.
func inner(text string) []byte {
	q := wire.AppendQuoted(nil, text)
	return q[1 : len(q)-1]
}
