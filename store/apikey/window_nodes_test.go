package apikey

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gcli2api/pipeline/wire"
	"gcli2api/store"
	"gcli2api/store/storetest"
)

// Two nodes on one store tell the same numbers and hold one limit together.
func TestNodesShareTheLimits(t *testing.T) {
	c := newHandClock()
	s := oneStore(t, c.now)
	a, b := node(s, c.now), node(s, c.now)
	one := limited("k", 5, 1000, 0)
	in(t, a, one, 100).leave(true, Tokens{100, 100})
	c.move(12 * time.Second)
	in(t, b, one, 100).leave(true, Tokens{50, 50})
	in(t, a, one, 100).leave(true, Tokens{0, 0})
	p := in(t, b, one, 100)
	if h := headersOf(p, wire.OpenAI); h["x-ratelimit-remaining-requests"] != "1" || h["x-ratelimit-remaining-tokens"] != "500" {
		t.Errorf("the second node: %v", h)
	}
	q := in(t, a, one, 100)
	if h := headersOf(q, wire.OpenAI); h["x-ratelimit-remaining-requests"] != "0" || h["x-ratelimit-remaining-tokens"] != "400" {
		t.Errorf("the first node: %v", h)
	}
	pa, fa := out(t, a, one, 1)
	pb, fb := out(t, b, one, 1)
	if ha, hb := headersOf(pa, wire.OpenAI), headersOf(pb, wire.OpenAI); !maps.Equal(ha, hb) || fa.RetryAfter != fb.RetryAfter {
		t.Errorf("%v %v\n%v %v", fa, ha, fb, hb)
	}
	p.drop() // its place is free for the other node as well, a moment later
	c.move(recall)
	in(t, a, one, 1)
	out(t, b, one, 1)
}

// Callers on three nodes whose clocks differ by up to eight seconds: by so much the minute may be shorter.
func TestNodesWithClocksThatDiffer(t *testing.T) {
	const limit = 40
	c := newHandClock()
	s := oneStore(t, c.now)
	var mu sync.Mutex
	var let []time.Time
	one := limited("k", limit, 0, 0)
	var nodes []*windows
	for _, off := range []time.Duration{0, 4 * time.Second, -4 * time.Second} {
		nodes = append(nodes, node(s, func() time.Time { return c.now().Add(off) }))
	}
	for range 150 {
		var all sync.WaitGroup
		for range 6 {
			w := nodes[rand.IntN(len(nodes))]
			all.Go(func() {
				if _, fail := w.enter(context.Background(), one, Tokens{}); fail == nil {
					mu.Lock()
					let = append(let, c.now())
					mu.Unlock()
				} else if fail.Status != 429 {
					t.Error(fail)
				}
			})
		}
		all.Wait()
		c.move(rand.N(3 * time.Second))
	}
	if most := inAny(52*time.Second, let); most > limit {
		t.Errorf("%d within a minute, the limit is %d", most, limit)
	}
	if len(let) < 2*limit {
		t.Errorf("only %d were let in in %v", len(let), c.now().Sub(newHandClock().now()))
	}
}

// The places are shared as well, also in a crowd.
func TestNodesShareThePlaces(t *testing.T) {
	const places, callers = 5, 32
	s := oneStore(t, time.Now)
	a, b := node(s, time.Now), node(s, time.Now)
	one := limited("k", 0, 0, places)
	var running, most, served atomic.Int64
	var all sync.WaitGroup
	for i := range callers {
		w := []*windows{a, b}[i%2]
		all.Go(func() {
			for range 60 {
				p, fail := w.enter(context.Background(), one, Tokens{})
				if fail != nil {
					continue
				}
				now := running.Add(1)
				for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
				}
				served.Add(1)
				running.Add(-1)
				p.leave(true, Tokens{})
			}
		})
	}
	all.Wait()
	if m := most.Load(); m > places {
		t.Errorf("%d under way at a time, %d may be", m, places)
	}
	if served.Load() < places {
		t.Errorf("%d were served", served.Load())
	}
	for range places { // all places are free again
		in(t, node(s, time.Now), one, 0)
	}
}

// Who gave a place back knows that there is one, whatever he was told before.
func TestAPlaceThatWasJustGivenBack(t *testing.T) {
	c := newHandClock()
	s := oneStore(t, c.now)
	a, b := node(s, c.now), node(s, c.now)
	one := limited("k", 0, 0, 2)
	in(t, a, one, 0)
	p := in(t, b, one, 0)
	out(t, b, one, 0)
	b2 := limited("k", 0, 0, 3) // raised: another place is looked for, and taken by the other node before
	in(t, a, b2, 0)
	out(t, b, b2, 0)
	p.leave(true, Tokens{})
	in(t, b, b2, 0)
}

