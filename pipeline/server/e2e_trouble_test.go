package server_test

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gcli2api/store/storetest/faults"
	"gcli2api/store/storetest/servers"
)

// shaky is a gateway whose database is behind a proxy that makes trouble.
type shaky struct {
	*gateway
	proxy *faults.Proxy
	of    unsteady
}

// unsteady is a database and what can happen to it beside its connections.
type unsteady struct {
	name, variable string
	address        string
	port           int
	troubles       []trouble
}

type trouble struct {
	name        string
	begin, heal func()
}

func unsteadyRedis(t *testing.T) unsteady {
	r := servers.Redis(t, "appendonly", "yes", "appendfsync", "always")
	return unsteady{"Redis", "REDIS_URI", r.Address(), r.Port, []trouble{
		{"hangs", func() { r.Signal(syscall.SIGSTOP) }, func() { r.Signal(syscall.SIGCONT) }},
		{"killed", func() { r.Kill() }, func() { r.Start(t) }},
	}}
}

func unsteadyPostgres(t *testing.T) unsteady {
	p := servers.Postgres(t)
	return unsteady{"Postgres", "POSTGRES_DSN", p.Address(), p.Port, []trouble{{"stopped", p.Stop, func() { p.Restart(t) }}}}
}

func startShaky(t *testing.T, of unsteady, l launch) *shaky {
	t.Helper()
	s := &shaky{of: of}
	s.proxy = faults.Start(t, net.JoinHostPort("127.0.0.1", strconv.Itoa(of.port)))
	env := map[string]string{of.variable: strings.Replace(of.address, fmt.Sprintf("127.0.0.1:%d", of.port), s.proxy.Addr(), 1), "STORE_TIMEOUT": "4s"}
	for name, value := range l.env {
		env[name] = value
	}
	l.env = env
	s.gateway = start(t, l)
	return s
}

// storage is what the operator sees of the database.
type storage struct {
	Engine   string
	Up       bool
	Error    string `json:"last_error"`
	Failures int64
	Refused  int64
}

func (s *shaky) storage() (now storage) {
	s.t.Helper()
	mustRead(s.t.(*testing.T), s.get("/storage"), &now)
	return now
}

func (s *shaky) isUp(up bool) func() bool {
	return func() bool {
		health := s.get("/health", header("Authorization"))
		return health.status == 200 && strings.Contains(string(health.body), fmt.Sprintf(`"engine":%q,"up":%v`, s.of.name, up)) && s.storage().Up == up
	}
}

// flow makes requests by password until stop, and says how many were served. None may fail.
type flow struct {
	served atomic.Int64
	slow   atomic.Int64 // the longest, in nanoseconds
	stop   chan struct{}
	all    sync.WaitGroup
}

func (s *shaky) flow() *flow {
	f := &flow{stop: make(chan struct{})}
	for i := range 4 {
		f.all.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-f.stop:
					return
				default:
				}
				begun := time.Now()
				if r := s.put(asks()[n%len(asks())], fmt.Sprintf("hello %d %d", i, n)); r.status != 200 {
					s.t.Errorf("request %d of %d: %d %s", n, i, r.status, r.body)
					return
				}
				f.served.Add(1)
				if took := int64(time.Since(begun)); took > f.slow.Load() {
					f.slow.Store(took)
				}
				time.Sleep(5 * time.Millisecond) // a load, not a benchmark
			}
		})
	}
	return f
}

// withKey is a request of a caller that is charged.
func (s *shaky) withKey(key string) reply {
	s.t.Helper()
	path, body := ask{}.http(flash, "with a key")
	return s.post(path, body, header("Authorization", "Bearer "+key))
}

func (f *flow) end() int64 {
	close(f.stop)
	f.all.Wait()
	return f.served.Load()
}

// more waits until so many more requests were served.
func (f *flow) more(t *testing.T, n int64) {
	t.Helper()
	from := f.served.Load()
	wait(t, "requests go on being served", func() bool { return t.Failed() || f.served.Load() >= from+n })
}

// counted is what the statistics say of callers with the password, and of calls to Google.
func (s *shaky) counted() (requests, calls, errors int64) {
	s.t.Helper()
	var f struct {
		Data struct {
			Keys, Credentials []struct {
				Who           string
				Calls, Errors int64
			}
		}
	}
	if err := json.Unmarshal(s.get("/usage/figures").body, &f); err != nil {
		s.t.Fatal(err)
	}
	for _, k := range f.Data.Keys {
		if k.Who != "password" {
			continue
		}
		requests, errors = requests+k.Calls, errors+k.Errors
	}
	for _, c := range f.Data.Credentials {
		calls, errors = calls+c.Calls, errors+c.Errors
	}
	return requests, calls, errors
}

// TestDatabaseAway: whatever happens to the database, callers with the password are served, the gateway finds
// back by itself, and afterwards each request is counted once, also for a gateway that is started anew.
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	for name, of := range map[string]func(*testing.T) unsteady{"Redis": unsteadyRedis, "Postgres": unsteadyPostgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			databaseAway(t, of(t))
		})
	}
}

