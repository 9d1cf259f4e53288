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
	r := o.r
	shut, _, _ := p.blocked(o.l.lane, o.now)
	first := r.first || shut&o.l.entry.kind != 0 // the same upstream fails as well: another kind may not
	if !first {
		if a, ok := p.adviseSame(o); ok {
			return a
		}
	}
	if next, ok := p.adviseOther(o); ok {
		return pipeline.Advice{Again: pipeline.Other, Next: next}
	}
	if first {
		if a, ok := p.adviseSame(o); ok {
			return a
		}
	}
	if r.back {
		return p.adviseBack(o)
	}
	return pipeline.Advice{}
}

// adviseOther looks for a credential that the exchange has not tried, at an upstream that is not left alone
// just now. It names one only where not every other one will do.
func (p *Pool) adviseOther(o outcome) (next string, ok bool) {
	l, others := o.l, o.r.others
	if p.listed(o) {
		others = all
	}
	if l.rotated() >= others {
		return "", false
	}
	k, fail := p.passing(l.lane, o.now)
	if fail != nil {
		return "", false
	}
	any := p.untried(k, l.tried, l.ID(), o.now.UnixNano())
	switch {
	case any == nil:
		return "", false
	case o.r.way:
		return p.otherWay(k, o)
	case o.r.then == blinds && any.noPreview:
		if e := p.sighted(k, any, o.now.UnixNano()); e != any && !slices.Contains(l.tried, e.cred.ID) {
			return e.cred.ID, true
		}
	}
	return "", true
}

// otherWay finds a free credential whose calls go out by a proxy that the exchange has not tried.
func (p *Pool) otherWay(k lane, o outcome) (string, bool) {
	ways := []string{o.l.entry.wish.Proxy}
	for _, id := range o.l.tried {
		if e := p.byID[id]; e != nil {
			ways = append(ways, e.wish.Proxy)
		}
	}
	v := p.roomless(k, o.now.UnixNano())
	if e := p.other(&v, k, func(e *entry) bool { return !slices.Contains(ways, e.wish.Proxy) }); e != nil {
		return e.cred.ID, true
	}
	return "", false
}

// sighted gives a free credential with access to previews instead of one that has none, where the model is
// a preview and there is one. They take turns from the place where the rotation stands.
func (p *Pool) sighted(k lane, e *entry, now int64) *entry {
	if e == nil || !e.noPreview || !preview(k.model) {
		return e
	}
	v := p.view(k, now)
	if other := p.other(&v, k, func(e *entry) bool { return !e.noPreview }); other != nil {
		return other
	}
	return e
}

// ofModel tells that Google has no such model, or nothing left of it: with another one the same credentials
// may serve.
func (o outcome) ofModel() bool {
	switch o.said().HTTP {
	case 404, 429, 503:
		return o.r.scope == onPair || o.r.scope == onUpstream
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
