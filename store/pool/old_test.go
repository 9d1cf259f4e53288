package pool

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestOldProduct(t *testing.T) {
	now := time.Now()
	table := func(name, project, more string) string {
		return fmt.Sprintf("[%q]\nrefresh_token = \"1//%s\"\ntoken = \"ya29.%s\"\nexpiry = %q\nproject_id = %q\n%s\n",
			name, project, project, now.Add(time.Hour).Format(time.RFC3339), project, more)
	}
	var log lines
	kept := newBook()
	o := Options{Dir: t.TempDir(), Log: log.logger(), States: kept}
	toml := table("b.json", "b", "disabled = true\nerror_codes = [403]\nuser_email = \"b@example.com\"\nlast_success = 1763632800.5") +
		table("c.json", "c", fmt.Sprintf("cooldown_until = %d.5", now.Add(time.Hour).Unix())) +
		table("d.json", "d", fmt.Sprintf("cooldown_until = %d", now.Add(-time.Hour).Unix())) +
		table("loose.json", "stale", "disabled = true") +
		"[\"gone.json\"]\ndisabled = true\n"
	p := folder(t, o, "creds.toml", toml,
		"loose.json", ready("loose", "ya29.loose", now.Add(time.Hour)), "off.json", ready("off", "ya29.off", now.Add(time.Hour)),
		"creds_state.toml", "[\"off.json\"]\ndisabled = true\n", "config.toml", "port = 1", "api_keys.toml", "[\"sk-secret\"]\n")
	if got := ids(p); got != "loose.json off.json b.json c.json d.json" {
		t.Fatalf("queue %q", got)
	}
	b, c := status(t, p, "b.json"), status(t, p, "c.json")
	if !b.Disabled || b.Reason == "" || fmt.Sprint(b.LastCodes) != "[403]" || b.Email != "b@example.com" || b.LastSuccess.Unix() != 1763632800 || b.Source != "file creds.toml" {
		t.Errorf("%+v", b)
	}
	if left := c.CoolingUntil.Sub(now); c.Disabled || left < 50*time.Minute || left > 61*time.Minute {
		t.Errorf("%+v", c)
	}
	if d := status(t, p, "d.json"); d.Disabled || !d.CoolingUntil.IsZero() {
		t.Errorf("%+v", d)
	}
	if s := status(t, p, "loose.json"); !s.Disabled || s.Project != "loose" {
		t.Errorf("the loose file wins, and has the state of its table: %+v", s)
	}
	if !status(t, p, "off.json").Disabled {
		t.Error("the states of loose files do not count")
	}
	if log.count("not taken over") != 1 || log.count("config.toml") != 1 || log.count("level=WARN") != 1 || strings.Contains(log.String(), "sk-") {
		t.Error(log.String())
	}
	before := contents(t, o.Dir)
	p.Enable("b.json")
	p.Enable("off.json")
	p.saveCounts()
	_ = p.Close()

	// What we remember is newer than what the old product wrote, also of another sign-in.
	put(t, o.Dir, "loose.json", ready("other", "ya29.other", now.Add(time.Hour)))
	p = folder(t, o)
	for _, id := range []string{"b.json", "off.json", "loose.json"} {
		if s := status(t, p, id); s.Disabled {
			t.Errorf("%+v", s)
		}
	}
	put(t, o.Dir, "loose.json", ready("loose", "ya29.loose", now.Add(time.Hour)))
	if after := contents(t, o.Dir); after != before {
		t.Errorf("the folder was changed\n%q\n%q", before, after)
	}
}

func TestOldProductThatIsBroken(t *testing.T) {
	var log lines
	p := folder(t, Options{Log: log.logger()}, "creds.toml", "[\"a.json\"]\nrefresh_token = \"1//secret", "creds_state.toml", "[x", "b.json", keyFile)
	p.Rescan()
	if got := ids(p); got != "b.json" || log.count("level=WARN") != 2 || log.count("line 2 is not TOML") != 1 || strings.Contains(log.String(), "1//") {
		t.Errorf("%q\n%s", got, log.String())
	}
	put(t, p.dir, "creds.toml", "[\"a.json\"]\nrefresh_token = \"1//secret\"\n")
	p.Rescan()
	if got := ids(p); got != "b.json a.json" {
		t.Errorf("mended: %q", got)
	}
	put(t, p.dir, "a.json", `{"refresh_token": "1//secret"}`)
	p.Rescan()
	if got := ids(p); got != "a.json b.json" || status(t, p, "a.json").Source != "file a.json" || log.count("twice") != 0 {
		t.Errorf("taken out of the table: %q\n%s", got, log.String())
	}
}

// What the old product counted of today, and the limits that somebody had set, come along (behaviour 6.2, 6.8).
func TestUsageOfTheOldProduct(t *testing.T) {
	c := newClock() // noon
	table := func(name, more string) string {
		return fmt.Sprintf("[%q]\nrefresh_token = \"1//%[1]s\"\nproject_id = \"p\"\n%s\n", name, more)
	}
	reset := c.at.Truncate(24 * time.Hour).Add(31 * time.Hour) // 07:00 tomorrow
	day := func(at time.Time) string {
		return fmt.Sprintf("gemini_2_5_pro_calls = 3\ntotal_calls = 10\nnext_reset_time = %q\n", at.Format("2006-01-02T15:04:05-07:00"))
	}
	toml := table("own.json", day(reset)+"daily_limit_gemini_2_5_pro = 3\ndaily_limit_total = 1000\npreview = false\n"+
		fmt.Sprintf("call_timestamps = [%q, %q, \"x\"]", c.at.Add(-2*time.Hour).Format(time.RFC3339Nano), c.at.Add(-30*time.Hour).Format(time.RFC3339Nano))) +
		table("usual.json", day(reset.Add(-24*time.Hour))+"daily_limit_gemini_2_5_pro = 100\npreview = true\n") +
		table("odd.json", "gemini_2_5_pro_calls = -1\ntotal_calls = \"x\"\nnext_reset_time = \"soon\"\ndaily_limit_total = -5\ncall_timestamps = 7\n")
	p := folder(t, Options{Now: c.now, Settings: Settings{EnforceLimits: true, DailyPro: 50, DailyTotal: 500, DailyReset: 7 * time.Hour}}, "creds.toml", toml)
	for _, row := range []struct{ id, want string }{
		{"own.json", "3/10/1 of 3/500"}, {"usual.json", "0/0/0 of 50/500"}, {"odd.json", "0/0/0 of 50/500"},
	} {
		u, _ := p.UsageOf(row.id)
		if got := fmt.Sprintf("%d/%d/%d of %d/%d", u.Pro, u.Total, u.Last24h, u.LimitPro, u.LimitTotal); got != row.want || !u.NextReset.Equal(reset) {
			t.Errorf("%s: %s until %s, want %s", row.id, got, u.NextReset, row.want)
		}
	}
	if own, usual := status(t, p, "own.json"), status(t, p, "usual.json"); !own.NoPreview || usual.NoPreview || !own.ProCappedUntil.Equal(reset) || !usual.ProCappedUntil.IsZero() {
		t.Errorf("%+v\n%+v", own, usual)
	}
}
