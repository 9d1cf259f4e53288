package oauth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"gcli2api/pipeline/outbound"

	"golang.org/x/oauth2"
)

// Tokens is what a refresh gave.
type Tokens struct {
	AccessToken  string
	Expiry       time.Time
	RefreshToken string // a new one that replaces the old, "" when Google kept it
	Email        string // of the id token, "" when there was none
}

// RefreshError says why there is no new token, without quoting one.
type RefreshError struct {
	Permanent bool   // it will not work again until a person does something
	Reason    string // for the operator
	Status    int    // HTTP status of the token endpoint, 0 when it did not answer
	cause     error
}

// Error is the reason.
func (e *RefreshError) Error() string { return "refresh: " + e.Reason }

// Unwrap gives the cause.
func (e *RefreshError) Unwrap() error { return e.cause }

// unknownLife is the life of a token whose answer names none.
const unknownLife = 30 * time.Minute

// Refresh asks for a new access token (protocol 1.6). It makes one call: what to do about a failure
// is for the caller, who may have another credential.
func (c *Client) Refresh(ctx context.Context, cred Credential) (Tokens, *RefreshError) {
	if cred.Kind == Vertex {
		return c.serviceToken(ctx, cred)
	}
	if cred.RefreshToken == "" {
		return Tokens{}, &RefreshError{Permanent: true, Reason: "there is no refresh token"}
	}
	s := c.settings()
	conf := oauth2.Config{
		ClientID: cred.ClientID, ClientSecret: cred.ClientSecret,
		Endpoint: oauth2.Endpoint{TokenURL: s.Endpoints.OAuthToken + "/token", AuthStyle: oauth2.AuthStyleInParams},
	}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, c.o.HTTP())
	t, err := conf.TokenSource(ctx, &oauth2.Token{RefreshToken: cred.RefreshToken}).Token()
	if err != nil {
		return Tokens{}, refreshError(err, cred)
	}
	got := Tokens{AccessToken: t.AccessToken, Expiry: c.o.Now().Add(unknownLife)}
	if t.ExpiresIn > 0 {
		got.Expiry = c.o.Now().Add(time.Duration(t.ExpiresIn) * time.Second)
	}
	if t.RefreshToken != cred.RefreshToken {
		got.RefreshToken = t.RefreshToken
	}
	if id, ok := t.Extra("id_token").(string); ok {
		got.Email = emailOf(id)
	}
	return got, nil
}

// refreshError applies the table of protocol 1.6.
func refreshError(err error, cred Credential) *RefreshError {
	e := &RefreshError{cause: err}
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) || refused.Response == nil {
		e.Reason = "the token endpoint cannot be reached or answered something else than a token"
		if errors.Is(err, outbound.ErrProxy) {
			e.Reason = "the proxy gives no connection to the token endpoint"
		}
		return e
	}
	e.Status = refused.Response.StatusCode
	if e.Reason = outOfOrder(refused.Response.StatusCode, refused.ErrorCode); e.Reason == "" {
		e.Permanent, e.Reason = true, permanent(refused, cred)
	}
	return e
}

// outOfOrder says what ails the token endpoint for the moment; "" when it means what it says.
func outOfOrder(status int, code string) string {
	if status == http.StatusTooManyRequests || status >= 500 || code == "" {
		return "the token endpoint is out of order: " + http.StatusText(status)
	}
	switch code {
	case "internal_failure", "server_error", "temporarily_unavailable", "rate_limit_exceeded", "slow_down":
		return "the token endpoint is out of order: " + code
	}
	return ""
}

func permanent(refused *oauth2.RetrieveError, cred Credential) string {
	switch refused.ErrorCode {
	case "invalid_grant":
		if sub := subtype(refused.Body); sub != "" {
			return "the organisation asks for a new sign-in (" + sub + ")"
		}
		return "the refresh token was revoked or has expired (invalid_grant): sign in again"
	case "invalid_client", "unauthorized_client":
		if cred.ClientSecret == "" {
			return "the OAuth client has no secret (" + refused.ErrorCode + "): set " + secretSetting
		}
		return "client id or secret are not those of this refresh token (" + refused.ErrorCode + ")"
	case "invalid_request", "invalid_scope":
		if cred.ClientSecret == "" {
			return "the token endpoint wants a client secret (" + refused.ErrorCode + "): set " + secretSetting
		}
		return "the token endpoint refuses the request (" + refused.ErrorCode + ")"
	}
	return "the token endpoint refuses the refresh token (" + word(refused.ErrorCode) + ")"
}

// subtype finds the demand for a new sign-in of a Workspace policy.
func subtype(body []byte) string {
	var b struct {
		Subtype     string `json:"error_subtype"`
		Description string `json:"error_description"`
	}
	_ = json.Unmarshal(body, &b) // a body that cannot be read has no subtype
	for _, name := range []string{"invalid_rapt", "rapt_required"} {
		if b.Subtype == name || strings.Contains(b.Description, name) {
			return name
		}
	}
	return ""
}

// word keeps what a stranger sent from filling a log line.
func word(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
	return s[:min(len(s), 40)]
}

// emailOf reads the e-mail out of an id token. Nobody trusts it with anything: it is shown only.
func emailOf(idToken string) string {
	parts := strings.Split(idToken, ".")
	if len(parts) != 3 {
		return ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return ""
	}
	var claims struct {
		Email string `json:"email"`
	}
	_ = json.Unmarshal(payload, &claims) // a token that cannot be read has no e-mail
	return claims.Email
}

// UserInfo asks for the e-mail address of the account.
func (c *Client) UserInfo(ctx context.Context, token string) (string, error) {
	var info struct {
		Email string `json:"email"`
	}
	err := c.call(ctx, request{url: c.settings().Endpoints.GoogleAPIs + "/oauth2/v2/userinfo", token: token}, &info)
	if err != nil {
		return "", err
	}
	if info.Email == "" {
		return "", errors.New("the account has no e-mail address, or its sign-in does not show it")
	}
	return info.Email, nil
}
