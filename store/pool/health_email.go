package pool

import (
	"context"

	"gcli2api/store/oauth"
)

// atATime is how many credentials are dealt with at a time where all of them are.
const atATime = 8

// Email is the e-mail address of a credential's account: the one that is known, else Google is asked.
// The error is ErrUnknown or a *Trouble.
func (p *Pool) Email(ctx context.Context, id string) (email string, err error) {
	err = p.visit(ctx, id, refreshLimit, func(ctx context.Context, e *entry) error {
		p.mu.Lock()
		email = e.email
		p.mu.Unlock()
		if email != "" {
			return nil
		}
		if e.account == nil {
			return &Trouble{Permanent: true, Reason: "an API key belongs to a project and has no e-mail address"}
		}
		return p.withToken(ctx, e, false, func(google *oauth.Client, token, _ string) (err error) {
			if email, err = google.UserInfo(ctx, token); err == nil {
				p.keepEmail(e.account, email)
			}
			return err
		})
	})
	return email, err
}

// EmailOf is one result of Emails.
type EmailOf struct {
	ID, Email string
	Err       error
}

// Emails is Email for every credential that has an account, in the order of the queue.
func (p *Pool) Emails(ctx context.Context) []EmailOf {
	var list []*EmailOf
	p.mu.Lock()
	for _, e := range append(p.queue[:len(p.queue):len(p.queue)], p.idle...) {
		if e.account != nil {
			list = append(list, &EmailOf{ID: e.cred.ID, Err: &Trouble{Reason: "there was no time left to ask for it"}})
		}
	}
	p.mu.Unlock()
	each(ctx, list, atATime, func(one *EmailOf) { one.Email, one.Err = p.Email(ctx, one.ID) })
	all := make([]EmailOf, len(list))
	for i, one := range list {
		all[i] = *one
	}
	return all
}
