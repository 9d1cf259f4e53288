package pool

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"gcli2api/store/oauth"
)

const (
	revokeLimit   = 20 * time.Second // for one answer of Google
	revokesAtOnce = 8
)

// Purge deletes credentials of the quarantine for good and revokes their tokens at Google, unless
// another credential needs them. For each id it tells what became of the token, or an error: failing
// to revoke keeps nothing.
func (p *Pool) Purge(ctx context.Context, ids ...string) (said []string, errs []error) {
	p.disk.Lock()
	all, err := p.graves()
	said, errs = make([]string, len(ids)), make([]error, len(ids))
	if err != nil { // one that could not be read may need the token that would be revoked
		p.disk.Unlock()
		for i := range errs {
			errs[i] = unwritten(err)
		}
		return said, errs
	}
	g := p.grants(all)
	tokens, clients, drafts := make([]string, len(ids)), make([]*oauth.Client, len(ids)), make([]*draft, len(ids))
	for i, id := range ids {
		one := dug(all, id)
		if one == nil || slices.ContainsFunc(drafts[:i], func(d *draft) bool { return d != nil && d.name == one.draft().name }) {
			errs[i] = ErrNotDeleted
			continue
		}
		drafts[i] = one.draft()
		tokens[i], said[i] = g.end(one)
		clients[i] = p.clientLeft(one.Names)
	}
	p.disk.Unlock()
	revoke(ctx, clients, tokens, said) // nothing slow under disk
	p.disk.Lock()
	defer p.disk.Unlock()
	p.writeAll(slices.DeleteFunc(slices.Clone(drafts), func(d *draft) bool { return d == nil }))
	for i, d := range drafts {
		if d != nil && d.err != nil {
			errs[i] = errors.New("it could not be removed: see the log")
		}
	}
	return said, errs
}

func revoke(ctx context.Context, clients []*oauth.Client, tokens, said []string) {
	var wg sync.WaitGroup
	room := make(chan struct{}, revokesAtOnce)
	for i, token := range tokens {
		if token == "" {
			continue
		}
		room <- struct{}{}
		wg.Go(func() {
			defer func() { <-room }()
			ctx, cancel := context.WithTimeout(ctx, revokeLimit)
			defer cancel()
			switch err := clients[i].Revoke(ctx, token); {
			case errors.Is(err, oauth.ErrRevoked):
				said[i] = "deleted for good; its token was dead already"
			case err != nil:
				said[i] = "deleted for good; its token could not be revoked (" + err.Error() + "): it stays valid until the account withdraws it at myaccount.google.com/connections"
			default:
				said[i] = "deleted for good, and its token revoked"
			}
		})
	}
	wg.Wait()
}

// grants knows who lives of which grant: of one refresh token, or of one account and OAuth client,
// because Google ends all of those at once.
type grants struct {
	holders map[string][]string          // names, by token and by account
	creds   map[string]*oauth.Credential // of graves, by their ids
}

// grants takes stock of the pool and the quarantine. The caller holds disk.
func (p *Pool) grants(all []grave) grants {
	g := grants{holders: map[string][]string{}, creds: map[string]*oauth.Credential{}}
	note := func(c oauth.Credential, name string) {
		for _, key := range grantKeys(c) {
			if !slices.Contains(g.holders[key], name) {
				g.holders[key] = append(g.holders[key], name)
			}
		}
	}
	p.mu.Lock()
	for _, e := range slices.Concat(p.queue, p.idle, p.inFiles()) {
		c := e.cred
		c.Email = cmp.Or(e.email, c.Email)
		note(c, e.item())
		c.RefreshToken = e.origin()
		note(c, e.item())
	}
	p.mu.Unlock()
	for _, one := range all {
		sheet, err := oauth.Parse(one.File, one.Credential, p.rules)
		if err != nil || len(sheet.Items) == 0 || sheet.Items[0].Creds[0].Kind != oauth.CodeAssist {
			continue
		}
		c := sheet.Items[0].Creds[0]
		c.Email = cmp.Or(c.Email, one.Email)
		p.hideAll(c)
		g.creds[one.ID] = &c
		note(c, graveName(one))
	}
	return g
}

func graveName(g grave) string { return g.Item + " (in the quarantine, " + g.ID + ")" }

func grantKeys(c oauth.Credential) []string {
	if c.Kind != oauth.CodeAssist {
		return nil
	}
	keys := []string{"token " + c.RefreshToken}
	if c.Email != "" {
		keys = append(keys, "account "+c.ClientID+" "+strings.ToLower(c.Email))
	}
	return keys
}

// end takes a grave out and gives the token that can be revoked, or says why none is.
func (g grants) end(one *grave) (token, said string) {
	c := g.creds[one.ID]
	if c == nil {
		return "", "deleted for good"
	}
	other := ""
	for _, key := range grantKeys(*c) {
		g.holders[key] = slices.DeleteFunc(g.holders[key], func(name string) bool { return name == graveName(*one) })
		if len(g.holders[key]) > 0 {
			other = g.holders[key][0]
		}
	}
	if other != "" {
		return "", "deleted for good; the token was not revoked, because that would sign " + other + " out as well"
	}
	return c.RefreshToken, ""
}
