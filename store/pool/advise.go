package pool

import (
	"slices"
	"time"

	"gcli2api/pipeline"
)

// worthWaiting is the longest that a request is kept waiting for a credential to be free again.
const worthWaiting = 3 * time.Second

// advise says whether another call of the exchange is worth it, and with which credential. How long
// to pause after a 429 at least is the business of whoever makes the call (stage retry).
func (p *Pool) advise(o outcome) pipeline.Advice {
	l, r := o.l, o.r
	if !r.first {
		if a, ok := p.adviseSame(o); ok {
			return a
		}
	}
	if l.rotated() < r.others && p.untried(l.lane, l.tried, l.ID(), o.now.UnixNano()) != nil {
		return pipeline.Advice{Again: pipeline.Other}
	}
	if r.first {
		if a, ok := p.adviseSame(o); ok {
			return a
		}
	}
	if r.back {
		return p.adviseBack(o)
	}
	return pipeline.Advice{}
}

// ofModel tells that Google has no such model, or nothing left of it: with another one the same credentials
// may serve.
func (o outcome) ofModel() bool {
	switch o.said().HTTP {
	case 404, 429, 503:
		return o.r.scope == onPair || o.r.scope == onModel
	}
	return false
}

func (p *Pool) adviseSame(o outcome) (pipeline.Advice, bool) {
	l := o.l
	if l.prior >= len(o.r.same) || l.entry.gone || !l.entry.soft(l.lane.model, o.now.UnixNano()) {
		return pipeline.Advice{}, false
	}
	if o.r.then == renews && l.entry.account == nil {
		return pipeline.Advice{}, false // nothing to refresh
	}
	return pipeline.Advice{Again: pipeline.Same, Wait: o.r.same[l.prior]}, true
}

// rotated counts the other credentials that the exchange has moved to.
func (l *lease) rotated() int {
	n := 0
	for i, id := range l.tried {
		if id != l.ID() && !slices.Contains(l.tried[:i], id) {
			n++
		}
	}
	return n
}

// adviseBack looks among the credentials that the exchange has tried for the one that is free first.
func (p *Pool) adviseBack(o outcome) pipeline.Advice {
	l, now := o.l, o.now.UnixNano()
	best, wait := "", time.Duration(0)
	consider := func(e *entry) {
		if e == nil || e.gone || e.disabled || e.kind&l.lane.kinds == 0 {
			return
		}
		left := time.Duration(0)
		if rest := e.rest(l.lane.model, now); rest.until > now && !e.soft(l.lane.model, now) {
			left = time.Duration(rest.until - now)
		}
		if left <= worthWaiting && (best == "" || left < wait) {
			best, wait = e.cred.ID, left
		}
	}
	consider(l.entry)
	for _, id := range l.tried {
		consider(p.byID[id])
	}
	switch best {
	case "":
		return pipeline.Advice{}
	case l.ID():
		return pipeline.Advice{Again: pipeline.Same, Wait: wait}
	}
	return pipeline.Advice{Again: pipeline.Later, Wait: wait}
}
