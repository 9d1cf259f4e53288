package server_test

import (
	"encoding/json"
	"math"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gcli2api/pipeline/simulator"
)

// Gateways whose clocks are ten minutes apart, each by five from the true time, share everything as others do.
func TestClocksApart(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, of engine) {
		sim := google(t, 2, 0)
		env := of.env(t)
		node := func(shift string) *gateway {
			all := map[string]string{"CLOCK_SHIFT": shift, "RETRY_429_INTERVAL": "0.01", "OAUTH_CLIENT_ID": simulator.ClientID,
				"OAUTH_CLIENT_SECRET": simulator.ClientSecret, "OAUTH_AUTH_URL": sim.URL() + "/o/oauth2/v2/auth"}
			for name, value := range env {
				all[name] = value
			}
			return start(t, launch{sim: sim, accounts: 2, shifted: true, env: all})
		}
		fast, slow := node("5m"), node("-5m")
		pairs := map[string][2]*gateway{"from fast to slow": {fast, slow}, "from slow to fast": {slow, fast}}

		t.Run("the list of nodes says so", func(t *testing.T) {
			wait(t, "both are up", func() bool {
				var got struct {
					Nodes []struct {
						This  bool
						State string
						Ahead float64 `json:"clock_ahead"`
						Up    float64
					}
				}
				if err := json.Unmarshal(fast.get("/nodes").body, &got); err != nil || len(got.Nodes) != 2 || got.Nodes[1].State != "up" {
					return false
				}
				if a, b := got.Nodes[0], got.Nodes[1]; math.Abs(a.Ahead-300) > 2 || math.Abs(b.Ahead+300) > 2 || a.Up > 120 || b.Up > 120 {
					t.Fatalf("%+v", got)
				}
				return true
			})
		})
		for name, pair := range pairs {
			a, b := pair[0], pair[1]
			t.Run(name, func(t *testing.T) {
				var session struct{ Token string }
				_ = json.Unmarshal(a.must("POST", "/auth/login", `{"password":`+quoted(secret)+`}`).body, &session)
				b.must("GET", "/nodes", "", header("Authorization", "Bearer "+session.Token))

				there := browse(t, a)
				begun := there.post("/auth/start", map[string]any{})
				there.g = b
				if got := there.post("/auth/callback-url", map[string]any{"callback_url": there.comeBack(begun.AuthURL)}); got.status != 200 {
					t.Errorf("sign-in: %d %s", got.status, got.text)
				}

				first := a.respond(`{"model":"gemini-2.5-flash","input":"my name is Ann"}`)
				b.respond(`{"model":"gemini-2.5-flash","input":"go on","previous_response_id":"` + first + `"}`)
				if last := string(lastCall(sim).Body); !strings.Contains(last, "my name is Ann") {
					t.Errorf("the response was forgotten: %s", last)
				}

				if r := a.put(ask{}, "hello"); r.status != 200 {
					t.Fatalf("%d %s", r.status, r.body)
				}
				sim.ForgetCalls()
				for range 6 { // a token that the other one got is as old as it is
					b.put(ask{}, "hello")
				}
				if n := len(sim.CallsOf("token")); n > 0 {
					t.Errorf("%d refreshes of tokens that are new", n)
				}
			})
		}
		t.Run("limits by the minute", func(t *testing.T) {
			_, key := fast.makeKey(`{"total_quota": 100000, "requests_per_minute": 20}`)
			var served atomic.Int64
			var all sync.WaitGroup
			for _, g := range []*gateway{fast, slow, fast, slow} {
				all.Go(func() {
					for range 20 {
						path, body := (ask{}).http(flash, "hello")
						switch r := g.post(path, body, func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+key) }); r.status {
						case 200:
							served.Add(1)
						case 429:
						default:
							t.Errorf("%d %s", r.status, r.body)
						}
					}
				})
			}
			all.Wait()
			if n := served.Load(); n != 20 {
				t.Errorf("%d requests within a minute, of 20", n)
			}
		})
		t.Run("rests", func(t *testing.T) {
			sim.Script(simulator.Fault{Do: "429-reset 40s", Credential: "ann0@example.com", Count: -1})
			left := func(g *gateway) float64 {
				var got struct {
					Creds map[string]struct {
						Models []struct{ Until float64 } `json:"model_cooldowns"`
					}
				}
				_ = json.Unmarshal(g.get("/creds/status").body, &got)
				for _, m := range got.Creds["ann0.json"].Models {
					return m.Until - float64(time.Now().Unix())
				}
				return 0
			}
			wait(t, "it rests on the fast one", func() bool {
				fast.put(ask{}, "hello")
				return left(fast) != 0
			})
			wait(t, "it rests on the slow one", func() bool { return left(slow) != 0 })
			if a, b := left(fast), left(slow); a < 20 || a > 41 || a != b && math.Abs(a-b) > 1 {
				t.Errorf("it rests for %v s on the fast one and %v s on the slow one", a, b)
			}
		})
	})
}
