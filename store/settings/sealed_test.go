package settings

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"gcli2api/pipeline/config"
	"gcli2api/store"
	"gcli2api/store/embedded"
	"gcli2api/store/seal"
)

// panelOn is the panel of one node.
func panelOn(t *testing.T, s store.Store, ring *seal.Ring, said *bytes.Buffer) *Panel {
	t.Helper()
	o := config.Options{Environ: []string{"PASSWORD=whatever"}}
	c, err := config.Load(o)
	if err != nil {
		t.Fatal(err)
	}
	live := &config.Live{}
	live.Set(c)
	p, err := Open(t.Context(), Options{Store: s, Ring: ring, Log: slog.New(slog.NewTextHandler(said, nil)), Live: live,
		Load:  func(over map[string]any) (*config.Snapshot, error) { return config.Load(o.With(over)) },
		Apply: func(*config.Snapshot) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Secret settings lie sealed in the store; without their key they are left out, the others count, and saving
// another one loses none.
func TestSecretSettingsAreSealed(t *testing.T) {
	db, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "x.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var said bytes.Buffer
	ring := seal.New("the secret of this test")
	p := panelOn(t, db, ring, &said)
	if _, err := p.Save(t.Context(), map[string]any{"pool.gemini_api_keys": []any{"AIza-made-up"}, "pool.calls_per_rotation": 7}, store.Any); err != nil {
		t.Fatal(err)
	}
	body := func() string {
		doc, err := db.Get(t.Context(), store.Settings, id)
		if err != nil {
			t.Fatal(err)
		}
		return string(doc.Body)
	}
	if text := body(); strings.Contains(text, "made-up") || !strings.Contains(text, `["sealed:1:`) {
		t.Errorf("it lies there as %s", text)
	}
	keysOf := func(p *Panel) string { return strings.Join(p.Live().Strings("pool.gemini_api_keys"), " ") }
	if keysOf(p) != "AIza-made-up" || keysOf(panelOn(t, db, ring, &said)) != "AIza-made-up" || said.Len() > 0 && strings.Contains(said.String(), "sealed") {
		t.Errorf("with the key: %q, said %s", keysOf(p), said.String())
	}
	without := panelOn(t, db, nil, &said)
	if keysOf(without) != "" || without.Live().Int("pool.calls_per_rotation") != 7 || !strings.Contains(said.String(), "OLD_SECRET_KEYS") || strings.Count(said.String(), "stay sealed") != 1 {
		t.Errorf("without the key: %q, said %s", keysOf(without), said.String())
	}
	if _, err := without.Save(t.Context(), map[string]any{"pool.calls_per_rotation": 9}, store.Any); err != nil {
		t.Fatal(err)
	}
	again := panelOn(t, db, ring, &said)
	if keysOf(again) != "AIza-made-up" || again.Live().Int("pool.calls_per_rotation") != 9 {
		t.Errorf("with the key again: %q, %d", keysOf(again), again.Live().Int("pool.calls_per_rotation"))
	}
	next := seal.New("a newer secret of this test", "the secret of this test")
	out, n, stuck, err := Reseal(next, p.Live(), []byte(body()))
	if n != 1 || stuck != 0 || err != nil {
		t.Fatal(n, stuck, err)
	}
	if _, n, stuck, _ = Reseal(next, p.Live(), out); n != 0 || stuck != 0 {
		t.Error("a second time", n, stuck)
	}
	if same, n, stuck, err := Reseal(ring, p.Live(), out); n != 0 || stuck != 1 || err != nil || !bytes.Equal(same, out) {
		t.Error("with the old key only", n, stuck, err)
	}
	if plain, n, _, err := Reseal(next.Plain(), p.Live(), out); n != 1 || err != nil || !strings.Contains(string(plain), `"AIza-made-up"`) {
		t.Errorf("plain: %d, %v, %s", n, err, plain)
	}
	for _, odd := range []string{"[]", "null", `"x"`, "{}"} {
		if out, n, _, err := Reseal(next, p.Live(), []byte(odd)); string(out) != odd || n != 0 || err != nil {
			t.Errorf("%s became %s, %v", odd, out, err)
		}
	}
}
