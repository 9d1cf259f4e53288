package pool

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/simulator"
	"gcli2api/pipeline/wire/gemini"
	"gcli2api/store/oauth"
)

func TestTestOfACredential(t *testing.T) {
	terms := gemini.ParseError(403, "", []byte(info("PERMISSION_DENIED", "x", "TOS_VIOLATION", "y")), time.Now())
	p, c := keys(t, 2)
	id, other := p.Status()[0].ID, p.Status()[1].ID
	pin := func() *Probe {
		t.Helper()
		b, err := p.Pin(t.Context(), id, "m")
		if err != nil || b.ID() != id || p.Leases() != 1 {
			t.Fatalf("%v, %d leases", err, p.Leases())
		}
		return b
	}
	// What rests can be tested, and a success disproves it.
	l := take(t, p, Want{Model: "m"})
	l.Report(rate(time.Hour))
	l.Release()
	if len(status(t, p, id).Models) != 1 {
		t.Fatal("nothing rests")
	}
	c.forward(time.Second)
	b := pin()
	b.Report(nil)
	b.Release()
	if st := status(t, p, id); len(st.Models) != 0 || len(st.LastCodes) != 0 || st.LastSuccess.IsZero() {
		t.Errorf("after a success: %+v", st)
	}
	// A failure counts as any call's does.
	b = pin()
	b.Report(terms)
	if says, link := b.Explain(terms); !strings.Contains(says, "banned the account") || link != "" {
		t.Errorf("%q %q", says, link)
	}
	if says, _ := b.Explain(apierror.New(apierror.UpstreamUnavailable, "the proxy is down")); says != "the proxy is down" {
		t.Errorf("what never came to Google: %q", says)
	}
	b.Release()
	if st := status(t, p, id); !st.Disabled {
		t.Errorf("after a ban: %+v", st)
	}
	// Switched off it learns about itself only.
	b = pin()
	b.Report(gemini.ParseError(503, "", []byte(info("UNAVAILABLE", "no capacity available", "MODEL_CAPACITY_EXHAUSTED", "y")), time.Now()))
	b.Report(nil)
	b.Release()
	if st := status(t, p, id); !st.Disabled || st.LastSuccess.IsZero() {
		t.Errorf("after a success: %+v", st)
	}
	if len(p.breakers) != 0 || status(t, p, other).Disabled {
		t.Error("a test of a credential that is switched off is held against others")
	}
	if _, err := p.Pin(t.Context(), "nobody", "m"); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
}

// A token that Google refuses is renewed in the test of a credential that is switched off, too, and its
// account does not suffer when that does not help.
func TestTestRenewsTheToken(t *testing.T) {
	s := google(t)
	a := s.AddAccount(simulator.Account{Email: "a@example.com", Project: "p-one", Projects: []simulator.Project{{ID: "p-two"}}})
	p := folder(t, Options{OAuth: client(t, s.URL(), nil)}, "a.json", strings.TrimSuffix(signIn(a), "}")+`, "project_id": "ALL"}`)
	use(t, p, 1)
	p.Disable("a.json:p-two")
	refused := gemini.ParseError(401, "", []byte(plain("no")), time.Now())
	first, err := p.Pin(t.Context(), "a.json:p-two", "m")
	if err != nil {
		t.Fatal(err)
	}
	if got := first.Report(refused); got.Again != pipeline.Same {
		t.Fatalf("%+v", got)
	}
	first.Release()
	second, err := p.Pin(t.Context(), "a.json:p-two", "m")
	if err != nil || second.Token() == first.Token() || second.Project() != "p-two" {
		t.Fatalf("%v, project %s", err, second.Project())
	}
	second.Report(refused)
	second.Release()
	if status(t, p, "a.json").Disabled || len(s.CallsOf("token")) != 2 {
		t.Errorf("%d refreshes, %+v", len(s.CallsOf("token")), status(t, p, "a.json"))
	}
}

// A credential that cannot get a token says why.
func TestTestWithoutAToken(t *testing.T) {
	s := google(t)
	dead := s.AddAccount(simulator.Account{Email: "a@example.com", RefreshError: "invalid_grant"})
	ill := s.AddAccount(simulator.Account{Email: "b@example.com", RefreshError: "internal_failure"})
	homeless := s.AddAccount(simulator.Account{Email: "c@example.com", Tier: "free-tier", NotOnboarded: true,
		Ineligible: []simulator.Ineligible{{ReasonCode: "RESTRICTED_AGE", TierID: "free-tier"}}})
	p := folder(t, Options{OAuth: client(t, s.URL(), nil)}, "a.json", signIn(dead), "b.json", signIn(ill), "c.json", signIn(homeless))
	for id, row := range map[string]struct {
		status    int
		permanent bool
		says      string
	}{"a.json": {400, true, "sign in again"}, "b.json": {500, false, "out of order"}, "c.json": {0, true, "too young"}} {
		_, err := p.Pin(t.Context(), id, "m")
		var why *Trouble
		if !errors.As(err, &why) || why.Status != row.status || why.Permanent != row.permanent || !strings.Contains(why.Reason, row.says) {
			t.Errorf("%s: %+v", id, err)
		}
	}
	if p.Leases() != 0 {
		t.Errorf("%d leases", p.Leases())
	}
}

