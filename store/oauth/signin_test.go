package oauth

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gcli2api/pipeline/simulator"
	"gcli2api/store"
	"gcli2api/store/embedded"
	"gcli2api/store/storetest"
)

func keptIn(t *testing.T) store.Store {
	t.Helper()
	db, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// returns signs in at Google without a browser.
func returns(t *testing.T, address string) Returned {
	t.Helper()
	h := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := h.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	r, fail := ParseReturned(resp.Header.Get("Location"))
	if fail != nil {
		t.Fatalf("%d %v", resp.StatusCode, fail)
	}
	return r
}

// signIns are sign-ins with a simulated Google.
func signIns(t *testing.T, kept store.Store) (*simulator.Server, *SignIns) {
	t.Helper()
	sim, c := google(t, simulator.Options{})
	sim.AddAccount(simulator.Account{Email: "anna@example.com"})
	settings := c.o.Settings
	c.o.Settings = func() Settings {
		s := settings()
		s.Endpoints.OAuthAuth, s.Endpoints.Metadata = sim.URL()+"/o/oauth2/v2/auth", ""
		return s
	}
	return sim, NewSignIns(SignInOptions{Client: c, Store: kept})
}

func TestAuthURL(t *testing.T) {
	_, s := signIns(t, keptIn(t))
	got, fail := s.Start(t.Context(), Begin{From: "a", Redirect: "http://localhost:1/oauth2callback", Hint: "anna@example.com"})
	if fail != nil {
		t.Fatal(fail)
	}
	for _, tt := range []struct{ address, redirect string }{{got.AuthURL, "http://localhost:1/oauth2callback"}, {got.CodeURL, CodePage}} {
		u, err := url.Parse(tt.address)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		for name, want := range map[string]string{"redirect_uri": tt.redirect, "response_type": "code", "access_type": "offline", "prompt": "consent",
			"code_challenge_method": "S256", "state": got.State, "client_id": simulator.ClientID, "login_hint": "anna@example.com"} {
			if q.Get(name) != want {
				t.Errorf("%s is %q", name, q.Get(name))
			}
		}
		if len(q.Get("code_challenge")) != 43 || len(strings.Fields(q.Get("scope"))) != 3 || strings.Contains(tt.address, got.Owner) {
			t.Errorf("%s", tt.address)
		}
	}
	if len(got.State) != 43 || got.State == got.Owner { // 32 bytes
		t.Errorf("state %q", got.State)
	}
}

// Two nodes share a store: one begins, the browser comes back to the other while the first one waits,
// and the second ends it.
func TestSignInOnTwoNodes(t *testing.T) {
	kept := keptIn(t)
	_, a := signIns(t, kept)
	b := NewSignIns(SignInOptions{Client: a.c, Store: kept})
	got, fail := a.Start(t.Context(), Begin{From: "x", Redirect: "http://localhost:1/oauth2callback"})
	if fail != nil {
		t.Fatal(fail)
	}
	waited := make(chan *SignInError)
	go func() { waited <- a.Wait(t.Context(), got.State) }()
	r := returns(t, got.AuthURL)
	if fail := b.Land(t.Context(), r, ""); fail != nil {
		t.Fatal(fail)
	}
	if fail := <-waited; fail != nil {
		t.Fatal(fail)
	}
	var all sync.WaitGroup
	won := make(chan SignedIn, 8)
	for i := range 8 { // whoever comes first, and nobody else
		all.Go(func() {
			s := []*SignIns{a, b}[i%2]
			done, fail := s.Complete(t.Context(), Completion{Returned: Returned{State: got.State}, From: "x",
				Import: func(name string, data []byte) (string, error) { return name, nil }})
			if fail == nil {
				won <- done
			} else if fail.Status != http.StatusConflict && fail.Status != http.StatusBadRequest {
				t.Error(fail)
			}
		})
	}
	all.Wait()
	close(won)
	n := 0
	for done := range won {
		n++
		if done.Email != "anna@example.com" || done.Project != "sim-anna" {
			t.Errorf("%+v", done)
		}
	}
	if n != 1 {
		t.Errorf("%d have ended it", n)
	}
}

// Nobody can wait so often for one sign-in that others could not, and a wait ends with its time.
func TestWaitIsLimited(t *testing.T) {
	_, s := signIns(t, keptIn(t))
	var states []string
	for _, from := range []string{"x", "y"} {
		got, fail := s.Start(t.Context(), Begin{From: from, Redirect: "http://localhost:1/oauth2callback"})
		if fail != nil {
			t.Fatal(fail)
		}
		states = append(states, got.State)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan *SignInError, 9)
	for range 9 {
		go func() { ended <- s.Wait(ctx, states[0]) }()
	}
	for range 9 - waitersOfOne {
		if fail := <-ended; fail == nil || fail.Status != 429 || fail.RetryAfter == 0 {
			t.Errorf("%v", fail)
		}
	}
	go func() { ended <- s.Wait(ctx, states[1]) }()
	cancel()
	for range waitersOfOne + 1 {
		if fail := <-ended; fail == nil || fail.Status != 400 && fail.Status != 503 {
			t.Errorf("%v", fail)
		}
	}
	if len(s.waiting.by) != 0 {
		t.Errorf("%v", s.waiting.by)
	}
}

// What is over after ten minutes is as foreign as what never was, and its places are free again.
func TestSignInExpires(t *testing.T) {
	var later atomic.Int64
	clock := func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	db, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "db"), Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_, s := signIns(t, db)
	s.c.o.Now = clock
	var states []string
	for range openByOne {
		got, fail := s.Start(t.Context(), Begin{From: "x", Redirect: "http://localhost:1/oauth2callback"})
		if fail != nil {
			t.Fatal(fail)
		}
		states = append(states, got.State)
	}
	later.Store(int64(signInLife - time.Minute))
	if _, fail := s.Start(t.Context(), Begin{From: "x"}); fail == nil || fail.Status != 429 || fail.RetryAfter > time.Minute || fail.RetryAfter < 30*time.Second {
		t.Fatalf("%+v", fail)
	}
	later.Store(int64(signInLife + time.Second))
	for _, state := range append(states, "foreign") {
		if fail := s.Land(t.Context(), Returned{State: state, Code: "4/0x"}, ""); fail == nil || fail.Status != 400 || !strings.Contains(fail.Says, "ten minutes") {
			t.Errorf("%v", fail)
		}
	}
	if _, fail := s.Start(t.Context(), Begin{From: "x"}); fail != nil {
		t.Errorf("its place is not free: %v", fail)
	}
}

