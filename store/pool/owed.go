package pool

import (
	"gcli2api/store/oauth"
)

// owed is a change of a credential that its store could not take. It is tried again until it can: Google may
// accept nothing but a refresh token that it gave meanwhile. The state of the credential has it as well
// (learned), and is written by whoever comes first.
type owed struct {
	a        *account
	c        oauth.Change
	replaces []string
}

// owe notes a change. The caller holds disk.
func (p *Pool) owe(o owed, err error) {
	if len(p.owed) == 0 {
		p.log.Error("a change of a credential could not be written; it is tried again until it can", "credential", o.a.cred.ID, "error", err)
	}
	p.owed, p.owedAt = append(p.owed, o), p.now()
}

// payOwed writes what could not be written before, in order. The caller holds disk.
func (p *Pool) payOwed() {
	if len(p.owed) > 0 && p.now().Sub(p.owedAt) >= retryAfter {
		p.pay()
	}
}

func (p *Pool) pay() {
	p.owedAt = p.now()
	for len(p.owed) > 0 {
		o := p.owed[0]
		if p.rewrite(o.a, o.c, o.replaces) != nil {
			return
		}
		p.owed = p.owed[1:]
	}
	p.owed = nil
	p.log.Info("all changes of credentials are written")
}

// payLast is the last try, at the end.
func (p *Pool) payLast() {
	p.disk.Lock()
	defer p.disk.Unlock()
	if len(p.owed) == 0 {
		return
	}
	if p.pay(); len(p.owed) > 0 {
		p.log.Error("changes of credentials could not be written before the end; what their states have counts", "changes", len(p.owed))
	}
}
