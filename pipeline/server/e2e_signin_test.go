package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gcli2api/pipeline/simulator"
)

// signInGateway is a gateway without credentials that lets people sign in.
func signInGateway(t *testing.T, sim *simulator.Server, change ...func(*launch)) *gateway {
	t.Helper()
	l := launch{sim: sim, env: map[string]string{"OAUTH_CLIENT_ID": simulator.ClientID, "OAUTH_CLIENT_SECRET": simulator.ClientSecret,
		"OAUTH_AUTH_URL": sim.URL() + "/o/oauth2/v2/auth"}}
	for _, f := range change {
		f(&l)
	}
	return start(t, l)
}

// setenv sets a variable of the gateway.
func setenv(name, value string) func(*launch) { return func(l *launch) { l.env[name] = value } }

// browser is somebody at a browser of their own: cookies are kept, redirects followed.
type browser struct {
	t    *testing.T
	g    *gateway
	http *http.Client
	host string // the name that the gateway is called by, "" for its address
}

func browse(t *testing.T, g *gateway) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t: t, g: g, http: &http.Client{Jar: jar, Timeout: 90 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}}
}

// visit opens an address and gives the page that it ends on, and where that is.
func (b *browser) visit(address string) (reply, *url.URL) {
	b.t.Helper()
	resp, err := b.http.Get(address)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	return reply{status: resp.StatusCode, header: resp.Header, body: []byte(readAll(b.t, resp.Body))}, resp.Request.URL
}

// comeBack signs in at Google and gives the address that the browser is sent back to, without going there.
func (b *browser) comeBack(address string) string {
	b.t.Helper()
	resp, err := client.Get(address)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 302 {
		b.t.Fatalf("the consent page: %d %s", resp.StatusCode, readAll(b.t, resp.Body))
	}
	return resp.Header.Get("Location")
}

// post asks the gateway without any password.
func (b *browser) post(path string, body map[string]any, change ...func(*http.Request)) signedIn {
	b.t.Helper()
	data, _ := json.Marshal(body)
	req := b.g.request("POST", path, string(data), append([]func(*http.Request){header("Authorization")}, change...)...)
	if b.host != "" {
		req.Host = b.host
	}
	resp, err := b.http.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	out := signedIn{status: resp.StatusCode, header: resp.Header, text: readAll(b.t, resp.Body)}
	if err := json.Unmarshal([]byte(out.text), &out); err != nil {
		b.t.Errorf("%s: %v in %s", path, err, out.text)
	}
	return out
}

// signedIn is any answer of the sign-in routes.
type signedIn struct {
	status int
	header http.Header
	text   string

	Notice   string
	AuthURL  string `json:"auth_url"`
	CodeURL  string `json:"code_page_url"`
	State    string
	Redirect string  `json:"redirect_uri"`
	Port     int     `json:"callback_port"`
	Auto     bool    `json:"auto_project_detection"`
	Detected *string `json:"detected_project_id"`

	Credentials *struct {
		Token        string
		RefreshToken string `json:"refresh_token"`
		Project      string `json:"project_id"`
		ClientSecret string `json:"client_secret"`
		Expiry       string
	}
	File      string `json:"file_path"`
	Project   string `json:"project_id"`
	Email     string `json:"user_email"`
	AutoFound bool   `json:"auto_detected_project"`

	Detail, Error string
	Manual        bool                                          `json:"requires_manual_project_id"`
	Select        bool                                          `json:"requires_project_selection"`
	Link          string                                        `json:"validation_url"`
	Available     []struct{ ProjectID string }                  `json:"available_projects"`
	Multiple      struct{ Success, Failed []map[string]string } `json:"multiple_credentials"`
}

// secretless tells that an answer holds no token.
func (s signedIn) secretless() bool {
	return s.Credentials == nil && !strings.Contains(s.text, "1//") && !strings.Contains(s.text, "ya29.") && !strings.Contains(s.text, simulator.ClientSecret)
}

