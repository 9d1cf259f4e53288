package oauth

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"gcli2api/store/seal"
)

const sealingSecret = "5f0c7a1e9b3d48624c1f0e8a7d6b5c3920f1e2d3c4b5a69788796a5b4c3d2e1f"

// sealable are texts in the layouts that Parse reads; what is secret in them has "s3cr" in it.
func sealable() map[string]string {
	account := `{"client_id": "c", "client_secret": "s3cr-c", "refresh_token": "1//s3cr-r", "unknown": [1, {"x": "y"}], "token": "ya29.s3cr-a"}`
	return map[string]string{
		"flat":      account,
		"nested":    "{\n  \"token\" : {\"refresh_token\":\"1//s3cr-r\" , \"access_token\":\"s3cr-a\",\"client_secret\":\"s3cr\",\"client_id\":\"c\"},\n\t\"project_id\": \"p\"\n}\n",
		"camel":     `{"refreshToken":"1//s3cr-r","accessToken":"s3cr-a","client_id":"c","client_secret":"s3cr-c"}`,
		"list":      "[" + account + ",\r\n {\"type\":\"gemini_api_key\",\"api_key\":\"AIza-s3cr\"}, 7, null]",
		"lines":     account + "\n" + `{"type":"vertex_express_key","api_key":"AQ.s3cr","label":"mine"}` + "\n",
		"named":     `{"one": ` + account + `, "two": {"credential": ` + account + `, "state": {"calls": 1}}}`,
		"wrapped":   `{"filename":"a.json","credential":` + account + `,"usage":{"token":"s3cr-odd"}}`,
		"service":   `{"type":"service_account","project_id":"p","private_key_id":"id","private_key":"-----BEGIN s3cr\nAAAA\n\u003d\n-----END","client_email":"a@b.c"}`,
		"escaped":   `{"refresh\u005ftoken":"1\/\/s3cr\u0041","client_id":"c","client_secret":"s3cr\"\\"}`,
		"twice":     `{"refresh_token":"s3cr-1","refresh_token":"s3cr-2","client_id":"c","client_secret":"s3cr"}`,
		"with mark": byteOrderMark + account,
		"odd types": `{"refresh_token": 5, "api_key": null, "private_key": {"refresh_token": "s3cr"}, "token": "", "client_secret": ["s3cr is no secret here"]}`,
		"broken":    account + "\n{\"refresh_token\": \"it breaks off\n" + account,
	}
}

func TestSealTexts(t *testing.T) {
	s := Sealed{seal.New(sealingSecret)}
	for name, text := range sealable() {
		sealed, err := s.Seal(name+".json", []byte(text))
		if err != nil {
			t.Fatal(name, err)
		}
		if n := bytes.Count(sealed, []byte("s3cr")); n != strings.Count(text, "s3cr is no secret here") {
			t.Errorf("%s: %d secrets are left in %s", name, n, sealed)
		}
		if again, err := s.Seal(name+".json", sealed); err != nil || !bytes.Equal(again, sealed) {
			t.Errorf("%s: sealed twice", name)
		}
		opened, err := s.Open(name+".json", sealed)
		if err != nil || string(opened) != text {
			t.Errorf("%s: opened it is %s, %v", name, opened, err)
		}
		if rest := between(sealed); rest != between([]byte(text)) && name != "odd types" {
			t.Errorf("%s: something else has changed:\n%s", name, rest)
		}
		other := Sealed{seal.New("another secret key of sixteen")}
		for who, still := range map[string]Sealed{"another key": other, "none": {}} {
			if opened, err := still.Open(name+".json", sealed); err != nil || !bytes.Equal(opened, sealed) {
				t.Errorf("%s: %s changed it: %v", name, who, err)
			}
		}
		if _, n, stuck, err := other.Reseal(name+".json", sealed); n != 0 || stuck == 0 || err != nil {
			t.Errorf("%s: %d changed, %d stuck, %v", name, n, stuck, err)
		}
	}
}

// between is a text without its secrets.
func between(text []byte) string {
	var out []byte
	at := 0
	plain := bytes.TrimPrefix(text, []byte(byteOrderMark))
	for _, s := range secretSpans(plain) {
		out, at = append(out, plain[at:s.from]...), s.to
	}
	return string(append(out, plain[at:]...))
}

