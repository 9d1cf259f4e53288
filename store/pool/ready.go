package pool

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"gcli2api/pipeline/apierror"
	"gcli2api/store/oauth"
)

const (
	refreshAhead = 300 * time.Second // a token is renewed this long before its end, beside the calls
	refreshNow   = 30 * time.Second  // later than this a call waits for the new one
	refreshAgain = 10 * time.Second  // pause after a failure while the old token works
	refreshLimit = 30 * time.Second  // one renewal, its second try included
	findLimit    = 3 * time.Minute   // one search for a project
)

// prepare says what the entry has to wait for before it can be lent; nil when it is ready. The
// caller holds mu.
func (p *Pool) prepare(e *entry, t time.Time) <-chan struct{} {
	a := e.account
	if a == nil {
		return nil
	}
	if wait := p.tokenOf(a, t); wait != nil {
		return wait
	}
	if e.homeless() {
		return p.discover(e)
	}
	if a.expiry.Sub(t) < refreshAhead && !t.Before(a.retryAt) {
		p.refresh(a)
	}
	return nil
}

// tokenOf is prepare for the token alone.
func (p *Pool) tokenOf(a *account, t time.Time) <-chan struct{} {
	if !a.works(t) || a.expiry.Sub(t) < refreshNow && !t.Before(a.retryAt) {
		return p.refresh(a)
	}
	return nil
}

// homeless tells that the project has to be found first.
func (e *entry) homeless() bool { return e.project == "" || e.project == oauth.AllProjects }

// works tells that calls can be made with the token.
func (a *account) works(t time.Time) bool {
	return a.token != "" && !a.stale && a.expiry.After(t)
}

// refresh renews the token of an account, once for all who ask meanwhile. It does not end with the
// exchange that began it.
func (p *Pool) refresh(a *account) <-chan struct{} {
	for _, b := range a.fellows() {
		if b.refreshing != nil { // what comes of it is for all of them
			return b.refreshing
		}
	}
	done := make(chan struct{})
	a.refreshing = done
	was := a.token
	p.spawn(refreshLimit, func(ctx context.Context) {
		turn := p.takeTurn(ctx, a, was)
		got, fail := turn.got, (*oauth.RefreshError)(nil)
		if !turn.taken {
			got, fail = p.renewAs(ctx, a, was)
		}
		if fail == nil && got.RefreshToken != "" {
			p.hideAll(oauth.Credential{RefreshToken: got.RefreshToken})
		}
		p.mu.Lock()
		all := a.fellows()
		if fail == nil {
			p.renewed(all, got)
		} else if p.ctx.Err() == nil {
			p.notRenewed(a, fail)
		}
		for _, b := range all {
			p.save(b.entries)
		}
		p.unlock() // States hears of it before those who wait
		if fail == nil && got.RefreshToken != "" {
			// The old one may be dead already. The state first: it is good for the file before the
			// change and after it, wherever a crash comes.
			p.durable(ctx, a)
			for _, b := range all {
				p.amend(b, oauth.Change{RefreshToken: got.RefreshToken})
			}
		}
		p.mu.Lock()
		a.refreshing = nil
		close(done)
		p.unlock(a.entries...)
		p.endTurn(ctx, a, turn)
		if fail == nil {
			p.learnEmail(a, got.Email)
		}
	})
	return done
}

// durableFor is how long a renewed token is held back for the store: those who wait for it are worth more than
// what a crash in the next moments could cost.
const durableFor = 2 * time.Second

// durable waits until States has written what it was told, for a while; it goes on writing.
func (p *Pool) durable(ctx context.Context, a *account) {
	states, ok := p.states.(interface {
		Sync(ctx context.Context) error
	})
	if !ok {
		return
	}
	done := make(chan struct{})
	p.spawn(refreshLimit, func(ctx context.Context) {
		defer close(done)
		if err := states.Sync(ctx); err != nil {
			p.log.Error("a renewed token could not be kept in the store yet", "credential", a.cred.ID, "error", err)
		}
	})
	select {
	case <-done:
	case <-ctx.Done():
	case <-time.After(durableFor):
	}
}

