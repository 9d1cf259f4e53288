package pool

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline/simulator"
	"gcli2api/store"
	"gcli2api/store/oauth"
)

// Protocol 1.6 and behaviour 6.7, row by row: what ends a credential and what passes.
func TestRefreshTable(t *testing.T) {
	for _, row := range []struct {
		name   string
		a      simulator.Account
		client string // members of the file
		fault  simulator.Fault
		calls  int
		off    bool
		says   string
	}{
		{name: "invalid_grant", a: simulator.Account{RefreshError: "invalid_grant"}, calls: 1, off: true, says: "revoked or has expired"},
		{name: "invalid_rapt", a: simulator.Account{RefreshError: "invalid_rapt"}, calls: 1, off: true, says: "new sign-in (invalid_rapt)"},
		{name: "rapt_required", a: simulator.Account{RefreshError: "rapt_required"}, calls: 1, off: true, says: "new sign-in (rapt_required)"},
		{name: "unauthorized_client", client: `"client_id": "another", "client_secret": "x",`, calls: 1, off: true, says: "not those of this refresh token (unauthorized_client)"},
		{name: "invalid_client", client: `"client_id": "` + simulator.ClientID + `", "client_secret": "x",`, calls: 1, off: true, says: "not those of this refresh token (invalid_client)"},
		{name: "invalid_request", a: simulator.Account{RefreshError: "invalid_request"}, calls: 1, off: true, says: "invalid_request"},
		{name: "invalid_scope", a: simulator.Account{RefreshError: "invalid_scope"}, calls: 1, off: true, says: "invalid_scope"},
		{name: "access_denied", a: simulator.Account{RefreshError: "access_denied"}, calls: 1, off: true, says: "access_denied"},
		{name: "429", a: simulator.Account{RefreshError: "rate_limit"}, calls: 2},
		{name: "500", a: simulator.Account{RefreshError: "internal_failure"}, calls: 2},
		{name: "503", fault: simulator.Fault{Do: "503", Verb: "token", Count: -1}, calls: 2},
		{name: "page", fault: simulator.Fault{Do: "502-html", Verb: "token", Count: -1}, calls: 2},
		{name: "network", fault: simulator.Fault{Do: "cut", Verb: "token", Count: -1}, calls: 2},
		{name: "nonsense", fault: simulator.Fault{Do: "garbage", Verb: "token", Count: -1}, calls: 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := google(t)
			row.a.Email = "me@example.com"
			a := s.AddAccount(row.a)
			if row.fault.Do != "" {
				s.Script(row.fault)
			}
			content := strings.Replace(signIn(a), "{", "{"+row.client, 1)
			o := Options{States: newBook(), Dir: t.TempDir(), OAuth: client(t, s.URL(), nil)}
			p := folder(t, o, "a.json", content)
			if _, fail := p.Acquire(context.Background(), Want{Model: "gemini-2.5-pro"}); fail == nil || fail.Status != 503 || (fail.RetryAfter > 0) == row.off {
				t.Errorf("%+v", fail)
			}
			st := status(t, p, "a.json")
			if rest := time.Until(st.CoolingUntil); st.Disabled != row.off || !strings.Contains(st.Reason, row.says) || !row.off && (rest < 25*time.Second || rest > time.Minute) {
				t.Errorf("%+v", st)
			}
			if noted := len(st.LastCodes) == 1 && st.LastCodes[0] >= 400 && st.LastCodes[0] < 500 && len(st.Messages) == 1; noted != row.off {
				t.Errorf("codes %v, %v", st.LastCodes, st.Messages)
			}
			if n := len(s.CallsOf("token")); n != row.calls {
				t.Errorf("%d calls", n)
			}
			if got, _ := os.ReadFile(filepath.Join(o.Dir, "a.json")); string(got) != content {
				t.Errorf("the file was changed: %s", got)
			}
			_ = p.Close()
			// What is permanent stays so over a restart, until there is a new sign-in.
			p = folder(t, o)
			if st := status(t, p, "a.json"); st.Disabled != row.off {
				t.Errorf("after a restart: %+v", st)
			}
			again := s.AddAccount(simulator.Account{Email: "me2@example.com", Project: "sim-new"})
			put(t, o.Dir, "a.json", signIn(again))
			p.Rescan()
			if st := status(t, p, "a.json"); st.Disabled || !st.CoolingUntil.IsZero() {
				t.Errorf("a new sign-in: %+v", st)
			}
		})
	}
}

