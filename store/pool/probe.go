package pool

import (
	"context"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
)

// pinLimit is how long a token and a project may take before a test.
const pinLimit = findLimit

// Probe is a lease on one credential that was chosen by its name, whatever is held against it: for a
// test. What it reports counts as any call does. Only a credential that is not in use learns nothing but
// about itself: neither its account nor a breaker hears of a failure, and success switches nothing on.
type Probe struct{ *lease }

// Pin lends a credential for a test. The error is ErrUnknown or a *Trouble.
func (p *Pool) Pin(ctx context.Context, id, model string) (*Probe, error) {
	var got *Probe
	err := p.visit(ctx, id, pinLimit, func(ctx context.Context, e *entry) error {
		if err := p.ensure(ctx, e, true); err != nil {
			return err
		}
		p.mu.Lock()
		defer p.unlock()
		if p.closed {
			return &Trouble{Reason: "the gateway is shutting down"}
		}
		p.hold(e) // also beyond what it may have at a time: the operator does not wait for a turn
		got = &Probe{p.lend(e, lane{model: model, kinds: e.kind}, &Want{Model: model, Verb: pipeline.Generate}, p.now())}
		return nil
	})
	return got, err
}

// Report tells how the call ended; nil is success.
func (b *Probe) Report(f *apierror.Error) pipeline.Advice {
	if f != nil && b.Answered(f) {
		f = nil
	}
	p, e := b.pool, b.entry
	p.mu.Lock()
	aside := e.disabled || e.inactive || e.gone
	p.mu.Unlock()
	if f == nil || !aside || f.Code == apierror.ClientGone {
		return b.lease.Report(f)
	}
	return b.aside(f)
}

// Answered tells a failure that is none here: one token is no room for an answer, and that there was one
// is all that is asked.
func (b *Probe) Answered(f *apierror.Error) bool {
	return f.Code == apierror.EmptyAnswer && f.Said != nil && f.Said.HTTP == 200
}

// aside is Report of a failure of a credential that is not in use.
func (b *Probe) aside(f *apierror.Error) (a pipeline.Advice) {
	p, e := b.pool, b.entry
	p.mu.Lock()
	defer func() { p.unlock(e) }()
	e.calls++
	if f.Said == nil {
		return a
	}
	e.noteCode(f.Said.HTTP, cut(e.masked(f.Said.Text)))
	e.dirty = true
	if t := e.account; f.Said.HTTP == 401 && t != nil && b.prior == 0 && b.token == t.token {
		t.stale, a.Again = true, pipeline.Same
	}
	return a
}

// Explain says what became of a test, for the operator, and where a person can mend it.
func (b *Probe) Explain(f *apierror.Error) (says, link string) {
	p, e := b.pool, b.entry
	p.mu.Lock()
	defer p.mu.Unlock()
	o := outcome{l: b.lease, f: f, r: p.find(f, b.lease), now: time.Time{}}
	switch text := o.text(); {
	case o.r.says != "":
		says = o.reason()
	case text != "":
		says = "Google says: " + text
	default: // no word of Google's: no connection, say
		says = e.masked(f.Message)
	}
	return says, e.linkIn(o.link())
}
