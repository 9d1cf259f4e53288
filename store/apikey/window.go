package apikey

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
)

// windows holds the limits of keys that are not money: requests and tokens a minute, requests at a time.
//
// What it promises. On a store of this process alone: in no sixty seconds, wherever they begin, is a key
// let in more often than its limit, and never are more of its requests under way than it may have at a
// time. A request counts for sixty seconds, half a second more where a key is busy. Its tokens count by the
// estimate of what goes up from when it comes, and by what it came to from when it ends; that may go beyond
// the limit, the next ones wait then. Nodes that share a store hold the same promises together, in steps of
// five seconds instead of half a second (window_shared.go says what it takes).
type windows struct{ keeper keeper }

// keeper counts. The windows of one process and those of a shared store are one each.
type keeper interface {
	// enter counts a request and fills p, or says why not and takes nothing. p.requests and p.tokens are
	// filled in both cases.
	enter(ctx context.Context, one *Key, p *pass) *apierror.Error
	// end gives the place back, and in its minute puts spent in the place of the estimate. back takes the
	// request itself out of the minute.
	end(p *pass, back bool, spent int64)
	close()
}

// openWindows chooses by who else may write to the store, as was done for the till.
func openWindows(o Options, t till) *windows {
	if s, is := t.(*shared); is {
		return &windows{openSharedWindows(o, s)}
	}
	return &windows{newLocalWindows(o.Now)}
}

func (w *windows) close() { w.keeper.close() }

// pass is the place of one request in the windows. A nil pass is that of a key without limits.
type pass struct {
	keeper   keeper
	id       string
	at       int64 // when it was counted, by the clock of the keeper
	counted  bool  // among the requests of the minute
	estimate int64 // counted among the tokens of the minute; 0 where they have no limit
	slot     int64 // of a shared store; negative is none
	meter    *meter
	here     *mirror // of a shared store: the same in the windows of this node; nil is none
	requests level
	tokens   level
	over     atomic.Bool // the place was given back, or there never was one
}

// level is how near to a limit a key is.
type level struct {
	limit int64 // 0 is none
	left  int64
	reset time.Duration // until nothing counts any more, if nothing comes
}

// most is more tokens than any request has: sums of it stay far from the end of the numbers, also in
// engines that count in floating point.
const most = 1 << 36

// enter lets a request in, or says which limit it is beyond and when to come back. Nothing is taken then,
// and the pass is good for tell only.
func (w *windows) enter(ctx context.Context, one *Key, t Tokens) (*pass, *apierror.Error) {
	if one.Requests <= 0 && one.Tokens <= 0 && one.Concurrency <= 0 {
		return nil, nil
	}
	p := &pass{keeper: w.keeper, id: one.ID, slot: -1, estimate: estimated(one, t)}
	fail := w.keeper.enter(ctx, one, p)
	if fail != nil {
		p.over.Store(true)
	}
	return p, fail
}

// estimated is what counts among the tokens of the minute.
func estimated(one *Key, t Tokens) int64 {
	if one.Tokens <= 0 {
		return 0
	}
	return min(max(t.Input, 1), most)
}

// asks tells that enter will have to ask a store, as far as that can be known before.
func (w *windows) asks(one *Key, t Tokens) bool {
	s, is := w.keeper.(*sharedWindows)
	if !is || one.Requests <= 0 && one.Tokens <= 0 && one.Concurrency <= 0 {
		return false
	}
	return s.view(one.ID).known(s.now(), one, estimated(one, t)) == nil
}

// settled waits until what a refused request had taken is given back, so that it is in nobody's way who comes next.
func (w *windows) settled(ctx context.Context, refused *apierror.Error) {
	s, is := w.keeper.(*sharedWindows)
	if !is || s.written == nil || refused.Status == http.StatusServiceUnavailable {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, refundWait)
	defer cancel()
	_ = s.written(ctx)
}

// drop takes back all that enter took: the request was refused before anything was spent.
func (p *pass) drop() {
	if p != nil && p.over.CompareAndSwap(false, true) {
		p.keeper.end(p, true, 0)
	}
}

// leave ends the request with what it came to. Of an answer that told nothing of what went up the estimate stands.
func (p *pass) leave(began bool, spent Tokens) {
	if p == nil || !p.over.CompareAndSwap(false, true) {
		return
	}
	in, out := min(max(spent.Input, 0), most), min(max(spent.Output, 0), most)
	if began && in == 0 {
		in = p.estimate
	}
	p.keeper.end(p, false, in+out)
}

// tell gives the response headers that tell clients how near to the limits they are.
func (p *pass) tell(f wire.Format, set func(name, value string)) {
	if p != nil {
		tellLevels(f, p.requests, p.tokens, set)
	}
}

// tooLarge has no time at which another try would succeed.
func tooLarge(tokens, limit int64) *apierror.Error {
	return apierror.Newf(apierror.RateLimited, "this request is too large: it sends about %d tokens, and the API key may use %d a minute", tokens, limit)
}

func tooMany(what string, limit int64, wait time.Duration) *apierror.Error {
	wait = wholeSeconds(wait)
	return apierror.Newf(apierror.RateLimited, "the API key may use %d %s a minute; there is room again in %d s", limit, what, wait/time.Second).After(wait)
}

// tooManyAtOnce cannot know when one of the others ends.
func tooManyAtOnce(limit int64) *apierror.Error {
	return apierror.Newf(apierror.RateLimited, "the API key may have %d requests at a time, and has as many under way", limit).After(time.Second)
}

// wholeSeconds rounds up to what Retry-After can say, and to no more than clients wait for.
func wholeSeconds(d time.Duration) time.Duration {
	return min(max((d+time.Second-1).Truncate(time.Second), time.Second), time.Minute)
}
