package retry_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/simulator"
	"gcli2api/store/pool"
)

const (
	pro     = "gemini-2.5-pro"
	preview = "gemini-3.1-pro-preview"
)

// scenario is one row of the decision table at work: one request meets an error of Google.
type scenario struct {
	row   string // of the table
	name  string // beside it, where a row has several
	creds string // kinds; "ooo" unless set
	model string // pro unless set
	toml  string
	do    string // the fault, none for what the simulator refuses by itself ...
	on    string // ... of these credentials, of all unless set
	count int    // ... so often; for ever unless set
	setup func(r *rig)

	stream bool
	calls  string        // credentials called, in order
	slept  string        // pauses
	status int           // that the client gets, 0 for an answer
	code   apierror.Code // ...
	after  time.Duration // Retry-After, within a second

	left   string // what is held against credentials behind it: "a off, b model 12h, c rests 30s-60s"
	breaks string // the breakers that count it
}

func scenarios() []scenario {
	const (
		out  = apierror.UpstreamUnavailable
		none = apierror.NoCredential
	)
	once := "1 at codeassist for " + pro
	return []scenario{
		{row: "empty answer", do: "empty", calls: "abcc", status: 502, code: apierror.EmptyAnswer},
		{row: "empty answer", name: "once", do: "empty", count: 1, calls: "ab"},
		{row: "network, own proxy", do: "cut", on: "a", setup: ownProxy("a"), calls: "aab", slept: "500ms", left: "a rests 30s-1m"},
		{row: "network, own proxy", name: "once", do: "cut", on: "a", count: 1, setup: ownProxy("a"), calls: "aa", slept: "500ms"},
		{row: "network", do: "cut", creds: "oo", calls: "aabb", slept: "500ms 500ms", status: 502, code: out, breaks: once},
		{row: "network", name: "once", do: "cut", count: 1, calls: "aa", slept: "500ms"},
		{row: "stream broken", stream: true, do: "eof", calls: "a", status: 502, code: apierror.StreamBroken, breaks: once},
		{row: "page: unusual traffic", do: "403-traffic", calls: "ab", status: 502, code: out, breaks: "1 at all"},
		{row: "page: unusual traffic", name: "as 429", do: "429-traffic", calls: "ab", status: 429, code: apierror.RateLimited, breaks: "1 at all"},
		{row: "page instead of a reply", do: "garbage", creds: "oo", calls: "aabb", slept: "500ms 500ms", status: 502, code: out, breaks: once},
		{row: "page 4xx", do: "404-html", calls: "ab", status: 502, code: out},

		{row: "400 dead key", creds: "kko", do: "400-key", on: "ab", calls: "abc", left: "a off, b off"},
		{row: "400 dead key", name: "AUTO_BAN is off", creds: "kk", toml: "[pool]\nauto_ban = false\n", do: "400-key", calls: "ab", status: 503, code: none, left: "a off, b off"},
		{row: "400 dead key by text", creds: "kk", do: "400-key-expired", on: "a", calls: "ab", left: "a off"},
		{row: "400 location", do: "400-location", calls: "a", status: 400, code: apierror.BadRequest},
		{row: "400 location", name: "another way out", do: "400-location", on: "ab", setup: ownProxy("c"), calls: "ac"},
		{row: "400 location", name: "one try only", creds: "oooo", do: "400-location", setup: ownProxy("cd"), calls: "ac", status: 400, code: apierror.BadRequest},
		{row: "400 thought signature", do: "400-signature", calls: "aa", status: 400, code: apierror.BadRequest},
		{row: "400 thought signature", name: "once", do: "400-signature", count: 1, calls: "aa"},
		{row: "400", do: "400", calls: "a", status: 400, code: apierror.BadRequest},
		{row: "400", name: "too long", do: "400-tokens", calls: "a", status: 400, code: apierror.ContextLength},

		{row: "401", do: "401", on: "a", calls: "aab", left: "a off"},
		{row: "401", name: "once", do: "401", count: 1, calls: "aa"},
		{row: "401", name: "all", creds: "oo", do: "401", calls: "aabb", status: 503, code: none, left: "a off, b off"},
		{row: "401", name: "AUTO_BAN is off", toml: "[pool]\nauto_ban = false\n", do: "401", on: "a", calls: "aab", left: "a rests 30m"},
		{row: "401", name: "a key", creds: "kk", do: "401", on: "a", calls: "ab"},

		{row: "403 verify", do: "403-validation", on: "a", calls: "ab", left: "a off"},
		{row: "403 verify", name: "AUTO_BAN is off", toml: "[pool]\nauto_ban = false\n", do: "403-validation", on: "a", calls: "ab", left: "a rests 30m"},
		{row: "403 terms", do: "403-tos", calls: "abc", status: 503, code: none, left: "a off, b off, c off"},
		{row: "403 terms", name: "AUTO_BAN is off", toml: "[pool]\nauto_ban = false\n", do: "403-tos", on: "a", calls: "ab", left: "a off"},
		{row: "403 terms by text", do: "403-tos-text", on: "a", calls: "ab", left: "a off"},
		{row: "403 suspended", do: "403-billing", on: "a", calls: "ab", left: "a off"},
		{row: "403 suspended by text", do: "403-suspended-text", on: "a", calls: "ab", left: "a off"},
		{row: "403 service disabled", do: "403-service-disabled", on: "a", count: 1, calls: "ab", left: "a rests 2m-5m"},
		{row: "403 service disabled by text", do: "403-service-disabled-text", on: "a", count: 1, calls: "ab", left: "a rests 2m-5m"},
		{row: "403 scope", do: "403-scope", on: "a", calls: "ab", left: "a off"},
		{row: "403 policy", do: "403-security", on: "a", calls: "ab", left: "a off"},
		{row: "403 key blocked", creds: "kk", do: "403-key-blocked", on: "a", calls: "ab", left: "a off"},
		{row: "403 key leaked", creds: "kk", toml: "[pool]\nauto_ban = false\n", do: "403-leaked", on: "a", calls: "ab", left: "a off"},
		{row: "403 licence", do: "403-license", on: "a", calls: "ab", left: "a off"},
		{row: "403 licence by text", do: "403-named-user", on: "a", calls: "ab", left: "a off"},
		{row: "403 project", do: "403-consumer", on: "a", calls: "ab", left: "a off"},
		{row: "403 project", name: "another one is found", setup: moved("a"), calls: "aa"},
		{row: "403 permission by text", do: "403", on: "a", calls: "ab", left: "a off"},
		{row: "403", do: "403-forbidden", on: "a", calls: "ab", left: "a off"},
		{row: "403", name: "not in the list", toml: "[pool]\nauto_ban_error_codes = []\n", do: "403-forbidden", calls: "abc", status: 503, code: none, left: "a rests 30m, b rests 30m, c rests 30m"},
		{row: "403", name: "AUTO_BAN is off", toml: "[pool]\nauto_ban = false\n", do: "403-forbidden", on: "a", calls: "ab", left: "a rests 30m"},

		{row: "404 preview", model: preview, do: "404", on: "a", calls: "ab", left: "a model 12h, a blind"},
		{row: "404 preview", name: "to one with access", model: preview, do: "404", on: "ab", toml: "[pool]\ncalls_per_rotation = 1\n", setup: blind, calls: "ac", left: "a model 12h, a blind, b model 12h, b blind"},
		{row: "404 preview", name: "nobody has it", model: preview, creds: "oo", do: "404", calls: "ab", status: 404, code: apierror.ModelNotFound, left: "a model 12h, a blind, b model 12h, b blind"},
		{row: "404", do: "404", calls: "ab", status: 404, code: apierror.ModelNotFound, left: "a model 12h, b model 12h"},

		{row: "429 I limit 0", creds: "kk", do: "429-limit0", on: "a", calls: "ab", left: "a model 24h"},
		{row: "429 C capacity", do: "429-capacity", calls: "aaabb", slept: "1s 3s 1s", status: 429, code: apierror.RateLimited, breaks: once},
		{row: "429 C capacity", name: "as 503", do: "503-capacity", calls: "aaabb", slept: "1s 3s 1s", status: 503, code: out, after: 9 * time.Second, breaks: once},
		{row: "429 C capacity by text", do: "503", count: 2, calls: "aaa", slept: "1s 3s"},
		{row: "429 G credits", do: "429-credits", on: "a", calls: "ab", left: "a rests 1h"},
		{row: "429 D, H per day", creds: "kk", do: "429-perday", on: "a", calls: "ab", left: "a model 0s-25h"},
		{row: "429 D, H per day", name: "Code Assist", do: "429-perday", on: "a", calls: "ab", left: "a model 0s-25h"},
		{row: "429 D per day by text", do: "429-perday-text", on: "a", calls: "ab", left: "a model 0s-25h"},
		{row: "429 D, H per minute", creds: "kk", do: "429-perminute 40s", calls: "ab", status: 429, code: apierror.RateLimited, after: 40 * time.Second, left: "a model 40s, b model 40s"},
		{row: "429 D per minute by text", do: "429-perminute-text", on: "a", calls: "ab", left: "a model 1m"},
		{row: "429 B quota", do: "429-quota 13h", calls: "abc", status: 429, code: apierror.QuotaExhausted, after: 13 * time.Hour, left: "a model 13h, b model 13h, c model 13h"},
		{row: "429 B quota", name: "models of one quota", toml: "[pool.shared]\npro = [\"gemini-2.5-pro\", \"" + preview + "\"]\n", do: "429-quota 13h", on: "a", calls: "ab", left: "a model 13h, a model 13h"},
		{row: "429 A rate", do: "429-reset 40s", on: "ab", calls: "abc", left: "a model 40s, b model 40s"},
		{row: "429 A rate", name: "back soon", creds: "oo", do: "429-reset 2s", count: 2, calls: "abb", slept: "2s"},
		{row: "429 A rate", name: "back late", creds: "oo", do: "429-reset 5m", calls: "ab", status: 429, code: apierror.RateLimited, after: 5 * time.Minute, left: "a model 5m, b model 5m"},
		{row: "429 F shared capacity", creds: "o", do: "429-shared", calls: "aa", slept: "2s", status: 429, code: apierror.RateLimited, left: "a model 5s-10s"},
		{row: "429 F shared capacity", name: "somebody else", do: "429-shared", on: "a", calls: "ab", left: "a model 5s-10s"},
		{row: "429 E bare", do: "429-bare", on: "ab", calls: "abc", left: "a model 1m, b model 1m"},

		{row: "499", do: "499", creds: "oo", calls: "aabb", slept: "500ms 500ms", status: 502, code: out},
		{row: "500, 502", do: "500", creds: "oo", calls: "aabb", slept: "1s 1s", status: 502, code: out, breaks: once},
		{row: "500, 502", name: "a page", do: "502-html", count: 1, calls: "aa", slept: "1s"},
		{row: "500, 502", name: "one sees it", do: "500", on: "a", calls: "aab", slept: "1s"},
		{row: "503, 504", do: "503-unavailable", creds: "o", calls: "aaa", slept: "1s 3s", status: 503, code: out, breaks: once},
		{row: "503, 504", name: "late", do: "504", creds: "o", calls: "aaa", slept: "1s 3s", status: 504, code: apierror.UpstreamTimeout, breaks: once},
		{row: "503, 504", name: "408", do: "408", count: 1, calls: "aa", slept: "1s"},

		{row: "anything else", do: "402", calls: "a", status: 502, code: out},
		{row: "anything else", name: "in the list", toml: "[pool]\nauto_ban_error_codes = [402]\n", do: "402", on: "a", calls: "ab", left: "a off"},
	}
}

