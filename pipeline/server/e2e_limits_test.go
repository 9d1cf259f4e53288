package server_test

import (
	"context"
	"log/slog"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gcli2api/store/apikey"
	"gcli2api/store/embedded"
)

// keysBefore makes API keys in the store of a gateway that is about to be started, and says how.
func keysBefore(t *testing.T, l launch, terms ...apikey.Terms) (_ launch, secrets []string) {
	t.Helper()
	g := &gateway{t: t, dir: t.TempDir()}
	g.credentials(l)
	l.dir = g.dir
	db, err := embedded.Open(embedded.Options{Path: filepath.Join(g.dir, "creds", ".gcli2api.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	book, err := apikey.Open(t.Context(), apikey.Options{Store: db, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	for _, terms := range terms {
		_, secret, err := book.Keys.Create(t.Context(), terms)
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, secret)
	}
	return l, secrets
}

// speaking is one way to ask, and how it names its key.
type speaking struct{ name, path, place, body string }

func speakers() []speaking {
	const openai = `{"model":"` + flash + `","messages":[{"role":"user","content":"PROMPT"}]}`
	return []speaking{
		{"openai", "/v1/chat/completions", "Authorization", openai},
		{"openai stream", "/v1/chat/completions", "Authorization", strings.Replace(openai, "{", `{"stream":true,`, 1)},
		{"gemini", "/v1beta/models/" + flash + ":generateContent", "x-goog-api-key", `{"contents":[{"parts":[{"text":"PROMPT"}]}]}`},
		{"anthropic", "/v1/messages", "x-api-key", strings.Replace(openai, "{", `{"max_tokens":100,`, 1)},
	}
}

func (s speaking) ask(g *gateway, key, prompt string) reply {
	g.t.Helper()
	if s.place == "Authorization" {
		key = "Bearer " + key
	}
	return g.post(s.path, strings.Replace(s.body, "PROMPT", prompt, 1), header("Authorization"), header(s.place, key))
}

func quota(t apikey.Terms) apikey.Terms {
	t.Quota = 1_000_000
	return t
}

// Beyond a limit there is a 429 that every client understands, and every answer tells how near it is.
func TestLimitsOfAKey(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	all := speakers()
	var terms []apikey.Terms
	for range all {
		terms = append(terms, quota(apikey.Terms{Requests: 2}), quota(apikey.Terms{Tokens: 40_000}))
	}
	l, secrets := keysBefore(t, launch{sim: sim, accounts: 1}, terms...)
	g := start(t, l)
	for i, s := range all {
		t.Run(s.name, func(t *testing.T) {
			key, began := secrets[2*i], time.Now()
			for left := 1; left >= 0; left-- {
				r := s.ask(g, key, "hello")
				if h := r.header; r.status != 200 || h.Get("X-Ratelimit-Limit-Requests") != "2" || h.Get("X-Ratelimit-Remaining-Requests") != strconv.Itoa(left) {
					t.Fatalf("%d %s %v", r.status, r.body, r.header)
				}
			}
			calls := len(sim.Calls())
			r := s.ask(g, key, "hello")
			least := time.Minute - time.Since(began) - time.Second // the first one came since then; they count seconds
			after, err := strconv.Atoi(r.header.Get("Retry-After"))
			if r.status != 429 || err != nil || after < int(least/time.Second) || after > 60 || r.header.Get("X-Should-Retry") != "" {
				t.Errorf("%d, Retry-After %q, X-Should-Retry %q", r.status, r.header.Get("Retry-After"), r.header.Get("X-Should-Retry"))
			}
			reset, err := time.ParseDuration(r.header.Get("X-Ratelimit-Reset-Requests"))
			if err != nil || reset < least || reset > time.Minute || r.header.Get("X-Ratelimit-Remaining-Requests") != "0" {
				t.Errorf("headers %v", r.header)
			}
			at, err := time.Parse(time.RFC3339, r.header.Get("Anthropic-Ratelimit-Requests-Reset"))
			if s.name == "anthropic" && (err != nil || at.Before(began.Add(time.Minute-time.Second)) || time.Until(at) > 61*time.Second) || s.name != "anthropic" && err == nil {
				t.Errorf("headers %v", r.header)
			}
			if body := string(r.body); !strings.Contains(body, "2 requests a minute") || strings.Contains(body, key) {
				t.Errorf("%s", body)
			}
			if now := len(sim.Calls()); now != calls {
				t.Errorf("%d calls to Google of a request that was refused", now-calls)
			}
			limitedTokens(t, g, s, secrets[2*i+1])
		})
	}
	if said := g.stdout.String(); strings.Contains(said, secrets[0]) {
		t.Error("the log has a key")
	}
}

func limitedTokens(t *testing.T, g *gateway, s speaking, key string) {
	t.Helper()
	r := s.ask(g, key, "hello")
	left, err := strconv.Atoi(r.header.Get("X-Ratelimit-Remaining-Tokens"))
	if r.status != 200 || err != nil || left >= 40_000 || r.header.Get("X-Ratelimit-Limit-Tokens") != "40000" {
		t.Errorf("tokens: %d %v", r.status, r.header)
	}
	r = s.ask(g, key, strings.Repeat("a long story. ", 20_000))
	if r.status != 429 || r.header.Get("Retry-After") != "" || r.header.Get("X-Should-Retry") != "false" || !strings.Contains(string(r.body), "too large") {
		t.Errorf("a request beyond the whole limit: %d %v %.300s", r.status, r.header, r.body)
	}
	if r = s.ask(g, key, "hello"); r.status != 200 {
		t.Errorf("after one that was too large: %d %.300s", r.status, r.body)
	}
}

// What was refused before anybody was asked was no request.
func TestRefusedRequestsDoNotCount(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	l, secrets := keysBefore(t, launch{sim: sim, accounts: 1}, quota(apikey.Terms{Requests: 2}), apikey.Terms{Quota: 1, Requests: 1})
	g := start(t, l)
	s := speakers()[0]
	bad := s
	bad.body = `{"model":"` + flash + `","messages":[{"role":"nobody"}]}`
	for range 5 {
		if r := bad.ask(g, secrets[0], ""); r.status != 400 {
			t.Fatalf("%d %s", r.status, r.body)
		}
		if r := s.ask(g, secrets[1], "hello"); r.status != 429 || !strings.Contains(string(r.body), "quota") {
			t.Fatalf("%d %s", r.status, r.body)
		}
	}
	for range 2 {
		if r := s.ask(g, secrets[0], "hello"); r.status != 200 {
			t.Errorf("%d %s", r.status, r.body)
		}
	}
}

// A client that waits as Retry-After says gets all its answers, and never more than its places are in use.
func TestPlacesOfAKey(t *testing.T) {
	t.Parallel()
	sim := google(t, 2, 0)
	l, secrets := keysBefore(t, launch{sim: sim, accounts: 2}, quota(apikey.Terms{Concurrency: 2}))
	g := start(t, l)
	s := speakers()[0]
	var refused atomic.Int64
	for round := 0; refused.Load() == 0; round++ { // six may come one after the other where the machine has other work
		if round == 10 {
			t.Fatal("nobody was refused")
		}
		var all sync.WaitGroup
		for range 6 {
			all.Go(func() { refused.Add(s.patient(g, secrets[0])) })
		}
		all.Wait()
	}
	calls := sim.CallsOf("generateContent")
	for _, c := range calls {
		at := 0
		for _, o := range calls {
			if !o.Time.After(c.Time) && c.Time.Sub(o.Time) < 300*time.Millisecond {
				at++
			}
		}
		if at > 2 {
			t.Errorf("%d calls at a time", at)
		}
	}
}

// patient asks until there is an answer, and waits in between as it is told.
func (s speaking) patient(g *gateway, key string) (refused int64) {
	g.t.Helper()
	for ; refused < 100; refused++ {
		r := s.ask(g, key, "!fault slow-first 300ms")
		if r.status == 200 {
			return refused
		}
		after, err := strconv.Atoi(r.header.Get("Retry-After"))
		if r.status != 429 || err != nil || after != 1 || !strings.Contains(string(r.body), "at a time") {
			g.t.Errorf("%d %v %s", r.status, r.header, r.body)
			return refused
		}
		time.Sleep(time.Duration(after) * time.Second) // as clients do: this is what is tested
	}
	g.t.Error("no answer in a hundred tries")
	return refused
}

// A stream holds its place to its end, also where that is the client's leaving.
func TestAStreamHoldsItsPlace(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	l, secrets := keysBefore(t, launch{sim: sim, accounts: 1, env: map[string]string{"ACCOUNT_CONCURRENCY": "10"}}, quota(apikey.Terms{Concurrency: 1}))
	g := start(t, l)
	s := speakers()[0]
	free := func() {
		t.Helper()
		for late := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
			r := s.ask(g, secrets[0], "hello")
			if r.status == 200 {
				return
			}
			if time.Now().After(late) {
				t.Fatalf("the place is not free: %d %s", r.status, r.body)
			}
		}
	}
	for _, prompt := range []string{"!fault silence 60s", "!fault slow-first 60s"} {
		ctx, leave := context.WithCancel(t.Context())
		calls := len(sim.CallsOf("streamGenerateContent"))
		var gone sync.WaitGroup
		gone.Go(func() {
			body := strings.Replace(speakers()[1].body, "PROMPT", prompt, 1)
			req := g.request("POST", s.path, body, header("Authorization", "Bearer "+secrets[0]))
			if resp, err := client.Do(req.WithContext(ctx)); err == nil {
				_, _ = http.MaxBytesReader(nil, resp.Body, 1<<20).Read(make([]byte, 5))
				<-ctx.Done()
				resp.Body.Close()
			}
		})
		for len(sim.CallsOf("streamGenerateContent")) == calls {
			time.Sleep(5 * time.Millisecond)
		}
		for range 3 {
			if r := s.ask(g, secrets[0], "hello"); r.status != 429 {
				t.Errorf("%s: %d while the stream is open", prompt, r.status)
			}
		}
		leave()
		gone.Wait()
		free()
	}
	if r := speakers()[1].ask(g, secrets[0], "!fault silence 300ms"); r.status != 200 {
		t.Errorf("a stream: %d %s", r.status, r.body)
	}
	free()
}

// Counting costs nothing, but it may ask Google: the limit of requests holds it.
func TestCountingIsFreeAndLimited(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	l, secrets := keysBefore(t, launch{sim: sim, accounts: 1}, apikey.Terms{Quota: 1, Requests: 2})
	g := start(t, l)
	const path = "/v1beta/models/" + flash + ":countTokens"
	for i, want := range []int{200, 200, 429} {
		r := g.post(path, `{"contents":[{"parts":[{"text":"hello"}]}]}`, header("Authorization"), header("x-goog-api-key", secrets[0]))
		if r.status != want {
			t.Errorf("count %d: %d %s", i, r.status, r.body)
		}
	}
}
