package oauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gcli2api/pipeline/outbound"
	"gcli2api/pipeline/simulator"
)

const agent = "GeminiCLI/0.56.0/gemini-2.5-pro (linux; x64; terminal)"

// google is a simulated Google and a client of it.
func google(t *testing.T, o simulator.Options) (*simulator.Server, *Client) {
	t.Helper()
	s, err := simulator.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, at(t, s.URL())
}

func at(t *testing.T, base string) *Client {
	t.Helper()
	h := &http.Client{Transport: &http.Transport{}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Cleanup(h.CloseIdleConnections)
	return New(Options{
		HTTP: func() *http.Client { return h },
		Settings: func() Settings {
			return Settings{ClientID: simulator.ClientID, ClientSecret: simulator.ClientSecret, UserAgent: agent,
				Endpoints: outbound.Endpoints{CodeAssist: base, OAuthToken: base, GoogleAPIs: base, ResourceManager: base, ServiceUsage: base, Metadata: base}}
		},
		PollEvery: time.Millisecond, PollFor: 50 * time.Millisecond, RetryPause: time.Millisecond,
	})
}

func credential(a simulator.Account) Credential {
	return Credential{ID: "a.json", Kind: CodeAssist, RefreshToken: a.RefreshToken, ClientID: a.ClientID, ClientSecret: a.ClientSecret}
}

func TestRefresh(t *testing.T) {
	s, c := google(t, simulator.Options{TokenLife: 1000 * time.Second})
	a := s.AddAccount(simulator.Account{Email: "anna@example.com"})
	got, fail := c.Refresh(t.Context(), credential(a))
	if fail != nil {
		t.Fatal(fail)
	}
	if left := time.Until(got.Expiry); got.AccessToken == "" || got.RefreshToken != "" || got.Email != a.Email || left < 990*time.Second || left > 1000*time.Second {
		t.Errorf("%+v", got)
	}
	s.UpdateAccount(a.Email, func(a *simulator.Account) { a.RotateRefresh = true })
	if got, fail = c.Refresh(t.Context(), credential(a)); fail != nil || got.RefreshToken == "" || got.RefreshToken == a.RefreshToken {
		t.Errorf("rotated: %v", fail)
	}
}

func TestRefreshErrors(t *testing.T) {
	for _, row := range []struct {
		status    int
		body      string
		noSecret  bool
		permanent bool
		says      string
	}{
		{400, `{"error":"invalid_grant","error_description":"Token has been expired or revoked."}`, false, true, "sign in again"},
		{400, `{"error":"invalid_grant","error_subtype":"invalid_rapt"}`, false, true, "organisation"},
		{400, `{"error":"invalid_grant","error_description":"reauth related error (rapt_required)"}`, false, true, "organisation"},
		{401, `{"error":"unauthorized_client"}`, false, true, "client id or secret"},
		{401, `{"error":"invalid_client"}`, true, true, "google.oauth_client_secret"},
		{400, `{"error":"invalid_request","error_description":"client_secret is missing."}`, true, true, "google.oauth_client_secret"},
		{400, `{"error":"invalid_scope"}`, false, true, "invalid_scope"},
		{403, `{"error":"admin_policy_enforced"}`, false, true, "admin_policy_enforced"},
		{400, `{"error":"SECRET rf <b>` + strings.Repeat("x", 100) + `"}`, false, true, "(SECRETrfb"},
		{400, `{"error":"internal_failure"}`, false, false, "internal_failure"},
		{429, `{"error":"rate_limit_exceeded"}`, false, false, "out of order"},
		{500, `{"error":"invalid_grant"}`, false, false, "out of order"},
		{403, `<html>SECRET unusual traffic`, false, false, "out of order"},
		{302, ``, false, false, "out of order"},
		{200, `{"access_token":""}`, false, false, "something else than a token"},
		{200, `<html>SECRET`, false, false, "something else than a token"},
	} {
		h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Location", "http://127.0.0.1:1/token")
			w.WriteHeader(row.status)
			_, _ = w.Write([]byte(row.body))
		}))
		cred := Credential{RefreshToken: "1//r", ClientID: "c", ClientSecret: "s"}
		if row.noSecret {
			cred.ClientSecret = ""
		}
		_, fail := at(t, h.URL).Refresh(t.Context(), cred)
		h.Close()
		if fail == nil || fail.Permanent != row.permanent || !strings.Contains(fail.Error(), row.says) || len(fail.Error()) > 200 || strings.Contains(fail.Error(), "SECRET ") {
			t.Errorf("%d %s: %+v", row.status, row.body, fail)
		}
	}
	_, fail := at(t, "http://127.0.0.1:1").Refresh(t.Context(), Credential{RefreshToken: "1//r"})
	if fail == nil || fail.Permanent {
		t.Errorf("no network: %v", fail)
	}
	if _, fail = at(t, "http://127.0.0.1:1").Refresh(t.Context(), Credential{}); fail == nil || !fail.Permanent {
		t.Errorf("no refresh token: %v", fail)
	}
}

