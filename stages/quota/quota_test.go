package quota

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/wire"
)

// ledger keeps one balance in memory and writes down what was asked of it.
type ledger struct {
	left    int64
	refuse  bool // Commit fails
	journal []string
}

// price: anti-truncation doubles it.
func price(m models.Model) int64 {
	units := int64(10)
	if m.Base == "dear" {
		units = 12
	}
	if m.Features.Has(models.AntiTruncation) {
		units *= 2
	}
	return units
}

func (l *ledger) Reserve(_ context.Context, key string, m models.Model) (pipeline.Charge, *apierror.Error) {
	c := pipeline.Charge{Key: key, Model: m.Canonical(), Units: price(m)}
	l.journal = append(l.journal, fmt.Sprintf("reserve %s %s", key, m.Canonical()))
	if l.left < c.Units {
		return c, apierror.New(apierror.QuotaExhausted, "the key has no quota left") // the charge is not to be trusted then
	}
	l.left -= c.Units
	return c, nil
}

func (l *ledger) Reprice(_ context.Context, c pipeline.Charge, m models.Model) (pipeline.Charge, *apierror.Error) {
	l.journal = append(l.journal, fmt.Sprintf("reprice %s %s", c.Key, m.Canonical()))
	more := price(m) - c.Units
	if more > l.left {
		return pipeline.Charge{}, apierror.New(apierror.QuotaExhausted, "the key has no quota left") // not to be trusted either
	}
	l.left -= more
	return pipeline.Charge{Key: c.Key, Model: m.Canonical(), Units: price(m)}, nil
}

func (l *ledger) Commit(_ context.Context, c pipeline.Charge) *apierror.Error {
	l.journal = append(l.journal, "commit "+c.Key)
	if l.refuse {
		return apierror.New(apierror.Internal, "the charge cannot be written")
	}
	return nil
}

func (l *ledger) Refund(c pipeline.Charge) {
	l.left += c.Units
	l.journal = append(l.journal, "refund "+c.Key)
}

func exchange(caller pipeline.Caller, body string) *pipeline.Exchange {
	x := pipeline.NewExchange(context.Background(), pipeline.Request{
		Route: pipeline.Route{Format: wire.OpenAI}, Client: pipeline.Fixed{Data: []byte(body)}})
	x.Caller = caller
	return x
}

func made(t *testing.T, l Ledger) *stage {
	t.Helper()
	c, err := models.New(models.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	return &stage{ledger: l, catalogue: c, parsed: true}
}

const body = `{"model":"gemini-2.5-pro"}`

func TestWayOfACharge(t *testing.T) {
	for _, c := range []struct {
		name    string
		left    int64
		refuse  bool
		begins  bool // the answer begins
		journal []string
		after   int64
	}{
		{"served", 15, false, true, []string{"reserve k gemini-2.5-pro", "commit k"}, 5},
		{"nothing began", 15, false, false, []string{"reserve k gemini-2.5-pro", "refund k"}, 15},
		{"nothing left", 9, false, false, []string{"reserve k gemini-2.5-pro"}, 9},
		{"the last unit", 10, false, true, []string{"reserve k gemini-2.5-pro", "commit k"}, 0},
		{"not durable", 15, true, true, []string{"reserve k gemini-2.5-pro", "commit k", "refund k"}, 15},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := &ledger{left: c.left, refuse: c.refuse}
			s := made(t, l)
			x := exchange(pipeline.Caller{Kind: "key", ID: "k"}, body)
			v := s.Process(x)
			if broke := c.left < 10; broke != (v == pipeline.Respond) || broke != (x.Reply.Err != nil) {
				t.Fatalf("verdict %v, reply %v", v, x.Reply.Err)
			}
			if c.begins {
				fail := s.Begin(x)
				if (fail != nil) != c.refuse {
					t.Fatalf("begin: %v", fail)
				}
				x.Outcome.Began = fail == nil
			}
			s.End(x)
			if !slices.Equal(l.journal, c.journal) || l.left != c.after {
				t.Errorf("journal %q, left %d, want %d", l.journal, l.left, c.after)
			}
		})
	}
}

func TestWhoIsNotCharged(t *testing.T) {
	for _, caller := range []pipeline.Caller{{Kind: "password"}, {Kind: "anonymous"}, {}} {
		l := &ledger{left: 100}
		s := made(t, l)
		x := exchange(caller, `not even JSON`)
		if v := s.Process(x); v != pipeline.Next {
			t.Errorf("%+v: verdict %v", caller, v)
		}
		if fail := s.Begin(x); fail != nil {
			t.Errorf("%+v: %v", caller, fail)
		}
		if s.End(x); len(l.journal) > 0 || x.Charge != (pipeline.Charge{}) {
			t.Errorf("%+v: journal %q, charge %+v", caller, l.journal, x.Charge)
		}
	}
}

// A second walk through the list (a rewind, a Segment) must not charge again.
func TestChargedOnce(t *testing.T) {
	l := &ledger{left: 100}
	s := made(t, l)
	x := exchange(pipeline.Caller{Kind: "key", ID: "k"}, body)
	s.Process(x)
	if s.Process(x); l.left != 90 {
		t.Errorf("left %d, want 90", l.left)
	}
}

