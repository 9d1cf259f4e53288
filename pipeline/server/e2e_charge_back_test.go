package server_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"gcli2api/pipeline/simulator"
	"gcli2api/store/apikey"
)

// payers are all the languages in which a key is charged for chats.
func payers() []language {
	return append(languages(), language{"completions", "/v1/completions", "", `{"model":"MODEL","stream":STREAM,"prompt":"PROMPT"}`, "data: [DONE]", true})
}

// order is the request of a language.
func (l language) order(g *gateway, model, prompt string, stream bool, change ...func(*http.Request)) *http.Request {
	g.t.Helper()
	path, on := l.path, "false"
	if stream {
		on = "true"
		if l.stream != "" {
			path = l.stream
		}
	}
	fill := strings.NewReplacer("MODEL", model, "STREAM", on, "PROMPT", prompt)
	return g.request("POST", fill.Replace(path), fill.Replace(l.body), change...)
}

// whole sends a request and reads the answer to its end.
func (g *gateway) whole(req *http.Request) reply {
	g.t.Helper()
	resp, err := client.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	r := reply{status: resp.StatusCode, header: resp.Header}
	r.body, r.broken = io.ReadAll(resp.Body)
	return r
}

// refund is a way in which a request comes to nothing.
type refund struct {
	name    string
	env     map[string]string
	config  string
	bare    bool // no credentials
	studio  bool // API keys, where accounts serve otherwise
	model   string
	prompt  string
	status  int // 0: there is no answer to look at
	native  int // of Gemini's own language, where that differs
	before  func(t *testing.T, g *gateway, sim *simulator.Server)
	instead func(t *testing.T, g *gateway, sim *simulator.Server, req *http.Request) // of reading the answer
	only    string                                                                   // "stream" or "whole"
}

func refunds() []refund {
	quick := map[string]string{"RETRY_429_INTERVAL": "0.01"}
	quiet := map[string]string{"RETURN_THOUGHTS_TO_FRONTEND": "false", "RETRY_429_INTERVAL": "0.01"}
	pings := "[stage.shape]\nfirst_byte_grace = \"50ms\"\n"
	return []refund{
		{name: "400", prompt: "!fault 400", status: 400},
		{name: "401", prompt: "!fault 401", env: quick, status: 503},
		{name: "403", prompt: "!fault 403-tos", env: quick, status: 503},
		{name: "404", prompt: "!fault 404", env: quick, status: 404},
		{name: "429", prompt: "!fault 429", env: quick, status: 429},
		{name: "429, used up", prompt: "!fault 429-quota 13h", env: quick, status: 429},
		{name: "500", prompt: "!fault 500", env: quick, status: 502},
		{name: "503", prompt: "!fault 503", env: quick, status: 503},
		{name: "no credential", bare: true, status: 503},
		{name: "all are cooling", env: quick, status: 429, before: func(_ *testing.T, g *gateway, _ *simulator.Server) { g.put(ask{}, "!fault 429-quota 13h") }},
		{name: "an empty answer", prompt: "!fault empty", env: quiet, status: 502},
		{name: "an error in an answer in one piece", prompt: "!fault error-event", env: quick, status: 503, only: "whole"},
		{name: "a blocked prompt", prompt: "!fault blocked", status: 400, native: 200},
		{name: "Google is silent for too long", prompt: "!fault slow-first 60s", env: quick, config: "[outbound]\nfirst_byte_timeout = \"2s\"\n[stage.retry]\nmax_calls = 2\n", status: 504},
		{name: "a name that Google does not know", model: "gemini-9-flash", env: quick, status: 404},
		{name: "the client leaves while Google thinks", prompt: "!fault slow-first 60s", instead: leaves},
		{name: "the client leaves in the queue", env: map[string]string{"ACCOUNT_CONCURRENCY": "1"}, config: "[server]\ndrain_timeout = \"50ms\"\n", before: occupied, instead: leavesQueue},
		{name: "the client leaves a fake stream", model: "假流式/" + flash, prompt: "!fault slow-first 60s", config: pings, only: "stream", instead: leavesPings},
		{name: "the client leaves a silent stream", prompt: "!fault slow-first 60s", config: pings, only: "stream", instead: leavesPings},
		{name: "an error after heartbeats", prompt: "!fault slow-first 3s 400", config: pings, only: "stream", status: 200},
		{name: "the gateway stops", prompt: "!fault slow-first 60s", config: "[server]\ndrain_timeout = \"50ms\"\n", instead: stops},
	}
}

// arrived waits until Google works on so many calls.
func arrived(t *testing.T, sim *simulator.Server, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := sim.WaitOpen(ctx, n); err != nil {
		t.Error("the call did not reach Google")
	}
}

// departs sends a request and leaves when the time has come.
func departs(t *testing.T, req *http.Request, when func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		resp, err := client.Do(req.WithContext(ctx))
		if err == nil {
			resp.Body.Close()
		}
		ended <- err
	}()
	when()
	cancel()
	if err := <-ended; err == nil {
		t.Error("there was an answer")
	}
}

