package pool

import (
	"context"
	"crypto/rand"
	"time"

	"gcli2api/store"
	"gcli2api/store/oauth"
)

// Claims gives leases among the nodes that share a store. An owner that asks again renews its lease; a
// ttl of zero or less gives it up.
type Claims interface {
	Claim(ctx context.Context, name, owner string, ttl time.Duration) (bool, error)
}

const (
	turnFor  = 15 * time.Second       // lease on one refresh; a node that died holds the others up for so long
	turnLook = 200 * time.Millisecond // between two looks at what another node is doing
	turnAsk  = time.Second            // for one answer of the store: a refresh is worth more than its lease
)

// nodeName is who a pool is among those that claim.
func nodeName() string { return rand.Text() }

// turn is the right to refresh one sign-in, or what another node got who had it.
type turn struct {
	lease string // held, "" for none
	owner string // of the lease: the turn and not the node, whose next turn may begin before this one is given up
	taken bool   // got is another node's, and new enough
	got   oauth.Tokens
}

// leaseOn names the lease on refreshes of a sign-in.
func leaseOn(c oauth.Credential) string {
	return "refresh/" + secretHash(c.ClientID+"\x00"+c.Secret())
}

// leaseOf is leaseOn, but the name of a document outlives the secret in it, which a node may not have heard of
// yet. Of several documents with one sign-in it is the first one's. The caller holds mu.
func (p *Pool) leaseOf(a *account) string {
	if !p.shared() {
		return leaseOn(a.cred)
	}
	name := ""
	for _, b := range a.fellows() {
		if b.from != nil && b.from.variable == nil && (name == "" || b.cred.ID < name) {
			name = b.cred.ID
		}
	}
	if name == "" {
		return leaseOn(a.cred)
	}
	return "refresh/" + secretHash("document\x00"+name)
}

// takeTurn waits until no other node refreshes the sign-in whose token was that one. Two refreshes at a time do no harm as long
// as Google keeps the refresh token; where it is changed, the one of them that comes second is lost. A
// store that fails is no reason to let calls wait.
func (p *Pool) takeTurn(ctx context.Context, a *account, was string) turn {
	if p.claims == nil {
		return turn{}
	}
	p.mu.Lock()
	name, id := p.leaseOf(a), a.cred.ID
	p.mu.Unlock()
	owner := rand.Text()
	for ctx.Err() == nil {
		mine, err := p.claim(ctx, name, owner)
		if err != nil {
			p.log.Debug("no lease on a refresh, it is made without", "credential", id, "error", err)
			return turn{}
		}
		t := turn{}
		if mine {
			t.lease, t.owner = name, owner
		}
		// Also when it is ours: the other node may have finished between two looks.
		if t.got, t.taken = p.fromOther(ctx, a, was); t.taken || mine {
			return t
		}
		select {
		case <-time.After(turnLook):
		case <-ctx.Done():
		}
	}
	return turn{}
}

func (p *Pool) claim(ctx context.Context, name, owner string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, turnAsk)
	defer cancel()
	return p.claims.Claim(ctx, name, owner, turnFor)
}

// endTurn gives the lease up once the others can see what came of it.
func (p *Pool) endTurn(ctx context.Context, a *account, t turn) {
	if t.lease == "" {
		return
	}
	if !t.taken {
		p.durable(ctx, a)
	}
	if _, err := p.claims.Claim(context.WithoutCancel(ctx), t.lease, t.owner, 0); err != nil {
		p.log.Debug("a lease on a refresh was not given up, it runs out", "credential", a.cred.ID, "error", err)
	}
}

// fromOther looks whether another node has got a newer token of the sign-in, which the pool takes over
// like anything else that is written of a credential (follow.go).
func (p *Pool) fromOther(ctx context.Context, a *account, was string) (oauth.Tokens, bool) {
	shared, ok := p.states.(interface {
		Fetch(ctx context.Context, id string)
	})
	if !ok {
		return oauth.Tokens{}, false
	}
	p.mu.Lock()
	id := a.cred.ID
	if e := a.first(); e != nil {
		id = e.cred.ID
	}
	p.mu.Unlock()
	shared.Fetch(ctx, id)
	p.askSource(ctx, a)
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.now()
	if !a.works(t) || a.token == was || a.expiry.Sub(t) < refreshAhead {
		return oauth.Tokens{}, false
	}
	return oauth.Tokens{AccessToken: a.token, Expiry: a.expiry}, true
}

// askSource reads the document of an account again: another node may have written a newer refresh token. An
// import holds disk for as long as it writes, which may be minutes: it is not waited for longer than is worth it,
// and what is heard late counts then.
func (p *Pool) askSource(ctx context.Context, a *account) {
	d, is := p.shelf.(*documents)
	if !is || a.from == nil || a.from.variable != nil {
		return
	}
	d.hear(a.from.name)
	done := make(chan struct{})
	p.spawn(turnAsk, func(context.Context) {
		defer close(done)
		p.disk.Lock()
		defer p.disk.Unlock()
		p.scan(false)
	})
	select {
	case <-done:
	case <-ctx.Done():
	case <-time.After(turnAsk):
	}
}

// first is the entry that stands for the account: the one of its name, else any.
func (a *account) first() *entry {
	for _, e := range a.entries {
		if e.cred.ID == a.cred.ID {
			return e
		}
	}
	if len(a.entries) > 0 {
		return a.entries[0]
	}
	return nil
}

// Fetch reads the state of a credential from the store now, as a hint that somebody has written it does. A
// store that is slow, or busy with a write of ours, is not waited for longer than is worth it.
func (m *Memory) Fetch(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(ctx, turnAsk)
	done := make(chan struct{})
	m.owned.Go(func() {
		defer close(done)
		defer cancel()
		m.hear(ctx, store.Change{Table: m.docs.Table, ID: id})
	})
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// askStates reads the states of sign-ins whose secret in a document is not the one that this node knows: it is
// the state that says whether Google has given it, or somebody else has signed in. The caller holds disk.
func (p *Pool) askStates(f *source, sheet oauth.Sheet) {
	shared, ok := p.states.(interface {
		Fetch(ctx context.Context, id string)
	})
	if !ok || !p.shared() || len(f.entries) == 0 {
		return
	}
	for _, id := range p.strange(f, sheet) {
		ctx, cancel := inTime()
		shared.Fetch(ctx, id)
		cancel()
	}
}

// strange are the credentials with a secret that this node does not know as theirs.
func (p *Pool) strange(f *source, sheet oauth.Sheet) (ids []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := remembered(f.entries)
	for _, item := range sheet.Items {
		c := item.Creds[0]
		e := old.ids[c.ID]
		if e == nil || e.account == nil || c.IsKey() {
			continue
		}
		if a, secret := e.account, c.Secret(); a.origin != secret && a.cred.RefreshToken != secret && a.heir != secretHash(secret) {
			ids = append(ids, c.ID)
		}
	}
	return ids
}
