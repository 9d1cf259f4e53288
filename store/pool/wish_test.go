package pool

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gcli2api/pipeline/outbound"
	"gcli2api/pipeline/simulator"
	"gcli2api/pipeline/wire/gemini"
	"gcli2api/store/oauth"
)

// gates notes which proxy each call about an account went by; all of them lead to the simulator.
type gates struct {
	mu    sync.Mutex
	heard map[string][]string // paths, by proxy
}

func (g *gates) via(proxy string) *http.Client {
	return &http.Client{Transport: tripper(func(r *http.Request) (*http.Response, error) {
		g.mu.Lock()
		g.heard[proxy] = append(g.heard[proxy], r.URL.Path)
		g.mu.Unlock()
		return http.DefaultTransport.RoundTrip(r)
	})}
}

func (g *gates) by(proxy string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return strings.Join(g.heard[proxy], " ")
}

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (g *gates) client(base string) *oauth.Client {
	return oauth.New(oauth.Options{
		HTTP:    func() *http.Client { return g.via("") },
		HTTPVia: g.via,
		Settings: func() oauth.Settings {
			return oauth.Settings{ClientID: simulator.ClientID, ClientSecret: simulator.ClientSecret,
				Endpoints: outbound.Endpoints{CodeAssist: base, OAuthToken: base, GoogleAPIs: base, ResourceManager: base, ServiceUsage: base}}
		},
		PollEvery: time.Millisecond, RetryPause: time.Millisecond,
	})
}

// Everything that is asked about an account goes by its proxy, and nothing of another one does.
func TestWhatIsAskedGoesByTheProxy(t *testing.T) {
	g := google(t)
	heard := &gates{heard: map[string][]string{}}
	states := memory{}
	var files []string
	for i := range 3 {
		a := g.AddAccount(simulator.Account{Email: fmt.Sprintf("ann%d@example.com", i)})
		files = append(files, fmt.Sprintf("ann%d.json", i), fmt.Sprintf(`{"refresh_token": %q}`, a.RefreshToken))
	}
	var secrets []string
	p := folder(t, Options{OAuth: heard.client(g.URL()), States: states, Hide: func(s string) { secrets = append(secrets, s) }}, files...)
	for i, proxy := range []string{"http://u:first-way@one.test:1", "socks5://u:other-way@two.test:2"} {
		if !p.Configure(fmt.Sprintf("ann%d.json", i), func(w *Wish) { w.Proxy = proxy }) {
			t.Fatal("not there")
		}
	}
	for range 3 {
		l, fail := p.Acquire(t.Context(), Want{Model: "gemini-2.5-pro"})
		if fail != nil {
			t.Fatal(fail)
		}
		want := map[string]string{"ann0.json": "http://u:first-way@one.test:1", "ann1.json": "socks5://u:other-way@two.test:2"}[l.ID()]
		if l.Proxy() != want {
			t.Errorf("%s is lent with the proxy %q", l.ID(), l.Proxy())
		}
		l.Release()
	}
	for _, proxy := range []string{"", "http://u:first-way@one.test:1", "socks5://u:other-way@two.test:2"} {
		if got := heard.by(proxy); strings.Count(got, "/token") != 1 || !strings.Contains(got, "loadCodeAssist") {
			t.Errorf("by %q: %s", proxy, got)
		}
	}
	for _, secret := range []string{"first-way", "other-way"} {
		if !slices.Contains(secrets, secret) {
			t.Errorf("the password %q is not kept out of the log", secret)
		}
	}
	if shown := fmt.Sprint(p.Status()); strings.Contains(shown, "first-way") || !strings.Contains(shown, "http://***@one.test:1") {
		t.Errorf("shown: %s", shown)
	}
	_ = p.Close()

	// The wish is about the name, after a restart too, and of what was deleted.
	again := folder(t, Options{Dir: p.dir, OAuth: heard.client(g.URL()), States: states, Hide: func(s string) { secrets = append(secrets, s) }})
	if d, _ := again.Detail("ann1.json"); d.Wish.Proxy != "socks5://***@two.test:2" {
		t.Errorf("after a restart: %+v", d.Wish)
	}
	if errs := again.Delete("ann1.json"); errs[0] != nil {
		t.Fatal(errs)
	}
	if _, errs := again.Purge(context.Background(), quarantined(again)[0].ID); errs[0] != nil {
		t.Fatal(errs)
	}
	if got := heard.by("socks5://u:other-way@two.test:2"); !strings.Contains(got, "/revoke") || strings.Contains(heard.by(""), "/revoke") {
		t.Errorf("the token was revoked elsewhere: %s", got)
	}
}

