package pool

import (
	"math/bits"
	"slices"
	"strings"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/store/oauth"
)

// breaker stops the calls for one model at one kind of upstream, or all calls, after failures that no
// credential is to blame for. It is open for a while, then half open: one request at a time is let
// through, whose success closes it and whose failure opens it again for longer.
type breaker struct {
	fails    int       // requests that failed in a row, whichever credential they had
	first    time.Time // when the first of them did
	last     string    // exchange of the last one
	breaks   int       // in a row; 0 is closed
	until    time.Time // the end of the break
	opened   time.Time // what began before is no news
	probe    *lease    // the request that was let through behind the break
	probedAt time.Time
	row      *row // of the last failure
}

const (
	patience = 5                // requests in a row that fail before a breaker opens ...
	lasting  = time.Second      // ... if the trouble lasts as long as this: a burst is one piece of bad news
	overdue  = 10 * time.Second // a request let through that has said nothing by then is no longer waited for
)

// trip counts a failure. Of one exchange only the first in a row counts: a request that Google stumbles
// over each time it is tried must not stop those of others.
func (b *breaker) trip(o outcome) {
	if l := o.l; b.breaks > 0 && l.start.Before(b.opened) || b.breaks == 0 && b.fails > 0 && l.exchange != "" && l.exchange == b.last {
		return
	}
	if b.fails++; b.fails == 1 {
		b.first = o.now
	}
	b.last, b.row = o.l.exchange, o.r
	if b.breaks == 0 && (b.fails < patience || o.now.Sub(b.first) < lasting) {
		return
	}
	if o.now.Before(b.until) {
		return // a request that was under way: the break is not over yet
	}
	least, most := o.r.cool.least, o.r.cool.most
	b.breaks = min(b.breaks+1, 32)
	b.opened, b.until, b.probe = o.now, o.now.Add(min(least<<(b.breaks-1), most)), nil
}

// wait is how long the breaker lets no new request through; 0 when it does.
func (b *breaker) wait(t time.Time) time.Duration {
	switch {
	case b.breaks == 0:
		return 0
	case t.Before(b.until):
		return b.until.Sub(t)
	case b.probe != nil && t.Sub(b.probedAt) < overdue:
		return min(lasting, overdue-t.Sub(b.probedAt))
	}
	return 0
}

// blocked is the part of a lane's kinds whose breaker lets no new request through, and when the first
// of them does again. The breaker of all calls blocks all of them.
func (p *Pool) blocked(k lane, t time.Time) (kinds uint8, wait time.Duration, by *row) {
	if w := p.google.wait(t); w > 0 {
		return k.kinds, w, p.google.row
	}
	if len(p.breakers) == 0 {
		return 0, 0, nil
	}
	for left := k.kinds; left != 0; left &= left - 1 {
		kind := uint8(1) << bits.TrailingZeros8(left)
		b := p.breakers[fuse{k.model, kind}]
		if b == nil {
			continue
		}
		if w := b.wait(t); w > 0 {
			kinds |= kind
			if by == nil || w < wait {
				wait, by = w, b.row
			}
		}
	}
	return kinds, wait, by
}

// passing narrows a lane down to the kinds that a new request may try. The error says that there is none,
// and when there is.
func (p *Pool) passing(k lane, t time.Time) (lane, *apierror.Error) {
	shut, wait, by := p.blocked(k, t)
	if shut == 0 {
		return k, nil
	}
	if k.kinds &^= shut; k.kinds == 0 {
		return k, pause(by, wait)
	}
	return k, nil
}

// pause is the refusal of a new exchange while Google is left alone.
func pause(by *row, wait time.Duration) *apierror.Error {
	wait = max((wait + time.Second - 1).Truncate(time.Second), time.Second)
	e := apierror.New(apierror.UpstreamUnavailable, by.pauses+" at the moment; try again in "+wait.String()).After(wait)
	e.Status = 503
	return e
}

