package pool

import (
	"slices"
	"strings"

	"gcli2api/pipeline"
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
}

// place is where a rotation stands.
type place struct {
	head, served int    // index into the queue, requests that it has served
	blocked      int64  // nothing is free before (Unix nanoseconds) ...
	loosened     uint64 // ... unless something was loosened since
}

// maxLanes bounds the models that clients can make the pool remember.
const maxLanes = 256

func (p *Pool) laneOf(w *Want) lane {
	l := lane{model: w.Model}
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

func (p *Pool) place(k lane) *place {
	if at := p.lanes[k]; at != nil {
		return at
	}
	if len(p.lanes) >= maxLanes {
		clear(p.lanes)
	}
	at := &place{head: p.last.head, served: p.last.served} // not all models begin with the same credential
	p.lanes[k] = at
	return at
}

// next gives the credential whose turn it is: the head of the queue serves a number of requests and
// goes to the tail, as does one that cannot serve.
func (p *Pool) next(k lane, now int64) *entry {
	n := len(p.queue)
	if n == 0 || k.kinds == 0 {
		return nil
	}
	at := p.place(k)
	if at.loosened == p.loosened && now < at.blocked {
		return nil
	}
	if at.head >= n {
		at.head = 0
	}
	if at.served >= p.set.CallsPerRotation {
		at.head, at.served = (at.head+1)%n, 0
	}
	for i := range n {
		j := at.head + i
		if j >= n {
			j -= n
		}
		e := p.queue[j]
		if e.kind&k.kinds == 0 || !e.free(k.model, now) {
			continue
		}
		if i > 0 {
			at.head, at.served = j, 0
		}
		at.served++
		p.last = place{head: at.head, served: at.served}
		return e
	}
	at.loosened, at.blocked = p.loosened, p.blockedUntil(k, now)
	return nil
}

// blockedUntil is when the first of the credentials that rest is free again.
func (p *Pool) blockedUntil(k lane, now int64) int64 {
	soonest := int64(1<<63 - 1)
	for _, e := range p.queue {
		if e.kind&k.kinds != 0 && !e.disabled {
			soonest = min(soonest, e.rest(k.model, now).until)
		}
	}
	return soonest
}

// untried finds a free credential besides those tried and self, beginning with the one whose turn
// it is. It moves no rotation.
func (p *Pool) untried(k lane, tried []string, self string, now int64) *entry {
	n, head := len(p.queue), 0
	if at := p.lanes[k]; at != nil && at.head < n {
		head = at.head
	}
	for i := range n {
		j := head + i
		if j >= n {
			j -= n
		}
		e := p.queue[j]
		if e.kind&k.kinds != 0 && e.cred.ID != self && e.free(k.model, now) && !slices.Contains(tried, e.cred.ID) {
			return e
		}
	}
	return nil
}

// again chooses for an exchange that has tried some: the one asked for, one not tried yet, the one
// tried longest ago that is free, and at last one that only a guess keeps back.
func (p *Pool) again(k lane, w *Want, now int64) *entry {
	if e := p.byID[w.Prefer]; e != nil && e.kind&k.kinds != 0 && e.soft(k.model, now) {
		return e
	}
	if w.Favour != "" {
		if e := p.untried(p.favoured(k, w), w.Tried, "", now); e != nil {
			return e
		}
	}
	if e := p.untried(k, w.Tried, "", now); e != nil {
		return e
	}
	var guess *entry
	for _, id := range w.Tried {
		e := p.byID[id]
		if e == nil || e.kind&k.kinds == 0 {
			continue
		}
		if e.free(k.model, now) {
			return e
		}
		if guess == nil && e.soft(k.model, now) {
			guess = e
		}
	}
	return guess
}
