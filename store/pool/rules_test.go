package pool

import (
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/config"
)

// configured reads a config.toml as check and start do.
func configured(t *testing.T, text string, environ ...string) (*config.Snapshot, config.Problems, error) {
	t.Helper()
	c, err := config.Load(config.Options{File: "config.toml", Data: []byte(text), Environ: environ})
	if err != nil {
		return nil, nil, err
	}
	useless, err := Check(c)
	return c, useless, err
}

func TestWrongRules(t *testing.T) {
	const whole = "[[pool.rule]]\nstatus = 403\naction = \"next\"\n"
	for _, row := range []struct{ text, want string }{
		{"[[pool.rule]]\nstatsu = 403\naction = \"next\"\n", `config.toml:2: pool.rule.0.statsu: unknown setting; did you mean "status"?`},
		{whole + "\n[[pool.rule]]\nstatus = 403\naction = \"bann\"\n", `config.toml:7: pool.rule.1.action: must be one of "pass", "next", "retry", "rest", "rest-all", "ban", "break", got "bann"; did you mean "ban"?`},
		{"[[pool.rule]]\nstatus = 403\n", `config.toml:1: pool.rule.0: must have an action, one of "pass"`},
		{"[[pool.rule]]\naction = \"next\"\n", `config.toml:1: pool.rule.0: must say which errors it is about: status, text or reason`},
		{"[[pool.rule]]\nstatus = 200\naction = \"next\"\n", `config.toml:2: pool.rule.0.status: must be an HTTP status between 400 and 599, or a list of them`},
		{"[[pool.rule]]\nstatus = []\naction = \"next\"\n", `config.toml:2: pool.rule.0.status: must be an HTTP status`},
		{"[[pool.rule]]\nstatus = \"403\"\naction = \"next\"\n", `config.toml:2: pool.rule.0.status: must be an HTTP status`},
		{"[[pool.rule]]\nstatus = [403, [404]]\naction = \"next\"\n", `config.toml:2: pool.rule.0.status: must be an HTTP status`},
		{"[[pool.rule]]\nstatus = [403, \"404\"]\naction = \"next\"\n", `config.toml:2: pool.rule.0.status: must be an HTTP status`},
		{"[[pool.rule]]\nstatus = 403\nkind = \"codeasist\"\naction = \"next\"\n", `config.toml:3: pool.rule.0.kind: must be one of "codeassist", "gemini", "vertex", got "codeasist"; did you mean "codeassist"?`},
		{"[[pool.rule]]\nstatus = 403\naction = \"rest\"\n", `config.toml:1: pool.rule.0.for: must be between 1s and 192h`},
		{"[[pool.rule]]\nstatus = 403\naction = \"ban\"\nfor = \"1m\"\n", `config.toml:4: pool.rule.0.for: is for the actions "rest", "rest-all" only`},
		{"[[pool.rule]]\nstatus = 403\naction = \"rest\"\nfor = \"soon\"\n", `config.toml:4: pool.rule.0.for: must be a duration`},
		{"[[pool.rule]]\nstatus = [403, 400]\naction = \"ban\"\n", `config.toml:3: pool.rule.0.action: must be about more than the status 400`},
		{strings.Repeat("[[pool.rule]]\nname = \"a\"\nstatus = 403\naction = \"next\"\n", 2), `config.toml:6: pool.rule.1.name: must be a name of its own, "a" is there twice`},
		{"[pool]\nrule = 3\n", `config.toml:2: pool.rule: must be a list of tables, got 3`},
		{"[pool.rule]\nstatus = 403\n", `config.toml:1: pool.rule: must be a list of tables`},
		{"[pool.shared]\npro = \"gemini-2.5-pro\"\n", `config.toml:2: pool.shared.pro: must be a list`},
		{"[pool.shared]\npro = [" + strings.Repeat("\"a\",", 17) + "]\n", `config.toml:2: pool.shared.pro: must name at most 16 models`},
		{"[pool]\nauto_ban_error_codes = [403, 400]\n", `config.toml:2: pool.auto_ban_error_codes: must not name 400: it is the client's own mistake`},
	} {
		switch _, _, err := configured(t, row.text); {
		case row.want == "" && err != nil:
			t.Errorf("%s: %v", row.text, err)
		case row.want != "" && (err == nil || !strings.HasPrefix(err.Error(), row.want)):
			t.Errorf("%s:\n got %v\nwant %s", row.text, err, row.want)
		}
	}
	if _, _, err := configured(t, "", "AUTO_BAN_ERROR_CODES=400,403"); err == nil || !strings.Contains(err.Error(), "AUTO_BAN_ERROR_CODES") || !strings.Contains(err.Error(), "must not name 400") {
		t.Errorf("the environment bans for 400: %v", err)
	}
}

