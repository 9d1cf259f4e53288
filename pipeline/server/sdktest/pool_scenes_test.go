package sdktest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline/simulator"
)

func scenes() []scene {
	return []scene{storm(), spent(), soon(), crowd(), expired(), apples(), mixed(), deleted(), proxied(), sticky(), holders(), oneByOne()}
}

// Nine of ten accounts have nothing left for an hour: no client has an error, and nobody waits.
func storm() scene {
	return scene{name: "storm", stock: signedIn(10), asks: chats(3, "hello"), check: served,
		before: func(_ *testing.T, h *house) {
			for i := range 9 {
				h.sim.Script(simulator.Fault{Do: "429-reset 1h", Credential: ann(i), Count: -1})
			}
		},
		after: func(t *testing.T, h *house, asks map[string]asking) {
			in429 := 0
			for name, a := range asks {
				calls := h.callsOf(a)
				for i, c := range calls {
					if c.Status == 429 {
						in429++
					}
					if i > 0 && c.Time.Sub(calls[i-1].Time) > 8*time.Second { // the pause that is set is 10 s
						t.Errorf("%s: call %d came %v after the one before", name, i, c.Time.Sub(calls[i-1].Time))
					}
				}
			}
			if in429 < 9 || in429 > 18 { // two at a time with each account
				t.Errorf("%d calls in vain", in429)
			}
		}}
}

// All accounts are used up for an hour: the client says so at once, whatever it does by itself.
func spent() scene {
	return scene{name: "spent", stock: signedIn(3), env: []string{"RETRY_429_MAX_RETRIES=0"},
		before: func(_ *testing.T, h *house) { h.sim.Script(simulator.Fault{Do: "429-reset 1h", Count: -1}) },
		asks: func(family) []asking {
			return []asking{{Do: "whole", Prompt: "hello", Retries: 2}, {Do: "stream", Prompt: "hello", Retries: 2}}
		},
		check: func(t *testing.T, f family, _ asking, s told) {
			e := s.Error
			if e == nil || e.Status != 429 || !e.Official || s.Text != "" {
				t.Fatalf("no refusal: %+v", e)
			}
			if f.name == "genai" {
				if !strings.Contains(e.Message, "RetryInfo") {
					t.Errorf("no RetryInfo in %s", e.Message)
				}
				return
			}
			if after, err := time.ParseDuration(e.After + "s"); err != nil || after < 50*time.Minute || after > time.Hour || e.Class != "RateLimitError" {
				t.Errorf("%s, Retry-After %q", e.Class, e.After)
			}
		},
		after: func(t *testing.T, h *house, _ map[string]asking) {
			if n := len(h.sim.CallsOf("generateContent", "streamGenerateContent")); n > 6 {
				t.Errorf("%d calls to three accounts", n)
			}
		}}
}

// The only account is back in some seconds: clients wait as long as they are told, and ask once more. Those of
// Google do not read it: they ask after one second, two, four and eight.
func soon() scene {
	return scene{name: "soon", stock: signedIn(1), env: []string{"RETRY_429_MAX_RETRIES=0"}, check: served,
		before: func(_ *testing.T, h *house) { h.sim.Script(simulator.Fault{Do: "429-reset 4s"}) },
		asks: func(f family) []asking {
			n := map[bool]int{true: 4, false: 1}[f.name == "genai"]
			return []asking{{Do: "whole", Prompt: "hello", Retries: n}, {Do: "stream", Prompt: "hello", Retries: n}}
		},
		after: func(t *testing.T, h *house, _ map[string]asking) {
			if !slices.ContainsFunc(h.sim.CallsOf("generateContent", "streamGenerateContent"), func(c simulator.Call) bool { return c.Status == 429 }) {
				t.Error("nobody was refused")
			}
		}}
}

// One account serves two at a time; the others wait in line.
func crowd() scene {
	return scene{name: "crowd", stock: signedIn(1), asks: chats(3, "!fault slow-first 300ms"), check: served,
		after: func(t *testing.T, h *house, asks map[string]asking) {
			calls := h.sim.CallsOf("generateContent", "streamGenerateContent")
			if len(calls) != len(asks) {
				t.Errorf("%d calls for %d requests", len(calls), len(asks))
			}
			for _, c := range calls {
				open := 0
				for _, d := range calls {
					if !d.Time.After(c.Time) && d.Time.Add(d.Took).After(c.Time) {
						open++
					}
				}
				if open > 2 {
					t.Fatalf("%d calls at a time with one account", open)
				}
			}
		}}
}

// serving gives the accounts that have served a chat.
func (h *house) serving() map[string]bool {
	who := map[string]bool{}
	for _, c := range h.sim.CallsOf("generateContent") {
		who[c.Credential] = who[c.Credential] || c.Status == 200
	}
	return who
}

// All tokens end at once.
func expired() scene {
	return scene{name: "expired", stock: signedIn(3), env: []string{"CALLS_PER_ROTATION=1"}, asks: chats(3, "hello"), check: served,
		before: func(t *testing.T, h *house) {
			// Those who are signed in serve while the others sign in: it takes more than three calls now and then.
			for n := 0; len(h.serving()) < 3; n++ {
				if h.chat(t, ask("Hello")); n == 50 {
					t.Fatalf("only %d of three accounts serve", len(h.serving()))
				}
			}
			for i := range 3 {
				h.sim.ExpireTokens(ann(i))
			}
			h.sim.ForgetCalls()
		},
		after: func(t *testing.T, h *house, _ map[string]asking) {
			refused := 0
			for _, c := range h.sim.CallsOf("generateContent", "streamGenerateContent") {
				if c.Status == 401 {
					refused++
				}
			}
			if n := len(h.sim.CallsOf("token")); refused < 3 || n != 3 {
				t.Errorf("%d calls with old tokens, %d renewals", refused, n)
			}
		}}
}