func leaves(t *testing.T, _ *gateway, sim *simulator.Server, req *http.Request) {
	departs(t, req, func() { arrived(t, sim, 1) })
	idle(t, sim)
}

// occupied lets the password's calls take all places at Google.
func occupied(t *testing.T, g *gateway, sim *simulator.Server) {
	for range 2 {
		path, body := (ask{}).http(flash, "!fault slow-first 60s")
		ctx, cancel := context.WithCancel(t.Context())
		t.Cleanup(cancel)
		req := g.request("POST", path, body).WithContext(ctx)
		go func() {
			if resp, err := client.Do(req); err == nil {
				resp.Body.Close()
			}
		}()
	}
	arrived(t, sim, 2)
}

// leavesQueue goes before there is room. Nothing outside tells that a request waits in line: one that did not
// come so far in time shows less, and fails nothing.
func leavesQueue(t *testing.T, _ *gateway, sim *simulator.Server, req *http.Request) {
	departs(t, req, func() { time.Sleep(200 * time.Millisecond) })
	if sim.Open() != 2 {
		t.Errorf("%d calls at Google", sim.Open())
	}
}

// leavesPings goes after a heartbeat, which is no answer.
func leavesPings(t *testing.T, _ *gateway, sim *simulator.Server, req *http.Request) {
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	one := make([]byte, 1)
	if _, err := resp.Body.Read(one); err != nil || resp.StatusCode != 200 {
		t.Errorf("no heartbeat: %d %v", resp.StatusCode, err)
	}
	resp.Body.Close()
	idle(t, sim)
}

func stops(t *testing.T, g *gateway, sim *simulator.Server, req *http.Request) {
	done := make(chan reply, 1)
	go func() { done <- g.whole(req) }()
	arrived(t, sim, 1)
	g.signal(syscall.SIGTERM)
	if r := <-done; r.status != 503 || !bytes.Contains(r.body, []byte("stopping")) {
		t.Errorf("%d %s", r.status, r.body)
	}
	g.exits()
}

// Whatever keeps an answer from coming gives the price back, in every language, plain and streaming.
func TestChargeIsGivenBack(t *testing.T) {
	for _, row := range refunds() {
		for _, l := range payers() {
			for _, stream := range []bool{false, true} {
				if row.only == "stream" && !stream || row.only == "whole" && stream {
					continue
				}
				name := row.name + "/" + l.name
				if stream {
					name += " stream"
				}
				t.Run(name, func(t *testing.T) {
					if testing.Short() && (l.name != "chat" || row.only == "" && stream) {
						t.Skip("short: one way is enough")
					}
					t.Parallel()
					row.play(t, l, stream)
				})
			}
		}
	}
}

func (row refund) play(t *testing.T, l language, stream bool) {
	sim := google(t, 2, 2)
	from := launch{sim: sim, accounts: 2, light: true, env: row.env, config: row.config, dirty: true}
	switch {
	case row.bare:
		from.accounts = 0
	case row.studio:
		from.accounts, from.keys = 0, 2
	}
	from, keys := withKeys(t, from, apikey.Terms{Quota: 1000})
	g := start(t, from)
	if row.before != nil {
		row.before(t, g, sim)
	}
	model, prompt := row.model, row.prompt
	if model == "" {
		model = flash
	}
	if prompt == "" {
		prompt = "hello"
	}
	req := l.order(g, model, prompt, stream, keys[0].as())
	if row.instead != nil {
		row.instead(t, g, sim, req)
	} else {
		want := row.status
		if row.native != 0 && l.name == "gemini" {
			want = row.native
		}
		if r := g.whole(req); r.status != want {
			t.Errorf("%d, want %d: %s", r.status, want, tail(string(r.body)))
		}
	}
	if units := g.stopped(keys...); units[0] != 0 {
		t.Errorf("%d units are gone", units[0])
	}
}

