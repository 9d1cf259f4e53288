package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gcli2api/pipeline/simulator"
	"gcli2api/store/storetest/servers"
)

// engine is a database that several gateways share.
type engine struct {
	name string
	env  func(t *testing.T) map[string]string
	soon time.Duration // within which a change is to be seen by other nodes
}

func engines() []engine {
	variable := func(name string, address func(t *testing.T) string) func(*testing.T) map[string]string {
		return func(t *testing.T) map[string]string { return map[string]string{name: address(t)} }
	}
	return []engine{
		{"Redis", variable("REDIS_URI", func(t *testing.T) string { return servers.Redis(t).Address() }), time.Second},
		{"Postgres", variable("POSTGRES_DSN", func(t *testing.T) string { return servers.Postgres(t).Address() }), time.Second},
		{"MongoDB", func(t *testing.T) map[string]string {
			s := servers.Mongo(t)
			return map[string]string{"MONGODB_URI": s.Address(), "MONGODB_DATABASE": s.Name()}
		}, 5 * time.Second},
	}
}

// crowd is several gateways on one database.
type crowd struct {
	t     *testing.T
	of    engine
	sim   *simulator.Server
	nodes []*gateway
	busy  []time.Duration // what a request took meanwhile that needs no database
}

func crowdOf(t *testing.T, of engine, n int, l launch) *crowd {
	t.Helper()
	c := &crowd{t: t, of: of, sim: l.sim}
	env := of.env(t)
	for name, value := range l.env {
		env[name] = value
	}
	for range n {
		one := l
		one.env = env
		c.nodes = append(c.nodes, start(t, one))
	}
	return c
}

// seen waits until a change that was answered just now is seen, and says how long that took.
func (c *crowd) seen(what string, is func() bool) time.Duration {
	c.t.Helper()
	begun := time.Now()
	wait(c.t, what, is)
	took := time.Since(begun)
	now := time.Now()
	c.nodes[1].get("/health")
	c.busy = append(c.busy, time.Since(now))
	return took
}

// delays holds how long changes took to be seen against what the engine is to do. The median is looked at: a busy
// machine may be late now and then. One that is so busy that a request takes longer than 5 ms gets more time, a
// hundred times what is beyond them.
func (c *crowd) delays(what string, all []time.Duration) {
	c.t.Helper()
	slices.Sort(all)
	c.t.Logf("%-10s %-28s median %6.1f ms, longest %6.1f ms of %d", c.of.name, what, ms(all[len(all)/2]), ms(all[len(all)-1]), len(all))
	slices.Sort(c.busy)
	late := 100 * max(0, c.busy[len(c.busy)/2]-5*time.Millisecond)
	if all[len(all)/2] > c.of.soon+late {
		c.t.Errorf("%s: %s is seen after %v, not within %v, nor %v more for a busy machine", c.of.name, what, all[len(all)/2], c.of.soon, late)
	}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func (g *gateway) must(method, path, body string, change ...func(*http.Request)) reply {
	g.t.Helper()
	r := g.do(method, path, body, change...)
	if r.status != 200 {
		g.t.Fatalf("%s %s: %d %s", method, path, r.status, r.body)
	}
	return r
}

// eachEngine runs a test on every database that there is.
func eachEngine(t *testing.T, f func(t *testing.T, of engine)) {
	for _, of := range engines() {
		t.Run(of.name, func(t *testing.T) {
			t.Parallel()
			f(t, of)
		})
	}
}

// What one gateway learns about a credential, the others know.
func TestNodesShareCredentialStates(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, of engine) {
		sim := google(t, 3, 0)
		c := crowdOf(t, of, 2, launch{sim: sim, accounts: 3, env: map[string]string{"RETRY_429_INTERVAL": "0.01"}})
		a, b := c.nodes[0], c.nodes[1]
		sim.Script(simulator.Fault{Do: "403-tos", Credential: "ann0@example.com", Count: -1})
		if r := a.put(ask{}, "hello"); r.status != 200 || pattern(sim) != "ab" {
			t.Fatalf("%d %s, calls %s", r.status, r.body, pattern(sim))
		}
		banned := func() bool { off, _, _ := b.off("ann0.json"); return off }
		c.delays("ban", []time.Duration{c.seen("the ban is known on the other node", banned)})
		sim.ForgetCalls()
		for range 6 {
			b.put(ask{}, "hello")
		}
		if got := users(sim); len(got) == 0 || got["ann0@example.com"] {
			t.Errorf("a banned credential is used: %v", got)
		}

		sim.Script(simulator.Fault{Do: "429-quota 13h", Credential: "ann1@example.com", Count: 1})
		rests := func() bool {
			r := b.get("/creds/detail?filename=ann1.json")
			return strings.Contains(string(r.body), "429") && strings.Contains(string(r.body), "cooldown")
		}
		wait(t, "the other credential rests on the first node", func() bool {
			a.put(ask{}, "hello")
			return slices.ContainsFunc(sim.CallsOf("generateContent"), func(c simulator.Call) bool { return c.Status == 429 })
		})
		c.delays("cooldown", []time.Duration{c.seen("the rest is known on the other node", rests)})
		sim.ForgetCalls()
		for range 6 {
			b.put(ask{}, "hello")
		}
		if got := users(sim); len(got) != 1 || !got["ann2@example.com"] {
			t.Errorf("a credential that rests is used: %v", got)
		}
	})
}

