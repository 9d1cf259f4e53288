package pool

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/simulator"
	"gcli2api/pipeline/wire/gemini"
)

func plainHTTP() *http.Client { return http.DefaultClient }

// gate holds calls back until it is opened, and counts them.
type gate struct {
	open    chan struct{}
	arrived chan struct{} // one value a call
	calls   atomic.Int64
	ended   atomic.Int64 // calls whose context ended at the gate
	fail    atomic.Bool
}

func newGate() *gate { return &gate{open: make(chan struct{}), arrived: make(chan struct{}, 1000)} }

func (g *gate) RoundTrip(r *http.Request) (*http.Response, error) {
	g.calls.Add(1)
	g.arrived <- struct{}{}
	select {
	case <-g.open:
	case <-r.Context().Done():
		g.ended.Add(1)
		return nil, r.Context().Err()
	}
	if g.fail.Load() {
		return nil, http.ErrServerClosed
	}
	return http.DefaultTransport.RoundTrip(r)
}

func TestOneRefreshForAHundred(t *testing.T) {
	s := google(t)
	a := s.AddAccount(simulator.Account{Project: "sim-p"})
	g := newGate()
	p := folder(t, Options{OAuth: client(t, s.URL(), g)}, "a.json", ready("sim-p", "", time.Time{}))
	put(t, p.dir, "a.json", strings.Replace(ready("sim-p", "", time.Time{}), "1//sim-p", a.RefreshToken, 1))
	p.Rescan()

	const n = 100
	var wg sync.WaitGroup
	tokens := make([]string, n)
	for i := range n {
		wg.Go(func() {
			l, fail := p.Acquire(context.Background(), Want{Model: "gemini-2.5-pro"})
			if fail != nil {
				t.Error(fail)
				return
			}
			tokens[i] = l.Token()
			l.Release()
		})
	}
	<-g.arrived
	close(g.open)
	wg.Wait()
	if got := len(s.CallsOf("token")); got != 1 {
		t.Errorf("%d refreshes", got)
	}
	for _, token := range tokens {
		if token == "" || token != tokens[0] {
			t.Fatalf("tokens %q and %q", token, tokens[0])
		}
	}
	if p.Leases() != 0 {
		t.Errorf("%d leases out", p.Leases())
	}
}

func TestWaiterThatLeavesEndsNoRefresh(t *testing.T) {
	s := google(t)
	a := s.AddAccount(simulator.Account{})
	g := newGate()
	p := folder(t, Options{OAuth: client(t, s.URL(), g)}, "a.json", signIn(a))
	ctx, leave := context.WithCancel(context.Background())
	type result struct {
		l    pipeline.Lease
		fail *apierror.Error
	}
	acquire := func(ctx context.Context) chan result {
		got := make(chan result, 1)
		go func() {
			l, fail := p.Acquire(ctx, Want{Model: "gemini-2.5-pro"})
			got <- result{l, fail}
		}()
		return got
	}
	first := acquire(ctx)
	<-g.arrived
	leave()
	if r := <-first; r.fail == nil || r.fail.Code != apierror.ClientGone {
		t.Fatalf("the one that left got %v", r.fail)
	}
	second := acquire(context.Background())
	close(g.open)
	r := <-second
	if r.fail != nil {
		t.Fatal(r.fail)
	}
	r.l.Release()
	if g.ended.Load() != 0 || len(s.CallsOf("token")) != 1 || p.Leases() != 0 {
		t.Errorf("%d calls ended early, %d refreshes, %d leases", g.ended.Load(), len(s.CallsOf("token")), p.Leases())
	}
}

func TestCauseOfTheEndIsTold(t *testing.T) {
	s := google(t)
	g := newGate()
	p := folder(t, Options{OAuth: client(t, s.URL(), g)}, "a.json", signIn(s.AddAccount(simulator.Account{})))
	ctx, cancel := context.WithCancelCause(context.Background())
	go func() {
		<-g.arrived
		cancel(apierror.New(apierror.Overloaded, "the gateway stops"))
	}()
	if _, fail := p.Acquire(ctx, Want{Model: "m"}); fail == nil || fail.Code != apierror.Overloaded {
		t.Errorf("%v", fail)
	}
}

func TestCloseEndsWhatRuns(t *testing.T) {
	s := google(t)
	g := newGate()
	p := folder(t, Options{OAuth: client(t, s.URL(), g)}, "a.json", signIn(s.AddAccount(simulator.Account{})))
	got := make(chan *apierror.Error, 1)
	go func() {
		_, fail := p.Acquire(context.Background(), Want{Model: "m"})
		got <- fail
	}()
	<-g.arrived
	_ = p.Close() // returns although the gate stays shut
	if fail := <-got; fail == nil || fail.Code != apierror.Overloaded {
		t.Errorf("the waiter got %v", fail)
	}
}

