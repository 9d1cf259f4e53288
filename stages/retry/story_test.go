package retry_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/simulator"
)

// What the table says of renewing a token, which no row of an error is about.
func TestRenewals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, creds string
		fault       simulator.Fault
		calls       string
		renewals    int
		status      int
		left        string
	}{
		{"it works", "so", simulator.Fault{}, "a", 1, 0, ""},
		{"dead sign-in", "do", simulator.Fault{}, "b", 1, 0, "a off"},
		{"all are dead", "dd", simulator.Fault{}, "", 2, 503, "a off, b off"},
		{"AUTO_BAN is off, and dead is dead", "d", simulator.Fault{}, "", 1, 503, "a off"},
		{"trouble once", "so", simulator.Fault{Do: "503-unavailable", Verb: "token"}, "a", 2, 0, ""},
		{"trouble", "so", simulator.Fault{Do: "500", Verb: "token", Count: -1}, "b", 2, 0, "a rests 30s-1m"},
		{"no connection", "so", simulator.Fault{Do: "cut", Verb: "token", Count: -1}, "b", 2, 0, "a rests 30s-1m"},
		{"nobody can renew", "ss", simulator.Fault{Do: "500", Verb: "token", Count: -1}, "", 4, 503, "a rests 30s-1m, b rests 30s-1m"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			toml := ""
			if strings.HasPrefix(c.name, "AUTO_BAN") {
				toml = "[pool]\nauto_ban = false\n"
			}
			r := newRig(t, c.creds, toml)
			if c.fault.Do != "" {
				r.google.Script(c.fault)
			}
			begin := r.clock.now()
			fail := r.ask(context.Background(), pro, false)
			if (fail == nil) != (c.status == 0) || fail != nil && (fail.Status != c.status || fail.Status == 401) {
				t.Errorf("the client got %v", fail)
			}
			if n := len(r.google.CallsOf("token")); n != c.renewals {
				t.Errorf("%d renewals, want %d", n, c.renewals)
			}
			if got := r.calls(); got != c.calls {
				t.Errorf("calls %q, want %q", got, c.calls)
			}
			if err := same(r.facts(begin), c.left); err != nil {
				t.Errorf("%v, want %q", err, c.left)
			}
			if got := r.clock.waited(); got != "" {
				t.Errorf("waited %s", got)
			}
		})
	}
}

// A client that leaves is nobody's fault.
func TestClientGone(t *testing.T) {
	t.Parallel()
	for _, do := range []string{"slow-first 1m 500", "slow-first 1m 403-tos"} {
		r := newRig(t, "oo", "")
		r.google.Script(simulator.Fault{Do: do})
		ctx, leave := context.WithCancel(context.Background())
		go func() {
			_ = r.google.WaitOpen(t.Context(), 1)
			leave()
		}()
		begin := r.clock.now()
		if fail := r.ask(ctx, pro, false); fail == nil || fail.Code != apierror.ClientGone {
			t.Errorf("ended with %v", fail)
		}
		if err := same(r.facts(begin), ""); err != nil || len(r.pool.Breaks()) != 0 || r.calls() != "a" {
			t.Errorf("%v, %+v", err, r.pool.Breaks())
		}
		for _, s := range r.pool.Status() {
			if s.Calls != 0 || len(s.LastCodes) != 0 {
				t.Errorf("%+v", s)
			}
		}
	}
}