// A credential that is added or deleted on one gateway is so on the others, which have no file of it.
func TestNodesShareUploads(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, of engine) {
		sim := google(t, 2, 0)
		c := crowdOf(t, of, 2, launch{sim: sim})
		a, b := c.nodes[0], c.nodes[1]
		has := func(g *gateway, name string) func() bool {
			return func() bool { return strings.Contains(string(g.get("/creds/status").body), `"filename":`+quoted(name)) }
		}
		file := string(sim.CredentialFile("ann1@example.com", simulator.LayoutGateway))
		a.must("POST", "/creds/add", file)
		var all struct {
			Creds map[string]any
		}
		if err := json.Unmarshal(a.get("/creds/status").body, &all); err != nil || len(all.Creds) != 1 {
			t.Fatalf("%v: %v", err, all)
		}
		for name := range all.Creds {
			c.delays("credential added", []time.Duration{c.seen("the credential is on the other node", has(b, name))})
			if r := b.put(ask{}, "hello"); r.status != 200 {
				t.Errorf("it does not serve: %d %s", r.status, r.body)
			}
			a.must("POST", "/creds/action", `{"filename":`+quoted(name)+`,"action":"delete"}`)
			c.delays("credential deleted", []time.Duration{c.seen("it is gone on the other node", func() bool { return !has(b, name)() })})
		}
	})
}

// users are the credentials that Google was called with.
func users(sim *simulator.Server) map[string]bool {
	all := map[string]bool{}
	for _, c := range sim.CallsOf("generateContent") {
		all[c.Credential] = true
	}
	return all
}