// quiet checks that nothing of a sign-in is in any log.
func (g *gateway) quiet(t *testing.T, secrets ...string) {
	t.Helper()
	for _, secret := range append(secrets, "4/0sim", "4%2F0sim", "1//0sim", "ya29.sim", simulator.ClientSecret, "code=4", "state=") {
		if said := g.stdout.String() + g.stderr.String() + g.read("gateway.log"); secret != "" && strings.Contains(said, secret) {
			t.Errorf("a log holds %q", secret)
		}
	}
}

// TestSignIn walks all ways from a link to a credential that serves.
func TestSignIn(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		port bool   // OAUTH_CALLBACK_PORT is set
		host string // the name that the gateway is called by
		back string // the address that Google sends the browser to, PORT for the gateway's, SECOND for the other one
		walk func(b *browser, begun signedIn) signedIn
	}{
		"own port, cookie alone": {back: "http://127.0.0.1:PORT/oauth2callback", walk: func(b *browser, begun signedIn) signedIn {
			b.lands(begun.AuthURL, 200, "You have signed in")
			b.lands(begun.AuthURL, 400, "come back already") // consent once more: the first one counts
			return b.post("/auth/callback", nil)
		}},
		"own port, waiting meanwhile": {back: "http://127.0.0.1:PORT/oauth2callback", walk: func(b *browser, begun signedIn) signedIn {
			got := make(chan signedIn)
			go func() { got <- b.post("/auth/callback", map[string]any{"state": begun.State}) }()
			b.lands(begun.AuthURL, 200, "登录已完成")
			return <-got
		}},
		"by the name localhost": {host: "localhost:PORT", back: "http://localhost:PORT/oauth2callback", walk: func(b *browser, begun signedIn) signedIn {
			return b.post("/auth/callback-url", map[string]any{"callback_url": b.comeBack(begun.AuthURL)})
		}},
		"second port": {port: true, back: "http://127.0.0.1:SECOND/oauth2callback", walk: func(b *browser, begun signedIn) signedIn {
			b.lands(begun.AuthURL, 200, "You have signed in")
			return b.post("/auth/callback", map[string]any{})
		}},
		"pasted": {host: "gateway.example", back: "http://localhost:PORT/oauth2callback", walk: func(b *browser, begun signedIn) signedIn {
			return b.post("/auth/callback-url", map[string]any{"callback_url": " " + b.comeBack(begun.AuthURL) + "\n"})
		}},
		"code page": {host: "gateway.example", back: "http://localhost:PORT/oauth2callback", walk: func(b *browser, begun signedIn) signedIn {
			page, _ := b.visit(begun.CodeURL)
			code := regexp.MustCompile(`<code>(.*)</code>`).FindSubmatch(page.body)
			if code == nil {
				b.t.Fatalf("the code page: %s", page.body)
			}
			return b.post("/auth/callback-url", map[string]any{"code": " " + string(code[1]) + "\n", "state": begun.State})
		}},
		"code page, its address": {back: "http://127.0.0.1:PORT/oauth2callback", walk: func(b *browser, begun signedIn) signedIn {
			back, _ := url.Parse(b.comeBack(begun.CodeURL))
			return b.post("/auth/callback-url", map[string]any{"callback_url": "https://codeassist.google.com/authcode?" + back.RawQuery})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim := google(t, 0, 0)
			a := sim.AddAccount(simulator.Account{Email: "ann@example.com"})
			var g *gateway
			second := ""
			if tt.port {
				g, second = secondPort(t, sim)
			} else {
				g = signInGateway(t, sim)
			}
			b, ports := browse(t, g), strings.NewReplacer("PORT", strconv.Itoa(g.port), "SECOND", second)
			b.host = ports.Replace(tt.host)
			begun := b.post("/auth/start", map[string]any{})
			back := ports.Replace(tt.back)
			if begun.status != 200 || begun.Redirect != back || !strings.HasSuffix(back, fmt.Sprintf(":%d/oauth2callback", begun.Port)) || !begun.Auto || begun.Detected != nil {
				t.Fatalf("start: %d %s", begun.status, begun.text)
			}
			if strings.Index(begun.text, "breaches Google's terms") > strings.Index(begun.text, "auth_url") || begun.Notice == "" {
				t.Errorf("the terms do not stand before the link: %s", begun.text)
			}
			if !strings.Contains(begun.text, begun.AuthURL) {
				t.Errorf("the link cannot be copied out of %s", begun.text)
			}
			got := tt.walk(b, begun)
			if got.status != 200 || got.Credentials == nil || got.Credentials.RefreshToken != a.RefreshToken || got.Credentials.Project != a.Project ||
				got.Project != a.Project || got.Email != a.Email || !got.AutoFound || !strings.HasPrefix(got.File, a.Project+"-") {
				t.Fatalf("%d %s", got.status, got.text)
			}
			if got.Credentials.ClientSecret != "" || got.Credentials.Token == "" || got.Credentials.Expiry == "" {
				t.Errorf("an operator's own client for a visitor: %s", got.text)
			}
			if file := g.read(filepath.Join("creds", got.File)); !strings.Contains(file, simulator.ClientSecret) || !strings.Contains(file, a.RefreshToken) || strings.Contains(file, "ya29.") {
				t.Errorf("the file is %s", file)
			}
			if r := g.put(ask{}, "hello"); r.status != 200 {
				t.Errorf("it does not serve: %d %s", r.status, r.body)
			}
			g.quiet(t, begun.State)
			for _, again := range []string{"/auth/callback", "/auth/callback-url"} {
				used := b.post(again, map[string]any{"state": begun.State, "code": "4/0again", "callback_url": "http://localhost/?code=1&state=" + begun.State})
				if used.status != 400 || !strings.Contains(used.Detail, "used already") {
					t.Errorf("%s a second time: %d %s", again, used.status, used.text)
				}
			}
		})
	}
}

