package settings

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"gcli2api/store"
	"gcli2api/store/embedded"
	"gcli2api/store/seal"
)

// A node that lacks the key of a secret setting says so where the nodes are listed, and one that knew the
// value before the key was changed goes on with it: not with what the file says, which may be a password that
// was changed because others had it.
func TestSettingsThatDoNotOpenAreReported(t *testing.T) {
	db, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "x.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var said bytes.Buffer
	old := seal.New("the first secret of this test")
	next := seal.New("the second secret of this test", "the first secret of this test")
	a, b := panelOn(t, db, next, &said), panelOn(t, db, old, &said)
	save := func(p *Panel, key string, value any) {
		t.Helper()
		if _, err := p.Save(t.Context(), map[string]any{key: value}, store.Any); err != nil {
			t.Fatal(err)
		}
	}
	save(b, "server.panel_password", "known-to-all")
	a.look(t.Context())
	if a.Live().String("server.panel_password") != "known-to-all" || a.Status().Error != "" {
		t.Fatalf("%+v", a.Status())
	}
	save(a, "pool.gemini_api_keys", []any{"AIza-made-up"}) // sealed with the second secret
	b.look(t.Context())
	if s := b.Status(); !strings.Contains(s.Error, "pool.gemini_api_keys") || !strings.Contains(s.Error, "OLD_SECRET_KEYS") || s.At.IsZero() || s.Revision != a.Status().Revision {
		t.Errorf("without the key: %+v", s)
	}
	if fresh := panelOn(t, db, old, &said); !strings.Contains(fresh.Status().Error, "pool.gemini_api_keys") {
		t.Errorf("started without the key: %+v", fresh.Status())
	}
	doc, err := db.Get(t.Context(), store.Settings, id)
	if err != nil {
		t.Fatal(err)
	}
	if doc.Body, _, _, err = Reseal(next, a.Live(), doc.Body); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Put(t.Context(), store.Settings, doc, doc.Rev); err != nil {
		t.Fatal(err)
	}
	b.look(t.Context())
	if b.Live().String("server.panel_password") != "known-to-all" || !strings.Contains(b.Status().Error, "server.panel_password") {
		t.Errorf("after a change of the key: %q, %+v", b.Live().String("server.panel_password"), b.Status())
	}
	save(b, "pool.calls_per_rotation", 9)
	a.look(t.Context())
	if a.Live().String("server.panel_password") != "known-to-all" || a.Live().Int("pool.calls_per_rotation") != 9 || a.Status().Error != "" {
		t.Errorf("with the key: %+v", a.Status())
	}
}

// What could not be told from a sealed value, or never be sent as a password, is not saved.
func TestUnusableSecretsAreRefused(t *testing.T) {
	db, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "x.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var said bytes.Buffer
	for _, ring := range []*seal.Ring{nil, seal.New("the secret of this test")} {
		p := panelOn(t, db, ring, &said)
		for key, value := range map[string]any{"server.panel_password": "sealed:abc", "server.password": "a\x00b", "pool.gemini_api_keys": []any{"AIza", "sealed:1:x"}} {
			_, err := p.Save(t.Context(), map[string]any{key: value}, store.Any)
			if refused := (*RefusedError)(nil); !errors.As(err, &refused) && err == nil {
				t.Errorf("%s: %q was saved", key, value)
			}
		}
		if p.Status().Revision != 0 {
			t.Errorf("%+v", p.Status())
		}
	}
}
