package pool

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"gcli2api/pipeline/simulator"
)

// ofProject is the file that a sign-in for all projects leaves for one of them.
func ofProject(a simulator.Account, project string) string {
	return fmt.Sprintf(`{"client_id": %q, "client_secret": %q, "refresh_token": %q, "project_id": %q, "email": %q}`,
		a.ClientID, a.ClientSecret, a.RefreshToken, project, a.Email)
}

// One sign-in in two files is one person: calls are counted together, and a token is renewed once.
func TestFilesOfOneSignIn(t *testing.T) {
	s := google(t)
	a := s.AddAccount(simulator.Account{Project: "p-one", Projects: []simulator.Project{{ID: "p-two"}}, RotateRefresh: true})
	p := folder(t, Options{OAuth: client(t, s.URL(), nil), Settings: Settings{AccountConcurrency: 1, QueueLength: 10}},
		"one.json", ofProject(a, "p-one"), "two.json", ofProject(a, "p-two"))
	first := take(t, p, Want{Model: "gemini-2.5-pro"})
	if l, fail := p.Acquire(context.Background(), Want{Model: "gemini-2.5-pro", Tried: []string{first.ID()}}); fail == nil {
		t.Errorf("two calls at a time: %s and %s", first.ID(), l.ID())
	}
	first.Release()
	second := take(t, p, Want{Model: "gemini-2.5-pro", Tried: []string{first.ID()}})
	defer second.Release()
	if second.ID() == first.ID() || second.Project() == first.Project() || second.Token() != first.Token() {
		t.Errorf("%s %s, %s %s, the same token: %v", first.ID(), first.Project(), second.ID(), second.Project(), second.Token() == first.Token())
	}
	if n := len(s.CallsOf("token")); n != 1 {
		t.Errorf("%d renewals", n)
	}
	now := token(s, a)
	for _, name := range []string{"one.json", "two.json"} {
		data, err := read(p.dir + "/" + name)
		if err != nil || !strings.Contains(string(data), now) || now == a.RefreshToken {
			t.Errorf("%s has not the token that Google gave instead (%v)", name, err)
		}
	}
}

// What comes while the gateway runs is looked at before anybody calls; what was there at the start is not.
func TestWelcome(t *testing.T) {
	s := google(t)
	old := s.AddAccount(simulator.Account{Email: "old@example.com"})
	p := folder(t, Options{OAuth: client(t, s.URL(), nil)}, "old.json", signIn(old))
	named := s.AddAccount(simulator.Account{Email: "named@example.com", Project: "p-named"})
	bare := s.AddAccount(simulator.Account{Email: "bare@example.com", Tier: "free-tier"})
	dead := s.AddAccount(simulator.Account{Email: "dead@example.com", RefreshError: "invalid_grant"})
	for name, text := range map[string]string{"named.json": ofProject(named, "p-named"), "bare.json": signIn(bare), "dead.json": signIn(dead)} {
		if _, err := p.Import(Offer{Name: name, Data: []byte(text)}); err != nil {
			t.Fatal(name, err)
		}
	}
	until(t, "all that Google knows of them is known", func() bool {
		n, b, d := status(t, p, "named.json"), status(t, p, "bare.json"), status(t, p, "dead.json")
		return n.Tier == "standard-tier" && n.Email == "named@example.com" && n.Project == "p-named" &&
			b.Tier == "free-tier" && b.Project == bare.Project && b.Email == "bare@example.com" && d.Disabled
	})
	if st := status(t, p, "old.json"); st.Tier != "" || !st.TokenUntil.IsZero() {
		t.Errorf("asked about at the start: %+v", st)
	}
}
