package pool

import (
	"context"
	"time"

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
)

// turn is the right to refresh one sign-in, or what another node got who had it.
type turn struct {
	lease string // held, "" for none
	taken bool   // got is another node's, and new enough
	got   oauth.Tokens
}

// takeTurn waits until no other node refreshes the sign-in. Two refreshes at a time do no harm as long
// as Google keeps the refresh token; where it is changed, the one of them that comes second is lost. A
// store that fails is no reason to let calls wait.
func (p *Pool) takeTurn(ctx context.Context, a *account, cred oauth.Credential) turn {
	if p.claims == nil {
		return turn{}
	}
	name := "refresh/" + secretHash(cred.ClientID+"\x00"+cred.Secret())
	for ctx.Err() == nil {
		mine, err := p.claims.Claim(ctx, name, p.node, turnFor)
		if err != nil {
			p.log.Debug("no lease on a refresh, it is made without", "credential", cred.ID, "error", err)
			return turn{}
		}
		t := turn{}
		if mine {
			t.lease = name
		}
		// Also when it is ours: the other node may have finished between two looks.
		if t.got, t.taken = p.fromOther(ctx, a); t.taken || mine {
			return t
		}
		select {
		case <-time.After(turnLook):
		case <-ctx.Done():
		}
	}
	return turn{}
}

// endTurn gives the lease up once the others can see what came of it.
func (p *Pool) endTurn(ctx context.Context, a *account, t turn) {
	if t.lease == "" {
		return
	}
	if !t.taken {
		p.durable(ctx, a)
	}
	if _, err := p.claims.Claim(context.WithoutCancel(ctx), t.lease, p.node, 0); err != nil {
		p.log.Debug("a lease on a refresh was not given up, it runs out", "credential", a.cred.ID, "error", err)
	}
}

// fromOther looks for a newer token of the sign-in in the store.
func (p *Pool) fromOther(ctx context.Context, a *account) (oauth.Tokens, bool) {
	store, ok := p.states.(interface {
		Fresh(ctx context.Context, id string) (State, bool)
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
	s, ok := store.Fresh(ctx, id)
	p.mu.Lock()
	defer p.mu.Unlock()
	if !ok || !a.continues(s) || s.AccessToken == a.token || !s.TokenUntil.After(a.expiry) || s.TokenUntil.Sub(p.now()) < refreshAhead {
		return oauth.Tokens{}, false
	}
	got := oauth.Tokens{AccessToken: s.AccessToken, Expiry: s.TokenUntil}
	if s.RefreshToken != a.cred.RefreshToken {
		got.RefreshToken = s.RefreshToken
	}
	return got, true
}

// continues tells that a state is of this sign-in and not of another one under its name.
func (a *account) continues(s State) bool {
	return s.Of == secretHash(a.origin) || s.RefreshToken != "" && (s.RefreshToken == a.cred.RefreshToken || s.Was == secretHash(a.cred.RefreshToken))
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

// Fresh reads a state from the store itself: another node may have written it.
func (m *Memory) Fresh(ctx context.Context, id string) (State, bool) {
	s, _, err := m.docs.Get(ctx, id)
	return s, err == nil
}
