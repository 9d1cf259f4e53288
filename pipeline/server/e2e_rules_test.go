package server_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gcli2api/pipeline/simulator"
)

// shownRules is what GET /creds/rules says.
type shownRules struct {
	Rules []struct {
		Name, Origin, When, Scope, Cooldown, Others, Consequence string
		Same                                                     string `json:"same_again"`
	}
	Actions []string
}

func (g *gateway) rules() (s shownRules) {
	g.t.Helper()
	r := g.get("/creds/rules")
	if err := json.Unmarshal(r.body, &s); err != nil || r.status != 200 {
		g.t.Fatalf("%d %s", r.status, r.body)
	}
	return s
}

// Rows of the operator are shown, decide, are taken back while the gateway runs, and a wrong one changes nothing.
func TestOperatorRules(t *testing.T) {
	t.Parallel()
	const mine = "[[pool.rule]]\nname = \"pay\"\nstatus = 402\naction = \"next\"\n\n[[pool.rule]]\nstatus = [500, 502]\ntext = \"INTERNAL error\"\naction = \"pass\"\n"
	sim := google(t, 3, 0)
	g := start(t, launch{sim: sim, accounts: 3, config: mine})
	sim.Script(simulator.Fault{Do: "402", Credential: "ann0@example.com", Count: -1})
	if r := g.put(ask{}, "hello"); r.status != 200 || pattern(sim) != "ab" {
		t.Errorf("next: %d %s, calls %s", r.status, r.body, pattern(sim))
	}
	sim.ClearScripts()
	sim.ForgetCalls()
	if r := g.put(ask{}, "!fault 500"); r.status != 502 || len(pattern(sim)) != 1 {
		t.Errorf("pass: %d, calls %s", r.status, pattern(sim))
	}
	s := g.rules()
	if len(s.Rules) < 40 || s.Rules[0].Name != "pay" || s.Rules[0].Origin != "operator" || s.Rules[0].When != "status 402" || s.Rules[0].Others != "all" ||
		s.Rules[1].When != `status 500 or 502; text "internal error"` || s.Rules[2].Origin != "built-in" || len(s.Actions) != 7 {
		t.Errorf("%+v", s.Rules[:3])
	}
	g.reload(mine+"for = \"10m\"\n", "config.toml:10: pool.rule.1.for: is for the actions")
	if again := g.rules(); len(again.Rules) != len(s.Rules) {
		t.Error("a wrong rule has changed the others")
	}
	g.reload("", "settings changed keys=[pool.rule]")
	if again := g.rules(); len(again.Rules) != len(s.Rules)-2 || again.Rules[0].Origin != "built-in" {
		t.Errorf("%+v", again.Rules[0])
	}
	sim.ForgetCalls()
	if r := g.put(ask{}, "!fault once 500"); r.status != 200 || len(pattern(sim)) != 2 {
		t.Errorf("the built-in row: %d, calls %s", r.status, pattern(sim))
	}
	if r := g.get("/creds/breakers"); r.status != 200 || string(r.body) != `{"breakers":[]}` {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := g.get("/creds/rules", header("Authorization", "Bearer wrong")); r.status != 401 {
		t.Errorf("without a password: %d", r.status)
	}
}

// An outage is shown as one of Google's and blames no credential.
func TestBreakersAreShown(t *testing.T) {
	t.Parallel()
	sim := google(t, 2, 0)
	g := start(t, launch{sim: sim, accounts: 2, config: "[stage.retry]\nmax_calls = 1\n"})
	sim.Script(simulator.Fault{Do: "503-unavailable", Count: -1})
	var last reply
	var shown struct {
		Breakers []struct {
			Model, Kind, State, Rule string
			Failures                 int     `json:"failures_in_a_row"`
			Remaining                float64 `json:"remaining_seconds"`
		}
	}
	wait(t, "Google is left alone", func() bool {
		last = g.put(ask{}, "hello")
		r := g.get("/creds/breakers")
		if err := json.Unmarshal(r.body, &shown); err != nil {
			t.Fatalf("%v in %s", err, r.body)
		}
		return strings.Contains(string(last.body), "try again in") && len(shown.Breakers) == 1 && shown.Breakers[0].State == "open"
	})
	checkAfter(t, last.header.Get("Retry-After"), "1-15") // 5 at first; a machine that is slow may have seen the first break end
	if last.status != 503 {
		t.Errorf("%d %s", last.status, last.body)
	}
	if b := shown.Breakers[0]; b.Kind != "codeassist" || b.Rule != "503, 504" || b.Failures < 5 || b.Remaining <= 0 || b.Remaining > 15 {
		t.Errorf("%+v", b)
	}
	if s := string(g.get("/creds/status").body); strings.Contains(s, `"disabled":true`) || strings.Contains(s, "model_cooldowns") || strings.Count(s, `"cooldown_status":"ready"`) != 2 {
		t.Errorf("credentials are blamed: %s", s)
	}
	sim.ClearScripts()
	wait(t, "it is over", func() bool { return g.put(ask{}, "hello").status == 200 })
}

// check shows rules with their lines, warns of what is of no use, and refuses what would be dangerous.
func TestCheckOfRules(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "config.toml")
	for _, tt := range []struct {
		text, environ string
		code          int
		says          []string
	}{
		{"[[pool.rule]]\nstatus = 402\naction = \"next\"\n", "X=1", 0, []string{"pool.rule.0.status = 402  # file (" + file + ":2)", `pool.rule.0.action = "next"`}},
		{"[pool]\nauto_ban_error_codes = [403, 429]\n", "X=1", 0, []string{"warning: " + file + ":2: pool.auto_ban_error_codes: 429 has no effect"}},
		{"[pool]\nauto_ban_error_codes = [403, 400]\n", "X=1", 2, []string{file + ":2: pool.auto_ban_error_codes: must not name 400: it is the client's own mistake"}},
		{"", "AUTO_BAN_ERROR_CODES=400,403", 2, []string{"AUTO_BAN_ERROR_CODES", "must not name 400"}},
		{"[[pool.rule]]\nstatus = 402\naction = \"nxt\"\n", "X=1", 2, []string{file + ":3: pool.rule.0.action: must be one of", `did you mean "next"?`}},
	} {
		if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		code, stdout, stderr := run(t, []string{tt.environ}, "check", "-config", file)
		for _, says := range tt.says {
			if code != tt.code || !strings.Contains(stdout+stderr, says) {
				t.Errorf("exit %d, want %d with %q: %s%s", code, tt.code, says, stdout, stderr)
			}
		}
	}
}
