// Package quota reserves the price of a request from the caller's API key.
//
// The price is reserved before anything is spent, made durable before the first byte of an answer,
// and refunded when no answer began. Callers with the password are never charged.
package quota

import (
	"context"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
)

// Ledger keeps what keys may still spend.
type Ledger interface {
	// Reserve takes the price of one request for model from the key, or says why it cannot.
	Reserve(ctx context.Context, key, model string) (pipeline.Charge, *apierror.Error)
	// Commit waits until the reservation is durable.
	Commit(ctx context.Context, c pipeline.Charge) *apierror.Error
	// Refund gives the reservation back.
	Refund(c pipeline.Charge)
}

// Settings is the [stage.quota] table.
type Settings struct{}

// Kind describes the stage to the registry. A nil ledger means that there are no keys: nobody can
// have come in with one.
func Kind(l Ledger) pipeline.Kind {
	return pipeline.Kind{
		Name:   "quota",
		Does:   "reserves the price of the request from the caller's key",
		Verbs:  []pipeline.Verb{pipeline.Generate, pipeline.Streaming, pipeline.Embed},
		Needs:  []pipeline.Fact{pipeline.HasCaller},
		Before: []pipeline.Fact{pipeline.HasLease},
		New: pipeline.New(Settings{}, func(Settings, *pipeline.Build) (pipeline.Stage, error) {
			return &stage{l}, nil
		}),
	}
}

type stage struct{ ledger Ledger }

// Process reserves the price for callers with a key.
func (s *stage) Process(x *pipeline.Exchange) pipeline.Verdict {
	if x.Caller.Kind != "key" || x.Charge.Key != "" || x.In.Trial {
		return pipeline.Next
	}
	if s.ledger == nil {
		return x.Fail(apierror.New(apierror.Forbidden, "API keys are not in use on this gateway"))
	}
	model, fail := x.AskedModel()
	if fail != nil {
		return x.Fail(fail)
	}
	c, fail := s.ledger.Reserve(x.Context(), x.Caller.ID, model)
	if fail != nil {
		return x.Fail(fail) // x.Charge stays empty: End must not give back what nobody took
	}
	x.Charge = c
	return pipeline.Next
}

// Begin waits until the charge is durable: a crash never leaves a served call uncharged.
func (s *stage) Begin(x *pipeline.Exchange) *apierror.Error {
	if x.Charge.Key == "" {
		return nil
	}
	return s.ledger.Commit(x.Context(), x.Charge)
}

// End gives the reservation back when no answer began.
func (s *stage) End(x *pipeline.Exchange) {
	if x.Charge.Key != "" && !x.Outcome.Began {
		s.ledger.Refund(x.Charge)
	}
}