func TestCodesWithoutEffectAreTold(t *testing.T) {
	_, useless, err := configured(t, "[pool]\nauto_ban_error_codes = [403, 429, 402, 503]\n")
	if err != nil || len(useless) != 2 || !strings.HasPrefix(useless[0].String(), "config.toml:2: pool.auto_ban_error_codes: 429 has no effect") || !strings.Contains(useless[1].String(), "503") {
		t.Errorf("%v, %v", useless, err)
	}
	if _, useless, _ = configured(t, ""); len(useless) > 0 {
		t.Errorf("the default: %v", useless)
	}
}

// What each action does to the credential and to the exchange.
func TestActions(t *testing.T) {
	for _, row := range []struct {
		action, extra string
		again         pipeline.Again
		wait          time.Duration
		pair, cred    time.Duration
		off           bool
		counts        bool // at the breaker
	}{
		{action: "pass", again: pipeline.No},
		{action: "next", again: pipeline.Other},
		{action: "retry", again: pipeline.Same, wait: time.Second},
		{action: "rest", extra: "for = \"10m\"\n", again: pipeline.Other, pair: 10 * time.Minute},
		{action: "rest-all", extra: "for = \"10m\"\n", again: pipeline.Other, cred: 10 * time.Minute},
		{action: "ban", again: pipeline.Other, off: true},
		{action: "break", again: pipeline.Same, wait: time.Second, counts: true},
	} {
		c, _, err := configured(t, "[[pool.rule]]\nname = \"mine\"\nstatus = [403, 418]\ntext = \"Blocked BY\"\nmodel = \"gemini-*-pro\"\nkind = \"gemini\"\naction = \""+row.action+"\"\n"+row.extra)
		if err != nil {
			t.Fatal(err)
		}
		p, at := keys(t, 2, func(o *Options) {
			o.Settings.Rules, o.Settings.Shared = SettingsOf(c).Rules, SettingsOf(c).Shared
		})
		l := take(t, p, Want{Model: "gemini-2.5-pro"})
		if got := l.Report(spoken(418, plain("It was blocked by the proxy"))); got.Again != row.again || got.Wait != row.wait {
			t.Errorf("%s: advice %+v", row.action, got)
		}
		l.Release()
		s := status(t, p, l.ID())
		if s.Disabled != row.off || row.off && s.Reason != "Google refuses it (mine): It was blocked by the proxy" {
			t.Errorf("%s: %+v", row.action, s)
		}
		if (row.cred > 0) != s.CoolingUntil.Equal(at.at.Add(10*time.Minute)) || (row.pair > 0) != (len(s.Models) == 1 && s.Models[0].Until.Equal(at.at.Add(10*time.Minute))) {
			t.Errorf("%s: %+v", row.action, s)
		}
		if b := p.Breaks(); row.counts != (len(b) == 1) {
			t.Errorf("%s: %+v", row.action, b)
		}
	}
}