func ownProxy(who string) func(*rig) {
	return func(r *rig) {
		for _, l := range letters(who) {
			address, _ := tunnel(r.t)
			r.wish(l, func(w *pool.Wish) { w.Proxy = address })
		}
	}
}

// moved gives an account another project than its file names.
func moved(letter string) func(*rig) {
	return func(r *rig) {
		r.google.UpdateAccount(letter+"@example.com", func(a *simulator.Account) { a.Project = "another-project" })
	}
}

// blind has b denied another preview model before, and lets a be the next.
func blind(r *rig) {
	for _, l := range letters("ac") {
		r.pool.Disable(l + ".json")
	}
	r.google.Script(simulator.Fault{Do: "404", Credential: r.name("b")})
	_ = r.ask(context.Background(), "gemini-3-flash-preview", false)
	for _, l := range letters("ac") {
		r.pool.Enable(l + ".json")
	}
	if fail := r.ask(context.Background(), pro, false); fail != nil || r.calls() != "bc" {
		r.t.Fatal("b is not what it should be: ", fail)
	}
}

func TestScenarios(t *testing.T) {
	covered := map[string]bool{}
	for _, s := range scenarios() {
		covered[s.row] = true
		t.Run(strings.TrimSuffix(s.row+"/"+s.name, "/"), func(t *testing.T) {
			t.Parallel()
			s.play(t)
		})
	}
	for _, row := range newRig(t, "k", "").pool.Rows() {
		if !covered[row.Name] {
			t.Errorf("no scenario for the row %q", row.Name)
		}
	}
}

