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

	stop context.CancelFunc
	done chan struct{}
}

const (
	enough   = 3 * time.Second // for the store, before a request
	settling = 5 * time.Second // for the store, after it
	lookBack = 2 * time.Second // when a client may look whether the store answers
	attempts = 4               // to take from a step, before others are too fast for us
)

func openSharedWindows(o Options) *sharedWindows {
	ctx, stop := context.WithCancel(context.Background())
	w := newSharedWindows(o.Store, o.Log, o.Now)
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
}

func (w *sharedWindows) enter(ctx context.Context, one *Key, p *pass) *apierror.Error {
	ctx, cancel := context.WithTimeout(ctx, enough)
	defer cancel()
	fail, err := w.count(ctx, one, p)
	if fail == nil && err == nil && one.Concurrency > 0 {
		p.slot, err = w.slots.take(ctx, one.ID, one.Concurrency)
		if err == nil && p.slot < 0 {
			fail = tooManyAtOnce(one.Concurrency)
		}
	}
	if fail != nil || err != nil {
		w.end(p, true, 0) // what was taken so far
	}
	if err != nil {
		return apierror.Wrap(apierror.Overloaded, "the store does not answer: the limits of the API key cannot be looked up", err).After(lookBack)
	}
	return fail
}

// count takes the request and its tokens from the running step.
func (w *sharedWindows) count(ctx context.Context, one *Key, p *pass) (*apierror.Error, error) {
	tokens := p.estimate
	p.estimate = 0 // until it is taken
	if one.Requests <= 0 && one.Tokens <= 0 {
		return nil, nil
	}
	v := w.view(one.ID)
	defer func() { v.levels(w.now(), one, p) }()
	for range attempts {
		if err := w.refresh(ctx, one, v, tokens); err != nil {
			return nil, err
		}
		at, room, fail := v.room(w.now(), one, tokens)
		if fail != nil {
			return fail, nil
		}
		if done, err := w.take(ctx, one, p, ticket{v, at, room, tokens}); done || err != nil {
			return nil, err
		}
		v.spoil(at)
	}
	return nil, errors.New("other nodes take from the limits faster than this one, or their clocks are ahead")
}

// ticket is what a request wants to take from a step.
type ticket struct {
	view   *view
	step   int64
	room   usage // what all of the step may be
	tokens int64
}

// usage is a number of requests and of tokens.
type usage struct{ requests, tokens int64 }

// take is false when the step is full or closed; then nothing was taken.
func (w *sharedWindows) take(ctx context.Context, one *Key, p *pass, t ticket) (bool, error) {
	p.at = t.step
	if one.Requests > 0 {
		left, err := w.store.Take(ctx, rateName(one.ID, t.step, requestRate), 1, t.room.requests)
		if err != nil {
			return false, notFull(err)
		}
		p.counted = true
		t.view.saw(t.step, usage{requests: t.room.requests - left})
	}
	if one.Tokens > 0 {
		left, err := w.store.Take(ctx, rateName(one.ID, t.step, tokenRate), t.tokens, t.room.tokens)
		if err != nil {
			w.end(p, true, 0)
			return false, notFull(err)
		}
		p.estimate = t.tokens
		t.view.saw(t.step, usage{tokens: t.room.tokens - left})
	}
	return true, nil
}

func notFull(err error) error {
	if errors.Is(err, store.ErrExhausted) {
		return nil
	}
	return err
}

// end gives back and settles; what p held is none of its afterwards.
func (w *sharedWindows) end(p *pass, back bool, spent int64) {
	ctx, cancel := context.WithTimeout(context.Background(), settling)
	defer cancel()
	if p.slot >= 0 {
		if err := w.slots.give(ctx, p.id, p.slot); err != nil {
			w.log.Warn("a place of an API key could not be given back, it is free within a minute", "key", p.id, "error", err)
		}
		p.slot = -1
	}
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
	if err := w.store.Add(ctx, deltas); err != nil {
		w.log.Warn("the requests or tokens a minute of an API key could not be settled", "key", p.id, "error", err)
		return
	}
	w.view(p.id).heard(deltas)
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
