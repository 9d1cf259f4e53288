package oauth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// tokenURI is where tokens are asked for, as files of others name it.
const tokenURI = "https://oauth2.googleapis.com/token"

// accountFile is a Google account in the layout that most programs read (protocol 1.9, last line): the
// access token under both names, the expiry with an offset. Google's own libraries take it by its type.
type accountFile struct {
	Type         string   `json:"type"`
	ClientID     string   `json:"client_id"`
	ClientSecret string   `json:"client_secret"`
	Token        string   `json:"token"`
	AccessToken  string   `json:"access_token"`
	RefreshToken string   `json:"refresh_token"`
	Scopes       []string `json:"scopes"`
	TokenURI     string   `json:"token_uri"`
	ProjectID    string   `json:"project_id"`
	Expiry       string   `json:"expiry,omitempty"`
	Email        string   `json:"email,omitempty"`
	Label        string   `json:"label,omitempty"`
}

type keyLayout struct {
	Type   string `json:"type"`
	APIKey string `json:"api_key"`
	Label  string `json:"label,omitempty"`
}

// Export writes a credential as a file to keep or to move elsewhere: what belongs to the credential
// and nothing of its state. original is the object that its source has, for kinds whose files are
// kept as they are; nil where there is none.
func (c Credential) Export(original []byte) ([]byte, error) {
	switch {
	case c.Kind == CodeAssist:
		f := accountFile{Type: "authorized_user", ClientID: c.ClientID, ClientSecret: c.ClientSecret, Token: c.AccessToken, AccessToken: c.AccessToken,
			RefreshToken: c.RefreshToken, Scopes: c.Scopes, TokenURI: first(c.TokenURI, tokenURI), ProjectID: c.ProjectID, Email: c.Email, Label: c.Label}
		if f.Scopes == nil {
			f.Scopes = []string{"https://www.googleapis.com/auth/cloud-platform"}
		}
		if !c.Expiry.IsZero() {
			f.Expiry = c.Expiry.UTC().Format("2006-01-02T15:04:05.000000") + "+00:00" // google-auth stumbles over an offset behind whole seconds
		}
		return pretty(f)
	case c.Kind == Gemini:
		return pretty(keyLayout{"gemini_api_key", c.APIKey, c.Label})
	case c.IsKey():
		return pretty(keyLayout{"vertex_express_key", c.APIKey, c.Label})
	case original != nil:
		var out bytes.Buffer
		if err := json.Indent(&out, original, "", "  "); err != nil {
			return nil, fmt.Errorf("lay out the credential: %w", err)
		}
		out.WriteByte('\n')
		return out.Bytes(), nil
	}
	return nil, errors.New("this credential has no file form")
}

func pretty(v any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("lay out the credential: %w", err)
	}
	return out.Bytes(), nil
}

// Suggest is a file name for a credential that came without one.
func (c Credential) Suggest(now time.Time) string {
	switch {
	case !c.IsKey() && c.ProjectID != "" && c.ProjectID != AllProjects:
		return fmt.Sprintf("%s-%d.json", c.ProjectID, now.Unix()) // as the old product does
	case c.Kind == CodeAssist:
		return fmt.Sprintf("account-%d.json", now.Unix())
	}
	return c.Kind + "-" + APIKey(c.Secret()).ID + ".json" // the same for the same key
}
