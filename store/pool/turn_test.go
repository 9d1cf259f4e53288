package pool

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gcli2api/pipeline/simulator"
	"gcli2api/store"
	"gcli2api/store/oauth"
)

// inVariable is what the credential of GOOGLE_CREDENTIALS is called.
const inVariable = "env_credential_1"

// claims looks on while leases are asked for.
type claims struct {
	store.Store
	refused chan struct{} // one value for each claim that was not given
	fails   error
}

func (c *claims) Claim(ctx context.Context, name, owner string, ttl time.Duration) (bool, error) {
	if c.fails != nil {
		return false, c.fails
	}
	ok, err := c.Store.Claim(ctx, name, owner, ttl)
	if !ok && ttl > 0 && err == nil {
		select {
		case c.refused <- struct{}{}:
		default:
		}
	}
	return ok, err
}

// peer is one of several pools on one store, which have the same credential in a variable.
func peer(t *testing.T, s store.Store, c Claims, base string, via *gate, content string) (*Pool, *Memory) {
	t.Helper()
	kept := remember(t, s, slog.New(slog.DiscardHandler))
	t.Cleanup(func() { _ = kept.Close() })
	o := Options{States: kept, Claims: c, OAuth: client(t, base, nil)}
	if via != nil {
		o.OAuth = client(t, base, via)
	}
	o.Environ = oauth.FromEnvironment([]string{"GOOGLE_CREDENTIALS=" + content}, false)
	return folder(t, o), kept
}

// Two nodes want a new token of one account at the same time: one asks Google, the other takes over what
// it got, also a refresh token that was changed on the way.
func TestOneRefreshAmongNodes(t *testing.T) {
	for _, rotates := range []bool{false, true} {
		g := google(t)
		a := g.AddAccount(simulator.Account{Email: "me@example.com", Project: "sim-p", RotateRefresh: rotates})
		content := `{"refresh_token": "` + a.RefreshToken + `", "project_id": "sim-p", "email": "me@example.com"}`
		s := openStore(t, filepath.Join(t.TempDir(), "x.db"))
		c := &claims{Store: s, refused: make(chan struct{}, 1)}
		door := newGate()
		one, _ := peer(t, s, c, g.URL(), door, content)
		two, _ := peer(t, s, c, g.URL(), nil, content)

		tokens := make([]string, 2)
		var all sync.WaitGroup
		get := func(i int, p *Pool) {
			l := take(t, p, Want{Model: "m"})
			tokens[i] = l.Token()
			l.Release()
		}
		all.Go(func() { get(0, one) })
		<-door.arrived // it has the lease, and waits for Google
		all.Go(func() { get(1, two) })
		select {
		case <-c.refused:
		case <-time.After(2 * time.Minute): // a bound for a failure, not a measure
			t.Error("the second node was not told to wait its turn")
		}
		close(door.open)
		all.Wait()
		if n := len(g.CallsOf("token")); n != 1 || tokens[0] == "" || tokens[0] != tokens[1] {
			t.Errorf("rotates %t: %d refreshes, same token: %t", rotates, n, tokens[0] == tokens[1])
		}
		// The other node goes on from there: its own next refresh is good.
		if err := two.renewNow(t.Context(), two.named(inVariable)); err != nil {
			t.Errorf("rotates %t: the next refresh: %v", rotates, err)
		}
	}
}

// The next refresh of a node may begin before its last one has given up its lease: that does not give up the
// lease of the next one too, during which another node would refresh as well.
func TestTurnsOfOneNode(t *testing.T) {
	g := google(t)
	me := g.AddAccount(simulator.Account{Email: "me@example.com", Project: "sim-p"})
	s := openStore(t, filepath.Join(t.TempDir(), "x.db"))
	c := &claims{Store: s, refused: make(chan struct{}, 1)}
	p, _ := peer(t, s, c, g.URL(), nil, `{"refresh_token": "`+me.RefreshToken+`", "project_id": "sim-p", "email": "me@example.com"}`)
	a := p.named(inVariable).account
	last, next := p.takeTurn(t.Context(), a, ""), make(chan turn)
	go func() { next <- p.takeTurn(t.Context(), a, "") }()
	var now turn
	select {
	case now = <-next: // it did not wait
		p.endTurn(t.Context(), a, last)
	case <-c.refused:
		p.endTurn(t.Context(), a, last)
		now = <-next
	}
	if ok, err := s.Claim(t.Context(), now.lease, "another node", time.Minute); ok || err != nil {
		t.Errorf("another node has a turn at the same time: %t %v", ok, err)
	}
	p.endTurn(t.Context(), a, now)
	if ok, err := s.Claim(t.Context(), now.lease, "another node", time.Minute); !ok || err != nil {
		t.Errorf("another node has no turn afterwards: %t %v", ok, err)
	}
}

