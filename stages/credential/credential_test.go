package credential

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/wire/gemini"
	"gcli2api/store/oauth"
	"gcli2api/store/pool"
)

func lender(t *testing.T, keys ...string) (*pool.Pool, *stage) {
	t.Helper()
	p, err := pool.New(pool.Options{Settings: pool.Settings{APIKeys: keys}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if n := p.Leases(); n != 0 {
			t.Errorf("%d leases are still out", n)
		}
		_ = p.Close()
	})
	return p, &stage{p}
}

func exchange(ctx context.Context) *pipeline.Exchange {
	x := pipeline.NewExchange(ctx, pipeline.Request{ID: "t"})
	x.Model = models.Model{Base: "gemini-2.5-pro"}
	return x
}

// said is an error of Google with nothing but a status.
func said(status int) *apierror.Error {
	f := apierror.New(apierror.UpstreamUnavailable, "m")
	f.Status, f.Upstream, f.Said = status, true, &apierror.Said{HTTP: status}
	return f
}

func TestLendsAndTakesBack(t *testing.T) {
	p, s := lender(t, "AIza-first")
	x := exchange(context.Background())
	if v := s.Process(x); v != pipeline.Next || x.Lease == nil {
		t.Fatalf("verdict %v, %v", v, x.Reply.Err)
	}
	if x.Lease.Kind() != "gemini" || x.Lease.Token() != "AIza-first" || p.Leases() != 1 {
		t.Errorf("kind %s, %d leases", x.Lease.Kind(), p.Leases())
	}
	s.End(x)
	s.End(x)
	if p.Leases() != 0 {
		t.Errorf("%d leases after the end", p.Leases())
	}
}

// Coming back, an exchange gets what it has not tried, and holds one lease at a time.
func TestOneThatWasNotTried(t *testing.T) {
	p, s := lender(t, "AIza-1", "AIza-2", "AIza-3")
	x := exchange(context.Background())
	seen := map[string]bool{}
	for range 3 {
		if v := s.Process(x); v != pipeline.Next {
			t.Fatalf("verdict %v, %v", v, x.Reply.Err)
		}
		if seen[x.Lease.ID()] {
			t.Errorf("%s came again", x.Lease.ID())
		}
		seen[x.Lease.ID()] = true
		if p.Leases() != 1 {
			t.Errorf("%d leases", p.Leases())
		}
		x.Try()
		x.Report(said(429))
	}
	s.End(x)
}

// The advice to take the same one again is heeded, though others are free.
func TestTheSameOneAgain(t *testing.T) {
	_, s := lender(t, "AIza-1", "AIza-2", "AIza-3")
	x := exchange(context.Background())
	s.Process(x)
	first := x.Lease.ID()
	x.Try()
	x.Report(said(500))
	if a := x.Advice(); a.Again != pipeline.Same {
		t.Fatalf("advice %+v", a)
	}
	if s.Process(x); x.Lease.ID() != first {
		t.Errorf("got %s after %s", x.Lease.ID(), first)
	}
	s.End(x)
}

// An answer that broke off is gone on with by the credential that began it, though others are free.
func TestGoingOn(t *testing.T) {
	_, s := lender(t, "AIza-1", "AIza-2", "AIza-3")
	x := exchange(context.Background())
	s.Process(x)
	first := x.Lease.ID()
	for range 2 {
		x.Try()
		x.Report(nil)
		if s.Process(x); x.Lease.ID() != first {
			t.Errorf("got %s after %s", x.Lease.ID(), first)
		}
	}
	x.Try()
	x.Report(said(500))
	if a := x.Advice(); a.Again != pipeline.Same { // the first failure there
		t.Errorf("advice %+v", a)
	}
	s.Process(x)
	x.Try()
	x.Report(said(429))
	if s.Process(x); x.Lease.ID() == first {
		t.Error("the one that is limited came again")
	}
	s.End(x)
}

func TestNoneToLend(t *testing.T) {
	_, s := lender(t)
	x := exchange(context.Background())
	v := s.Process(x)
	if f := x.Reply.Err; v != pipeline.Respond || f == nil || f.Status != 503 || f.Code != apierror.NoCredential || f.Upstream || !strings.Contains(f.Message, "GEMINI_API_KEY") {
		t.Errorf("verdict %v, %+v", v, f)
	}
	s.End(x)
}

