package apikey

import (
	"context"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline/wire"
)

func TestKeysWithoutLimitsPassBy(t *testing.T) {
	for name, make := range kinds(t) {
		w := make(newHandClock())
		p, fail := w.enter(context.Background(), limited("k", 0, 0, 0), Tokens{Input: 1 << 50})
		if p != nil || fail != nil {
			t.Errorf("%s: %+v %v", name, p, fail)
		}
		if h := headersOf(p, wire.Anthropic); len(h) != 0 {
			t.Errorf("%s: headers %v", name, h)
		}
		p.drop()
		p.leave(true, Tokens{1, 2})
		if l, ok := w.keeper.(*localWindows); ok && len(l.meters) != 0 {
			t.Error("something is kept of a key without limits")
		}
	}
}

func TestRequestsAMinute(t *testing.T) {
	for name, make := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			c := newHandClock()
			w, one := make(c), limited("k", 3, 0, 0)
			for range 3 {
				in(t, w, one, 0).leave(true, Tokens{5, 5})
				c.move(10 * time.Second)
			}
			p, fail := out(t, w, one, 0)
			wait := 30 * time.Second // the first came 30 s ago
			if name == "shared" {
				wait += step * time.Second
			}
			if fail.RetryAfter != wait || !strings.Contains(fail.Message, "3 requests a minute") {
				t.Errorf("%q after %v, want %v", fail.Message, fail.RetryAfter, wait)
			}
			h := headersOf(p, wire.OpenAI)
			if h["x-ratelimit-limit-requests"] != "3" || h["x-ratelimit-remaining-requests"] != "0" || h["x-ratelimit-limit-tokens"] != "" {
				t.Errorf("headers %v", h)
			}
			c.move(wait - time.Millisecond)
			out(t, w, one, 0)
			c.move(time.Millisecond)
			in(t, w, one, 0)
			out(t, w, one, 0)
		})
	}
}

// A request that was refused for another reason was none; one that failed at Google was one.
func TestWhatCountsAsARequest(t *testing.T) {
	for name, make := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			w, one := make(newHandClock()), limited("k", 2, 1000, 2)
			for range 5 {
				p := in(t, w, one, 900)
				p.drop()
				p.drop()
				p.leave(true, Tokens{900, 900})
			}
			in(t, w, one, 900).leave(false, Tokens{})
			p := in(t, w, one, 900)
			if h := headersOf(p, wire.OpenAI); h["x-ratelimit-remaining-requests"] != "0" || h["x-ratelimit-remaining-tokens"] != "100" {
				t.Errorf("headers %v", h)
			}
			out(t, w, one, 1)
		})
	}
}

func TestTokensAMinute(t *testing.T) {
	for name, make := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			c := newHandClock()
			w, one := make(c), limited("k", 0, 100, 0)
			first := in(t, w, one, 40)
			out(t, w, one, 61)
			second := in(t, w, one, 60)
			c.move(5 * time.Second)
			first.leave(true, Tokens{30, 50}) // 80 with what came back
			_, fail := out(t, w, one, 1)      // 140 of 100
			if fail.RetryAfter < 55*time.Second || fail.RetryAfter > time.Minute || !strings.Contains(fail.Message, "100 tokens a minute") {
				t.Errorf("%q after %v", fail.Message, fail.RetryAfter)
			}
			second.leave(true, Tokens{10, 0}) // 90
			c.move(recall)
			p := in(t, w, one, 10)
			if h := headersOf(p, wire.OpenAI); h["x-ratelimit-limit-tokens"] != "100" || h["x-ratelimit-remaining-tokens"] != "0" {
				t.Errorf("headers %v", h)
			}
			c.move(70 * time.Second)
			in(t, w, one, 100)
		})
	}
}