func TestTokenIsRenewedAhead(t *testing.T) {
	s := google(t)
	a := s.AddAccount(simulator.Account{Project: "sim-p"})
	file := func(token string, left time.Duration) string {
		return strings.Replace(ready("sim-p", token, time.Now().Add(left)), "1//sim-p", a.RefreshToken, 1)
	}
	t.Run("in good time nobody waits", func(t *testing.T) {
		g := newGate()
		p := folder(t, Options{OAuth: client(t, s.URL(), g)}, "a.json", file("ya29.old", 200*time.Second))
		l := take(t, p, Want{Model: "gemini-2.5-pro"})
		if l.Token() != "ya29.old" {
			t.Errorf("token %q", l.Token())
		}
		l.Release()
		<-g.arrived
		close(g.open)
		until(t, "the new token is used", func() bool {
			l := take(t, p, Want{Model: "gemini-2.5-pro"})
			defer l.Release()
			return l.Token() != "ya29.old"
		})
	})
	t.Run("a fresh one is left alone", func(t *testing.T) {
		g := newGate()
		p := folder(t, Options{OAuth: client(t, s.URL(), g)}, "a.json", file("ya29.old", 400*time.Second))
		take(t, p, Want{Model: "gemini-2.5-pro"}).Release()
		if g.calls.Load() != 0 {
			t.Error("it was renewed")
		}
	})
	t.Run("while it works, trouble of the moment does not matter", func(t *testing.T) {
		g := newGate()
		g.fail.Store(true)
		close(g.open)
		p := folder(t, Options{OAuth: client(t, s.URL(), g)}, "a.json", file("ya29.old", 20*time.Second))
		for range 3 {
			l := take(t, p, Want{Model: "gemini-2.5-pro"})
			if l.Token() != "ya29.old" {
				t.Errorf("token %q", l.Token())
			}
			l.Release()
		}
		if n := g.calls.Load(); n != 2 {
			t.Errorf("%d calls: a failure asks for a pause", n)
		}
	})
}

func TestRefreshThatFails(t *testing.T) {
	for _, row := range []struct {
		how  string
		off  bool
		says string
	}{
		{"invalid_grant", true, "sign in again"},
		{"invalid_rapt", true, "organisation"},
		{"unauthorized_client", true, "client id or secret"},
		{"internal_failure", false, ""},
	} {
		s := google(t)
		bad := s.AddAccount(simulator.Account{Email: "bad@example.com", RefreshError: row.how})
		good := s.AddAccount(simulator.Account{Email: "good@example.com"})
		p := folder(t, Options{OAuth: client(t, s.URL(), nil)}, "a.json", signIn(bad), "b.json", signIn(good))
		l := take(t, p, Want{Model: "gemini-2.5-pro"})
		if l.ID() != "b.json" {
			t.Errorf("%s: lent %s", row.how, l.ID())
		}
		l.Release()
		st := status(t, p, "a.json")
		rest := time.Until(st.CoolingUntil)
		if st.Disabled != row.off || !strings.Contains(st.Reason, row.says) || !row.off && (rest < 25*time.Second || rest > time.Minute) {
			t.Errorf("%s: %+v", row.how, st)
		}
		p.Disable("b.json")
		_, fail := p.Acquire(context.Background(), Want{Model: "gemini-2.5-pro"})
		if fail == nil || fail.Status != 503 || (fail.RetryAfter > 0) == row.off {
			t.Errorf("%s: alone: %+v", row.how, fail)
		}
	}
}

// AUTO_BAN=false does not spare a sign-in that is dead: no call can be made with it.
func TestDeadSignInIsTakenOutWithoutBans(t *testing.T) {
	s := google(t)
	dead := s.AddAccount(simulator.Account{Email: "dead@example.com", RefreshError: "invalid_grant"})
	p := folder(t, Options{OAuth: client(t, s.URL(), nil), Settings: Settings{AutoBanCodes: []int{}}}, "a.json", signIn(dead))
	if l, fail := p.Acquire(context.Background(), Want{Model: "gemini-2.5-pro"}); fail == nil {
		t.Errorf("lent %s", l.ID())
	}
	if st := status(t, p, "a.json"); !st.Disabled || !strings.Contains(st.Reason, "sign in again") {
		t.Errorf("%+v", st)
	}
}