func TestExchangeErrors(t *testing.T) {
	for body, tt := range map[string]struct {
		status int
		says   string
		want   int
	}{
		`{"error":"invalid_grant","error_description":"MALFORMED WORDS"}`:   {400, "used already, has expired or is not whole", 400},
		`{"error":"redirect_uri_mismatch","error_description":"MALFORMED"}`: {400, "redirect_uri_mismatch", 400},
		`{"error":"invalid_client","error_description":"MALFORMED"}`:        {401, "do not belong together", 400},
		`{"error":"internal_failure","error_description":"MALFORMED"}`:      {500, "try again", 502},
		`{"error":"\u003cscript\u003e'\"","error_description":"MALFORMED"}`: {400, "refuses the code (script)", 400},
		`<html>MALFORMED</html>`:                                                           {403, "try again", 502},
		`{"access_token":"ya29.x","expires_in":10}`:                                        {200, "no refresh token", 400},
		`{"access_token":"ya29.x","refresh_token":"1//x","scope":"openid"}`:                {200, "was not ticked", 400},
		`{"access_token":"","MALFORMED":1}`:                                                {200, "try again", 502},
		`{"access_token":"ya29.x","refresh_token":"1//x","scope":"` + cloudScope + `-no"}`: {200, "was not ticked", 400},
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(tt.status)
			_, _ = w.Write([]byte(body))
		}))
		s := NewSignIns(SignInOptions{Client: at(t, srv.URL)})
		_, _, fail := s.exchange(t.Context(), &flow{ClientID: simulator.ClientID, Verifier: "v"}, "4/0x", "http://localhost:1/")
		if fail == nil || fail.Status != tt.want || !strings.Contains(fail.Says, tt.says) || strings.Contains(fail.Says, "MALFORMED") || strings.Contains(fail.Says, "ya29") {
			t.Errorf("%s: %v", body, fail)
		}
		srv.Close()
	}
}

