package retry_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/config"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/outbound"
	"gcli2api/pipeline/simulator"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
	"gcli2api/stages/credential"
	"gcli2api/stages/retry"
	"gcli2api/stages/upstream"
	"gcli2api/stages/upstream/codeassist"
	"gcli2api/stages/upstream/geminiapi"
	"gcli2api/store/oauth"
	"gcli2api/store/pool"
)

// clock is the time of pool, sign-ins and simulator. Waiting moves it on and is written down.
type clock struct {
	mu    sync.Mutex
	at    time.Time
	slept []time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) sleep(ctx context.Context, d time.Duration) bool {
	c.forward(d)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slept = append(c.slept, d)
	return ctx.Err() == nil
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// waited gives what was slept since the last look.
func (c *clock) waited() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []string
	for _, d := range c.slept {
		all = append(all, d.String())
	}
	c.slept = nil
	return strings.Join(all, " ")
}

type address string

func (a address) CodeAssist() string      { return string(a) }
func (a address) Gemini() string          { return string(a) }
func (a address) UserAgent(string) string { return "agent" }

// rig is the real stages over the real pool and real sockets to a simulated Google.
type rig struct {
	t      testing.TB
	clock  *clock
	google *simulator.Server
	pool   *pool.Pool
	engine *pipeline.Engine
	who    map[string]string // what the simulator calls a credential -> its letter
	n      int               // requests
	mu     sync.Mutex
}

// newRig opens one with so many credentials, called a, b, c: an "o" is a sign-in, an "s" one whose token has run
// out, a "d" one that was revoked as well, a "k" an API key. toml is the configuration.
func newRig(t testing.TB, kinds, toml string) *rig {
	t.Helper()
	c := &clock{at: time.Now()}
	r := &rig{t: t, clock: c, who: map[string]string{}}
	var err error
	if r.google, err = simulator.Start(simulator.Options{Now: c.now, TokenLife: 1000 * time.Hour}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.google.Close() })
	dir := t.TempDir()
	for i, kind := range kinds {
		letter := string(rune('a' + i))
		content := []byte(nil)
		if kind == 'k' {
			content = r.keyFile(letter)
		} else {
			content = r.signIn(letter, kind)
		}
		if err := os.WriteFile(filepath.Join(dir, letter+".json"), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r.open(dir, toml)
	return r
}

func (r *rig) keyFile(letter string) []byte {
	key := "AIzaSimulated000" + letter
	r.who["key:AIza****000"+letter] = letter
	r.google.AddKey(key)
	return r.google.KeyFile(key)
}

func (r *rig) signIn(letter string, kind rune) []byte {
	email := letter + "@example.com"
	a := simulator.Account{Email: email}
	if kind == 'd' {
		a.RefreshError = "invalid_grant"
	}
	r.google.AddAccount(a)
	r.who[email] = letter
	if kind != 'o' {
		return r.google.StaleCredentialFile(email, simulator.LayoutGateway)
	}
	return r.google.CredentialFile(email, simulator.LayoutGateway)
}

func (r *rig) open(dir, toml string) {
	r.t.Helper()
	base := r.google.URL()
	client, err := outbound.New(outbound.Defaults())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = client.Close() })
	signIn := oauth.New(oauth.Options{HTTP: client.HTTP, Now: r.clock.now, PollEvery: time.Millisecond, RetryPause: time.Millisecond,
		Settings: func() oauth.Settings {
			return oauth.Settings{ClientID: simulator.ClientID, ClientSecret: simulator.ClientSecret, Endpoints: outbound.Endpoints{
				CodeAssist: base, OAuthToken: base, GoogleAPIs: base, ResourceManager: base, ServiceUsage: base, Metadata: base}}
		}})
	kinds := []pipeline.Kind{feed(), credential.Kind(nil), upstream.Kind(upstream.Clients{}), retry.Kind()}
	c, err := config.Load(config.Options{Data: []byte("[pipeline]\norder = [\"feed\", \"credential\", \"upstream\", \"retry\"]\n" + toml), File: "config.toml",
		Params: kinds[3].Params, Stages: []string{"feed", "credential", "upstream", "retry"}})
	if err == nil {
		_, err = pool.Check(c)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	if r.pool, err = pool.New(pool.Options{Dir: dir, OAuth: signIn, Now: r.clock.now, Poll: time.Hour, Settings: pool.SettingsOf(c)}); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = r.pool.Close() })
	at := address(base)
	kinds[1] = credential.Kind(r.pool)
	kinds[2] = upstream.Kind(upstream.Clients{Caller: func() outbound.Caller { return client },
		Dialects: map[string]upstream.Dialect{oauth.CodeAssist: codeassist.New(at), oauth.Gemini: geminiapi.New(at)}})
	if r.engine, err = pipeline.NewEngine(pipeline.Options{Kinds: kinds, Sleep: r.clock.sleep}); err == nil {
		err = r.engine.Apply(c)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := r.engine.Close(ctx); err != nil {
			r.t.Error(err)
		}
		if n := r.pool.Leases(); n != 0 {
			r.t.Errorf("%d leases are out", n)
		}
	})
}