func databaseAway(t *testing.T, of unsteady) {
	away := 2 * time.Second
	if by, err := time.ParseDuration(os.Getenv("GCLI_TEST_AWAY")); err == nil {
		away = by
	}
	sim := google(t, 2, 0)
	s := startShaky(t, of, launch{sim: sim, accounts: 2, light: true})
	_, key := s.makeKey(`{"total_quota": 1000}`)
	f := s.flow()
	f.more(t, 20)
	troubles := append([]trouble{
		{"refused", s.proxy.Away, func() { s.proxy.Heal(t) }},
		{"swallowed", s.proxy.Swallow, func() { s.proxy.Heal(t) }},
	}, of.troubles...)
	for _, trouble := range troubles {
		begun := time.Now()
		trouble.begin()
		wait(t, trouble.name+": the circuit is open", s.isUp(false))
		if r := s.withKey(key); r.status != 503 || r.header.Get("Retry-After") == "" {
			t.Errorf("%s: a caller with a key got %d %v %s", trouble.name, r.status, r.header, r.body)
		}
		f.more(t, 40)
		time.Sleep(away - time.Since(begun))
		if now := s.storage(); now.Error == "" || now.Failures == 0 {
			t.Errorf("%s: %+v", trouble.name, now)
		}
		trouble.heal()
		wait(t, trouble.name+": it is back", s.isUp(true))
		if r := s.withKey(key); r.status != 200 {
			t.Errorf("%s: afterwards a caller with a key got %d %s", trouble.name, r.status, r.body)
		}
		f.more(t, 20)
		t.Logf("%s: away for %v, longest request %v", trouble.name, time.Since(begun).Round(time.Millisecond), time.Duration(f.slow.Load()).Round(time.Millisecond))
	}
	// Each answer to a batch of figures is lost for a while, after it was added.
	s.proxy.Reset(faults.Reset{Saying: "usage/", Answers: true})
	f.more(t, 40)
	wait(t, "answers were lost", func() bool { return s.proxy.Resets() >= 3 || t.Failed() })
	s.proxy.Heal(t)
	wait(t, "it is back", s.isUp(true))
	served := f.end()
	s.settled()
	exact := func(g *shaky) {
		t.Helper()
		wait(t, "figures", func() bool { requests, _, _ := g.counted(); return requests >= served })
		if requests, calls, errors := g.counted(); requests != served || calls != served+int64(len(troubles)) || errors != 0 {
			t.Errorf("%d requests and %d calls with %d errors counted of %d", requests, calls, errors, served)
		}
	}
	exact(s)
	if log := s.read("gateway.log"); strings.Count(log, "the database is away") < len(troubles) || strings.Count(log, "the database is away") != strings.Count(log, "the database is back") {
		t.Error("the log does not say when it was away and when it was back")
	}
	s.close(false)
	other := *s
	other.gateway = start(t, launch{sim: sim, dir: s.dir, light: true, env: map[string]string{of.variable: of.address}})
	exact(&other)
}

// TestStartsLate: a database that comes while a start waits for it is used; a signal ends the wait.
func TestStartsLate(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	redis := servers.Redis(t)
	redis.Kill()
	env := map[string]string{"REDIS_URI": redis.Address(), "STORE_WAIT": "60s"}
	waits := func(g *gateway) func() bool {
		return func() bool { return strings.Contains(g.stderr.String()+g.stdout.String(), "trying again") }
	}
	g := spawn(t, launch{sim: sim, accounts: 1, light: true, env: env})
	wait(t, "it waits", waits(g))
	_ = g.cmd.Process.Signal(syscall.SIGTERM)
	if <-g.ended; g.code != 1 || !strings.Contains(g.stderr.String(), "stopped while waiting for Redis") {
		t.Errorf("exit %d: %s", g.code, g.stderr.String())
	}
	g = spawn(t, launch{sim: sim, accounts: 1, light: true, env: env})
	wait(t, "it waits", waits(g))
	redis.Start(t)
	if !g.waitLine("listens on ") {
		t.Fatal(g.stderr.String())
	}
	t.Cleanup(func() { g.close(false) })
	if r := g.put(ask{}, "hello"); r.status != 200 {
		t.Error(r.status, string(r.body))
	}
}

// TestSlowDatabase adds nothing to callers with the password: their answers are there before the database has
// said anything. It takes so long that no machine is as slow as one who waits for it.
func TestSlowDatabase(t *testing.T) {
	t.Parallel()
	sim := google(t, 2, 0)
	s := startShaky(t, unsteadyRedis(t), launch{sim: sim, accounts: 2, light: true, env: map[string]string{"STORE_TIMEOUT": "60s"}})
	for _, a := range asks() { // sign-ins, models: what is done once
		s.put(a, "warm")
	}
	s.settled()
	for name, ask := range map[string]func(){
		"chat":  func() { s.put(asks()[0], "hello") },
		"tools": func() { s.dialogue(t) },
	} {
		const n = 10
		run := func() time.Duration {
			begun := time.Now()
			for range n {
				ask()
			}
			return time.Since(begun)
		}
		quick := run()
		s.proxy.Delay(3*time.Second, 3*time.Second)
		slow := run()
		s.proxy.Heal(t)
		t.Logf("%s: %d requests in %v, with a slow database in %v", name, n, quick.Round(time.Millisecond), slow.Round(time.Millisecond))
		if slow > quick+n*3*time.Second { // half of what one round trip each comes to
			t.Errorf("%s waits for the database: %v in the place of %v", name, slow, quick)
		}
	}
}

// dialogue is two turns of an agent with a tool in between: the second needs what the gateway remembers of the
// first.
func (s *shaky) dialogue(t *testing.T) {
	t.Helper()
	a := chatAgent()
	items := []any{a.user(`call get_weather {"city":"Oslo"}`)}
	turn := func() (calls []agentCall, text string) {
		body := a.head("gemini-3-flash-preview")
		for name, value := range a.history(items) {
			body[name] = value
		}
		raw, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		more, calls, text := a.read(t, s.post(a.path, string(raw)))
		items = append(items, more...)
		return calls, text
	}
	calls, _ := turn()
	if len(calls) != 1 {
		t.Fatalf("%d calls", len(calls))
	}
	items = append(items, a.result(calls[0], `{"degrees":3}`))
	if calls, text := turn(); len(calls) != 0 || text == "" {
		t.Errorf("%d calls, %q", len(calls), text)
	}
}
