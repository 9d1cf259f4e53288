package apikey

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"sync"
	"time"

	"gcli2api/pipeline/apierror"
	"gcli2api/store"
)

// sharedWindows keeps the windows of nodes that share a store.
//
// Time goes in steps of five seconds, by the nodes' own clocks. What a key does in a step is one counter,
// rate/<key>/<step>/r for requests and .../t for tokens: a request takes from that of the running step, with
// what the twelve steps before have left of the limit. A node that comes to a new step first closes the two
// before it, so that nobody takes from them any more: what it reads of them is all there will be. So no
// sixty seconds have more requests than the limit, whatever the nodes do at a time: a request counts for 60 to
// 65, less what the clocks of the nodes differ by. They may differ by five seconds; a node whose clock is
// behind goes by the steps of the others. Places of requests under way are leases (slots.go).
//
// Where the store does not answer, keys with limits are not served: their charge could not be written either.
type sharedWindows struct {
	store store.Store
	log   *slog.Logger
	now   func() time.Time
	owner string
	slots *slots

	mu    sync.Mutex
	views map[string]*view
	sweep int // when there are so many, the idle ones go

	floats  *floats                       // tells whether calls go on while the store is away; nil is never
	alone   *localWindows                 // of this node's calls, for that time
	later   func(counter string, n int64) // changes a counter soon; nil has it done at once
	written func(context.Context) error   // returns when that is done
	leaving sync.WaitGroup

	stop context.CancelFunc
	done chan struct{}
}

const (
	enough   = 3 * time.Second // for the store, before a request
	settling = 5 * time.Second // for the store, after it
	lookBack = 2 * time.Second // when a client may look whether the store answers
	attempts = 4               // to take from a step, before others are too fast for us
)

func openSharedWindows(o Options, t *shared) *sharedWindows {
	ctx, stop := context.WithCancel(context.Background())
	w := newSharedWindows(o.Store, o.Log, o.Now)
	w.later, w.written = t.refunds.add, t.refunds.wait
	w.floats, w.alone = t.floats, newLocalWindows(o.Now)
	w.stop, w.done = stop, make(chan struct{})
	go w.tend(ctx)
	return w
}

func newSharedWindows(s store.Store, log *slog.Logger, now func() time.Time) *sharedWindows {
	owner := rand.Text()
	return &sharedWindows{store: s, log: log, now: now, owner: owner, views: map[string]*view{}, sweep: fewMeters,
		slots: &slots{store: s, now: now, owner: owner, keys: map[string]*held{}}}
}

func (w *sharedWindows) close() {
	w.stop()
	<-w.done
	w.leaving.Wait()
}

func (w *sharedWindows) enter(ctx context.Context, one *Key, p *pass) *apierror.Error {
	here := w.here(one, p)
	fail, err := w.ask(ctx, one, p)
	switch {
	case err != nil && here != nil && w.floats.bridges(err):
		p.requests, p.tokens = here.pass.requests, here.pass.tokens
		p.here = here
		return here.refused
	case fail == nil && err == nil:
		p.here = here
	default:
		w.forget(here, true, 0)
	}
	if err != nil {
		return apierror.Wrap(apierror.Overloaded, "the database does not answer: the limits of the API key cannot be looked up", err).After(lookBack)
	}
	return fail
}

// mirror is a request in the windows of this node alone.
type mirror struct {
	pass    pass
	refused *apierror.Error
}

// here counts a request in the windows of this node as well: they decide while the store is away and calls go
// on. They know what came here in the last minute, and nothing of the other nodes. It is nil without a grace.
func (w *sharedWindows) here(one *Key, p *pass) *mirror {
	if w.floats == nil || w.floats.last() <= 0 {
		return nil
	}
	m := &mirror{pass: pass{id: p.id, slot: -1, estimate: p.estimate}}
	m.refused = w.alone.enter(context.Background(), one, &m.pass)
	return m
}