// What is read after opening is what was read before sealing, and nobody uses what is still sealed.
func TestParseSealed(t *testing.T) {
	ring := Sealed{seal.New(sealingSecret)}
	for _, name := range []string{"flat", "nested", "camel", "list", "lines", "named", "wrapped", "escaped", "twice", "with mark", "broken"} {
		text := []byte(sealable()[name])
		before, err := Parse(name+".json", text, Rules{})
		if err != nil {
			t.Fatal(name, err)
		}
		sealed, _ := ring.Seal(name+".json", text)
		closed, err := Parse(name+".json", sealed, Rules{})
		if len(closed.Items) > 0 || err == nil || !strings.Contains(err.Error(), "SECRET_KEY") {
			t.Errorf("%s: closed it has %d credentials, %v", name, len(closed.Items), err)
		}
		opened, _ := ring.Open(name+".json", sealed)
		after, err := Parse(name+".json", opened, Rules{})
		if err != nil || len(after.Items) != len(before.Items) {
			t.Fatalf("%s: %d credentials instead of %d, %v", name, len(after.Items), len(before.Items), err)
		}
		for i := range after.Items {
			a, b := after.Items[i].Creds[0], before.Items[i].Creds[0]
			if a.Secret() != b.Secret() || a.ClientSecret != b.ClientSecret || a.AccessToken != b.AccessToken {
				t.Errorf("%s: %v has other secrets", name, a)
			}
		}
	}
}

// One credential of a file that stays sealed costs the others nothing, and is still there when the file
// is written again.
func TestOneStaysSealed(t *testing.T) {
	mine, theirs := Sealed{seal.New(sealingSecret)}, Sealed{seal.New("another secret key of sixteen")}
	a, _ := mine.Seal("a.json", []byte(sealable()["flat"]))
	b, _ := theirs.Seal("b.json", []byte(sealable()["camel"]))
	text, err := mine.Open("both.json", fmt.Appendf(nil, "[%s,%s]", a, b))
	sheet, bad := Parse("both.json", text, Rules{})
	if err != nil || bad != nil || len(sheet.Items) != 1 || sheet.Lost != 1 || !strings.Contains(fmt.Sprint(sheet.Warnings), "OLD_SECRET_KEYS") {
		t.Fatalf("%d credentials, %d lost, %q, %v %v", len(sheet.Items), sheet.Lost, sheet.Warnings, err, bad)
	}
	text, err = sheet.Amend("both.json", Change{ProjectID: "new"})
	if err != nil {
		t.Fatal(err)
	}
	if text, err = mine.Seal("both.json", text); err != nil || !bytes.Contains(text, b) || bytes.Contains(text, []byte("s3cr")) {
		t.Error("what stays sealed was changed:", err)
	}
	both := Sealed{seal.New(sealingSecret, "another secret key of sixteen")}
	out, n, stuck, err := both.Reseal("both.json", text)
	if n != 3 || stuck != 0 || err != nil {
		t.Errorf("%d sealed anew, %d stuck, %v", n, stuck, err)
	}
	if out, _ = mine.Open("both.json", out); bytes.Contains(out, []byte("sealed:")) {
		t.Error("not all of it opens with the current key")
	}
	if out, n, stuck, err = (Sealed{both.Ring.Plain()}).Reseal("both.json", text); n != 6 || stuck != 0 || err != nil || bytes.Contains(out, []byte("sealed:")) {
		t.Errorf("back to plain: %d, %d, %v", n, stuck, err)
	}
}

// A text that claims to be sealed is no token, whoever wrote it.
func TestStrangersSealed(t *testing.T) {
	ring := Sealed{seal.New(sealingSecret)}
	for _, value := range []string{"sealed:", "sealed:9:new", "sealed:1:0123456789abcdef:refresh_token:AAAA", `s\u0065aled:1:x`, " sealed:1:x"} {
		for _, member := range []string{"refresh_token", "refreshToken", "client_secret"} {
			text := fmt.Appendf(nil, `{"client_id":"c","client_secret":"s","refresh_token":"1//x",%q:"%s"}`, member, value)
			if member == "refreshToken" {
				text = bytes.Replace(text, []byte(`"refresh_token":"1//x",`), nil, 1)
			}
			opened, err := ring.Open("x.json", text)
			if err != nil {
				t.Fatal(err)
			}
			if sheet, err := Parse("x.json", opened, Rules{}); err == nil {
				t.Errorf("%s %s: taken as %v", member, value, sheet.Items)
			} else if !strings.Contains(err.Error(), "is sealed") {
				t.Errorf("%s %s: %v", member, value, err)
			}
		}
		for _, kind := range []string{"gemini_api_key", "vertex_express_key"} {
			if _, err := Parse("k.json", fmt.Appendf(nil, `{"type":%q,"api_key":"%s"}`, kind, value), Rules{}); err == nil || !strings.Contains(err.Error(), "is sealed") {
				t.Errorf("%s %s: %v", kind, value, err)
			}
		}
		if sheet, err := Parse("x.json", fmt.Appendf(nil, `{"client_id":"c","client_secret":"s","refresh_token":"1//x","token":"%s"}`, value), Rules{}); err != nil || sheet.Items[0].Creds[0].AccessToken != "" {
			t.Errorf("as access token %s: %v", value, err)
		}
	}
}

