package console

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"gcli2api/store"

	"github.com/golang-jwt/jwt/v5"
)

// TestForgedSessions: tokens of other forms than ours open nothing, not even signed with the secret itself.
func TestForgedSessions(t *testing.T) {
	s, err := OpenSessions(t.Context(), SessionOptions{Store: storeOf(t), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	d := s.now.Load()
	says := func(life time.Duration) claims {
		c := claims{Epoch: d.Epoch, Password: d.mark("right"), RegisteredClaims: jwt.RegisteredClaims{ID: "x"}}
		if life != 0 {
			c.ExpiresAt = jwt.NewNumericDate(time.Now().Add(life))
		}
		return c
	}
	for name, c := range map[string]struct {
		how   jwt.SigningMethod
		key   any
		says  claims
		holds bool
	}{
		"ours":         {jwt.SigningMethodHS256, d.secret, says(time.Hour), true},
		"for ever":     {jwt.SigningMethodHS256, d.secret, says(0), false},
		"over":         {jwt.SigningMethodHS256, d.secret, says(-time.Hour), false},
		"unsigned":     {jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, says(time.Hour), false},
		"another way":  {jwt.SigningMethodHS512, d.secret, says(time.Hour), false},
		"another key":  {jwt.SigningMethodHS256, []byte("another key of thirty-two letters"), says(time.Hour), false},
		"an empty key": {jwt.SigningMethodHS256, []byte{}, says(time.Hour), false},
	} {
		token, err := jwt.NewWithClaims(c.how, c.says).SignedString(c.key)
		if err != nil {
			t.Fatal(name, err)
		}
		if got := s.Holds(token, "right"); got != c.holds {
			t.Errorf("%s: holds %v", name, got)
		}
	}
}

// TestEndedSessionsStaySo: a session that was ended does not come back while it would still count, by however
// much clocks may differ.
func TestEndedSessionsStaySo(t *testing.T) {
	var ahead atomic.Int64
	s, err := OpenSessions(t.Context(), SessionOptions{Store: storeOf(t), Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	begin := func() string {
		token, _, err := s.Begin("right")
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	ended, other := begin(), begin()
	if err := s.End(t.Context(), ended, "right"); err != nil {
		t.Fatal(err)
	}
	ahead.Store(int64(sessionLife + sessionSlack/2))
	if !s.Holds(other, "right") {
		t.Fatal("it ends early for a clock that is ahead")
	}
	if err := s.End(t.Context(), other, "right"); err != nil { // which forgets those that are over
		t.Fatal(err)
	}
	if s.Holds(ended, "right") || s.Holds(other, "right") {
		t.Error("an ended session is back")
	}
}

// first is a store on which somebody else comes first.
type first struct {
	store.Store
	by func()
}

func (f *first) Put(ctx context.Context, t store.Table, d store.Doc, when store.Rev) (store.Rev, error) {
	if by := f.by; by != nil {
		f.by = nil
		by()
	}
	return f.Store.Put(ctx, t, d, when)
}

// TestNodesThatBeginTogether: of two nodes that find no secret one makes it, and sessions begun meanwhile last.
func TestNodesThatBeginTogether(t *testing.T) {
	kept := storeOf(t)
	open := func(on store.Store) *Sessions {
		s, err := OpenSessions(t.Context(), SessionOptions{Store: on, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	var token string
	late := open(&first{Store: kept, by: func() {
		var err error
		if token, _, err = open(kept).Begin("right"); err != nil {
			t.Error(err)
		}
	}})
	if token == "" || !late.Holds(token, "right") {
		t.Error("the node that came second has made a secret of its own")
	}
}
