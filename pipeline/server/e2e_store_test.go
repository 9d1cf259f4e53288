package server_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gcli2api/pipeline/simulator"
)

// memory is what the gateway says of its credentials and figures.
type memory struct {
	creds map[string]credMemory
	usage string
}

type credMemory struct {
	Status struct {
		Codes    []int  `json:"error_codes"`
		Disabled bool   `json:"disabled"`
		Reason   string `json:"reason"`
	} `json:"status"`
	Models []struct {
		Model string  `json:"model"`
		Until float64 `json:"until"`
	} `json:"model_cooldowns"`
	Calls int64 `json:"calls"`
}

func (g *gateway) remembers() (m memory) {
	g.t.Helper()
	var shown struct {
		Creds map[string]credMemory `json:"creds"`
	}
	if err := json.Unmarshal(g.get("/creds/status").body, &shown); err != nil {
		g.t.Fatal(err)
	}
	var figures struct {
		Data map[string]json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(g.get("/usage/figures").body, &figures); err != nil {
		g.t.Fatal(err)
	}
	return memory{shown.Creds, string(figures.Data["credentials"]) + string(figures.Data["keys"])}
}

// What was learned and counted outlives the end of the process, also one without a word.
func TestStateOutlivesTheProcess(t *testing.T) {
	for name, end := range map[string]syscall.Signal{"stopped": syscall.SIGTERM, "killed": syscall.SIGKILL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim := google(t, 3, 0)
			l := launch{sim: sim, files: map[string]string{}, dirty: true, env: map[string]string{"CALLS_PER_ROTATION": "1"}}
			for _, who := range []string{"ann0", "ann1", "ann2"} {
				l.files[who+".json"] = string(sim.StaleCredentialFile(who+"@example.com", simulator.LayoutGateway))
			}
			g := start(t, l)
			sim.Script(simulator.Fault{Do: "403-tos", Credential: "ann0@example.com"})
			sim.Script(simulator.Fault{Do: "429-quota 13h", Credential: "ann1@example.com"})
			for range 4 {
				for _, a := range asks() {
					if r := g.put(a, "hello"); r.status != 200 {
						t.Fatalf("%d %s", r.status, r.body)
					}
				}
			}
			before, refreshes := g.remembers(), len(sim.CallsOf("token"))
			if a := before.creds["ann0.json"]; !a.Status.Disabled || refreshes != 3 {
				t.Fatalf("%d refreshes, %+v", refreshes, before.creds)
			}
			if end == syscall.SIGKILL {
				time.Sleep(15 * time.Second) // what may be lost: two seconds of figures, ten of counts of calls
			}
			g.signal(end)
			g.exits()
			l.dir = g.dir
			g = start(t, l)
			after := g.remembers()
			if after.usage != before.usage {
				t.Errorf("usage before %s\nafter %s", before.usage, after.usage)
			}
			x, y := mustJSON(t, before.creds), mustJSON(t, after.creds)
			if x != y {
				t.Errorf("credentials before %s\nafter %s", x, y)
			}
			if r := g.put(ask{}, "hello"); r.status != 200 {
				t.Errorf("%d %s", r.status, r.body)
			}
			// What the panel was told holds at once, also when it is killed in the next moment.
			if r := g.post("/creds/action", `{"filename":"ann0.json","action":"enable"}`); r.status != 200 {
				t.Errorf("%d %s", r.status, r.body)
			}
			g.signal(syscall.SIGKILL)
			g.exits()
			g = start(t, l)
			if a := g.remembers().creds["ann0.json"]; a.Status.Disabled || len(a.Status.Codes) > 0 {
				t.Errorf("switched on again: %+v", a)
			}
			if n := len(sim.CallsOf("token")); n != refreshes {
				t.Errorf("%d tokens were asked for anew", n-refreshes)
			}
		})
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The folder is one process's at a time.
func TestSecondGatewayOnTheFolder(t *testing.T) {
	t.Parallel()
	g := start(t, launch{sim: google(t, 1, 0), accounts: 1, light: true})
	code, stdout, stderr := run(t, []string{"CREDENTIALS_DIR=" + filepath.Join(g.dir, "creds"), "HOST=127.0.0.1", "PASSWORD=x", "LOG_FILE=x.log",
		"PORT=" + g.url[strings.LastIndexByte(g.url, ':')+1:]})
	if code != 1 || !strings.Contains(stderr, "cannot listen") {
		t.Errorf("on the same port: exit %d, %s%s", code, stdout, stderr)
	}
	code, stdout, stderr = run(t, []string{"CREDENTIALS_DIR=" + filepath.Join(g.dir, "creds"), "HOST=127.0.0.1", "PASSWORD=x", "PORT=" + strconv.Itoa(freePort(t))})
	if code != 1 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "another gcli2api") || !strings.Contains(stderr, g.dir) {
		t.Errorf("on another port: exit %d, %q, %q", code, stdout, stderr)
	}
	if r := g.put(ask{}, "hello"); r.status != 200 {
		t.Errorf("the first one: %d %s", r.status, r.body)
	}
	// check opens nothing.
	if code, _, stderr := run(t, []string{"CREDENTIALS_DIR=" + filepath.Join(g.dir, "creds")}, "check"); code != 0 {
		t.Errorf("check: exit %d, %s", code, stderr)
	}
}

func TestDamagedStoreIsLeftAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, ".gcli2api.db")
	damage := []byte(strings.Repeat("no database at all. ", 5000))
	if err := os.WriteFile(file, damage, 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := run(t, []string{"CREDENTIALS_DIR=" + dir, "HOST=127.0.0.1", "PASSWORD=x", "PORT=" + strconv.Itoa(freePort(t))})
	if code != 1 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, file) {
		t.Errorf("exit %d, %q, %q", code, stdout, stderr)
	}
	if now, err := os.ReadFile(file); err != nil || string(now) != string(damage) {
		t.Errorf("the file was changed: %v", err)
	}
}
