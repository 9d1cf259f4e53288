package quota

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
	"gcli2api/store/apikey"
	"gcli2api/store/embedded"
	"gcli2api/store/storetest"
)

// till is a real ledger on a real store with one key, and the stage in front of it.
type till struct {
	testing.TB
	*stage
	db   *sole
	book *apikey.Book
	key  *apikey.Key
}

// sole is a store that the test may break; one process has it alone.
type sole struct{ *storetest.Flaky }

func (sole) Alone() bool { return true }

func newTill(t testing.TB, terms apikey.Terms) *till {
	t.Helper()
	db, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "x.db")})
	if err != nil {
		t.Fatal(err)
	}
	r := &till{TB: t, db: &sole{&storetest.Flaky{Store: db}}}
	if r.book, err = apikey.Open(t.Context(), apikey.Options{Store: r.db, Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	if r.key, _, err = r.book.Keys.Create(t.Context(), terms); err != nil {
		t.Fatal(err)
	}
	if err := r.book.Costs.Set(t.Context(), "dear", apikey.Cost{Units: 12}); err != nil {
		t.Fatal(err)
	}
	c, err := models.New(models.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	r.stage = &stage{book: r.book, catalogue: c, parsed: true, detects: true}
	t.Cleanup(func() { _, _ = r.book.Close(), db.Close() })
	return r
}

// left is what the key has left.
func (r *till) left() int64 {
	r.Helper()
	one, _ := r.book.Keys.ByID(r.key.ID)
	b, err := r.book.Ledger.Balance(r.Context(), one)
	if err != nil {
		r.Fatal(err)
	}
	return b.Left
}

// stored is what the store says that the key has used.
func (r *till) stored() int64 {
	r.Helper()
	all, err := r.db.Store.Counters(r.Context(), "key/"+r.key.ID+"/used")
	if err != nil {
		r.Fatal(err)
	}
	return all["key/"+r.key.ID+"/used"]
}

func (r *till) caller() pipeline.Caller { return pipeline.Caller{Kind: "key", ID: r.key.ID} }

// ask makes the exchange of a caller with the key.
func (r *till) ask(in pipeline.Request, body string) *pipeline.Exchange {
	in.Client = pipeline.Fixed{Data: []byte(body)}
	x := pipeline.NewExchange(context.Background(), in)
	x.Caller = r.caller()
	return x
}

func (r *till) chat(body string) *pipeline.Exchange { return r.ask(on(wire.OpenAI), body) }

func on(f wire.Format) pipeline.Request {
	return pipeline.Request{Route: pipeline.Route{Format: f}}
}

const body = `{"model":"gemini-2.5-pro"}`

func TestWayOfACharge(t *testing.T) {
	for _, c := range []struct {
		name   string
		left   int64
		broken bool // the charge cannot be written
		begins bool // the answer begins
		after  int64
	}{
		{"served", 15, false, true, 5},
		{"nothing began", 15, false, false, 15},
		{"nothing left", 9, false, false, 9},
		{"the last unit", 10, false, true, 0},
		{"not durable", 15, true, true, 15},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newTill(t, apikey.Terms{Quota: c.left})
			if c.broken {
				s.db.Break(storetest.Fault{Err: errors.New("the disk is full"), Calls: []string{"Add"}})
			}
			x := s.chat(body)
			v := s.Process(x)
			if broke := c.left < 10; broke != (v == pipeline.Respond) || broke != (x.Reply.Err != nil) || broke == (x.Charge.Units == 10) {
				t.Fatalf("verdict %v, reply %v, charge %+v", v, x.Reply.Err, x.Charge)
			}
			if c.begins {
				fail := s.Begin(x)
				if (fail != nil) != c.broken {
					t.Fatalf("begin: %v", fail)
				}
				if fail != nil && (fail.Status != 503 || fail.RetryAfter == 0) {
					t.Errorf("begin: %+v", fail)
				}
				if x.Outcome.Began = fail == nil; x.Outcome.Began && s.stored() != 10 {
					t.Errorf("begun with %d units in the store", s.stored())
				}
			}
			s.End(x)
			s.db.Heal()
			if err := s.book.Close(); err != nil {
				t.Fatal(err)
			}
			if s.left() != c.after || s.stored() != c.left-c.after {
				t.Errorf("left %d, want %d; %d in the store", s.left(), c.after, s.stored())
			}
		})
	}
}