// secondPort is a gateway with a listener for sign-ins. Its port was free a moment before; where another
// test was faster the gateway says so, and it is tried again.
func secondPort(t *testing.T, sim *simulator.Server) (g *gateway, port string) {
	t.Helper()
	for range 5 {
		port = strconv.Itoa(freePort(t))
		g = signInGateway(t, sim, setenv("OAUTH_CALLBACK_PORT", port))
		if !strings.Contains(g.stdout.String(), noSecondPort) {
			return g, port
		}
	}
	t.Fatal("no port is free for long enough")
	return nil, ""
}

const noSecondPort = "OAUTH_CALLBACK_PORT cannot be taken"

// lands signs in and follows the browser to the page of the gateway.
func (b *browser) lands(address string, status int, says string) {
	b.t.Helper()
	page, at := b.visit(address)
	if page.status != status || !strings.Contains(string(page.body), says) || at.Path != "/oauth2callback" {
		b.t.Errorf("the browser ends on %s with %d %s", at.Path, page.status, page.body)
	}
	csp := page.header.Get("Content-Security-Policy")
	if !strings.Contains(csp, "default-src 'none'") || page.header.Get("Referrer-Policy") != "no-referrer" || page.header.Get("Cache-Control") != "no-store" ||
		strings.Contains(string(page.body), "<script") || !strings.HasPrefix(page.header.Get("Content-Type"), "text/html") {
		b.t.Errorf("the page: %v %s", page.header, page.body)
	}
}

