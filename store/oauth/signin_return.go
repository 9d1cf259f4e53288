package oauth

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"gcli2api/store"
)

// Returned is what a browser comes back with.
type Returned struct {
	State    string
	Code     string
	Denied   string // the error that Google sent instead of a code
	CodePage bool   // the code stood on CodePage
}

// maxReturned bounds the address that a person pastes.
const maxReturned = 8 << 10

// ParseReturned reads the address that a browser came back to, as a person copied it.
func ParseReturned(text string) (Returned, *SignInError) {
	text = strings.Trim(strings.TrimSpace(text), "\"'<>")
	if !strings.HasPrefix(text, "http://") && !strings.HasPrefix(text, "https://") || len(text) > maxReturned {
		return Returned{}, wrong(`"callback_url" must be the whole address from the address bar, from http:// to the end`)
	}
	u, err := url.Parse(text)
	if err != nil {
		return Returned{}, wrong(`"callback_url" is no address that can be read: copy it again, whole`)
	}
	r, fail := ParseQuery(u.RawQuery)
	// Where the code was shown decides which of our two addresses it belongs to; the host of a pasted
	// address means nothing else.
	u.RawQuery, u.Fragment = "", ""
	r.CodePage = u.String() == CodePage
	return r, fail
}

// ParseQuery reads the query that a browser came back with.
func ParseQuery(raw string) (Returned, *SignInError) {
	q, err := url.ParseQuery(raw)
	if err != nil || len(raw) > maxReturned {
		return Returned{}, wrong("the address that came back cannot be read")
	}
	r := Returned{State: q.Get("state"), Code: q.Get("code"), Denied: word(q.Get("error"))}
	switch {
	case len(q["state"]) > 1 || len(q["code"]) > 1:
		return Returned{}, wrong("the address that came back names its state or code twice")
	case r.State == "":
		return Returned{}, wrong("there is no state in the address that came back")
	case r.Denied == "" && r.Code == "":
		return Returned{}, wrong("there is no code in the address that came back")
	}
	return r, r.check()
}

func (r Returned) check() *SignInError {
	if len(r.Code) > maxCode || strings.ContainsFunc(r.Code, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return wrong("this is no code of Google's: copy it again, whole and without spaces")
	}
	return nil
}

// denied puts an error that Google sent the browser back with into words.
func denied(code string) *SignInError {
	if code == "access_denied" {
		return wrong("access was not granted on Google's page (access_denied): begin again and agree, or use another account")
	}
	return wrong("Google sent the browser back with an error (" + code + "): begin again")
}

// Land takes what a browser came back with to the gateway itself. Whoever began the sign-in completes
// it. owner is the secret of who began it, if this browser has that: somebody may have been sent a link
// that another one began, and then their tokens are not for that other one.
func (s *SignIns) Land(ctx context.Context, r Returned, owner string) *SignInError {
	f, fail := s.find(ctx, r.State)
	if fail != nil {
		return fail
	}
	switch {
	case r.Code != "" && r.Code == f.Code:
		return nil // the page was loaded again
	case f.Code != "" || f.Grant != nil || !f.Busy.IsZero():
		return wrong("this sign-in has come back already")
	case r.Denied != "":
		f.Denied = r.Denied
	default:
		f.Code, f.Denied, f.Other = r.Code, "", !f.ownedBy(owner)
	}
	if fail = s.put(ctx, f); fail == nil && f.Denied != "" {
		return denied(f.Denied)
	}
	return fail
}

// lookAgain is how long a sign-in that is waited for goes unseen at most if the store loses a hint.
const lookAgain = 5 * time.Second

// Wait returns when the browser of a sign-in has come back, to whatever node.
func (s *SignIns) Wait(ctx context.Context, state string) *SignInError {
	if !s.waiting.enter(state) {
		return &SignInError{Status: http.StatusTooManyRequests, Says: "this sign-in is waited for already", RetryAfter: lookAgain}
	}
	defer s.waiting.leave(state)
	if _, fail := s.find(ctx, state); fail != nil {
		return fail
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	hints, err := s.store.Watch(ctx)
	if err != nil {
		return s.broken(err)
	}
	for {
		f, fail := s.find(ctx, state)
		switch {
		case ctx.Err() != nil:
			return late()
		case fail != nil:
			return fail
		case f.Code != "" || f.Denied != "" || f.Grant != nil:
			return nil
		}
		if !hinted(ctx, hints, flowID(state)) {
			return late()
		}
	}
}

// waiting counts those who wait for a browser. With the limit of open sign-ins they are few.
type waiting struct {
	mu sync.Mutex
	by map[string]int // state
}

const waitersOfOne = 3

func (w *waiting) enter(state string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.by[state] >= waitersOfOne {
		return false
	}
	if w.by == nil {
		w.by = map[string]int{}
	}
	w.by[state]++
	return true
}

func (w *waiting) leave(state string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.by[state]--; w.by[state] == 0 {
		delete(w.by, state)
	}
}

func late() *SignInError {
	return wrong("the browser has not come back yet: sign in on the page, or paste the address that it ends on, and ask again")
}

// hinted waits until the document may have changed; false when it is no use to wait on.
func hinted(ctx context.Context, hints <-chan store.Change, id string) bool {
	again := time.NewTimer(lookAgain)
	defer again.Stop()
	for {
		select {
		case h, open := <-hints:
			if !open {
				return false
			}
			if h.ID == id || h.ID == "" && (h.Table == "" || h.Table == store.Short) {
				return true
			}
		case <-again.C:
			return true
		case <-ctx.Done():
			return false
		}
	}
}
