package pool

import (
	"fmt"
	"slices"
	"sync/atomic"

	"gcli2api/store/oauth"
)

// source is where credentials were read: a file of the folder, or an environment variable. Guarded
// by Pool.disk.
type source struct {
	name     string          // of the file
	path     string          // of a file in a folder, else ""
	variable *oauth.Variable // nil for a file
	off      bool            // a variable that is not read: nobody asked, or it was taken out

	version
	bytes  atomic.Int64 // its size, for those who do not hold disk
	unsure bool         // broken at first sight: it may be half written
	became string       // of a file in the inbox: the file that it is now

	entries []*entry
	starts  map[string]oauth.Start // what creds.toml says of states, by id
}

// String tells an operator where to look.
func (s *source) String() string {
	switch {
	case s == nil:
		return "settings"
	case s.variable != nil:
		return "environment variable " + s.variable.Name
	}
	return "file " + s.name
}

// writable tells that a change may be written there. The old product's file is left as it is.
func (s *source) writable() bool { return s.variable == nil && s.name != oldCreds }

func (s *source) parse(data []byte, r oauth.Rules) (oauth.Sheet, error) {
	if s.variable != nil {
		return s.variable.Parse(r)
	}
	return oauth.Parse(s.name, data, r)
}

// takeFile judges the text of a file and makes its credentials those of the pool.
func (p *Pool) takeFile(f *source, t text, err error, doubt bool) bool {
	sheet, err := p.sheet(f, t.data, err)
	if err != nil && doubt {
		f.unsure = true
		return false
	}
	f.unsure = false
	p.askStates(f, sheet)
	p.admit(f, sheet)
	p.skipped(f.name, err)
	p.mu.Lock()
	p.shut.note(f.name, sheet.Closed)
	p.mu.Unlock()
	if err != nil {
		p.log.Warn("credential file skipped", "file", f.name, "reason", err)
	}
	return true
}

// sheet is what a source holds. What is secret in it is kept out of the log from here on.
func (p *Pool) sheet(f *source, data []byte, err error) (oauth.Sheet, error) {
	if err != nil {
		return oauth.Sheet{}, fmt.Errorf("read file: %w", err)
	}
	sheet, err := f.parse(data, p.rules)
	if err != nil {
		return oauth.Sheet{Closed: sheet.Closed}, err
	}
	for _, item := range sheet.Items {
		p.hideAll(item.Creds[0]) // the others are other projects of the same sign-in
	}
	for _, w := range sheet.Warnings {
		p.once(w, "credential source has a problem", "problem", w)
	}
	return sheet, nil
}

// lookEnviron reads the environment variables, again when it is judged by other settings.
func (p *Pool) lookEnviron() {
	for _, f := range p.environ {
		if f.off {
			continue
		}
		if err := p.readVariable(f); err != nil {
			p.once(f.variable.Name, "environment variable skipped, no credential can be read in it", "variable", f.variable.Name, "reason", err)
		}
	}
}

func (p *Pool) readVariable(f *source) error {
	sheet, err := p.sheet(f, nil, nil)
	p.admit(f, sheet)
	return err
}

// admit makes entries of what a source holds, the ones there are where nothing changed for them.
func (p *Pool) admit(f *source, sheet oauth.Sheet) {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := remembered(f.entries)
	f.entries, f.starts = nil, sheet.Starts
	for _, item := range sheet.Items {
		a := old.account(f, item)
		var entries []*entry
		for _, c := range item.Creds {
			e := old.reuse(c, a)
			if e == nil {
				e = p.newEntry(c, a, f)
				e.listed = len(item.Creds) > 1
				p.begin(e, item.ID)
				p.met(e)
			} else {
				e.cred.Label = c.Label
				entries = append(entries, old.siblings(e)...)
			}
			entries = append(entries, e)
		}
		if a != nil {
			a.entries = entries
		}
		f.entries = append(f.entries, entries...)
	}
}

// former are the entries that a source had at the look before, by what they are found by: a file may
// hold thousands.
type former struct {
	ids      map[string]*entry
	accounts map[string][]*account // by the refresh token that the source had, or may have by now
	heirs    map[string]*account   // by the hash of the one that it may have
	found    map[*account]bool
}