// The places of a node that died are free a minute after it was last heard of; those of one that lives are its own.
func TestPlacesOfANodeThatDied(t *testing.T) {
	c := newHandClock()
	s := oneStore(t, c.now)
	dead, alive := node(s, c.now), node(s, c.now)
	one := limited("k", 0, 0, 2)
	in(t, dead, one, 0)
	in(t, alive, one, 0)
	for range 3 {
		c.move(tending - time.Second)
		alive.keeper.(*sharedWindows).round(context.Background(), false)
		out(t, node(s, c.now), one, 0)
	}
	c.move(4 * time.Second)
	in(t, node(s, c.now), one, 0)
	out(t, node(s, c.now), one, 0)
}

// A request that ends while its lease is being renewed does not leave it behind.
func TestAnEndDuringARenewal(t *testing.T) {
	c := newHandClock()
	slow := &pausing{Store: oneStore(t, c.now)}
	w := node(slow, c.now)
	one := limited("k", 0, 0, 1)
	p := in(t, w, one, 0)
	slow.before = func() {
		slow.before = nil
		p.leave(true, Tokens{})
	}
	w.keeper.(*sharedWindows).round(context.Background(), false)
	in(t, node(slow, c.now), one, 0)
}

// pausing does something before each Claim.
type pausing struct {
	store.Store
	before func()
}

func (h *pausing) Claim(ctx context.Context, name, owner string, ttl time.Duration) (bool, error) {
	if f := h.before; f != nil {
		f()
	}
	return h.Store.Claim(ctx, name, owner, ttl)
}

