package pool

import (
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/simulator"
	"gcli2api/store/oauth"
)

// counting is a pool of n keys with limits and a clock.
func counting(t testing.TB, n int, change func(*Settings)) (*Pool, *ticking) {
	c := newTicking("2026-11-23T12:00:00Z")
	p, _ := keys(t, n, func(o *Options) {
		o.Now = c.now
		o.Settings.DailyPro, o.Settings.DailyTotal, o.Settings.DailyReset = 100, 1000, 7*time.Hour
		if change != nil {
			change(&o.Settings)
		}
	})
	return p, c
}

// served makes calls that succeed.
func served(t testing.TB, p *Pool, n int, model string) {
	t.Helper()
	for range n {
		l := take(t, p, Want{Model: model})
		l.Report(nil)
		l.Release()
	}
}

func figures(p *Pool) string {
	u := p.Usage()[0]
	return fmt.Sprintf("%d/%d/%d %s", u.Pro, u.Total, u.Last24h, u.NextReset.Format("02T15:04"))
}

func TestWhatIsCounted(t *testing.T) {
	p, _ := counting(t, 1, nil)
	for _, row := range []struct {
		want  Want
		after string
	}{
		{Want{Model: "gemini-2.5-pro", Verb: pipeline.Generate}, "1/1/1"},
		{Want{Model: "gemini-2.5-pro", Verb: pipeline.Streaming}, "2/2/2"},
		{Want{Model: "gemini-2.5-pro-preview-06-05"}, "2/3/3"},
		{Want{Model: "gemini-3-pro-preview"}, "2/4/4"},
		{Want{Model: "gemini-embedding-001", Verb: pipeline.Embed}, "2/5/5"},
		{Want{Model: "gemini-2.5-pro", Verb: pipeline.Count}, "2/5/5"},
		{Want{Model: "models", Verb: pipeline.List}, "2/5/5"},
	} {
		l := take(t, p, row.want)
		l.Report(nil)
		l.Release()
		if got := figures(p); !strings.HasPrefix(got, row.after+" ") {
			t.Errorf("%+v: %s, want %s", row.want, got, row.after)
		}
	}
	l := take(t, p, Want{Model: "x"})
	l.Report(rate(time.Minute))
	if got := figures(p); !strings.HasPrefix(got, "2/5/5 ") {
		t.Errorf("a failure counts: %s", got)
	}
	// An answer that is of no use, or breaks off, was an answer.
	empty := apierror.New(apierror.EmptyAnswer, "empty")
	empty.Said = &apierror.Said{HTTP: 200}
	take(t, p, Want{Model: "z"}).Report(empty)
	empty.Said = &apierror.Said{HTTP: 200, HTML: true}
	take(t, p, Want{Model: "z"}).Report(empty)
	if got := figures(p); !strings.HasPrefix(got, "2/6/6 ") {
		t.Errorf("answers of no use: %s", got)
	}
	// A client that leaves: what had begun counts, what had not does not.
	gone := apierror.New(apierror.ClientGone, "gone")
	take(t, p, Want{Model: "y"}).Report(gone)
	gone.Said = &apierror.Said{HTTP: 200}
	take(t, p, Want{Model: "y"}).Report(gone)
	if got := figures(p); !strings.HasPrefix(got, "2/7/7 ") {
		t.Errorf("clients that left: %s", got)
	}
}

// A day ends at 07:00 UTC, however the clock gets there.
func TestDaysAndHours(t *testing.T) {
	p, c := counting(t, 1, nil)
	for i, row := range []struct{ at, figures string }{ // each makes one call, and shows what was before it
		{"2026-11-23T06:59:59Z", "0/0/0 23T07:00"},
		{"2026-11-23T06:59:59Z", "1/1/1 23T07:00"},
		{"2026-11-23T07:00:00Z", "0/0/2 24T07:00"},
		{"2026-11-24T06:59:00Z", "1/1/1 24T07:00"}, // the hour of 06 has left, that of 07 has not
		{"2026-11-24T07:01:00Z", "0/0/1 25T07:00"},
		{"2026-11-24T05:00:00Z", "0/0/0 24T07:00"}, // the clock is set back: what comes later does not count yet
		{"2026-11-24T08:00:00Z", "0/0/3 25T07:00"},
		{"2026-12-31T23:00:00Z", "0/0/0 01T07:00"},
		{"2030-01-01T00:00:00Z", "0/0/0 01T07:00"}, // a wrong clock ...
		{"2026-12-31T23:30:00Z", "0/0/0 01T07:00"}, // ... stops nothing when it is right again
		{"2026-12-31T23:40:00Z", "1/1/1 01T07:00"},
	} {
		c.set(row.at)
		if got := figures(p); got != row.figures {
			t.Errorf("row %d, %s: %s, want %s", i, row.at, got, row.figures)
		}
		served(t, p, 1, "gemini-2.5-pro")
	}
}