func TestRefusedTokenIsRenewedOnce(t *testing.T) {
	s := google(t)
	a := s.AddAccount(simulator.Account{Project: "sim-p"})
	p := folder(t, Options{OAuth: client(t, s.URL(), nil)},
		"a.json", strings.Replace(ready("sim-p", "ya29.old", time.Now().Add(time.Hour)), "1//sim-p", a.RefreshToken, 1))
	refused := gemini.ParseError(401, "", []byte(plain("no")), time.Now())
	var burst []pipeline.Lease
	for range 5 {
		burst = append(burst, take(t, p, Want{Model: "m"}))
	}
	var next pipeline.Lease
	for i, l := range burst {
		if got := l.Report(refused); got.Again != pipeline.Same {
			t.Fatalf("call %d: %+v", i, got)
		}
		l.Release()
		n := take(t, p, Want{Model: "m", Tried: []string{l.ID()}, Prefer: l.ID()})
		if n.Token() == "ya29.old" || next != nil && n.Token() != next.Token() {
			t.Fatalf("call %d: token %q", i, n.Token())
		}
		if next != nil {
			next.Release()
		}
		next = n
	}
	if got := len(s.CallsOf("token")); got != 1 {
		t.Errorf("%d refreshes", got)
	}
	if got := next.Report(refused); got.Again != pipeline.No {
		t.Errorf("second refusal: %+v", got)
	}
	next.Release()
	if st := status(t, p, "a.json"); !st.Disabled {
		t.Errorf("%+v", st)
	}
}

func TestSuccessForgivesTheRefusal(t *testing.T) {
	s := google(t)
	a := s.AddAccount(simulator.Account{Project: "sim-p"})
	p := folder(t, Options{OAuth: client(t, s.URL(), nil)},
		"a.json", strings.Replace(ready("sim-p", "ya29.old", time.Now().Add(time.Hour)), "1//sim-p", a.RefreshToken, 1))
	refused := gemini.ParseError(401, "", []byte(plain("no")), time.Now())
	for range 3 {
		l := take(t, p, Want{Model: "m"})
		l.Report(refused)
		l.Release()
		l = take(t, p, Want{Model: "m", Tried: []string{"a.json"}, Prefer: "a.json"})
		l.Report(nil)
		l.Release()
	}
	if st := status(t, p, "a.json"); st.Disabled {
		t.Errorf("%+v", st)
	}
}

func TestProjects(t *testing.T) {
	t.Run("found once, for all who wait", func(t *testing.T) {
		s := google(t)
		a := s.AddAccount(simulator.Account{Tier: "free-tier", NotOnboarded: true, OnboardPolls: 3})
		p := folder(t, Options{OAuth: client(t, s.URL(), nil)}, "a.json", signIn(a))
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				l, fail := p.Acquire(context.Background(), Want{Model: "gemini-2.5-pro"})
				if fail != nil {
					t.Error(fail)
					return
				}
				if l.Project() != a.Project {
					t.Errorf("project %q", l.Project())
				}
				l.Release()
			})
		}
		wg.Wait()
		if n := len(s.CallsOf("onboardUser")); n != 1 {
			t.Errorf("%d onboardings", n)
		}
	})
	t.Run("none to be found", func(t *testing.T) {
		s := google(t)
		a := s.AddAccount(simulator.Account{Tier: "free-tier", NotOnboarded: true,
			Ineligible: []simulator.Ineligible{{ReasonCode: "UNSUPPORTED_CLIENT", TierID: "free-tier"}}})
		p := folder(t, Options{OAuth: client(t, s.URL(), nil)}, "a.json", signIn(a))
		if _, fail := p.Acquire(context.Background(), Want{Model: "gemini-2.5-pro"}); fail == nil || fail.Code != apierror.NoCredential {
			t.Fatalf("%v", fail)
		}
		if st := status(t, p, "a.json"); !st.Disabled || !strings.Contains(st.Reason, "UNSUPPORTED_CLIENT") {
			t.Errorf("%+v", st)
		}
	})
	t.Run("all of an account", func(t *testing.T) {
		s := google(t)
		a := s.AddAccount(simulator.Account{Project: "p-one", Projects: []simulator.Project{{ID: "p-two"}, {ID: "gone", State: "DELETE_REQUESTED"}, {ID: "p-three"}}})
		p := folder(t, Options{OAuth: client(t, s.URL(), nil)}, "a.json", strings.TrimSuffix(signIn(a), "}")+`, "project_id": "ALL"}`)
		take(t, p, Want{Model: "gemini-2.5-pro"}).Release()
		if got := ids(p); got != "a.json a.json:p-two a.json:p-three" {
			t.Fatalf("queue %q", got)
		}
		seen := map[string]bool{}
		for range 3 {
			l := take(t, p, Want{Model: "gemini-2.5-pro"})
			seen[l.Project()] = true
			l.Release()
		}
		if len(seen) != 3 || len(s.CallsOf("token")) != 1 {
			t.Errorf("projects %v, %d refreshes", seen, len(s.CallsOf("token")))
		}
		put(t, p.dir, "a.json", strings.TrimSuffix(signIn(a), "}")+`, "project_id": "ALL", "note": 1}`)
		p.Rescan()
		if got := ids(p); len(strings.Fields(got)) != 3 {
			t.Errorf("after an edit: %q", got)
		}
	})
}