func (s scenario) play(t *testing.T) {
	if s.creds == "" {
		s.creds = "ooo"
	}
	if s.model == "" {
		s.model = pro
	}
	if s.count == 0 {
		s.count = -1
	}
	r := newRig(t, s.creds, s.toml)
	if s.setup != nil {
		s.setup(r)
	}
	if s.on == "" && s.do != "" {
		r.google.Script(simulator.Fault{Do: s.do, Count: s.count})
	}
	for _, l := range letters(s.on) {
		r.google.Script(simulator.Fault{Do: s.do, Count: s.count, Credential: r.name(l)})
	}
	begin := r.clock.now()
	fail := r.ask(context.Background(), s.model, s.stream)
	if got := r.calls(); got != s.calls {
		t.Errorf("calls %q, want %q", got, s.calls)
	}
	if got := r.clock.waited(); got != s.slept {
		t.Errorf("waited %q, want %q", got, s.slept)
	}
	s.heard(t, fail)
	if err := same(r.facts(begin), s.left); err != nil {
		t.Errorf("%v, want %q", err, s.left)
	}
	var breaks []string
	for _, b := range r.pool.Breaks() {
		at := "all"
		if b.Model != "" {
			at = b.Kind + " for " + b.Model
		}
		breaks = append(breaks, fmt.Sprintf("%d at %s", b.Failures, at))
	}
	if got := strings.Join(breaks, ", "); got != s.breaks {
		t.Errorf("breakers %q, want %q", got, s.breaks)
	}
}

