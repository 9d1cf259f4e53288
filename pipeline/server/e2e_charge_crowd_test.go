package server_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"gcli2api/store/apikey"
)

// TestCrowdOnOneKey lets 64 clients spend one key at a time: they get all of it and not a unit more.
func TestCrowdOnOneKey(t *testing.T) {
	t.Parallel()
	sim := google(t, 0, 4)
	from, keys := withKeys(t, launch{sim: sim, keys: 4, light: true, env: map[string]string{"LOG_LEVEL": "warn"}}, apikey.Terms{Quota: 1000}, apikey.Terms{Quota: 1001})
	g := start(t, from)
	got := crowdOn(t, g, keys[0], 64, 40)
	if got[200].Load() != 500 || got[429].Load() != 64*40-500 {
		t.Errorf("%d answers and %d refusals, want 500 and %d", got[200].Load(), got[429].Load(), 64*40-500)
	}
	if n := len(sim.CallsOf("generateContent", "streamGenerateContent")); n != 500 {
		t.Errorf("%d calls reached Google", n)
	}
	// A key whose last unit is too little, and calls that fail among those that do not.
	got = crowdOn(t, g, keys[1], 64, 40, "!fault 400", "hello")
	if got[200].Load() != 500 {
		t.Errorf("%d answers, want 500", got[200].Load())
	}
	units := g.stopped(keys...)
	if units[0] != 1000 || units[1] != 1000 {
		t.Errorf("used %v, want 1000 each", units)
	}
}

// TestTopUpUnderLoad gives a key more units while many spend them: none is lost, none is spent twice.
func TestTopUpUnderLoad(t *testing.T) {
	t.Parallel()
	sim := google(t, 0, 4)
	from, keys := withKeys(t, launch{sim: sim, keys: 4, light: true, env: map[string]string{"LOG_LEVEL": "warn"}}, apikey.Terms{Quota: 200})
	g := start(t, from)
	var tops sync.WaitGroup
	tops.Go(func() {
		for range 8 {
			if r := g.post("/auth/keys/"+keys[0].id+"/top-up", `{"units":100}`); r.status != 200 {
				t.Errorf("top-up: %d %s", r.status, r.body)
			}
		}
	})
	during := crowdOn(t, g, keys[0], 64, 20)
	tops.Wait()
	after := crowdOn(t, g, keys[0], 64, 20)
	if served := during[200].Load() + after[200].Load(); served != 500 {
		t.Errorf("%d answers, want 500", served)
	}
	var left struct {
		Total     int64 `json:"total_quota"`
		Used      int64 `json:"used_quota"`
		Remaining int64 `json:"remaining_quota"`
	}
	r := g.get("/auth/quota", keys[0].as())
	if err := json.Unmarshal(r.body, &left); err != nil || r.status != 200 || left.Total != 1000 || left.Used != 1000 || left.Remaining != 0 {
		t.Errorf("%v, %d: %+v", err, r.status, left)
	}
	if units := g.stopped(keys...); units[0] != 1000 {
		t.Errorf("%d units used, want 1000", units[0])
	}
}

// crowdOn lets many clients call with one key, whole answers and streams in turn, and counts the statuses.
// Prompts that fail are asked on top: each client goes on until it has been answered or refused so often.
func crowdOn(t *testing.T, g *gateway, key keyHolder, clients, calls int, prompts ...string) map[int]*atomic.Int64 {
	t.Helper()
	if len(prompts) == 0 {
		prompts = []string{"hello"}
	}
	got := map[int]*atomic.Int64{200: {}, 400: {}, 429: {}}
	kept := &http.Transport{MaxIdleConnsPerHost: clients, DisableCompression: true}
	defer kept.CloseIdleConnections()
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			for n, left := i, calls; left > 0; n++ {
				path, body := ask{stream: n%2 == 0, gemini: n%3 == 0}.http(flash, prompts[n%len(prompts)])
				status, err := through(kept, g.request("POST", path, body, key.as()))
				count := got[status]
				if err != nil || count == nil {
					t.Errorf("%d %v", status, err)
					return
				}
				if count.Add(1); status != 400 {
					left--
				}
			}
		})
	}
	all.Wait()
	return got
}

// through sends a request over kept connections and reads the answer to its end.
func through(over http.RoundTripper, req *http.Request) (status int, err error) {
	resp, err := over.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	var buf [4096]byte
	for {
		if _, err = resp.Body.Read(buf[:]); err != nil {
			if err == io.EOF {
				return resp.StatusCode, nil
			}
			return resp.StatusCode, fmt.Errorf("read the answer: %w", err)
		}
	}
}