// A sign-in that is dead, an account that has to be verified and one that Google has banned, among good ones.
func apples() scene {
	return scene{name: "apples", env: []string{"CALLS_PER_ROTATION=1"}, asks: chats(2, "hello"), check: served,
		stock: func(sim *simulator.Server) map[string][]byte {
			files := signedIn(4)(sim)
			sim.UpdateAccount(ann(0), func(a *simulator.Account) { a.RefreshError = "invalid_grant" })
			sim.Script(simulator.Fault{Do: "403-validation", Credential: ann(1), Count: -1}, simulator.Fault{Do: "403-tos", Credential: ann(2), Count: -1})
			return files
		},
		after: func(t *testing.T, h *house, _ map[string]asking) {
			status := h.panel(t, http.MethodGet, "/creds/status", "")
			if n := strings.Count(status, `"disabled":true`); n != 3 || !strings.Contains(status, "verified in a browser") {
				t.Errorf("%d are switched off: %s", n, status)
			}
		}}
}

// Pictures come from the key, text from everybody.
func mixed() scene {
	const draws = "gemini-2.5-flash-image"
	return scene{name: "mixed", env: []string{"CALLS_PER_ROTATION=1"},
		stock: func(sim *simulator.Server) map[string][]byte {
			files := signedIn(1)(sim)
			sim.AddKey(apiKey)
			files["key.json"] = sim.KeyFile(apiKey)
			return files
		},
		asks: func(f family) []asking {
			return append(chats(2, "hello")(f), asking{Do: "whole", Model: draws, Prompt: "a fox"}, asking{Do: "stream", Model: draws, Prompt: "a fox"})
		},
		check: func(t *testing.T, f family, a asking, s told) {
			if a.Model == draws {
				if s.Error != nil || s.Finish != f.stop {
					t.Errorf("no picture: %+v", s.Error)
				}
				return
			}
			served(t, f, a, s)
		},
		after: func(t *testing.T, h *house, _ map[string]asking) {
			text := map[simulator.Backend]int{}
			for _, c := range h.sim.CallsOf("generateContent", "streamGenerateContent") {
				if c.Model != draws {
					text[c.Backend]++
				} else if c.Backend != simulator.AIStudio {
					t.Errorf("%s was asked for a picture", c.Backend)
				}
			}
			if len(text) != 2 {
				t.Errorf("text came from %v", text)
			}
		}}
}

// Credentials are deleted while they stream: the answers end whole, and nobody is served after.
func deleted() scene {
	return scene{name: "deleted", stock: signedIn(2), check: served,
		asks: func(family) []asking { return []asking{{Do: "stream", Prompt: "!fault silence 6s"}} },
		during: func(t *testing.T, h *house) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			if err := h.sim.WaitOpen(ctx, len(families())); err != nil {
				t.Error("not all clients came")
			}
			for _, name := range []string{"ann0.json", "ann1.json"} {
				h.panel(t, http.MethodPost, "/creds/action", `{"filename":"`+name+`","action":"delete"}`)
			}
		},
		after: func(t *testing.T, h *house, _ map[string]asking) {
			if s := h.stream(t.Context(), ask("hello")); s.err == nil {
				t.Error("a deleted credential serves")
			}
		}}
}

// sticky keeps each conversation with one credential.
func sticky() scene {
	return scene{name: "sticky", stock: signedIn(6), env: []string{"ROTATION=sticky", "CALLS_PER_ROTATION=1", "ACCOUNT_CONCURRENCY=0"},
		asks: func(family) []asking { return slices.Repeat([]asking{{Do: "talk", Prompt: "let us talk"}}, 3) },
		check: func(t *testing.T, _ family, a asking, s told) {
			if d := description(t, s.Text); len(d.Texts) != 3 || d.Texts[0] != a.Prompt {
				t.Errorf("%+v", d)
			}
		},
		after: func(t *testing.T, h *house, asks map[string]asking) {
			used := map[string]bool{}
			for name, a := range asks {
				own := map[string]bool{}
				calls := h.callsOf(a)
				for _, c := range calls {
					own[c.Credential], used[c.Credential] = true, true
				}
				if len(calls) != 2 || len(own) != 1 {
					t.Errorf("%s: %d calls with %v", name, len(calls), own)
				}
			}
			if len(used) < 3 {
				t.Errorf("all conversations are with %v", used)
			}
		}}
}

// panel asks the console.
func (h *house) panel(t *testing.T, method, path, body string) string {
	t.Helper()
	status, text := h.reach(t, method, path, body)
	if status != http.StatusOK {
		t.Errorf("%s: %d %s", path, status, text)
	}
	return text
}

func (h *house) reach(t *testing.T, method, path, body string) (status int, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, h.url+path, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	req.Header.Set("Authorization", "Bearer "+h.password)
	req.Header.Set("Content-Type", "application/json")
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer r.Body.Close()
	data, err := io.ReadAll(r.Body)
	if err != nil {
		t.Errorf("%s: %v", path, err)
	}
	return r.StatusCode, string(data)
}
