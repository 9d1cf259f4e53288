package pool

import (
	"context"
	"slices"
	"time"

	"gcli2api/pipeline/apierror"
)

// waiter is a call for which nobody has room.
type waiter struct {
	lane   lane
	want   Want
	since  time.Time     // by the clock of the machine
	spent  time.Duration // in the line before, of the time that it may take
	limit  time.Duration
	done   chan struct{} // closed when entry or fail is there
	served bool
	entry  *entry // chosen, and its call counted
	fail   *apierror.Error
}

// line is who waits: the callers in turn, and of one caller who came first. Guarded by Pool.mu.
type line struct {
	turn  []*caller // the first one is next
	by    map[string]*caller
	lanes map[lane]int // waiters of each
	n     int
	asked int    // waiters that had rather have a certain credential
	full  []lane // found to be without room, while serve runs
}

type caller struct {
	name  string
	queue []*waiter
}

func newLine() line { return line{by: map[string]*caller{}, lanes: map[lane]int{}} }

// Waiting is how many calls wait for a credential with room.
func (p *Pool) Waiting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.line.n
}

// enqueue lets a call wait. spent is for one that waited before, and lost what it was given. It goes to
// the front of its caller's calls, as does one of an exchange that is under way: it had its turn.
func (p *Pool) enqueue(k lane, w *Want, spent time.Duration) (*waiter, *apierror.Error) {
	l, limit := &p.line, p.set.QueueWait
	if spent >= limit || l.n >= p.set.QueueLength && !p.makeRoom(w.Caller) {
		return nil, allBusy(limit)
	}
	wt := &waiter{lane: k, want: *w, since: time.Now(), spent: spent, limit: limit, done: make(chan struct{})}
	wt.want.Tried = slices.Clone(w.Tried)
	c := l.by[w.Caller]
	if c == nil {
		c = &caller{name: w.Caller}
		l.by[w.Caller] = c
		l.turn = append(l.turn, c)
	}
	at := len(c.queue)
	if spent > 0 || len(w.Tried) > 0 {
		at = 0
	}
	c.queue = slices.Insert(c.queue, at, wt)
	l.lanes[k]++
	l.n++
	l.asked += b2i(w.Prefer != "")
	return wt, nil
}

// makeRoom sends the last call of whoever has most of them away, if that is more than the caller would
// have: nobody can fill the line for the others.
func (p *Pool) makeRoom(name string) bool {
	own := 0
	if c := p.line.by[name]; c != nil {
		own = len(c.queue)
	}
	var most *caller
	for _, c := range p.line.turn {
		if most == nil || len(c.queue) > len(most.queue) {
			most = c
		}
	}
	if most == nil || len(most.queue) <= own+1 {
		return false
	}
	last := most.queue[len(most.queue)-1]
	last.fail = allBusy(last.limit)
	p.leave(last)
	return true
}

// leave takes a call out of the line.
func (p *Pool) leave(wt *waiter) {
	l, c := &p.line, p.line.by[wt.want.Caller]
	c.queue = takeOut(c.queue, wt)
	if len(c.queue) == 0 {
		delete(l.by, c.name)
		l.turn = takeOut(l.turn, c)
	}
	if l.lanes[wt.lane]--; l.lanes[wt.lane] == 0 {
		delete(l.lanes, wt.lane)
	}
	l.n--
	l.asked -= b2i(wt.want.Prefer != "")
	wt.served = true
	close(wt.done)
}

// takeOut takes one out, who is there, and moves those in front of it: mostly it is the first, and
// behind it may be thousands.
func takeOut[T comparable](all []T, one T) []T {
	i := slices.Index(all, one)
	copy(all[1:i+1], all[:i])
	clear(all[:1])
	return all[1:]
}

// done tells that nobody who waits can be given anything before a call ends.
func (l *line) done() bool { return len(l.full) >= len(l.lanes) && l.asked == 0 }

// serve gives those who wait what can be lent now, caller by caller, and tells those for whom there is
// nothing left to wait for. The caller holds mu.
func (p *Pool) serve(t time.Time) {
	l := &p.line
	l.full = l.full[:0]
	for i := 0; i < len(l.turn) && !l.done(); {
		c := l.turn[i]
		if !p.serveOne(c, t) {
			i++
			continue
		}
		if i < len(l.turn) && l.turn[i] == c { // it has more, and comes last now
			l.turn = append(takeOut(l.turn, c), c)
		}
	}
}

// serveOne settles the first call of a caller for which that is possible.
func (p *Pool) serveOne(c *caller, t time.Time) bool {
	for _, wt := range c.queue {
		if p.closed {
			wt.fail = closing()
			p.leave(wt)
			return true
		}
		// One that is to be given again may be lent although nobody else would get it.
		if wt.want.Prefer == "" && slices.Contains(p.line.full, wt.lane) {
			continue
		}
		e, busy, fail := p.choose(wt.lane, &wt.want, t)
		if busy {
			if !slices.Contains(p.line.full, wt.lane) {
				p.line.full = append(p.line.full, wt.lane)
			}
			if p.line.done() {
				return false
			}
			continue
		}
		if wt.entry, wt.fail = e, fail; e != nil {
			p.hold(e)
		}
		p.leave(wt)
		return true
	}
	return false
}

// await waits in the line, at most until ctx ends.
func (p *Pool) await(ctx context.Context, wt *waiter) step {
	timer := time.NewTimer(p.patience(wt))
	defer timer.Stop()
	for {
		select {
		case <-wt.done:
			return step{entry: wt.entry, fail: wt.fail, waited: max(wt.waited(), 1)}
		case <-ctx.Done():
			p.mu.Lock()
			if !wt.served {
				p.leave(wt)
			} else if wt.entry != nil {
				p.drop(wt.entry)
			}
			p.unlock()
			return step{fail: left(ctx)}
		case <-timer.C: // a rest has ended, or the patience
			p.mu.Lock()
			p.serve(p.now())
			if !wt.served && wt.waited() >= wt.limit {
				wt.fail = allBusy(wt.limit)
				p.leave(wt)
			}
			p.unlock()
			timer.Reset(p.patience(wt))
		}
	}
}

// waited is how much of its time in the line a call has had.
func (wt *waiter) waited() time.Duration { return wt.spent + time.Since(wt.since) }

// patience is when to look again although nothing has happened: at the end of the time to wait, or
// when the next one that rests may come back.
func (p *Pool) patience(wt *waiter) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, d := p.now().UnixNano(), wt.limit-wt.waited()
	if ix := p.current(now); len(ix.wake) > 0 {
		d = min(d, time.Duration(ix.wake[0].until-now))
	}
	if r := p.resting(wt.lane.model, now); r != nil && len(r.ends) > 0 {
		d = min(d, time.Duration(r.ends[0].until-now))
	}
	return max(d, time.Millisecond)
}

// allBusy tells a caller whose patience, or ours, has ended.
func allBusy(waited time.Duration) *apierror.Error {
	after := max(waited/6, time.Second).Truncate(time.Second)
	return apierror.New(apierror.Overloaded, "all credentials are busy: each has as many calls at a time as it may "+
		"(ACCOUNT_CONCURRENCY, KEY_CONCURRENCY); try again in "+after.String()).After(after)
}