// What is larger than the limit fits at no time: nobody is told to come again.
func TestRequestsThatNeverFit(t *testing.T) {
	for name, make := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			w, one := make(newHandClock()), limited("k", 5, 100, 0)
			p, fail := out(t, w, one, 101)
			if fail.RetryAfter != 0 || !strings.Contains(fail.Message, "101 tokens") || !strings.Contains(fail.Message, "100 a minute") {
				t.Errorf("%q after %v", fail.Message, fail.RetryAfter)
			}
			if h := headersOf(p, wire.OpenAI); h["x-ratelimit-remaining-tokens"] != "100" || h["x-ratelimit-remaining-requests"] != "5" {
				t.Errorf("headers %v", h)
			}
			in(t, w, one, 100)
		})
	}
}

func TestAnswersThatSayNothingOfTheirTokens(t *testing.T) {
	for name, make := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			w, one := make(newHandClock()), limited("k", 0, 100, 0)
			in(t, w, one, 60).leave(true, Tokens{})
			if h := headersOf(in(t, w, one, 1), wire.OpenAI); h["x-ratelimit-remaining-tokens"] != "39" {
				t.Errorf("headers %v", h)
			}
		})
	}
}

func TestRequestsAtATime(t *testing.T) {
	for name, make := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			c := newHandClock()
			w, one := make(c), limited("k", 0, 0, 2)
			a, b := in(t, w, one, 0), in(t, w, one, 0)
			_, fail := out(t, w, one, 0)
			if fail.RetryAfter != time.Second {
				t.Errorf("after %v", fail.RetryAfter)
			}
			c.move(time.Hour) // as long as they like; a node that lives renews its leases
			if s, ok := w.keeper.(*sharedWindows); ok {
				c.move(-time.Hour)
				for range 12 {
					c.move(tending)
					s.round(context.Background(), true)
				}
			}
			out(t, w, one, 0)
			a.leave(true, Tokens{})
			a.leave(true, Tokens{})
			a.drop() // a place is given back once
			b2 := in(t, w, one, 0)
			out(t, w, one, 0)
			b.drop()
			b2.leave(false, Tokens{})
			in(t, w, one, 0)
			in(t, w, one, 0)
			out(t, w, one, 0)
		})
	}
}

// Of a refusal for places nothing is left among the requests and tokens of the minute.
func TestNothingIsTakenOfARefusal(t *testing.T) {
	for name, make := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			c := newHandClock()
			w, one := make(c), limited("k", 3, 100, 1)
			p := in(t, w, one, 10)
			for range 20 {
				out(t, w, one, 10)
			}
			p.leave(true, Tokens{10, 10})
			c.move(recall)
			if h := headersOf(in(t, w, one, 10), wire.OpenAI); h["x-ratelimit-remaining-requests"] != "1" || h["x-ratelimit-remaining-tokens"] != "70" {
				t.Errorf("headers %v", h)
			}
		})
	}
}

// Limits that are changed count for the next request.
func TestLimitsThatChange(t *testing.T) {
	for name, make := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			c := newHandClock()
			w := make(c)
			for range 4 {
				in(t, w, limited("k", 10, 0, 9), 0)
			}
			low := limited("k", 3, 0, 9)
			if h := headersOf(func() *pass { p, _ := out(t, w, low, 0); return p }(), wire.OpenAI); h["x-ratelimit-remaining-requests"] != "0" || h["x-ratelimit-limit-requests"] != "3" {
				t.Errorf("lowered: %v", h)
			}
			out(t, w, limited("k", 0, 0, 4), 0)
			in(t, w, limited("k", 5, 0, 9), 0)
			out(t, w, limited("k", 5, 0, 9), 0)
			in(t, w, limited("k", 0, 0, 9), 0) // no limit of requests any more
			if p, fail := w.enter(context.Background(), limited("k", 0, 0, 0), Tokens{}); p != nil || fail != nil {
				t.Errorf("without limits: %v", fail)
			}
			c.move(66 * time.Second)
			in(t, w, low, 0)
		})
	}
}