// Without a way by proxies nothing goes out by another.
func TestNoWayByAProxy(t *testing.T) {
	g := google(t)
	a := g.AddAccount(simulator.Account{Email: "ann@example.com"})
	p := folder(t, Options{OAuth: client(t, g.URL(), nil)}, "ann.json", fmt.Sprintf(`{"refresh_token": %q}`, a.RefreshToken))
	p.Configure("ann.json", func(w *Wish) { w.Proxy = "http://one.test:1" })
	if _, fail := p.Acquire(t.Context(), Want{Model: "m"}); fail == nil || len(g.CallsOf("token")) != 0 {
		t.Errorf("got %v, %d refreshes", fail, len(g.CallsOf("token")))
	}
	if s := status(t, p, "ann.json"); s.Disabled {
		t.Errorf("switched off: %s", s.Reason)
	}
}

// A lease keeps the proxy that it was lent with.
func TestLeaseKeepsItsProxy(t *testing.T) {
	p := folder(t, Options{}, "a.json", ready("p", "t", time.Now().Add(time.Hour)))
	l := take(t, p, Want{Model: "m"})
	var all sync.WaitGroup
	all.Go(func() { p.Configure("a.json", func(w *Wish) { w.Proxy = "http://later.test:1" }) })
	if l.Proxy() != "" {
		t.Error("the proxy changed under the lease")
	}
	all.Wait()
	l.Release()
	if l = take(t, p, Want{Model: "m"}); l.Proxy() != "http://later.test:1" {
		t.Errorf("lent with %q", l.Proxy())
	}
	l.Release()
}

func TestSetProxy(t *testing.T) {
	w := Wish{}
	for _, row := range []struct{ give, is string }{
		{"http://u:topsecret@h:1", "http://u:topsecret@h:1"}, {"http://***@h:1", "http://u:topsecret@h:1"}, {"http://***@h:2", "error"},
		{"http://u:***@h:1", "error"}, {"ftp://u:topsecret@h", "error"}, {"socks5://h:1", "socks5://h:1"}, {"socks5://***@h:1", "error"},
		{"socks5://h:1", "socks5://h:1"}, {"", ""}, {"***", "error"},
	} {
		before := w
		err := w.SetProxy(row.give)
		if err != nil && (row.is != "error" || strings.Contains(err.Error(), "topsecret") || w.Proxy != before.Proxy) || err == nil && w.Proxy != row.is {
			t.Errorf("%q: %q %v", row.give, w.Proxy, err)
		}
	}
}

// So does a verification, and what an API is switched on with.
func TestVerifyGoesByTheProxy(t *testing.T) {
	const way = "http://u:first-way@one.test:1"
	g := google(t)
	a := g.AddAccount(simulator.Account{Email: "ann@example.com", Project: "own-x", PaidTier: "gcp-standard-tier", APIDisabled: true})
	heard := &gates{heard: map[string][]string{}}
	p := folder(t, Options{OAuth: heard.client(g.URL())},
		"a.json", fmt.Sprintf(`{"refresh_token": %q, "project_id": "own-x"}`, a.RefreshToken))
	p.Configure("a.json", func(w *Wish) { w.Proxy = way })
	if _, err := p.Verify(t.Context(), "a.json"); err != nil {
		t.Error(err)
	}
	p.Quota(t.Context(), "a.json", true)
	verified := heard.by(way)
	for _, path := range []string{"/token", "loadCodeAssist", "services/", ":enable", "userinfo", "retrieveUserQuota"} {
		if !strings.Contains(verified, path) {
			t.Errorf("%s was not asked by the proxy: %s", path, verified)
		}
	}

	// A call finds the API off.
	p.Enable("a.json")
	l := take(t, p, Want{Model: "gemini-2.5-pro"})
	p.mu.Lock()
	p.queue[0].enabledAt = time.Time{}
	p.mu.Unlock()
	l.Report(gemini.ParseError(403, "", []byte(info("PERMISSION_DENIED", "off", "SERVICE_DISABLED", "googleapis.com")), time.Now()))
	l.Release()
	until(t, "the API is looked at", func() bool {
		return strings.Count(heard.by(way)+heard.by(""), "services/") > strings.Count(verified, "services/")
	})
	if past := heard.by(""); past != "" {
		t.Errorf("past the proxy: %s", past)
	}
}

// Who is switched off does not count as resting, whatever is held against it.
func TestListOfThoseThatRest(t *testing.T) {
	p, _ := keys(t, 3)
	for range 2 {
		l := take(t, p, Want{Model: "m"})
		l.Report(rate(time.Hour))
		l.Release()
	}
	p.Disable(keyID(0))
	page := p.List(Query{State: "cooling"})
	if len(page.Rows) != 1 || page.Rows[0].ID != keyID(1) || page.Matching != 1 || page.Cooling != 1 || page.Disabled != 1 || page.Total != 3 {
		t.Errorf("%+v", page)
	}
}