// renewAs is renew, but a sign-in is not dead before its source was asked: another node may have changed its
// refresh token.
func (p *Pool) renewAs(ctx context.Context, a *account, was string) (oauth.Tokens, *oauth.RefreshError) {
	secret := func() string {
		p.mu.Lock()
		defer p.mu.Unlock()
		return a.cred.Secret()
	}
	tried := secret()
	got, fail := p.renew(ctx, a)
	if fail == nil || !fail.Permanent || !p.shared() {
		return got, fail
	}
	if other, taken := p.fromOther(ctx, a, was); taken {
		return other, nil
	}
	if secret() != tried {
		return p.renew(ctx, a)
	}
	return got, fail
}

// renew tries twice: most trouble of the token endpoint is over at once.
func (p *Pool) renew(ctx context.Context, a *account) (oauth.Tokens, *oauth.RefreshError) {
	p.mu.Lock()
	google, cred := p.clientFor(a), a.cred
	p.mu.Unlock()
	got, fail := google.Refresh(ctx, cred)
	if fail == nil || fail.Permanent {
		return got, fail
	}
	select {
	case <-time.After(500 * time.Millisecond):
	case <-ctx.Done():
		return got, fail
	}
	return google.Refresh(ctx, cred)
}

// renewed gives a new token to the accounts that share the sign-in.
func (p *Pool) renewed(all []*account, got oauth.Tokens) {
	for _, a := range all {
		p.takeToken(a, got)
	}
}

func (p *Pool) takeToken(a *account, got oauth.Tokens) {
	// One that lives shorter than refreshNow is used all the same, not renewed without end.
	a.token, a.expiry, a.stale, a.retryAt = got.AccessToken, got.Expiry, false, p.now().Add(refreshAgain)
	a.failed, a.ahead = nil, aheadOf(got.Expiry.Sub(p.now()))
	for _, e := range a.entries {
		e.dirty = true // States keeps the token
	}
	if got.RefreshToken != "" {
		a.cred.RefreshToken = got.RefreshToken
		for _, e := range a.entries {
			e.cred.RefreshToken = got.RefreshToken
		}
	}
}

func (p *Pool) notRenewed(a *account, fail *oauth.RefreshError) {
	t := p.now()
	a.failed = fail
	if !fail.Permanent && a.works(t) {
		a.retryAt = t.Add(refreshAgain)
		p.say(slog.LevelWarn, "token could not be renewed, the old one still works", "credential", a.cred.ID, "reason", fail.Reason)
		return
	}
	if !fail.Permanent {
		p.say(slog.LevelWarn, "token could not be renewed", "credential", a.cred.ID, "reason", fail.Reason)
	}
	for _, e := range a.entries {
		if fail.Permanent {
			e.noteCode(fail.Status, fail.Reason)
			p.disable(e, fail.Reason, "")
		} else {
			p.rests(e, between(30*time.Second, 60*time.Second), cooldown{code: apierror.UpstreamUnavailable, status: 503})
		}
	}
}

// between spreads what many do at the same time.
func between(least, most time.Duration) time.Duration {
	if most <= least {
		return least
	}
	return least + rand.N(most-least)
}

// learnEmail finds out whose account it is, for the panel. Failing at it changes nothing.
func (p *Pool) learnEmail(a *account, email string) {
	p.mu.Lock()
	known := a.mailed || a.cred.Email != ""
	a.mailed = true
	token, google := a.token, p.clientFor(a)
	p.mu.Unlock()
	if known {
		return
	}
	if email == "" {
		ctx, cancel := context.WithTimeout(p.ctx, refreshLimit)
		defer cancel()
		var err error
		if email, err = google.UserInfo(ctx, token); err != nil {
			p.log.Debug("e-mail of the account is not known", "credential", a.cred.ID, "error", err)
			return
		}
	}
	p.keepEmail(a, email)
}

