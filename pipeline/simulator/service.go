package simulator

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// serviceKey is the key of a service account: Google keeps the public half only, the simulator also what it has to write
// into the file.
type serviceKey struct {
	id      string
	private *rsa.PrivateKey
}

// AddServiceAccount adds a service account of a project with a fresh RSA key and gives its key file. The account is known
// by its e-mail, which is made up where it is "", and can be changed with UpdateAccount as any other: RefreshError
// "account_not_found" makes the token endpoint forget it, APIDisabled is about Vertex AI.
func (s *Server) AddServiceAccount(email, project string) []byte {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic("simulator: no RSA key: " + err.Error()) // only a size that nobody may use does that
	}
	s.mu.Lock()
	s.serial++
	setDefault(&email, fmt.Sprintf("robot%d@%s.iam.gserviceaccount.com", s.serial, project))
	a := Account{Email: email, Project: project, Scope: "https://www.googleapis.com/auth/cloud-platform", TokenLife: s.opts.TokenLife}
	s.accounts[email] = &account{Account: a, enabled: map[string]bool{}, number: fmt.Sprintf("1%011d", s.serial),
		key: &serviceKey{id: random(20), private: key}}
	s.mu.Unlock()
	return s.ServiceAccountFile(email)
}

// ServiceAccountFile gives the key file of a service account; nil when there is no such one.
func (s *Server) ServiceAccountFile(email string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[email]
	if a == nil || a.key == nil {
		return nil
	}
	der, err := x509.MarshalPKCS8PrivateKey(a.key.private)
	if err != nil {
		panic("simulator: " + err.Error()) // of a key that was just made
	}
	return encode(object{
		"type": "service_account", "project_id": a.Project, "private_key_id": a.key.id,
		"private_key":  string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"client_email": a.Email, "client_id": a.number, "auth_uri": "https://accounts.google.com/o/oauth2/auth",
		"token_uri": "https://oauth2.googleapis.com/token", "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
		"universe_domain": "googleapis.com",
	})
}

// RenewServiceKey takes the key of a service account away and gives it another one: files with the old one are worthless.
func (s *Server) RenewServiceKey(email string) []byte {
	s.mu.Lock()
	a := s.accounts[email]
	s.mu.Unlock()
	if a == nil || a.key == nil {
		return nil
	}
	return s.AddServiceAccount(email, a.Project)
}

// ExpressKeyFile gives the JSON of a file with an API key of Vertex AI in express mode.
func (s *Server) ExpressKeyFile(key string) []byte {
	return encode(object{"type": "vertex_express_key", "api_key": key, "label": mask(key)})
}

// claims are what a signed statement says.
type claims struct {
	Issuer   string  `json:"iss"`
	Scope    string  `json:"scope"`
	Audience string  `json:"aud"`
	Issued   float64 `json:"iat"`
	Expires  float64 `json:"exp"`
}

// assert is the grant of a service account: a statement that its key has signed.
func (s *Server) assert(x *exchange, form url.Values) (object, *failure) {
	pieces := strings.Split(form.Get("assertion"), ".")
	var head struct{ Alg, Kid string }
	var c claims
	if len(pieces) != 3 || !piece(pieces[0], &head) || !piece(pieces[1], &c) {
		return nil, oauthFailure(400, "invalid_grant", "Invalid JWT: Failed to parse the assertion.", nil)
	}
	x.note(func(call *Call) { call.Credential = c.Issuer })
	if f := s.scripted(x, ""); f != nil {
		return nil, f
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[c.Issuer]
	switch {
	case a == nil || a.key == nil || a.RefreshError == "account_not_found":
		return nil, oauthFailure(400, "invalid_grant", "Invalid grant: account not found", nil)
	case a.RefreshError != "":
		return nil, refreshFailure(a.RefreshError)
	case head.Alg != "RS256" || head.Kid != "" && head.Kid != a.key.id || !a.key.signed(pieces):
		return nil, oauthFailure(400, "invalid_grant", "Invalid JWT Signature.", nil)
	}
	if f := s.checkClaims(c); f != nil {
		return nil, f
	}
	return object{"access_token": s.issue(a, a.TokenLife), "expires_in": int(a.TokenLife / time.Second), "token_type": "Bearer"}, nil
}

func piece(text string, out any) bool {
	data, err := base64.RawURLEncoding.DecodeString(text)
	return err == nil && json.Unmarshal(data, out) == nil
}

// signed verifies the statement with the public half.
func (k *serviceKey) signed(pieces []string) bool {
	signature, err := base64.RawURLEncoding.DecodeString(pieces[2])
	sum := sha256.Sum256([]byte(pieces[0] + "." + pieces[1]))
	return err == nil && rsa.VerifyPKCS1v15(&k.private.PublicKey, crypto.SHA256, sum[:], signature) == nil
}

func (s *Server) checkClaims(c claims) *failure {
	now := float64(s.opts.Now().Unix())
	const skew = 300
	switch {
	case c.Audience != "https://oauth2.googleapis.com/token" && c.Audience != "https://accounts.google.com/o/oauth2/token" && c.Audience != s.url+"/token":
		return oauthFailure(400, "invalid_grant", "Failed audience check. The right audience is https://oauth2.googleapis.com/token", nil)
	case c.Expires-c.Issued > 3600, c.Expires <= c.Issued, c.Issued > now+skew, c.Expires < now-skew:
		return oauthFailure(400, "invalid_grant", "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim.", nil)
	case c.Scope == "":
		return oauthFailure(400, "invalid_scope", "Empty or missing scope not allowed.", nil)
	case !strings.Contains(c.Scope, "auth/cloud-platform"):
		return oauthFailure(400, "invalid_scope", "Invalid OAuth scope or ID token audience provided.", nil)
	}
	return nil
}
