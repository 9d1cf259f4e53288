package oauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"gcli2api/pipeline/outbound"
)

// ErrRevoked tells that a token was dead already.
var ErrRevoked = errors.New("the token was dead already")

// Revoke ends a refresh token at Google (protocol 1.7), and with it the whole grant that the account
// gave to the OAuth client: whoever else uses it is signed out as well. It makes one call, and the
// error quotes nothing that could hold the token.
func (c *Client) Revoke(ctx context.Context, refreshToken string) error {
	form := url.Values{"token": {refreshToken}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.settings().Endpoints.OAuthToken+"/revoke", strings.NewReader(form))
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := c.o.HTTP().Do(req)
	if err != nil {
		return outbound.Explain(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10)) // a body that cannot be read changes nothing
	switch {
	case resp.StatusCode == http.StatusOK:
		return nil
	case resp.StatusCode == http.StatusBadRequest && strings.Contains(string(body), "invalid_token"):
		return ErrRevoked
	}
	return fmt.Errorf("google answers %d to the revocation", resp.StatusCode)
}
