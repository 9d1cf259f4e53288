package server_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"gcli2api/pipeline/simulator"
)

// TestPool plays faults to some credentials only, or for some time only.
func TestPool(t *testing.T) {
	quick := map[string]string{"RETRY_429_INTERVAL": "0.01"}
	slow := map[string]string{"RETRY_429_INTERVAL": "10"}
	for _, tt := range []struct {
		name   string
		env    map[string]string
		config string
		fault  simulator.Fault // scripted
		prompt string
		status int
		calls  string
	}{
		{"a fresh credential costs no pause", slow, "", simulator.Fault{Do: "429-quota 13h", Credential: "ann0@example.com"}, "hello", 200, "ab"},
		{"and no return", map[string]string{"RETRY_429_MAX_RETRIES": "0"}, "", simulator.Fault{Do: "429-reset 30s", Count: 2}, "hello", 200, "abc"},
		{"banned, the next one serves", nil, "", simulator.Fault{Do: "403-tos", Credential: "ann0@example.com", Count: -1}, "hello", 200, "ab"},
		{"overloaded once", nil, "", simulator.Fault{Do: "503"}, "hello", 200, "aa"},
		{"broken once", nil, "", simulator.Fault{Do: "500"}, "hello", 200, "aa"},
		{"by prompt, once", quick, "", simulator.Fault{}, "!fault once 503", 200, "aa"},
		{"by prompt, twice", quick, "", simulator.Fault{}, "!fault times 2 429", 200, "abc"},
		{"an expired token is renewed", nil, "", simulator.Fault{Do: "401"}, "hello", 200, "aa"},
		{"empty once", map[string]string{"RETURN_THOUGHTS_TO_FRONTEND": "false"}, "", simulator.Fault{Do: "empty"}, "hello", 200, "ab"},
		{"no returns", map[string]string{"RETRY_429_MAX_RETRIES": "0"}, "", simulator.Fault{}, "!fault 429", 429, "abc"},
		{"one return", map[string]string{"RETRY_429_MAX_RETRIES": "1", "RETRY_429_INTERVAL": "0.01"}, "", simulator.Fault{}, "!fault 429", 429, "abc?"},
		{"429 is passed on", map[string]string{"RETRY_429_ENABLED": "false"}, "", simulator.Fault{}, "!fault 429", 429, "a"},
		{"503 is still tried again", map[string]string{"RETRY_429_ENABLED": "false"}, "", simulator.Fault{}, "!fault once 503", 200, "aa"},
		{"max_calls", quick, "[stage.retry]\nmax_calls = 2\n", simulator.Fault{}, "!fault 429", 429, "ab"},
		{"max_calls of one", quick, "[stage.retry]\nmax_calls = 1\n", simulator.Fault{}, "!fault 503", 503, "a"},
		{"retry off", quick, "[stage.retry]\nenabled = false\n", simulator.Fault{}, "!fault 429", 429, "a"},
	} {
		for _, a := range asks() {
			t.Run(tt.name+"/"+a.name, func(t *testing.T) {
				t.Parallel()
				sim := google(t, 3, 0)
				g := start(t, launch{sim: sim, accounts: 3, env: tt.env, config: tt.config, light: true})
				if tt.fault.Do != "" {
					sim.Script(tt.fault)
				}
				r := g.put(a, tt.prompt)
				if r.status != tt.status {
					t.Errorf("status %d, want %d: %s", r.status, tt.status, r.body)
				}
				if got := pattern(sim); !fits(got, tt.calls) {
					t.Errorf("calls %q, want %q", got, tt.calls)
				}
				if tt.status == 200 {
					if got := understand(t, a, r); !got.whole || got.text != "echo: "+tt.prompt {
						t.Errorf("%+v", got)
					}
				}
				if tt.env["RETRY_429_INTERVAL"] == "10" {
					calls := sim.CallsOf("generateContent", "streamGenerateContent")
					if pause := calls[1].Time.Sub(calls[0].Time); pause > 8*time.Second {
						t.Errorf("the move to a fresh credential took %v", pause)
					}
				}
			})
		}
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	sim := google(t, 3, 0)
	g := start(t, launch{sim: sim, accounts: 3, env: map[string]string{"CALLS_PER_ROTATION": "2"}})
	for range 7 {
		g.put(ask{}, "hello")
	}
	if got := pattern(sim); got != "aabbcca" {
		t.Errorf("calls %q, want aabbcca", got)
	}
}

// What a cooldown says is kept: later requests are answered without a call.
func TestExhaustedPoolAnswersByItself(t *testing.T) {
	t.Parallel()
	sim := google(t, 2, 0)
	g := start(t, launch{sim: sim, accounts: 2})
	g.put(ask{}, "!fault 429-quota 13h")
	n := len(sim.CallsOf("generateContent"))
	for _, a := range asks() {
		r := g.put(a, "hello")
		if r.status != 429 {
			t.Errorf("%s: %d %s", a.name, r.status, r.body)
		}
		checkEnvelope(t, a, r, "quota_exhausted")
		checkAfter(t, r.header.Get("Retry-After"), "46790-46800")
		if got := r.header.Get("X-Should-Retry"); got != "false" { // or Anthropic's clients sleep so long
			t.Errorf("%s: X-Should-Retry %q", a.name, got)
		}
	}
	if got := len(sim.CallsOf("generateContent", "streamGenerateContent")); got != n {
		t.Errorf("%d more calls", got-n)
	}
	if _, body := (ask{}).http("gemini-2.5-pro", "another model"); g.post("/v1/chat/completions", body).status != 200 {
		t.Error("another model is held up as well")
	}
}

func TestNoCredential(t *testing.T) {
	t.Parallel()
	g := start(t, launch{})
	for _, a := range asks() {
		r := g.put(a, "hello")
		if r.status != 503 || !strings.Contains(string(r.body), "GEMINI_API_KEY") {
			t.Errorf("%s: %d %s", a.name, r.status, r.body)
		}
		checkEnvelope(t, a, r, "no_credential")
		if got := r.header.Get("X-Should-Retry"); got != "false" {
			t.Errorf("%s: X-Should-Retry %q", a.name, got)
		}
	}
}

// A short rest is one that clients may sit out.
func TestClientsAskAgainSoon(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	g := start(t, launch{sim: sim, accounts: 1, env: map[string]string{"RETRY_429_MAX_RETRIES": "0"}})
	if r := g.put(ask{}, "!fault 429-reset 40s"); r.status != 429 || r.header.Get("X-Should-Retry") != "" {
		t.Errorf("%d, X-Should-Retry %q", r.status, r.header.Get("X-Should-Retry"))
	}
}

// TestCredentialFiles puts every layout and what is no credential into one folder.
func TestCredentialFiles(t *testing.T) {
	t.Parallel()
	sim := google(t, 5, 2)
	env := map[string]string{"GCLI_OAUTH_CLIENT_ID": simulator.ClientID, "GCLI_OAUTH_CLIENT_SECRET": simulator.ClientSecret,
		"GEMINI_API_KEY": apiKey(1), "CALLS_PER_ROTATION": "1"}
	bad := map[string]string{
		"broken.json":  `{"client_id": "x", `,
		"foreign.json": strings.ReplaceAll(string(sim.CredentialFile("ann4@example.com", simulator.LayoutGateway)), sim.URL()+"/token", "https://evil.example/token"),
		"empty.json":   "",
		"list.json":    "[]",
	}
	layouts := map[string]simulator.Layout{"ann0@example.com": simulator.LayoutGeminiCLI, "ann1@example.com": simulator.LayoutGateway,
		"ann2@example.com": simulator.LayoutCLIProxy, "ann3@example.com": simulator.LayoutADC}
	l := launch{sim: sim, env: env, files: map[string]string{"key.json": string(sim.KeyFile(apiKey(0))), "notes.txt": "no credential"}}
	for email, layout := range layouts {
		l.files[email+".json"] = string(sim.StaleCredentialFile(email, layout))
	}
	for name, text := range bad {
		l.files[name] = text
	}
	g := start(t, l)
	seen := map[string]bool{}
	for range 8 {
		if r := g.put(ask{}, "hello"); r.status != 200 {
			t.Errorf("%d %s", r.status, r.body)
		}
	}
	for _, c := range sim.CallsOf("generateContent") {
		seen[c.Credential] = true
	}
	if len(seen) != 6 || seen["ann4@example.com"] {
		t.Errorf("served by %v, want the four layouts, a key from a file and one from the environment", seen)
	}
	said := g.stdout.String()
	for name, text := range bad {
		if n := strings.Count(said, name); n != 1 {
			t.Errorf("%d warnings name %s", n, name)
		}
		if got := g.read("creds/" + name); got != text {
			t.Errorf("%s was changed to %q", name, got)
		}
	}
}

// Parallel requests whose token has run out share one renewal.
func TestRefreshIsShared(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	g := start(t, launch{sim: sim, files: map[string]string{"ann.json": string(sim.StaleCredentialFile("ann0@example.com", simulator.LayoutGateway))}})
	sim.Script(simulator.Fault{Do: "slow-first 300ms", Verb: "token"})
	var wg sync.WaitGroup
	for range 12 {
		wg.Go(func() {
			if r := g.put(ask{}, "hello"); r.status != 200 {
				t.Errorf("%d %s", r.status, r.body)
			}
		})
	}
	wg.Wait()
	if n := len(sim.CallsOf("token")); n != 1 {
		t.Errorf("%d renewals for twelve requests", n)
	}
}

// A dead sign-in is switched off, and the others go on.
func TestRevokedSignIn(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 1)
	sim.AddAccount(simulator.Account{Email: "gone@example.com", RefreshError: "invalid_grant"})
	g := start(t, launch{sim: sim, keys: 1, files: map[string]string{"a-gone.json": string(sim.StaleCredentialFile("gone@example.com", simulator.LayoutGateway))}})
	if r := g.put(ask{}, "hello"); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
	var s struct {
		Creds map[string]struct {
			Status struct {
				Disabled bool
				Reason   string
			}
		}
	}
	if err := json.Unmarshal(g.get("/creds/status").body, &s); err != nil {
		t.Fatal(err)
	}
	if len(s.Creds) != 2 {
		t.Errorf("%d credentials are shown, want 2", len(s.Creds))
	}
	for id, c := range s.Creds {
		if (id == "a-gone.json") != c.Status.Disabled || c.Status.Disabled && c.Status.Reason == "" {
			t.Errorf("%s: %+v", id, c)
		}
	}
}