func TestDailyResetIsSettable(t *testing.T) {
	p, c := counting(t, 1, nil)
	served(t, p, 2, "gemini-2.5-pro")
	set := p.set
	for _, row := range []struct {
		at      string
		reset   time.Duration
		figures string
	}{
		{"2026-11-23T13:00:00Z", 3 * time.Hour, "2/2/2 24T03:00"}, // no reset lies between the calls and now
		{"2026-11-23T13:00:00Z", 15*time.Hour + 30*time.Minute, "2/2/2 23T15:30"},
		{"2026-11-23T15:30:00Z", 15*time.Hour + 30*time.Minute, "0/0/2 24T15:30"},
		{"2026-11-24T13:00:00Z", 0, "0/0/0 25T00:00"},
	} {
		c.set(row.at)
		set.DailyReset = row.reset
		p.Apply(set)
		if got := figures(p); got != row.figures {
			t.Errorf("%s: %s, want %s", row.at, got, row.figures)
		}
	}
}

// Limits are shown, and enforced where that is wanted: a rest with an end.
func TestLimits(t *testing.T) {
	const pro, flash = "gemini-2.5-pro", "gemini-2.5-flash"
	free := func(p *Pool, model string) string {
		l, fail := p.Acquire(t.Context(), Want{Model: model})
		if fail != nil {
			return fmt.Sprint(fail.Status, " ", fail.Code, " ", fail.RetryAfter)
		}
		l.Release()
		return "free"
	}
	p, c := counting(t, 1, func(s *Settings) { s.DailyPro, s.DailyTotal = 2, 4 })
	served(t, p, 6, pro)
	if got := free(p, pro); got != "free" {
		t.Fatalf("limits that are not enforced: %s", got)
	}
	set := p.set
	set.EnforceLimits = true
	p.Apply(set)
	id := ids(p)
	capped := func() string {
		s := status(t, p, id)
		return s.CappedUntil.Format("02T15:04") + " " + s.ProCappedUntil.Format("02T15:04")
	}
	if got := free(p, flash) + ", " + capped(); got != "429 quota_exhausted 19h0m0s, 24T07:00 24T07:00" {
		t.Errorf("at both limits: %s", got)
	}
	moved := p.loosened
	p.ResetUsage(id)
	if got := free(p, pro) + ", " + capped(); got != "free, 01T00:00 01T00:00" || p.loosened == moved {
		t.Errorf("reset: %s", got)
	}
	served(t, p, 2, pro)
	if x, y, z := free(p, pro), free(p, "gemini-3-pro-preview"), free(p, flash); x != "429 quota_exhausted 19h0m0s" || y != x || z != "free" {
		t.Errorf("at the Pro limit: %s, %s, %s", x, y, z)
	}
	if !p.Configure(id, func(w *Wish) { n := int64(3); w.DailyPro = &n }) || free(p, pro) != "free" {
		t.Error("a limit of its own does not count")
	}
	served(t, p, 2, flash)
	if x, y := free(p, pro), free(p, flash); x != "429 quota_exhausted 19h0m0s" || y != x {
		t.Errorf("at the total limit: %s, %s", x, y)
	}
	// Neither a success of a call that was out nor switching on ends it; the reset does.
	p.Enable(id)
	if got := free(p, flash); got == "free" {
		t.Error("switching on ends it")
	}
	c.set("2026-11-24T07:00:00Z")
	if got := free(p, flash); got != "free" {
		t.Errorf("after the reset: %s", got)
	}
	// A limit of zero shuts, also at the first moment of a day.
	zero := int64(0)
	p.Configure(id, func(w *Wish) { w.DailyTotal = &zero })
	c.set("2026-11-25T07:00:00Z")
	if got := free(p, flash); got == "free" {
		t.Error("a limit of zero lets calls through")
	}
	p.Configure(id, func(w *Wish) { w.DailyTotal = nil })
	if got := free(p, flash); got != "free" {
		t.Errorf("the default again: %s", got)
	}
}

