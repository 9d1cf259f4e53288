package pool

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gcli2api/pipeline/simulator"
	"gcli2api/store/oauth"
)

func TestQuota(t *testing.T) {
	s := google(t)
	reset := time.Now().Add(5 * time.Hour).UTC().Truncate(time.Second)
	a := s.AddAccount(simulator.Account{Email: "a@example.com", Project: "sim-p", Quota: []simulator.Bucket{
		{Model: "gemini-2.5-pro", Fraction: 0.5, Reset: reset}, {Model: "gemini-2.5-flash", Reset: reset}}})
	c := &clock{time.Now()}
	p := folder(t, Options{Now: c.now, OAuth: oauthAt(t, s.URL(), c), Settings: Settings{APIKeys: []string{"key-of-nobody"}}}, "a.json", signIn(a))
	looks := func() int { return len(s.CallsOf("retrieveUserQuota")) }
	q := p.Quota(t.Context(), "a.json", false)
	if q.Err != nil || !q.Fresh || len(q.Buckets) != 2 || !q.Buckets[1].Guessed || !q.At.Equal(c.at) {
		t.Fatalf("%+v", q)
	}
	if left := p.named("a.json").left; len(left) != 2 || left[0] != (Left{"gemini-2.5-pro", 0.5, reset}) || left[1].Fraction != 0 {
		t.Errorf("the selection was told %+v", left)
	}
	for _, row := range []struct {
		forward time.Duration
		force   bool
		looks   int
	}{{29 * time.Second, false, 1}, {0, true, 2}, {29 * time.Second, false, 2}, {time.Second, false, 3}} {
		c.forward(row.forward)
		q := p.Quota(t.Context(), "a.json", row.force)
		if q.Err != nil || len(q.Buckets) != 2 || looks() != row.looks {
			t.Errorf("%+v: %d looks, %+v", row, looks(), q)
		}
	}
	// What Google says is left never keeps a credential from being lent.
	use(t, p, 2)
	// Trouble leaves what is known.
	s.Script(simulator.Fault{Do: "503", Verb: "retrieveUserQuota", Count: 3})
	q = p.Quota(t.Context(), "a.json", true)
	var why *Trouble
	if !errors.As(q.Err, &why) || why.Status != 503 || len(q.Buckets) != 2 || q.Fresh || status(t, p, "a.json").Disabled {
		t.Errorf("%+v", q)
	}
	if q := p.Quota(t.Context(), p.Status()[1].ID, false); q.Err == nil || !strings.Contains(q.Err.Error(), "Code Assist") {
		t.Errorf("%+v", q)
	}
	if q := p.Quota(t.Context(), "nobody", false); !errors.Is(q.Err, ErrUnknown) {
		t.Errorf("%+v", q)
	}
	if all := p.Quotas(t.Context(), true); len(all) != 1 || all[0].ID != "a.json" || all[0].Err != nil {
		t.Errorf("%+v", all)
	}
}

// In the background only what was used is looked at, and not at every tick.
func TestQuotaInTheBackground(t *testing.T) {
	s := google(t)
	a := s.AddAccount(simulator.Account{Email: "a@example.com", Project: "sim-a"})
	b := s.AddAccount(simulator.Account{Email: "b@example.com", Project: "sim-b"})
	c := &clock{time.Now()}
	p := folder(t, Options{Now: c.now, OAuth: oauthAt(t, s.URL(), c), Settings: Settings{QuotaRefresh: 15 * time.Minute}}, "a.json", signIn(a), "b.json", signIn(b))
	after := func(d time.Duration) (looks int) {
		before := len(s.CallsOf("retrieveUserQuota"))
		for range int(d / tendEvery) {
			c.forward(tendEvery)
			p.tend()
		}
		return len(s.CallsOf("retrieveUserQuota")) - before
	}
	if n := after(20 * time.Minute); n != 0 {
		t.Errorf("%d looks at what nobody uses", n)
	}
	use(t, p, 1) // of one of the two
	if n := after(8 * time.Minute); n != 1 {
		t.Errorf("%d looks after one use", n)
	}
	if n := after(20 * time.Minute); n != 0 {
		t.Errorf("%d more looks without a use", n)
	}
	use(t, p, 2)
	if n := after(20 * time.Minute); n != 2 {
		t.Errorf("%d looks after both were used", n)
	}
	set := p.set
	set.QuotaRefresh = 0
	p.Apply(set)
	use(t, p, 2)
	if n := after(time.Hour); n != 0 {
		t.Errorf("%d looks although it is switched off", n)
	}
}