// keepEmail takes the e-mail of an account over.
func (p *Pool) keepEmail(a *account, email string) {
	p.mu.Lock()
	same := a.cred.Email == email
	a.cred.Email, a.mailed = email, true
	for _, e := range a.entries {
		same = same && e.email == email
		e.email, e.dirty = email, true
	}
	p.unlock(a.entries...)
	if !same {
		p.amend(a, oauth.Change{Email: email})
	}
}

// discover looks for the project of an entry, once for all who ask meanwhile.
func (p *Pool) discover(e *entry) <-chan struct{} {
	if e.finding != nil {
		return e.finding
	}
	done := make(chan struct{})
	e.finding = done
	cred, token, all := e.account.cred, e.account.token, e.project == oauth.AllProjects
	google := p.clientOf(e)
	cred.ProjectID = ""
	p.spawn(findLimit, func(ctx context.Context) {
		var found oauth.Found
		var others []string
		var err error
		if all {
			found, others, err = everyProject(ctx, google, token, cred)
		} else {
			found, err = google.Discover(ctx, token, cred)
		}
		p.mu.Lock()
		e.lost = err
		keep := err == nil && !all && p.foundProject(e, found)
		rejected := e.rejected
		if err == nil && all {
			e.project, e.tier, e.dirty = found.Project, found.Tier, true
		}
		if err != nil && p.ctx.Err() == nil {
			p.noProject(e, err)
		}
		p.unlock(e)
		if keep {
			p.amend(e.account, oauth.Change{ProjectID: found.Project}, "", rejected)
		}
		p.addSiblings(e, others)
		p.mu.Lock()
		e.finding = nil
		close(done)
		p.mu.Unlock()
	})
	return done
}

// everyProject is for files whose project is ALL: the first one is for the entry, the others become
// entries of their own. An account that sees none is treated as any other.
func everyProject(ctx context.Context, google *oauth.Client, token string, cred oauth.Credential) (oauth.Found, []string, error) {
	list, err := google.Projects(ctx, token)
	if err != nil || len(list) == 0 {
		found, err := google.Discover(ctx, token, cred)
		return found, nil, err
	}
	var others []string
	for _, other := range list[1:] {
		others = append(others, other.ID)
	}
	return oauth.Found{Project: list[0].ID}, others, nil
}

// foundProject takes a project over, and says whether the file should remember it.
func (p *Pool) foundProject(e *entry, found oauth.Found) bool {
	if e.rejected != "" && found.Project == e.rejected {
		e.project = e.rejected
		p.ban(e, e.refusal, "")
		return false
	}
	e.project, e.tier, e.dirty = found.Project, found.Tier, true
	p.say(slog.LevelInfo, "project of the account found", "credential", e.cred.ID, "project", found.Project, "tier", found.Tier)
	return true
}

func (p *Pool) noProject(e *entry, err error) {
	var why *oauth.DiscoverError
	if errors.As(err, &why) && why.Permanent {
		p.disable(e, why.Reason, why.Link)
		return
	}
	var answer *apierror.Error
	if errors.As(err, &answer) && answer.Said != nil && answer.Said.HTTP == 401 {
		e.account.stale = true
	}
	p.say(slog.LevelWarn, "project of the account could not be looked for", "credential", e.cred.ID, "error", err)
	p.rests(e, between(30*time.Second, 60*time.Second), cooldown{code: apierror.UpstreamUnavailable, status: 503})
}

// enable switches the API on for the project of an entry that rests meanwhile.
func (p *Pool) enable(e *entry, reason, link string) {
	token, project, kind, google := e.account.token, e.project, e.cred.Kind, p.clientOf(e)
	p.spawn(findLimit, func(ctx context.Context) {
		err := google.EnableServices(ctx, kind, token, project)
		p.mu.Lock()
		if oauth.Lasting(err) && p.ctx.Err() == nil {
			p.ban(e, reason, link)
		}
		p.unlock(e)
		if err != nil {
			p.log.Warn("the API could not be enabled", "credential", e.cred.ID, "error", err)
		}
	})
}