// Two people sign in at the same time: each gets their own credential, and neither a look at the other's.
func TestTwoVisitorsSignIn(t *testing.T) {
	t.Parallel()
	sim := google(t, 2, 0)
	g := signInGateway(t, sim)
	var all sync.WaitGroup
	for i := range 2 {
		email := fmt.Sprintf("ann%d@example.com", i)
		all.Go(func() {
			b := browse(t, g)
			begun := b.post("/auth/start", map[string]any{"login_hint": email})
			var mine sync.WaitGroup
			mine.Go(func() {
				if got := b.post("/auth/callback", map[string]any{}); got.status != 200 || got.Email != email || got.Credentials == nil {
					t.Errorf("%s gets %d %s", email, got.status, got.text)
				}
			})
			b.visit(begun.AuthURL)
			mine.Wait()
		})
	}
	all.Wait()
	starter, other := browse(t, g), browse(t, g)
	begun := starter.post("/auth/start", map[string]any{})
	for _, tt := range []struct {
		body map[string]any
		with func(*http.Request)
	}{
		{nil, header("X")}, {map[string]any{"state": ""}, header("X")}, {map[string]any{"state": "x"}, header("X")},
		{nil, header("Cookie", "gcli2api_signin_00=x.y; gcli2api_signin_=.")}, {map[string]any{"state": strings.Repeat("s", 4000)}, header("X")},
	} {
		if got := other.post("/auth/callback", tt.body, tt.with); got.status != 400 || !got.secretless() {
			t.Errorf("a stranger with %v: %d %s", tt.body, got.status, got.text)
		}
	}
	back := starter.comeBack(begun.AuthURL)
	got := other.post("/auth/callback-url", map[string]any{"callback_url": back})
	if got.status != 200 || !got.secretless() || got.Project == "" || got.File == "" || got.Email != "ann0@example.com" {
		t.Errorf("another browser completes it: %d %s", got.status, got.text)
	}
	if late := starter.post("/auth/callback", nil); late.status != 400 || !late.secretless() {
		t.Errorf("the starter afterwards: %d %s", late.status, late.text)
	}
	// The operator gets it as well, whoever began it.
	begun = starter.post("/auth/start", map[string]any{})
	got = other.post("/auth/callback-url", map[string]any{"callback_url": starter.comeBack(begun.AuthURL)}, header("Authorization", "Bearer "+secret))
	if got.status != 200 || got.Credentials == nil || got.Credentials.ClientSecret != simulator.ClientSecret {
		t.Errorf("the operator: %d %s", got.status, got.text)
	}
}

// A restart between the link and the return loses nothing, whoever has begun is still known.
func TestSignInOutlivesARestart(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	g := signInGateway(t, sim)
	b := browse(t, g)
	begun := b.post("/auth/start", map[string]any{"project_id": "sim-ann0"})
	landed := b.post("/auth/start", map[string]any{})
	b.lands(landed.AuthURL, 200, "You have signed in")
	g.signal(syscall.SIGTERM)
	g.exits()
	next := signInGateway(t, sim, func(l *launch) { l.dir = g.dir })
	b.g = next
	status := func(want string) {
		t.Helper()
		if r := next.get("/auth/status/sim-ann0"); r.status != 200 || !strings.Contains(string(r.body), `"status":"`+want+`"`) {
			t.Errorf("status: %d %s", r.status, r.body)
		}
	}
	status("pending")
	if got := b.post("/auth/callback", map[string]any{"state": landed.State}); got.status != 200 || got.Credentials == nil {
		t.Errorf("what came back before: %d %s", got.status, got.text)
	}
	if got := b.post("/auth/callback-url", map[string]any{"callback_url": b.comeBack(begun.AuthURL)}); got.status != 200 || got.Credentials == nil || got.AutoFound {
		t.Errorf("%d %s", got.status, got.text)
	}
	status("completed")
	if r := next.get("/auth/status/other"); string(r.body) != `{"status":"not_found"}` {
		t.Errorf("a project that nobody named: %s", r.body)
	}
	if r := next.get("/auth/status/sim-ann0", header("Authorization")); r.status != 401 {
		t.Errorf("anybody: %d", r.status)
	}
}

// Three sign-ins an address and twenty in all: then nobody more, and nobody less.
func TestSignInLimits(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	g := signInGateway(t, sim)
	b := browse(t, g)
	from := func(n int) func(*http.Request) {
		return header("X-Forwarded-For", fmt.Sprintf("203.0.113.9, 198.51.100.%d", n))
	}
	first := b.post("/auth/start", nil, from(0))
	for i := 1; i < 20; i++ {
		if i == 3 {
			full := b.post("/auth/start", nil, from(0))
			wait, _ := strconv.Atoi(full.header.Get("Retry-After"))
			if full.status != 429 || wait < 500 || wait > 600 || full.Detail == "" {
				t.Errorf("the fourth of an address: %d after %d s: %s", full.status, wait, full.text)
			}
		}
		if got := b.post("/auth/start", nil, from(i/3)); got.status != 200 {
			t.Fatalf("number %d: %d %s", i, got.status, got.text)
		}
	}
	if full := b.post("/auth/start", nil, from(99)); full.status != 429 || full.header.Get("Retry-After") == "" {
		t.Errorf("number 21: %d %s", full.status, full.text)
	}
	if got := b.post("/auth/callback-url", map[string]any{"callback_url": b.comeBack(first.AuthURL)}); got.status != 200 {
		t.Errorf("the first was put out: %d %s", got.status, got.text)
	}
	if got := b.post("/auth/start", nil, from(99)); got.status != 200 {
		t.Errorf("one has ended: %d %s", got.status, got.text)
	}
}