// Without the secret of the client Google would only say that it does not know the sign-in, as if it were dead.
func TestTestWithoutTheClientsSecret(t *testing.T) {
	s := google(t)
	a := s.AddAccount(simulator.Account{Email: "a@example.com"})
	bare := oauth.New(oauth.Options{HTTP: func() *http.Client { return http.DefaultClient }, Settings: func() oauth.Settings {
		set := settingsAt(s.URL())
		set.ClientSecret = ""
		return set
	}})
	p := folder(t, Options{OAuth: bare}, "a.json", fmt.Sprintf(`{"refresh_token": %q}`, a.RefreshToken))
	_, err := p.Pin(t.Context(), "a.json", "m")
	if err == nil || !strings.Contains(err.Error(), "OAUTH_CLIENT_SECRET") || status(t, p, "a.json").Disabled || len(s.CallsOf("token")) != 0 {
		t.Errorf("%v, %d refreshes, %+v", err, len(s.CallsOf("token")), status(t, p, "a.json"))
	}
	_, err = p.Verify(t.Context(), "a.json")
	if err == nil || !strings.Contains(err.Error(), "OAUTH_CLIENT_SECRET") || status(t, p, "a.json").Disabled || len(s.CallsOf("token")) != 0 {
		t.Errorf("%v, %d refreshes, %+v", err, len(s.CallsOf("token")), status(t, p, "a.json"))
	}
}

// A test that Google said nothing to says what stood in the way.
func TestTestWithoutAConnection(t *testing.T) {
	p, _ := keys(t, 1)
	id := p.Status()[0].ID
	p.Configure(id, func(w *Wish) { w.Proxy = "http://127.0.0.1:1" })
	fail := apierror.New(apierror.UpstreamUnavailable, "the configured proxy gave no connection")
	fail.Said = &apierror.Said{Network: true}
	for range 2 {
		b, err := p.Pin(t.Context(), id, "m")
		if err != nil {
			t.Fatal(err)
		}
		b.Report(fail)
		if says, _ := b.Explain(fail); says != fail.Message {
			t.Errorf("says %q", says)
		}
		b.Release()
	}
	// What the proxy cost is over with it.
	if status(t, p, id).CoolingUntil.IsZero() {
		t.Fatal("nothing rests")
	}
	p.Configure(id, func(w *Wish) { w.Proxy = "" })
	if st := status(t, p, id); !st.CoolingUntil.IsZero() {
		t.Errorf("rests until %v", st.CoolingUntil)
	}
	take(t, p, Want{Model: "m"}).Release()
}

// A request that a client got wrong leaves nothing on the credential.
func TestClientsMistakeIsNotNoted(t *testing.T) {
	p, _ := keys(t, 1)
	l := take(t, p, Want{Model: "m"})
	l.Report(gemini.ParseError(400, "", []byte(`{"error":{"code":400,"message":"Request contains an invalid argument.","status":"INVALID_ARGUMENT"}}`), time.Now()))
	l.Release()
	if st := p.Status()[0]; len(st.LastCodes) != 0 || len(st.Messages) != 0 {
		t.Errorf("%+v", st)
	}
}

// What no key can be is not one, wherever it comes from.
func TestKeysOfTheSettings(t *testing.T) {
	var said lines
	p := folder(t, Options{Log: said.logger(), Settings: Settings{APIKeys: []string{"AIza-one", "bad key", ""}, VertexKeys: []string{"x\ny"}}})
	if len(p.Status()) != 1 || said.count("is skipped") != 2 || said.count("bad key") != 0 {
		t.Errorf("%d credentials: %s", len(p.Status()), said.String())
	}
}

