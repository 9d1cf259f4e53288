package server_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"gcli2api/pipeline/simulator"
)

// usage is what /usage/stats says of a credential, member by member as behaviour 1.7 has it.
type usage struct {
	Filename   string `json:"filename"`
	Pro        int    `json:"gemini_2_5_pro_calls"`
	Total      int    `json:"total_calls"`
	LimitPro   int    `json:"daily_limit_gemini_2_5_pro"`
	LimitTotal int    `json:"daily_limit_total"`
	NextReset  string `json:"next_reset_time"`
	Last24h    int    `json:"calls_24h"`
	Email      string `json:"user_email"`
}

// data reads an answer {"success": true, "data": ...} into one shape, and fails when there is more in it.
func data[T any](t testing.TB, r reply) (v T) {
	t.Helper()
	var all struct {
		Success bool
		Data    json.RawMessage
	}
	if err := json.Unmarshal(r.body, &all); err != nil || r.status != 200 || !all.Success {
		t.Fatalf("%d %s", r.status, r.body)
	}
	d := json.NewDecoder(strings.NewReader(string(all.Data)))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, r.body)
	}
	return v
}

// nextReset is the next of the times of day, as the answer spells it. The test may run over it: then
// both are right.
func nextReset(t testing.TB, got string, hour, minute int) {
	t.Helper()
	now := time.Now().UTC()
	at := time.Date(now.Year(), now.Month(), now.Day(), hour, minute, 0, 0, time.UTC)
	var ok []string
	for _, d := range []int{-1, 0, 1} {
		if r := at.AddDate(0, 0, d); r.After(now.Add(-time.Minute)) && r.Before(now.Add(24*time.Hour+time.Minute)) {
			ok = append(ok, r.Format("2006-01-02T15:04:05+00:00"))
		}
	}
	if !slices.Contains(ok, got) {
		t.Errorf("next reset %q, want one of %q", got, ok)
	}
}