// Rules stand before the table, the first that fits counts, and a condition that does not hold lets the error pass on.
func TestRulesGoFirst(t *testing.T) {
	p, _ := keys(t, 1)
	p.Apply(Settings{APIKeys: p.set.APIKeys, Rules: []Rule{
		{Status: int64(429), Model: "gemini-2.5-pro", Action: "pass"},
		{Status: []any{int64(429)}, Kind: "codeassist", Action: "next"},
		{Name: "second", Status: int64(429), Reason: "QUOTA_EXHAUSTED", Action: "pass"},
		{Name: "third", Status: int64(429), Action: "pass"},
	}})
	l := take(t, p, Want{Model: "m"}).(*lease)
	pro := take(t, p, Want{Model: "gemini-2.5-pro"}).(*lease)
	preview := take(t, p, Want{Model: "gemini-2.5-pro-preview"}).(*lease)
	for _, row := range []struct {
		l          *lease
		body, want string
	}{{l, infoB, "second"}, {l, bare, "third"}, {pro, infoB, "rule 1"}, {preview, bare, "third"}} {
		if r := p.find(spoken(429, row.body), row.l); r.name != row.want {
			t.Errorf("%s: row %q", row.want, r.name)
		}
	}
	rows := p.Rows()
	if rows[0].Origin != "operator" || rows[0].When != "status 429; model gemini-2.5-pro" || rows[1].When != "status 429; kind codeassist" || rows[4].Origin != "built-in" {
		t.Errorf("%+v", rows[:5])
	}
	p.Apply(Settings{APIKeys: p.set.APIKeys}) // taken back while it runs
	if r := p.find(spoken(429, infoB), pro); r.name != "429 B quota" {
		t.Errorf("row %q", r.name)
	}
	if len(p.Rows()) != len(table()) {
		t.Error("rows are left over")
	}
}

// Every row says in words when it applies, and does not say twice what it does.
func TestRowsInWords(t *testing.T) {
	p, _ := keys(t, 1, func(o *Options) { o.Settings.AutoBanCodes = []int{403, 402, 429} })
	names := map[string]Row{}
	for _, r := range p.Rows() {
		if _, twice := names[r.Name]; twice || r.Name == "" {
			t.Errorf("row %q is there twice", r.Name)
		}
		if names[r.Name] = r; r.When == "" && r.Name != "anything else" {
			t.Errorf("no condition: %+v", r)
		}
		if (r.Scope == "") != (r.Cooldown == "") {
			t.Errorf("scope without a time: %+v", r)
		}
	}
	for name, want := range map[string]Row{
		"503, 504":      {When: "status 503 or 504 or 408", Scope: "the model at this kind of upstream, by a breaker", Cooldown: "5s to 1m0s, longer each time, after 5 requests in a row", Same: "after 1s, then after 3s", Others: "all"},
		"429 B quota":   {When: "status 429; reason QUOTA_EXHAUSTED", Scope: "the model on the credential, and the models that share its quota (pool.shared)", Cooldown: "until the time that Google names, else 1h0m0s, 2 times more each time, up to 24h0m0s", Others: "all"},
		"403":           {When: "status 403", Scope: "the credential", Cooldown: "30m0s", Others: "all", Consequence: "switched off the third time in a row; switched off at once where AUTO_BAN_ERROR_CODES has the status (403), which also tries others"},
		"anything else": {Consequence: "switched off at once where AUTO_BAN_ERROR_CODES has the status (402), which also tries others"},
	} {
		want.Name, want.Origin = name, "built-in"
		if names[name] != want {
			t.Errorf("\n got %+v\nwant %+v", names[name], want)
		}
	}
}

// A quota that is used up rests all models that draw on it, and only what is used up does.
func TestSharedQuota(t *testing.T) {
	p, c := keys(t, 1, func(o *Options) {
		o.Settings.Shared = map[string][]string{"pro": {"gemini-2.5-pro", "gemini-3.1-pro-preview"}, "flash": {"gemini-2.5-flash"}}
	})
	l := take(t, p, Want{Model: "gemini-2.5-pro"})
	l.Report(spoken(429, infoB))
	l.Release()
	s := status(t, p, l.ID())
	if len(s.Models) != 2 || s.Models[1].Model != "gemini-3.1-pro-preview" || !s.Models[1].Until.Equal(s.Models[0].Until) {
		t.Errorf("%+v", s.Models)
	}
	c.forward(14 * time.Hour)
	l = take(t, p, Want{Model: "gemini-2.5-pro"})
	l.Report(spoken(429, infoA))
	l.Release()
	if s = status(t, p, l.ID()); len(s.Models) != 1 {
		t.Errorf("a passing limit rests %+v", s.Models)
	}
}