func TestSealOtherForms(t *testing.T) {
	ring := Sealed{seal.New(sealingSecret)}
	flat := sealable()["flat"]
	sealed, err := ring.Seal("x.json", []byte(base64.StdEncoding.EncodeToString([]byte(flat))))
	if err != nil || bytes.Contains(sealed, []byte("s3cr")) || !json.Valid(sealed) {
		t.Errorf("base64: %s %v", sealed, err)
	}
	if opened, err := ring.Open("x.json", sealed); err != nil || string(opened) != flat {
		t.Errorf("base64: %s %v", opened, err)
	}
	inBase64 := []byte(base64.StdEncoding.EncodeToString(sealed))
	if opened, err := ring.Open("x.json", inBase64); err != nil || string(opened) != flat {
		t.Errorf("sealed, then in base64: %s %v", opened, err)
	}
	for name, text := range map[string]string{"creds.toml": "[a]\nrefresh_token = \"x\"\n", "nothing.json": "", "noise.json": "{\x00", "words.json": "no JSON at all"} {
		for _, do := range []func(string, []byte) ([]byte, error){ring.Seal, ring.Open} {
			if out, err := do(name, []byte(text)); err != nil || string(out) != text {
				t.Errorf("%s: %q %v", name, out, err)
			}
		}
	}
}

func FuzzSealed(f *testing.F) {
	for _, text := range sealable() {
		f.Add([]byte(text))
	}
	for _, text := range []string{`{"refresh_token":"sealed:1:0123456789abcdef:refresh_token:AAAA"}`, `[{"api_key":"x",,}]`, `{"token":{"token":{"token":"x"}}}`, "\xff\xfe{\x00}\x00"} {
		f.Add([]byte(text))
	}
	ring := Sealed{seal.New(sealingSecret)}
	f.Fuzz(func(t *testing.T, text []byte) {
		given := slices.Clone(text)
		sealed, err := ring.Seal("x.json", text)
		if err != nil {
			t.Fatal(err)
		}
		opened, err := ring.Open("x.json", sealed)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(text, given) {
			t.Fatal("the text itself was changed")
		}
		if plain, asIs, err := readable(text); err == nil && !asIs && !bytes.Equal(opened, text) && !bytes.Equal(opened, plain) || (err != nil || asIs) && !bytes.Equal(opened, text) {
			t.Fatalf("%q came back as %q", text, opened)
		}
		before, err1 := Parse("x.json", text, Rules{})
		after, err2 := Parse("x.json", opened, Rules{})
		if (err1 == nil) != (err2 == nil) || len(before.Items) != len(after.Items) {
			t.Fatalf("%v became %v", err1, err2)
		}
		closed, _ := Parse("x.json", sealed, Rules{})
		for _, item := range closed.Items {
			if s := item.Creds[0].Secret(); s != "" {
				t.Fatalf("of what is sealed a secret can be read: %q", s)
			}
		}
	})
}

func BenchmarkSealed(b *testing.B) {
	ring := Sealed{seal.New(sealingSecret)}
	text := []byte(sealable()["flat"])
	sealed, _ := ring.Seal("x.json", text)
	for name, do := range map[string]func(){
		"seal":       func() { _, _ = ring.Seal("x.json", text) },
		"open":       func() { _, _ = ring.Open("x.json", sealed) },
		"open plain": func() { _, _ = ring.Open("x.json", text) },
		"parse":      func() { _, _ = Parse("x.json", text, Rules{}) },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				do()
			}
		})
	}
}