func TestRefusedProject(t *testing.T) {
	refused := gemini.ParseError(403, "", []byte(info("PERMISSION_DENIED", "Permission denied on resource project x.", "CONSUMER_INVALID", "googleapis.com")), time.Now())
	s := google(t)
	a := s.AddAccount(simulator.Account{Email: "a@example.com", Project: "sim-right"})
	p := folder(t, Options{OAuth: client(t, s.URL(), nil)}, "a.json", strings.TrimSuffix(signIn(a), "}")+`, "project_id": "sim-wrong"}`)
	again := Want{Model: "gemini-2.5-pro", Tried: []string{"a.json"}, Prefer: "a.json"}
	l := take(t, p, Want{Model: "gemini-2.5-pro"})
	if a := l.Report(refused); a.Again != pipeline.Same || l.Project() != "sim-wrong" {
		t.Fatalf("%+v with %s", a, l.Project())
	}
	l.Release()
	l = take(t, p, again)
	if l.Project() != "sim-right" {
		t.Fatalf("project %q", l.Project())
	}
	l.Report(nil)
	l.Release()
	// The right one is refused as well: looking for it again finds nothing new.
	l = take(t, p, Want{Model: "gemini-2.5-pro"})
	l.Report(refused)
	l.Release()
	if _, fail := p.Acquire(t.Context(), again); fail == nil {
		t.Fatal("lent again")
	}
	if st := status(t, p, "a.json"); !st.Disabled || st.Project != "sim-right" {
		t.Errorf("%+v", st)
	}
}

func TestServiceIsEnabled(t *testing.T) {
	off := gemini.ParseError(403, "", []byte(`{"error":{"message":"x has not been used","details":[{"reason":"SERVICE_DISABLED","domain":"googleapis.com","metadata":{"activationUrl":"https://console.example/on"}}]}}`), time.Now())
	for _, cannot := range []bool{false, true} {
		s := google(t)
		a := s.AddAccount(simulator.Account{Project: "sim-p", APIDisabled: true, CannotEnable: cannot})
		p := folder(t, Options{OAuth: client(t, s.URL(), nil)}, "a.json", strings.TrimSuffix(signIn(a), "}")+`, "project_id": "sim-p"}`)
		l := take(t, p, Want{Model: "gemini-2.5-pro"})
		l.Report(off)
		l.Release()
		// Close would cut an answer that is still on its way, so the outcome has to be there before.
		until(t, "enabling was tried", func() bool { return len(s.CallsOf("enable")) > 0 && status(t, p, "a.json").Disabled == cannot })
		_ = p.Close()
		st := status(t, p, "a.json")
		if st.Disabled != cannot || time.Until(st.CoolingUntil) < 100*time.Second || cannot && st.Link != "https://console.example/on" {
			t.Errorf("cannot %t: %+v", cannot, st)
		}
	}
}

func TestStateOutlivesARestart(t *testing.T) {
	kept := memory{}
	o := Options{States: kept, Settings: Settings{APIKeys: []string{"key-0", "key-1"}, AutoBan: true, AutoBanCodes: []int{403}}}
	p := folder(t, o)
	a, b := take(t, p, Want{Model: "m"}), take(t, p, Want{Model: "m"})
	a.Report(gemini.ParseError(403, "", []byte(info("PERMISSION_DENIED", "x", "TOS_VIOLATION", "y")), time.Now()))
	b.Report(rate(time.Hour))
	_ = p.Close()
	p = folder(t, o)
	if st := status(t, p, a.ID()); !st.Disabled || st.Reason == "" {
		t.Errorf("%+v", st)
	}
	if st := status(t, p, b.ID()); st.Disabled || len(st.Models) != 1 {
		t.Errorf("%+v", st)
	}
	if _, fail := p.Acquire(t.Context(), Want{Model: "m"}); fail == nil || fail.Status != 429 {
		t.Errorf("%v", fail)
	}
	if calls := status(t, p, a.ID()).Calls; calls != 1 {
		t.Errorf("%d calls", calls)
	}
	// Another secret under the same id begins anew.
	kept[a.ID()] = State{Of: "something else", Disabled: true}
	if st := status(t, folder(t, o), a.ID()); st.Disabled {
		t.Errorf("%+v", st)
	}
}

type memory map[string]State

func (m memory) Load(id string) (State, bool) { s, ok := m[id]; return s, ok }
func (m memory) Save(id string, s State)      { m[id] = s }
