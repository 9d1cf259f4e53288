package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func panelOf(t testing.TB, toml string, environ ...string) *Snapshot {
	t.Helper()
	s, err := Load(Options{File: "config.toml", Data: []byte(toml), Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestShown(t *testing.T) {
	s := panelOf(t, "[server]\npassword = \"planted\"\n[pool]\ngemini_api_keys = [\"AIzaPlanted\"]\n[outbound]\nproxy = \"http://ann:planted@proxy:1\"\n", "REDIS_URI=redis://:planted@x")
	for key, want := range map[string]string{"server.port": `7861`, "server.password": `"********"`, "server.api_password": `""`, "pool.gemini_api_keys": `"********"`,
		"pool.vertex_api_keys": `[]`, "server.write_timeout": `30`, "store.redis_uri": `"********"`, "models": `{}`, "outbound.proxy": `"http://***@proxy:1"`, "nobody.knows": `null`} {
		got, err := json.Marshal(s.Shown(key))
		if err != nil || key != "server.write_timeout" && string(got) != want {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
	}
	for _, p := range s.Params() {
		if text := fmt.Sprint(s.Shown(p.Key)); strings.Contains(strings.ToLower(text), "planted") {
			t.Errorf("%s shows a secret: %s", p.Key, text)
		}
	}
}

func TestChanges(t *testing.T) {
	s := panelOf(t, "[pool]\ncalls_per_rotation = 3\n", "AUTO_BAN=false", "PASSWORD=planted")
	for _, tt := range []struct{ asked, want, wrong string }{
		{`{"calls_per_rotation": 5, "server": {"public_models": true}}`, "pool.calls_per_rotation=5 server.public_models=true", ""},
		{`{"calls_per_rotation": 3}`, "", ""},
		{`{"calls_per_rotation": 3.0}`, "", ""},
		{`{"calls_per_rotation": null}`, "", ""}, // the panel says nothing of it
		{`{"password": "********", "auto_ban_enabled": false}`, "", ""},
		{`{"password": "other"}`, "", "PASSWORD"},
		{`{"password": null}`, "", "PASSWORD"},
		{`{"api_password": "other"}`, "server.api_password=other", ""},
		{`{"api_password": " "}`, "", ""},
		{`{"server": {"port": 1}}`, "", "start only"},
		{`{"server": {"prot": 1}}`, "", `did you mean "port"`},
		{`{"server": 1}`, "", "unknown"},
		{`{"server.public_models": true, "server": {"public_models": false}}`, "", "twice"},
		{`{"models": {"aliases": {"a": "b"}}}`, "models=map[aliases:map[a:b]]", ""},
		{`{"models": {}}`, "models=map[]", ""},
		{`{"": 1}`, "", "unknown"},
	} {
		var asked map[string]any
		if err := json.Unmarshal([]byte(tt.asked), &asked); err != nil {
			t.Fatal(err)
		}
		changes, err := s.Changes(asked)
		var got []string
		for _, c := range changes {
			got = append(got, fmt.Sprintf("%s=%v", c.Param.Key, c.Value))
		}
		if strings.Join(got, " ") != tt.want || (err != nil) != (tt.wrong != "") || err != nil && (!strings.Contains(err.Error(), tt.wrong) || strings.Contains(err.Error(), "planted")) {
			t.Errorf("%s: %v, %v", tt.asked, got, err)
		}
	}
}

// Whatever a body says, it is taken, or refused in words of which no secret is a part.
func FuzzChanges(f *testing.F) {
	for _, seed := range []string{`{"calls_per_rotation": 5}`, `{"models": {"aliases": {"a": 1}}}`, `{"server": {"server": {}}}`, `{"password": ["x"]}`, `{"pool.rule": [{}]}`, `{"pool.gemini_api_keys": {}}`} {
		f.Add(seed)
	}
	s := panelOf(f, "", "API_PASSWORD=planted-secret")
	f.Fuzz(func(t *testing.T, body string) {
		var asked map[string]any
		if json.Unmarshal([]byte(body), &asked) != nil {
			return
		}
		changes, err := s.Changes(asked)
		if err != nil && (strings.Contains(err.Error(), "planted-secret") || len(changes) > 0) {
			t.Errorf("%v", err)
		}
		var wrong Problems
		var locked *LockedError
		if err != nil && !errors.As(err, &wrong) && !errors.As(err, &locked) {
			t.Errorf("%T", err)
		}
		for _, c := range changes {
			if c.Param.AfterRestart || s.IsLocked(c.Param.Key) {
				t.Errorf("%s is taken", c.Param.Key)
			}
			_, _ = Load(Options{Overrides: map[string]any{c.Param.Key: c.Value}})
		}
	})
}