// A node that comes later finds the token of the others, whatever its own variable says.
func TestTokenOfAnotherNodeIsTakenOver(t *testing.T) {
	g := google(t)
	a := g.AddAccount(simulator.Account{Email: "me@example.com", Project: "sim-p", RotateRefresh: true})
	content := `{"refresh_token": "` + a.RefreshToken + `", "project_id": "sim-p", "email": "me@example.com"}`
	s := openStore(t, filepath.Join(t.TempDir(), "x.db"))
	two, _ := peer(t, s, s, g.URL(), nil, content) // reads the states before there are any
	one, kept := peer(t, s, s, g.URL(), nil, content)
	use(t, one, 1)
	if err := kept.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	use(t, two, 1)
	if n := len(g.CallsOf("token")); n != 1 {
		t.Errorf("%d refreshes", n)
	}
	if e := two.named(inVariable); e.account.cred.RefreshToken != token(g, a) || e.disabled {
		t.Error("the refresh token of the other node was not taken over")
	}
}

// A state of another sign-in under the same name is nobody's token.
func TestTokenOfAnotherSignInIsNot(t *testing.T) {
	g := google(t)
	mine := g.AddAccount(simulator.Account{Email: "me@example.com", Project: "sim-p"})
	other := g.AddAccount(simulator.Account{Email: "other@example.com", Project: "sim-q"})
	s := openStore(t, filepath.Join(t.TempDir(), "x.db"))
	two, _ := peer(t, s, s, g.URL(), nil, signIn(mine))
	one, kept := peer(t, s, s, g.URL(), nil, signIn(other))
	use(t, one, 1)
	if err := kept.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	l := take(t, two, Want{Model: "m"})
	l.Release()
	if n := len(g.CallsOf("token")); n != 2 || l.Project() != "sim-p" {
		t.Errorf("%d refreshes, project %s", n, l.Project())
	}
}

// A node that died with the lease holds the others up until it runs out, and a store that fails not at all.
func TestLeaseThatNobodyGivesBack(t *testing.T) {
	g := google(t)
	a := g.AddAccount(simulator.Account{Project: "sim-p"})
	content := signIn(a)
	s := openStore(t, filepath.Join(t.TempDir(), "x.db"))
	p, _ := peer(t, s, s, g.URL(), nil, content)
	cred := p.named(inVariable).account.cred
	name := leaseOn(cred)
	if ok, err := s.Claim(t.Context(), name, "a node that died", 300*time.Millisecond); !ok || err != nil {
		t.Fatal(ok, err)
	}
	begun := time.Now()
	use(t, p, 1)
	if took := time.Since(begun); took < 200*time.Millisecond || len(g.CallsOf("token")) != 1 {
		t.Errorf("after %s, %d refreshes", took, len(g.CallsOf("token")))
	}
	if free, err := s.Claim(t.Context(), name, "somebody", time.Second); !free || err != nil {
		until(t, "the lease is given up", func() bool {
			free, err = s.Claim(t.Context(), name, "somebody", time.Second)
			return free && err == nil
		})
	}

	p, _ = peer(t, s, &claims{Store: s, fails: errors.New("the store is down")}, g.URL(), nil, content)
	p.named(inVariable).account.stale = true
	use(t, p, 1)
	if n := len(g.CallsOf("token")); n != 2 {
		t.Errorf("%d refreshes", n)
	}
}

// deaf is a store that does not answer when it is asked for leases and states.
type deaf struct {
	store.Store
	now atomic.Bool
}

func (d *deaf) Claim(ctx context.Context, name, owner string, ttl time.Duration) (bool, error) {
	if d.now.Load() {
		<-ctx.Done()
		return false, ctx.Err()
	}
	return d.Store.Claim(ctx, name, owner, ttl)
}

func (d *deaf) Put(ctx context.Context, t store.Table, doc store.Doc, when store.Rev) (store.Rev, error) {
	if d.now.Load() {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	return d.Store.Put(ctx, t, doc, when)
}

// Whoever waits for a token does not wait for a store that hangs, also where Google changes the refresh token.
func TestTokenWhileTheStoreHangs(t *testing.T) {
	g := google(t)
	a := g.AddAccount(simulator.Account{Email: "me@example.com", Project: "sim-p", RotateRefresh: true})
	content := `{"refresh_token": "` + a.RefreshToken + `", "project_id": "sim-p", "email": "me@example.com"}`
	s := &deaf{Store: openStore(t, filepath.Join(t.TempDir(), "x.db"))}
	p, kept := peer(t, s, s, g.URL(), nil, content)
	s.now.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), flushLimit-2*time.Second) // less than one write may take
	defer cancel()
	l, fail := p.Acquire(ctx, Want{Model: "m"})
	if fail != nil {
		t.Fatal(fail)
	}
	l.Release()
	s.now.Store(false)
	if err := kept.Sync(t.Context()); err != nil {
		t.Error(err)
	}
	if state, _ := kept.Load(inVariable); state.RefreshToken == "" {
		t.Error("the new refresh token is not kept")
	}
}