// fuse names a breaker.
type fuse struct {
	model string
	kind  uint8 // bit
}

// held finds the breaker that the row counts at, a new one if there is none yet.
func (p *Pool) held(l *lease) *breaker {
	at := fuse{l.lane.model, l.entry.kind}
	b := p.breakers[at]
	if b == nil {
		if len(p.breakers) >= maxLanes {
			p.forgetBreaker()
		}
		b = &breaker{}
		p.breakers[at] = b
	}
	return b
}

// forgetBreaker makes room: models that clients made up must not cost the break of a real one. One that is
// closed goes first, then the one whose break ends first.
func (p *Pool) forgetBreaker() {
	var least fuse
	var found *breaker
	for at, b := range p.breakers {
		if found == nil || b.until.Before(found.until) {
			least, found = at, b
		}
	}
	delete(p.breakers, least)
}

// probe marks a lease as the one that is let through. The caller holds mu.
func (p *Pool) probe(l *lease, t time.Time) {
	for _, b := range [...]*breaker{&p.google, p.breakers[fuse{l.lane.model, l.entry.kind}]} {
		if b != nil && b.breaks > 0 && !t.Before(b.until) && (b.probe == nil || t.Sub(b.probedAt) >= overdue) {
			b.probe, b.probedAt, l.probes = l, t, true
		}
	}
}

// unprobe lets the next one through: this one ended without news of Google's health, or its news are told.
func (p *Pool) unprobe(l *lease) {
	if !l.probes {
		return
	}
	l.probes = false
	for _, b := range [...]*breaker{&p.google, p.breakers[fuse{l.lane.model, l.entry.kind}]} {
		if b != nil && b.probe == l {
			b.probe = nil
		}
	}
}

// recovers closes the breakers that a success disproves: one of a call that began during the break, or
// behind it.
func (p *Pool) recovers(l *lease) {
	if b := &p.google; b.breaks == 0 || !l.start.Before(b.opened) {
		*b = breaker{}
	}
	if len(p.breakers) == 0 {
		return
	}
	at := fuse{l.lane.model, l.entry.kind}
	if b := p.breakers[at]; b != nil && (b.breaks == 0 || !l.start.Before(b.opened)) {
		delete(p.breakers, at)
	}
}

// Began tells that an answer begins to arrive: whoever was let through behind a break has shown that
// Google serves again, long before the end of a long answer.
func (l *lease) Began() {
	if !l.probes {
		return
	}
	p := l.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	p.recovers(l)
	p.unprobe(l)
}

var _ pipeline.Hears = (*lease)(nil)

// Break is what the console shows of a breaker that has counted something.
type Break struct {
	Model, Kind string // "" for all
	State       string // "closed", "open" or "half-open"
	Failures    int    // requests in a row
	Breaks      int    // in a row
	Until       time.Time
	Left        time.Duration // to that
	Row         string        // of the last failure
}

// Breaks lists the breakers that count failures, by model and kind.
func (p *Pool) Breaks() []Break {
	t := p.now()
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []Break
	add := func(model, kind string, b *breaker) {
		if b.fails == 0 {
			return
		}
		s := Break{Model: model, Kind: kind, State: "closed", Failures: b.fails, Breaks: b.breaks, Row: b.row.name}
		switch {
		case b.breaks > 0 && t.Before(b.until):
			s.State, s.Until, s.Left = "open", b.until, b.until.Sub(t)
		case b.breaks > 0:
			s.State = "half-open"
		}
		all = append(all, s)
	}
	add("", "", &p.google)
	for at, b := range p.breakers {
		for _, kind := range oauth.Kinds() {
			if kindBit(kind) == at.kind {
				add(at.model, kind, b)
			}
		}
	}
	slices.SortFunc(all, func(a, b Break) int { return strings.Compare(a.Model+"\x00"+a.Kind, b.Model+"\x00"+b.Kind) })
	return all
}