// What nobody uses is forgotten, what is in use is not.
func TestIdleKeysAreForgotten(t *testing.T) {
	c := newHandClock()
	l := newLocalWindows(c.now)
	w := &windows{l}
	p := in(t, w, limited("runs", 0, 0, 1), 0)
	for i := range 20_000 {
		in(t, w, limited("k"+string(rune('0'+i)), 5, 0, 0), 0).leave(true, Tokens{})
		c.move(time.Second)
	}
	if n := len(l.meters); n > 4*fewMeters {
		t.Errorf("%d keys are remembered", n)
	}
	out(t, w, limited("runs", 0, 0, 1), 0)
	p.leave(true, Tokens{})
	in(t, w, limited("runs", 0, 0, 1), 0)
}

// Of two limits the one that holds up longer is named, with its time.
func TestTheLimitThatHoldsUpLonger(t *testing.T) {
	for name, make := range kinds(t) {
		for _, c := range []struct {
			first, second, asks int64
			says                string
			wait                time.Duration
		}{{100, 1, 1, "2 requests", 30 * time.Second}, {1, 100, 51, "100 tokens", 40 * time.Second}, {51, 49, 100, "100 tokens", 40 * time.Second}} {
			w, clock := make, newHandClock()
			all := w(clock)
			one := limited("k", 2, 100, 0)
			if c.says == "2 requests" {
				one.Tokens = 101
			}
			in(t, all, one, c.first)
			clock.move(10 * time.Second)
			in(t, all, one, min(c.second, one.Tokens-c.first))
			clock.move(20 * time.Second)
			_, fail := out(t, all, one, min(c.asks, one.Tokens))
			if name == "shared" {
				c.wait += step * time.Second
			}
			if !strings.Contains(fail.Message, c.says) || fail.RetryAfter != c.wait {
				t.Errorf("%s %+v: %v, %v", name, c, fail, fail.RetryAfter)
			}
		}
	}
}

// A request of which nothing is known beforehand still counts by what it comes to.
func TestTokensOfARequestWithoutAnEstimate(t *testing.T) {
	for name, make := range kinds(t) {
		w, one := make(newHandClock()), limited("k", 0, 10, 0)
		in(t, w, one, 0).leave(true, Tokens{4, 6})
		p, _ := out(t, w, one, 0)
		if h := headersOf(p, wire.OpenAI); h["x-ratelimit-remaining-tokens"] != "0" {
			t.Errorf("%s: %v", name, h)
		}
	}
}

// Tokens count from when the request ends: for a minute from then on.
func TestTokensCountFromTheEnd(t *testing.T) {
	for name, make := range kinds(t) {
		c := newHandClock()
		w, one := make(c), limited("k", 0, 100, 0)
		p := in(t, w, one, 10)
		c.move(40 * time.Second)
		p.leave(true, Tokens{10, 90})
		c.move(50 * time.Second)
		if p, _ := out(t, w, one, 1); headersOf(p, wire.OpenAI)["x-ratelimit-remaining-tokens"] != "0" {
			t.Errorf("%s: %v", name, headersOf(p, wire.OpenAI))
		}
		c.move(20 * time.Second)
		in(t, w, one, 100)
	}
}

// A key is not forgotten while something of it counts, and nobody counts in what is forgotten.
func TestWhatIsForgotten(t *testing.T) {
	c := newHandClock()
	l := newLocalWindows(c.now)
	w, one := &windows{l}, limited("k", 0, 100, 0)
	in(t, w, one, 100).leave(true, Tokens{100, 0})
	for i := range 3 * fewMeters {
		in(t, w, limited(string(rune('A'+i)), 0, 0, 1), 0).leave(true, Tokens{})
	}
	out(t, w, one, 1)
	m := l.meter("other")
	if !m.idle(l.clock()) {
		t.Fatal("a meter that counts nothing is not idle")
	}
	if _, again := l.try(m, limited("other", 1, 0, 0), &pass{}); !again {
		t.Error("a request is counted where nobody looks any more")
	}
}
