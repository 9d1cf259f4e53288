package apikey

import (
	"context"
	"net/http"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/models"
)

// Bill is what one request has reserved. It belongs to one goroutine at a time.
type Bill struct {
	ledger *Ledger
	ask    Ask
	charge pipeline.Charge
	from   account
	group  *group // the write that makes it durable; nil where it is
	pass   *pass
	closed bool
}

// Charge is what is reserved now.
func (b *Bill) Charge() pipeline.Charge { return b.charge }

// reserve takes a place among the requests of the key, and the price. Where both have to ask a store that is
// shared, they do so at the same time.
func (b *Bill) reserve(ctx context.Context, one *Key) *apierror.Error {
	ask := func() (fail *apierror.Error) {
		b.pass, fail = b.ledger.windows.enter(ctx, one, b.ask.Tokens)
		return fail
	}
	move := func() *apierror.Error { return b.move(ctx, one, b.ask.Model) }
	entered, paid := (*apierror.Error)(nil), (*apierror.Error)(nil)
	if b.ledger.windows.asks(one, b.ask.Tokens) {
		asked := make(chan *apierror.Error, 1)
		go func() { asked <- ask() }()
		paid = move()
		entered = <-asked
	} else if entered = ask(); entered == nil {
		paid = move()
	}
	if b.ask.Tell != nil {
		b.pass.tell(b.ask.Answer, b.ask.Tell)
	}
	switch {
	case entered != nil:
		b.end(want{}) // what was paid meanwhile
		b.ledger.windows.settled(ctx, entered)
		return entered
	case paid != nil:
		b.pass.drop()
		b.ledger.windows.settled(ctx, paid)
	}
	return paid
}

// Reprice takes the price of m in the place of what is reserved; on an error that stands.
func (b *Bill) Reprice(ctx context.Context, m models.Model) *apierror.Error {
	one, fail := b.ledger.payer(b.ask.Key)
	if fail != nil {
		return fail
	}
	return b.move(ctx, one, m)
}

// move has the price of m taken.
func (b *Bill) move(ctx context.Context, one *Key, m models.Model) *apierror.Error {
	w := b.ledger.wants(&b.ask, m, one)
	g, err := b.take(ctx, w)
	switch {
	case err != nil:
		return unwritten("the store does not answer: the price of the call could not be reserved", err)
	case g.short:
		return b.ledger.broke(one, &b.from, w, g)
	}
	b.ask.Model, b.charge.Base = m, m.Base
	return nil
}

// take brings what is reserved to what is wanted.
func (b *Bill) take(ctx context.Context, w want) (g got, err error) {
	if w.units == 0 && b.charge.Units == 0 { // free: nothing is written, and nobody waits
		return g, nil
	}
	g, err = b.ledger.till.move(ctx, &b.from, b.charge.Units, w)
	b.charge.Units = g.units
	if !g.short && err == nil {
		b.group = g.group
	}
	return g, err
}

// unwritten is for a store that fails: the client may come again soon.
func unwritten(message string, err error) *apierror.Error {
	fail := apierror.Wrap(apierror.UpstreamUnavailable, message, err)
	fail.Status, fail.RetryAfter = http.StatusServiceUnavailable, time.Second
	return fail
}

// Commit waits until the reservation is durable. Where it returns an error nothing may be served.
func (b *Bill) Commit(ctx context.Context) *apierror.Error {
	if b.charge.Units == 0 || b.group.over() {
		return nil
	}
	err := b.ledger.till.wait(ctx, b.group)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return apierror.Wrap(apierror.ClientGone, "the client left before the charge was written", err)
	}
	return unwritten("the charge could not be written, so that no answer is given: try again", err)
}

// Unasked says that nobody was asked for an answer: the request does not count among those of its minute.
// Close comes all the same.
func (b *Bill) Unasked() { b.pass.drop() }

// Close ends the request: what was reserved is settled to what was spent when an answer began, and given
// back when none did.
func (b *Bill) Close(began bool, spent Tokens) {
	if b.closed {
		return
	}
	b.closed = true
	b.pass.leave(began, spent)
	switch {
	case !began:
		b.end(want{})
		b.refunded()
	case b.ask.Rate != nil && !b.ask.Free:
		b.settle(spent)
	}
}

// settle charges for what was spent. An answer that told nothing of what went up has cost what was estimated.
func (b *Bill) settle(spent Tokens) {
	if spent.Input == 0 {
		spent.Input = b.ask.Tokens.Input
	}
	var w want // a key that is gone pays no more than it has
	if one, ok := b.ledger.keys.ByID(b.ask.Key); ok {
		w = limits(one)
	}
	w.units = b.ledger.rate(&b.ask, b.ask.Model).of(spent)
	if b.end(w); b.charge.Units < w.units {
		b.ledger.log.Warn("an answer cost more than its API key had left", "key", b.charge.Key, "units", w.units, "charged", b.charge.Units)
	}
}

// refundWait is how long an error waits for its refund in a store that does not answer.
const refundWait = time.Second

// refunded waits until what was given back is durable, so that who has heard an error is not charged for it,
// whatever becomes of this process. A refund that cannot be written now is written later.
func (b *Bill) refunded() {
	if b.group.over() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), refundWait)
	defer cancel()
	_ = b.ledger.till.wait(ctx, b.group)
}

func (b *Bill) end(w want) {
	ctx, cancel := context.WithTimeout(context.Background(), writeLimit)
	defer cancel()
	if _, err := b.take(ctx, w); err != nil {
		b.ledger.log.Error("a charge could not be settled", "key", b.charge.Key, "units", w.units, "error", err)
	}
}