func TestVerify(t *testing.T) {
	verify := []simulator.Ineligible{{ReasonCode: "VALIDATION_REQUIRED", TierID: "free-tier", ValidationURL: "https://accounts.example/verify"}}
	for _, row := range []struct {
		name    string
		a       simulator.Account
		file    string // members of the file
		fault   simulator.Fault
		project string // that is found; "" when it is not possible
		says    string
		link    string
		stays   bool // switched on although it is not possible: nobody knows that it is of no use
		calls   string
	}{
		{name: "all is well", a: simulator.Account{Project: "own-x", PaidTier: "gcp-standard-tier"}, file: `"project_id": "own-x",`, project: "own-x",
			calls: "token loadCodeAssist services services userinfo"},
		{name: "another project", a: simulator.Account{Project: "own-x"}, file: `"project_id": "gone-y",`, project: "own-x",
			calls: "token loadCodeAssist metadata loadCodeAssist projects loadCodeAssist services services services userinfo"},
		{name: "the API is off", a: simulator.Account{Project: "own-x", APIDisabled: true, EnablePolls: 2}, file: `"project_id": "own-x",`, project: "own-x",
			calls: "token loadCodeAssist services enable operations operations operations services enable userinfo"},
		{name: "the API stays off", a: simulator.Account{Project: "own-x", APIDisabled: true, CannotEnable: true}, file: `"project_id": "own-x",`,
			says: "could not be switched on", link: "https://console.cloud.google.com/apis/library/cloudaicompanion.googleapis.com?project=own-x"},
		{name: "Google's own project", a: simulator.Account{Project: "free-z", Tier: "free-tier"}, project: "free-z",
			calls: "token metadata loadCodeAssist userinfo"},
		{name: "to be verified", a: simulator.Account{Tier: "free-tier", NotOnboarded: true, Ineligible: verify}, says: "verified in a browser", link: "https://accounts.example/verify"},
		{name: "dead", a: simulator.Account{RefreshError: "invalid_grant"}, says: "sign in again", calls: "token"},
		{name: "Google is ill", a: simulator.Account{RefreshError: "internal_failure"}, says: "out of order", stays: true, calls: "token token"},
		{name: "project cannot be asked for", a: simulator.Account{Project: "own-x"}, file: `"project_id": "own-x",`,
			fault: simulator.Fault{Do: "503", Verb: "loadCodeAssist", Count: -1}, says: "does not answer at the moment", stays: true},
		{name: "e-mail cannot be asked for", a: simulator.Account{Project: "own-x"}, file: `"project_id": "own-x",`,
			fault: simulator.Fault{Do: "500", Verb: "userinfo", Count: -1}, project: "own-x"},
	} {
		for _, off := range []bool{false, true} {
			t.Run(fmt.Sprint(row.name, " off ", off), func(t *testing.T) {
				t.Parallel()
				s := google(t)
				a := row.a // the other run has it as well
				a.Email = "me@example.com"
				a = s.AddAccount(a)
				if row.fault.Do != "" {
					s.Script(row.fault)
				}
				p := folder(t, Options{OAuth: client(t, s.URL(), nil)}, "a.json", `{`+row.file+`"refresh_token": "`+a.RefreshToken+`", "email": "me@example.com"}`)
				e := p.named("a.json")
				e.codes, e.strikes, e.disabled, e.reason = []int{403}, 2, off, "an old story"
				v, err := p.Verify(t.Context(), "a.json")
				st := status(t, p, "a.json")
				if row.project != "" {
					if err != nil || v.Project != row.project || v.Email != "me@example.com" || v.TokenUntil.IsZero() || v.Waits != a.APIDisabled ||
						st.Project != row.project || st.Disabled || st.Reason != "" || len(st.LastCodes) != 0 || st.Tier != v.Tier || e.strikes != 0 {
						t.Errorf("%v %+v %+v", err, v, st)
					}
					if a.APIDisabled && e.enabledAt.IsZero() {
						t.Error("Google gets no time to notice that the API is on")
					}
				} else {
					var why *Trouble
					if !errors.As(err, &why) || !strings.Contains(why.Reason, row.says) || why.Link != row.link || why.Permanent == row.stays {
						t.Errorf("%+v", err)
					}
					if st.Disabled != (off || !row.stays) || !row.stays && (st.Link != row.link || !strings.Contains(st.Reason, row.says)) {
						t.Errorf("%+v", st)
					}
				}
				var made []string
				for _, c := range s.Calls() {
					made = append(made, c.Verb)
				}
				if got := strings.Join(made, " "); row.calls != "" && got != row.calls {
					t.Errorf("calls %q\nwant  %q", got, row.calls)
				}
			})
		}
	}
}