// Who has nothing left hears both numbers, and its client is told not to come again at once.
func TestNothingLeft(t *testing.T) {
	s := newTill(t, apikey.Terms{Quota: 9})
	x := s.chat(body)
	s.Process(x)
	if f := x.Reply.Err; f.Code != apierror.InsufficientQuota || f.Code.OpenAIType() != "insufficient_quota" || f.Status != 429 ||
		!strings.Contains(f.Message, "costs 10 units") || !strings.Contains(f.Message, "9 of 9 left") {
		t.Errorf("%+v", f)
	}
	if got := x.Header.Get("X-Should-Retry"); got != "false" {
		t.Errorf("X-Should-Retry %q", got)
	}
}

func TestWhoIsNotCharged(t *testing.T) {
	for _, caller := range []pipeline.Caller{{Kind: "password"}, {Kind: "anonymous"}, {}} {
		s := newTill(t, apikey.Terms{Quota: 100})
		x := s.chat(`not even JSON`)
		x.Caller = caller
		if v := s.Process(x); v != pipeline.Next {
			t.Errorf("%+v: verdict %v", caller, v)
		}
		if fail := s.Begin(x); fail != nil {
			t.Errorf("%+v: %v", caller, fail)
		}
		if s.End(x); s.left() != 100 || x.Charge != (pipeline.Charge{}) {
			t.Errorf("%+v: left %d, charge %+v", caller, s.left(), x.Charge)
		}
	}
}

// A second walk through the list (a rewind, a Segment) must not charge again.
func TestChargedOnce(t *testing.T) {
	s := newTill(t, apikey.Terms{Quota: 100})
	x := s.chat(body)
	s.Process(x)
	if s.Process(x); s.left() != 90 {
		t.Errorf("left %d, want 90", s.left())
	}
}

// A key that goes away between the stage auth and this one is not served.
func TestKeyThatWentAway(t *testing.T) {
	s := newTill(t, apikey.Terms{Quota: 100})
	if _, err := s.book.Keys.Edit(t.Context(), s.key.ID, func(t *apikey.Terms) error { t.Disabled = true; return nil }); err != nil {
		t.Fatal(err)
	}
	x := s.chat(body)
	if v := s.Process(x); v != pipeline.Respond || x.Reply.Err.Status != 401 || s.left() != 100 {
		t.Errorf("disabled: %v, %v", v, x.Reply.Err)
	}
	if err := s.book.Keys.Delete(t.Context(), s.key.ID); err != nil {
		t.Fatal(err)
	}
	x = s.chat(body)
	if v := s.Process(x); v != pipeline.Respond || x.Reply.Err.Status != 401 {
		t.Errorf("deleted: %v, %v", v, x.Reply.Err)
	}
	s.End(x)
}

func TestKeyWithoutLedger(t *testing.T) {
	s := &stage{}
	x := pipeline.NewExchange(context.Background(), pipeline.Request{Client: pipeline.Fixed{Data: []byte(body)}})
	x.Caller = pipeline.Caller{Kind: "key", ID: "k"}
	if v := s.Process(x); v != pipeline.Respond || x.Reply.Err.Code != apierror.Forbidden {
		t.Errorf("verdict %v, reply %v", v, x.Reply.Err)
	}
	s.End(x) // nothing to give back, nobody to ask
}

// Whoever only asks whether the body would be read pays nothing, not for a moment.
func TestTrialCostsNothing(t *testing.T) {
	s := newTill(t, apikey.Terms{Quota: 10})
	x := s.chat(body)
	x.In.Trial = true
	if v := s.Process(x); v != pipeline.Next || x.Charge != (pipeline.Charge{}) || s.left() != 10 {
		t.Errorf("%v, charged %+v", v, x.Charge)
	}
	s.End(x)
}

