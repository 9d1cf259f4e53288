package oauth

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"gcli2api/store"
	"gcli2api/store/seal"

	"golang.org/x/oauth2"
)

const (
	// noClientSecret is said where the secret of the OAuth client is missing.
	noClientSecret = "needs OAUTH_CLIENT_SECRET: people sign in with the OAuth client of the Gemini CLI, whose secret is not set. " + whereSecret

	// CodePage is the page of Google's that shows a code to copy (protocol 1.4).
	CodePage = "https://codeassist.google.com/authcode"
)

// signInScopes are what the Gemini CLI asks for.
func signInScopes() []string {
	return []string{cloudScope, "https://www.googleapis.com/auth/userinfo.email", "https://www.googleapis.com/auth/userinfo.profile"}
}

// SignInOptions are what SignIns are made from.
type SignInOptions struct {
	Client *Client
	Store  store.Store         // keeps open sign-ins, so that a restart loses none and any node ends them
	Ring   *seal.Ring          // seals what is secret in open sign-ins; nil seals nothing
	Hide   func(secret string) // hears of each secret that lasts before it is used; nil is for none
}

// SignIns lets people sign in with Google in a browser (behaviour 1.4). It is safe for concurrent use
// and owns no goroutine.
//
// A sign-in is found by its state, 32 random bytes that carry nothing. It lives for ten minutes and
// ends once; who began it is told apart by another random value, of which only a hash is kept.
type SignIns struct {
	c       *Client
	store   store.Store
	ring    *seal.Ring
	hide    func(secret string)
	waiting waiting
	names   names
}

// NewSignIns makes them.
func NewSignIns(o SignInOptions) *SignIns {
	if o.Hide == nil {
		o.Hide = func(string) {}
	}
	return &SignIns{c: o.Client, store: o.Store, ring: o.Ring, hide: o.Hide}
}

// Client is what they ask Google with.
func (s *SignIns) Client() *Client { return s.c }

const (
	signInLife  = 10 * time.Minute // from the start to the end
	maxCode     = 2048             // bytes of a code; Google's have less than a hundred
	maxPieces   = 128              // bytes of a state, a project or an e-mail address
	completing  = 4 * time.Minute  // one completion: onboarding may take two of them
	exchangeFor = 30 * time.Second // one exchange of a code
)

// SignInError is why a sign-in does not go on, in words for the person at the browser. It holds no
// secret and no text of Google's.
type SignInError struct {
	Status     int // HTTP
	Says       string
	RetryAfter time.Duration
	Manual     bool      // go on with the same state and a project_id
	Choices    []Project // go on with the same state and the id of one of these
	Link       string    // where the person can help, then go on with the same state
}

// Error is what it says.
func (e *SignInError) Error() string { return e.Says }

func wrong(says string) *SignInError { return &SignInError{Status: http.StatusBadRequest, Says: says} }

// broken is for a failure of the store.
func (s *SignIns) broken(err error) *SignInError {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return &SignInError{Status: http.StatusServiceUnavailable, Says: "the gateway stops, or its store takes too long; try again"}
	}
	s.c.o.Log.Error("the store of open sign-ins fails", "error", err)
	return &SignInError{Status: http.StatusServiceUnavailable, Says: "the gateway cannot reach its own store at the moment; try again"}
}

// Begin is what somebody wants who begins a sign-in.
type Begin struct {
	From     string // client address
	Redirect string // where the browser comes back to
	Project  string // explicit, "" for none
	Hint     string // e-mail address of the account, "" for none
	All      bool   // a credential for every project of the account
}

// Begun is a sign-in that waits for its browser.
type Begun struct {
	State    string
	AuthURL  string // comes back to Begin.Redirect
	CodeURL  string // ends on CodePage
	Owner    string // secret of who began it
	ExpireIn time.Duration
}

// Start begins a sign-in.
func (s *SignIns) Start(ctx context.Context, b Begin) (Begun, *SignInError) {
	set := s.c.settings()
	if set.ClientSecret == "" {
		return Begun{}, wrong(noClientSecret)
	}
	if why := CheckProject(b.Project); why != "" {
		return Begun{}, wrong(why)
	}
	if len(b.Hint) > maxPieces {
		return Begun{}, wrong("login_hint is no e-mail address")
	}
	now := s.c.o.Now()
	f := flow{State: randomText(), Verifier: oauth2.GenerateVerifier(), Redirect: b.Redirect, ClientID: set.ClientID,
		Project: b.Project, All: b.All, Created: now, Until: now.Add(signInLife)}
	owner := randomText()
	f.Owner = digest(owner)
	if fail := s.open(ctx, &f, b.From); fail != nil {
		return Begun{}, fail
	}
	return Begun{State: f.State, AuthURL: f.authURL(set, f.Redirect, b.Hint), CodeURL: f.authURL(set, CodePage, b.Hint),
		Owner: owner, ExpireIn: signInLife}, nil
}

// CheckProject says what is wrong with the id of a project that somebody typed, "" when nothing is.
func CheckProject(id string) string {
	switch {
	case id == "":
		return ""
	case strings.Trim(id, "0123456789") == "":
		return "project_id is the number of a project; its id is needed"
	case len(id) > maxPieces, strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789-.:") != "", strings.Trim(id, "0123456789-.:") == "":
		return "project_id is not the id of a Google Cloud project: it has small letters, digits and hyphens, such as my-project-123"
	}
	return ""
}

// authURL is the page where the person signs in (protocol 1.2).
func (f *flow) authURL(set Settings, redirect, hint string) string {
	query := url.Values{
		"client_id": {f.ClientID}, "redirect_uri": {redirect}, "response_type": {"code"}, "scope": {strings.Join(signInScopes(), " ")},
		"access_type": {"offline"}, "prompt": {"consent"}, "include_granted_scopes": {"true"}, "state": {f.State},
		"code_challenge": {oauth2.S256ChallengeFromVerifier(f.Verifier)}, "code_challenge_method": {"S256"},
	}
	if hint != "" {
		query.Set("login_hint", hint)
	}
	return set.Endpoints.OAuthAuth + "?" + query.Encode()
}

// randomText is 32 random bytes.
func randomText() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b)
}

// names keeps two files from getting one name: those of a second carry its number.
type names struct {
	mu     sync.Mutex
	second int64
	taken  map[string]int
}

// of is the name of a credential file of a project.
func (n *names) of(project string, now time.Time) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if now.Unix() != n.second {
		n.second, n.taken = now.Unix(), map[string]int{}
	}
	project = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '-'
	}, project)
	project = strings.TrimLeft(project[:min(len(project), maxPieces)], "-")
	n.taken[project]++
	if again := n.taken[project]; again > 1 {
		return fmt.Sprintf("%s-%d-%d.json", project, n.second, again)
	}
	return fmt.Sprintf("%s-%d.json", project, n.second)
}
