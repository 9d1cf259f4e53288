package settings_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gcli2api/pipeline/config"
	"gcli2api/store"
	"gcli2api/store/embedded"
	"gcli2api/store/seal"
	"gcli2api/store/settings"
	"gcli2api/store/storetest"
)

// many hides that a store is one process's own.
type many struct{ store.Store }

func storeOf(t *testing.T) *storetest.Flaky {
	t.Helper()
	db, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return &storetest.Flaky{Store: many{db}}
}

// node is what one gateway has of settings.
type node struct {
	*settings.Panel
	live    config.Live
	file    string // of config.toml
	refuses error  // what Apply says
	said    strings.Builder
	told    int
}

func nodeOn(t *testing.T, s store.Store, change ...func(*node, *settings.Options)) *node {
	t.Helper()
	n := &node{}
	o := settings.Options{Store: s, Log: slog.New(slog.NewTextHandler(&n.said, nil)), Live: &n.live, Mask: func(s string) string { return strings.ReplaceAll(s, "hidden", "***") }}
	o.Load = func(panel map[string]any) (*config.Snapshot, error) {
		return config.Load(config.Options{File: "config.toml", Data: []byte(n.file), Overrides: panel})
	}
	o.Apply = func(*config.Snapshot) error { return n.refuses }
	for _, f := range change {
		f(n, &o)
	}
	c, err := o.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	n.live.Set(c)
	if n.Panel, err = settings.Open(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	n.Follow(func() { n.told++ })
	t.Cleanup(func() { n.Close() })
	return n
}

func write(t *testing.T, s store.Store, body string) {
	t.Helper()
	if _, err := s.Put(t.Context(), store.Settings, store.Doc{ID: "overrides", Body: []byte(body)}, store.Any); err != nil {
		t.Fatal(err)
	}
}

func rotation(n *node) int { return n.Live().Int("pool.calls_per_rotation") }

func soon(t *testing.T, what string, is func() bool) {
	t.Helper()
	for late := time.Now().Add(time.Minute); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

// What of the layer can be served at a start is; the rest is named.
func TestAStartLeavesOutWhatCannotBeServed(t *testing.T) {
	s := storeOf(t)
	write(t, s, `{"pool.calls_per_rotation": 7, "pool.of_a_newer_version": 1, "server.public_models": "perhaps", "models": {"aliases": {"a": "gemini-2.5-pro"}}}`)
	n := nodeOn(t, s)
	at := n.Status()
	if rotation(n) != 7 || n.Live().Bool("server.public_models") || at.Revision != 1 {
		t.Errorf("%d, %+v", rotation(n), at)
	}
	for _, name := range []string{"of_a_newer_version", "public_models"} {
		if !strings.Contains(at.Error, name) || !strings.Contains(n.said.String(), name) {
			t.Errorf("nobody hears of %s: %q, log %s", name, at.Error, n.said.String())
		}
	}
	if doc, _ := s.Get(t.Context(), store.Settings, "overrides"); doc.Rev != 1 {
		t.Error("it was written over")
	}
}

// In a gateway that runs, settings that are refused leave those of before, whole, until they are mended.
func TestRefusedSettingsLeaveTheOldOnes(t *testing.T) {
	s := storeOf(t)
	n := nodeOn(t, s)
	if _, err := n.Save(t.Context(), map[string]any{"calls_per_rotation": 7}, store.Any); err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]string{"unknown": `{"pool.calls_per_rotation": 8, "pool.hidden": 1}`, "no object": `[]`, "a wrong type": `{"pool.calls_per_rotation": true}`} {
		write(t, s, bad)
		soon(t, "it is refused: "+name, func() bool { return n.Status().Error != "" })
		at := n.Status()
		if rotation(n) != 7 || at.Revision == 0 || time.Since(at.At) > time.Minute || strings.Contains(at.Error, "hidden") {
			t.Errorf("%s: %d, %+v", name, rotation(n), at)
		}
		write(t, s, `{"pool.calls_per_rotation": 7}`)
		soon(t, "it is mended: "+name, func() bool { return n.Status().Error == "" })
	}
	n.refuses = errors.New("no")
	saved, err := n.Save(t.Context(), map[string]any{"calls_per_rotation": 9}, store.Any)
	if err != nil || saved.NotHere == nil || rotation(n) != 7 || n.Status().Error != "no" {
		t.Errorf("%+v, %v, %d, %+v", saved, err, rotation(n), n.Status())
	}
	n.refuses = nil
	n.Reload() // as SIGHUP does
	if rotation(n) != 9 || n.Status().Error != "" {
		t.Errorf("%d, %+v", rotation(n), n.Status())
	}
}

// The file is read with the panel's layer over it.
func TestReloadKeepsThePanelsLayer(t *testing.T) {
	n := nodeOn(t, storeOf(t), func(n *node, _ *settings.Options) { n.file = "[pool]\ncalls_per_rotation = 3\n" })
	if _, err := n.Save(t.Context(), map[string]any{"calls_per_rotation": 7}, store.Any); err != nil {
		t.Fatal(err)
	}
	n.file = "[pool]\ncalls_per_rotation = 4\n[server]\npublic_models = true\n"
	n.Reload()
	if rotation(n) != 7 || !n.Live().Bool("server.public_models") {
		t.Errorf("%d", rotation(n))
	}
	n.file = "[pool]\ncalls_per_rotation = true\n"
	n.Reload()
	if rotation(n) != 7 || !strings.Contains(n.Status().Error, "config.toml:2") || n.Status().Revision != 1 {
		t.Errorf("%d, %+v", rotation(n), n.Status())
	}
	n.file = "[pool]\ncalls_per_rotation = 5\n"
	if _, err := n.Save(t.Context(), map[string]any{"calls_per_rotation": nil}, store.Any); err != nil || rotation(n) != 5 {
		t.Errorf("%v, %d", err, rotation(n))
	}
}

// Of changes that several nodes save at a time none is lost.
func TestManySaveAtOnce(t *testing.T) {
	s := storeOf(t)
	nodes := []*node{nodeOn(t, s), nodeOn(t, s), nodeOn(t, s)}
	keys := []string{"pool.calls_per_rotation", "stage_of_nobody", "server.public_models"}
	var all sync.WaitGroup
	for i, n := range nodes {
		all.Go(func() {
			for round := range 20 {
				var err error
				switch i {
				case 0:
					_, err = n.Save(context.Background(), map[string]any{keys[0]: round + 100}, store.Any)
				case 1:
					if _, err = n.Save(context.Background(), map[string]any{keys[1]: round}, store.Any); err != nil {
						err = nil // it is unknown
					}
				case 2:
					_, err = n.Save(context.Background(), map[string]any{keys[2]: round%2 == 0}, store.Any)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for i, n := range nodes {
		soon(t, fmt.Sprintf("node %d has what all have saved", i), func() bool {
			return rotation(n) == 119 && !n.Live().Bool("server.public_models") && n.Status().Revision == nodes[0].Status().Revision
		})
	}
}

// Secrets are sealed in the store, and only those who have the key can read them.
func TestNodesWithAndWithoutTheKey(t *testing.T) {
	s := storeOf(t)
	with := func(secret string) func(*node, *settings.Options) {
		return func(_ *node, o *settings.Options) { o.Ring = seal.New(secret) }
	}
	const key = "0123456789abcdef0123456789abcdef"
	a, b, c := nodeOn(t, s, with(key)), nodeOn(t, s, with(key)), nodeOn(t, s, with("another one, with 16 letters or more"))
	_, err := a.Save(t.Context(), map[string]any{"password": "planted-1", "pool.gemini_api_keys": []any{"AIzaPlanted2"}, "calls_per_rotation": 7}, store.Any)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := s.Get(t.Context(), store.Settings, "overrides")
	if err != nil || strings.Contains(strings.ToLower(string(doc.Body)), "planted") || !strings.Contains(string(doc.Body), `"pool.calls_per_rotation":7`) {
		t.Errorf("%s, %v", doc.Body, err)
	}
	for _, n := range []*node{a, b} {
		soon(t, "who has the key has the password", func() bool {
			return n.live.Password() == "planted-1" && fmt.Sprint(n.Live().Strings("pool.gemini_api_keys")) == "[AIzaPlanted2]"
		})
	}
	// Who has another key serves the rest, and keeps what it cannot read as it is.
	soon(t, "the rest is served", func() bool { return rotation(c) == 7 })
	if c.live.Password() != "pwd" {
		t.Error("a sealed password was taken for a plain one")
	}
	if _, err = c.Save(t.Context(), map[string]any{"calls_per_rotation": 8}, store.Any); err != nil {
		t.Fatal(err)
	}
	soon(t, "the others still have the password", func() bool { return rotation(a) == 8 && a.live.Password() == "planted-1" })
}

// A store that is away changes nothing, and is asked again.
func TestSettingsWithoutStore(t *testing.T) {
	s := storeOf(t)
	a, b := nodeOn(t, s), nodeOn(t, many{s.Store})
	s.Break(storetest.Fault{Err: &store.Away{Engine: "Redis", Err: errors.New("cut")}})
	if _, err := a.Save(t.Context(), map[string]any{"calls_per_rotation": 8}, store.Any); err == nil || rotation(a) != 10 {
		t.Errorf("%v, %d", err, rotation(a))
	}
	if _, err := b.Save(t.Context(), map[string]any{"calls_per_rotation": 9}, store.Any); err != nil {
		t.Fatal(err)
	}
	s.Heal()
	soon(t, "what was saved meanwhile counts", func() bool { return rotation(a) == 9 })
}