// TestSignInFails is what people are told.
func TestSignInFails(t *testing.T) {
	t.Parallel()
	sim := google(t, 0, 0)
	sim.AddAccount(simulator.Account{Email: "denies@example.com", DenySignIn: "access_denied"})
	sim.AddAccount(simulator.Account{Email: "unticks@example.com", Unticked: "https://www.googleapis.com/auth/cloud-platform"})
	sim.AddAccount(simulator.Account{Email: "no-refresh@example.com", NoRefresh: true})
	sim.AddAccount(simulator.Account{Email: "person@example.com", Tier: "free-tier", NotOnboarded: true,
		Ineligible: []simulator.Ineligible{{ReasonCode: "UNSUPPORTED_CLIENT", ReasonMessage: "GOOGLES-OWN-WORDS", TierID: "free-tier"}}})
	sim.AddAccount(simulator.Account{Email: "young@example.com", Tier: "free-tier", NotOnboarded: true,
		Ineligible: []simulator.Ineligible{{ReasonCode: "RESTRICTED_AGE", TierID: "free-tier"}}})
	sim.AddAccount(simulator.Account{Email: "verifies@example.com", Tier: "free-tier", NotOnboarded: true,
		Ineligible: []simulator.Ineligible{{ReasonCode: "VALIDATION_REQUIRED", TierID: "free-tier", ValidationURL: "https://accounts.google.com/verify?x=1"}}})
	sim.AddAccount(simulator.Account{Email: "secret@example.com", ClientSecret: "another"})
	g := signInGateway(t, sim)
	for who, tt := range map[string]struct {
		status int
		says   string
		manual bool
		link   string
	}{
		"denies":     {400, "access_denied", false, ""},
		"unticks":    {400, "cloud-platform", false, ""},
		"no-refresh": {400, "no refresh token", false, ""},
		"person":     {400, "does not serve individuals through this sign-in any more", true, ""},
		"young":      {400, "too young (RESTRICTED_AGE)", false, ""},
		"verifies":   {400, "has to be verified", false, "https://accounts.google.com/verify?x=1"},
		"secret":     {400, "invalid_client", false, ""},
	} {
		b := browse(t, g)
		own := header("X-Forwarded-For", "198.51.100."+strconv.Itoa(len(who)*7+int(who[0])%7)) // an address each
		begun := b.post("/auth/start", map[string]any{"login_hint": who + "@example.com"}, own)
		back := b.comeBack(begun.AuthURL)
		got := b.post("/auth/callback-url", map[string]any{"callback_url": back}, own)
		if got.status != tt.status || !strings.Contains(got.Detail+got.Error, tt.says) || got.Manual != tt.manual || got.Link != tt.link ||
			!got.secretless() || strings.Contains(got.text, "GOOGLES-OWN-WORDS") || strings.Contains(got.text, "folder") {
			t.Errorf("%s: %d %s", who, got.status, got.text)
		}
	}
	if left, err := os.ReadDir(filepath.Join(g.dir, "creds")); err != nil || strings.Contains(fmt.Sprint(left), ".json") {
		t.Errorf("files: %v %v", left, err)
	}
	b := browse(t, g)
	begun := b.post("/auth/start", map[string]any{"login_hint": "denies@example.com"})
	b.lands(begun.AuthURL, 400, "access was not granted")
	if got := b.post("/auth/callback", nil); got.status != 400 || !strings.Contains(got.Detail, "access_denied") {
		t.Errorf("waiting for a refusal: %d %s", got.status, got.text)
	}
	g.quiet(t)
}

