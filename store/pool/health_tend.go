package pool

import (
	"time"

	"gcli2api/store/oauth"
)

const (
	// tendEvery is how often is looked for what has to be renewed. It is well below what tokens are
	// renewed ahead of the moment at which calls begin to do it themselves.
	tendEvery = 30 * time.Second

	// warm is how long an account is kept ready after its last success. Tokens of those that nobody has
	// used for a day are not worth a call an hour each: ten thousand sleeping accounts would ask Google
	// three times a second. The first call to one of them waits for its token.
	warm = 24 * time.Hour
)

// aheadOf is how long before its end a token of this life is renewed: early enough that no call ever
// sees the last five minutes, and not all at the same time that were made at the same time.
func aheadOf(life time.Duration) time.Duration {
	return min(between(refreshAhead+2*tendEvery, 12*time.Minute), life/2)
}

// tend renews tokens and asks what is left, so that no call has to wait for either.
func (p *Pool) tend() {
	each(p.ctx, p.ending(p.now()), atATime, func(a *account) {
		p.mu.Lock()
		if p.closed {
			p.mu.Unlock()
			return
		}
		done := p.refresh(a)
		p.mu.Unlock()
		_ = await(p.ctx, done) // the end of the pool ends it
	})
	each(p.ctx, p.used(p.now()), atATime/2, func(e *entry) {
		_, _ = p.lookAt(p.ctx, e, false) // e.look keeps why not
	})
}

// ending lists the accounts in use whose tokens end soon.
func (p *Pool) ending(t time.Time) (list []*account) {
	p.mu.Lock()
	defer p.mu.Unlock()
	taken := map[*account]bool{}
	for _, e := range p.queue {
		a := e.account
		if a == nil || e.disabled || e.cool.until > t.UnixNano() || t.Sub(e.lastSuccess) > warm || a.refreshing != nil || t.Before(a.retryAt) || taken[a] {
			continue
		}
		if a.ahead == 0 { // read from its source or from States
			a.ahead = aheadOf(time.Hour)
		}
		if !a.works(t) || a.expiry.Sub(t) < a.ahead {
			taken[a], list = true, append(list, a)
		}
	}
	return list
}

// used lists the credentials that have been of use since the last look at their quota, when the time
// for another one has come.
func (p *Pool) used(t time.Time) (list []*entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	every := p.set.QuotaRefresh
	if every <= 0 {
		return nil
	}
	for _, e := range p.queue {
		since := p.born
		if e.look != nil && !e.look.begun.IsZero() {
			since = e.look.begun
		}
		if e.cred.Kind != oauth.CodeAssist || e.account == nil || e.disabled || !e.lastSuccess.After(since) {
			continue
		}
		l := e.looking()
		if l.running != nil {
			continue
		}
		if l.pause == 0 { // the first look comes soon, but not with all the others
			l.pause = between(time.Second, every/2)
		}
		if t.Sub(since) < l.pause {
			continue
		}
		l.pause = between(every*3/4, every*5/4)
		list = append(list, e)
	}
	return list
}
