package oauth

import (
	"log/slog"
	"time"
)

// The kinds of credentials; each has an upstream client of its own.
const (
	CodeAssist = "codeassist" // a Google account through the Gemini CLI's OAuth client
	Gemini     = "gemini"     // an API key of Google AI Studio
	Vertex     = "vertex"     // Vertex AI: a service account, or an API key in express mode
)

// Kinds lists the kinds.
func Kinds() []string { return []string{CodeAssist, Gemini, Vertex} }

// AllProjects is the project of a credential file that stands for every project of its account.
const AllProjects = "ALL"

// Credential is one way to call Google. Printed or logged it shows no secret.
type Credential struct {
	ID    string // stable: file name, file name and project, or "key-" and a piece of a hash
	Kind  string // CodeAssist, Gemini or Vertex
	Label string // what the operator calls it
	Email string // "" until known

	APIKey string // of kind Gemini, and of kind Vertex in express mode

	ClientID     string
	ClientSecret string
	RefreshToken string
	AccessToken  string
	Expiry       time.Time // zero: not known, so refresh
	TokenURI     string    // as the file has it, checked; tokens are always asked for at the configured address
	Scopes       []string
	ProjectID    string // "" until discovered; AllProjects stands for every project of the account

	PrivateKey string // of a service account, whose address is Email: an RSA key in PEM
	KeyID      string // what Google calls that key, "" where the file does not say
}

// Secret is what tells two credentials apart: the refresh token, the API key or the private key.
func (c Credential) Secret() string {
	switch {
	case c.IsKey():
		return c.APIKey
	case c.IsService():
		return c.PrivateKey
	}
	return c.RefreshToken
}

// IsKey tells an API key, which is used as it is: without a token and without a project.
func (c Credential) IsKey() bool { return c.Kind == Gemini || c.Kind == Vertex && c.PrivateKey == "" }

// IsService tells a service account: its tokens are asked for with its private key, and its project
// is the one that its file names.
func (c Credential) IsService() bool { return c.Kind == Vertex && c.PrivateKey != "" }

// String names the credential and says what it has.
func (c Credential) String() string {
	s := c.ID + " (" + c.Kind
	if c.ProjectID != "" {
		s += ", project " + c.ProjectID
	}
	return s + ")"
}

// GoString is String: %#v must not show secrets either.
func (c Credential) GoString() string { return c.String() }

// LogValue is what slog writes.
func (c Credential) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("id", c.ID), slog.String("kind", c.Kind), slog.String("project", c.ProjectID),
		slog.Bool("refresh_token", c.RefreshToken != ""), slog.Bool("access_token", c.AccessToken != ""),
		slog.Bool("api_key", c.APIKey != ""), slog.Bool("private_key", c.PrivateKey != ""),
		slog.Time("expiry", c.Expiry))
}

// MarshalJSON writes what LogValue does: a record that ends up in an answer by mistake gives nothing away.
func (c Credential) MarshalJSON() ([]byte, error) {
	return []byte(`"` + jsonSafe(c.String()) + `"`), nil
}

func jsonSafe(s string) string {
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' {
			b = append(b, '?')
		} else {
			b = append(b, c)
		}
	}
	return string(b)
}
