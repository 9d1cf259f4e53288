package server_test

import (
	"strings"
	"syscall"
	"testing"
)

// What was saved in the panel outlives the process: a gateway whose only password stands there answers other
// machines from its next start on, and knows the password.
func TestSavedSettingsOutliveTheProcess(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	l := launch{sim: sim, accounts: 1, env: map[string]string{"PASSWORD": "-", "HOST": "0.0.0.0"}}
	g := start(t, l)
	builtIn := header("Authorization", "Bearer pwd")
	if !strings.Contains(g.stdout.String(), "listens on http://127.0.0.1:") {
		t.Fatalf("%s", g.stdout.String())
	}
	g.must("POST", "/config/save", `{"config": {"password": `+quoted(secret)+`, "calls_per_rotation": 20}}`, builtIn)
	if r := g.get("/config/get", builtIn); r.status != 401 {
		t.Errorf("the old password still opens the panel: %d", r.status)
	}
	if r := g.put(ask{}, "hello"); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
	g.signal(syscall.SIGTERM)
	g.exits()
	if text := g.logged() + g.stdout.String() + g.stderr.String(); strings.Contains(text, secret) {
		t.Errorf("the log has the password: %s", text)
	}
	l.dir = g.dir
	g = start(t, l)
	if text := g.stdout.String(); strings.Contains(text, "on this machine only") || strings.Contains(text, "//127.0.0.1") {
		t.Errorf("it still answers this machine only: %s", text)
	}
	if r := g.must("GET", "/config/get", ""); !strings.Contains(string(r.body), `"calls_per_rotation":20,`) || strings.Contains(string(r.body), secret) {
		t.Errorf("%s", r.body)
	}
	if r := g.put(ask{}, "hello"); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
}