// Steps that are over leave nothing behind, the last two minutes stay.
func TestOldStepsAreSwept(t *testing.T) {
	c := newHandClock()
	s := oneStore(t, c.now)
	w := node(s, c.now)
	count := func() int {
		all, err := s.Counters(context.Background(), "")
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	for i := range 300 {
		in(t, w, limited(fmt.Sprint("k", i%3), 1000, 1000, 0), 1).leave(true, Tokens{1, 1})
		c.move(2 * time.Second)
	}
	full := count()
	w.keeper.(*sharedWindows).round(context.Background(), true)
	if n := count(); n > full/3 || n < 3*before {
		t.Errorf("%d of %d counters are left", n, full)
	}
	if h := headersOf(in(t, w, limited("k0", 1000, 0, 0), 0), wire.OpenAI); h["x-ratelimit-remaining-requests"] != "989" {
		t.Errorf("the last minute was swept as well: %v", h)
	}
	c.move(3 * time.Minute)
	w.keeper.(*sharedWindows).round(context.Background(), true)
	if n := count(); n != 0 {
		t.Errorf("%d counters are left of what nobody uses", n)
	}
}

// A clock that was far ahead leaves steps behind that are closed before they come.
func TestStepsOfAWrongClock(t *testing.T) {
	c := newHandClock()
	s := oneStore(t, c.now)
	wrong, right := node(s, func() time.Time { return c.now().Add(time.Hour) }), node(s, c.now)
	one := limited("k", 5, 0, 0)
	for range 20 {
		_, _ = wrong.enter(context.Background(), one, Tokens{})
		c.move(10 * time.Second)
	}
	in(t, right, one, 0)
	right.keeper.(*sharedWindows).round(context.Background(), true)
	c.move(time.Hour - 100*time.Second)
	for range 5 {
		in(t, right, one, 0)
	}
}

// broken is a store that fails from some moment on.
type broken struct {
	store.Store
	fails atomic.Bool
}

var errBroken = errors.New("the network is down")

func (b *broken) Take(ctx context.Context, counter string, n, limit int64) (int64, error) {
	if b.fails.Load() {
		return 0, errBroken
	}
	return b.Store.Take(ctx, counter, n, limit)
}

func (b *broken) Claim(ctx context.Context, name, owner string, ttl time.Duration) (bool, error) {
	if b.fails.Load() {
		return false, errBroken
	}
	return b.Store.Claim(ctx, name, owner, ttl)
}

func (b *broken) Add(ctx context.Context, deltas []store.Delta) error {
	if b.fails.Load() {
		return errBroken
	}
	return b.Store.Add(ctx, deltas)
}

func TestAStoreThatFails(t *testing.T) {
	c := newHandClock()
	for name, one := range map[string]*Key{"requests": limited("k", 5, 0, 0), "tokens": limited("k", 0, 5, 0), "places": limited("k", 0, 0, 5)} {
		s := &broken{Store: oneStore(t, c.now)}
		w := node(s, c.now)
		p := in(t, w, one, 1)
		s.fails.Store(true)
		_, fail := w.enter(context.Background(), one, Tokens{})
		if fail == nil || fail.Status != 503 || fail.RetryAfter != lookBack || !errors.Is(fail, errBroken) {
			t.Errorf("%s: %v", name, fail)
		}
		if p, fail := w.enter(context.Background(), limited("free", 0, 0, 0), Tokens{}); p != nil || fail != nil {
			t.Errorf("a key without limits: %v", fail)
		}
		p.leave(true, Tokens{1, 0}) // of which the store hears nothing
		s.fails.Store(false)
		in(t, w, one, 1)
	}
}

// A store that does the one and not the other keeps neither: the place is free again, and the request is not
// counted.
func TestAStoreThatDoesHalf(t *testing.T) {
	for call, one := range map[string]*Key{"Take": limited("k", 5, 0, 1), "Claim": limited("k", 1, 0, 5)} {
		c := newHandClock()
		s := &storetest.Flaky{Store: oneStore(t, c.now)}
		w := node(s, c.now)
		s.Break(storetest.Fault{Err: errBroken, Calls: []string{call}, Times: 1})
		if _, fail := w.enter(context.Background(), one, Tokens{}); fail == nil || fail.Status != 503 {
			t.Errorf("%s fails: %v", call, fail)
		}
		s.Heal()
		c.move(recall) // what it knows of places
		in(t, w, one, 1)
	}
}

// Who is kept waiting by the store has nothing taken when the client leaves, and no place is lost.
func TestAStoreThatHangs(t *testing.T) {
	c := newHandClock()
	slow := &pausing{Store: oneStore(t, c.now)}
	w := node(slow, c.now)
	one := limited("k", 3, 30, 1)
	in(t, w, one, 10).leave(true, Tokens{10, 0})
	ctx, leave := context.WithCancel(context.Background())
	slow.before = leave
	if _, fail := w.enter(ctx, one, Tokens{Input: 10}); fail == nil || fail.Status != 503 || !errors.Is(fail, context.Canceled) {
		t.Fatalf("%v", fail)
	}
	slow.before = nil
	p := in(t, w, one, 10)
	if h := headersOf(p, wire.OpenAI); h["x-ratelimit-remaining-requests"] != "1" || h["x-ratelimit-remaining-tokens"] != "10" {
		t.Errorf("headers %v", h)
	}
}

// More places than are looked at: a crowd of others refuses nobody for long, and a node finds those that are free.
func TestManyPlaces(t *testing.T) {
	c := newHandClock()
	s := oneStore(t, c.now)
	a, b := node(s, c.now), node(s, c.now)
	one := limited("k", 0, 0, 1000)
	for range 400 {
		in(t, a, one, 0)
		in(t, b, one, 0)
	}
	for i := range 200 {
		for try := 0; ; try++ {
			if _, fail := b.enter(context.Background(), one, Tokens{}); fail == nil {
				break
			}
			if c.move(recall); try == 100 {
				t.Fatalf("%d of the last 200 places found", i)
			}
		}
	}
	if _, fail := a.enter(context.Background(), one, Tokens{}); fail == nil {
		t.Error("more than a thousand")
	}
}

// A node that was held up since it looked takes nothing from a step that another node has gone past.
func TestANodeThatWasHeldUp(t *testing.T) {
	now := newHandClock()
	s := oneStore(t, now.now)
	late, fast := newHandClock(), newHandClock()
	a, b := node(s, late.now), node(s, fast.now)
	one := limited("k", 2, 0, 0)
	in(t, a, one, 0)
	fast.move(2 * step * time.Second) // nobody came in between
	in(t, b, one, 0)
	if _, fail := a.enter(context.Background(), one, Tokens{}); fail == nil {
		t.Error("three requests in a minute, the limit is two")
	}
}

// fullOnce is a store in which the first step for tokens is closed while a request is on its way.
type fullOnce struct {
	store.Store
	left atomic.Int64
}

func (s *fullOnce) Take(ctx context.Context, counter string, n, limit int64) (int64, error) {
	if strings.HasSuffix(counter, tokenRate) && n < closed && s.left.Add(-1) >= 0 {
		return 0, store.ErrExhausted
	}
	return s.Store.Take(ctx, counter, n, limit)
}

// A request that has to try again counts once.
func TestARequestThatTriesAgain(t *testing.T) {
	c := newHandClock()
	s := &fullOnce{Store: oneStore(t, c.now)}
	s.left.Store(1)
	w, one := node(s, c.now), limited("k", 5, 100, 0)
	in(t, w, one, 10)
	all, err := s.Counters(context.Background(), rateName("k", stepOf(c.now()), ""))
	if err != nil || all[rateName("k", stepOf(c.now()), requestRate)] != 1 || all[rateName("k", stepOf(c.now()), tokenRate)] != 10 {
		t.Errorf("%v, %v", all, err)
	}
}
