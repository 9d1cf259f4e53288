package console

import (
	"fmt"
	"strings"
	"testing"

	"gcli2api/store"
)

func TestSettingsAreSaved(t *testing.T) {
	s := storeOf(t)
	a, b := nodeOn(t, s, nodeOptions{env: []string{"PORT=9999", "AUTO_BAN=false"}}), nodeOn(t, s, nodeOptions{env: []string{"CALLS_PER_ROTATION=3"}})
	for _, tt := range []struct {
		name, body string
		status     int
		says       string
	}{
		{"by its old name", `{"config": {"retry_429_max_retries_x": 4}}`, 400, "unknown setting"},
		{"a wrong type", `{"config": {"calls_per_rotation": "many"}}`, 400, "must be an integer"},
		{"out of range", `{"config": {"calls_per_rotation": 0}}`, 400, "of at least 1"},
		{"locked by the environment", `{"config": {"auto_ban_enabled": true}}`, 409, "AUTO_BAN"},
		{"locked, and sent as it is", `{"config": {"auto_ban_enabled": false}}`, 200, "nothing to save"},
		{"read at start only", `{"config": {"host": "127.0.0.9"}}`, 400, "start only"},
		{"an address with a password", `{"config": {"proxy": "ftp://x"}}`, 400, "must be"},
		{"no object", `[]`, 400, "must be a JSON object"},
		{"no UTF-8", "{\"panel_password\": \"a\xff\"}", 400, "not UTF-8"},
		{"two objects", `{} {}`, 400, "must be a JSON object"},
		{"no number", `{"config": {}, "revision": 1.5}`, 400, "revision"},
		{"something else beside", `{"config": {}, "x": 1}`, 400, "does not belong"},
		{"twice", `{"calls_per_rotation": 4, "pool": {"calls_per_rotation": 5}}`, 400, "twice"},
		{"an old revision", `{"config": {"calls_per_rotation": 4}, "revision": 7}`, 409, "somebody else"},
		{"as a table", `{"config": {"pool": {"calls_per_rotation": 20}}}`, 200, `"saved_config":{"calls_per_rotation":20}`},
		{"flat", `{"calls_per_rotation": 21}`, 200, `"hot_updated":["calls_per_rotation"]`},
		{"with the revision", `{"config": {"pool.calls_per_rotation": 22}, "revision": 2}`, 200, `"revision":3`},
		{"a secret as it is shown", `{"config": {"panel_password": "********"}}`, 200, "nothing to save"},
		{"an empty secret", `{"config": {"panel_password": ""}}`, 200, "nothing to save"},
	} {
		status, _, text := a.ask("POST", "/config/save", tt.body, "right")
		if status != tt.status || !strings.Contains(text, tt.says) {
			t.Errorf("%s: %d %s", tt.name, status, text)
		}
	}
	if got := a.live.Snapshot().Int("pool.calls_per_rotation"); got != 22 || a.live.Snapshot().Origin("pool.calls_per_rotation").String() != "panel" {
		t.Errorf("%d from %s", got, a.live.Snapshot().Origin("pool.calls_per_rotation"))
	}
	soon(t, "the other node follows", func() bool { return b.s.Settings.Status().Revision == 3 })
	if got := b.live.Snapshot().Int("pool.calls_per_rotation"); got != 3 {
		t.Errorf("the panel counts more than the environment: %d", got)
	}
	if status, _, text := a.ask("POST", "/config/save", `{"calls_per_rotation": null}`, "right"); status != 200 || a.live.Snapshot().Int("pool.calls_per_rotation") != 10 {
		t.Errorf("%d %s", status, text)
	}
	_, answer, text := a.ask("GET", "/config/get", "", "right")
	values, _ := answer["config"].(map[string]any)
	if values["port"] != 9999.0 || values["retry_429_interval"] != nil || values["panel_password"] != "********" || values["password"] != "" || values["calls_per_rotation"] != 10.0 {
		t.Errorf("%v", values)
	}
	if fmt.Sprint(answer["env_locked"]) != "[port api_password auto_ban_enabled]" && !strings.Contains(fmt.Sprint(answer["env_locked"]), "auto_ban_enabled") || strings.Contains(text, "right") {
		t.Errorf("%s", text)
	}
}

// What this program has not written is neither understood nor written over.
func TestABrokenSettingsDocument(t *testing.T) {
	for _, body := range []string{`[1]`, `"x"`, `null`} {
		s := storeOf(t)
		if _, err := s.Put(t.Context(), store.Settings, store.Doc{ID: "overrides", Body: []byte(body)}, store.New); err != nil {
			t.Fatal(err)
		}
		n := nodeOn(t, s, nodeOptions{})
		status, _, text := n.ask("POST", "/config/save", `{"calls_per_rotation": 21}`, "right")
		if doc, _ := s.Get(t.Context(), store.Settings, "overrides"); status != 409 || !strings.Contains(text, "overrides") || string(doc.Body) != body {
			t.Errorf("%s: %d %s, now %s", body, status, text, doc.Body)
		}
		if _, _, text := n.ask("GET", "/nodes", "", "right"); !strings.Contains(text, "no JSON object") {
			t.Errorf("the list of nodes says nothing: %s", text)
		}
	}
}
