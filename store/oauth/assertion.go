package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	cloudScope   = "https://www.googleapis.com/auth/cloud-platform"
	googleToken  = "https://oauth2.googleapis.com/token"
	jwtGrant     = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	assertedLife = time.Hour        // the longest that Google takes
	clockSlack   = 10 * time.Second // a clock that is a little fast must not ask from the future
)

// serviceToken asks for a token of a service account with a statement that its key has signed
// (protocol 8.3). Whatever address the file names, the question goes to the configured one.
func (c *Client) serviceToken(ctx context.Context, cred Credential) (Tokens, *RefreshError) {
	if !cred.IsService() {
		return Tokens{}, &RefreshError{Permanent: true, Reason: "an API key has no token to renew"}
	}
	signed, err := assertion(cred, c.o.Now())
	if err != nil {
		return Tokens{}, &RefreshError{Permanent: true, Reason: err.Error(), cause: err}
	}
	form := url.Values{"grant_type": {jwtGrant}, "assertion": {signed}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.settings().Endpoints.OAuthToken+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		return Tokens{}, &RefreshError{Reason: "the token endpoint cannot be asked", cause: err}
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := c.o.HTTP().Do(req)
	if err != nil {
		return Tokens{}, noAnswer(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return Tokens{}, noAnswer(err)
	}
	return c.asserted(resp, body)
}

func noAnswer(err error) *RefreshError {
	return &RefreshError{Reason: "the token endpoint cannot be reached or answered something else than a token", cause: err}
}

// assertion is the signed statement.
func assertion(cred Credential, now time.Time) (string, error) {
	key, err := privateKey(cred.PrivateKey)
	if err != nil {
		return "", err
	}
	from := now.Add(-clockSlack)
	t := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"iss": cred.Email, "scope": cloudScope, "aud": first(cred.TokenURI, googleToken),
		"iat": from.Unix(), "exp": from.Add(assertedLife).Unix(),
	})
	if cred.KeyID != "" {
		t.Header["kid"] = cred.KeyID
	}
	signed, err := t.SignedString(key)
	if err != nil {
		return "", errors.New(`nothing can be signed with its "private_key"`)
	}
	return signed, nil
}

// asserted reads the answer. No error quotes it.
func (c *Client) asserted(resp *http.Response, body []byte) (Tokens, *RefreshError) {
	var b struct {
		AccessToken string  `json:"access_token"`
		ExpiresIn   float64 `json:"expires_in"`
		Code        string  `json:"error"`
		Description string  `json:"error_description"`
	}
	err := json.Unmarshal(body, &b)
	switch {
	case resp.StatusCode != http.StatusOK:
		e := &RefreshError{Status: resp.StatusCode, Reason: outOfOrder(resp.StatusCode, b.Code)}
		if e.Reason == "" {
			e.Permanent, e.Reason = c.refusedService(resp, b.Code, b.Description)
		}
		return Tokens{}, e
	case err != nil || b.AccessToken == "":
		return Tokens{}, noAnswer(err)
	}
	life := unknownLife
	if b.ExpiresIn > 0 && b.ExpiresIn < 1e6 {
		life = time.Duration(b.ExpiresIn * float64(time.Second))
	}
	return Tokens{AccessToken: b.AccessToken, Expiry: c.o.Now().Add(life)}, nil
}

// refusedService puts a refusal into words for the operator. A clock that is wrong is nobody's fault
// for good: once it is set, the same key works.
func (c *Client) refusedService(resp *http.Response, code, description string) (permanent bool, reason string) {
	text := strings.ToLower(description)
	has := func(part string) bool { return strings.Contains(text, part) }
	switch {
	case code != "invalid_grant":
		return true, "the service account may not ask for tokens (" + word(code) + "): look at it in the Google Cloud console under IAM"
	case has("short-lived token") || has("reasonable timeframe") || has("iat") && has("exp"):
		return false, "Google thinks that the question for a token is too old or from the future: set the clock of this machine" + c.skew(resp)
	case has("account not found"):
		return true, "Google knows no such service account (account not found): it was deleted or disabled, or its client_email is wrong; make a new key in the Google Cloud console"
	case has("signature"):
		return true, "Google does not know the key of this service account (Invalid JWT Signature): it was deleted or belongs to another account; make a new key in the Google Cloud console"
	case has("audience"):
		return true, `Google does not take the "token_uri" of the file as audience: it should be ` + googleToken
	}
	return true, "the key of the service account is refused (invalid_grant): make a new one in the Google Cloud console"
}

// skew says how far the clock of this machine is from Google's, where the answer tells.
func (c *Client) skew(resp *http.Response) string {
	at, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return ""
	}
	switch off := c.o.Now().Sub(at).Round(time.Minute); {
	case off >= 2*time.Minute:
		return ", it is " + off.String() + " fast"
	case off <= -2*time.Minute:
		return ", it is " + (-off).String() + " slow"
	}
	return ""
}
