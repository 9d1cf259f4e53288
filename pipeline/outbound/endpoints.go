package outbound

import (
	"fmt"
	"net/url"
	"strings"
)

// Endpoints are the addresses of everything that the gateway calls. Each may be a mirror.
type Endpoints struct {
	CodeAssist      string // CODE_ASSIST_ENDPOINT
	Gemini          string // GEMINI_API_BASE_URL
	Vertex          string // VERTEX_BASE_URL
	OAuthToken      string // OAUTH_PROXY_URL; the token endpoint is {it}/token
	OAuthAuth       string // OAUTH_AUTH_URL: the page where a person signs in, whole
	GoogleAPIs      string // GOOGLEAPIS_PROXY_URL
	ResourceManager string // RESOURCE_MANAGER_API_URL
	ServiceUsage    string // SERVICE_USAGE_API_URL
	Metadata        string // METADATA_SERVICE_URL
}

// DefaultEndpoints are Google's own addresses.
func DefaultEndpoints() Endpoints {
	return Endpoints{
		CodeAssist:      "https://cloudcode-pa.googleapis.com",
		Gemini:          "https://generativelanguage.googleapis.com",
		Vertex:          "https://aiplatform.googleapis.com",
		OAuthToken:      "https://oauth2.googleapis.com",
		OAuthAuth:       "https://accounts.google.com/o/oauth2/v2/auth",
		GoogleAPIs:      "https://www.googleapis.com",
		ResourceManager: "https://cloudresourcemanager.googleapis.com",
		ServiceUsage:    "https://serviceusage.googleapis.com",
		Metadata:        "http://metadata.google.internal",
	}
}

// Validate checks every address and returns them without trailing slashes. An error names the
// setting and does not quote its value, which may hold a password.
func (e Endpoints) Validate() (Endpoints, error) {
	for _, row := range []struct {
		key   string
		value *string
	}{
		{"code_assist_endpoint", &e.CodeAssist}, {"gemini_api_base_url", &e.Gemini},
		{"vertex_base_url", &e.Vertex}, {"oauth_proxy_url", &e.OAuthToken},
		{"oauth_auth_url", &e.OAuthAuth}, {"googleapis_proxy_url", &e.GoogleAPIs},
		{"resource_manager_api_url", &e.ResourceManager}, {"service_usage_api_url", &e.ServiceUsage},
		{"metadata_service_url", &e.Metadata},
	} {
		clean, wrong := cleanURL(*row.value)
		if wrong != "" {
			return e, fmt.Errorf("%s: %s", row.key, wrong)
		}
		*row.value = clean
	}
	return e, nil
}

func cleanURL(text string) (clean, wrong string) {
	u, err := url.Parse(strings.TrimSpace(text))
	switch {
	case err != nil:
		return "", "is not a URL"
	case u.Scheme != "http" && u.Scheme != "https":
		return "", "must begin with http:// or https://"
	case u.Hostname() == "":
		return "", "has no host"
	case u.User != nil:
		return "", "must not contain a user or password"
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", "must not contain ? or #"
	}
	return strings.TrimRight(u.String(), "/"), ""
}
