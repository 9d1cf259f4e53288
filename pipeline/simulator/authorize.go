package simulator

import (
	"html"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// authorize is the consent page with nobody in front of it: it signs in the account named by login_hint or, where that
// names none (it is a hint), the only one there is (or the first in the order of e-mails), and redirects at once.
func (s *Server) authorize(x *exchange) {
	x.verb("auth", "")
	query := x.r.URL.Query()
	redirect, err := url.Parse(query.Get("redirect_uri"))
	switch {
	case x.r.Method != http.MethodGet:
		x.nowhere()
		return
	case query.Get("redirect_uri") == "" || err != nil || !allowedRedirect(redirect):
		x.fail(htmlPage(http.StatusBadRequest, "Error 400: redirect_uri_mismatch."))
		return
	case query.Get("response_type") != "code" || query.Get("scope") == "":
		x.fail(htmlPage(http.StatusBadRequest, "Error 400: invalid_request."))
		return
	}
	back := redirect.Query()
	if query.Has("state") {
		back.Set("state", query.Get("state"))
	}
	s.mu.Lock()
	a := s.hinted(query.Get("login_hint"))
	switch {
	case a == nil || a.ClientID != query.Get("client_id"):
		s.mu.Unlock()
		x.fail(htmlPage(http.StatusUnauthorized, "Error 401: invalid_client. The OAuth client was not found."))
		return
	case a.DenySignIn != "":
		back.Set("error", a.DenySignIn)
	default:
		back.Set("code", s.newCode(a, query))
		back.Set("scope", query.Get("scope"))
	}
	x.call.Credential = a.Email
	s.mu.Unlock()
	redirect.RawQuery = back.Encode()
	if redirect.Scheme == "https" { // Google's code page, which is ours in this play
		redirect, _ = url.Parse(s.url + codePage + "?" + redirect.RawQuery)
	}
	x.w.Header().Set("Location", redirect.String())
	x.whole(http.StatusFound, "text/html; charset=UTF-8", nil)
}

// allowedRedirect tells the redirect addresses of an installed application: loopback, or Google's own code page.
func allowedRedirect(u *url.URL) bool {
	if u.Scheme == "https" && u.Host == "codeassist.google.com" && u.Path == "/authcode" {
		return true
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}

// codePage is the path of the page that shows a code to copy.
const codePage = "/authcode"

// showCode is that page: the code, or why there is none.
func (s *Server) showCode(x *exchange) {
	x.verb("authcode", "")
	query := x.r.URL.Query()
	status, says := http.StatusOK, "Copy this code into the application: <code>"+html.EscapeString(query.Get("code"))+"</code>"
	if !query.Has("code") {
		status, says = http.StatusBadRequest, "Error: "+html.EscapeString(query.Get("error"))
	}
	x.whole(status, "text/html; charset=UTF-8", []byte("<!doctype html><title>Authorization code</title><p>"+says+"</p>"))
}

// hinted picks the account that signs in. The caller holds mu.
func (s *Server) hinted(hint string) *account {
	if a := s.accounts[hint]; a != nil {
		return a
	}
	var first *account
	for _, a := range s.accounts {
		if a.key != nil {
			continue // nobody signs in as a service account
		}
		if first == nil || a.Email < first.Email {
			first = a
		}
	}
	return first
}

// newCode makes an authorization code; like Google's it contains a slash. The caller holds mu.
func (s *Server) newCode(a *account, query url.Values) string {
	if len(s.codes) > 1000 {
		clear(s.codes)
	}
	code := "4/0sim-" + random(16)
	scope := slices.DeleteFunc(strings.Fields(query.Get("scope")), func(one string) bool { return one == a.Unticked })
	s.codes[code] = signIn{
		email: a.Email, clientID: query.Get("client_id"), redirect: query.Get("redirect_uri"),
		challenge: query.Get("code_challenge"), scope: strings.Join(append(scope, "openid"), " "),
		expires: s.opts.Now().Add(5 * time.Minute),
		refresh: query.Get("access_type") == "offline" && query.Get("prompt") == "consent" && !a.NoRefresh,
	}
	return code
}

func (s *Server) userinfo(x *exchange) {
	x.verb("userinfo", "")
	a, f := s.bearer(x, "")
	if f == nil {
		f = s.scripted(x, "")
	}
	if f != nil {
		x.fail(f)
		return
	}
	info := object{"id": a.number, "email": a.Email, "verified_email": true, "name": "Simulated User", "given_name": "Simulated",
		"picture": "https://lh3.googleusercontent.com/a/simulated"}
	if _, domain, _ := strings.Cut(a.Email, "@"); domain != "gmail.com" {
		info["hd"] = domain
	}
	x.json(info)
}

func (s *Server) tokeninfo(x *exchange) {
	x.verb("tokeninfo", "")
	name := x.r.URL.Query().Get("access_token")
	if name == "" {
		form, _ := url.ParseQuery(string(x.body))
		name = form.Get("access_token")
	}
	s.mu.Lock()
	t, ok := s.tokens[name]
	var a *account
	if ok {
		a = s.accounts[t.email]
	}
	now := s.opts.Now()
	if a == nil || !now.Before(t.expires) {
		s.mu.Unlock()
		x.fail(oauthFailure(400, "invalid_token", "Invalid Value", nil))
		return
	}
	info := object{"azp": a.ClientID, "aud": a.ClientID, "sub": a.number, "scope": t.scope, "exp": number10(t.expires.Unix()),
		"expires_in": number10(int64(t.expires.Sub(now) / time.Second)), "email": a.Email, "email_verified": "true", "access_type": "offline"}
	s.mu.Unlock()
	x.json(info)
}

// revoke ends a token; a refresh token takes the whole grant with it, as at Google.
func (s *Server) revoke(x *exchange) {
	x.verb("revoke", "")
	form, _ := url.ParseQuery(string(x.body))
	name := form.Get("token")
	if name == "" {
		name = x.r.URL.Query().Get("token")
	}
	s.mu.Lock()
	a := s.findRefresh(name)
	if t, ok := s.tokens[name]; ok && a == nil {
		a = s.accounts[t.email]
	}
	if a == nil || name == "" {
		s.mu.Unlock()
		x.fail(oauthFailure(400, "invalid_token", "Token expired or revoked", nil))
		return
	}
	a.RefreshToken = "1//0sim-" + random(16) // the next sign-in gets this one
	for key, t := range s.tokens {
		if t.email == a.Email {
			delete(s.tokens, key)
		}
	}
	s.mu.Unlock()
	x.json(object{})
}
