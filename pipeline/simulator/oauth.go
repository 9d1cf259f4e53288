package simulator

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"time"
)

// signIn is an authorization code waiting to be exchanged.
type signIn struct {
	email, clientID, redirect, challenge, scope string
	expires                                     time.Time
	refresh                                     bool // offline access with consent: a refresh token comes along
}

// oauthFailure is the error form of the token endpoint, which is not the google.rpc one.
func oauthFailure(status int, code, description string, more object) *failure {
	body := object{"error": code, "error_description": description}
	for k, v := range more {
		body[k] = v
	}
	return &failure{status: status, raw: string(encode(body))}
}

func (s *Server) token(x *exchange) {
	x.verb("token", "")
	if x.r.Method != http.MethodPost {
		x.nowhere()
		return
	}
	form, err := url.ParseQuery(string(x.body))
	if err != nil || len(form) == 0 {
		x.fail(oauthFailure(400, "invalid_request", "Could not parse the form.", nil))
		return
	}
	var answer object
	var f *failure
	switch form.Get("grant_type") {
	case "refresh_token":
		answer, f = s.refresh(x, form)
	case "authorization_code":
		answer, f = s.exchangeCode(x, form)
	case "urn:ietf:params:oauth:grant-type:jwt-bearer":
		answer, f = s.assert(x, form)
	case "":
		f = oauthFailure(400, "invalid_request", "Required parameter is missing: grant_type", nil)
	default:
		f = oauthFailure(400, "unsupported_grant_type", "Invalid grant_type: "+form.Get("grant_type"), nil)
	}
	if f != nil {
		x.fail(f)
		return
	}
	x.json(answer)
}

func (s *Server) refresh(x *exchange, form url.Values) (object, *failure) {
	if form.Get("client_id") == "" || form.Get("refresh_token") == "" {
		return nil, oauthFailure(400, "invalid_request", "Missing required parameter.", nil)
	}
	s.mu.Lock()
	a := s.findRefresh(form.Get("refresh_token"))
	var email string
	if a != nil {
		email = a.Email
	}
	s.mu.Unlock()
	x.note(func(c *Call) { c.Credential = email })
	if f := s.scripted(x, ""); f != nil {
		return nil, f
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if a = s.findRefresh(form.Get("refresh_token")); a == nil {
		return nil, oauthFailure(400, "invalid_grant", "Bad Request", nil)
	}
	if f := a.checkClient(form); f != nil {
		return nil, f
	}
	if a.RefreshError != "" {
		return nil, refreshFailure(a.RefreshError)
	}
	answer := s.tokenAnswer(a, a.Scope)
	if a.RotateRefresh {
		a.RefreshToken = "1//0sim-" + random(16)
		answer["refresh_token"] = a.RefreshToken
	}
	return answer, nil
}

// findRefresh looks a refresh token up. The caller holds mu.
func (s *Server) findRefresh(token string) *account {
	for _, a := range s.accounts {
		if a.RefreshToken == token {
			return a
		}
	}
	return nil
}

// checkClient compares the OAuth client of a request with the one that the account's tokens belong to.
func (a *account) checkClient(form url.Values) *failure {
	if form.Get("client_id") != a.ClientID {
		return oauthFailure(401, "unauthorized_client", "Unauthorized", nil)
	}
	if form.Get("client_secret") != a.ClientSecret {
		return oauthFailure(401, "invalid_client", "The provided client secret is invalid.", nil)
	}
	return nil
}

// refreshFailure gives the answer for an Account.RefreshError.
func refreshFailure(name string) *failure {
	switch name {
	case "invalid_grant":
		return oauthFailure(400, "invalid_grant", "Token has been expired or revoked.", nil)
	case "invalid_rapt", "rapt_required":
		return oauthFailure(400, "invalid_grant", "reauth related error ("+name+")", object{"error_subtype": name})
	case "invalid_client":
		return oauthFailure(401, name, "The OAuth client was not found.", nil)
	case "internal_failure":
		return oauthFailure(500, name, "Internal failure.", nil)
	case "rate_limit":
		return oauthFailure(429, "rate_limit_exceeded", "Too many requests.", nil)
	}
	return oauthFailure(400, name, "Unauthorized", nil)
}

// tokenAnswer is the 200 body of the token endpoint. The caller holds mu.
func (s *Server) tokenAnswer(a *account, scope string) object {
	return object{
		"access_token": s.issue(a, a.TokenLife),
		"expires_in":   int(a.TokenLife / time.Second),
		"scope":        scope,
		"token_type":   "Bearer",
		"id_token":     idToken(a, s.opts.Now().Add(a.TokenLife)),
	}
}

// idToken is a JWT with an empty signature: nobody in this play verifies it.
func idToken(a *account, expires time.Time) string {
	part := func(v any) string { return base64.RawURLEncoding.EncodeToString(encode(v)) }
	return part(object{"alg": "RS256", "typ": "JWT"}) + "." + part(object{
		"iss": "https://accounts.google.com", "aud": a.ClientID, "sub": a.number,
		"email": a.Email, "email_verified": true, "exp": expires.Unix(),
	}) + "." + base64.RawURLEncoding.EncodeToString([]byte("simulated"))
}

func (s *Server) exchangeCode(x *exchange, form url.Values) (object, *failure) {
	s.mu.Lock()
	email := s.codes[form.Get("code")].email
	s.mu.Unlock()
	x.note(func(c *Call) { c.Credential = email })
	if f := s.scripted(x, ""); f != nil {
		return nil, f
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	code, ok := s.codes[form.Get("code")]
	delete(s.codes, form.Get("code")) // single use, also when the rest is wrong
	a := s.accounts[code.email]
	switch {
	case !ok || a == nil || s.opts.Now().After(code.expires):
		return nil, oauthFailure(400, "invalid_grant", "Malformed auth code.", nil)
	case form.Get("client_id") != code.clientID:
		return nil, oauthFailure(401, "unauthorized_client", "Unauthorized", nil)
	case form.Get("redirect_uri") != code.redirect:
		return nil, oauthFailure(400, "redirect_uri_mismatch", "Bad Request", nil)
	case !verifies(code.challenge, form.Get("code_verifier")):
		return nil, oauthFailure(400, "invalid_grant", "Invalid code verifier.", nil)
	}
	if f := a.checkClient(form); f != nil {
		return nil, f
	}
	answer := s.tokenAnswer(a, code.scope)
	if code.refresh {
		answer["refresh_token"] = a.RefreshToken
	}
	return answer, nil
}

// verifies compares a PKCE verifier with the challenge of the authorization request; no challenge asks for none.
func verifies(challenge, verifier string) bool {
	if challenge == "" {
		return verifier == ""
	}
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:]) == challenge
}
