package apikey

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"gcli2api/store"
)

// floats are units that this node has taken ahead of calls, where store.grace allows calls to be served while
// the database is away: they are charged already, so that nothing leaves uncharged. Each key in use has one; it
// is at most a hundredth of what the key may use, or the price of one call. It is spent where the store does not
// answer, and where it has nothing left. What is not needed goes back: of a key that is idle, when the grace is
// switched off, and in the end. The float of a process that is killed stays charged.
type floats struct {
	till *shared
	log  *slog.Logger
	now  func() time.Time
	last func() time.Duration // the grace; 0 is none

	turn sync.Mutex // who takes or gives back, or sets a key to a number

	mu   sync.Mutex
	byID map[string]*float
	away time.Time // since then the store does not answer; zero while it does

	kick  chan struct{}
	stop  chan struct{}
	ended chan struct{}
}

// float is what was taken ahead for a key.
type float struct {
	from  account // where it was taken
	units int64
	limit want // what the key may use
	price int64

	spent, before int64     // units of calls in this minute and in the one before
	minute        time.Time // it began
	used          time.Time
	tried         time.Time // the key had too little left
}

const (
	tideEvery  = time.Second
	idleAfter  = time.Minute      // a float goes back
	retryAfter = 10 * time.Second // to take for a key that had nothing left
	aheadOf    = 10               // calls, at least
	part       = 100              // of what the key may use
)

func openFloats(t *shared, o Options) *floats {
	f := &floats{till: t, log: o.Log, now: o.Now, last: func() time.Duration { return o.Settings().Grace }, byID: map[string]*float{},
		kick: make(chan struct{}, 1), stop: make(chan struct{}), ended: make(chan struct{})}
	go f.run()
	return f
}

func (f *floats) run() {
	defer close(f.ended)
	tick := time.NewTicker(tideEvery)
	defer tick.Stop()
	for {
		select {
		case <-f.kick:
		case <-tick.C:
		case <-f.stop:
			return
		}
		f.round()
	}
}

// close gives all of it back. Nobody pays any more.
func (f *floats) close() {
	close(f.stop)
	<-f.ended
	f.turn.Lock()
	defer f.turn.Unlock()
	f.back(func(*float) bool { return true })
}

// note says what a call has paid, so that something is taken for the next ones.
func (f *floats) note(a *account, w want, units int64) {
	if units <= 0 || f.last() <= 0 {
		return
	}
	now := f.now()
	f.mu.Lock()
	defer f.mu.Unlock()
	one := f.byID[a.purse.id]
	if one == nil {
		one = &float{from: *a, minute: now}
		f.byID[a.purse.id] = one
	}
	if since := now.Sub(one.minute); since >= 2*time.Minute {
		one.before, one.spent, one.minute = 0, 0, now
	} else if since >= time.Minute {
		one.before, one.spent, one.minute = one.spent, 0, now
	}
	one.spent, one.price, one.used, one.limit = plus(one.spent, units), units, now, want{quota: w.quota, daily: w.daily}
	if one.lacks() > 0 {
		poke(f.kick)
	}
}

// lacks is how much more is wanted, once half is gone. The lock is held.
func (one *float) lacks() int64 {
	goal := max(times(one.price, aheadOf), one.spent, one.before)
	goal = min(goal, max(min(one.limit.quota, one.limit.daily)/part, one.price))
	if one.units > goal/2 {
		return 0
	}
	return goal - one.units
}

// answered says that the store does.
func (f *floats) answered() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.away = time.Time{}
}

// bridges tells whether calls go on although the store has failed so.
func (f *floats) bridges(err error) bool {
	if away := (*store.Away)(nil); !errors.As(err, &away) {
		return false
	}
	last := f.last()
	if last <= 0 {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.away.IsZero() {
		f.away = f.now()
	}
	return f.now().Sub(f.away) <= last
}

// pays spends from what was taken ahead where the store could not be asked or has nothing left; a is from then on
// where that was taken.
func (f *floats) pays(a *account, had, n int64, err error) bool {
	if !errors.Is(err, store.ErrExhausted) && !f.bridges(err) {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	one := f.byID[a.purse.id]
	if one == nil || one.units < n || had > 0 && (one.from.main != a.main || one.from.day != a.day || one.from.epoch != a.epoch) {
		return false
	}
	one.units -= n
	one.used = f.now()
	*a = one.from
	return true
}

// drop gives back what was taken for a key. The turn is held.
func (f *floats) drop(id string) {
	f.back(func(one *float) bool { return one.from.purse.id == id })
}

// back gives back, and forgets, what was taken ahead. The turn is held.
func (f *floats) back(which func(*float) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, one := range f.byID {
		if which(one) {
			f.till.returns(&one.from, one.units)
			delete(f.byID, id)
		}
	}
}

// round takes what is lacking and gives back what is not needed.
func (f *floats) round() {
	f.turn.Lock()
	defer f.turn.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), writeLimit)
	defer cancel()
	f.mu.Lock()
	away := !f.away.IsZero()
	f.mu.Unlock()
	if away {
		if _, err := f.till.store.Revision(ctx); err != nil {
			return
		}
		f.answered()
	}
	now, off := f.now(), f.last() <= 0
	f.back(func(one *float) bool { return off || now.Sub(one.used) > idleAfter || one.over(now) })
	for _, one := range f.low(now) {
		if !f.take(ctx, one, now) {
			return
		}
	}
}

// over tells that the period or the day ended in which a float was taken. The lock is held.
func (one *float) over(now time.Time) bool {
	return one.from.period.name != "" && !one.from.period.has(now) || one.from.day != nil && !one.from.today.has(now)
}

// lack is a float that is low.
type lack struct {
	of    *float
	from  account
	n     int64
	limit want
}

func (f *floats) low(now time.Time) []lack {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []lack
	for _, one := range f.byID {
		if n := one.lacks(); n > 0 && now.Sub(one.tried) > retryAfter {
			all = append(all, lack{one, one.from, n, one.limit})
		}
	}
	return all
}

// take is false where the store does not answer: the others would fare no better.
func (f *floats) take(ctx context.Context, l lack, now time.Time) bool {
	_, err := f.till.take(ctx, &l.from, l.n, l.limit)
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case err == nil:
		l.of.units += l.n
		if l.from.counts {
			f.till.refunds.add(l.from.ever.name, l.n)
		}
	case errors.Is(err, store.ErrExhausted):
		l.of.tried = now
	default:
		return false
	}
	return true
}
