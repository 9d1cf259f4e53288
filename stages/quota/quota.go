// Package quota reserves the price of a request from the caller's API key.
//
// The price is reserved before anything is spent, made durable before the first byte of an answer,
// and refunded when no answer began. Callers with the password are never charged. Counting tokens is free,
// and held by the limits of requests. One scan of the body
// serves the model (AskedModel), how many answers it is asked for (scan.go) and, where tokens count, how
// many there may be (estimate.go).
package quota

import (
	"errors"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/config"
	"gcli2api/pipeline/models"
	"gcli2api/store/apikey"
)

// Settings is the [stage.quota] table.
type Settings struct {
	Charge   string `koanf:"charge"`
	PriceIn  int64  `koanf:"price_in"`
	PriceOut int64  `koanf:"price_out"`
}

// The ways to charge.
const (
	byCalls  = "calls"
	byTokens = "tokens"
)

// Kind describes the stage to the registry. A nil book means that there are no keys: nobody can have
// come in with one.
func Kind(book *apikey.Book) pipeline.Kind {
	none, most := 0.0, 1e12
	return pipeline.Kind{
		Name:   "quota",
		Does:   "reserves the price of the request from the caller's key",
		Verbs:  []pipeline.Verb{pipeline.Generate, pipeline.Streaming, pipeline.Embed, pipeline.Count},
		Needs:  []pipeline.Fact{pipeline.HasCaller},
		Before: []pipeline.Fact{pipeline.HasLease},
		Params: []config.Param{
			{Key: "stage.quota.charge", Env: []string{"QUOTA_CHARGE"}, Type: config.String, Default: byCalls, OneOf: []string{byCalls, byTokens},
				Help: "what API keys pay for: calls by the cost table, or the tokens that go up and come back"},
			{Key: "stage.quota.price_in", Env: []string{"QUOTA_PRICE_IN"}, Type: config.Int, Default: 1000, Min: &none, Max: &most,
				Help: "units for a million tokens that go up, of models whose own price is not in the cost table"},
			{Key: "stage.quota.price_out", Env: []string{"QUOTA_PRICE_OUT"}, Type: config.Int, Default: 4000, Min: &none, Max: &most,
				Help: "units for a million tokens that come back, thoughts included, likewise"},
		},
		New: pipeline.New(Settings{byCalls, 1000, 4000}, func(set Settings, b *pipeline.Build) (pipeline.Stage, error) {
			return build(book, set, b)
		}),
	}
}

func build(book *apikey.Book, set Settings, b *pipeline.Build) (pipeline.Stage, error) {
	c, err := b.Models()
	if err != nil {
		return nil, err
	}
	s := &stage{book: book, catalogue: c, parsed: b.Has("model"), detects: b.Has("format")}
	if set.Charge == byTokens {
		if !b.Has("usage") {
			return nil, errors.New(`charge = "tokens" needs the stage "usage", which counts them: add it and switch it on, or set charge = "calls"`)
		}
		s.rate = &apikey.Rate{In: set.PriceIn, Out: set.PriceOut}
	}
	return s, nil
}

type stage struct {
	book      *apikey.Book
	catalogue *models.Catalogue
	parsed    bool         // the stage model takes features off the name; else they are a part of it
	detects   bool         // the stage format tells by the body what it is written in; else the route does
	rate      *apikey.Rate // nil charges by calls
}

type billKey struct{}

func billOf(x *pipeline.Exchange) *apikey.Bill {
	b, _ := x.Note(billKey{}).(*apikey.Bill)
	return b
}