// What is refused before Google is asked costs nothing, and reaches nobody.
func TestRefusedCostsNothing(t *testing.T) {
	t.Parallel()
	sim := google(t, 2, 2)
	terms := apikey.Terms{Quota: 1000, Models: []string{"gemini-*"}}
	from, keys := withKeys(t, launch{sim: sim, accounts: 2, keys: 2, config: "[server]\nbody_limit = \"1MB\"\n"}, terms)
	g := start(t, from)
	big := strings.Repeat("x", 2<<20)
	for name, c := range map[string]struct {
		path, body string
		status     int
	}{
		"not JSON":              {"/v1/chat/completions", `{"model":"` + flash + `","messages":[`, 400},
		"no body":               {"/v1/chat/completions", `{}`, 400},
		"no model":              {"/v1/chat/completions", `{"messages":[{"role":"user","content":"x"}]}`, 400},
		"a model that is null":  {"/v1/chat/completions", `{"model":null,"messages":[{"role":"user","content":"x"}]}`, 400},
		"a model of number":     {"/v1/messages", `{"model":5,"max_tokens":9,"messages":[{"role":"user","content":"x"}]}`, 400},
		"two models":            {"/v1/chat/completions", `{"model":"` + flash + `","messages":[{"role":"user","content":"x"}],"model":"gemini-2.5-pro"}`, 400},
		"two models, messages":  {"/v1/messages", `{"model":"` + flash + `","model":"gemini-2.5-pro","max_tokens":9,"messages":[{"role":"user","content":"x"}]}`, 400},
		"two models, responses": {"/v1/responses", `{"model":"` + flash + `","input":"x","model":"` + flash + `"}`, 400},
		"an escaped member":     {"/v1/chat/completions", `{"mod\u0065l":"` + flash + `","messages":[{"role":"user","content":"x"}]}`, 400},
		"an escaped second one": {"/v1/chat/completions", `{"model":"` + flash + `","mod\u0065l":"gemini-2.5-pro","messages":[{"role":"user","content":"x"}]}`, 400},
		"two models, images":    {"/v1/images/generations", `{"model":"gemini-2.5-flash-image","model":"gemini-3-pro-image","prompt":"x"}`, 400},
		"two models, vectors":   {"/v1/embeddings", `{"model":"gemini-embedding-001","model":"x","input":"x"}`, 400},
		"not allowed":           {"/v1/chat/completions", `{"model":"gemma-4-31b-it","messages":[{"role":"user","content":"x"}]}`, 403},
		"not allowed, messages": {"/v1/messages", `{"model":"gemma-4-31b-it","max_tokens":9,"messages":[{"role":"user","content":"x"}]}`, 403},
		"not allowed, Gemini":   {"/v1beta/models/gemma-4-31b-it:generateContent", `{"contents":[{"role":"user","parts":[{"text":"x"}]}]}`, 403},
		"not allowed, vectors":  {"/v1/embeddings", `{"model":"text-embedding-004","input":"x"}`, 403},
		"too much":              {"/v1/chat/completions", `{"model":"` + flash + `","messages":[{"role":"user","content":"` + big + `"}]}`, 413},
		"too much, Gemini":      {"/v1beta/models/" + flash + ":generateContent", `{"contents":[{"role":"user","parts":[{"text":"` + big + `"}]}]}`, 413},
		"many answers":          {"/v1/chat/completions", `{"model":"` + flash + `","n":3,"messages":[{"role":"user","content":"x"}]}`, 400},
		"a bad n":               {"/v1/chat/completions", `{"model":"` + flash + `","n":-1,"messages":[{"role":"user","content":"x"}]}`, 400},
		"an enormous n":         {"/v1/chat/completions", `{"model":"` + flash + `","n":9223372036854775807,"messages":[{"role":"user","content":"x"}]}`, 400},
		"many pictures":         {"/v1/images/generations", `{"model":"gemini-2.5-flash-image","prompt":"x","n":4}`, 400},
		"background":            {"/v1/responses", `{"model":"` + flash + `","input":"x","background":true}`, 400},
		"a wrong temperature":   {"/v1/chat/completions", `{"model":"` + flash + `","temperature":"hot","messages":[{"role":"user","content":"x"}]}`, 400},
		"an unknown response":   {"/v1/responses", `{"model":"` + flash + `","input":"x","previous_response_id":"resp_never"}`, 404},
		"no such route":         {"/v1/audio/speech", `{"model":"` + flash + `","input":"x"}`, 501},
	} {
		t.Run(name, func(t *testing.T) {
			if r := g.post(c.path, c.body, keys[0].as()); r.status != c.status {
				t.Errorf("%d, want %d: %s", r.status, c.status, tail(string(r.body)))
			}
		})
	}
	if n := len(sim.CallsOf("generateContent", "streamGenerateContent", "embedContent", "batchEmbedContents")); n != 0 {
		t.Errorf("%d calls reached Google", n)
	}
	if units := g.stopped(keys...); units[0] != 0 {
		t.Errorf("%d units are gone", units[0])
	}
}

// A stream that breaks before its first event is no answer.
func TestBrokenBeforeTheFirstEvent(t *testing.T) {
	t.Parallel()
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	defer broken.Close()
	broken.Config.ErrorLog = nil
	sim := google(t, 0, 2)
	from, keys := withKeys(t, launch{sim: sim, keys: 2, light: true, env: map[string]string{"GEMINI_API_BASE_URL": broken.URL}}, apikey.Terms{Quota: 1000})
	g := start(t, from)
	for _, l := range payers() {
		for _, stream := range []bool{false, true} {
			if r := g.whole(l.order(g, flash, "hello", stream, keys[0].as())); r.status != 502 && r.status != 503 { // the later ones find that nobody answers
				t.Errorf("%s, stream %v: %d %s", l.name, stream, r.status, r.body)
			}
		}
	}
	if units := g.stopped(keys...); units[0] != 0 {
		t.Errorf("%d units are gone", units[0])
	}
}
