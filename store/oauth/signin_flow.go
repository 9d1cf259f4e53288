package oauth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"gcli2api/store"
)

// flow is an open sign-in as the store has it. Its document is found by a hash of the state.
type flow struct {
	State    string    `json:"state"`
	Owner    string    `json:"owner"` // hash of the secret of who began it
	Verifier string    `json:"verifier"`
	Redirect string    `json:"redirect"`
	ClientID string    `json:"client_id"`
	Project  string    `json:"project,omitempty"`
	All      bool      `json:"all,omitempty"`
	Created  time.Time `json:"created"`
	Until    time.Time `json:"until"`
	Places   []string  `json:"places"` // what it takes of the limits

	Code   string    `json:"code,omitempty"`   // the browser came back with it
	Page   bool      `json:"page,omitempty"`   // it stood on CodePage
	Denied string    `json:"denied,omitempty"` // or with this error
	Other  bool      `json:"other,omitempty"`  // who brought the code is not who began: only the operator sees the tokens
	Busy   time.Time `json:"busy"`             // somebody completes it, until then
	Failed int       `json:"failed,omitempty"` // codes that Google did not take
	Grant  *grant    `json:"grant,omitempty"`  // the tokens, while a project is looked for
	Used   bool      `json:"used,omitempty"`   // it is over; nothing else is kept then

	rev store.Rev
}

// maxFailed is how many codes one sign-in tries.
const maxFailed = 3

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func flowID(state string) string      { return "signin/flow/" + digest(state) }
func projectID(project string) string { return "signin/project/" + digest(project) }

func (s *SignIns) flows() store.Docs[flow] {
	return store.Docs[flow]{Store: s.store, Table: store.Short}
}

// find is the open sign-in of a state.
func (s *SignIns) find(ctx context.Context, state string) (*flow, *SignInError) {
	if state == "" || len(state) > maxPieces {
		return nil, wrong(`there is no such sign-in: "state" is missing or not one of this gateway`)
	}
	f, rev, err := s.flows().Get(ctx, flowID(state))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, wrong("there is no such sign-in: its state is foreign, or it was begun more than ten minutes ago; begin again")
	case err != nil:
		return nil, s.broken(err)
	case f.Used:
		return nil, wrong("this sign-in is over, its state was used already: begin again")
	}
	if f, err = f.altered(s.box().Open); err != nil { // the key was changed meanwhile
		return nil, wrong("this sign-in cannot be read any more: begin again")
	}
	f.rev = rev
	return &f, nil
}

// put writes the sign-in if nobody else did meanwhile.
func (s *SignIns) put(ctx context.Context, f *flow) *SignInError {
	until := f.Until
	if f.Busy.After(until) {
		until = f.Busy // who completes it may need longer than it lives
	}
	sealed, err := f.altered(s.box().Seal)
	if err != nil {
		return s.broken(err)
	}
	rev, err := s.flows().PutUntil(ctx, flowID(f.State), sealed, f.rev, until)
	switch {
	case errors.Is(err, store.ErrConflict):
		return &SignInError{Status: http.StatusConflict, Says: "this sign-in is being completed by another request"}
	case err != nil:
		return s.broken(err)
	}
	f.rev = rev
	return nil
}

// over ends the sign-in: its state is known as used from here on, and its places are free.
func (s *SignIns) over(ctx context.Context, f *flow) {
	ended := flow{State: f.State, Until: f.Until, Created: f.Created, Used: true, rev: store.Any}
	if s.c.o.Now().After(ended.Until) {
		ended.Until = s.c.o.Now().Add(time.Minute)
	}
	if fail := s.put(ctx, &ended); fail != nil {
		return // the store has been complained of; the document goes with its time
	}
	if s.c.o.Now().After(f.Until.Add(-time.Second)) {
		return // the places have gone with their time, and may be somebody else's
	}
	for _, place := range f.Places {
		s.free(ctx, place)
	}
}

// Owns tells whether a secret is that of who began the sign-in, and the sign-in can still be ended.
func (s *SignIns) Owns(ctx context.Context, state, secret string) bool {
	f, fail := s.find(ctx, state)
	return fail == nil && f.ownedBy(secret)
}

func (f *flow) ownedBy(secret string) bool {
	return subtle.ConstantTimeCompare([]byte(f.Owner), []byte(digest(secret))) == 1
}