// All projects of an account: the one in use stays, and one that is new joins.
func TestVerifyOfAllProjects(t *testing.T) {
	s := google(t)
	a := s.AddAccount(simulator.Account{Project: "p-one", Projects: []simulator.Project{{ID: "p-two"}}})
	p := folder(t, Options{OAuth: client(t, s.URL(), nil)}, "a.json", strings.TrimSuffix(signIn(a), "}")+`, "project_id": "ALL"}`)
	use(t, p, 1)
	s.UpdateAccount(a.Email, func(a *simulator.Account) { a.Projects = append(a.Projects, simulator.Project{ID: "p-three"}) })
	for _, id := range []string{"a.json", "a.json:p-two"} {
		if _, err := p.Verify(t.Context(), id); err != nil {
			t.Fatal(id, err)
		}
	}
	if got := ids(p); got != "a.json a.json:p-two a.json:p-three" || status(t, p, "a.json").Project != "p-one" || status(t, p, "a.json:p-two").Project != "p-two" {
		t.Errorf("%s %+v", got, p.Status())
	}
}

// A service account has a project by its file: its API is looked after, and it is its own e-mail.
func TestVerifyOfAServiceAccount(t *testing.T) {
	s := google(t)
	file := string(s.AddServiceAccount(robot, "proj-r"))
	s.UpdateAccount(robot, func(a *simulator.Account) { a.APIDisabled = true })
	p := folder(t, Options{OAuth: client(t, s.URL(), nil)}, "robot.json", file)
	p.Disable("robot.json")
	v, err := p.Verify(t.Context(), "robot.json")
	if st := status(t, p, "robot.json"); err != nil || v.NeedsTest() || v.Project != "proj-r" || v.Email != robot || st.Disabled || !v.Waits || len(v.Services) != 1 || v.Services[0].Name != "aiplatform.googleapis.com" {
		t.Errorf("%v %+v %+v", err, v, st)
	}
	if email, err := p.Email(t.Context(), "robot.json"); err != nil || email != robot {
		t.Error(email, err)
	}
	if q := p.Quota(t.Context(), "robot.json", true); q.Err == nil {
		t.Errorf("%+v", q)
	}
}

func TestVerifyOfWhatHasNoSignIn(t *testing.T) {
	p, _ := keys(t, 1)
	if v, err := p.Verify(t.Context(), p.Status()[0].ID); err != nil || !v.NeedsTest() {
		t.Errorf("%+v %v", v, err)
	}
	if _, err := p.Verify(t.Context(), "nobody"); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
	_ = p.Close()
	if _, err := p.Verify(t.Context(), "nobody"); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
}

func TestEmails(t *testing.T) {
	s := google(t)
	known := s.AddAccount(simulator.Account{Email: "known@example.com"})
	asked := s.AddAccount(simulator.Account{Email: "asked@example.com"})
	dead := s.AddAccount(simulator.Account{Email: "dead@example.com", RefreshError: "invalid_grant"})
	s.Script(simulator.Fault{Do: "401", Verb: "userinfo", Count: 1})
	p := folder(t, Options{OAuth: client(t, s.URL(), nil), Settings: Settings{APIKeys: []string{"key-of-nobody"}}},
		"a.json", signIn(known), "b.json", plainSignIn(asked), "c.json", plainSignIn(dead))
	key := p.Status()[3].ID
	if _, err := p.Email(t.Context(), key); err == nil || !strings.Contains(err.Error(), "API key") {
		t.Error(err)
	}
	if _, err := p.Email(t.Context(), "nobody"); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
	all := p.Emails(t.Context())
	if len(all) != 3 || all[0].Email != known.Email || all[1].Email != asked.Email || all[2].Err == nil {
		t.Errorf("%+v", all)
	}
	n := len(s.Calls())
	if got, err := p.Email(t.Context(), "b.json"); err != nil || got != asked.Email || status(t, p, "b.json").Email != asked.Email {
		t.Error(got, err)
	}
	if len(s.Calls()) != n {
		t.Error("what is known is asked for again")
	}
	ctx, leave := context.WithCancel(t.Context())
	leave()
	for _, one := range p.Emails(ctx) {
		if one.ID == "c.json" && one.Err == nil {
			t.Error("nobody had the time for it")
		}
	}
}

// A test does not wait for its turn, and takes none away for good.
func TestTestBesideCalls(t *testing.T) {
	s := google(t)
	p := folder(t, Options{OAuth: client(t, s.URL(), nil)}, "a.json", signIn(s.AddAccount(simulator.Account{Project: "sim-p"})))
	var held []pipeline.Lease
	for range 2 { // as many as an account may have at a time
		held = append(held, take(t, p, Want{Model: "gemini-2.5-pro"}))
	}
	b, err := p.Pin(t.Context(), "a.json", "gemini-2.5-pro")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range append(held, b) {
		l.Release()
		l.Release()
	}
	if out := p.named("a.json").account.grant.out; out != 0 || p.Leases() != 0 {
		t.Errorf("%d calls are counted, %d leases", out, p.Leases())
	}
	use(t, p, 3)
}
