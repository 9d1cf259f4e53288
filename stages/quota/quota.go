// Package quota reserves the price of a request from the caller's API key.
//
// The price is reserved before anything is spent, made durable before the first byte of an answer,
// and refunded when no answer began. Callers with the password are never charged.
package quota

import (
	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/models"
	"gcli2api/store/apikey"
)

// Settings is the [stage.quota] table.
type Settings struct{}

// Kind describes the stage to the registry. A nil book means that there are no keys: nobody can have
// come in with one.
func Kind(book *apikey.Book) pipeline.Kind {
	return pipeline.Kind{
		Name:   "quota",
		Does:   "reserves the price of the request from the caller's key",
		Verbs:  []pipeline.Verb{pipeline.Generate, pipeline.Streaming, pipeline.Embed},
		Needs:  []pipeline.Fact{pipeline.HasCaller},
		Before: []pipeline.Fact{pipeline.HasLease},
		New: pipeline.New(Settings{}, func(_ Settings, b *pipeline.Build) (pipeline.Stage, error) {
			c, err := b.Models()
			return &stage{book: book, catalogue: c, parsed: b.Has("model")}, err
		}),
	}
}

type stage struct {
	book      *apikey.Book
	catalogue *models.Catalogue
	parsed    bool // the stage model takes features off the name; else they are a part of it
}

type billKey struct{}

func billOf(x *pipeline.Exchange) *apikey.Bill {
	b, _ := x.Note(billKey{}).(*apikey.Bill)
	return b
}

// Process reserves the price for callers with a key.
func (s *stage) Process(x *pipeline.Exchange) pipeline.Verdict {
	if x.Caller.Kind != "key" || x.Charge.Key != "" || x.In.Trial {
		return pipeline.Next
	}
	if s.book == nil {
		return x.Fail(apierror.New(apierror.Forbidden, "API keys are not in use on this gateway"))
	}
	m, fail := s.asked(x)
	if fail != nil {
		return x.Fail(fail)
	}
	bill, fail := s.book.Ledger.Reserve(x.Context(), apikey.Ask{Key: x.Caller.ID, Model: m})
	if fail != nil {
		return x.Fail(fail) // x.Charge stays empty: End must not give back what nobody took
	}
	x.Charge = bill.Charge()
	x.Keep(billKey{}, bill)
	bill.Tell(x.Header.Set)
	return pipeline.Next
}

// asked is what has to be paid for. Anti-truncation goes on with a stream; where there is none it costs
// nothing, and a stage that makes more of it says so (Reprice).
func (s *stage) asked(x *pipeline.Exchange) (models.Model, *apierror.Error) {
	name, fail := x.AskedModel()
	if fail != nil {
		return models.Model{}, fail
	}
	if !s.parsed {
		return models.Model{Asked: name, Base: name}, nil
	}
	m := s.catalogue.Parse(name)
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

// End settles the bill: it gives the reservation back when no answer began.
func (s *stage) End(x *pipeline.Exchange) {
	if bill := billOf(x); bill != nil {
		bill.Close(x.Outcome.Began, apikey.Tokens{Input: x.Used.Prompt + x.Used.ToolUse, Output: x.Used.Candidates + x.Used.Thoughts})
		x.Charge.Units = bill.Charge().Units // what stays
	}
}
