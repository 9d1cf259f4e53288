package apikey

import (
	"errors"
	"strings"
	"testing"

	"gcli2api/pipeline/config"
	"gcli2api/store"
)

func TestReveal(t *testing.T) {
	s := newStore(t)
	set := Settings{Reveal: true, SecretKey: "an operator's secret", DefaultCost: 1}
	k := opened(t, sole{s}, func(o *Options) { o.Settings = func() Settings { return set } }).Keys
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
	for name, key := range map[string]string{"another secret key": "another secret key of 16", "one that is too short": "short"} {
		set.SecretKey = key
		if got, err := k.Reveal(one.ID); got != "" || !errors.Is(err, ErrOtherSecret) {
			t.Errorf("%s: %v", name, err)
		}
	}
	set.SecretKey = "an operator's secret"
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