func (w *sharedWindows) forget(m *mirror, back bool, spent int64) {
	if m != nil && m.refused == nil {
		w.alone.end(&m.pass, back, spent)
	}
}

// ask has the store count a request; what was taken is given back where it is refused or the store fails.
func (w *sharedWindows) ask(ctx context.Context, one *Key, p *pass) (*apierror.Error, error) {
	ctx, cancel := context.WithTimeout(ctx, enough)
	defer cancel()
	placed := make(chan placed, 1)
	if one.Concurrency > 0 { // at the same time
		go func() { placed <- w.place(ctx, one) }()
	}
	fail, err := w.count(ctx, one, p)
	if one.Concurrency > 0 {
		at := <-placed
		if p.slot = at.slot; err == nil {
			err = at.err
		}
		if fail == nil && at.slot < 0 {
			fail = tooManyAtOnce(one.Concurrency)
		}
	}
	if fail != nil || err != nil {
		w.end(p, true, 0) // what was taken so far
	}
	return fail, err
}

// placed is what came of looking for a place; a negative one is none.
type placed struct {
	slot int64
	err  error
}

func (w *sharedWindows) place(ctx context.Context, one *Key) placed {
	slot, err := w.slots.take(ctx, one.ID, one.Concurrency)
	return placed{slot, err}
}

// count takes the request and its tokens from the running step.
func (w *sharedWindows) count(ctx context.Context, one *Key, p *pass) (*apierror.Error, error) {
	t := ticket{tokens: p.estimate}
	p.estimate = 0 // until it is taken
	if one.Requests <= 0 && one.Tokens <= 0 {
		return nil, nil
	}
	t.view = w.view(one.ID)
	defer func() { t.view.levels(w.now(), one, p) }()
	for range attempts {
		if at, stale := t.view.looks(w.now(), one, t.tokens); stale {
			if in, err := w.guess(ctx, one, p, t.of(at, usage{one.Requests, one.Tokens})); in || err != nil {
				return nil, err
			}
		}
		if err := w.refresh(ctx, one, t.view, t.tokens); err != nil {
			return nil, err
		}
		at, room, fail := t.view.room(w.now(), one, t.tokens)
		if fail != nil {
			return fail, nil
		}
		if _, in, err := w.take(ctx, one, p, t.of(at, room)); in || err != nil {
			return nil, err
		}
		t.view.spoil(at)
	}
	return nil, errors.New("other nodes take from the limits faster than this one, or their clocks are ahead")
}

// guess takes from a step while it is looked up what the steps before have left of the limit, so that one round
// trip is waited for and not three. Where the request stands in its step is known then: it is in if all up to
// it fits.
func (w *sharedWindows) guess(ctx context.Context, one *Key, p *pass, t ticket) (in bool, err error) {
	if one.Tokens > 0 && t.tokens > one.Tokens {
		return false, nil
	}
	looked := make(chan error, 1)
	go func() { looked <- w.refresh(ctx, one, t.view, t.tokens) }()
	stands, in, err := w.take(ctx, one, p, t)
	if failed := <-looked; err == nil {
		err = failed
	}
	if err == nil && in && t.view.fits(one, t.step, stands) {
		t.view.saw(t.step, stands) // which was read before it was there, perhaps
		return true, nil
	}
	w.settle(p, true, 0)
	return false, err
}

// ticket is what a request wants to take from a step.
type ticket struct {
	view   *view
	step   int64
	room   usage // what all of the step may be
	tokens int64
}

func (t ticket) of(step int64, room usage) ticket {
	t.step, t.room = step, usage{min(room.requests, mostRate), min(room.tokens, mostRate)}
	return t
}

// usage is a number of requests and of tokens.
type usage struct{ requests, tokens int64 }

