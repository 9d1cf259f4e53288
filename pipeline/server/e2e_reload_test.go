package server_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// write replaces config.toml, as an editor does.
func (g *gateway) write(text string) {
	g.t.Helper()
	file := filepath.Join(g.dir, "config.toml")
	if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
		g.t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		g.t.Fatal(err)
	}
}

// reload writes config.toml and waits for the line that says what became of it; errors are on stderr.
func (g *gateway) reload(text, says string) {
	g.t.Helper()
	g.write(text)
	g.hangup(says)
}

func (g *gateway) hangup(says string) {
	g.t.Helper()
	said := func() int { return strings.Count(g.stdout.String()+g.stderr.String(), says) }
	before := said()
	g.signal(syscall.SIGHUP)
	wait(g.t, "a line with "+says, func() bool { return said() > before })
}

func TestHangupReloads(t *testing.T) {
	t.Parallel()
	sim := google(t, 0, 1)
	const first = "[stage.retry]\nmax_calls = 2\n"
	g := start(t, launch{sim: sim, keys: 1, config: first, env: map[string]string{"PASSWORD": "-"}})
	status := func(password string) int {
		path, body := ask{}.http(flash, "hello")
		return g.post(path, body, header("Authorization", "Bearer "+password)).status
	}
	if got := status("pwd"); got != 200 {
		t.Fatalf("before: %d", got)
	}
	g.reload(first+"# a comment\n", "nothing has changed")
	g.reload(first+"[server]\napi_password = \"made-up-1\"\nport = 1\nbody_limit = \"1MB\"\n",
		`settings changed keys="[server.api_password server.body_limit]" after_restart=[server.body_limit]`)
	if a, b := status("pwd"), status("made-up-1"); a != 401 || b != 200 {
		t.Errorf("the new password: %d, the old one: %d", b, a)
	}
	// One wrong line, and nothing of the file counts.
	g.reload("[server]\napi_password = \"made-up-2\"\n[stage.retry]\nmax_calls = 0\n", "config.toml:4: stage.retry.max_calls")
	g.reload("[server]\napi_password = \"made-up-2\"\n[pipeline]\norder = [\"auth\"]\n", "settings not changed, the old ones stay")
	if a, b := status("made-up-2"), status("made-up-1"); a != 401 || b != 200 {
		t.Errorf("after a broken file: %d, %d", a, b)
	}
	g.reload(first+"[server]\napi_password = \"made-up-1\"\n[stage.auth]\nenabled = false\n[pipeline]\nopen = true\n", "settings changed")
	if got := status("anything"); got != 200 {
		t.Errorf("auth switched off: %d", got)
	}
	if strings.Contains(g.stdout.String()+g.stderr.String(), "made-up") {
		t.Error("a password is in the log")
	}
}

// The way out changes while calls run on the old one.
func TestReloadUnderLoad(t *testing.T) {
	t.Parallel()
	sim := google(t, 0, 2)
	g := start(t, launch{sim: sim, keys: 2, config: "[outbound]\nidle_timeout = \"100s\"\n"})
	var failed, done atomic.Int64
	var all sync.WaitGroup
	stop := make(chan struct{})
	for i := range 8 {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				path, body := ask{gemini: i%2 == 0, stream: i%4 < 2}.http(flash, "hello")
				if r := g.post(path, body); r.status != http.StatusOK || !strings.Contains(string(r.body), "echo: hello") {
					failed.Add(1)
				}
				done.Add(1)
			}
		})
	}
	for i := range 30 {
		g.reload(fmt.Sprintf("[outbound]\nidle_timeout = \"%ds\"\n[pool]\ncalls_per_rotation = %d\n[stage.retry]\nmax_calls = %d\n", 101+i, 1+i, 2+i), "settings changed")
	}
	close(stop)
	all.Wait()
	if failed.Load() > 0 || done.Load() < 30 {
		t.Errorf("%d of %d requests failed", failed.Load(), done.Load())
	}
}

// A file that appears is found, one that was there and is gone is an error.
func TestReloadFindsTheFile(t *testing.T) {
	t.Parallel()
	g := start(t, launch{sim: google(t, 0, 1), keys: 1})
	g.reload("[pool]\ncalls_per_rotation = 3\n", "settings changed keys=[pool.calls_per_rotation]")
	if err := os.Remove(filepath.Join(g.dir, "config.toml")); err != nil {
		t.Fatal(err)
	}
	g.hangup("there is no such file")
}

// What has no effect is a warning at start and when it comes with a change, not with every reload.
func TestWarningsOfAReload(t *testing.T) {
	t.Parallel()
	const (
		table = "[models.fallback]\n\"gemini-2.5-pro\" = \"gemini-2.5-flash\"\n"
		off   = "[stage.retry]\nenabled = false\n"
		says  = `models.fallback: has no effect: the stage "retry" is switched off`
	)
	g := start(t, launch{sim: google(t, 0, 1), keys: 1, light: true, config: table + off})
	said := func() int {
		n := 0
		for line := range strings.Lines(g.stdout.String()) {
			if strings.Contains(line, "[WARNING]") && strings.Contains(strings.ReplaceAll(line, `\"`, `"`), says) {
				n++
			}
		}
		return n
	}
	for _, step := range []struct {
		config, says string
		warned       int
	}{
		{table + off, "nothing has changed", 1},
		{"# a comment\n" + table + off, "nothing has changed", 1},
		{table, "settings changed keys=[stage.retry.enabled]", 1},
		{table + off, "settings changed keys=[stage.retry.enabled]", 2},
		{off, "settings changed keys=[models]", 2},
	} {
		g.reload(step.config, step.says)
		if n := said(); n != step.warned {
			t.Errorf("after %q: %d warnings, want %d\n%s", step.config, n, step.warned, g.stdout.String())
		}
	}
	g.reload("[pipeline]\norder = [\"auth\", \"quota\", \"format\", \"model\", \"translate\", \"antitrunc\", \"fakestream\", \"credential\", \"upstream\", \"retry\", \"shape\", \"usage\"]\n",
		`must stand before`)
}
