package server_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"gcli2api/pipeline/simulator"
)

// With one account and one call at a time a request never waits for itself: not for its own retry, not
// where it goes on with an answer that broke off, not where a plain answer is made a stream.
func TestOneCallAtATime(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	g := start(t, launch{sim: sim, accounts: 1, light: true, config: "[pool]\nqueue_wait = \"20s\"\naccount_concurrency = 1\n[stage.antitrunc]\nplain = true\n"})
	b := &storyBench{sim: sim, g: g}
	sim.Tell("one", simulator.Story{})
	_ = b
	var all sync.WaitGroup
	for name, c := range map[string]struct {
		model, prompt string
		stream        bool
	}{
		"once failed":        {flash, "!fault once 500 # a", false},
		"once failed stream": {flash, "!fault once 503 # b", true},
		"token refused":      {flash, "!fault once 401 # c", false},
		"fake stream":        {flash + "-fake-stream", "hello", true},
		"fake stream failed": {flash + "-fake-stream", "!fault once 500 # d", true},
		"goes on":            {flash + "-anti-truncation", "!fault once max-tokens # one two three four five six seven eight", true},
		"goes on plain":      {flash + "-anti-truncation", "!fault once max-tokens # one two three four five six seven nine", false},
	} {
		for range 2 {
			all.Go(func() {
				s := "false"
				if c.stream {
					s = "true"
				}
				r := g.post("/v1/chat/completions", `{"model":"`+c.model+`","stream":`+s+`,"messages":[{"role":"user","content":"`+c.prompt+`"}]}`)
				if r.status != http.StatusOK || strings.Contains(string(r.body), `"error"`) {
					t.Errorf("%s: %d %s", name, r.status, r.body)
				}
			})
		}
	}
	all.Wait()
}
