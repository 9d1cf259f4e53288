package pool

import (
	"slices"

	"gcli2api/store/oauth"
)

// grant is one sign-in of a person, whatever files it stands in: a sign-in for all projects of an
// account leaves a file for each. Google counts the calls of all of them as one person's, and a new
// refresh token ends the old one for all.
type grant struct {
	out      int        // calls under way
	accounts []*account // of the queue
}

// entries are those of the queue that share the grant.
func (g *grant) entries() []*entry {
	if len(g.accounts) == 1 {
		return g.accounts[0].entries
	}
	var all []*entry
	for _, a := range g.accounts {
		all = append(all, a.entries...)
	}
	return all
}

// connect finds out which accounts of the queue have a sign-in in common. An account stays with the
// grant that its first calls were counted by. The caller holds mu.
func (p *Pool) connect() {
	known := make(map[string]*grant, len(p.queue))
	name := func(a *account) string { return a.cred.ClientID + "\x00" + a.cred.RefreshToken }
	each := func(list []*entry, do func(a *account)) {
		for i, e := range list {
			if a := e.account; a != nil && e.cred.Kind == oauth.CodeAssist && (i == 0 || list[i-1].account != a) {
				do(a)
			}
		}
	}
	keep := func(a *account) {
		if a.grant != nil {
			a.grant.accounts = a.grant.accounts[:0]
			known[name(a)] = a.grant
		}
	}
	join := func(a *account) {
		if a.grant != nil {
			return
		}
		if a.grant = known[name(a)]; a.grant == nil {
			a.grant = &grant{}
			known[name(a)] = a.grant
		}
	}
	each(p.queue, keep)
	each(p.idle, keep) // a test lends them as well
	each(p.queue, func(a *account) {
		if join(a); !slices.Contains(a.grant.accounts, a) {
			a.grant.accounts = append(a.grant.accounts, a)
		}
	})
	each(p.idle, join)
}

// fellows are the accounts that have the very sign-in of this one, itself included. The caller holds mu.
func (a *account) fellows() []*account {
	if a.grant == nil || len(a.grant.accounts) < 2 {
		return []*account{a}
	}
	all := []*account{a}
	for _, b := range a.grant.accounts {
		if b != a && b.cred.ClientID == a.cred.ClientID && b.cred.RefreshToken == a.cred.RefreshToken {
			all = append(all, b)
		}
	}
	return all
}
