package apikey

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"gcli2api/pipeline/apierror"
	"gcli2api/store"
)

const (
	step     = 5               // seconds
	before   = 12              // steps before the running one that count
	closed   = 1 << 50         // stands in a counter that is closed; engines may count in floating point, of 53 bits
	mostRate = 1 << 49         // no limit is beyond
	recall   = time.Second / 4 // for which a node believes that there is no room
	oldSteps = 120 / step      // steps that nobody asks for any more

	rates       = "rate/"
	requestRate = "/r"
	tokenRate   = "/t"
)

func stepOf(t time.Time) int64 { return t.Unix() / step }

func rateName(id string, at int64, suffix string) string {
	return rates + id + "/" + strconv.FormatInt(at, 10) + suffix
}

// readName undoes rateName; id may be empty.
func readName(name string) (at int64, suffix string, ok bool) {
	i := strings.LastIndexByte(name, '/')
	if i < 0 {
		return 0, "", false
	}
	at, err := strconv.ParseInt(name[strings.LastIndexByte(name[:i], '/')+1:i], 10, 64)
	return at, name[i:], err == nil
}

// view is what a node knows of the minute of a key.
type view struct {
	mu       sync.Mutex
	step     int64 // the running one
	sealed   int64 // the steps before this one are closed
	stale    bool  // the store says something else
	read     time.Time
	reading  chan struct{} // closed when the read is over; nil when there is none
	requests gauge
	tokens   gauge
}

// gauge is what was used in the steps that count.
type gauge struct {
	past    [before]int64 // the oldest first
	sum     int64         // of past
	running int64         // as far as this node has seen
}

// over is how much too much there would be.
func (r *gauge) over(n, limit int64) int64 { return r.sum + r.running + n - limit }

// wait is how long it takes until so much has left.
func (r *gauge) wait(now time.Time, at, much int64) time.Duration {
	i := 0
	for ; i < before; i++ {
		if much -= r.past[i]; much <= 0 {
			break
		}
	}
	return leaves(at - before + int64(i)).Sub(now)
}

// leaves is when a step does not count any more.
func leaves(at int64) time.Time { return time.Unix((at+before+1)*step, 0) }

func (r *gauge) level(now time.Time, at, limit int64) level {
	if limit <= 0 {
		return level{}
	}
	l := level{limit: limit, left: max(-r.over(0, limit), 0)}
	newest := at
	if r.running == 0 {
		for newest--; newest >= at-before && r.past[newest-at+before] == 0; newest-- {
		}
	}
	if newest >= at-before {
		l.reset = max(leaves(newest).Sub(now), 0)
	}
	return l
}

// levels tells p how near to its limits the key is.
func (v *view) levels(now time.Time, one *Key, p *pass) {
	v.mu.Lock()
	defer v.mu.Unlock()
	p.requests, p.tokens = v.requests.level(now, v.step, one.Requests), v.tokens.level(now, v.step, one.Tokens)
}

// room is how much all of the running step may be, or says that there is no room.
func (v *view) room(now time.Time, one *Key, tokens int64) (at int64, room usage, fail *apierror.Error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	var requests, ofTokens time.Duration
	if over := v.requests.over(1, one.Requests); one.Requests > 0 && over > 0 {
		requests = v.requests.wait(now, v.step, over)
	}
	if over := v.tokens.over(tokens, one.Tokens); one.Tokens > 0 && over > 0 {
		ofTokens = v.tokens.wait(now, v.step, over)
	}
	switch {
	case one.Tokens > 0 && tokens > one.Tokens:
		fail = tooLarge(tokens, one.Tokens)
	case requests > 0 && requests >= ofTokens:
		fail = tooMany("requests", one.Requests, requests)
	case ofTokens > 0:
		fail = tooMany("tokens", one.Tokens, ofTokens)
	}
	return v.step, usage{min(one.Requests, mostRate) - v.requests.sum, min(one.Tokens, mostRate) - v.tokens.sum}, fail
}

// looks says whether v has to be read before there is an answer, and which step it is then.
func (v *view) looks(now time.Time, one *Key, tokens int64) (at int64, stale bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return max(v.step, stepOf(now)), !v.good(now, one, tokens)
}

// known is room where v need not be read: what is full is refused without asking.
func (v *view) known(now time.Time, one *Key, tokens int64) *apierror.Error {
	if _, stale := v.looks(now, one, tokens); stale {
		return nil
	}
	_, _, fail := v.room(now, one, tokens)
	return fail
}

// fits says whether all of a step up to where a request stands is within the limits.
func (v *view) fits(one *Key, at int64, stands usage) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.step == at && (one.Requests <= 0 || v.requests.sum+stands.requests <= one.Requests) &&
		(one.Tokens <= 0 || v.tokens.sum+stands.tokens <= one.Tokens)
}