// take says what the step has come to with the request. It is false when the step is full or closed; then nothing
// was taken.
func (w *sharedWindows) take(ctx context.Context, one *Key, p *pass, t ticket) (stands usage, in bool, err error) {
	p.at = t.step
	ofTokens := make(chan taken, 1)
	if one.Tokens > 0 {
		go func() { ofTokens <- w.takeOne(ctx, rateName(one.ID, t.step, tokenRate), t.tokens, t.room.tokens) }()
	}
	var requests, tokens taken
	if one.Requests > 0 {
		if requests = w.takeOne(ctx, rateName(one.ID, t.step, requestRate), 1, t.room.requests); requests.err == nil {
			p.counted, stands.requests = true, t.room.requests-requests.left
		}
	}
	if one.Tokens > 0 {
		if tokens = <-ofTokens; tokens.err == nil {
			p.estimate, stands.tokens = t.tokens, t.room.tokens-tokens.left
		}
	}
	t.view.saw(t.step, stands)
	if requests.err == nil && tokens.err == nil {
		return stands, true, nil
	}
	w.settle(p, true, 0)
	return stands, false, errors.Join(notFull(requests.err), notFull(tokens.err))
}

// takeOne goes on where the client leaves: it could not be told whether something was taken.
func (w *sharedWindows) takeOne(ctx context.Context, counter string, n, limit int64) (t taken) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), enough)
	defer cancel()
	t.left, t.err = w.store.Take(ctx, counter, n, limit)
	return t
}

func notFull(err error) error {
	if errors.Is(err, store.ErrExhausted) {
		return nil
	}
	return err
}

// end gives back and settles; what p held is none of its afterwards.
func (w *sharedWindows) end(p *pass, back bool, spent int64) {
	w.forget(p.here, back, spent)
	p.here = nil
	if slot := p.slot; slot >= 0 {
		p.slot = -1
		w.leave(p.id, slot)
	}
	w.settle(p, back, spent)
}

// leave gives a place back. Nobody waits for it.
func (w *sharedWindows) leave(id string, slot int64) {
	give := w.slots.giving(id, slot)
	do := func() {
		ctx, cancel := context.WithTimeout(context.Background(), settling)
		defer cancel()
		if err := give(ctx); err != nil {
			w.log.Warn("a place of an API key could not be given back, it is free within a minute", "key", id, "error", err)
		}
	}
	if w.later == nil {
		do()
	} else {
		w.leaving.Go(do)
	}
}

// settle puts right what was counted for a request.
func (w *sharedWindows) settle(p *pass, back bool, spent int64) {
	var deltas []store.Delta
	if p.counted && back {
		deltas = append(deltas, store.Delta{Counter: rateName(p.id, p.at, requestRate), N: -1})
	}
	if p.estimate > 0 {
		deltas = append(deltas, store.Delta{Counter: rateName(p.id, p.at, tokenRate), N: -p.estimate})
		if spent > 0 {
			deltas = append(deltas, store.Delta{Counter: rateName(p.id, stepOf(w.now()), tokenRate), N: spent})
		}
	}
	p.counted, p.estimate = false, 0
	if len(deltas) == 0 {
		return
	}
	if w.later != nil {
		for _, d := range deltas {
			w.later(d.Counter, d.N)
		}
	} else if err := w.add(deltas); err != nil {
		w.log.Warn("the requests or tokens a minute of an API key could not be settled", "key", p.id, "error", err)
		return
	}
	w.view(p.id).heard(deltas)
}

func (w *sharedWindows) add(deltas []store.Delta) error {
	ctx, cancel := context.WithTimeout(context.Background(), settling)
	defer cancel()
	return w.store.Add(ctx, deltas)
}

// view finds what this node knows of a key.
func (w *sharedWindows) view(id string) *view {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := w.views[id]
	if v != nil {
		return v
	}
	if len(w.views) >= w.sweep {
		now := stepOf(w.now())
		for id, v := range w.views {
			if v.idle(now) { // whoever still holds it loses nothing: the store knows better
				delete(w.views, id)
			}
		}
		w.sweep = max(2*len(w.views), fewMeters)
	}
	v = &view{stale: true}
	w.views[id] = v
	return v
}