// The one failure that a second try mends is no failure.
func TestRefreshIsTriedAgain(t *testing.T) {
	s := google(t)
	a := s.AddAccount(simulator.Account{Project: "sim-p"})
	s.Script(simulator.Fault{Do: "503", Verb: "token"})
	p := folder(t, Options{OAuth: client(t, s.URL(), nil)}, "a.json", signIn(a))
	use(t, p, 1)
	if n := len(s.CallsOf("token")); n != 2 {
		t.Errorf("%d calls", n)
	}
}

// A token without an end that can be read counts as over (behaviour 6.7).
func TestTokenWithoutEndIsRenewed(t *testing.T) {
	for _, expiry := range []string{"", `"expiry": "tomorrow",`, `"expires_in": 3600,`} {
		s := google(t)
		a := s.AddAccount(simulator.Account{Project: "sim-p"})
		p := folder(t, Options{OAuth: client(t, s.URL(), nil)}, "a.json", strings.Replace(signIn(a), "{", `{"token": "ya29.old", "project_id": "sim-p", `+expiry, 1))
		l := take(t, p, Want{Model: "gemini-2.5-pro"})
		if l.Token() == "ya29.old" || l.Token() == "" {
			t.Errorf("%s: token %q", expiry, l.Token())
		}
		l.Release()
	}
}

// A rotated token is kept before it is used: a pool that is killed at once has it.
func TestRotatedTokenIsKeptFirst(t *testing.T) {
	g := google(t)
	a := rotating(g, 1)[0]
	s := openStore(t, filepath.Join(t.TempDir(), "x.db"))
	kept := remember(t, s, slog.New(slog.DiscardHandler))
	defer kept.Close()
	var seen []State
	via := roundTrip(func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, ":loadCodeAssist") {
			got, _, err := store.Docs[State]{Store: s, Table: store.CredentialStates}.Get(r.Context(), "env_credential_1")
			if err != nil {
				t.Error(err)
			}
			seen = append(seen, got)
		}
		return http.DefaultTransport.RoundTrip(r)
	})
	p := folder(t, Options{States: kept, OAuth: client(t, g.URL(), via), Environ: oauth.FromEnvironment([]string{"GOOGLE_CREDENTIALS=" + plainSignIn(a)}, false)})
	use(t, p, 1)
	_ = p.Close()
	if len(seen) != 1 || seen[0].RefreshToken != token(g, a) || seen[0].RefreshToken == a.RefreshToken {
		t.Errorf("%d looks: the new token was not kept before its access token was used", len(seen))
	}
}

// A crash between the state and the file, or between the file and the state, loses neither.
func TestRotationAndACrash(t *testing.T) {
	g := google(t)
	a := g.AddAccount(simulator.Account{Email: "me@example.com", Project: "sim-x"})
	content := signIn(a)
	state := State{Of: secretHash("1//the-old-one"), RefreshToken: a.RefreshToken, Rests: map[string]Rest{"m": {Until: time.Now().Add(time.Hour)}}}
	for name, of := range map[string]string{"the file was written": secretHash("1//the-old-one"), "it was not": secretHash(a.RefreshToken), "another sign-in": "other"} {
		kept := newBook()
		state.Of = of
		if name == "another sign-in" {
			state.RefreshToken = ""
		}
		kept.Save("a.json", state)
		p := folder(t, Options{States: kept, OAuth: client(t, g.URL(), nil)}, "a.json", content)
		if st := status(t, p, "a.json"); (len(st.Models) == 1) != (name != "another sign-in") {
			t.Errorf("%s: %+v", name, st)
		}
		_ = p.Close()
		state.RefreshToken = a.RefreshToken
	}
}

type roundTrip func(r *http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
