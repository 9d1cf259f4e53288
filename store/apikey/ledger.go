package apikey

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/wire"
	"gcli2api/store"
)

// Ledger keeps what keys may still spend. It is safe for concurrent use.
type Ledger struct {
	keys  *Keys
	costs *Costs
	store store.Store
	log   *slog.Logger

	windows *windows
}

// Tokens is what went up and what came back.
type Tokens struct {
	Input  int64
	Output int64 // thoughts included
}

// Ask is a request that wants to be paid for.
type Ask struct {
	Key    string // id
	Model  models.Model
	Times  int64  // answers or items asked for: the price is taken as often; 0 is 1
	Tokens Tokens // an estimate of what goes up, and the most that may come back
	Answer wire.Format
	Tell   func(name, value string) // takes response headers, also when the request is refused; nil tells nobody
}

// Bill is what one request has reserved. It belongs to one goroutine at a time.
type Bill struct {
	ledger *Ledger
	ask    Ask
	charge pipeline.Charge
	pass   *pass
}

// Reserve takes the price of a request from its key, or says why it cannot.
func (l *Ledger) Reserve(ctx context.Context, a Ask) (*Bill, *apierror.Error) {
	one, ok := l.keys.ByID(a.Key)
	if !ok {
		return nil, apierror.New(apierror.Unauthorized, "the API key was deleted")
	}
	pass, fail := l.windows.enter(ctx, one, a.Tokens)
	if a.Tell != nil {
		pass.tell(a.Answer, a.Tell)
	}
	if fail != nil {
		return nil, fail
	}
	b := &Bill{ledger: l, ask: a, pass: pass, charge: pipeline.Charge{Key: a.Key, Base: a.Model.Base, Units: l.price(a)}}
	if fail := l.take(ctx, one, b.charge.Units); fail != nil {
		pass.drop()
		return nil, fail
	}
	return b, nil
}

func (l *Ledger) price(a Ask) int64 {
	units, times := l.costs.Price(a.Model), max(a.Times, 1)
	if units > math.MaxInt64/times {
		return math.MaxInt64
	}
	return units * times
}

func (l *Ledger) take(ctx context.Context, one *Key, units int64) *apierror.Error {
	left, err := l.store.Take(ctx, usedCounter(one.ID), units, one.Quota)
	switch {
	case errors.Is(err, store.ErrExhausted):
		return apierror.Newf(apierror.QuotaExhausted, "this call costs %d units and the API key has %d of %d left", units, left, one.Quota)
	case err != nil:
		return apierror.Wrap(apierror.UpstreamUnavailable, "the store does not answer: the price of the call could not be reserved", err)
	}
	return nil
}

func usedCounter(id string) string { return "key/" + id + "/used" }

// Charge is what is reserved now.
func (b *Bill) Charge() pipeline.Charge { return b.charge }

// Reprice takes the price of m in the place of what is reserved; on an error that stands.
func (b *Bill) Reprice(ctx context.Context, m models.Model) *apierror.Error {
	one, ok := b.ledger.keys.ByID(b.ask.Key)
	if !ok {
		return apierror.New(apierror.Unauthorized, "the API key was deleted")
	}
	a := b.ask
	a.Model = m
	units := b.ledger.price(a)
	if more := units - b.charge.Units; more > 0 {
		if fail := b.ledger.take(ctx, one, more); fail != nil {
			return fail
		}
	} else {
		b.ledger.give(b.charge.Key, -more)
	}
	b.ask, b.charge.Base, b.charge.Units = a, m.Base, units
	return nil
}

// Commit waits until the reservation is durable.
func (b *Bill) Commit(context.Context) *apierror.Error { return nil }

// Unasked says that nobody was asked for an answer: the request does not count among those of the minute.
// Close still has to be called.
func (b *Bill) Unasked() { b.pass.drop() }

// Close ends the request: what was reserved is settled to what was spent when an answer began, and given
// back when none did.
func (b *Bill) Close(began bool, spent Tokens) {
	b.pass.leave(began, spent)
	if !began {
		b.ledger.give(b.charge.Key, b.charge.Units)
	}
}

func (l *Ledger) give(id string, units int64) {
	if units == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := l.store.Add(ctx, []store.Delta{{Counter: usedCounter(id), N: -units}}); err != nil {
		l.log.Error("a refund could not be written", "key", id, "units", units, "error", err)
	}
}

// Balance is what a key has used.
type Balance struct {
	Used int64 // units; of the period where the quota renews
}

// Balance tells what a key has used.
func (l *Ledger) Balance(ctx context.Context, one *Key) (Balance, error) {
	name := usedCounter(one.ID)
	all, err := l.store.Counters(ctx, name)
	return Balance{Used: all[name]}, err
}
