package seal

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"gcli2api/pipeline/config"
)

const (
	first  = "the first secret of an operator"
	second = "5f0c7a1e9b3d48624c1f0e8a7d6b5c3920f1e2d3c4b5a69788796a5b4c3d2e1f"
)

func mustSeal(t *testing.T, r *Ring, p Purpose, plain string) string {
	t.Helper()
	text, err := r.SealText(p, plain)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestSealOpen(t *testing.T) {
	for _, secret := range []string{first, second} {
		r := New(secret)
		for _, p := range purposes() {
			for _, plain := range []string{"1//refresh-token", "{\"\x00\xff", strings.Repeat("key", 9999)} {
				text := mustSeal(t, r, p, plain)
				if !Is(text) || strings.Contains(text, plain) || !r.Current(text) || KeyOf(text) == "" {
					t.Errorf("%s: sealed %q is %.60q", p, plain, text)
				}
				if again := mustSeal(t, r, p, plain); again == text {
					t.Error("two sealings are the same: the nonce is")
				}
				if twice := mustSeal(t, r, p, text); twice != text {
					t.Error("what was sealed was sealed again")
				}
				if got, err := New(secret).OpenText(p, text); got != plain || err != nil {
					t.Errorf("%s: %.40q, %v", p, got, err)
				}
			}
		}
	}
}

func TestWithoutKey(t *testing.T) {
	text := mustSeal(t, New(first), APIKey, "AIza")
	for name, r := range map[string]*Ring{"nil": nil, "zero": {}, "none": New(""), "plain": New(first).Plain()} {
		if r.Seals() || r.Current(text) {
			t.Error(name, "seals")
		}
		if got := mustSeal(t, r, APIKey, "AIza"); got != "AIza" {
			t.Errorf("%s: %q", name, got)
		}
		if got, err := r.OpenText(APIKey, "AIza"); got != "AIza" || err != nil {
			t.Errorf("%s: %q %v", name, got, err)
		}
		got, err := r.OpenText(APIKey, text)
		if name == "plain" {
			if got != "AIza" || err != nil {
				t.Errorf("%s: %q %v", name, got, err)
			}
			continue
		}
		if got != "" || !errors.Is(err, ErrKey) || !strings.Contains(err.Error(), "SECRET_KEY") || !strings.Contains(err.Error(), KeyOf(text)) {
			t.Errorf("%s: %q %v", name, got, err)
		}
	}
}

func TestRotated(t *testing.T) {
	old := mustSeal(t, New(first), PanelSecret, "jwt")
	r := New(second, "some other secret of old", first)
	if got, err := r.OpenText(PanelSecret, old); got != "jwt" || err != nil || r.Current(old) {
		t.Errorf("%q %v", got, err)
	}
	now := mustSeal(t, r, PanelSecret, "jwt")
	if KeyOf(now) == KeyOf(old) || !r.Current(now) {
		t.Error("the new key is the old one")
	}
	if _, err := New(first).OpenText(PanelSecret, now); !errors.Is(err, ErrKey) {
		t.Error(err)
	}
	if got := r.Secrets(); len(got) != 3 || got[0] != second {
		t.Errorf("%d secrets", len(got))
	}
}

// Every change of a byte is noticed, and so is another place.
func TestTampered(t *testing.T) {
	r := New(second)
	text := mustSeal(t, r, RefreshToken, "1//0abc")
	if _, err := r.OpenText(PrivateKey, text); !errors.Is(err, ErrBroken) {
		t.Error("in another place:", err)
	}
	moved := strings.Replace(text, "refresh_token", "private_key", 1)
	if got, err := r.OpenText(PrivateKey, moved); !errors.Is(err, ErrBroken) {
		t.Errorf("called something else: %q %v", got, err)
	}
	for i := range text {
		for _, c := range []byte{'A', 'b', '0', ':'} {
			if changed := text[:i] + string(c) + text[i+1:]; changed != text {
				if got, err := r.OpenText(RefreshToken, changed); err == nil && Is(changed) || err == nil && got != changed {
					t.Fatalf("byte %d as %q: %q", i, c, got)
				}
			}
		}
		if got, err := r.OpenText(RefreshToken, text[:i]); err == nil && got != text[:i] {
			t.Fatalf("cut at %d: %q", i, got)
		}
	}
	for _, bad := range []string{"sealed:", "sealed:2:x", "sealed:1:", "sealed:1:" + KeyOf(text) + ":refresh_token:", "sealed:1:" + KeyOf(text) + ":refresh_token:AAAA",
		"sealed:1:" + KeyOf(text) + ":nothing:AAAA", "sealed:1:" + KeyOf(text) + ":refresh_token:???"} {
		if got, err := r.OpenText(RefreshToken, bad); got != "" || !errors.Is(err, ErrBroken) {
			t.Errorf("%q: %q, %v", bad, got, err)
		}
	}
}

// What is sealed must open in years: this was sealed by the first version.
func TestForm(t *testing.T) {
	for _, c := range []struct{ secret, text string }{
		{first, "sealed:1:35fc9d899e6272ab:refresh_token:27D8Psmyw2SJJH71iCxoevasNXPi_P0fUR9QV61aXQa6STI"},
		{second, "sealed:1:746b9c9f69986f59:refresh_token:aY20_iCNOK7iiLJJ2GfsgEf5_dHIyTQ1wd7R2-OL2qJBk78"},
	} {
		if got, err := New(c.secret).OpenText(RefreshToken, c.text); got != "1//kept" || err != nil {
			t.Errorf("%q: %q %v; today it is %s", c.text, got, err, mustSeal(t, New(c.secret), RefreshToken, "1//kept"))
		}
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		environ []string
		says    []string
	}{
		{nil, nil},
		{[]string{"SECRET_KEY=sixteen-characte"}, nil},
		{[]string{"SECRET_KEY=fifteen-charact"}, []string{"SECRET_KEY", "15 characters", "openssl"}},
		{[]string{"SECRET_KEY=sixteen-characte", "OLD_SECRET_KEYS=sixteen-charactr,fifteen-charact"}, []string{"OLD_SECRET_KEYS", "at least 16"}},
	} {
		s, err := config.Load(config.Options{Environ: c.environ})
		if err != nil {
			t.Fatal(err)
		}
		err = Check(s)
		r := FromConfig(s)
		if (err != nil) != (c.says != nil) || err == nil && r.Seals() != (c.environ != nil) {
			t.Errorf("%q: %v", c.environ, err)
		}
		for _, says := range c.says {
			if err != nil && !strings.Contains(err.Error(), says) {
				t.Errorf("%q does not say %q", err, says)
			}
		}
		if err != nil && strings.Contains(err.Error(), "fifteen") {
			t.Error("the error has the secret")
		}
	}
}

// A random secret costs a start nothing.
func TestRandom(t *testing.T) {
	for secret, want := range map[string]bool{second: true, strings.ToUpper(second): true, second + "00": true, first: false, second[:63]: false,
		strings.Repeat("0123", 16): false, second[:63] + "g": false, "": false} {
		if random(secret) != want {
			t.Errorf("%q: %v", secret, !want)
		}
	}
}

func FuzzOpenText(f *testing.F) {
	r := New(second)
	good, _ := r.SealText(RefreshToken, "1//seed")
	for _, s := range []string{good, "sealed:", "sealed:1:0123456789abcdef:refresh_token:AAAA", "plain", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := r.OpenText(RefreshToken, text)
		switch {
		case err != nil && got != "":
			t.Errorf("%q: an error with %q", text, got)
		case err == nil && Is(text) && text != good: // the seed is the one text that this key has sealed
			if s, ok := parts(text); !ok || base64.RawURLEncoding.DecodedLen(len(s.data)) < 28 {
				t.Errorf("%q opened", text)
			}
		case err == nil && !Is(text) && got != text:
			t.Errorf("%q became %q", text, got)
		}
	})
}

