package oauth

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// grant is what a person gave: tokens, and whose they are.
type grant struct {
	Access  string    `json:"access"`
	Refresh string    `json:"refresh"`
	Expiry  time.Time `json:"expiry"`
	Scopes  []string  `json:"scopes"`
	Email   string    `json:"email,omitempty"`
}

// exchange turns a code into tokens (protocol 1.5). again tells that the same code may still work.
func (s *SignIns) exchange(ctx context.Context, f *flow, code, redirect string) (got grant, again bool, fail *SignInError) {
	set := s.c.settings()
	if set.ClientID != f.ClientID {
		return grant{}, false, wrong("OAUTH_CLIENT_ID was changed while this sign-in was open: begin again")
	}
	if set.ClientSecret == "" {
		return grant{}, false, wrong(noClientSecret)
	}
	conf := oauth2.Config{ClientID: f.ClientID, ClientSecret: set.ClientSecret, RedirectURL: redirect,
		Endpoint: oauth2.Endpoint{TokenURL: set.Endpoints.OAuthToken + "/token", AuthStyle: oauth2.AuthStyleInParams}}
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, oauth2.HTTPClient, s.c.o.HTTP()), exchangeFor)
	defer cancel()
	t, err := conf.Exchange(ctx, code, oauth2.VerifierOption(f.Verifier))
	if err != nil {
		says, passing := exchangeWords(err)
		s.c.o.Log.Warn("a sign-in code was not exchanged", "reason", says)
		fail = wrong(says)
		if passing {
			fail.Status = http.StatusBadGateway
		}
		return grant{}, passing, fail
	}
	s.hide(t.RefreshToken)
	return s.granted(t)
}

// granted checks that the person gave what is needed.
func (s *SignIns) granted(t *oauth2.Token) (grant, bool, *SignInError) {
	if t.RefreshToken == "" {
		return grant{}, false, wrong("Google gave no refresh token, so the sign-in would end within the hour: remove the app's access at " +
			"https://myaccount.google.com/connections and sign in again")
	}
	scope, _ := t.Extra("scope").(string)
	scopes := strings.Fields(scope)
	if scope == "" {
		scopes = signInScopes() // none named is what was asked for
	}
	g := grant{Access: t.AccessToken, Refresh: t.RefreshToken, Scopes: scopes, Expiry: s.c.o.Now().Add(unknownLife)}
	if t.ExpiresIn > 0 {
		g.Expiry = s.c.o.Now().Add(time.Duration(t.ExpiresIn) * time.Second)
	}
	if !strings.Contains(" "+strings.Join(scopes, " ")+" ", " "+cloudScope+" ") {
		return grant{}, false, wrong("the box for Google Cloud data (cloud-platform) was not ticked on Google's page: sign in again and leave it ticked")
	}
	if id, ok := t.Extra("id_token").(string); ok {
		g.Email = emailOf(id)
	}
	return g, false, nil
}

// exchangeWords puts an error of the token endpoint into words. passing tells trouble of the moment.
func exchangeWords(err error) (says string, passing bool) {
	e := refreshError(err, Credential{ClientSecret: "set"})
	if !e.Permanent {
		return e.Reason + ": try again", true
	}
	switch code := retrieved(err); code {
	case "invalid_grant":
		return "Google does not take this code (invalid_grant): it was used already, has expired or is not whole; open the link again", false
	case "redirect_uri_mismatch":
		return "Google does not take the address that the browser was sent back to (redirect_uri_mismatch): OAUTH_CLIENT_ID must be a client of the kind desktop app", false
	case "invalid_client", "unauthorized_client":
		return "Google does not know this OAuth client (" + code + "): OAUTH_CLIENT_ID and OAUTH_CLIENT_SECRET do not belong together", false
	default:
		return "Google refuses the code (" + code + ")", false
	}
}

// retrieved is the word of the token endpoint for what is wrong.
func retrieved(err error) string {
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) {
		return ""
	}
	return word(refused.ErrorCode)
}