func TestWhatCannotBePriced(t *testing.T) {
	for name, body := range map[string]string{"no model": `{}`, "two models": `{"model":"a","model":"b"}`, "an escaped name": `{"mode\u006c":"a"}`, "no JSON": `{`} {
		l := &ledger{left: 100}
		s := made(t, l)
		x := exchange(pipeline.Caller{Kind: "key", ID: "k"}, body)
		v := s.Process(x)
		if s.End(x); v != pipeline.Respond || x.Reply.Err.Code != apierror.BadRequest || len(l.journal) > 0 {
			t.Errorf("%s: verdict %v, reply %v, journal %q", name, v, x.Reply.Err, l.journal)
		}
	}
}

func TestKeyWithoutLedger(t *testing.T) {
	s := &stage{}
	x := exchange(pipeline.Caller{Kind: "key", ID: "k"}, body)
	if v := s.Process(x); v != pipeline.Respond || x.Reply.Err.Code != apierror.Forbidden {
		t.Errorf("verdict %v, reply %v", v, x.Reply.Err)
	}
	s.End(x) // nothing to give back, nobody to ask
}

// Whoever only asks whether the body would be read pays nothing, not for a moment.
func TestTrialCostsNothing(t *testing.T) {
	l := &ledger{left: 10}
	s := made(t, l)
	x := exchange(pipeline.Caller{Kind: "key", ID: "k"}, body)
	x.In.Trial = true
	if v := s.Process(x); v != pipeline.Next || x.Charge != (pipeline.Charge{}) {
		t.Errorf("%v, charged %+v", v, x.Charge)
	}
	s.End(x)
	if len(l.journal) != 0 {
		t.Errorf("the ledger was asked: %q", l.journal)
	}
}

// What is priced is the model with its features. Anti-truncation is no part of a request that does not stream.
func TestWhatIsPriced(t *testing.T) {
	for body, want := range map[string]string{
		`{"model":"x-流式抗截断","stream":true}`:        "reserve k 流式抗截断/x",
		`{"model":"x-流式抗截断","stream":false}`:       "reserve k x",
		`{"model":"抗截断/x-search"}`:                 "reserve k x-search",
		`{"model":" 假流式/x-maxthinking "}`:          "reserve k 假流式/x-maxthinking",
		`{"model":"gemini-2.5-pro","stream":true}`: "reserve k gemini-2.5-pro",
	} {
		l := &ledger{left: 100}
		made(t, l).Process(exchange(pipeline.Caller{Kind: "key", ID: "k"}, body))
		if len(l.journal) != 1 || l.journal[0] != want {
			t.Errorf("%s: %q, want %s", body, l.journal, want)
		}
	}
	l := &ledger{left: 100}
	s := made(t, l)
	s.parsed = false
	if s.Process(exchange(pipeline.Caller{Kind: "key", ID: "k"}, `{"model":"x-search"}`)); l.journal[0] != "reserve k x-search" {
		t.Errorf("unparsed: %q", l.journal)
	}
	x := exchange(pipeline.Caller{Kind: "key", ID: "k"}, `{"model":"抗截断/x","stream":"yes"}`)
	if s = made(t, l); s.Process(x) != pipeline.Respond || x.Reply.Err.Param != "stream" {
		t.Errorf("%v", x.Reply.Err)
	}
}

// The price of the model that is asked in the end is what is charged; where it cannot be had, the old one stands.
func TestReprice(t *testing.T) {
	for _, c := range []struct {
		left  int64
		to    models.Model
		taken int64
	}{
		{100, models.Model{Base: "dear"}, 12},
		{12, models.Model{Base: "dear"}, 12},
		{11, models.Model{Base: "dear"}, 10},
		{10, models.Model{Base: "other"}, 10},
	} {
		l := &ledger{left: c.left}
		s := made(t, l)
		x := exchange(pipeline.Caller{Kind: "key", ID: "k"}, body)
		s.Process(x)
		fail := s.Reprice(x, c.to)
		if (fail == nil) != (c.taken == price(c.to)) || x.Charge.Units != c.taken || l.left != c.left-c.taken {
			t.Errorf("%d left, to %s: %v, charge %+v, %d left", c.left, c.to.Base, fail, x.Charge, l.left)
		}
		if s.End(x); l.left != c.left {
			t.Errorf("%d left, to %s: %d after the refund", c.left, c.to.Base, l.left)
		}
	}
	for fetch, want := range map[pipeline.Fetch]string{pipeline.AsAsked: "reprice k x", pipeline.InOne: "reprice k x", pipeline.InEvents: "reprice k 流式抗截断/x"} {
		l := &ledger{left: 100}
		s := made(t, l)
		x := exchange(pipeline.Caller{Kind: "key", ID: "k"}, body)
		s.Process(x)
		x.Fetch = fetch
		if fail := s.Reprice(x, models.Model{Base: "x", Features: models.AntiTruncation}); fail != nil || l.journal[1] != want {
			t.Errorf("%v: %v, %q", fetch, fail, l.journal)
		}
	}
	l := &ledger{}
	if fail := made(t, l).Reprice(exchange(pipeline.Caller{Kind: "password"}, body), models.Model{Base: "dear"}); fail != nil || len(l.journal) > 0 {
		t.Errorf("the password was charged: %v, %q", fail, l.journal)
	}
}
