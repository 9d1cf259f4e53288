package server_test

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gcli2api/pipeline/simulator"
)

// An account has two calls at a time; whoever comes then waits for one of them to end, and leaves
// nothing behind when it will not wait.
func TestTwoCallsAtATime(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	g := start(t, launch{sim: sim, accounts: 1, light: true})
	const takes = 300 * time.Millisecond
	path, body := ask{}.http(flash, "!fault slow-first "+takes.String())
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if r := g.post(path, body); r.status != http.StatusOK {
				t.Errorf("%d %s", r.status, r.body)
			}
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := sim.WaitOpen(ctx, 2); err != nil {
		t.Errorf("never two at a time: %v", err)
	}
	all.Wait()
	calls := sim.CallsOf("generateContent")
	slices.SortFunc(calls, func(a, b simulator.Call) int { return a.Time.Compare(b.Time) })
	for i := range max(0, len(calls)-2) { // the next but one comes when one of the two before it was answered
		if after := calls[i+2].Time.Sub(calls[i].Time); after < takes {
			t.Errorf("call %d comes %s after call %d: three at a time", i+2, after, i)
		}
	}
	if len(calls) != 8 {
		t.Errorf("%d calls", len(calls))
	}
}

// Without patience the answer says how it is, and when to come again. The settings count at once.
func TestAllAreBusy(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	g := start(t, launch{sim: sim, accounts: 1, light: true, config: "[pool]\nqueue_wait = \"0s\"\naccount_concurrency = 1\n"})
	held := g.begin(ask{stream: true}, "!fault silence 60s")
	defer held.Body.Close()
	for _, a := range asks() {
		r := g.put(a, "hello")
		after, err := strconv.Atoi(r.header.Get("Retry-After"))
		if r.status != 503 || err != nil || after < 1 || !strings.Contains(string(r.body), "all credentials are busy") {
			t.Errorf("%s: %d, Retry-After %q, %s", a.name, r.status, r.header.Get("Retry-After"), r.body)
		}
	}
	g.reload("[pool]\nqueue_wait = \"0s\"\nrotation = \"sticky\"\n", "settings changed")
	if r := g.put(ask{}, "hello"); r.status != 200 {
		t.Errorf("with two calls at a time: %d %s", r.status, r.body)
	}
}

// With sticky turns a conversation stays with its credential; others go elsewhere.
func TestStickyTurns(t *testing.T) {
	t.Parallel()
	sim := google(t, 0, 6)
	g := start(t, launch{sim: sim, keys: 6, light: true, env: map[string]string{"ROTATION": "sticky", "CALLS_PER_ROTATION": "1"}})
	used := map[string]bool{}
	for talk := range 12 {
		own := map[string]bool{}
		for turn := range 3 {
			turns := `{"role":"user","content":"talk ` + strconv.Itoa(talk) + `"}` + strings.Repeat(`,{"role":"assistant","content":"yes"},{"role":"user","content":"and?"}`, turn)
			if r := g.post("/v1/chat/completions", `{"model":"`+flash+`","messages":[`+turns+`]}`); r.status != 200 {
				t.Fatalf("%d %s", r.status, r.body)
			}
			calls := sim.CallsOf("generateContent")
			own[calls[len(calls)-1].Credential] = true
		}
		if len(own) != 1 {
			t.Errorf("conversation %d was led with %d credentials", talk, len(own))
		}
		for c := range own {
			used[c] = true
		}
	}
	if len(used) < 3 {
		t.Errorf("all conversations are with %d credentials of six", len(used))
	}
}