// A change of the operator's on one gateway counts on the others.
func TestNodesShareWhatTheOperatorSays(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, of engine) {
		sim := google(t, 1, 0)
		c := crowdOf(t, of, 2, launch{sim: sim, accounts: 1})
		a, b := c.nodes[0], c.nodes[1]
		id, key := a.makeKey(`{"total_quota": 100000}`)
		asks := func(status int) func() bool {
			return func() bool {
				path, body := (ask{}).http(flash, "hello")
				return b.post(path, body, header("Authorization", "Bearer "+key)).status == status
			}
		}
		if !asks(200)() {
			t.Fatal("a key of the first node does not open the second one")
		}
		var keys, topUps, costs, settings []time.Duration
		for i := range 10 {
			a.must("PATCH", "/auth/keys/"+id, fmt.Sprintf(`{"enabled": %v}`, i%2 == 1))
			keys = append(keys, c.seen("the key is switched", asks([]int{401, 200}[i%2])))
			a.must("POST", "/auth/keys/"+id+"/top-up", `{"units": 7}`)
			topUps = append(topUps, c.seen("the top-up", func() bool {
				return strings.Contains(string(b.get("/auth/keys/"+id).body), fmt.Sprintf(`"total_quota":%d,`, 100_000+7*(i+1)))
			}))
			a.must("POST", "/auth/models/costs", fmt.Sprintf(`{"model_name": "gemini-2.5-flash", "cost": %d}`, i+20))
			costs = append(costs, c.seen("the cost", func() bool {
				return strings.Contains(string(b.get("/auth/models/gemini-2.5-flash/cost").body), fmt.Sprintf(`"cost":%d,`, i+20))
			}))
			a.must("POST", "/config/save", fmt.Sprintf(`{"config": {"server.public_models": %v}}`, i%2 == 0))
			settings = append(settings, c.seen("the setting", func() bool {
				return b.get("/v1/models", header("Authorization")).status == []int{200, 401}[i%2]
			}))
		}
		c.delays("key switched off or on", keys)
		c.delays("key topped up", topUps)
		c.delays("cost", costs)
		c.delays("setting", settings)
	})
}

// A session, a sign-in, a dialogue and a response begun on one gateway go on on another.
func TestNodesShareWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, of engine) {
		sim := google(t, 1, 0)
		c := crowdOf(t, of, 2, launch{sim: sim, accounts: 1, env: map[string]string{"OAUTH_CLIENT_ID": simulator.ClientID, "OAUTH_CLIENT_SECRET": simulator.ClientSecret,
			"OAUTH_AUTH_URL": sim.URL() + "/o/oauth2/v2/auth"}})
		a, b := c.nodes[0], c.nodes[1]
		t.Run("sessions", func(t *testing.T) {
			begin := func() func(*http.Request) {
				var got struct{ Token string }
				if r := a.must("POST", "/auth/login", `{"password":`+quoted(secret)+`}`, header("Authorization")); json.Unmarshal(r.body, &got) != nil || got.Token == "" {
					t.Fatalf("%s", r.body)
				}
				return header("Authorization", "Bearer "+got.Token)
			}
			one, two := begin(), begin()
			b.must("GET", "/nodes", "", one)
			b.must("GET", "/nodes", "", two)
			a.must("POST", "/auth/logout", "", one)
			ended := func(by func(*http.Request)) func() bool {
				return func() bool { return b.get("/nodes", by).status == 401 }
			}
			c.delays("session ended", []time.Duration{c.seen("the session is over", ended(one))})
			b.must("GET", "/nodes", "", two)
			a.must("POST", "/auth/logout", `{"everywhere": true}`)
			c.delays("all sessions ended", []time.Duration{c.seen("all sessions are over", ended(two))})
		})
		t.Run("sign-in", func(t *testing.T) {
			there := browse(t, a)
			begun := there.post("/auth/start", map[string]any{})
			there.g = b
			if got := there.post("/auth/callback-url", map[string]any{"callback_url": there.comeBack(begun.AuthURL)}); got.status != 200 || got.Credentials == nil {
				t.Errorf("%d %s", got.status, got.text)
			}
		})
		t.Run("thought signatures", func(t *testing.T) {
			agent := chatAgent()
			items := []any{agent.user("call get_weather {}")}
			turn := func(g *gateway) reply {
				body := agent.head("gemini-3-flash-preview")
				body["messages"] = items
				return g.post(agent.path, mustJSON(t, body))
			}
			said, calls, _ := agent.read(t, turn(a))
			items = append(append(items, said...), agent.result(calls[0], "warm"))
			if r := turn(b); r.status != 200 {
				t.Fatalf("%d %s", r.status, r.body)
			}
			if body := string(lastCall(sim).Body); !strings.Contains(body, "thoughtSignature") || strings.Contains(body, simulator.Sentinel) {
				t.Errorf("the signature is lost: %s", body)
			}
		})
		t.Run("responses", func(t *testing.T) {
			first := a.respond(`{"model":"gemini-2.5-flash","input":"my name is Ann"}`)
			b.respond(`{"model":"gemini-2.5-flash","input":"!describe","previous_response_id":"` + first + `"}`)
			if last := string(lastCall(sim).Body); !strings.Contains(last, "my name is Ann") {
				t.Errorf("it was forgotten: %s", last)
			}
		})
	})
}