func remembered(entries []*entry) former {
	f := former{ids: make(map[string]*entry, len(entries)), accounts: map[string][]*account{}, heirs: map[string]*account{}, found: map[*account]bool{}}
	seen := map[*account]bool{}
	for _, e := range entries {
		if f.ids[e.cred.ID] == nil {
			f.ids[e.cred.ID] = e
		}
		if a := e.account; a != nil && !seen[a] {
			seen[a] = true
			f.accounts[a.origin] = append(f.accounts[a.origin], a)
			if token := a.cred.RefreshToken; token != "" && token != a.origin {
				f.accounts[token] = append(f.accounts[token], a)
			}
			if a.heir != "" {
				f.heirs[a.heir] = a
			}
		}
	}
	return f
}

// account is the token that the credentials of a sign-in share: the one there is while sign-in and
// client are the same, wherever in its file it stands by now. Each is found once.
func (old former) account(f *source, item oauth.Item) *account {
	c := item.Creds[0]
	if c.IsKey() {
		return nil
	}
	there := old.accounts[c.Secret()]
	if a := old.heirs[secretHash(c.Secret())]; a != nil {
		there = append(slices.Clone(there), a)
	}
	for _, a := range there {
		if !old.found[a] && a.cred.ClientID == c.ClientID && a.cred.ClientSecret == c.ClientSecret && sameService(a.cred, c) {
			old.found[a] = true
			a.cred.ID = item.ID
			a.succeeds(c.Secret())
			return a
		}
	}
	a := &account{cred: c, from: f, origin: c.Secret(), token: c.AccessToken, expiry: c.Expiry}
	a.cred.ID, a.cred.AccessToken = item.ID, "" // the account has it, until there is a newer one
	return a
}

// sameService tells that what signs for a service account has stayed the same: with another address,
// key or audience its token has to be asked for anew. For sign-ins it says nothing.
func sameService(a, b oauth.Credential) bool {
	return a.Kind == b.Kind && (!a.IsService() || a.Email == b.Email && a.KeyID == b.KeyID && a.TokenURI == b.TokenURI)
}

// reuse finds the entry of a credential that has not changed, so that its state is kept.
func (old former) reuse(c oauth.Credential, a *account) *entry {
	if e := old.ids[c.ID]; e != nil && e.account == a && e.origin() == c.Secret() && e.cred.ProjectID == c.ProjectID {
		return e
	}
	return nil
}

// siblings are the projects that were found for a file that stands for all of them.
func (old former) siblings(e *entry) (found []*entry) {
	if e.cred.ProjectID != oauth.AllProjects || e.account == nil {
		return nil
	}
	for _, o := range e.account.entries {
		if o != e && o.listed && old.ids[o.cred.ID] == o {
			found = append(found, o)
		}
	}
	return found
}

// newEntry makes the entry of a credential. An account may have a newer token than its source.
func (p *Pool) newEntry(c oauth.Credential, a *account, f *source) *entry {
	e := &entry{cred: c, account: a, from: f, kind: kindBit(c.Kind), project: c.ProjectID, email: c.Email}
	if a != nil {
		e.cred.RefreshToken, e.cred.AccessToken = a.cred.RefreshToken, ""
	}
	return e
}

// addSiblings gives the other projects of an account entries of their own.
func (p *Pool) addSiblings(e *entry, projects []string) {
	if len(projects) == 0 {
		return
	}
	p.disk.Lock()
	defer p.disk.Unlock()
	f := e.from
	if f == nil || !slices.Contains(f.entries, e) {
		return // the source was replaced meanwhile
	}
	p.mu.Lock()
	e.listed = true
	for _, project := range projects {
		c := e.cred
		c.ID, c.ProjectID = oauth.Sibling(e.cred.ID, project), project
		if slices.ContainsFunc(f.entries, func(o *entry) bool { return o.cred.ID == c.ID }) {
			continue
		}
		other := p.newEntry(c, e.account, f)
		other.listed, other.email = true, e.email
		p.begin(other, e.account.cred.ID)
		f.entries = append(f.entries, other)
		e.account.entries = append(e.account.entries, other)
	}
	p.mu.Unlock()
	p.rebuild()
}
