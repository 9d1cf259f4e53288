package pool

import "gcli2api/store/oauth"

// taken is where the calls with an entry are counted: those of a sign-in over all its projects and files.
func (e *entry) taken() *int {
	if e.account != nil && e.account.grant != nil {
		return &e.account.grant.out
	}
	return &e.out
}

// most is how many calls at a time an entry may have; 0 is no limit.
func (p *Pool) most(e *entry) int {
	switch {
	case e.wish.Concurrency != 0:
		return max(e.wish.Concurrency, 0)
	case e.cred.Kind == oauth.CodeAssist:
		return p.set.AccountConcurrency
	}
	return p.set.KeyConcurrency
}

func (p *Pool) roomy(e *entry) bool {
	most := p.most(e)
	return most <= 0 || *e.taken() < most
}

// hold counts a call with an entry before it is made, drop takes that back, giveBack ends it.
func (p *Pool) hold(e *entry) {
	*e.taken()++
	p.use(e, 1)
	p.crowd(e)
}

func (p *Pool) drop(e *entry) {
	p.use(e, -1)
	p.giveBack(e)
}

func (p *Pool) giveBack(e *entry) {
	*e.taken()--
	p.crowd(e)
}

// crowd takes over whether there is room for another call with an entry, and the others of its sign-in.
func (p *Pool) crowd(e *entry) {
	one := [1]*entry{e}
	all := one[:]
	if e.taken() != &e.out {
		all = e.account.grant.entries()
	}
	for _, s := range all {
		if p.seated(s) && p.index.room.put(s.pos, p.roomy(s)) {
			p.index.gained(s.pos)
		}
	}
}