// heard compares what the client got.
func (s scenario) heard(t *testing.T, fail *apierror.Error) {
	switch {
	case s.status == 0 && fail != nil:
		t.Errorf("the client got %v", fail)
	case s.status != 0 && fail == nil:
		t.Errorf("the client got an answer, want %d", s.status)
	case fail != nil && (fail.Status != s.status || fail.Code != s.code):
		t.Errorf("the client got %d %s (%v), want %d %s", fail.Status, fail.Code, fail, s.status, s.code)
	case fail != nil && s.after > 0 && (fail.RetryAfter < s.after-time.Second || fail.RetryAfter > s.after+time.Second):
		t.Errorf("Retry-After %s, want %s", fail.RetryAfter, s.after)
	}
}

// same compares facts with their description; pauses of the request may come on top of a rest.
func same(got []fact, want string) error {
	var parts []string
	if want != "" {
		parts = strings.Split(want, ", ")
	}
	if len(parts) != len(got) {
		return fmt.Errorf("held against credentials: %v", got)
	}
	for i, f := range got {
		words := strings.Fields(parts[i])
		if words[0] != f.letter || words[1] != f.what {
			return fmt.Errorf("held against credentials: %v", got)
		}
		if len(words) < 3 {
			continue
		}
		low, high, ranged := strings.Cut(words[2], "-")
		if !ranged {
			high = low
		}
		least, err := time.ParseDuration(low)
		if err != nil {
			return err
		}
		most, err := time.ParseDuration(high)
		if err != nil {
			return err
		}
		if f.rest < least-2*time.Second || f.rest > most+6*time.Second {
			return fmt.Errorf("%s %s for %s: %v", f.letter, f.what, f.rest, got)
		}
	}
	return nil
}