// What is priced is the model with its features. Anti-truncation is no part of a request that does not stream.
func TestWhatIsPriced(t *testing.T) {
	for body, want := range map[string]pipeline.Charge{
		`{"model":"dear-流式抗截断","stream":true}`:       {Base: "dear", Units: 24},
		`{"model":"dear-流式抗截断","stream":false}`:      {Base: "dear", Units: 12},
		`{"model":"抗截断/dear-search"}`:                {Base: "dear", Units: 12},
		`{"model":" 假流式/dear-maxthinking "}`:         {Base: "dear", Units: 12},
		`{"model":"gemini-2.5-pro","stream":true}`:   {Base: "gemini-2.5-pro", Units: 10},
		`{"model":"gemini-9-flash-x","stream":true}`: {Base: "gemini-9-flash-x", Units: 2},
		`{"model":"某个模型/x"}`:                         {Base: "某个模型/x", Units: 1},
	} {
		s := newTill(t, apikey.Terms{Quota: 100})
		x := s.chat(body)
		want.Key = s.key.ID
		if s.Process(x); x.Charge != want {
			t.Errorf("%s: %+v, want %+v (%v)", body, x.Charge, want, x.Reply.Err)
		}
	}
	s := newTill(t, apikey.Terms{Quota: 100})
	s.parsed = false
	x := s.chat(`{"model":"x-search"}`)
	if s.Process(x); x.Charge.Base != "x-search" {
		t.Errorf("unparsed: %+v", x.Charge)
	}
	x = s.chat(`{"model":"抗截断/x","stream":"yes"}`)
	s.parsed = true
	if s.Process(x) != pipeline.Respond || x.Reply.Err.Param != "stream" {
		t.Errorf("%v", x.Reply.Err)
	}
}

// The price of the model that is asked in the end is what is charged; where it cannot be had, the old one stands.
func TestReprice(t *testing.T) {
	for _, c := range []struct {
		left  int64
		to    string
		taken int64
	}{{100, "dear", 12}, {12, "dear", 12}, {11, "dear", 10}, {10, "other-pro", 10}, {10, "gemini-2.5-flash", 2}} {
		s := newTill(t, apikey.Terms{Quota: c.left})
		x := s.chat(body)
		s.Process(x)
		fail := s.Reprice(x, models.Model{Base: c.to})
		if refused := c.left == 11; (fail != nil) != refused || x.Charge.Units != c.taken || s.left() != c.left-c.taken || (x.Charge.Base == c.to) == refused {
			t.Errorf("%d left, to %s: %v, charge %+v, %d left", c.left, c.to, fail, x.Charge, s.left())
		}
		if s.End(x); s.left() != c.left {
			t.Errorf("%d left, to %s: %d after the refund", c.left, c.to, s.left())
		}
	}
	for fetch, want := range map[pipeline.Fetch]int64{pipeline.AsAsked: 12, pipeline.InOne: 12, pipeline.InEvents: 24} {
		s := newTill(t, apikey.Terms{Quota: 100})
		x := s.chat(body)
		s.Process(x)
		x.Fetch = fetch
		if fail := s.Reprice(x, models.Model{Base: "dear", Features: models.AntiTruncation}); fail != nil || x.Charge.Units != want {
			t.Errorf("%v: %v, %+v", fetch, fail, x.Charge)
		}
	}
	s := newTill(t, apikey.Terms{Quota: 1})
	x := s.chat(body)
	x.Caller = pipeline.Caller{Kind: "password"}
	if fail := s.Reprice(x, models.Model{Base: "dear"}); fail != nil || s.left() != 1 {
		t.Errorf("the password was charged: %v", fail)
	}
}