// When the only one is used up the lease is gone, and with it the advice of the call before.
func TestNoneLeft(t *testing.T) {
	p, s := lender(t, "AIza-1")
	x := exchange(context.Background())
	s.Process(x)
	x.Try()
	dead := said(400)
	dead.Said.Reason = "API_KEY_INVALID"
	x.Report(dead)
	v := s.Process(x)
	if f := x.Reply.Err; v != pipeline.Respond || f == nil || f.Code != apierror.NoCredential || f.Upstream || x.Lease != nil || p.Leases() != 0 {
		t.Errorf("verdict %v, %+v, lease %v", v, f, x.Lease)
	}
	s.End(x)
}

// A cache belongs to an API key; an account would answer as if nothing had been sent.
func TestCachedContentGoesToKeysOnly(t *testing.T) {
	const cached, nested, empty = `{"cachedContent":"cachedContents/x"}`, `{"generate_content_request":{"cached_content":"x"}}`, `{"cachedContent":null}`
	dir := t.TempDir()
	file := `{"refresh_token":"1//made-up","token":"ya29.made-up","expiry":"2100-01-01T00:00:00Z","project_id":"p-1","email":"a@example.com"}`
	if err := os.WriteFile(filepath.Join(dir, "a.json"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		body, kind string
		keys       []string
	}{
		{cached, "gemini", []string{"AIza-first"}},
		{nested, "gemini", []string{"AIza-first"}},
		{cached, "", nil},
		{empty, "codeassist", nil},
		{`{"contents":[]}`, "codeassist", nil},
	} {
		p, err := pool.New(pool.Options{Dir: dir, OAuth: oauth.New(oauth.Options{Settings: func() oauth.Settings { return oauth.Settings{ClientID: "made-up", ClientSecret: "made-up"} }}),
			Settings: pool.Settings{APIKeys: c.keys, CallsPerRotation: 1}})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // two turns: both credentials would serve
			x := exchange(context.Background())
			x.Call, _ = gemini.NewCall([]byte(c.body))
			s := &stage{p}
			v := s.Process(x)
			switch f := x.Reply.Err; {
			case c.kind == "" && (v != pipeline.Respond || f.Status != 503 || f.Param != "cachedContent" || !strings.HasPrefix(f.Message, "cachedContent needs an API key")):
				t.Errorf("%s: %+v", c.body, f)
			case c.kind != "" && (v != pipeline.Next || x.Lease.Kind() != c.kind):
				t.Errorf("%s: %v, %v", c.body, x.Lease, f)
			}
			s.End(x)
		}
		_ = p.Close()
	}
}