// What is missing can be handed in with the same state: another project, a choice, a verification that
// has been done, a token endpoint that answers again.
func TestSignInGoesOn(t *testing.T) {
	t.Parallel()
	sim := google(t, 0, 0)
	sim.AddAccount(simulator.Account{Email: "hidden@example.com", Project: "own-hidden"})
	sim.AddAccount(simulator.Account{Email: "several@example.com", Project: "own-one", Projects: []simulator.Project{{ID: "own-two", Name: "Two", Number: "2", State: "ACTIVE"}}})
	sim.AddAccount(simulator.Account{Email: "verifies@example.com", Tier: "free-tier", NotOnboarded: true,
		Ineligible: []simulator.Ineligible{{ReasonCode: "VALIDATION_REQUIRED", TierID: "free-tier", ValidationURL: "https://accounts.google.com/verify"}}})
	g := signInGateway(t, sim)
	b := browse(t, g)

	sim.Script(simulator.Fault{Do: "403", Verb: "projects", Credential: "hidden@example.com", Count: -1})
	begun := b.post("/auth/start", map[string]any{"login_hint": "hidden@example.com"})
	got := b.post("/auth/callback-url", map[string]any{"callback_url": b.comeBack(begun.AuthURL)})
	if got.status != 400 || !got.Manual || got.Error == "" || got.State != begun.State {
		t.Errorf("no project: %d %s", got.status, got.text)
	}
	for _, project := range []string{"123456", "no such/project", "foreign"} {
		if got = b.post("/auth/callback", map[string]any{"state": begun.State, "project_id": project}); got.status != 400 || !got.secretless() {
			t.Errorf("project %q: %d %s", project, got.status, got.text)
		}
	}
	got = b.post("/auth/callback", map[string]any{"state": begun.State, "project_id": "own-hidden"})
	if got.status != 200 || got.Project != "own-hidden" || got.AutoFound || got.Credentials == nil {
		t.Errorf("named by hand: %d %s", got.status, got.text)
	}

	begun = b.post("/auth/start", map[string]any{"login_hint": "several@example.com"})
	b.lands(begun.AuthURL, 200, "You have signed in")
	got = b.post("/auth/callback", nil)
	if got.status != 400 || !got.Select || len(got.Available) != 2 || got.Available[0].ProjectID == "" {
		t.Errorf("a choice: %d %s", got.status, got.text)
	}
	if got = b.post("/auth/callback", map[string]any{"project_id": "own-two"}); got.status != 200 || got.Project != "own-two" {
		t.Errorf("chosen: %d %s", got.status, got.text)
	}

	begun = b.post("/auth/start", map[string]any{"login_hint": "several@example.com"}) // pasted, the first one is taken
	if got = b.post("/auth/callback-url", map[string]any{"callback_url": b.comeBack(begun.AuthURL)}); got.status != 200 || got.Project != "own-one" {
		t.Errorf("not asked: %d %s", got.status, got.text)
	}

	begun = b.post("/auth/start", map[string]any{"login_hint": "verifies@example.com"})
	back := b.comeBack(begun.AuthURL)
	sim.Script(simulator.Fault{Do: "503", Verb: "token", Credential: "verifies@example.com"})
	if got = b.post("/auth/callback-url", map[string]any{"callback_url": back}); got.status != 502 {
		t.Errorf("the token endpoint is out of order: %d %s", got.status, got.text)
	}
	if got = b.post("/auth/callback-url", map[string]any{"callback_url": back}); got.status != 400 || got.Link == "" {
		t.Errorf("to be verified: %d %s", got.status, got.text)
	}
	sim.UpdateAccount("verifies@example.com", func(a *simulator.Account) { a.Ineligible = nil })
	if got = b.post("/auth/callback", map[string]any{"state": begun.State}); got.status != 200 || got.Email != "verifies@example.com" {
		t.Errorf("verified: %d %s", got.status, got.text)
	}
}

