package pool

import (
	"context"
	"errors"
	"sync"
	"time"

	"gcli2api/pipeline/apierror"
	"gcli2api/store/oauth"
)

// ErrUnknown is for a name that no credential has.
var ErrUnknown = errors.New("there is no such credential")

// Trouble is why something could not be done with a credential, in words for the operator.
type Trouble struct {
	Status    int    // HTTP status that Google answered with, 0 when it did not
	Reason    string // without a secret
	Link      string // where a person can mend it, "" for nowhere
	Permanent bool   // it stays so until a person does something
}

// Error is the reason.
func (t *Trouble) Error() string { return t.Reason }

// clientOf is who talks to Google about an entry: by its own proxy, if it has one. The caller holds mu.
func (p *Pool) clientOf(e *entry) *oauth.Client { return p.oauth.Via(e.wish.Proxy) }

// clientFor is clientOf for an account: by the proxy of the first of its entries that has one. The
// caller holds mu.
func (p *Pool) clientFor(a *account) *oauth.Client {
	for _, e := range a.entries {
		if e.wish.Proxy != "" {
			return p.clientOf(e)
		}
	}
	return p.oauth
}

// visit is work on one credential that somebody waits for: it ends with ctx, after the limit, or with
// the pool, and Close waits for it.
func (p *Pool) visit(ctx context.Context, id string, limit time.Duration, do func(ctx context.Context, e *entry) error) error {
	p.mu.Lock()
	e := p.named(id)
	if p.closed {
		e = nil
	}
	if e == nil {
		p.mu.Unlock()
		return ErrUnknown
	}
	p.wg.Add(1)
	p.mu.Unlock()
	defer p.wg.Done()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	defer context.AfterFunc(p.ctx, cancel)()
	return do(ctx, e)
}

// ensure waits until calls can be made with an entry, whatever is held against it; home says that they
// need its project. The error is a *Trouble.
func (p *Pool) ensure(ctx context.Context, e *entry, home bool) error {
	for range 5 { // a token, a project, and what may happen to either meanwhile
		p.mu.Lock()
		lacks := e.cred.Unusable()
		if lacks != "" { // Google would only say that it does not know the sign-in, as if that were dead
			p.mu.Unlock()
			return &Trouble{Reason: lacks}
		}
		wait := p.waitFor(e, home)
		p.mu.Unlock()
		if wait == nil {
			return nil
		}
		if err := await(ctx, wait); err != nil {
			return err
		}
		p.mu.Lock()
		why := e.trouble(p.now())
		p.mu.Unlock()
		if why != nil {
			return why
		}
	}
	return &Trouble{Reason: "its token is refused as soon as it is there"}
}

// waitFor is prepare without the work that nobody waits for. The caller holds mu.
func (p *Pool) waitFor(e *entry, home bool) <-chan struct{} {
	if e.account == nil || p.closed {
		return nil
	}
	wait := p.tokenOf(e.account, p.now())
	if wait == nil && home && e.homeless() {
		wait = p.discover(e)
	}
	return wait
}

func await(ctx context.Context, wait <-chan struct{}) error {
	select {
	case <-wait:
		return nil
	case <-ctx.Done():
		return &Trouble{Reason: "Google took too long to answer"}
	}
}

// trouble is what keeps the entry from being used, as far as its last refresh and search know; nil for
// none. The caller holds mu.
func (e *entry) trouble(t time.Time) error {
	if a := e.account; a.failed != nil && !a.works(t) {
		return e.inWords(a.failed)
	}
	if e.lost != nil && e.homeless() {
		return e.inWords(e.lost)
	}
	return nil
}

// inWords makes words for the operator of an error of Google's, never nil. The caller holds mu.
func (e *entry) inWords(err error) *Trouble {
	var t *Trouble
	var refresh *oauth.RefreshError
	var search *oauth.DiscoverError
	var answer *apierror.Error
	if errors.As(err, &t) {
		return t
	}
	t = &Trouble{Reason: cut(e.masked(err.Error()))}
	if errors.As(err, &answer) && answer.Said != nil {
		t.Status = answer.Said.HTTP
		t.Reason = cut(e.masked(answer.Message))
	}
	switch {
	case errors.As(err, &refresh):
		t.Status, t.Reason, t.Permanent = refresh.Status, e.masked(refresh.Reason), refresh.Permanent
	case errors.As(err, &search):
		t.Reason, t.Link, t.Permanent = e.masked(search.Reason), e.linkIn(search.Link), search.Permanent
	}
	return t
}

// withToken makes a call with the token of an entry, and once more with a new one if Google refuses it.
// The error is a *Trouble.
func (p *Pool) withToken(ctx context.Context, e *entry, home bool, call func(google *oauth.Client, token, project string) error) error {
	for again := true; ; again = false {
		if err := p.ensure(ctx, e, home); err != nil {
			return err
		}
		p.mu.Lock()
		google, token, project := p.clientOf(e), e.account.token, e.project
		p.mu.Unlock()
		err := call(google, token, project)
		if err == nil {
			return nil
		}
		p.mu.Lock()
		why := e.inWords(err)
		if why.Status == 401 && again && e.account.token == token {
			e.account.stale = true
		}
		p.mu.Unlock()
		if why.Status != 401 || !again {
			return why
		}
	}
}

// each does something with every element of a list, a few at a time, until ctx is over; false when some
// were left out.
func each[T any](ctx context.Context, list []T, atATime int, do func(T)) bool {
	var all sync.WaitGroup
	defer all.Wait()
	room := make(chan struct{}, atATime)
	for _, one := range list {
		select {
		case room <- struct{}{}:
		case <-ctx.Done():
			return false
		}
		all.Go(func() {
			defer func() { <-room }()
			do(one)
		})
	}
	return true
}