// Functions beside Google's own tools go to a key where one is free; and nowhere else, where nothing of it may
// be left out.
func TestMixGoesToKeys(t *testing.T) {
	dir := t.TempDir()
	file := `{"refresh_token":"1//made-up","token":"ya29.made-up","expiry":"2100-01-01T00:00:00Z","project_id":"p-1","email":"a@example.com"}`
	if err := os.WriteFile(filepath.Join(dir, "a.json"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		whole bool
		keys  []string
		kinds string // of the calls, each rate limited
		code  apierror.Code
	}{
		"a preference":             {false, []string{"AIza-first"}, "gemini codeassist", ""},
		"a preference for nothing": {false, nil, "codeassist", ""},
		"a demand":                 {true, []string{"AIza-first"}, "gemini", apierror.RateLimited},
		"a demand for nothing":     {true, nil, "", apierror.BadRequest},
	} {
		p, err := pool.New(pool.Options{Dir: dir, OAuth: oauth.New(oauth.Options{Settings: func() oauth.Settings { return oauth.Settings{ClientID: "made-up", ClientSecret: "made-up"} }}),
			Settings: pool.Settings{APIKeys: c.keys, CallsPerRotation: 1}})
		if err != nil {
			t.Fatal(err)
		}
		x := exchange(context.Background())
		x.Model.Base = "gemini-3-flash-preview"
		x.Tools = &gemini.Tools{}
		x.Tools.Host(gemini.Search, "web_search_options")
		x.Mix = pipeline.Mix{Hosted: []string{gemini.Search}, Whole: c.whole}
		s := &stage{p}
		var kinds []string
		for range 2 {
			if s.Process(x) != pipeline.Next {
				break
			}
			kinds = append(kinds, x.Lease.Kind())
			x.Try()
			x.Report(said(429))
			if x.Advice().Again != pipeline.Other {
				break
			}
		}
		if strings.Join(kinds, " ") != c.kinds {
			t.Errorf("%s: called %q", name, kinds)
		}
		f := x.Reply.Err
		if c.code == apierror.BadRequest && (f == nil || f.Code != c.code || f.Status != 400 || f.Param != "web_search_options" || !strings.Contains(f.Message, "functions beside web_search_options")) {
			t.Errorf("%s: %+v", name, f)
		}
		s.End(x)
		_ = p.Close()
	}
}

// Only what lacks a key is put down to the cache: a key that rests says so in its own words.
func TestCachedContentWhenTheKeyRests(t *testing.T) {
	for _, c := range []struct {
		status  int
		code    apierror.Code
		blames  bool // the message says that a key is needed
		message string
	}{
		{429, apierror.RateLimited, false, "every credential is rate limited"},
		{403, apierror.NoCredential, true, "Google refuses every credential"},
	} {
		_, s := lender(t, "AIza-1")
		x := exchange(context.Background())
		x.Call, _ = gemini.NewCall([]byte(`{"cachedContent":"cachedContents/x"}`))
		s.Process(x)
		x.Try()
		x.Report(gemini.ParseError(c.status, "60", nil, time.Now()))
		s.Process(x)
		f := x.Reply.Err
		if f == nil || f.Code != c.code || f.RetryAfter == 0 || strings.HasPrefix(f.Message, "cachedContent") != c.blames || !strings.Contains(f.Message, c.message) {
			t.Errorf("%d: %+v", c.status, f)
		}
		s.End(x)
	}
}

// What the model that was asked before has tried says nothing of this one.
func TestTriesOfAnotherModelDoNotCount(t *testing.T) {
	_, s := lender(t, "AIza-1", "AIza-2")
	x := exchange(context.Background())
	x.Model.Base = "gemini-3.1-pro-preview"
	for range 2 {
		s.Process(x)
		x.Try()
		x.Report(said(429))
	}
	if v := s.Process(x); v == pipeline.Next && x.Lease != nil {
		x.Try()
		x.Report(said(429))
	}
	x.FallBack("gemini-2.5-pro")
	x.Model.Base = x.Fallback
	seen := map[string]bool{}
	for range 2 {
		if v := s.Process(x); v != pipeline.Next {
			t.Fatalf("verdict %v, %v", v, x.Reply.Err)
		}
		seen[x.Lease.ID()] = true
		x.Try()
		x.Report(said(429))
	}
	if len(seen) != 2 {
		t.Errorf("only %v were lent", seen)
	}
	s.End(x)
}

// Where nothing is lent, the pool says whether it might be for another model.
func TestWhetherAnotherModelMayBeServed(t *testing.T) {
	cached := `{"cachedContent":"cachedContents/x"}`
	account := `{"refresh_token":"1//made-up","token":"ya29.made-up","expiry":"2100-01-01T00:00:00Z","project_id":"p-1","email":"a@example.com"}`
	for _, c := range []struct {
		name, model, body string
		keys              []string
		account           bool
		fault             *apierror.Error // of every call before
		want              bool
	}{
		{"no credential", "gemini-2.5-pro", `{}`, nil, false, nil, false},
		{"none of a kind that serves it", "gemini-2.5-flash-image", `{}`, nil, true, nil, true},
		{"none for what is cached", "gemini-2.5-pro", cached, nil, true, nil, false},
		{"limited", "gemini-2.5-pro", `{}`, []string{"AIza-1"}, false, gemini.ParseError(429, "60", nil, time.Now()), true},
		{"not there", "gemini-2.5-pro", `{}`, []string{"AIza-1"}, false, gemini.ParseError(404, "", nil, time.Now()), true},
		{"refused", "gemini-2.5-pro", `{}`, []string{"AIza-1"}, false, gemini.ParseError(403, "", nil, time.Now()), false},
	} {
		dir := t.TempDir()
		if c.account {
			if err := os.WriteFile(filepath.Join(dir, "a.json"), []byte(account), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		p, err := pool.New(pool.Options{Dir: dir, OAuth: oauth.New(oauth.Options{Settings: func() oauth.Settings { return oauth.Settings{ClientID: "made-up", ClientSecret: "made-up"} }}),
			Settings: pool.Settings{APIKeys: c.keys}})
		if err != nil {
			t.Fatal(err)
		}
		s := &stage{p}
		first := exchange(context.Background())
		if first.Model.Base = c.model; c.fault != nil {
			s.Process(first)
			first.Try()
			first.Report(c.fault)
			s.End(first)
		}
		x := exchange(context.Background())
		x.Model.Base = c.model
		x.Call, _ = gemini.NewCall([]byte(c.body))
		if v := s.Process(x); v != pipeline.Respond || x.Lease != nil || x.Advice().Model != c.want {
			t.Errorf("%s: verdict %v, %v, advice %+v", c.name, v, x.Reply.Err, x.Advice())
		}
		s.End(x)
		_ = p.Close()
	}
}
