package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"gcli2api/pipeline/simulator"
)

// Somebody sends a link that they began to another person, who signs in on the machine of the gateway:
// the credential serves, but who sent the link gets no look at its tokens.
func TestTokensOfALinkThatWasSent(t *testing.T) {
	t.Parallel()
	sim := google(t, 0, 0)
	sim.AddAccount(simulator.Account{Email: "ann@example.com", Project: "own-ann"})
	g := signInGateway(t, sim)
	sender, victim := browse(t, g), browse(t, g)

	begun := sender.post("/auth/start", nil)
	victim.lands(begun.AuthURL, 200, "You have signed in")
	got := sender.post("/auth/callback", nil)
	if got.status != 200 || !got.secretless() || got.Email != "ann@example.com" || !strings.Contains(got.text, "another browser") {
		t.Errorf("landed: %d %s", got.status, got.text)
	}

	// The one pastes what the other has begun, and a project is missing: the first one goes on.
	sim.Script(simulator.Fault{Do: "403", Verb: "projects", Credential: "ann@example.com", Count: -1})
	sim.UpdateAccount("ann@example.com", func(a *simulator.Account) { a.NotOnboarded = true; a.Tier = "standard-tier" })
	begun = sender.post("/auth/start", map[string]any{"project_id": "foreign-1"})
	back := victim.comeBack(begun.AuthURL)
	if got = victim.post("/auth/callback-url", map[string]any{"callback_url": back}); got.status == 200 || !got.secretless() {
		t.Fatalf("a project of others: %d %s", got.status, got.text)
	}
	got = sender.post("/auth/callback", map[string]any{"state": begun.State, "project_id": "own-ann"})
	if got.status != 200 || !got.secretless() {
		t.Errorf("pasted by another: %d %s", got.status, got.text)
	}

	begun = sender.post("/auth/start", map[string]any{"project_id": "own-ann"})
	victim.lands(begun.AuthURL, 200, "You have signed in")
	got = victim.post("/auth/callback", map[string]any{"state": begun.State}, header("Authorization", "Bearer "+secret))
	if got.status != 200 || got.Credentials == nil {
		t.Errorf("the operator: %d %s", got.status, got.text)
	}
	g.quiet(t, begun.State)
}

// Pages of other sites begin and end nothing, also where the browser does not say what they are.
func TestPagesOfOtherSitesDoNotSignIn(t *testing.T) {
	t.Parallel()
	g := signInGateway(t, google(t, 1, 0))
	b := browse(t, g)
	for name, tt := range map[string]struct {
		headers map[string]string
		want    int
	}{
		"no browser":         {map[string]string{"Content-Type": "text/plain"}, 200},
		"own page":           {map[string]string{"Origin": "http://127.0.0.1:1", "Content-Type": "application/json; charset=utf-8", "Sec-Fetch-Site": "same-origin"}, 200},
		"says so":            {map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		"text":               {map[string]string{"Origin": "http://evil.example", "Content-Type": "text/plain"}, 403},
		"form":               {map[string]string{"Origin": "http://evil.example", "Content-Type": "application/x-www-form-urlencoded"}, 403},
		"no type":            {map[string]string{"Origin": "null", "Content-Type": ""}, 403},
		"a type in disguise": {map[string]string{"Origin": "http://evil.example", "Content-Type": "text/plain; application/json"}, 403},
	} {
		for _, path := range []string{"/auth/start", "/auth/callback", "/auth/callback-url"} {
			got := b.post(path, nil, func(req *http.Request) {
				req.Header.Del("Content-Type")
				for name, value := range tt.headers {
					req.Header.Set(name, value)
				}
				req.Header.Set("X-Forwarded-For", fmt.Sprintf("198.51.100.%d", len(name)))
			})
			if want := tt.want; got.status != want && (want == 403 || path == "/auth/start" || got.status == 403) {
				t.Errorf("%s, %s: %d %s", name, path, got.status, got.text)
			}
			if got.header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s, %s: any page may read the answer", name, path)
			}
		}
	}
}

// Limits go by what the proxy next to the gateway has seen: who writes a line of their own before
// stays who they are.
func TestLimitsHearTheProxyAlone(t *testing.T) {
	t.Parallel()
	g := signInGateway(t, google(t, 1, 0))
	b := browse(t, g)
	for i := range 4 {
		got := b.post("/auth/start", nil, func(req *http.Request) {
			req.Header.Add("X-Forwarded-For", fmt.Sprintf("203.0.113.%d", i))
			req.Header.Add("X-Forwarded-For", "198.51.100.7")
		})
		if want := map[bool]int{true: 200, false: 429}[i < 3]; got.status != want {
			t.Errorf("number %d: %d %s", i+1, got.status, got.text)
		}
	}
}

// Whoever begins and gives up, again and again, fills the store no further than others who fail.
func TestGivingUpIsLimited(t *testing.T) {
	t.Parallel()
	g := signInGateway(t, google(t, 1, 0))
	b := browse(t, g)
	for i := range 16 {
		begun := b.post("/auth/start", nil)
		if i >= 15 {
			if begun.status != 429 {
				t.Errorf("it goes on for ever: %d %s", begun.status, begun.text)
			}
			break
		}
		if begun.status != 200 {
			t.Fatalf("start %d: %d %s", i+1, begun.status, begun.text)
		}
		got := b.post("/auth/callback-url", map[string]any{"callback_url": "http://localhost/?error=access_denied&state=" + begun.State})
		if want := map[bool]int{true: 400, false: 429}[i < 12]; got.status != want {
			t.Errorf("number %d: %d %s", i+1, got.status, got.text)
		}
	}
}