// One sign-in makes a credential of each project that the account sees.
func TestSignInForAllProjects(t *testing.T) {
	t.Parallel()
	sim := google(t, 0, 0)
	a := simulator.Account{Email: "many@example.com", Project: "own-00", APIDisabled: true}
	for i := 1; i < 12; i++ {
		a.Projects = append(a.Projects, simulator.Project{ID: fmt.Sprintf("own-%02d", i), Name: fmt.Sprint("No ", i), Number: fmt.Sprint(i), State: "ACTIVE"})
	}
	sim.AddAccount(a)
	g := signInGateway(t, sim)
	b := browse(t, g)
	begun := b.post("/auth/start", map[string]any{"get_all_projects": true})
	got := b.post("/auth/callback-url", map[string]any{"callback_url": b.comeBack(begun.AuthURL)})
	if got.status != 200 || len(got.Multiple.Success) != 12 || len(got.Multiple.Failed) != 0 || !got.secretless() {
		t.Fatalf("%d %s", got.status, got.text)
	}
	files := map[string]bool{}
	for _, p := range got.Multiple.Success {
		files[p["file_path"]] = true
		if !strings.HasPrefix(p["file_path"], p["project_id"]+"-") || !strings.Contains(g.read(filepath.Join("creds", p["file_path"])), `"`+p["project_id"]+`"`) {
			t.Errorf("%v", p)
		}
	}
	if len(files) != 12 || len(sim.CallsOf("enable")) != 24 { // two services each
		t.Errorf("%d files, %d services enabled", len(files), len(sim.CallsOf("enable")))
	}
	if r := g.put(ask{}, "hello"); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
}

// Projects that Google does not serve cost the other one nothing.
func TestSignInForMostProjects(t *testing.T) {
	t.Parallel()
	sim := google(t, 0, 0)
	sim.AddAccount(simulator.Account{Email: "few@example.com", Project: "own-0", CannotEnable: true, APIDisabled: true,
		Projects: []simulator.Project{{ID: "own-1", State: "ACTIVE"}, {ID: "own-2", State: "DELETE_REQUESTED"}, {ID: "own-3", State: "ACTIVE"}}})
	// Whoever asks first is served: a project. The pool asks as well as soon as it has that one, which may be before
	// the other projects, so that a fault for one call alone would now and then be the pool's.
	sim.Script(simulator.Fault{Do: "403-tos", Verb: "loadCodeAssist", Skip: 1, Count: -1})
	g := signInGateway(t, sim)
	b := browse(t, g)
	begun := b.post("/auth/start", map[string]any{"get_all_projects": true})
	b.lands(begun.AuthURL, 200, "You have signed in")
	got := b.post("/auth/callback", nil)
	if got.status != 200 || len(got.Multiple.Success) != 1 || len(got.Multiple.Failed) != 2 || !strings.Contains(got.Multiple.Failed[0]["error"], "TOS_VIOLATION") || !strings.Contains(got.Multiple.Failed[1]["error"], "TOS_VIOLATION") {
		t.Errorf("%d %s", got.status, got.text)
	}
}