// An outage of Google's: no credential is blamed, clients are told when to come back, one request at a time
// looks whether it is over, and then all of them are served at once.
func TestOutage(t *testing.T) {
	t.Parallel()
	r := newRig(t, "ooo", "")
	r.google.Script(simulator.Fault{Do: "503-unavailable", Count: -1})
	begin := r.clock.now()
	asked := 0
	for ; asked < 50; asked++ {
		fail := r.ask(context.Background(), pro, false)
		if fail == nil || fail.Status != 503 {
			t.Fatalf("the client got %v", fail)
		}
		if r.calls() == "" {
			if fail.RetryAfter < time.Second || fail.RetryAfter > time.Minute {
				t.Errorf("Retry-After %s", fail.RetryAfter)
			}
			break
		}
	}
	if asked != 5 {
		t.Errorf("%d requests were made before Google was left alone", asked)
	}
	for range 8 { // the break grows, and each time one request finds out
		b := r.pool.Breaks()[0]
		r.clock.forward(b.Left)
		if fail := r.ask(context.Background(), pro, false); fail == nil || r.calls() == "" {
			t.Fatalf("behind the break nobody asked: %v", fail)
		}
		if fail := r.ask(context.Background(), pro, false); fail == nil || r.calls() != "" {
			t.Fatalf("the break is not there: %v", fail)
		}
	}
	if left := r.pool.Breaks()[0].Left; left > time.Minute || left < 50*time.Second {
		t.Errorf("the longest break is %s", left)
	}
	if fail := r.ask(context.Background(), "gemini-2.5-flash", false); fail == nil || r.calls() == "" {
		t.Errorf("another model was not asked: %v", fail)
	}
	r.google.ClearScripts()
	r.clock.forward(time.Minute)
	for range 10 {
		if fail := r.ask(context.Background(), pro, true); fail != nil {
			t.Errorf("it is over, and the client got %v", fail)
		}
	}
	if err := same(r.facts(begin), ""); err != nil {
		t.Error(err)
	}
}

// Behind a break one of many is let through; the first words of its answer let the others follow.
func TestHalfOpen(t *testing.T) {
	t.Parallel()
	r := newRig(t, "ooo", "")
	r.google.Script(simulator.Fault{Do: "500", Count: -1})
	for len(r.pool.Breaks()) == 0 || r.pool.Breaks()[0].State != "open" {
		_ = r.ask(context.Background(), pro, false)
	}
	r.google.ClearScripts()
	r.calls()
	r.google.Script(simulator.Fault{Do: "slow-first 1m"})
	r.clock.forward(r.pool.Breaks()[0].Left)
	ctx, leave := context.WithCancel(context.Background())
	done := make(chan *apierror.Error)
	go func() { done <- r.ask(ctx, pro, true) }()
	if err := r.google.WaitOpen(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if fail := r.ask(context.Background(), pro, false); fail == nil || fail.Status != 503 || fail.RetryAfter != time.Second {
				t.Errorf("beside the one that was let through: %v", fail)
			}
		})
	}
	wg.Wait()
	leave() // its client is gone: the next one may try
	<-done
	if got := r.calls(); len(got) != 1 {
		t.Errorf("calls %q", got)
	}
	for range 3 {
		if fail := r.ask(context.Background(), pro, true); fail != nil {
			t.Error(fail)
		}
	}
	if len(r.pool.Breaks()) != 0 {
		t.Errorf("%+v", r.pool.Breaks())
	}
}

// One kind of upstream is down, and the other one serves, without a pause once that is known.
func TestAnotherKindServes(t *testing.T) {
	t.Parallel()
	r := newRig(t, "ook", "[pool]\ncalls_per_rotation = 1\n")
	for _, l := range letters("ab") {
		r.google.Script(simulator.Fault{Do: "500", Count: -1, Credential: r.name(l)})
	}
	for range 20 {
		if fail := r.ask(context.Background(), pro, false); fail != nil {
			t.Fatal(fail)
		}
	}
	if b := r.pool.Breaks(); len(b) != 1 || b[0].Kind != "codeassist" || b[0].State != "open" {
		t.Fatalf("%+v", b)
	}
	r.calls()
	r.clock.waited()
	for range 5 {
		if fail := r.ask(context.Background(), pro, false); fail != nil {
			t.Error(fail)
		}
	}
	if got := r.calls(); got != "ccccc" {
		t.Errorf("calls %q", got)
	}
	if got := r.clock.waited(); got != "" {
		t.Errorf("waited %s", got)
	}
}

// The API is switched on while the credential rests, and then it serves.
func TestServiceIsEnabled(t *testing.T) {
	t.Parallel()
	r := newRig(t, "ok", "[pool]\ncalls_per_rotation = 1\n")
	r.google.UpdateAccount("a@example.com", func(a *simulator.Account) { a.APIDisabled = true })
	begin := r.clock.now()
	if fail := r.ask(context.Background(), pro, false); fail != nil {
		t.Fatal(fail)
	}
	eventually(t, func() bool { c := r.google.CallsOf("enable"); return len(c) > 0 && c[0].Done }) // begun is not switched on
	if err := same(r.facts(begin), "a rests 2m-5m"); err != nil || r.calls() != "ab" {
		t.Error(err)
	}
	r.clock.forward(6 * time.Minute)
	for range 4 {
		if fail := r.ask(context.Background(), pro, false); fail != nil {
			t.Error(fail)
		}
	}
	if got := r.calls(); strings.Count(got, "a") != 2 {
		t.Errorf("calls %q", got)
	}
	if err := same(r.facts(begin), ""); err != nil {
		t.Error(err)
	}
}

