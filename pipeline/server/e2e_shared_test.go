package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// spenders are clients of several gateways with one key.
type spenders struct {
	key    string
	nodes  []*gateway
	dead   atomic.Pointer[gateway]
	over   *http.Transport
	asked  atomic.Int64 // requests begun
	served atomic.Int64 // whole answers
	broken atomic.Int64 // no answer, or half of one
	other  sync.Map     // statuses, with how many
}

func (s *spenders) count(status int) {
	n, _ := s.other.LoadOrStore(status, &atomic.Int64{})
	n.(*atomic.Int64).Add(1)
}

func (s *spenders) of(status int) int64 {
	if n, ok := s.other.Load(status); ok {
		return n.(*atomic.Int64).Load()
	}
	return 0
}

// ask is one request to one of the nodes that live.
func (s *spenders) ask(n int64) {
	g := s.nodes[n%int64(len(s.nodes))]
	if g == s.dead.Load() {
		g = s.nodes[(n+1)%int64(len(s.nodes))]
	}
	path, body := asks()[n%4].http(flash, fmt.Sprint("hello ", n))
	switch status, err := through(s.over, g.request("POST", path, body, header("Authorization", "Bearer "+s.key))); {
	case err != nil:
		s.broken.Add(1)
	case status == 200:
		s.served.Add(1)
	default:
		s.count(status)
	}
}

// spend makes so many requests, some at a time.
func (s *spenders) spend(requests int64, atOnce int) {
	s.over = &http.Transport{MaxIdleConnsPerHost: atOnce, DisableCompression: true}
	defer s.over.CloseIdleConnections()
	var all sync.WaitGroup
	for range atOnce {
		all.Go(func() {
			for n := s.asked.Add(1); n <= requests; n = s.asked.Add(1) {
				s.ask(n)
			}
		})
	}
	all.Wait()
}

// usedOf is what a key has used, as one of the nodes says.
func (g *gateway) usedOf(key string) int64 {
	g.t.Helper()
	var now struct {
		Used int64 `json:"used_quota"`
	}
	r := g.get("/auth/quota", header("Authorization", "Bearer "+key))
	if err := json.Unmarshal(r.body, &now); err != nil || r.status != 200 {
		g.t.Fatalf("%d %v", r.status, err)
	}
	return now.Used
}

// TestThreeGatewaysOneKey: of 2,000 requests of a key with 500 units on three gateways, one of which is killed
// in the middle, no more than 500 are served, and the buyer loses at most what was in flight there.
func TestThreeGatewaysOneKey(t *testing.T) {
	t.Parallel()
	for _, of := range engines() {
		t.Run(of.name, func(t *testing.T) {
			sim := google(t, 3, 0)
			c := crowdOf(t, of, 3, launch{sim: sim, accounts: 3, light: true, dirty: true, env: map[string]string{"LOG_LEVEL": "warn", "STORE_TIMEOUT": "60s"}})
			a, dies := c.nodes[0], c.nodes[2]
			a.must("POST", "/auth/models/costs", `{"model_name": "`+flash+`", "cost": 1}`)
			key, id := a.newKey(`{"total_quota": 500}`)
			for _, g := range c.nodes {
				wait(t, "the cost is known everywhere", func() bool {
					var cost struct{ Cost int64 }
					return json.Unmarshal(g.get("/auth/models/"+flash+"/cost").body, &cost) == nil && cost.Cost == 1
				})
			}
			s := &spenders{key: key, nodes: c.nodes}
			var killed sync.WaitGroup
			killed.Go(func() {
				wait(t, "the middle", func() bool { return s.served.Load() >= 200 })
				_ = dies.cmd.Process.Kill()
				s.dead.Store(dies)
			})
			s.spend(2000, 24)
			killed.Wait()
			calls := int64(len(sim.CallsOf("generateContent", "streamGenerateContent")))
			served, broken, refused := s.served.Load(), s.broken.Load(), s.of(429)
			used := a.usedOf(key)
			t.Logf("%s: %d served, %d broken off by the kill, %d refused; %d units used, %d calls of Google", of.name, served, broken, refused, used, calls)
			if served > 500 || calls > 500 || used > 500 {
				t.Errorf("%d served and %d calls made of 500 units", served, calls)
			}
			if served+broken < 500 || used != 500 {
				t.Errorf("%d units are lost to the buyer, %d were in flight; %d are used", 500-served, broken, used)
			}
			if served+broken+refused != 2000 {
				t.Errorf("%d requests came to something else", 2000-served-broken-refused)
			}
			a.must("POST", "/auth/keys/"+id+"/top-up", `{"units": 3}`) // counts on the other one, at once or soon
			wait(t, "a top-up on the other node", func() bool {
				path, body := (ask{}).http(flash, "hello")
				return c.nodes[1].post(path, body, header("Authorization", "Bearer "+key)).status == 200
			})
		})
	}
}

// TestLimitOverGateways: three gateways on one Redis let a key in no more often than its limit says, together,
// and have no more of its requests under way at a time.
func TestLimitOverGateways(t *testing.T) {
	t.Parallel()
	sim := google(t, 3, 0)
	c := crowdOf(t, engines()[0], 3, launch{sim: sim, accounts: 3, light: true})
	key, _ := c.nodes[0].newKey(`{"total_quota": 100000, "requests_per_minute": 30}`)
	begun := time.Now()
	s := &spenders{key: key, nodes: c.nodes}
	s.spend(600, 12)
	minutes := int64(time.Since(begun)/time.Minute) + 1 // a busy machine may take longer than one
	t.Logf("%d served, %d refused", s.served.Load(), s.of(429))
	if s.served.Load() > 30*minutes || s.served.Load() < 25 || s.served.Load()+s.of(429) != 600 {
		t.Errorf("%d of 600 were served with a limit of 30, %d refused", s.served.Load(), s.of(429))
	}
}