// However many requests come to however many gateways with a token that has run out, one asks for a new one.
func TestNodesRefreshOnce(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, of engine) {
		sim := google(t, 1, 0)
		c := crowdOf(t, of, 3, launch{sim: sim, accounts: 1, light: true, env: map[string]string{"LOG_LEVEL": "debug"}})
		without := func() (n int) { // a store that does not answer within a second is no reason to let calls wait
			for _, g := range c.nodes {
				n += strings.Count(g.read("gateway.log"), "no lease on a refresh")
			}
			return n
		}
		for _, g := range c.nodes {
			if r := g.put(ask{}, "hello"); r.status != 200 {
				t.Fatalf("%d %s", r.status, r.body)
			}
		}
		for round := range 3 {
			sim.ForgetCalls()
			sim.ExpireTokens("ann0@example.com")
			var all sync.WaitGroup
			for _, g := range c.nodes {
				for range 8 {
					all.Go(func() {
						if r := g.put(ask{}, "hello"); r.status != 200 {
							t.Errorf("%d %s", r.status, r.body)
						}
					})
				}
			}
			all.Wait()
			if n := len(sim.CallsOf("token")); n < 1 || n > 1+without() {
				t.Errorf("round %d: %d refreshes", round, n)
			}
		}
	})
}

// Each gateway knows of the others: what they run, which settings they have, what was wrong with them, and that
// one is gone.
func TestNodesAreListed(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, of engine) {
		sim := google(t, 1, 0)
		c := crowdOf(t, of, 3, launch{sim: sim, accounts: 1, config: "[log]\nlevel = \"debug\"\n", dirty: true, light: true})
		type row struct {
			This      bool
			State     string
			Address   string
			Version   string
			Revision  int64
			LastError string `json:"last_error"`
		}
		look := func(g *gateway) (rows []row, summary string) {
			var got struct {
				Nodes   []row
				Summary string
			}
			if r := g.get("/nodes"); json.Unmarshal(r.body, &got) != nil || strings.Contains(string(r.body), secret) {
				t.Fatalf("%d %s", r.status, r.body)
			}
			return got.Nodes, got.Summary
		}
		c.nodes[0].must("POST", "/config/save", `{"config": {"calls_per_rotation": 20}}`)
		for _, g := range c.nodes {
			wait(t, "all are listed, on one revision", func() bool {
				rows, summary := look(g)
				up := 0
				for _, r := range rows {
					if r.State == "up" && r.Version != "" && r.Address != "" && r.This == strings.HasSuffix(g.url, r.Address) {
						up++
					}
				}
				return summary == "3 of 3 nodes on revision 1" && up == 3
			})
		}
		c.nodes[1].reload("[log]\nlevel = \"loud\"\n", "old ones stay")
		wait(t, "the error of a reload is seen", func() bool {
			rows, _ := look(c.nodes[0])
			return slices.ContainsFunc(rows, func(r row) bool {
				return strings.HasSuffix(c.nodes[1].url, r.Address) && strings.Contains(r.LastError, "log.level")
			})
		})
		c.nodes[1].signal(syscall.SIGTERM)
		<-c.nodes[1].ended
		wait(t, "who has stopped is not listed", func() bool { rows, _ := look(c.nodes[0]); return len(rows) == 2 })
		_ = c.nodes[2].cmd.Process.Kill()
		<-c.nodes[2].ended
		wait(t, "who was killed is gone", func() bool {
			rows, summary := look(c.nodes[0])
			return len(rows) == 2 && rows[1].State == "gone" && summary == "1 node, on revision 1"
		})
	})
}