// Whatever else is sent is refused, and nothing of it disturbs a sign-in that is open.
func TestSignInBadInput(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	g := signInGateway(t, sim)
	b := browse(t, g)
	begun := b.post("/auth/start", map[string]any{})
	for _, body := range []string{
		`{`, `[]`, `{"callback_url":7}`, `{}`, `{"callback_url":""}`, `{"callback_url":"localhost:1/?code=1&state=2"}`, `{"callback_url":"http://localhost/"}`,
		`{"callback_url":"http://localhost/?state=` + begun.State + `"}`, `{"callback_url":"http://localhost/?code=4/0x"}`,
		`{"callback_url":"http://localhost/?code=4/0x&state=foreign"}`, `{"callback_url":"http://localhost/?code=a&code=b&state=` + begun.State + `"}`,
		`{"code":"4/0x"}`, `{"callback_url":"http://[::1/?code=1&state=2"}`, `{"code":"a b","state":"` + begun.State + `"}`, `{"callback_url":"` + strings.Repeat("h", 70<<10) + `"}`,
	} {
		r := g.post("/auth/callback-url", body, header("Authorization"))
		if r.status != 400 || !strings.Contains(string(r.body), `"detail"`) {
			t.Errorf("%.90s: %d %s", body, r.status, r.body)
		}
	}
	for body, says := range map[string]string{`{"project_id":5}`: `"project_id`, `{"get_all_projects":"yes"}`: "must be true or false", `[]`: "JSON object",
		`{"login_hint":"` + strings.Repeat("h", 70<<10) + `"}`: "longer than 64 KB"} {
		if r := g.post("/auth/start", body, header("Authorization")); r.status != 400 || !strings.Contains(strings.ReplaceAll(string(r.body), `\`, ""), says) {
			t.Errorf("%.90s: %d %s", body, r.status, r.body)
		}
	}
	for path, status := range map[string]int{"": 400, "?": 400, "?code=4/0x": 400, "?state=foreign&code=4/0x": 400, "?error=access_denied": 400,
		"?error=access_denied&state=foreign": 400, "?state=%zz": 400, "?state=" + begun.State: 400} {
		if r := g.get("/oauth2callback"+path, header("Authorization")); r.status != status || !strings.Contains(string(r.body), "<html") {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	g.get("/favicon.ico", header("Authorization"))
	g.do("HEAD", "/oauth2callback?code=4/0x&state="+begun.State, "", header("Authorization"))
	if r := g.post("/auth/start", `{}`, header("Sec-Fetch-Site", "cross-site")); r.status != 403 {
		t.Errorf("another site's page: %d", r.status)
	}
	if r := g.post("/auth/start", `{"project_id":"../../etc"}`); r.status != 400 {
		t.Errorf("a path for a project: %d %s", r.status, r.body)
	}
	wrong := 0
	for range 2 { // Google is asked, and the right code still counts
		if r := g.post("/auth/callback-url", `{"code":"4/0wrong","state":"`+begun.State+`"}`); strings.Contains(string(r.body), "invalid_grant") {
			wrong++
		}
	}
	got := b.post("/auth/callback-url", map[string]any{"callback_url": b.comeBack(begun.AuthURL)})
	if wrong != 2 || got.status != 200 {
		t.Errorf("after %d wrong codes: %d %s", wrong, got.status, got.text)
	}
	g.quiet(t, begun.State)
}

// Codes can be guessed neither on one sign-in nor on many.
func TestSignInCodesAreLimited(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	g := signInGateway(t, sim)
	b := browse(t, g)
	asked, refused := 0, 0
	for range 6 {
		begun := b.post("/auth/start", map[string]any{})
		for range 4 {
			switch got := b.post("/auth/callback-url", map[string]any{"code": "4/0wrong", "state": begun.State}); {
			case got.status == 429 && got.header.Get("Retry-After") != "":
				refused++
			case strings.Contains(got.text, "invalid_grant"):
				asked++
			}
		}
	}
	if asked != 12 || refused == 0 {
		t.Errorf("%d codes were tried, %d refused", asked, refused)
	}
}

// Without the secret of the client nobody can sign in, and is told what to do; a second port that is
// taken is a warning.
func TestSignInSettings(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	g := signInGateway(t, sim, setenv("OAUTH_CLIENT_SECRET", ""), setenv("PASSWORD", "-"))
	if got := browse(t, g).post("/auth/start", nil); got.status != 400 || !strings.HasPrefix(got.Detail, "needs OAUTH_CLIENT_SECRET") || !strings.Contains(got.Detail, "oauth2.ts") {
		t.Errorf("%d %s", got.status, got.text)
	}
	far := browse(t, g)
	far.host = "gateway.example"
	if got := far.post("/auth/start", nil); got.status != 403 {
		t.Errorf("the built-in password is for this machine: %d %s", got.status, got.text)
	}
	taken := signInGateway(t, sim, setenv("OAUTH_CALLBACK_PORT", strconv.Itoa(g.port)))
	b := browse(t, taken)
	if said := taken.stdout.String(); !strings.Contains(said, noSecondPort) {
		t.Errorf("no warning: %s", said)
	}
	begun := b.post("/auth/start", nil)
	if begun.Port != taken.port {
		t.Errorf("%s", begun.text)
	}
	b.lands(begun.AuthURL, 200, "You have signed in")
	// Two want to end it: one does.
	var both sync.WaitGroup
	results := make([]signedIn, 2)
	for i := range results {
		both.Go(func() { results[i] = b.post("/auth/callback", map[string]any{"state": begun.State}) })
	}
	both.Wait()
	if results[0].status == 200 && results[1].status == 200 || results[0].status != 200 && results[1].status != 200 {
		t.Errorf("%d %s, %d %s", results[0].status, results[0].text, results[1].status, results[1].text)
	}
}