func TestUsageRoutes(t *testing.T) {
	t.Parallel()
	sim := google(t, 2, 1)
	l := launch{sim: sim, dirty: true, env: map[string]string{"CALLS_PER_ROTATION": "1", "DAILY_RESET": "03:30", "DAILY_LIMIT_TOTAL": "900"},
		files: map[string]string{"two.json": string(sim.KeyFile(apiKey(0)))}}
	for _, who := range []string{"ann0", "ann1"} { // the renewal tells the e-mail
		l.files[who+".json"] = string(sim.StaleCredentialFile(who+"@example.com", simulator.LayoutGateway))
	}
	g := start(t, l)
	call := func(g *gateway, n int, model string) {
		t.Helper()
		for range n {
			for _, a := range asks()[:1] {
				if path, body := a.http(model, "hello"); g.post(path, body).status != 200 {
					t.Fatal("a call failed")
				}
			}
		}
	}
	call(g, 3, "gemini-2.5-pro")
	call(g, 3, flash)
	g.settled()
	stats := func(g *gateway) map[string]usage { return data[map[string]usage](t, g.get("/usage/stats")) }
	wait(t, "the e-mails are known", func() bool { return strings.Count(string(g.get("/usage/stats").body), "@example.com") == 2 })
	all := stats(g)
	if len(all) != 3 {
		t.Fatalf("%+v", all)
	}
	for id, u := range all {
		nextReset(t, u.NextReset, 3, 30)
		if u.Pro != 1 || u.Total != 2 || u.Last24h != 2 || u.LimitPro != 100 || u.LimitTotal != 900 || u.Filename != "" || (u.Email == "") != (id == "two.json") {
			t.Errorf("%s: %+v", id, u)
		}
	}
	one := data[usage](t, g.get("/usage/stats?filename=ann0.json"))
	if want := all["ann0.json"]; one.Filename != "ann0.json" || one.Total != want.Total || one.Email != "ann0@example.com" {
		t.Errorf("%+v", one)
	}
	if r := g.get("/usage/stats?filename=none.json"); r.status != 404 || !strings.Contains(string(r.body), `"detail"`) {
		t.Errorf("%d %s", r.status, r.body)
	}

	totals := data[map[string]any](t, g.get("/usage/aggregated"))
	for name, want := range map[string]float64{"total_files": 3, "total_gemini_2_5_pro_calls": 3, "total_all_model_calls": 6, "avg_gemini_2_5_pro_per_file": 1,
		"avg_total_per_file": 2, "total_calls_24h": 6, "avg_calls_per_file": 2} {
		if totals[name] != want {
			t.Errorf("%s is %v, want %v", name, totals[name], want)
		}
	}
	nextReset(t, fmt.Sprint(totals["next_reset_time"]), 3, 30)
	if got := mustJSON(t, totals["users"]); got != `[{"calls_24h":2,"files":1,"gemini_2_5_pro_calls":1,"total_calls":2,"user_email":""},`+
		`{"calls_24h":2,"files":1,"gemini_2_5_pro_calls":1,"total_calls":2,"user_email":"ann0@example.com"},`+
		`{"calls_24h":2,"files":1,"gemini_2_5_pro_calls":1,"total_calls":2,"user_email":"ann1@example.com"}]` {
		t.Errorf("users %s", got)
	}
	if asked := mustJSON(t, totals["requests"]); !strings.Contains(asked, `"calls":6`) || !strings.Contains(string(g.get("/usage/figures").body), `"keys"`) {
		t.Errorf("the figures of before: %s", asked)
	}
	badUsage(t, g)

	// What is changed is durable when it is answered: the process is killed at once.
	change := func(path, body, says string) {
		t.Helper()
		if r := g.post(path, body); r.status != 200 || !strings.Contains(string(r.body), `"success":true`) || !strings.Contains(string(r.body), says) {
			t.Errorf("%s %s: %d %s", path, body, r.status, r.body)
		}
	}
	change("/usage/update-limits", `{"filename":"ann0.json","gemini_2_5_pro_limit":0,"total_limit":500}`, "0 calls of gemini-2.5-pro, 500 of all")
	change("/usage/update-limits", `{"filename":"ann0.json","gemini_2_5_pro_limit":7}`, "7 calls of gemini-2.5-pro, 500 of all")
	change("/usage/update-limits", `{"filename":"two.json","total_limit":9}`, "100 calls of gemini-2.5-pro, 9 of all")
	change("/usage/update-limits", `{"filename":"two.json","total_limit":null}`, "900 of all")
	change("/usage/reset", `{"filename":"ann1.json"}`, "reset")
	g.signal(syscall.SIGKILL)
	g.exits()
	l.dir = g.dir
	g = start(t, l)
	all = stats(g)
	if a, b, c := all["ann0.json"], all["ann1.json"], all["two.json"]; a.LimitPro != 7 || a.LimitTotal != 500 || a.Total != 2 || b.Total != 0 || b.Pro != 0 || b.Last24h != 0 || c.LimitTotal != 900 {
		t.Errorf("%+v", all)
	}
	change("/usage/reset", `{"filename":null}`, "3 credentials")
	for id, u := range stats(g) {
		if u.Total != 0 || u.Last24h != 0 {
			t.Errorf("%s: %+v", id, u)
		}
	}
}

