package server_test

import (
	"encoding/json"
	"strings"
	"testing"

	"gcli2api/pipeline/simulator"
)

// Whatever one asks the simulated Google comes out whole and without the mark, in as few calls as it takes.
func TestRuleIsFollowed(t *testing.T) {
	t.Parallel()
	prompts := map[string]int{ // and calls
		"Hello": 1, "Tell me a story about a fox and a crow": 1, "two lines\n\nof text\n": 1, "!describe": 1, "!fault help": 1, "!story help": 1,
		"!fault cut": 2, "!fault cut in the middle of a longer prompt, 一二三": 2, "!fault max-tokens": 2, "!fault error-event": 2,
		"!fault eof":      1, // the mark had come by then
		"!fault once cut": 2, "!fault times 2 cut": 3, "!fault slow-event 10ms": 1,
	}
	for _, mode := range []string{"prompt", "prefill"} {
		for kind, b := range storyTellers(t, "continue = \""+mode+"\"\n") {
			b.sim.Tell("fox", simulator.Story{Text: "a"})
			for _, model := range []string{uncut, "gemini-3-flash-preview-anti-truncation"} {
				for _, h := range hearers() {
					t.Run(strings.Join([]string{mode, kind, model, h.name}, "/"), func(t *testing.T) {
						for prompt, calls := range prompts {
							follows(t, b, h, model, prompt, calls)
						}
					})
				}
			}
		}
	}
}

// follows asks for one answer and holds it against what the prompt gets without the feature and without a fault.
func follows(t *testing.T, b *storyBench, h hearer, model, prompt string, calls int) {
	t.Helper()
	b.sim.ForgetCalls()
	b.sim.ClearScripts()
	got, r := h.ask(t, b.g, model, prompt)
	got.must(t, h, "STOP")
	if n := len(b.sim.CallsOf("streamGenerateContent")); n != calls {
		t.Errorf("%q: %d calls, want %d", prompt, n, calls)
	}
	if d := r.header.Get("X-Dropped-Params"); d != "" {
		t.Errorf("%q: dropped %s", prompt, d)
	}
	want := "echo: " + prompt
	switch prompt {
	case "!fault help", "!story help":
		want = map[string]string{"!fault help": "The faults are: ", "!story help": "The stories are: "}[prompt]
		if !strings.HasPrefix(got.text, want) || strings.Contains(got.text, endMark) {
			t.Errorf("%s: %q", prompt, got.text)
		}
	case "!describe": // the mark in its description of the instructions is text
		var d simulator.Description
		if err := json.Unmarshal([]byte(got.text), &d); err != nil || strings.Count(d.System, endMark) != 1 || strings.Count(got.text, endMark) != 1 {
			t.Errorf("%v: %q", err, got.text)
		}
	default:
		sameText(t, got.text, want)
	}
}
