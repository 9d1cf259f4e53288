package quota

import (
	"math"
	"testing"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/store/apikey"
)

// counting is a request to count tokens.
func (r *till) counting() *pipeline.Exchange {
	return r.ask(pipeline.Request{Route: pipeline.Route{Format: wire.OpenAI, Verb: pipeline.Count}}, body)
}

// Counting tokens costs nothing, whatever is charged for and however little is left, and is one of the
// requests of its minute.
func TestCountingIsFree(t *testing.T) {
	for _, rate := range []*apikey.Rate{nil, {In: 1e9, Out: 1e9}} {
		s := newTill(t, apikey.Terms{Quota: 1, Requests: 2})
		s.rate = rate
		for range 2 {
			x := s.counting()
			if v := s.Process(x); v != pipeline.Next || x.Charge != (pipeline.Charge{}) || x.Header.Get("x-ratelimit-limit-requests") != "2" {
				t.Fatalf("verdict %v, charge %+v, %v, %v", v, x.Charge, x.Reply.Err, &x.Header)
			}
			x.Attempts = []pipeline.Attempt{{Start: time.Now()}}
			x.Outcome.Began, x.Used.Prompt = true, 500
			if fail := s.Begin(x); fail != nil {
				t.Fatal(fail)
			}
			if s.End(x); x.Charge != (pipeline.Charge{}) || s.left() != 1 {
				t.Errorf("charge %+v, %d left", x.Charge, s.left())
			}
		}
		x := s.counting()
		if v := s.Process(x); v != pipeline.Respond || x.Reply.Err.Code != apierror.RateLimited || x.Header.Get("X-Should-Retry") != "" {
			t.Errorf("verdict %v, %v, %v", v, x.Reply.Err, &x.Header)
		}
	}
}

// A request that asked nobody is none of those of its minute; one that asked in vain is.
func TestWhatCountsAsARequest(t *testing.T) {
	s := newTill(t, apikey.Terms{Quota: 1000, Requests: 2})
	for range 5 {
		x := s.chat(body)
		if s.Process(x) != pipeline.Next {
			t.Fatal(x.Reply.Err)
		}
		s.End(x)
	}
	for i, served := range []bool{false, true, false} {
		x := s.chat(body)
		if v := s.Process(x); (v == pipeline.Next) != (i < 2) {
			t.Fatalf("request %d: verdict %v, %v", i, v, x.Reply.Err)
		}
		if !served {
			x.Attempts = []pipeline.Attempt{{Start: time.Now()}}
		}
		x.Outcome.Began = served // also one that asked nobody, where an answer was kept
		s.End(x)
	}
}

// The tokens of a key that has a limit of them count also where calls are paid for.
func TestTokensCountWhereTheyAreLimited(t *testing.T) {
	s := newTill(t, apikey.Terms{Quota: 1000, Tokens: 1000})
	long := `{"model":"gemini-2.5-pro","messages":"` + text(3000) + `"}`
	for i, want := range []pipeline.Verdict{pipeline.Next, pipeline.Respond} {
		x := s.chat(long)
		if v := s.Process(x); v != want {
			t.Errorf("request %d: verdict %v, %v", i, v, x.Reply.Err)
		}
	}
}

func text(n int) string {
	all := make([]byte, n)
	for i := range all {
		all[i] = "some words "[i%11]
	}
	return string(all)
}

func TestProductsThatAreTooLarge(t *testing.T) {
	const most = math.MaxInt64
	for _, c := range [][3]int64{{2, 3, 6}, {0, most, 0}, {1, most, most}, {2, most, most}, {most / 2, 2, most - 1}, {most/2 + 1, 2, most}} {
		if got := many(c[0], c[1]); got != c[2] {
			t.Errorf("%d times %d: %d", c[0], c[1], got)
		}
		if o := (order{answers: max(c[0], 1), items: c[1]}); c[0] > 0 && o.times() != c[2] {
			t.Errorf("%+v: %d", o, o.times())
		}
	}
}

// Of several names for the most tokens the largest number counts, whatever the order.
func TestTheMostTokensOfSeveralNames(t *testing.T) {
	s := newTill(t, apikey.Terms{Quota: 1000})
	for _, one := range []string{
		`{"model":"m","max_tokens":300,"max_completion_tokens":20}`,
		`{"model":"m","max_completion_tokens":300,"max_tokens":20}`,
		`{"model":"m","max_output_tokens":20,"max_tokens":300,"max_completion_tokens":null}`,
	} {
		x := s.chat(one)
		m, fail := s.asked(x)
		if fail != nil {
			t.Fatal(fail)
		}
		if o, fail := s.order(x, m); fail != nil || o.most != 300 {
			t.Errorf("%s: %+v, %v", one, o, fail)
		}
	}
}
