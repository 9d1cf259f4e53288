package apikey

import (
	"strconv"
	"time"

	"gcli2api/pipeline/wire"
)

// levelHeaders are the names of a limit, what is left of it, and when it is whole again.
type levelHeaders struct{ limit, left, reset string }

// tellLevels names the limits as OpenAI does, and for clients of Anthropic as that does as well.
func tellLevels(f wire.Format, requests, tokens level, set func(name, value string)) {
	openai(levelHeaders{"x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"}, requests, set)
	openai(levelHeaders{"x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"}, tokens, set)
	if f != wire.Anthropic {
		return
	}
	now := time.Now()
	anthropic(levelHeaders{"anthropic-ratelimit-requests-limit", "anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"}, requests, now, set)
	anthropic(levelHeaders{"anthropic-ratelimit-tokens-limit", "anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"}, tokens, now, set)
}

// openai gives the reset as a duration: "1s", "6m0s", "120ms".
func openai(h levelHeaders, l level, set func(name, value string)) {
	if l.limit > 0 {
		set(h.limit, strconv.FormatInt(l.limit, 10))
		set(h.left, strconv.FormatInt(l.left, 10))
		set(h.reset, upTo(l.reset, time.Millisecond).String())
	}
}

// anthropic gives the reset as a time of RFC 3339.
func anthropic(h levelHeaders, l level, now time.Time, set func(name, value string)) {
	if l.limit > 0 {
		set(h.limit, strconv.FormatInt(l.limit, 10))
		set(h.left, strconv.FormatInt(l.left, 10))
		set(h.reset, now.Add(l.reset+time.Second-1).UTC().Truncate(time.Second).Format(time.RFC3339))
	}
}

// upTo rounds up: whoever comes at that time is not too early.
func upTo(d, step time.Duration) time.Duration { return (d + step - 1).Truncate(step) }