// Every way in which a request ends without an answer gives the price back; one that began keeps it.
func TestRefunds(t *testing.T) {
	for name, o := range map[string]pipeline.Outcome{
		"error":           {Err: apierror.New(apierror.UpstreamUnavailable, "")},
		"no credential":   {Err: apierror.New(apierror.NoCredential, "")},
		"empty answer":    {Err: apierror.New(apierror.EmptyAnswer, "")},
		"client gone":     {Err: apierror.New(apierror.ClientGone, ""), Gone: true},
		"gone meanwhile":  {Err: apierror.New(apierror.ClientGone, ""), Gone: true, Began: true},
		"broken in midst": {Err: apierror.New(apierror.StreamBroken, ""), Began: true},
		"whole":           {Began: true},
	} {
		s := newTill(t, apikey.Terms{Quota: 10})
		x := s.chat(body)
		s.Process(x)
		x.Outcome = o
		s.End(x)
		want := int64(10)
		if o.Began {
			want = 0
		}
		if s.left() != want {
			t.Errorf("%s: %d left", name, s.left())
		}
	}
}

func TestByTokens(t *testing.T) {
	for _, c := range []struct {
		name     string
		body     string
		reserved int64
		used     gemini.Usage
		charged  int64
	}{
		{"both told", `{"model":"gemini-2.5-pro","max_tokens":100}`, 11 + 100, gemini.Usage{Prompt: 8, Candidates: 20, Thoughts: 30}, 58},
		{"thoughts and tools", `{"model":"gemini-2.5-pro","max_tokens":100}`, 111, gemini.Usage{Prompt: 8, ToolUse: 2, Candidates: 20, Thoughts: 70}, 100},
		{"nothing told", `{"model":"gemini-2.5-pro","max_tokens":100}`, 111, gemini.Usage{}, 11},
		{"two limits", `{"model":"x","max_tokens":10,"max_completion_tokens":30}`, 14 + 30, gemini.Usage{Prompt: 1}, 1},
		{"more than the model has", `{"model":"x","max_tokens":99999999}`, 9 + models.DefaultOutput, gemini.Usage{Prompt: 1}, 1},
		{"three answers", `{"model":"x","max_tokens":10,"n":3}`, 3 * (9 + 10), gemini.Usage{Prompt: 5}, 5},
	} {
		s := newTill(t, apikey.Terms{Quota: 100_000})
		s.rate = &apikey.Rate{In: 1_000_000, Out: 1_000_000}
		x := s.chat(c.body)
		if s.Process(x); x.Charge.Units != c.reserved {
			t.Errorf("%s: %+v reserved, want %d", c.name, x.Charge, c.reserved)
		}
		x.Outcome.Began, x.Used = true, c.used
		if s.End(x); x.Charge.Units != c.charged || s.left() != 100_000-c.charged {
			t.Errorf("%s: %+v, want %d", c.name, x.Charge, c.charged)
		}
	}
	s := newTill(t, apikey.Terms{Quota: 5})
	s.rate = &apikey.Rate{In: 1_000_000, Out: 1}
	x := s.chat(body)
	if v := s.Process(x); v != pipeline.Respond || !strings.Contains(x.Reply.Err.Message, "at least 7 units") {
		t.Errorf("%v, %v", v, x.Reply.Err)
	}
}

// A charge that cannot be written does not hold an answer for ever when the client has left.
func TestGoneWhileItIsWritten(t *testing.T) {
	s := newTill(t, apikey.Terms{Quota: 10})
	ctx, leave := context.WithCancel(context.Background())
	in := on(wire.OpenAI)
	in.Client = pipeline.Fixed{Data: []byte(body)}
	x := pipeline.NewExchange(ctx, in)
	x.Caller = s.caller()
	s.Process(x)
	leave()
	began := time.Now()
	if fail := s.Begin(x); fail != nil && fail.Code != apierror.ClientGone {
		t.Error(fail)
	}
	if s.End(x); s.left() != 10 || time.Since(began) > time.Minute {
		t.Errorf("%d left", s.left())
	}
}