// The limits of open sign-ins and of codes that Google did not take, within the life of a sign-in.
const (
	openInAll   = 20
	openByOne   = 3
	failedByOne = 12
)

// try takes a place of those who hand in what Google did not give, or give up: each leaves a document.
func (s *SignIns) try(ctx context.Context, from string) (string, *SignInError) {
	return s.take(ctx, places{"signin/failed/" + digest(from) + "/", failedByOne, "too many sign-ins of your address have failed"},
		s.c.o.Now().Add(signInLife))
}

// open takes the places that a sign-in needs and writes it down. Nobody is put out for it.
func (s *SignIns) open(ctx context.Context, f *flow, from string) *SignInError {
	all := places{"signin/open/", openInAll, "too many sign-ins are open at the moment"}
	own := places{"signin/from/" + digest(from) + "/", openByOne, "three sign-ins of your address are open already: end one of them, or wait until they are over, ten minutes after they began"}
	for _, p := range []places{own, all} {
		place, fail := s.take(ctx, p, f.Until)
		if fail != nil {
			for _, taken := range f.Places {
				s.free(ctx, taken)
			}
			return fail
		}
		f.Places = append(f.Places, place)
	}
	if fail := s.put(ctx, f); fail != nil {
		return fail
	}
	if f.Project != "" {
		s.noteProject(ctx, f, false)
	}
	return nil
}

// places are what a limit lets be taken at a time: documents with a number each, which only one can
// make and which go with their time. So a limit holds for all nodes, and across restarts.
type places struct {
	prefix string
	n      int
	full   string // said when all are taken
}

func (s *SignIns) take(ctx context.Context, p places, until time.Time) (string, *SignInError) {
	for range p.n { // others take places meanwhile, at most so many
		list, err := s.store.List(ctx, store.Short, p.prefix, p.n)
		if err != nil {
			return "", s.broken(err)
		}
		taken, earliest := map[string]bool{}, until
		for _, d := range list {
			if len(d.ID) > len(p.prefix) && d.ID[:len(p.prefix)] == p.prefix {
				taken[d.ID] = true
				if d.Expires.Before(earliest) {
					earliest = d.Expires
				}
			}
		}
		if len(taken) >= p.n {
			return "", &SignInError{Status: http.StatusTooManyRequests, Says: p.full, RetryAfter: max(earliest.Sub(s.c.o.Now()), time.Second)}
		}
		for i := range p.n {
			id := fmt.Sprintf("%s%02d", p.prefix, i)
			if taken[id] {
				continue
			}
			_, err = s.store.Put(ctx, store.Short, store.Doc{ID: id, Expires: until, Body: []byte("{}")}, store.New)
			if err == nil {
				return id, nil
			}
			if !errors.Is(err, store.ErrConflict) {
				return "", s.broken(err)
			}
		}
	}
	return "", &SignInError{Status: http.StatusTooManyRequests, Says: p.full, RetryAfter: time.Second}
}

func (s *SignIns) free(ctx context.Context, place string) {
	if err := s.store.Delete(ctx, store.Short, place, store.Any); err != nil && !errors.Is(err, store.ErrNotFound) {
		_ = s.broken(err) // it goes with its time
	}
}

// SignInStatus is how far the last sign-in for a project is.
type SignInStatus struct {
	State   string    `json:"state"`
	Created time.Time `json:"created"`
	Done    bool      `json:"done"`
}

func (s *SignIns) statuses() store.Docs[SignInStatus] {
	return store.Docs[SignInStatus]{Store: s.store, Table: store.Short}
}

// noteProject lets Status find a sign-in by the project that it was begun with.
func (s *SignIns) noteProject(ctx context.Context, f *flow, done bool) {
	if _, err := s.statuses().PutUntil(ctx, projectID(f.Project), SignInStatus{f.State, f.Created, done}, store.Any, f.Until); err != nil {
		_ = s.broken(err) // it is only shown
	}
}

// Status tells how far the last sign-in is that was begun with this project; false for none.
func (s *SignIns) Status(ctx context.Context, project string) (SignInStatus, bool, *SignInError) {
	st, _, err := s.statuses().Get(ctx, projectID(project))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return st, false, nil
	case err != nil:
		return st, false, s.broken(err)
	}
	return st, true, nil
}
