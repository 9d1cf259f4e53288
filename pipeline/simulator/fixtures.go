package simulator

import (
	"strings"
	"time"
)

// Layout is one of the credential files that are found in the wild (protocol 1.8).
type Layout string

// The layouts.
const (
	LayoutGeminiCLI Layout = "a" // oauth_creds.json of the Gemini CLI: no client, no project
	LayoutGateway   Layout = "b" // gcli2api
	LayoutCLIProxy  Layout = "c" // CLIProxyAPI: token is an object
	LayoutADC       Layout = "d" // authorized_user of google-auth
)

// CredentialFile gives the JSON of a credential file of the account with a live access token (layout d has none); nil when
// there is no such account. Layouts a and d name no token_uri: their reader must know where to refresh.
func (s *Server) CredentialFile(email string, layout Layout) []byte {
	return s.credentialFile(email, layout, false)
}

// StaleCredentialFile is CredentialFile with an access token that has run out, as files on disk mostly have.
func (s *Server) StaleCredentialFile(email string, layout Layout) []byte {
	return s.credentialFile(email, layout, true)
}

func (s *Server) credentialFile(email string, layout Layout, stale bool) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.accounts[email]
	if !ok {
		return nil
	}
	life := a.TokenLife
	if stale {
		life = -time.Hour
	}
	token := s.issue(a, life)
	expires := s.opts.Now().Add(life).UTC()
	switch layout {
	case LayoutGeminiCLI:
		return encode(object{"access_token": token, "refresh_token": a.RefreshToken, "scope": a.Scope, "token_type": "Bearer",
			"id_token": idToken(a, expires), "expiry_date": expires.UnixMilli()})
	case LayoutCLIProxy:
		iso := expires.Format(time.RFC3339)
		return encode(object{"type": "gemini", "email": a.Email, "project_id": a.Project, "auto": false, "checked": true,
			"token": object{"access_token": token, "token_type": "Bearer", "refresh_token": a.RefreshToken, "expiry": iso,
				"expires_in": int(life / time.Second), "token_uri": s.url + "/token", "client_id": a.ClientID, "client_secret": a.ClientSecret,
				"scopes": strings.Fields(a.Scope), "universe_domain": "googleapis.com"},
			"access_token": token, "refresh_token": a.RefreshToken, "expiry": iso})
	case LayoutADC:
		return encode(object{"type": "authorized_user", "client_id": a.ClientID, "client_secret": a.ClientSecret,
			"refresh_token": a.RefreshToken, "quota_project_id": a.Project, "account": "", "universe_domain": "googleapis.com"})
	}
	return encode(object{"client_id": a.ClientID, "client_secret": a.ClientSecret, "token": token, "refresh_token": a.RefreshToken,
		"scopes": strings.Fields(a.Scope), "token_uri": s.url + "/token", "project_id": a.Project,
		"expiry": expires.Format("2006-01-02T15:04:05.000000+00:00")})
}

// KeyFile gives the JSON of an API-key file.
func (s *Server) KeyFile(key string) []byte {
	return encode(object{"type": "gemini_api_key", "api_key": key, "label": mask(key)})
}