// badUsage: what cannot be meant changes nothing.
func badUsage(t *testing.T, g *gateway) {
	t.Helper()
	before := string(g.get("/usage/stats").body)
	const limits, reset = "/usage/update-limits", "/usage/reset"
	for _, row := range []struct {
		path, body string
		status     int
	}{
		{limits, `{"filename":"none.json","total_limit":5}`, 404},
		{limits, `{"filename":"ann0.json","total_limit":-1}`, 400},
		{limits, `{"filename":"ann0.json","total_limit":1.5}`, 400},
		{limits, `{"filename":"ann0.json","total_limit":"5"}`, 400},
		{limits, `{"filename":"ann0.json","total_limit":[5]}`, 400},
		{limits, `{"filename":"ann0.json","total_limit":99999999999999999999}`, 400},
		{limits, `{"filename":"ann0.json","gemini_2_5_pro_limit":5,"total_limit":true}`, 400},
		{limits, `{"filename":"ann0.json"}`, 400},
		{limits, `{"total_limit":5}`, 400},
		{limits, `{"filename":7,"total_limit":5}`, 400},
		{limits, `{"filename":"ann0.json","limit":5}`, 400},
		{limits, `{"filename":"ann0.json","total_limit":5} {}`, 400},
		{limits, `[]`, 400}, {limits, ``, 400}, {limits, `null`, 400}, {limits, `{"filename":"ann0.json","total_limit":5`, 400},
		{limits, `{"filename":"` + strings.Repeat("x", 70_000) + `","total_limit":5}`, 400},
		{reset, `{"filename":"none.json"}`, 404},
		{reset, `{"filename":""}`, 400}, {reset, `{"filename":["ann0.json"]}`, 400}, {reset, `{"file":"ann0.json"}`, 400},
		{reset, `"ann0.json"`, 400}, {reset, ``, 400}, {reset, `null`, 400},
	} {
		if r := g.post(row.path, row.body); r.status != row.status || !strings.Contains(string(r.body), `"detail"`) {
			t.Errorf("%s %.80s: %d %s", row.path, row.body, r.status, r.body)
		}
		if r := g.post(row.path, row.body, header("Authorization", "Bearer wrong")); r.status != 401 {
			t.Errorf("%s without the password: %d", row.path, r.status)
		}
	}
	if after := string(g.get("/usage/stats").body); after != before {
		t.Errorf("something was changed: %s\nbefore %s", after, before)
	}
}

// Enforced limits: skipped at the limit, 429 when all are, and said in the status.
func TestLimitsAreEnforced(t *testing.T) {
	t.Parallel()
	sim := google(t, 2, 0)
	g := start(t, launch{sim: sim, accounts: 2, light: true, env: map[string]string{"CALLS_PER_ROTATION": "1", "ENFORCE_LIMITS": "true", "DAILY_LIMIT_PRO": "2"}})
	ask := func(model string) reply {
		path, body := ask{}.http(model, "hello")
		return g.post(path, body)
	}
	if r := g.post("/usage/update-limits", `{"filename":"ann0.json","gemini_2_5_pro_limit":1}`); r.status != 200 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	for range 3 {
		if r := ask("gemini-2.5-pro"); r.status != 200 {
			t.Fatalf("%d %s", r.status, r.body)
		}
	}
	if got := pattern(sim); got != "abb" {
		t.Errorf("calls %q, want abb", got)
	}
	r := ask("gemini-2.5-pro")
	if r.status != 429 || r.header.Get("Retry-After") == "" || !strings.Contains(string(r.body), "quota") {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := ask(flash); r.status != 200 {
		t.Errorf("another model: %d %s", r.status, r.body)
	}
	if shown := string(g.get("/creds/status").body); strings.Count(shown, `"daily_limit_reached":{"pro_models_until":`) != 2 {
		t.Errorf("%s", shown)
	}
	if r := g.post("/usage/reset", `{"filename":"ann1.json"}`); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := ask("gemini-2.5-pro"); r.status != 200 {
		t.Errorf("after the reset: %d %s", r.status, r.body)
	}
	if n := len(sim.CallsOf("generateContent")); n != 5 {
		t.Errorf("%d calls reached Google", n)
	}
}

// A reset at a time that is none is refused at start.
func TestDailyResetIsChecked(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"25:00", "7:00", "07:00 UTC", "noon", ""} {
		g := spawn(t, launch{sim: google(t, 1, 0), accounts: 1, light: true, config: fmt.Sprintf("[pool]\ndaily_reset = %q\n", text)})
		<-g.ended
		if said := g.stderr.String(); g.code != 2 || !strings.Contains(said, "daily_reset") || !strings.Contains(said, "07:00") {
			t.Errorf("%q: exit %d, %s", text, g.code, said)
		}
	}
}
