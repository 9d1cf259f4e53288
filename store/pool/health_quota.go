package pool

import (
	"context"
	"time"

	"gcli2api/store/oauth"
)

// lookPause is the least time between two looks at the quota of one credential, as the official client
// keeps it (protocol 2.6).
const lookPause = 30 * time.Second

// look is what was seen of the quota of an entry.
type look struct {
	begun   time.Time // of the last look
	at      time.Time // when Google answered
	buckets []oauth.Bucket
	why     error         // the last look brought nothing new
	running chan struct{} // closed at its end
	pause   time.Duration // until the next one that nobody asked for
}

// looking is what is known of the looks at an entry's quota. The caller holds mu.
func (e *entry) looking() *look {
	if e.look == nil {
		e.look = &look{}
	}
	return e.look
}

// Quota is what Google says is left for a credential. It is a hint, and Google is often wrong about it.
type Quota struct {
	ID      string
	Buckets []oauth.Bucket
	At      time.Time // when Google said so
	Fresh   bool      // it was asked just now
	Err     error     // why there is nothing newer: ErrUnknown or a *Trouble
}

// Quota asks Google what is left for a credential. Without force what is known is the answer where it is
// less than half a minute old.
func (p *Pool) Quota(ctx context.Context, id string, force bool) Quota {
	q := Quota{ID: id}
	err := p.visit(ctx, id, refreshLimit, func(ctx context.Context, e *entry) error {
		if e.cred.Kind != oauth.CodeAssist || e.account == nil {
			return &Trouble{Permanent: true, Reason: "Google tells what is left for accounts of Code Assist only"}
		}
		asked, err := p.lookAt(ctx, e, force)
		p.mu.Lock()
		defer p.mu.Unlock()
		q.Buckets, q.At, q.Fresh = e.look.buckets, e.look.at, asked && err == nil
		return err
	})
	q.Err = err
	return q
}

// Quotas is Quota for every credential that it is for and that is switched on.
func (p *Pool) Quotas(ctx context.Context, force bool) []Quota {
	var list []*Quota
	p.mu.Lock()
	for _, e := range p.queue {
		if e.cred.Kind == oauth.CodeAssist && e.account != nil && !e.disabled {
			list = append(list, &Quota{ID: e.cred.ID, Err: &Trouble{Reason: "there was no time left to ask"}})
		}
	}
	p.mu.Unlock()
	each(ctx, list, atATime, func(q *Quota) { *q = p.Quota(ctx, q.ID, force) })
	all := make([]Quota, len(list))
	for i, q := range list {
		all[i] = *q
	}
	return all
}

// lookAt asks Google, once for all who ask meanwhile; false when what is known is new enough.
func (p *Pool) lookAt(ctx context.Context, e *entry, force bool) (bool, error) {
	p.mu.Lock()
	if wait := e.looking().running; wait != nil {
		p.mu.Unlock()
		err := await(ctx, wait)
		p.mu.Lock()
		defer p.mu.Unlock()
		if err == nil {
			err = e.look.why
		}
		return true, err
	}
	if !force && !e.look.begun.IsZero() && p.now().Sub(e.look.begun) < lookPause {
		defer p.mu.Unlock()
		return false, e.look.why
	}
	done := make(chan struct{})
	e.look.begun, e.look.running = p.now(), done
	p.mu.Unlock()
	var got []oauth.Bucket
	err := p.withToken(ctx, e, true, func(google *oauth.Client, token, project string) (err error) {
		got, err = google.RetrieveUserQuota(ctx, token, project)
		return err
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.look.why = err; err == nil {
		e.look.buckets, e.look.at = got, p.now()
		p.reported(e, leftOf(got))
	}
	e.look.running = nil
	close(done)
	return true, err
}

func leftOf(buckets []oauth.Bucket) []Left {
	list := make([]Left, 0, len(buckets))
	for _, b := range buckets {
		list = append(list, Left{Model: b.Model, Fraction: b.Fraction, Reset: b.Reset})
	}
	return list
}
