package pool

import (
	"context"
	"errors"
	"slices"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
)

// Acquire lends a credential for one call. It waits while a token is renewed or a project is looked
// for, at most until ctx ends. The error says why there is none, and when there may be one.
func (p *Pool) Acquire(ctx context.Context, w Want) (pipeline.Lease, *apierror.Error) {
	k := p.laneOf(&w)
	var e *entry
	for {
		l, wait, fail := p.try(&e, k, &w)
		switch {
		case fail != nil:
			return nil, fail
		case l != nil:
			return l, nil
		case wait == nil:
			continue // it failed while this waited, and now another one is next
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, left(ctx)
		}
	}
}

// left explains a wait that ended early.
func left(ctx context.Context) *apierror.Error {
	var own *apierror.Error
	if errors.As(context.Cause(ctx), &own) {
		return own
	}
	return apierror.Wrap(apierror.ClientGone, "the client closed the connection", context.Cause(ctx))
}

// try lends the entry that is chosen, or says what to wait for first. While its token is renewed an
// entry stays chosen: going back to the queue would count the request twice.
func (p *Pool) try(chosen **entry, k lane, w *Want) (*lease, <-chan struct{}, *apierror.Error) {
	t := p.now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, nil, apierror.New(apierror.Overloaded, "the gateway is shutting down")
	}
	if *chosen == nil {
		e, fail := p.choose(k, w, t)
		if fail != nil {
			return nil, nil, fail
		}
		*chosen = e
	}
	e := *chosen
	if e.gone || e.inactive || !e.free(k.model, t.UnixNano()) && !(len(w.Tried) > 0 && e.soft(k.model, t.UnixNano())) {
		*chosen = nil
		return nil, nil, nil
	}
	if wait := p.prepare(e, t); wait != nil {
		return nil, wait, nil
	}
	return p.lend(e, k, w, t), nil, nil
}

func (p *Pool) choose(k lane, w *Want, t time.Time) (*entry, *apierror.Error) {
	var e *entry
	if len(w.Tried) > 0 {
		e = p.again(k, w, t.UnixNano())
	} else {
		if fail := p.open(k, t); fail != nil {
			return nil, fail
		}
		if w.Favour != "" {
			e = p.next(p.favoured(k, w), t.UnixNano())
		}
		if e == nil {
			e = p.next(k, t.UnixNano())
		}
	}
	if e == nil {
		return nil, p.exhausted(k, t).explain(w.Model, t)
	}
	return e, nil
}

func (p *Pool) lend(e *entry, k lane, w *Want, t time.Time) *lease {
	l := &lease{pool: p, entry: e, lane: k, start: t, token: e.cred.APIKey, exchange: w.ID, free: !costs(w.Verb)}
	if len(w.Tried) > 0 {
		l.tried = slices.Clone(w.Tried) // the caller may use its array again
	}
	for _, id := range w.Tried {
		if id == e.cred.ID {
			l.prior++
		}
	}
	if e.account != nil {
		l.token, l.project = e.account.token, e.project
	}
	p.out.Add(1)
	return l
}

// lease is one credential in the hands of one exchange.
type lease struct {
	pool     *Pool
	entry    *entry
	lane     lane
	tried    []string // of the exchange, before this lease
	prior    int      // calls of the exchange with this credential so far
	start    time.Time
	token    string
	project  string
	exchange string // id
	released bool
	free     bool // Google does not count the call
}

// ID is the stable name of the credential.
func (l *lease) ID() string { return l.entry.cred.ID }

// Kind chooses the upstream client.
func (l *lease) Kind() string { return l.entry.cred.Kind }

// Token is the access token or the API key.
func (l *lease) Token() string { return l.token }

// Project is the Google Cloud project, "" for API keys.
func (l *lease) Project() string { return l.project }

// Proxy is where calls go out, "" for the way of all others.
func (l *lease) Proxy() string { return l.entry.wish.Proxy }

// Release gives the credential back; the second call does nothing. Like the exchange, a lease
// belongs to one goroutine at a time.
func (l *lease) Release() {
	if !l.released {
		l.released = true
		l.pool.out.Add(-1)
	}
}

// Report tells how the call ended; nil is success.
func (l *lease) Report(f *apierror.Error) pipeline.Advice {
	p, t := l.pool, l.pool.now()
	if f != nil && f.Code == apierror.ClientGone {
		p.abandoned(l, f, t)
		return pipeline.Advice{}
	}
	p.mu.Lock()
	l.entry.calls++
	var a pipeline.Advice
	if f == nil {
		p.succeeded(l, t)
	} else {
		r := p.find(f, l.lane.model)
		o := outcome{l: l, f: f, r: r, now: t}
		p.cause = l.exchange
		p.punish(o)
		p.cause = ""
		a = p.advise(o)
		a.Model = o.ofModel()
		if o.said().HTTP == 429 {
			a.Free = p.freeIn(l.lane, t)
		}
	}
	l.prior++
	l.start = t
	p.unlock(l.entry)
	return a
}
