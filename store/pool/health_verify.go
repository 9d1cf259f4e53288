package pool

import (
	"context"
	"slices"
	"time"

	"gcli2api/store/oauth"
)

// verifyLimit is how long Google may take for all of a verification: onboarding and the switching on of
// an API are minutes by themselves.
const verifyLimit = 4 * time.Minute

// Verified is what a verification found.
type Verified struct {
	Kind       string
	Project    string
	Tier       string
	Email      string
	TokenUntil time.Time
	Services   []oauth.Service // of the project; none where it is not the user's business
	Waits      bool            // an API was switched on just now, and Google takes minutes to notice
}

// NeedsTest tells that there is nothing to look up: an API key either serves or it does not.
func (v Verified) NeedsTest() bool { return v.TokenUntil.IsZero() }

// Verify renews what is known of a credential: its token, its project, the APIs there, tier and e-mail.
// When all is well, what was held against it is forgotten and it is switched on; else the error, a
// *Trouble or ErrUnknown, says what a person can do. A credential without a sign-in is left as it is.
func (p *Pool) Verify(ctx context.Context, id string) (v Verified, err error) {
	err = p.visit(ctx, id, verifyLimit, func(ctx context.Context, e *entry) error {
		v.Kind = e.cred.Kind
		if e.account == nil {
			return nil
		}
		err := p.verify(ctx, e, &v)
		if err != nil {
			p.blamed(e, err)
			return err
		}
		p.Enable(id)
		p.mu.Lock()
		if v.Waits {
			e.enabledAt = p.now()
		}
		v.Project, v.Tier, v.Email, v.TokenUntil = e.project, e.tier, e.email, e.account.expiry
		p.unlock(e)
		return nil
	})
	return v, err
}

func (p *Pool) verify(ctx context.Context, e *entry, v *Verified) error {
	if err := p.renewNow(ctx, e); err != nil {
		return err
	}
	if e.cred.Kind == oauth.CodeAssist {
		if err := p.findAgain(ctx, e); err != nil {
			return err
		}
	}
	if err := p.switchOn(ctx, e, v); err != nil {
		return err
	}
	if e.cred.IsService() { // its address is its name
		return nil
	}
	_ = p.withToken(ctx, e, false, func(google *oauth.Client, token, _ string) error { // shown only
		email, err := google.UserInfo(ctx, token)
		if err == nil {
			p.keepEmail(e.account, email)
		}
		return err
	})
	return nil
}

// blamed keeps why a credential is of no use. One that works as far as anybody knows stays in use.
func (p *Pool) blamed(e *entry, err error) {
	p.mu.Lock()
	defer func() { p.unlock(e) }()
	why := e.inWords(err)
	switch {
	case !why.Permanent:
	case e.disabled:
		e.blame(why.Reason, why.Link)
		e.dirty = true
	default:
		p.ban(e, why.Reason, why.Link)
	}
}

// renewNow makes a new token, whatever the old one is worth.
func (p *Pool) renewNow(ctx context.Context, e *entry) error {
	p.mu.Lock()
	if lacks := e.cred.Unusable(); lacks != "" {
		p.mu.Unlock()
		return &Trouble{Reason: lacks}
	}
	a := e.account
	wait := p.refresh(a)
	p.mu.Unlock()
	if err := await(ctx, wait); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if a.failed != nil {
		return e.inWords(a.failed)
	}
	a.forced = false // the new token has not been refused
	return nil
}

// findAgain looks for the project anew, alone.
func (p *Pool) findAgain(ctx context.Context, e *entry) error {
	done := make(chan struct{})
	for {
		p.mu.Lock()
		wait := e.finding
		if wait == nil {
			break
		}
		p.mu.Unlock()
		if err := await(ctx, wait); err != nil {
			return err
		}
	}
	e.finding = done
	s := search{google: p.clientOf(e), cred: e.account.cred, token: e.account.token, known: e.project,
		all: e.cred.ProjectID == oauth.AllProjects, listed: e.listed}
	p.mu.Unlock()
	found, others, err := s.run(ctx)
	p.mu.Lock()
	if e.lost = err; err == nil {
		e.project, e.rejected, e.dirty = found.Project, "", true
		if found.Tier != "" {
			e.tier = found.Tier
		}
	} else {
		err = e.inWords(err)
	}
	p.unlock(e)
	if err == nil && !s.all && !s.listed {
		p.amend(e.account, oauth.Change{ProjectID: found.Project}, "", s.known)
	}
	p.addSiblings(e, others)
	p.mu.Lock()
	e.finding = nil
	close(done)
	p.mu.Unlock()
	return err
}

// search is one look for the project of an entry.
type search struct {
	google      *oauth.Client
	cred        oauth.Credential
	token       string
	known       string // the project in use
	all, listed bool   // all projects of the account are entries; it is one of several
}

func (s search) run(ctx context.Context) (oauth.Found, []string, error) {
	s.cred.ProjectID = ""
	if s.all {
		found, others, err := everyProject(ctx, s.google, s.token, s.cred)
		if i := slices.Index(others, s.known); err == nil && i >= 0 { // it stays, the others are others
			others[i], found.Project = found.Project, s.known
		}
		return found, others, err
	}
	if s.known == "" || s.known == oauth.AllProjects {
		found, err := s.google.Discover(ctx, s.token, s.cred)
		return found, nil, err
	}
	named := s.cred
	named.ProjectID = s.known
	found, err := s.google.Discover(ctx, s.token, named)
	why, ok := err.(*oauth.DiscoverError)
	if err == nil || s.listed || !ok || !why.Permanent {
		return found, nil, err
	}
	if other, err := s.google.Discover(ctx, s.token, s.cred); err == nil && other.Project != s.known {
		return other, nil, nil
	}
	return found, nil, why // of the project that a person has chosen
}

// switchOn switches the APIs on that are needed in the project. Many users may neither see nor change
// them, and need not: only an API that is known to be off stands in the way.
func (p *Pool) switchOn(ctx context.Context, e *entry, v *Verified) error {
	p.mu.Lock()
	google, token, project, tier := p.clientOf(e), e.account.token, e.project, e.tier
	p.mu.Unlock()
	if tier == "free-tier" || project == "" { // the project is Google's own
		return nil
	}
	v.Services = google.Services(ctx, e.cred.Kind, token, project)
	needed := v.Services[0]
	v.Waits = needed.Changed
	if !needed.Off || needed.Err == nil {
		return nil
	}
	return &Trouble{Permanent: oauth.Lasting(needed.Err), Link: needed.Link,
		Reason: "the API " + needed.Name + " is off in project " + project + " and could not be switched on by this account"}
}
