package pool

import (
	"errors"
	"slices"

	"gcli2api/store"
	"gcli2api/store/oauth"
)

// amend writes a lasting change into the file of an account, if the file still has the sign-in that
// the change is about, and for a project one of those that may be replaced. What no file can keep
// stays with the state of the credential; without states it costs the work of the next start.
func (p *Pool) amend(a *account, c oauth.Change, replaces ...string) {
	p.disk.Lock()
	defer p.disk.Unlock()
	err := errors.New("its source cannot be changed")
	if a.from.writable() {
		if err = p.rewrite(a, c, replaces); err != nil && p.shared() {
			p.owe(owed{a, c, replaces}, err)
			return
		}
	}
	if err != nil && p.states == nil {
		p.once("write", "changes of a credential cannot be written where it came from, they last until the next start only", "credential", a.cred.ID, "error", err)
	} else if err != nil {
		p.log.Debug("a change of a credential is kept beside its source", "credential", a.cred.ID, "reason", err)
	}
}

func (p *Pool) rewrite(a *account, c oauth.Change, replaces []string) error {
	if c.RefreshToken != "" { // Google may have given another one since this change was owed
		p.mu.Lock()
		c.RefreshToken = a.cred.RefreshToken
		p.mu.Unlock()
	}
	var err error
	for range maxCrossed { // each time another node has changed something else of it
		d, done := p.amended(a, c, replaces)
		if done || d.err != nil {
			return d.err
		}
		p.shelf.write([]*draft{d})
		if err = d.err; err == nil {
			p.written(a, c, d)
			p.shelf.commit([]*draft{d})
			return nil
		}
		if !errors.Is(err, store.ErrConflict) {
			break
		}
	}
	return err
}

// amended is the file of an account with a change to it. done says that there is nothing to write: it was
// removed or replaced meanwhile, or somebody has written it already.
func (p *Pool) amended(a *account, c oauth.Change, replaces []string) (d *draft, done bool) {
	t, err := p.shelf.read(a.from.name)
	if errors.Is(err, ErrAway) {
		return &draft{err: err}, false
	} else if err != nil {
		return &draft{}, true
	}
	sheet, err := oauth.Parse(a.from.name, t.data, p.rules)
	p.mu.Lock()
	id, origin, newest := a.cred.ID, a.origin, a.cred.Secret()
	p.mu.Unlock()
	item := sheet.Find(id)
	if err != nil || item == nil {
		return &draft{}, true
	}
	there := item.Creds[0]
	if there.Secret() != origin && there.Secret() != newest || c.ProjectID != "" && !slices.Contains(replaces, there.ProjectID) {
		return &draft{}, true
	}
	if c == (oauth.Change{RefreshToken: there.RefreshToken}) {
		return &draft{}, true
	}
	d = &draft{name: a.from.name, was: t.version}
	d.data, d.err = sheet.Amend(id, c)
	return d, false
}

// written takes note of our own writing, so that it is no news to the next look.
func (p *Pool) written(a *account, c oauth.Change, d *draft) {
	a.from.version = d.now
	a.from.bytes.Store(d.now.size)
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.RefreshToken != "" {
		a.succeeds(c.RefreshToken)
	}
	for _, e := range a.entries {
		e.dirty = true
		if c.ProjectID != "" {
			e.cred.ProjectID = c.ProjectID
		}
	}
}

// learned adds to a state what the source of the credential does not have.
func (e *entry) learned(s *State) {
	s.Tier = e.tier
	if e.email != e.cred.Email {
		s.Email = e.email
	}
	if e.cred.ProjectID == "" {
		s.Project = e.project
	}
	if a := e.account; a != nil && !a.cred.IsService() && a.cred.RefreshToken != a.origin {
		s.RefreshToken = a.cred.RefreshToken
	}
}

// relearn is the other way round. The source wins where it says something by now.
func (p *Pool) relearn(e *entry, s State) {
	a := e.account
	e.tier = s.Tier
	if e.email == "" {
		e.email = s.Email
	}
	if e.project == "" && a != nil {
		e.project = s.Project
	}
	if a == nil {
		return
	}
	if a.cred.Email == "" {
		a.cred.Email = e.email
	}
	if s.RefreshToken == "" || a.cred.RefreshToken != a.origin && !s.TokenUntil.After(a.expiry) {
		return // another project of the sign-in has brought a newer one
	}
	a.cred.RefreshToken = s.RefreshToken
	e.cred.RefreshToken = s.RefreshToken
	for _, other := range a.entries {
		other.cred.RefreshToken = s.RefreshToken
	}
	c := a.cred
	p.lines = append(p.lines, func() { p.hideAll(c) })
}
