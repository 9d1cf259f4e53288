package server_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gcli2api/store/storetest/faults"
)

func byKey(key string) func(*http.Request) { return header("Authorization", "Bearer "+key) }

// TestKeysWhileTheDatabaseIsAway: callers with a key get 503 and are told when to come again, in each format;
// what costs nothing is served, and each answer is charged once.
func TestKeysWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	s := startShaky(t, unsteadyRedis(t), launch{sim: google(t, 0, 2), keys: 2, light: true})
	key, _ := s.newKey(`{"total_quota": 100000}`)
	if r := s.get("/auth/quota", byKey(key)); r.status != 200 {
		t.Fatal(r.status)
	}
	s.proxy.Away()
	begun := time.Now()
	path, body := (ask{}).http(flash, "hello")
	if r := s.post(path, body, byKey(key)); r.status != 503 || time.Since(begun) > 3*time.Second {
		t.Errorf("%d after %v", r.status, time.Since(begun))
	}
	wait(t, "the circuit is open", s.isUp(false))
	for _, f := range formatsOfClients() {
		r := f.ask(s.gateway, byKey(key))
		if f.body == "" || strings.Contains(f.name, "count") {
			if r.status != 200 {
				t.Errorf("%s, which is free: %d %s", f.name, r.status, r.body)
			}
			continue
		}
		seconds, err := strconv.Atoi(r.header.Get("Retry-After"))
		if r.status != 503 || err != nil || seconds < 1 || r.header.Get("X-Should-Retry") == "false" {
			t.Errorf("%s: %d, Retry-After %q: %s", f.name, r.status, r.header.Get("Retry-After"), r.body)
		}
		if said := messageOf(t, r); said == "" || strings.Contains(said, "127.0.0.1") {
			t.Errorf("%s says %q", f.name, said)
		}
	}
	other := "sk-" + strings.Repeat("a", 43) // another node may have made it just now
	for secret, status := range map[string]int{other: 503, "sk-wrong": 401, s.pass: 200} {
		if r := s.post(path, body, byKey(secret)); r.status != status || status == 503 && r.header.Get("Retry-After") == "" {
			t.Errorf("%d, want %d: %s", r.status, status, r.body)
		}
	}
	s.proxy.Heal(t)
	wait(t, "it is back", s.isUp(true))
	wait(t, "a wrong key is wrong", func() bool { return s.post(path, body, byKey(other)).status == 401 })
	before := s.usedOf(key)
	if r := s.post(path, body, byKey(key)); r.status != 200 || s.usedOf(key) <= before {
		t.Errorf("%d, %d units after %d", r.status, s.usedOf(key), before)
	}
}

// TestGraceOfADatabase: what was taken before is spent while Redis is down, switched on and off without a restart.
func TestGraceOfADatabase(t *testing.T) {
	t.Parallel()
	s := startShaky(t, unsteadyRedis(t), launch{sim: google(t, 0, 2), keys: 2, light: true})
	s.must("POST", "/auth/models/costs", `{"model_name": "`+flash+`", "cost": 1}`)
	key, _ := s.newKey(`{"total_quota": 100000}`)
	path, body := (ask{}).http(flash, "hello")
	chat := func() int { return s.post(path, body, byKey(key)).status }
	s.must("POST", "/config/save", `{"config": {"store.grace": "60s"}}`)
	if status := chat(); status != 200 {
		t.Fatal(status)
	}
	wait(t, "ten calls are taken ahead", func() bool { return s.usedOf(key) == 11 })
	killed := s.of.troubles[1]
	killed.begin()
	served := int64(1)
	for ; chat() == 200; served++ {
		if served > 100 {
			t.Fatal("more is served than was taken")
		}
	}
	if served != 11 {
		t.Errorf("%d calls were served, 11 had been paid for", served)
	}
	killed.heal()
	wait(t, "it is back", s.isUp(true))
	s.must("POST", "/config/save", `{"config": {"store.grace": "0s"}}`)
	wait(t, "what was not spent is given back", func() bool { return s.usedOf(key) == served })
	if status := chat(); status != 200 || s.usedOf(key) != served+1 {
		t.Errorf("%d, %d units", status, s.usedOf(key))
	}
}

// TestSlowDatabaseOfKeys adds one round trip to callers with a key, whatever its limits are.
func TestSlowDatabaseOfKeys(t *testing.T) {
	t.Parallel()
	s := startShaky(t, unsteadyRedis(t), launch{sim: google(t, 0, 2), keys: 2, light: true, env: map[string]string{"STORE_TIMEOUT": "60s"}})
	path, body := (ask{}).http(flash, "hello")
	for _, kind := range [][2]string{{"a quota", ""}, {"a day", `, "daily_quota": 50000`},
		{"limits", `, "daily_quota": 50000, "requests_per_minute": 1000, "tokens_per_minute": 1000000, "concurrency": 5`}} {
		key, _ := s.newKey(`{"total_quota": 100000` + kind[1] + `}`)
		run := func() (n, took time.Duration) {
			begun := time.Now()
			for n = range 3 {
				if r := s.post(path, body, byKey(key)); r.status != 200 {
					t.Fatalf("%d %s", r.status, r.body)
				}
			}
			return n + 1, time.Since(begun)
		}
		run()
		_, quick := run()
		trip := 2 * time.Second // far more than a busy machine takes for anything else
		if kind[0] == "limits" {
			trip = 500 * time.Millisecond // whose look-up is given up after a second
		}
		s.proxy.Delay(trip/2, trip/2)
		n, slow := run()
		s.proxy.Heal(t)
		more := (slow - quick) / n
		t.Logf("%s: %v more for each request, where a round trip takes %v", kind[0], more.Round(time.Millisecond), trip)
		if more > trip*8/5 {
			t.Errorf("%s: each request takes %v more", kind[0], more)
		}
	}
}

// TestCutConnections: of a key with 100 units no more than 100 are served while all connections to the database
// are cut again and again, and what was answered is charged.
func TestCutConnections(t *testing.T) {
	t.Parallel()
	sim := google(t, 0, 2)
	s := startShaky(t, unsteadyRedis(t), launch{sim: sim, keys: 2, light: true, env: map[string]string{"LOG_LEVEL": "error"}})
	s.must("POST", "/auth/models/costs", `{"model_name": "`+flash+`", "cost": 1}`)
	key, _ := s.newKey(`{"total_quota": 100}`)
	stop := make(chan struct{})
	var cuts sync.WaitGroup
	cuts.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(150 * time.Millisecond):
				s.proxy.Cut()
			}
		}
	})
	all := &spenders{key: key, nodes: []*gateway{s.gateway}}
	all.spend(600, 12)
	close(stop)
	cuts.Wait()
	s.proxy.Reset(faults.Reset{Answers: true, Times: 5})
	all.asked.Store(0)
	all.spend(100, 4)
	s.proxy.Heal(t)
	wait(t, "it is back", s.isUp(true))
	served, used := all.served.Load(), s.usedOf(key)
	t.Logf("%d served, %d refused, %d told to come again; %d units used", served, all.of(429), all.of(503), used)
	if served > 100 || used < served || used > 100 || all.broken.Load() > 0 {
		t.Errorf("%d served of 100, %d charged, %d broken", served, used, all.broken.Load())
	}
	if n := fmt.Sprint(served + all.of(429) + all.of(503)); n != "700" {
		t.Errorf("%s of 700 answers", n)
	}
}
