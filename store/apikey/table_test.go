package apikey

import (
	"errors"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline/models"
	"gcli2api/store"
	"gcli2api/store/seal"
)

func TestMask(t *testing.T) {
	for secret, want := range map[string]string{"": "***", "a-key-of-my-own": "***", "a-key-of-my-own-choice!": "***", "a-key-of-my-own-choices!": "a-key-of-...es!",
		oldAlice: "sk-AAAABB...KKK"} {
		if got := Mask(secret); got != want {
			t.Errorf("%q is shown as %q", secret, got)
		}
	}
}

// A key is put into the table as the store has it: not as it was before, not after it is gone, and not where it cannot be read.
func TestOnlyTheNewestOfAKeyCounts(t *testing.T) {
	k := opened(t, newStore(t)).Keys
	one, secret := k.mustCreate(t, Terms{})
	now, err := k.Edit(t.Context(), one.ID, func(v *Terms) error { v.Disabled = true; return nil })
	if err != nil {
		t.Fatal(err)
	}
	k.keep(one)
	if got, ok := k.Find(secret); !ok || !got.Disabled {
		t.Error("an old state of a key is back")
	}
	if k.adopt(now.doc, store.Read[Key]{Value: *one, Rev: now.rev + 1}, k.drops-1) {
		t.Error("what was read before keys were dropped is taken over")
	}
	if got, ok := k.Find(secret); !ok || !got.Disabled {
		t.Error("an old state of a key is back")
	}
	if !k.adopt(now.doc, store.Read[Key]{Rev: now.rev + 1, Err: errors.New("of a newer version")}, k.drops) {
		t.Error("what cannot be read is read again and again")
	}
	if _, ok := k.byDigest[now.sum]; ok {
		t.Error("a key that cannot be read is in use")
	}
}

// A new key is known to other nodes also where nobody asks with it, and where the store gives no hints.
func TestANewKeyOnAnotherNode(t *testing.T) {
	s := newStore(t)
	a, b := opened(t, deaf{s}).Keys, opened(t, deaf{s}).Keys
	for range 2 { // the first one may be found by the first look at everything
		one, _ := a.mustCreate(t, Terms{})
		soon(t, "the other node has the key", func() bool { _, ok := b.ByID(one.ID); return ok })
	}
}

// A copy that was kept of a secret does not outlive it.
func TestNoCopyOfTheSecretBefore(t *testing.T) {
	set := Settings{Reveal: true, DefaultCost: 1}
	k := opened(t, sole{newStore(t)}, func(o *Options) {
		o.Settings, o.Ring = func() Settings { return set }, seal.New("an operator's secret")
	}).Keys
	one, _ := k.mustCreate(t, Terms{})
	set.Reveal = false
	now, _, err := k.Rotate(t.Context(), one.ID)
	if err != nil || len(now.Sealed) != 0 {
		t.Errorf("%v, %d bytes are kept", err, len(now.Sealed))
	}
	set.Reveal = true
	if got, err := k.Reveal(one.ID); got != "" || !errors.Is(err, ErrNotSealed) {
		t.Error(err)
	}
	other := *now
	if other.Sealed, err = k.seal(NewSecret()); err != nil {
		t.Fatal(err)
	}
	k.keep(&other)
	if got, err := k.Reveal(one.ID); got != "" || !errors.Is(err, ErrOtherSecret) {
		t.Error("the copy of another secret:", err)
	}
}

func TestExpiryAtThisMoment(t *testing.T) {
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	for d, over := range map[time.Duration]bool{-time.Second: true, 0: true, time.Second: false} {
		one := Key{Terms: Terms{Expires: now.Add(d)}}
		if (one.checkAhead(now) != nil) != over || one.Expired(now) != over {
			t.Errorf("%v: %v, %v", d, one.checkAhead(now), one.Expired(now))
		}
	}
}

func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		description string
		i, n        int
		want        string
	}{{"a", 1, 1, "a"}, {"a", 1, 2, "a 1"}, {"a", 2, 2, "a 2"}, {"{n} of a", 7, 100, "007 of a"}, {"", 1, 9, ""}} {
		if got := numbered(Terms{Description: c.description}, c.i, c.n).Description; got != c.want {
			t.Errorf("%q, %d of %d: %q", c.description, c.i, c.n, got)
		}
	}
}

// Of several entries that fit a name the one that says most of it holds, also where it is cheaper; of those
// that say as much the dearest; and of two families in a name the dearer one.
func TestWhichPriceHolds(t *testing.T) {
	s := newStore(t)
	g, c := costGrammar(t), costsOn(t, sole{s}) // nobody tells it of others
	for name, units := range map[string]int64{"假流式/m": 9, "流式抗截断/m": 20, "假流式/流式抗截断/m": 3} {
		if err := c.SetModel(t.Context(), g.Parse(name), Cost{Units: units}); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]int64{"假流式/m-search": 9, "流式抗截断/m": 20, "假流式/流式抗截断/m-maxthinking": 3, "m": 1,
		"some-flash-pro": 10, "some-pro-flash": 10} {
		if got := c.Price(g.Parse(name)); got != want {
			t.Errorf("%s costs %d, want %d", name, got, want)
		}
	}
	// Another process has taken the entry away, and this one has not heard of it.
	if err := s.Delete(t.Context(), store.Costs, costID(g.Parse("假流式/m")), store.Any); err != nil {
		t.Fatal(err)
	}
	if err := c.Reset(t.Context(), g.Parse("假流式/m")); !errors.Is(err, ErrNoCost) {
		t.Error(err)
	}
	if got := c.Price(models.Model{Base: "m", Features: models.FakeStream}); got != 1 {
		t.Errorf("it still costs %d", got)
	}
}

// Of two ways to write one name in the old table the dearer counts, and a key that could be guessed stays out.
func TestTheOldTableAtItsEdges(t *testing.T) {
	h := newOldHouse(t)
	h.write(oldCostsFile, "[model_costs]\n\"gemini-2.5-pro-流式抗截断\" = 12\n\"流式抗截断/gemini-2.5-pro\" = 30\n\"zz-流式抗截断\" = 41\n\"流式抗截断/zz\" = 13\n")
	h.write(oldKeysFile, "[abcdefgh-234567]\ntotal_quota = 5\nused_quota = 1\n[abcdefgh-2345678]\ntotal_quota = 5\nused_quota = 1\n")
	b := h.open()
	g := costGrammar(t)
	for name, want := range map[string]int64{"流式抗截断/gemini-2.5-pro": 30, "流式抗截断/zz": 41} {
		if got := b.Costs.Price(g.Parse(name)); got != want {
			t.Errorf("%s costs %d, want %d", name, got, want)
		}
	}
	if _, ok := b.Keys.Find("abcdefgh-2345678"); !ok {
		t.Error("a key of 16 characters is not taken over")
	}
	if _, ok := b.Keys.Find("abcdefgh-234567"); ok || strings.Contains(h.said.String(), "abcdefgh") {
		t.Errorf("a key of 15 characters is: %s", h.said)
	}
}