// A token is renewed while it is still good for five minutes, so that no call ever waits for one.
func TestTokensAreRenewedBeforeAnybodyWaits(t *testing.T) {
	s := google(t)
	a := s.AddAccount(simulator.Account{Email: "a@example.com", Project: "sim-a", TokenLife: time.Hour})
	b := s.AddAccount(simulator.Account{Email: "b@example.com", Project: "sim-b", TokenLife: time.Hour})
	c := &clock{time.Now()}
	cl := oauthAt(t, s.URL(), c)
	p := folder(t, Options{Now: c.now, OAuth: cl}, "a.json", signIn(a), "b.json", signIn(b))
	use(t, p, 1) // one of the two, the other one sleeps
	e := p.named("a.json")
	if e.lastSuccess.IsZero() {
		e = p.named("b.json")
	}
	least := time.Hour
	for range int(3 * time.Hour / tendEvery) {
		c.forward(tendEvery)
		least = min(least, e.account.expiry.Sub(c.at))
		p.tend()
		if wait := p.prepare(e, c.at); wait != nil {
			t.Fatal("a call would have waited")
		}
	}
	if n := len(s.CallsOf("token")); least < 5*time.Minute || n != 4 {
		t.Errorf("as little as %s was left, %d refreshes", least, n)
	}
	// Nobody has used it for a day: it sleeps.
	before := len(s.CallsOf("token"))
	c.forward(25 * time.Hour)
	p.tend()
	if n := len(s.CallsOf("token")); n != before {
		t.Errorf("%d refreshes of what nobody uses", n-before)
	}
}

// At a start after a night all tokens have ended: they are renewed a few at a time.
func TestTokensAreRenewedAFewAtATime(t *testing.T) {
	s := google(t)
	var files []string
	kept := newBook()
	const n = 40
	for i := range n {
		a := s.AddAccount(simulator.Account{Email: fmt.Sprintf("u%d@example.com", i), Project: fmt.Sprintf("p-%d", i)})
		name := fmt.Sprintf("%02d.json", i)
		files = append(files, name, `{"project_id": "`+a.Project+`", "email": "x@example.com", "refresh_token": "`+a.RefreshToken+`"}`)
		used := time.Now().Add(-8 * time.Hour)
		if i%2 == 1 {
			used = used.Add(-48 * time.Hour)
		}
		kept.Save(name, State{Of: secretHash(a.RefreshToken), LastSuccess: used})
	}
	var now, most atomic.Int64
	via := roundTrip(func(r *http.Request) (*http.Response, error) {
		for k := now.Add(1); ; {
			if old := most.Load(); k <= old || most.CompareAndSwap(old, k) {
				break
			}
		}
		defer now.Add(-1)
		return http.DefaultTransport.RoundTrip(r)
	})
	p := folder(t, Options{States: kept, OAuth: client(t, s.URL(), via)}, files...)
	p.Disable("00.json")
	p.tend()
	if got := len(s.CallsOf("token")); got != n/2-1 {
		t.Errorf("%d refreshes, want those of the %d that were used within a day and are switched on", got, n/2-1)
	}
	if most.Load() > atATime {
		t.Errorf("%d at a time", most.Load())
	}
}

// oauthAt is client with the clock of a test.
func oauthAt(t *testing.T, base string, c *clock) *oauth.Client {
	t.Helper()
	return oauth.New(oauth.Options{HTTP: plainHTTP, Now: c.now, RetryPause: time.Millisecond, Settings: func() oauth.Settings { return settingsAt(base) }})
}

// Tokens that were made at the same time are not renewed at the same time, and none so late that a call
// sees its last five minutes.
func TestRenewalsAreSpread(t *testing.T) {
	at := map[time.Duration]bool{}
	for range 50 {
		d := aheadOf(time.Hour)
		if d < refreshAhead+tendEvery || d > 15*time.Minute {
			t.Errorf("renewed %s before the end", d)
		}
		at[d.Truncate(time.Second)] = true
	}
	if len(at) < 20 {
		t.Errorf("50 tokens are renewed at %d times", len(at))
	}
	if d := aheadOf(4 * time.Minute); d > 2*time.Minute {
		t.Errorf("one that lives four minutes is renewed %s before its end", d)
	}
}