// TestUsageCountsEveryTry looks at the operator's figures.
func TestUsageCountsEveryTry(t *testing.T) {
	t.Parallel()
	sim := google(t, 2, 0)
	g := start(t, launch{sim: sim, accounts: 2})
	sim.Script(simulator.Fault{Do: "429-quota 1h", Credential: "ann0@example.com"})
	for _, a := range asks() {
		if got := understand(t, a, g.put(a, "count me")); !got.whole {
			t.Errorf("%s: %+v", a.name, got)
		}
	}
	g.settled()
	var s struct {
		Data struct {
			Credentials, Keys []struct {
				Who, Model    string
				Calls, Errors int
				Prompt        int `json:"prompt_tokens"`
				Output        int `json:"output_tokens"`
			}
		}
	}
	if err := json.Unmarshal(g.get("/usage/figures").body, &s); err != nil {
		t.Fatal(err)
	}
	const thought = "**Reading the request**\nThe last message has 8 characters."
	in, out := 4*simulator.Tokens("count me"), 4*(simulator.Tokens("echo: count me")+simulator.Tokens(thought))
	for _, c := range s.Data.Credentials {
		first := c.Who == "ann0.json"
		if first && (c.Calls != 1 || c.Errors != 1 || c.Prompt != 0) || !first && (c.Calls != 4 || c.Errors != 0 || c.Prompt != in || c.Output != out) {
			t.Errorf("%+v, want %d tokens in and %d out", c, in, out)
		}
	}
	if k := s.Data.Keys; len(s.Data.Credentials) != 2 || len(k) != 1 || k[0].Calls != 4 || k[0].Errors != 0 || k[0].Prompt != in || k[0].Output != out || k[0].Who != "password" {
		t.Errorf("%+v", s.Data)
	}
}

// A client that asks a model for what it cannot do takes it away from nobody.
func TestWrongVerbRestsNoModel(t *testing.T) {
	t.Parallel()
	sim := google(t, 0, 1)
	g := start(t, launch{sim: sim, keys: 1, light: true})
	const chat, vector = `{"model":"%s","messages":[{"role":"user","content":"hi"}]}`, `{"model":"%s","input":"hi"}`
	for _, c := range []struct {
		path, body, model string
		status            int
	}{
		{"/v1/embeddings", vector, flash, 400},
		{"/v1/chat/completions", chat, flash, 200},
		{"/v1/chat/completions", chat, "gemini-embedding-001", 400},
		{"/v1/embeddings", vector, "gemini-embedding-001", 200},
	} {
		if r := g.post(c.path, fmt.Sprintf(c.body, c.model)); r.status != c.status {
			t.Errorf("%s %s: %d %s", c.path, c.model, r.status, r.body)
		}
	}
}