func BenchmarkDerive(b *testing.B) {
	for name, secret := range map[string]string{"thought of": first, "random": second} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				New(secret).current().derived()
			}
		})
	}
}

func BenchmarkSeal(b *testing.B) {
	r := New(second)
	text, _ := r.SealText(RefreshToken, strings.Repeat("t", 103))
	b.Run("seal", func(b *testing.B) {
		for b.Loop() {
			_, _ = r.SealText(RefreshToken, "1//0gkxTjzRzqJ")
		}
	})
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			_, _ = r.OpenText(RefreshToken, text)
		}
	})
}

// A document is sealed anew wherever something sealed stands in it, and nothing else of it changes.
func TestReseal(t *testing.T) {
	old, both := New(first), New(second, first)
	a, b := mustSeal(t, old, PanelSecret, `with "quotes"`), mustSeal(t, New("a stranger's secret key"), PanelSecret, "x")
	doc := `{"a": "` + a + `", "n":[1,"` + b + `"], "text": "sealed:1:nothing", "end": "` + a + `"}`
	out, n, stuck, err := both.Reseal([]byte(doc))
	if n != 2 || stuck != 2 || err != nil || strings.Contains(string(out), a) || !strings.Contains(string(out), b) {
		t.Fatalf("%d %d %v %s", n, stuck, err, out)
	}
	if again, n, _, _ := both.Reseal(out); n != 0 || string(again) != string(out) {
		t.Error("a second time", n)
	}
	plain, n, _, err := both.Plain().Reseal(out)
	if want := strings.ReplaceAll(doc, a, `with \"quotes\"`); n != 2 || err != nil || string(plain) != want {
		t.Errorf("%d %v %s", n, err, plain)
	}
}

func FuzzReseal(f *testing.F) {
	r := New(second)
	good, _ := r.SealText(Setting, "x")
	other := New(first)
	f.Add(`{"a":"` + good + `"}`)
	f.Add(`"sealed:1:`)
	f.Add(`"sealed:1:0123456789abcdef:panel:AAAA" "sealed:1:`)
	f.Fuzz(func(t *testing.T, doc string) {
		if out, n, _, err := other.Reseal([]byte(doc)); err != nil || n != 0 || string(out) != doc {
			t.Errorf("%q became %q, %d, %v", doc, out, n, err) // nothing opens with this key
		}
	})
}