// Wherever the file says that tokens are made, they are asked for at the configured address, with
// the client in the form.
func TestRefreshGoesToTheConfiguredAddress(t *testing.T) {
	var form url.Values
	var path, basic string
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		form, path, basic = r.PostForm, r.URL.Path, r.Header.Get("Authorization")
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"access_token":"ya29.x","token_type":"Bearer"}`)
	}))
	defer h.Close()
	w := Credential{RefreshToken: "1//r", ClientID: "c", ClientSecret: "s", TokenURI: "https://accounts.google.com/o/oauth2/token"}
	got, fail := at(t, h.URL).Refresh(t.Context(), w)
	if fail != nil || path != "/token" || basic != "" || form.Get("client_id") != "c" || form.Get("client_secret") != "s" || form.Get("grant_type") != "refresh_token" || form.Get("refresh_token") != "1//r" {
		t.Errorf("%v %s %v %v", fail, path, form, basic)
	}
	if left := time.Until(got.Expiry); left < unknownLife-time.Minute || left > unknownLife {
		t.Errorf("a token of unknown life lives %s", left)
	}
}

func TestUserInfo(t *testing.T) {
	s, c := google(t, simulator.Options{})
	a := s.AddAccount(simulator.Account{Email: "anna@example.com"})
	if got, err := c.UserInfo(t.Context(), s.AccessToken(a.Email)); err != nil || got != a.Email {
		t.Errorf("%q %v", got, err)
	}
	if _, err := c.UserInfo(t.Context(), "ya29.wrong"); err == nil || strings.Contains(err.Error(), "ya29") {
		t.Errorf("%v", err)
	}
}

func TestDiscover(t *testing.T) {
	unsupported := []simulator.Ineligible{{ReasonCode: "UNSUPPORTED_CLIENT", ReasonMessage: "moved", TierID: "free-tier"}}
	for _, row := range []struct {
		name    string
		a       simulator.Account
		named   string
		machine string
		project string
		tier    string
		says    string // of the error
		calls   string // in order
		passing bool   // the error is one of the moment
		fault   simulator.Fault
		link    string
	}{
		{name: "free tier, onboarded", a: simulator.Account{Tier: "free-tier", Project: "managed-x"}, project: "managed-x", tier: "free-tier", calls: "loadCodeAssist"},
		{name: "paid tier is told", a: simulator.Account{Tier: "free-tier", Project: "managed-x", PaidTier: "g1-pro-tier"}, project: "managed-x", tier: "g1-pro-tier", calls: "loadCodeAssist"},
		{name: "free tier, new", a: simulator.Account{Tier: "free-tier", Project: "managed-x", NotOnboarded: true, OnboardPolls: 3}, project: "managed-x", tier: "free-tier",
			calls: "loadCodeAssist projects onboardUser operations operations operations"},
		{name: "licence, one project", a: simulator.Account{Project: "own-x"}, project: "own-x", tier: "standard-tier",
			calls: "loadCodeAssist projects loadCodeAssist services"},
		{name: "licence, a default project", a: simulator.Account{Project: "own-x", Projects: []simulator.Project{{ID: "p-2", Name: "My Default Project"}}}, project: "p-2", tier: "standard-tier",
			calls: "loadCodeAssist projects loadCodeAssist services"},
		{name: "licence, the API is off", a: simulator.Account{Project: "own-x", APIDisabled: true}, project: "own-x", tier: "standard-tier",
			calls: "loadCodeAssist projects loadCodeAssist services enable services enable"},
		{name: "licence, the API is off and stays so", a: simulator.Account{Project: "own-x", APIDisabled: true, CannotEnable: true}, project: "own-x", tier: "standard-tier",
			calls: "loadCodeAssist projects loadCodeAssist services enable"},
		{name: "licence, new", a: simulator.Account{Project: "own-x", NotOnboarded: true}, project: "own-x", tier: "standard-tier",
			calls: "loadCodeAssist projects loadCodeAssist onboardUser"},
		{name: "named", a: simulator.Account{Project: "own-x"}, named: "own-x", project: "own-x", tier: "standard-tier", calls: "loadCodeAssist"},
		{name: "named, new", a: simulator.Account{Project: "own-x", NotOnboarded: true}, named: "own-x", project: "own-x", tier: "standard-tier", calls: "loadCodeAssist onboardUser"},
		{name: "named, not its own", a: simulator.Account{Project: "own-x"}, named: "foreign", says: "CONSUMER_INVALID", calls: "loadCodeAssist"},
		{name: "the machine's project", a: simulator.Account{Tier: "legacy-tier", Project: "machine-x", Projects: nil, NotOnboarded: true}, machine: "machine-x", project: "machine-x", tier: "legacy-tier",
			calls: "metadata loadCodeAssist onboardUser"},
		{name: "the machine's project is not the account's", a: simulator.Account{Tier: "free-tier", Project: "managed-x"}, machine: "machine-y", project: "managed-x", tier: "free-tier"},
		{name: "the machine's project is foreign", a: simulator.Account{Project: "own-x"}, machine: "machine-y", project: "own-x", tier: "standard-tier",
			calls: "metadata loadCodeAssist loadCodeAssist projects loadCodeAssist services"},
		{name: "individuals are not served", a: simulator.Account{Tier: "free-tier", NotOnboarded: true, Ineligible: unsupported}, says: "only with a Code Assist licence and a Google Cloud project of your own (UNSUPPORTED_CLIENT)",
			calls: "loadCodeAssist projects"},
		{name: "to be verified", a: simulator.Account{Tier: "free-tier", NotOnboarded: true, Ineligible: []simulator.Ineligible{{ReasonCode: "VALIDATION_REQUIRED", TierID: "free-tier", ValidationURL: "https://verify.example"}}},
			says: "VALIDATION_REQUIRED", calls: "loadCodeAssist"},
		{name: "onboarding fails", a: simulator.Account{Tier: "free-tier", NotOnboarded: true, OnboardError: "no"}, says: "onboarding to free-tier failed (code 7)",
			calls: "loadCodeAssist projects onboardUser"},
		{name: "onboarding never ends", a: simulator.Account{Tier: "free-tier", NotOnboarded: true, OnboardPolls: 1 << 30}, says: "does not answer", passing: true},
		{name: "onboarding fails for the moment", a: simulator.Account{Tier: "free-tier", NotOnboarded: true, OnboardError: "busy", OnboardCode: 14}, says: "(code 14); Google says: busy", passing: true},
		{name: "onboarding fails on a precondition", a: simulator.Account{Tier: "free-tier", NotOnboarded: true, OnboardError: "no", OnboardCode: 9}, says: "precondition"},
		{name: "operation without a name", a: simulator.Account{Tier: "free-tier", Project: "managed-x", NotOnboarded: true, OnboardPolls: 2, OnboardBare: true}, project: "managed-x", tier: "free-tier",
			calls: "loadCodeAssist projects onboardUser onboardUser onboardUser"},
		{name: "operation that knows no project", a: simulator.Account{Project: "own-x", NotOnboarded: true, OnboardBare: true}, project: "own-x", tier: "standard-tier",
			calls: "loadCodeAssist projects loadCodeAssist onboardUser"},
		{name: "operation that is forgotten", a: simulator.Account{Tier: "free-tier", Project: "managed-x", NotOnboarded: true, OnboardPolls: 2}, project: "managed-x", tier: "free-tier",
			fault: simulator.Fault{Do: "404", Verb: "operations"}, calls: "loadCodeAssist projects onboardUser operations onboardUser operations"},
		{name: "onboarded and paid for", a: simulator.Account{Tier: "free-tier", Project: "managed-x", PaidTier: "g1-pro-tier", NotOnboarded: true}, project: "managed-x", tier: "g1-pro-tier",
			calls: "loadCodeAssist projects onboardUser"},
		{name: "service controls, named", a: simulator.Account{Project: "own-x"}, named: "own-x", project: "own-x", tier: "standard-tier",
			fault: simulator.Fault{Do: "403-security", Verb: "loadCodeAssist", Count: -1}, calls: "loadCodeAssist"},
		{name: "service controls, not named", a: simulator.Account{Project: "own-x"}, project: "own-x", tier: "standard-tier",
			fault: simulator.Fault{Do: "403-security", Verb: "loadCodeAssist", Count: -1}, calls: "loadCodeAssist projects loadCodeAssist services"},
		{name: "banned", a: simulator.Account{}, says: "TOS_VIOLATION", link: "https://",
			fault: simulator.Fault{Do: "403-tos", Verb: "loadCodeAssist"}, calls: "loadCodeAssist"},
		{name: "to be verified, says the call", a: simulator.Account{}, says: "VALIDATION_REQUIRED", link: "accounts.google.com",
			fault: simulator.Fault{Do: "403-validation", Verb: "loadCodeAssist"}, calls: "loadCodeAssist"},
		{name: "scope", a: simulator.Account{Scope: "openid"}, says: "ACCESS_TOKEN_SCOPE_INSUFFICIENT", calls: "loadCodeAssist"},
		{name: "a number", a: simulator.Account{}, named: "123456789012", says: "number of a project"},
		{name: "onboarded, and nobody knows a project", a: simulator.Account{Projects: nil, Project: "hidden"}, says: "project id",
			fault: simulator.Fault{Do: "403", Verb: "projects"}, calls: "loadCodeAssist projects"},
		{name: "the list fails for the moment", a: simulator.Account{}, says: "does not answer", passing: true,
			fault: simulator.Fault{Do: "503", Verb: "projects", Count: 3}, calls: "loadCodeAssist projects projects projects"},
		{name: "informational ineligibility", a: simulator.Account{Tier: "free-tier", Project: "managed-x", Ineligible: []simulator.Ineligible{{ReasonCode: "VALIDATION_REQUIRED", TierID: "other", ValidationURL: "https://verify.example"}}},
			project: "managed-x", tier: "free-tier", calls: "loadCodeAssist"},
		{name: "verification without a link", a: simulator.Account{Tier: "free-tier", Project: "managed-x", NotOnboarded: true, Ineligible: []simulator.Ineligible{{ReasonCode: "VALIDATION_REQUIRED", TierID: "other"}}},
			project: "managed-x", tier: "free-tier", calls: "loadCodeAssist projects onboardUser"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, c := google(t, simulator.Options{MetadataProject: row.machine})
			row.a.Email = "anna@example.com"
			a := s.AddAccount(row.a)
			cred := credential(a)
			cred.ProjectID = row.named
			if row.fault.Do != "" {
				s.Script(row.fault)
			}
			got, err := c.Discover(t.Context(), s.AccessToken(a.Email), cred)
			if row.says != "" {
				var why *DiscoverError
				if !errors.As(err, &why) || !strings.Contains(err.Error(), row.says) || why.Permanent == row.passing || !strings.Contains(why.Link, row.link) {
					t.Errorf("%+v, %+v", got, err)
				}
			} else if err != nil || got.Project != row.project || got.Tier != row.tier {
				t.Errorf("%+v, %v", got, err)
			}
			if calls := made(t, s); row.calls != "" && calls != row.calls && strings.TrimPrefix(calls, "metadata ") != row.calls {
				t.Errorf("calls %q\nwant  %q", calls, row.calls)
			}
		})
	}
}

// made lists the calls, and holds what all of them must have.
func made(t *testing.T, s *simulator.Server) string {
	t.Helper()
	var verbs []string
	for _, c := range s.Calls() {
		verbs = append(verbs, c.Verb)
		if c.Header.Get("X-Goog-User-Project") != "" {
			t.Errorf("%s names a user project", c.Verb)
		}
		if c.Verb != "metadata" && c.Header.Get("User-Agent") != agent {
			t.Errorf("%s has the agent %q", c.Verb, c.Header.Get("User-Agent"))
		}
	}
	return strings.Join(verbs, " ")
}

func TestDiscoverSaysWhatToDo(t *testing.T) {
	s, c := google(t, simulator.Options{})
	a := s.AddAccount(simulator.Account{Tier: "free-tier", NotOnboarded: true,
		Ineligible: []simulator.Ineligible{{ReasonCode: "VALIDATION_REQUIRED", TierID: "free-tier", ValidationURL: "https://verify.example"}}})
	_, err := c.Discover(t.Context(), s.AccessToken(a.Email), credential(a))
	var why *DiscoverError
	if !errors.As(err, &why) || !why.Permanent || why.Link != "https://verify.example" {
		t.Errorf("%+v", err)
	}
	_, err = c.Discover(t.Context(), "ya29.wrong", credential(a))
	if !errors.As(err, &why) || why.Permanent || strings.Contains(err.Error(), "ya29") {
		t.Errorf("a dead token is nobody's fault: %+v", err)
	}
}

// Protocol 2.2: what each code means for the account.
func TestIneligible(t *testing.T) {
	for _, row := range []struct {
		code, message string
		passing       bool
		says          string
	}{
		{"UNSUPPORTED_CLIENT", "", false, "individuals"},
		{"VALIDATION_REQUIRED", "", false, "verified in a browser"},
		{"DASHER_USER", "", false, "Workspace"},
		{"INELIGIBLE_ACCOUNT", "", false, "not eligible"},
		{"NON_USER_ACCOUNT", "", false, "not the account of a person"},
		{"RESTRICTED_AGE", "", false, "too young"},
		{"RESTRICTED_NETWORK", "", true, "network address"},
		{"UNSUPPORTED_LOCATION", "", true, "country"},
		{"UNKNOWN_LOCATION", "", true, "country"},
		{"UNKNOWN", "Come back\nlater.", false, "Google says: Come back later. (UNKNOWN)"},
		{"NEW_REASON", "", false, "Google says: no (NEW_REASON)"},
	} {
		s, c := google(t, simulator.Options{})
		a := s.AddAccount(simulator.Account{Tier: "free-tier", NotOnboarded: true,
			Ineligible: []simulator.Ineligible{{ReasonCode: row.code, ReasonMessage: row.message, TierID: "free-tier"}}})
		_, err := c.Discover(t.Context(), s.AccessToken(a.Email), credential(a))
		var why *DiscoverError
		if !errors.As(err, &why) || why.Permanent == row.passing || !strings.Contains(why.Reason, row.says) {
			t.Errorf("%s: %+v", row.code, err)
		}
	}
}

func TestSetupIsTriedAgain(t *testing.T) {
	for _, row := range []struct {
		fault string
		count int
		calls int64
		ok    bool
	}{
		{"503", 2, 3, true}, {"429", 2, 3, true}, {"499", 2, 3, true}, {"502-html", 1, 2, true}, {"cut", 1, 2, true},
		{"500", 5, 3, false}, {"400", 1, 1, false},
	} {
		s, c := google(t, simulator.Options{})
		a := s.AddAccount(simulator.Account{Tier: "free-tier"})
		s.Script(simulator.Fault{Do: row.fault, Verb: "loadCodeAssist", Count: row.count})
		_, err := c.Discover(t.Context(), s.AccessToken(a.Email), credential(a))
		if n := len(s.CallsOf("loadCodeAssist")); (err == nil) != row.ok || int64(n) != row.calls {
			t.Errorf("%s: %d calls, %v", row.fault, n, err)
		}
		var why *DiscoverError
		if err != nil && (!errors.As(err, &why) || why.Permanent != (row.fault == "400")) {
			t.Errorf("%s: %+v", row.fault, err)
		}
	}
}

func TestDiscoverEndsWithItsContext(t *testing.T) {
	var calls atomic.Int64
	ctx, cancel := context.WithCancel(t.Context())
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		_, _ = io.Copy(io.Discard, r.Body) // the server looks for the end of the connection only then
		cancel()
		<-r.Context().Done()
	}))
	defer h.Close()
	_, err := at(t, h.URL).Discover(ctx, "ya29.x", Credential{})
	var why *DiscoverError
	if !errors.As(err, &why) || why.Permanent || calls.Load() != 1 {
		t.Errorf("%d calls, %+v", calls.Load(), err)
	}
}

func TestFormsOfProjects(t *testing.T) {
	// What other servers than the simulator have been seen to send.
	for _, row := range []struct{ name, body, project string }{
		{"object", `{"currentTier":{"id":"standard-tier"},"cloudaicompanionProject":{"id":"p-x"}}`, "p-x"},
		{"string", `{"currentTier":{"id":"standard-tier"},"cloudaicompanionProject":"p-x","unknown":[{}]}`, "p-x"},
	} {
		h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, row.body) }))
		got, err := at(t, h.URL).Discover(t.Context(), "ya29.x", Credential{})
		h.Close()
		if err != nil || got.Project != row.project {
			t.Errorf("%s: %+v %v", row.name, got, err)
		}
	}
}

func TestProjectsOfManyPages(t *testing.T) {
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("pageToken") {
		case "":
			fmt.Fprint(w, `{"projects":[{"projectId":"a","lifecycleState":"ACTIVE"},{"projectId":"dead","lifecycleState":"DELETE_REQUESTED"}],"nextPageToken":"2"}`)
		default:
			fmt.Fprint(w, `{"projects":[{"projectId":"b"}],"nextPageToken":"2"}`) // for ever
		}
	}))
	defer h.Close()
	got, err := at(t, h.URL).Projects(t.Context(), "ya29.x")
	if err != nil || len(got) != maxPages || got[0].ID != "a" || got[1].ID != "b" {
		t.Errorf("%d %v", len(got), err)
	}
}

func TestEnableServices(t *testing.T) {
	for _, row := range []struct {
		a       simulator.Account
		lasting bool
		calls   string
	}{
		{simulator.Account{Project: "own-x"}, false, "services"},
		{simulator.Account{Project: "own-x", APIDisabled: true}, false, "services enable services enable"},
		{simulator.Account{Project: "own-x", APIDisabled: true, EnablePolls: 2}, false, "services enable operations operations operations services enable"},
		{simulator.Account{Project: "own-x", APIDisabled: true, CannotEnable: true}, true, "services enable"},
	} {
		s, c := google(t, simulator.Options{})
		a := s.AddAccount(row.a)
		err := c.EnableServices(t.Context(), CodeAssist, s.AccessToken(a.Email), "own-x")
		if Lasting(err) != row.lasting || (err != nil) != row.lasting || made(t, s) != row.calls {
			t.Errorf("%v, calls %q", err, made(t, s))
		}
	}
}
