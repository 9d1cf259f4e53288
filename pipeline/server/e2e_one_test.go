package server_test

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// With one account and one call at a time a request never waits for itself: not for its own retry, not
// where it goes on with an answer that broke off, not where a plain answer is made a stream. Others that
// wait get their turn in between.
func TestOneCallAtATime(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	g := start(t, launch{sim: sim, accounts: 1, light: true, config: "[pool]\naccount_concurrency = 1\nqueue_wait = \"60s\"\n[stage.antitrunc]\nplain = true\n"})
	const long = "one two three four five six seven eight nine"
	var all sync.WaitGroup
	for name, c := range map[string]struct {
		model, fault string
		stream       bool
		calls        int // at least
	}{
		"failed":         {flash, "499", false, 2},
		"failed stream":  {flash, "503-unavailable", true, 2},
		"refused token":  {flash, "401", false, 2},
		"fake stream":    {flash + "-fake-stream", "499", true, 2},
		"goes on":        {flash + "-anti-truncation", "max-tokens", true, 2},
		"goes on, plain": {flash + "-anti-truncation", "max-tokens", false, 2},
	} {
		for n := range 2 {
			if c.fault == "401" && n > 0 {
				continue // refused twice in a row an account is switched off
			}
			prompt := "!fault once " + c.fault + " # " + name + strconv.Itoa(n) + " " + long
			all.Go(func() {
				r := g.post("/v1/chat/completions", `{"model":"`+c.model+`","stream":`+strconv.FormatBool(c.stream)+`,"messages":[{"role":"user","content":"`+prompt+`"}]}`)
				if r.status != http.StatusOK || strings.Contains(string(r.body), `"error"`) {
					t.Errorf("%s: %d %s", name, r.status, r.body)
				}
				made := 0
				for _, call := range sim.CallsOf("generateContent", "streamGenerateContent") {
					made += strings.Count(string(call.Body[:min(len(call.Body), 1<<16)]), prompt)
				}
				if made < c.calls {
					t.Errorf("%s: %d calls", name, made)
				}
			})
		}
	}
	all.Wait()
}
