package apikey

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"gcli2api/pipeline/config"
	"gcli2api/store"
	"gcli2api/store/seal"
)

func TestReveal(t *testing.T) {
	s := newStore(t)
	set := Settings{Reveal: true, DefaultCost: 1}
	k := opened(t, sole{s}, func(o *Options) {
		o.Settings, o.Ring = func() Settings { return set }, seal.New("an operator's secret")
	}).Keys
	one, secret := k.mustCreate(t, Terms{})
	other, _ := k.mustCreate(t, Terms{})
	if got, err := k.Reveal(one.ID); got != secret || err != nil {
		t.Fatal(err)
	}
	now, second, err := k.Rotate(t.Context(), one.ID)
	if got, fail := k.Reveal(one.ID); err != nil || fail != nil || got != second {
		t.Error("after a rotation", err, fail)
	}
	docs, _ := s.List(t.Context(), store.Keys, "", 10)
	for _, d := range docs {
		if strings.Contains(string(d.Body), second[3:]) {
			t.Error("the store has the key itself")
		}
	}
	set.Reveal = false
	if got, err := k.Reveal(one.ID); got != "" || !errors.Is(err, ErrRevealOff) {
		t.Error("switched off:", err)
	}
	plain, _ := k.mustCreate(t, Terms{})
	set.Reveal = true
	if got, err := k.Reveal(plain.ID); got != "" || !errors.Is(err, ErrNotSealed) {
		t.Error("made while it was off:", err)
	}
	if got, err := k.Reveal("key-nobody"); got != "" || !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
	for name, ring := range map[string]*seal.Ring{"another secret key": seal.New("another secret key of 16"), "none": nil} {
		k.ring = ring
		if got, err := k.Reveal(one.ID); got != "" || !errors.Is(err, ErrOtherSecret) {
			t.Errorf("%s: %v", name, err)
		}
	}
	k.ring = seal.New("an operator's secret")
	swapped := *other
	swapped.Sealed = now.Sealed
	k.keep(&swapped)
	if got, err := k.Reveal(other.ID); got != "" || !errors.Is(err, ErrOtherSecret) {
		t.Error("the copy of another key:", err)
	}
	for _, sealed := range [][]byte{{1}, now.Sealed[:len(now.Sealed)-1]} {
		swapped := *other
		swapped.Sealed = sealed
		k.keep(&swapped)
		if got, err := k.Reveal(other.ID); got != "" || !errors.Is(err, ErrOtherSecret) {
			t.Error("a torn copy:", err)
		}
	}
}

// A copy of before there were rings opens, and Reseal brings it into the form of today.
func TestOldCopies(t *testing.T) {
	set := Settings{Reveal: true, DefaultCost: 1}
	s := newStore(t)
	book := opened(t, sole{s}, func(o *Options) {
		o.Settings, o.Ring = func() Settings { return set }, seal.New("an operator's secret")
	})
	k := book.Keys
	one, secret := k.mustCreate(t, Terms{Description: "of old"})
	aead, err := oldSealing("an operator's secret")
	if err != nil {
		t.Fatal(err)
	}
	nonce := []byte("twelve bytes")
	old := *one
	old.Sealed = aead.Seal(nonce, nonce, []byte(secret), []byte(one.ID))
	k.keep(&old)
	if got, err := k.Reveal(one.ID); got != secret || err != nil {
		t.Error("of old:", err)
	}
	body, err := json.Marshal(old)
	if err != nil {
		t.Fatal(err)
	}
	body = append(append([]byte(`{"newer": {"sealed": "x"} , `), body[1:]...), '\n')
	for name, c := range map[string]struct {
		ring     *seal.Ring
		n, stuck int
	}{
		"the same":      {seal.New("an operator's secret"), 1, 0},
		"rotated":       {seal.New("a new secret of theirs", "an operator's secret"), 1, 0},
		"another":       {seal.New("a new secret of theirs"), 0, 1},
		"none to seal":  {seal.New("", "an operator's secret"), 0, 0},
		"none of a key": {nil, 0, 0},
	} {
		out, n, stuck, err := Reseal(c.ring, body)
		if n != c.n || stuck != c.stuck || err != nil {
			t.Errorf("%s: %d changed, %d stuck, %v", name, n, stuck, err)
		}
		if n == 0 {
			if string(out) != string(body) {
				t.Errorf("%s: %s", name, out)
			}
			continue
		}
		now := Key{}
		if err := json.Unmarshal(out, &now); err != nil || !bytes.HasPrefix(out, []byte(`{"newer": {"sealed": "x"} , `)) || bytes.Contains(out, []byte(secret)) {
			t.Fatalf("%s: %s, %v", name, out, err)
		}
		if !c.ring.Current(string(now.Sealed)) {
			t.Errorf("%s: it is not sealed with the key in force", name)
		}
		now.sum = one.sum
		k.keep(&now)
		k.ring = c.ring
		if got, err := k.Reveal(one.ID); got != secret || err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, n, stuck, err := Reseal(c.ring, out); n != 0 || stuck != 0 || err != nil {
			t.Errorf("%s: a second time %d changed, %d stuck, %v", name, n, stuck, err)
		}
	}
	for _, odd := range []string{`{}`, `[]`, `{"sealed": 5}`, `{"sealed": ""}`, `{"sealed`, ``} {
		if out, n, stuck, err := Reseal(seal.New("an operator's secret"), []byte(odd)); string(out) != odd || n != 0 || stuck != 0 || err != nil {
			t.Errorf("%q: %q %d %d %v", odd, out, n, stuck, err)
		}
	}
	if out, n, stuck, err := Reseal(seal.New("an operator's secret"), []byte(`{"sealed": "%%%%AAAA"}`)); string(out) != `{"sealed": "%%%%AAAA"}` || n != 0 || err != nil {
		t.Errorf("%q %d %d %v", out, n, stuck, err)
	}
}

// A secret key that was set after the start seals nothing yet.
func TestRevealWithoutRing(t *testing.T) {
	k := opened(t, sole{newStore(t)}, func(o *Options) { o.Settings = func() Settings { return Settings{Reveal: true, DefaultCost: 1} } }).Keys
	if _, _, err := k.Create(t.Context(), Terms{Quota: 1}); !errors.Is(err, ErrNoSecret) {
		t.Error(err)
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		environ []string
		says    string
	}{
		{nil, ""},
		{[]string{"SECRET_KEY=short"}, ""},
		{[]string{"REVEAL_KEYS=true"}, "REVEAL_KEYS"},
		{[]string{"REVEAL_KEYS=true", "SECRET_KEY=fifteen-charact"}, "at least 16 characters"},
		{[]string{"REVEAL_KEYS=true", "SECRET_KEY=sixteen-characte"}, ""},
	} {
		s, err := config.Load(config.Options{Environ: c.environ})
		if err != nil {
			t.Fatal(err)
		}
		err = Check(s)
		if (err != nil) != (c.says != "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: %v", c.environ, err)
		}
		if err != nil && strings.Contains(err.Error(), "fifteen") {
			t.Error("the error has the secret")
		}
	}
}