// Process reserves the price for callers with a key.
func (s *stage) Process(x *pipeline.Exchange) pipeline.Verdict {
	if x.Caller.Kind != "key" || billOf(x) != nil || x.In.Trial {
		return pipeline.Next
	}
	if s.book == nil {
		return x.Fail(apierror.New(apierror.Forbidden, "API keys are not in use on this gateway"))
	}
	ask, fail := s.ask(x)
	if fail != nil {
		return x.Fail(fail)
	}
	bill, fail := s.book.Ledger.Reserve(x.Context(), ask)
	if fail != nil { // x.Charge stays empty: End must not give back what nobody took
		if fail.Code == apierror.InsufficientQuota {
			x.Header.Set("X-Should-Retry", "false") // clients would come again at once, and again
		}
		return x.Fail(fail)
	}
	x.Keep(billKey{}, bill)
	if !ask.Free {
		x.Charge = bill.Charge()
	}
	return pipeline.Next
}

// ask is what has to be paid for.
func (s *stage) ask(x *pipeline.Exchange) (apikey.Ask, *apierror.Error) {
	a := apikey.Ask{Key: x.Caller.ID, Rate: s.rate, Answer: x.Answer, Tell: x.Header.Set}
	if x.In.Route.Verb == pipeline.Count {
		a.Free = true
		return a, nil
	}
	var fail *apierror.Error
	if a.Model, fail = s.asked(x); fail != nil {
		return a, fail
	}
	o, fail := s.order(x, a.Model)
	if fail != nil {
		return a, fail
	}
	a.Times = o.times()
	if s.rate != nil || s.limited(x.Caller.ID) {
		a.Tokens, fail = s.tokens(x, a.Model, o)
	}
	return a, fail
}

// limited tells that the tokens of a key are counted.
func (s *stage) limited(id string) bool {
	one, ok := s.book.Keys.ByID(id)
	return ok && one.Tokens > 0
}

// asked is the model that has to be paid for. Anti-truncation goes on with a stream; where there is none it
// costs nothing, and a stage that makes more of it says so (Reprice).
func (s *stage) asked(x *pipeline.Exchange) (models.Model, *apierror.Error) {
	name, fail := x.AskedModel()
	if fail != nil {
		return models.Model{}, fail
	}
	m := s.read(name)
	if m.Base == "" {
		return m, apierror.New(apierror.BadRequest, "the model name is empty").Naming("model")
	}
	if m.Features.Has(models.AntiTruncation) {
		on, fail := x.AsksStream()
		if fail != nil {
			return m, fail
		}
		if !on {
			m.Features &^= models.AntiTruncation
		}
	}
	return m, nil
}

// read takes a name apart as the stage model will.
func (s *stage) read(name string) models.Model {
	if !s.parsed {
		return models.Model{Asked: name, Base: name}
	}
	return s.catalogue.Parse(name)
}

// Reprice takes the price of another model before that one is asked. By then it is known whether answers are
// gone on with: the stage that does so asks for events.
func (s *stage) Reprice(x *pipeline.Exchange, m models.Model) *apierror.Error {
	bill := billOf(x)
	if bill == nil {
		return nil
	}
	if x.Fetch != pipeline.InEvents {
		m.Features &^= models.AntiTruncation
	}
	if fail := bill.Reprice(x.Context(), m); fail != nil {
		return fail
	}
	x.Charge = bill.Charge()
	return nil
}

// Begin waits until the charge is durable: a crash never leaves a served call uncharged.
func (s *stage) Begin(x *pipeline.Exchange) *apierror.Error {
	if bill := billOf(x); bill != nil {
		return bill.Commit(x.Context())
	}
	return nil
}

// End settles the bill: it gives the reservation back when no answer began. The stage usage, which stands
// behind this one, has said by then what was used.
func (s *stage) End(x *pipeline.Exchange) {
	if bill := billOf(x); bill != nil {
		if len(x.Attempts) == 0 && !x.Outcome.Began {
			bill.Unasked()
		}
		bill.Close(x.Outcome.Began && !x.Blocked, apikey.Tokens{Input: x.Used.Prompt + x.Used.ToolUse, Output: x.Used.Candidates + x.Used.Thoughts})
		if x.Charge.Key != "" {
			x.Charge = bill.Charge()
		}
	}
}