// feed stands for the stages that read a request.
func feed() pipeline.Kind {
	return pipeline.Kind{Name: "feed", Verbs: []pipeline.Verb{pipeline.Generate, pipeline.Streaming},
		Gives: []pipeline.Fact{pipeline.HasCaller, pipeline.HasFormat, pipeline.HasModel, pipeline.HasCall, pipeline.HasEncoder},
		New: pipeline.New(struct{}{}, func(struct{}, *pipeline.Build) (pipeline.Stage, error) {
			return step(func(x *pipeline.Exchange) pipeline.Verdict {
				x.Model = models.Model{Asked: x.In.Model, Base: x.In.Model}
				var fail *apierror.Error
				if x.Call, fail = gemini.NewCall([]byte(`{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`)); fail != nil {
					return x.Fail(fail)
				}
				return pipeline.Next
			}), nil
		})}
}

type step func(*pipeline.Exchange) pipeline.Verdict

func (s step) Process(x *pipeline.Exchange) pipeline.Verdict { return s(x) }

// ask makes one request and gives the error that its client gets, nil for an answer.
func (r *rig) ask(ctx context.Context, model string, stream bool) *apierror.Error {
	r.mu.Lock()
	r.n++
	in := pipeline.Request{ID: fmt.Sprint("request-", r.n), Model: model, Route: pipeline.Route{Format: wire.Gemini, Verb: pipeline.Generate}}
	r.mu.Unlock()
	if stream {
		in.Route.Verb = pipeline.Streaming
	}
	x := pipeline.NewExchange(ctx, in)
	reply := r.engine.Run(x)
	fail := reply.Err
	for fail == nil && reply.Stream != nil {
		if _, err := reply.Stream.Next(); err == io.EOF {
			break
		} else if err != nil {
			fail = apierror.From(err)
		}
	}
	r.engine.End(x, pipeline.Outcome{Err: fail})
	return fail
}

// calls gives the credentials that were used since the last look, in order.
func (r *rig) calls() (letters string) {
	for _, c := range r.google.CallsOf("generateContent", "streamGenerateContent") {
		letters += r.who[c.Credential]
	}
	r.google.ForgetCalls()
	return letters
}

// name is what the simulator calls a credential.
func (r *rig) name(letter string) string {
	for name, l := range r.who {
		if l == letter {
			return name
		}
	}
	r.t.Fatalf("no credential %q", letter)
	return ""
}

// wish changes what the operator wants of a credential.
func (r *rig) wish(letter string, change func(*pool.Wish)) {
	if !r.pool.Configure(letter+".json", change) {
		r.t.Fatalf("no credential %q", letter)
	}
}

// fact is something that is held against a credential.
type fact struct {
	letter, what string
	rest         time.Duration // since the begin of the test
}

// facts lists what is held against credentials: off, rests, model (one of its models rests), blind.
func (r *rig) facts(since time.Time) (all []fact) {
	now := r.clock.now()
	for _, s := range r.pool.Status() {
		letter := strings.TrimSuffix(s.ID, ".json")
		if s.Disabled {
			all = append(all, fact{letter, "off", 0})
			r.t.Logf("%s: %s", letter, s.Reason)
			if s.Reason == "" {
				r.t.Errorf("%s is off and nobody knows why", letter)
			}
		}
		if s.CoolingUntil.After(now) {
			all = append(all, fact{letter, "rests", s.CoolingUntil.Sub(since)})
		}
		for _, m := range s.Models {
			all = append(all, fact{letter, "model", m.Until.Sub(since)})
		}
		if s.NoPreview {
			all = append(all, fact{letter, "blind", 0})
		}
	}
	return all
}

// tunnel is a proxy that counts what goes through.
func tunnel(t testing.TB) (address string, served func() int) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	n := 0
	s := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		mu.Lock()
		n++
		mu.Unlock()
		there, err := net.Dial("tcp", q.Host)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		w.WriteHeader(http.StatusOK)
		here, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			_ = there.Close()
			return
		}
		go func() { _, _ = io.Copy(there, here); _ = there.Close() }()
		_, _ = io.Copy(here, there)
		_ = here.Close()
	})}
	go func() { _ = s.Serve(ln) }()
	t.Cleanup(func() { _ = s.Close() })
	return "http://" + ln.Addr().String(), func() int { mu.Lock(); defer mu.Unlock(); return n }
}

func letters(text string) []string { return slices.Collect(strings.SplitSeq(text, "")) }
