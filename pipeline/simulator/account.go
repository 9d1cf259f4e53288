package simulator

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// The OAuth client that accounts belong to unless they name another one. Both are made up; no real client has them.
const (
	ClientID     = "000000000000-simulator.apps.googleusercontent.com"
	ClientSecret = "simulated-client-secret"
)

// Scope is what a sign-in to the simulator grants: the three scopes of the Gemini CLI.
const Scope = "https://www.googleapis.com/auth/cloud-platform https://www.googleapis.com/auth/userinfo.email " +
	"https://www.googleapis.com/auth/userinfo.profile openid"

// Account is a simulated Google account with its Code Assist standing. The zero value of every field but Email is a
// licensed, onboarded account in good standing.
type Account struct {
	Email        string
	RefreshToken string    // made up when empty
	ClientID     string    // the client its tokens belong to, default ClientID
	ClientSecret string    // default ClientSecret
	Scope        string    // granted scopes, default Scope
	Project      string    // the project it works with, made from the e-mail when empty
	Projects     []Project // further projects it sees in the resource manager
	Tier         string    // "standard-tier" by default, "free-tier" has a project of Google's own
	PaidTier     string    // paidTier.id of loadCodeAssist, left out when empty

	NotOnboarded  bool         // no currentTier until onboardUser was called
	Ineligible    []Ineligible // reported by loadCodeAssist; a tier named here cannot be onboarded
	OnboardPolls  int          // how often the operation is not done yet
	OnboardError  string       // the operation fails with this message
	OnboardCode   int          // of that failure, default 7
	OnboardBare   bool         // the operation has neither a name nor a project in it, as Google leaves them out at times
	NoPreview     bool         // preview models are 404
	APIDisabled   bool         // 403 SERVICE_DISABLED until the service is enabled, that of Code Assist and that of Vertex AI
	CannotEnable  bool         // enabling is 403
	EnablePolls   int          // how often the operation that enables a service is not done yet
	RotateRefresh bool         // each refresh gives a new refresh token and ends the old one
	RefreshError  string       // /token answers this error: invalid_grant, invalid_rapt, unauthorized_client, internal_failure, ...
	DenySignIn    string       // the consent page sends this error back, for example access_denied
	Unticked      string       // this scope was taken out on the consent page: a sign-in does not grant it
	NoRefresh     bool         // a sign-in gives no refresh token, as when the account had agreed before
	Fault         string       // every generate, stream and count call of the account meets this fault, for example "403-tos"
	Quota         []Bucket     // buckets of retrieveUserQuota; a full one for each model when nil
	TokenLife     time.Duration
}

// Project is a project of the resource manager.
type Project struct{ ID, Name, Number, State string }

// Ineligible is a tier that an account may not use, and why.
type Ineligible struct{ ReasonCode, ReasonMessage, TierID, ValidationURL string }

// Bucket is one entry of a retrieveUserQuota answer.
type Bucket struct {
	Model     string
	Fraction  float64 // remaining; 0 is left out of the JSON, as proto-JSON does
	Remaining string  // remainingAmount, left out when empty
	Reset     time.Time
}

// Key is a simulated API key.
type Key struct {
	Key     string
	Project string
	Fault   string // every call with the key meets this fault, for example "429-perday"
	Only    Backend
}

// KeyOption changes a Key while it is added.
type KeyOption func(*Key)

// KeyFault makes every call with the key meet the named fault.
func KeyFault(name string) KeyOption { return func(k *Key) { k.Fault = name } }

// KeyOnly limits a key to AIStudio or to Vertex (express mode); without it both take it.
func KeyOnly(b Backend) KeyOption { return func(k *Key) { k.Only = b } }

type account struct {
	Account
	enabled   map[string]bool // services, by project/service
	onboarded bool
	number    string
	key       *serviceKey // of a service account; nil for a person's
}

// token is one access token that the simulator gave out.
type token struct {
	email   string
	expires time.Time
	scope   string
}

// AddAccount adds or replaces an account and returns it with every default filled in.
func (s *Server) AddAccount(a Account) Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serial++
	setDefault(&a.Email, fmt.Sprintf("user%d@example.com", s.serial))
	name, _, _ := strings.Cut(a.Email, "@")
	setDefault(&a.RefreshToken, "1//0sim-"+random(16))
	setDefault(&a.ClientID, ClientID)
	setDefault(&a.ClientSecret, ClientSecret)
	setDefault(&a.Scope, Scope)
	setDefault(&a.Project, "sim-"+strings.ReplaceAll(name, ".", "-"))
	setDefault(&a.Tier, "standard-tier")
	if a.OnboardCode == 0 {
		a.OnboardCode = 7
	}
	if a.TokenLife == 0 {
		a.TokenLife = s.opts.TokenLife
	}
	s.accounts[a.Email] = &account{Account: a, enabled: map[string]bool{}, onboarded: !a.NotOnboarded, number: fmt.Sprintf("1%011d", s.serial)}
	return a
}

// UpdateAccount changes an account while the server runs; false means that there is none with this e-mail. The e-mail
// itself cannot be changed.
func (s *Server) UpdateAccount(email string, change func(*Account)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.accounts[email]
	if !ok {
		return false
	}
	change(&a.Account)
	a.Email = email
	return true
}

// AddKey adds an API key.
func (s *Server) AddKey(key string, opts ...KeyOption) {
	k := Key{Key: key, Project: "key-project"}
	for _, o := range opts {
		o(&k)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[key] = k
}

// ExpireTokens makes every access token of the account an expired one; its refresh token stays good.
func (s *Server) ExpireTokens(email string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tokens {
		if t.email == email {
			t.expires = s.opts.Now().Add(-time.Second)
		}
	}
}

// AccessToken gives out a fresh access token of the account, as a refresh would; "" when there is no such account.
func (s *Server) AccessToken(email string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.accounts[email]
	if !ok {
		return ""
	}
	return s.issue(a, a.TokenLife)
}

// issue makes an access token. The caller holds mu.
func (s *Server) issue(a *account, life time.Duration) string {
	now := s.opts.Now()
	if len(s.tokens) > 10_000 {
		for name, t := range s.tokens { // long soak tests refresh without end
			if t.expires.Before(now.Add(-time.Hour)) {
				delete(s.tokens, name)
			}
		}
	}
	name := "ya29.sim-" + random(20)
	s.tokens[name] = &token{email: a.Email, expires: now.Add(life), scope: a.Scope}
	return name
}

func setDefault(s *string, value string) {
	if *s == "" {
		*s = value
	}
}

func random(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails since Go 1.24
	return hex.EncodeToString(b)
}

// mask shows enough of a key to tell keys apart in a record, never the key.
func mask(key string) string {
	if len(key) <= 8 {
		return "key:****"
	}
	return "key:" + key[:4] + "****" + key[len(key)-4:]
}