// saw takes over what the running step has come to.
func (v *view) saw(at int64, u usage) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if at != v.step {
		return
	}
	v.requests.running = max(v.requests.running, u.requests)
	v.tokens.running = max(v.tokens.running, u.tokens)
}

// heard takes over what this node has put right. Of steps that are over it waits for the next read: too little
// there would let too many in, while the running one is the store's to decide.
func (v *view) heard(deltas []store.Delta) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, d := range deltas {
		at, suffix, ok := readName(d.Counter)
		if !ok || at != v.step {
			continue
		}
		if suffix == requestRate {
			v.requests.running = max(v.requests.running+d.N, 0)
		} else {
			v.tokens.running = max(v.tokens.running+d.N, 0)
		}
	}
}

// spoil says that the store knows better.
func (v *view) spoil(at int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.stale = v.stale || at == v.step
}

func (v *view) idle(now int64) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.reading == nil && v.step < now-before
}

// good says that v need not be read: v.mu is held. That there is no room is believed for a moment only,
// because others give back.
func (v *view) good(now time.Time, one *Key, tokens int64) bool {
	if v.stale || v.step < stepOf(now) {
		return false
	}
	full := one.Requests > 0 && v.requests.over(1, one.Requests) > 0 || one.Tokens > 0 && v.tokens.over(tokens, one.Tokens) > 0
	return !full || now.Sub(v.read) < recall
}

// refresh reads what the store knows where that is due. One goroutine reads for all.
func (w *sharedWindows) refresh(ctx context.Context, one *Key, v *view, tokens int64) error {
	for {
		v.mu.Lock()
		now := w.now()
		if v.good(now, one, tokens) {
			v.mu.Unlock()
			return nil
		}
		wait := v.reading
		if wait == nil {
			v.reading = make(chan struct{})
			at := max(v.step, stepOf(now))
			moved := v.sealed != at
			v.mu.Unlock()
			if err := w.read(ctx, one.ID, reading{v, at, moved}); err != nil {
				return err
			}
			continue
		}
		v.mu.Unlock()
		select {
		case <-wait:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// reading is what one goroutine reads for all.
type reading struct {
	view  *view
	step  int64
	moved bool // it is a new one
}

// read closes the steps before a new one and reads what there is, at the same time: what the closed ones have
// come to is known by closing them, and from those before nobody has taken meanwhile.
func (w *sharedWindows) read(ctx context.Context, id string, r reading) (err error) {
	shut := make(chan sealed, 4)
	if r.moved {
		w.closeBefore(ctx, id, r.step, shut)
	}
	all, err := w.store.Counters(ctx, rates+id+"/")
	if r.moved {
		if all == nil {
			all = map[string]int64{}
		}
		for range cap(shut) {
			s := <-shut
			if err == nil {
				err = s.err
			}
			if err == nil {
				all[s.name] = s.is
			}
		}
	}
	v := r.view
	v.mu.Lock()
	defer v.mu.Unlock()
	close(v.reading)
	v.reading = nil
	if err == nil {
		v.take(all, r.step, w.now())
	}
	return err
}

// sealed is a counter that was closed, and what stands in it.
type sealed struct {
	name string
	is   int64
	err  error
}

// closeBefore lets nobody take from the steps before a new one: room for the mark is there once.
func (w *sharedWindows) closeBefore(ctx context.Context, id string, at int64, done chan<- sealed) {
	for _, suffix := range [...]string{requestRate, tokenRate} {
		for back := int64(1); back <= 2; back++ {
			go func() {
				s := sealed{name: rateName(id, at-back, suffix)}
				t := w.takeOne(ctx, s.name, closed, closed+mostRate)
				s.is, s.err = closed+mostRate-t.left, notFull(t.err) // also where somebody had closed it
				done <- s
			}()
		}
	}
}

// take makes v what was read; v.mu is held. Where somebody has closed the running step already, its clock
// is ahead: the view goes on to the next one, and has to be read again.
func (v *view) take(all map[string]int64, at int64, now time.Time) {
	v.step, v.sealed, v.read, v.stale = at, at, now, false
	v.requests, v.tokens = gauge{}, gauge{}
	newest := at - 1 // closed one
	for name, n := range all {
		when, suffix, ok := readName(name)
		if !ok || when < at-before || when > at+before {
			continue
		}
		if n >= closed {
			n -= closed
			newest = max(newest, when)
		}
		if when > at {
			continue
		}
		r := &v.requests
		if suffix == tokenRate {
			r = &v.tokens
		}
		if when == at {
			r.running = n
			continue
		}
		r.past[when-at+before] = n
		r.sum += n
	}
	if newest >= at {
		v.step, v.stale = newest+1, true
	}
}
