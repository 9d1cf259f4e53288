package pool

import (
	"context"
	"time"

	"gcli2api/store/oauth"
)

// welcomeLimit is how long Google may take for all that came at once.
const welcomeLimit = 15 * time.Minute

// met notes a credential that comes while the gateway runs and that nothing is known of. The caller
// holds mu.
func (p *Pool) met(e *entry) {
	if p.running && e.account != nil && e.lastSuccess.IsZero() {
		p.guests = append(p.guests, e)
	}
}

// welcome finds out about those who came, beside the calls: whether the sign-in works, whose it is, its
// project and tier (protocol 1.9). What was there at the start waits for its first call: ten thousand
// accounts would ask Google for everything at once.
func (p *Pool) welcome() {
	p.mu.Lock()
	defer p.mu.Unlock()
	guests := p.guests
	p.guests = nil
	if len(guests) == 0 || p.closed {
		return
	}
	p.spawn(welcomeLimit, func(ctx context.Context) {
		each(ctx, guests, atATime, func(e *entry) { p.meet(ctx, e) })
	})
}

func (p *Pool) meet(ctx context.Context, e *entry) {
	p.mu.Lock()
	away := e.gone || e.inactive || e.disabled
	p.mu.Unlock()
	if away {
		return
	}
	if err := p.ensure(ctx, e, true); err != nil {
		p.log.Info("a new credential does not work yet", "credential", e.cred.ID, "reason", err)
		return
	}
	p.mu.Lock()
	known := e.tier != "" || e.cred.Kind != oauth.CodeAssist
	google, cred, token := p.clientOf(e), e.cred, e.account.token
	cred.ProjectID = e.project
	p.mu.Unlock()
	if known {
		return
	}
	found, err := google.Discover(ctx, token, cred) // of the project that its file names: it is judged only
	if err != nil {
		p.log.Info("Google says nothing of the tier of a new credential", "credential", cred.ID, "reason", err)
		return
	}
	p.mu.Lock()
	e.tier, e.dirty = found.Tier, true
	p.unlock(e)
}