// A code belongs to the client that the sign-in was begun with: another one's secret is not sent along with it.
func TestExchangeWithAnotherClient(t *testing.T) {
	sim, s := signIns(t, keptIn(t))
	_, again, fail := s.exchange(t.Context(), &flow{ClientID: "another.apps.googleusercontent.com", Verifier: "v"}, "4/0x", "http://localhost:1/")
	if fail == nil || again || fail.Status != 400 || !strings.Contains(fail.Says, "OAUTH_CLIENT_ID was changed") {
		t.Errorf("%v", fail)
	}
	if n := len(sim.CallsOf("token")); n != 0 {
		t.Errorf("%d exchanges", n)
	}
}

// A store that fails is said, and a code is not spent on it.
func TestSignInWithoutAStore(t *testing.T) {
	kept := &storetest.Flaky{Store: keptIn(t)}
	sim, s := signIns(t, kept)
	got, fail := s.Start(t.Context(), Begin{From: "x", Redirect: "http://localhost:1/oauth2callback"})
	if fail != nil {
		t.Fatal(fail)
	}
	r := returns(t, got.AuthURL)
	in := Completion{Returned: r, From: "x", Import: func(name string, _ []byte) (string, error) { return name, nil }}
	kept.Break(storetest.Fault{Err: errors.New("hunter2 is down")})
	for name, fail := range map[string]*SignInError{
		"start": second(s.Start(t.Context(), Begin{From: "y"})), "land": s.Land(t.Context(), r, ""), "wait": s.Wait(t.Context(), r.State),
		"complete": second(s.Complete(t.Context(), in)),
	} {
		if fail == nil || fail.Status != http.StatusServiceUnavailable || strings.Contains(fail.Says, "hunter2") {
			t.Errorf("%s: %v", name, fail)
		}
	}
	kept.Heal()
	if done, fail := s.Complete(t.Context(), in); fail != nil || done.File == "" {
		t.Errorf("afterwards: %v", fail)
	}
	if n := len(sim.CallsOf("token")); n != 1 {
		t.Errorf("%d exchanges", n)
	}
}

func second[T any](_ T, fail *SignInError) *SignInError { return fail }

func TestFileNames(t *testing.T) {
	var n names
	at, seen := time.Unix(1764580000, 0), map[string]bool{}
	for _, project := range []string{"p-1", "p-1", "example.com:p", "../../etc/passwd", ".hidden", strings.Repeat("x", 500), ""} {
		name := n.of(project, at)
		if seen[name] || strings.ContainsAny(name, "/\\:") || name[0] == '.' || len(name) > 200 || !strings.HasSuffix(name, ".json") {
			t.Errorf("%q is called %q", project, name)
		}
		seen[name] = true
	}
	if !seen["p-1-1764580000.json"] {
		t.Errorf("%v", seen)
	}
}

func FuzzParseReturned(f *testing.F) {
	for _, seed := range []string{"http://localhost:1/oauth2callback?state=s&code=4%2F0x&scope=a", "https://codeassist.google.com/authcode?code=1&state=2",
		"http://localhost/?error=access_denied&state=s", "http://[::1", "4/0x", "http://h/?code=%zz&state=a", "http://h/?code=a;state=b", "http://h/?state=a&code=\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, fail := ParseReturned(text)
		if fail != nil {
			if fail.Status != 400 || fail.Says == "" {
				t.Errorf("%+v", fail)
			}
			return
		}
		if r.State == "" || r.Code == "" && r.Denied == "" || strings.ContainsAny(r.Code, " \n\x00") || word(r.Denied) != r.Denied ||
			r.CodePage && !strings.Contains(text, "codeassist.google.com") {
			t.Errorf("%q is %+v", text, r)
		}
	})
}
