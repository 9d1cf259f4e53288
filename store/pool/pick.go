package pool

import (
	"slices"
	"strings"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/models"
	"gcli2api/store/oauth"
)

// Want is what an exchange needs a credential for.
type Want struct {
	Model string        // base name, as it goes to Google
	Verb  pipeline.Verb // what is asked
	Kinds []string      // allowed kinds, nil for all
	ID    string        // of the exchange, for the lines of the log that it causes

	Caller string // who asks (pipeline.Caller.Owner): callers that wait are served in turn
	Group  string // only credentials of this group; "" for all
	Talk   uint64 // names the conversation, for the sticky rotation; 0 for none

	// Favour is a kind to take where one of it is free; the others serve as well.
	Favour string

	// Tried are the ids of the credentials of the exchange's earlier calls, one element a call,
	// repeats included: they tell how often each was tried.
	Tried []string
	// Served is the first of them where it gave the beginning of the answer that is gone on with: that call
	// was no failure.
	Served string
	// Prefer is the id to give again where that is possible: the last one, after the advice Same.
	Prefer string
}

// Serves tells whether a kind of credential serves a model: Code Assist has text models only, Vertex AI
// draws as well, and embeddings come from the Gemini API.
func Serves(kind, model string, verb pipeline.Verb) bool {
	switch {
	case kind == oauth.Gemini:
		return true
	case verb == pipeline.Embed || strings.Contains(model, "embedding"):
		return false
	case kind == oauth.Vertex:
		return true
	case models.FamilyOf(model).Line == models.Image:
		return false
	}
	for _, part := range [...]string{"imagen", "-image", "-tts", "veo-", "-live", "-audio"} {
		if strings.Contains(model, part) {
			return false
		}
	}
	return true
}

// lane is a rotation of its own: what one model does must not push another one's turn on.
type lane struct {
	model string
	kinds uint8 // bits
	group string
}

// maxLanes bounds the rotations of models that clients can make the pool remember.
const maxLanes = 1024

func (p *Pool) laneOf(w *Want) lane {
	l := lane{model: w.Model, group: w.Group}
	for _, kind := range oauth.Kinds() {
		if (len(w.Kinds) == 0 || slices.Contains(w.Kinds, kind)) && p.serves(kind, w.Model, w.Verb) {
			l.kinds |= kindBit(kind)
		}
	}
	return l
}

// favoured is the part of a lane that the request had rather have.
func (p *Pool) favoured(k lane, w *Want) lane {
	k.kinds &= kindBit(w.Favour)
	return k
}

// fits tells that an entry is one of those that a lane is about.
func (k lane) fits(e *entry) bool {
	return e.kind&k.kinds != 0 && (k.group == "" || slices.Contains(e.wish.Groups, k.group))
}

// choose finds a credential with room for another call. Where there is none it says whether one would
// serve that has no room now, or else why there is none at all.
func (p *Pool) choose(k lane, w *Want, t time.Time) (e *entry, busy bool, fail *apierror.Error) {
	now := t.UnixNano()
	pass, fail := p.passing(k, t)
	switch {
	case len(w.Tried) > 0:
		if pass.kinds == 0 {
			pass = k
		}
		e = p.onward(k, pass, w, now)
	case fail != nil:
		return nil, false, fail
	default:
		if w.Favour != "" {
			e = p.turn(p.favoured(pass, w), w, now)
		}
		if e == nil {
			e = p.turn(pass, w, now)
		}
		e = p.sighted(pass, e, now)
	}
	switch {
	case e != nil:
		return e, false, nil
	case p.busy(pass, now):
		return nil, true, nil
	}
	return nil, false, p.unlent(k, w, t)
}

// onward chooses for an exchange that is under way: breakers do not stop it, but where another kind of
// upstream serves as well it goes there.
func (p *Pool) onward(k, pass lane, w *Want, now int64) *entry {
	if pass != k && w.Prefer == "" {
		if e := p.again(pass, w, now); e != nil {
			return e
		}
	}
	return p.again(k, w, now)
}

// unlent says why there is no credential.
func (p *Pool) unlent(k lane, w *Want, t time.Time) *apierror.Error {
	x := p.exhausted(k, t)
	if _, wait, by := p.blocked(k, t); by != nil && x.Fit > x.Disabled+x.Cooling {
		return pause(by, wait) // there are some, behind a breaker
	}
	return x.explain(w, t)
}

// busy tells that somebody could serve the lane if there were no bound on calls at a time.
func (p *Pool) busy(k lane, now int64) bool {
	v := p.roomless(k, now)
	return v.first(v.all) >= 0
}

// roomless is a view that does not ask whether there is room.
func (p *Pool) roomless(k lane, now int64) view {
	v := p.view(k, now)
	v.room = p.index.full
	return v
}

// untried finds a credential that could serve besides those tried and self, whether it has room now or
// not. It moves no rotation.
func (p *Pool) untried(k lane, tried []string, self string, now int64) *entry {
	v := p.roomless(k, now)
	return p.other(&v, k, func(e *entry) bool { return e.cred.ID != self && !slices.Contains(tried, e.cred.ID) })
}

// other finds one that will do, beginning with the one whose turn it is.
func (p *Pool) other(v *view, k lane, do func(e *entry) bool) *entry {
	ix := &p.index
	for i := v.first(v.all); i >= 0; {
		tier := ix.tier(i).within(v.all)
		head := p.lanes[k].head(ix, tier)
		for _, part := range [...]span{{head, tier.hi}, {tier.lo, head}} {
			for i = v.first(part); i >= 0; i = v.first(span{i + 1, part.hi}) {
				if do(ix.order[i]) {
					return ix.order[i]
				}
			}
		}
		i = v.first(span{tier.hi, v.all.hi})
	}
	return nil
}

// fresh finds one with room that the exchange has not tried.
func (p *Pool) fresh(k lane, w *Want, now int64) *entry {
	v := p.view(k, now)
	if p.set.Rotation == Sticky && w.Talk != 0 {
		for i := v.first(v.all); i >= 0; { // where the rest of the conversation will go as well
			tier := p.index.tier(i).within(v.all)
			if at := p.index.stick(&v, tier, w.Talk, w.Tried); at >= 0 {
				return p.index.order[at]
			}
			i = v.first(span{tier.hi, v.all.hi})
		}
		return nil
	}
	return p.other(&v, k, func(e *entry) bool { return !slices.Contains(w.Tried, e.cred.ID) })
}

// again chooses for an exchange that has tried some: the one asked for, one not tried yet, the one
// tried longest ago that is free, and at last one that only a guess keeps back, where nobody is worth
// waiting for.
func (p *Pool) again(k lane, w *Want, now int64) *entry {
	if e := p.byID[w.Prefer]; e != nil && k.fits(e) && e.soft(k.model, now) && p.roomy(e) {
		return e
	}
	if w.Favour != "" {
		if e := p.fresh(p.favoured(k, w), w, now); e != nil {
			return e
		}
	}
	if e := p.fresh(k, w, now); e != nil {
		return e
	}
	var guess *entry
	for _, id := range w.Tried {
		e := p.byID[id]
		if e == nil || !k.fits(e) || !p.roomy(e) {
			continue
		}
		if e.free(k.model, now) {
			return e
		}
		if guess == nil && e.soft(k.model, now) {
			guess = e
		}
	}
	if guess != nil && p.busy(k, now) {
		return nil
	}
	return guess
}