func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(10 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("it never came to this")
		}
	}
}

// Refusals without a reason: the third in a row switches off, where the status is not listed.
func TestThreeStrikes(t *testing.T) {
	t.Parallel()
	r := newRig(t, "k", "[pool]\nauto_ban_error_codes = []\n")
	r.google.Script(simulator.Fault{Do: "403-forbidden", Count: -1})
	for strike := 1; strike <= 3; strike++ {
		if fail := r.ask(context.Background(), pro, false); fail == nil || fail.Code != apierror.NoCredential || r.calls() != "a" {
			t.Fatalf("strike %d: %v", strike, fail)
		}
		if s := r.pool.Status()[0]; s.Disabled != (strike == 3) {
			t.Errorf("after %d: %+v", strike, s)
		}
		r.clock.forward(30 * time.Minute)
	}
}

// A storm of limits on nine of ten credentials costs no client an error and no sleep.
func TestStorm(t *testing.T) {
	t.Parallel()
	for _, do := range []string{"429-quota 13h", "429-reset 40s", "429-bare", "429-perday"} {
		t.Run(do, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, strings.Repeat("o", 10), "[pool]\ncalls_per_rotation = 1\n")
			limited := letters("abcdefghij")
			limited = append(limited[:6:6], limited[7:]...) // not g
			for _, l := range limited {
				r.google.Script(simulator.Fault{Do: do, Count: -1, Credential: r.name(l)})
			}
			var wg sync.WaitGroup
			for client := range 40 {
				wg.Go(func() {
					for n := range 5 {
						if fail := r.ask(t.Context(), pro, (client+n)%2 == 0); fail != nil {
							t.Errorf("client %d: %v", client, fail)
						}
					}
				})
			}
			wg.Wait()
			if got := r.clock.waited(); got != "" {
				t.Errorf("waited %s", got)
			}
			if got := strings.Count(r.calls(), "g"); got != 200 {
				t.Errorf("the one that works served %d of 200", got)
			}
			if fail := r.ask(t.Context(), pro, false); fail != nil || r.calls() != "g" {
				t.Errorf("the storm is not remembered: %v", fail)
			}
		})
	}
}

// Nobody is left: the client is told when the first one is back, without a call and without a sleep.
func TestAllLimited(t *testing.T) {
	t.Parallel()
	r := newRig(t, "ooo", "")
	r.google.Script(simulator.Fault{Do: "429-quota 13h", Count: -1})
	if fail := r.ask(t.Context(), pro, false); fail == nil || fail.Status != 429 || r.calls() != "abc" {
		t.Fatal(fail)
	}
	for range 3 {
		fail := r.ask(t.Context(), pro, false)
		if fail == nil || fail.Status != 429 || fail.Code != apierror.QuotaExhausted || fail.RetryAfter < 13*time.Hour-5*time.Second || fail.RetryAfter > 13*time.Hour+time.Second {
			t.Errorf("%+v", fail)
		}
	}
	if r.calls() != "" || r.clock.waited() != "" {
		t.Error("calls or pauses for nothing")
	}
}

// A token that lives for seconds is used, not renewed without end.
func TestShortTokens(t *testing.T) {
	t.Parallel()
	r := newRig(t, "s", "")
	r.google.UpdateAccount("a@example.com", func(a *simulator.Account) { a.TokenLife = 20 * time.Second })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for range 3 {
		if fail := r.ask(ctx, pro, false); fail != nil {
			t.Fatal(fail)
		}
	}
	if n := len(r.google.CallsOf("token")); n != 1 {
		t.Errorf("%d renewals", n)
	}
	r.clock.forward(11 * time.Second) // less than half is left
	if fail := r.ask(ctx, pro, false); fail != nil || len(r.google.CallsOf("token")) != 2 {
		t.Errorf("%v, %d renewals", fail, len(r.google.CallsOf("token")))
	}
}
