package pool

import (
	"context"
	"errors"
	"slices"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
)

// Acquire lends a credential for one call. It waits while all that could serve have as many calls as
// they may, while a token is renewed or a project is looked for, at most until ctx ends. The error says
// why there is none, and when there may be one.
func (p *Pool) Acquire(ctx context.Context, w Want) (pipeline.Lease, *apierror.Error) {
	k := p.laneOf(&w)
	var s step
	for {
		s = p.try(s, k, &w)
		switch {
		case s.fail != nil:
			return nil, s.fail
		case s.lease != nil:
			return s.lease, nil
		case s.turn != nil:
			if s = p.await(ctx, s.turn); s.fail != nil {
				return nil, s.fail
			}
		case s.ready != nil:
			select {
			case <-s.ready:
			case <-ctx.Done():
				p.mu.Lock()
				p.drop(s.entry)
				p.unlock()
				return nil, left(ctx)
			}
		}
	}
}

// step is how far Acquire has come.
type step struct {
	entry  *entry          // chosen, and its call counted
	waited time.Duration   // in the line so far
	turn   *waiter         // to wait for, or ...
	ready  <-chan struct{} // ... the entry's token or project
	lease  *lease
	fail   *apierror.Error
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
func (p *Pool) try(s step, k lane, w *Want) step {
	t := p.now()
	p.mu.Lock()
	defer p.unlock()
	e := s.entry
	s = step{waited: s.waited}
	if p.closed {
		if e != nil {
			p.drop(e)
		}
		s.fail = closing()
		return s
	}
	if e != nil && !p.usable(e, k, w, t) { // it failed while this waited, and now another one is next
		p.drop(e)
		e = nil
	}
	if e == nil {
		p.serve(t) // a rest may have ended: nobody overtakes those who wait
		var busy bool
		if e, busy, s.fail = p.choose(k, w, t); busy {
			s.turn, s.fail = p.enqueue(k, w, s.waited)
		}
		if e == nil {
			return s
		}
		p.hold(e)
	}
	s.entry = e
	if s.ready = p.prepare(e, t); s.ready == nil {
		s.lease = p.lend(e, k, w, t)
	}
	return s
}

func closing() *apierror.Error {
	return apierror.New(apierror.Overloaded, "the gateway is shutting down")
}

// usable tells that the entry that was chosen can still be lent: a breaker may have opened while this waited.
func (p *Pool) usable(e *entry, k lane, w *Want, t time.Time) bool {
	now := t.UnixNano()
	if shut, _, _ := p.blocked(k, t); len(w.Tried) == 0 && shut&e.kind != 0 {
		return false
	}
	return !e.gone && !e.inactive && (e.free(k.model, now) || len(w.Tried) > 0 && e.soft(k.model, now))
}

func (p *Pool) lend(e *entry, k lane, w *Want, t time.Time) *lease {
	l := &lease{pool: p, entry: e, lane: k, start: t, token: e.cred.APIKey, proxy: e.wish.Proxy, exchange: w.ID, free: !costs(w.Verb)}
	if len(w.Tried) > 0 {
		l.tried = slices.Clone(w.Tried) // the caller may use its array again
	}
	for _, id := range w.Tried {
		if id == e.cred.ID {
			l.prior++
		}
	}
	if l.prior > 0 && w.Served == e.cred.ID {
		l.prior--
	}
	if e.account != nil {
		l.token, l.project = e.account.token, e.project
	}
	p.probe(l, t)
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
	proxy    string
	exchange string // id
	released bool
	probes   bool // let through behind the break of a breaker
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
func (l *lease) Proxy() string { return l.proxy }

// Release gives the credential back; the second call does nothing. Like the exchange, a lease
// belongs to one goroutine at a time.
func (l *lease) Release() {
	if l.released {
		return
	}
	l.released = true
	p := l.pool
	p.out.Add(-1)
	p.mu.Lock()
	p.unprobe(l)
	p.giveBack(l.entry)
	p.unlock()
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
		o := outcome{l: l, f: f, r: p.find(f, l), now: t}
		if s := o.said(); s.HTTP == 200 && !s.HTML { // Google did answer, so it counts the call
			p.count(l, t)
		}
		p.cause = l.exchange
		p.punish(o)
		p.cause = ""
		a = p.advise(o)
		a.Model = o.ofModel()
		if o.said().HTTP == 429 {
			a.Free = p.freeIn(l.lane, t)
		}
	}
	p.unprobe(l)
	l.prior++
	l.start = t
	p.unlock(l.entry)
	return a
}
