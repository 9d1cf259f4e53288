package apikey

import (
	"maps"
	"testing"
	"time"

	"gcli2api/pipeline/wire"
)

func TestHeadersOfLimits(t *testing.T) {
	p := &pass{requests: level{60, 59, time.Second}, tokens: level{150_000, 149_984, 6 * time.Minute}}
	want := map[string]string{
		"x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "59", "x-ratelimit-reset-requests": "1s",
		"x-ratelimit-limit-tokens": "150000", "x-ratelimit-remaining-tokens": "149984", "x-ratelimit-reset-tokens": "6m0s",
	}
	for _, f := range []wire.Format{wire.OpenAI, wire.Gemini, wire.Responses} {
		if got := headersOf(p, f); !maps.Equal(got, want) {
			t.Errorf("%v: %v", f, got)
		}
	}
	began := time.Now()
	got := headersOf(p, wire.Anthropic)
	for name, value := range map[string]string{"requests-limit": "60", "requests-remaining": "59", "tokens-limit": "150000", "tokens-remaining": "149984"} {
		if got["anthropic-ratelimit-"+name] != value {
			t.Errorf("anthropic-ratelimit-%s: %q", name, got["anthropic-ratelimit-"+name])
		}
	}
	for name, in := range map[string]time.Duration{"requests": time.Second, "tokens": 6 * time.Minute} {
		at, err := time.Parse(time.RFC3339, got["anthropic-ratelimit-"+name+"-reset"])
		if err != nil || at.Before(began.Add(in)) || at.After(time.Now().Add(in+time.Second)) {
			t.Errorf("reset of %s: %v %v", name, at, err)
		}
	}
	if len(got) != 12 {
		t.Errorf("%d headers: %v", len(got), got)
	}
}

func TestResetsAreRoundedUp(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0s", 1: "1ms", 120 * time.Millisecond: "120ms", 59874*time.Millisecond + 1: "59.875s"} {
		p := &pass{requests: level{1, 0, d}}
		if got := headersOf(p, wire.OpenAI)["x-ratelimit-reset-requests"]; got != want {
			t.Errorf("%v is told as %q, want %q", d, got, want)
		}
	}
}