// One at its limit is skipped, and does not keep others from being lent.
func TestCappedAreSkipped(t *testing.T) {
	p, _ := counting(t, 3, func(s *Settings) { s.DailyPro, s.EnforceLimits = 4, true })
	served(t, p, 12, "gemini-2.5-pro")
	for _, u := range p.Usage() {
		if u.Pro != 4 {
			t.Errorf("%+v", u)
		}
	}
	if x := p.Exhausted(Want{Model: "gemini-2.5-pro"}); x.Cooling != 3 || x.Status != 429 {
		t.Errorf("%+v", x)
	}
	if n := p.ResetUsages(); n != 3 {
		t.Errorf("%d", n)
	}
	served(t, p, 3, "gemini-2.5-pro")
}

// Messages stay by code until a success, without the secret that Google repeats.
func TestMessages(t *testing.T) {
	p, _ := counting(t, 1, nil)
	secret := p.queue[0].cred.APIKey
	for i := range maxCodes + 3 {
		l := take(t, p, Want{Model: fmt.Sprint("m", i)})
		f := quota(time.Hour)
		f.Said.HTTP, f.Said.Text = 410+i, "no, "+strings.Repeat(secret+"-long ", 99)
		p.queue[0].cred.APIKey = secret + "-long"
		l.Report(f)
	}
	s := status(t, p, ids(p))
	if len(s.Messages) != maxCodes || len(p.queue[0].messages) != maxCodes || s.Messages[0].Code != 413 {
		t.Errorf("%+v", s.Messages)
	}
	for _, m := range s.Messages {
		if strings.Contains(m.Text, secret) || !strings.HasPrefix(m.Text, "no, ") || len(m.Text) > 310 {
			t.Errorf("%q", m.Text)
		}
	}
	served(t, p, 1, "another")
	if s := status(t, p, ids(p)); len(s.Messages) != 0 {
		t.Errorf("%+v", s.Messages)
	}
}

// A refresh token that Google rotated for a variable is used until the variable changes.
func TestRotatedTokenOfAVariable(t *testing.T) {
	g := google(t)
	path := filepath.Join(t.TempDir(), "x.db")
	pair := rotating(g, 2)
	var sent []string
	via := roundTrip(func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, "/token") {
			sent = append(sent, r.URL.Path)
		}
		return http.DefaultTransport.RoundTrip(r)
	})
	run := func(a simulator.Account, then func(p *Pool)) {
		s := flakyStore(t, path)
		m := remember(t, s, slog.New(slog.DiscardHandler))
		p := folder(t, Options{States: m, OAuth: client(t, g.URL(), via),
			Environ: oauth.FromEnvironment([]string{"GOOGLE_CREDENTIALS=" + plainSignIn(a)}, false)})
		use(t, p, 1)
		then(p)
		_, _, _ = p.Close(), m.Close(), s.Close()
	}
	inUse := func(p *Pool) string { return p.queue[0].cred.RefreshToken }
	var first string
	run(pair[0], func(p *Pool) {
		if first = inUse(p); first == pair[0].RefreshToken {
			t.Fatal("it was not rotated")
		}
	})
	// The access token is over: the restart needs the token that was kept.
	run(pair[0], func(p *Pool) {
		if got := inUse(p); got != first {
			t.Errorf("after a restart %q is used", got)
		}
		p.mu.Lock()
		a := p.queue[0].account
		a.stale = true
		p.mu.Unlock()
		use(t, p, 1)
		if got := inUse(p); got == first || got == pair[0].RefreshToken {
			t.Error("it was not rotated again")
		}
		first = inUse(p)
	})
	run(pair[1], func(p *Pool) {
		if e := p.queue[0]; e.origin() != pair[1].RefreshToken || inUse(p) == first {
			t.Error("the variable has changed, and the old token is used")
		}
	})
	if len(sent) != 3 {
		t.Errorf("%d refreshes, want one by the first variable, one by the rotated token and one by the second variable", len(sent))
	}
}
