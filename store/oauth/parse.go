package oauth

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"gcli2api/store/seal"
)

const secretSetting = "google.oauth_client_secret (OAUTH_CLIENT_SECRET)"

// Rules are what a credential file is judged by.
type Rules struct {
	ClientID     string // the client of files that name none
	ClientSecret string // its secret
	TokenHost    string // OAUTH_PROXY_URL: its host may stand in token_uri, besides Google's own
}

// APIKey makes the credential of a bare API key. Its id is a hash, so that it can be shown.
func APIKey(key string) Credential {
	sum := sha256.Sum256([]byte(key))
	return Credential{ID: "key-" + hex.EncodeToString(sum[:6]), Kind: Gemini, APIKey: key}
}

// ExpressKey makes the credential of a bare API key of Vertex AI in express mode. The same text may be
// a key of Google AI Studio as well: those are two credentials, with two names.
func ExpressKey(key string) Credential {
	c := APIKey(key)
	c.ID, c.Kind = "vertex-"+c.ID, Vertex
	return c
}

func key(id, kind string, top fields) (Credential, error) {
	c := Credential{ID: id, Kind: kind, Label: top.text("label"), APIKey: strings.TrimSpace(top.text("api_key"))}
	if c.APIKey == "" {
		return c, errors.New(`"api_key" is missing`)
	}
	if !PlainKey(c.APIKey) {
		return c, errors.New(`"api_key" has characters in it that no key has`)
	}
	return c, nil
}

// PlainKey tells that a text can be an API key: a line of ASCII without a space.
func PlainKey(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

// parser reads one credential.
type parser struct {
	id       string
	name     string // for warnings
	rules    Rules
	top      fields
	warnings []string
}

// parse gives the credentials: several, where there is a list of projects.
func (p *parser) parse() ([]Credential, error) {
	p.ignored()
	if err := closed(p.top, p.top.object("token")); err != nil {
		return nil, err
	}
	switch kind := p.top.text("type"); kind {
	case "gemini_api_key":
		c, err := key(p.id, Gemini, p.top)
		return []Credential{c}, err
	case "vertex_express_key", "vertex_api_key", "vertex_express":
		c, err := key(p.id, Vertex, p.top)
		return []Credential{c}, err
	case "service_account":
		c, err := p.service()
		return []Credential{c}, err
	case "external_account", "external_account_authorized_user", "impersonated_service_account":
		return nil, fmt.Errorf("credentials of type %q are not supported", kind)
	}
	c, err := p.account()
	if err != nil {
		return nil, err
	}
	return p.expand(c)
}

func (p *parser) warn(format string, args ...any) {
	p.warnings = append(p.warnings, p.name+": "+fmt.Sprintf(format, args...))
}

// ignored names what a file asks for and does not get: a way out to the network is the operator's
// to choose, not that of whoever wrote the file.
func (p *parser) ignored() {
	for _, name := range []string{"proxy", "proxy_url", "http_proxy", "https_proxy"} {
		if _, has := p.top[name]; has {
			p.warn("%q in it is not used: the proxy of a credential is set in the panel, never by its file", name)
		}
	}
}

func (p *parser) account() (Credential, error) {
	top, token := p.top, p.top.object("token")
	if err := universe(first(top.text("universe_domain"), token.text("universe_domain"))); err != nil {
		return Credential{}, err
	}
	c := Credential{
		ID: p.id, Kind: CodeAssist, Label: top.text("label"),
		RefreshToken: first(top.text("refresh_token"), token.text("refresh_token"), top.text("refreshToken")),
		ClientID:     first(top.text("client_id"), token.text("client_id")),
		ClientSecret: first(top.text("client_secret"), token.text("client_secret")),
		TokenURI:     first(top.text("token_uri"), token.text("token_uri")),
		Scopes:       scopes(top, token),
		Email:        first(top.text("email"), top.text("user_email"), top.text("account"), emailOf(top.text("id_token"))),
	}
	if c.RefreshToken == "" {
		if top.object("installed") != nil || top.object("web") != nil {
			return c, errors.New("this is the description of an OAuth client, not a credential")
		}
		return c, noSignIn(top)
	}
	if err := p.rules.tokenURI(c.TokenURI); err != nil {
		return c, err
	}
	p.token(&c, token)
	p.project(&c)
	return c, p.client(&c)
}

// noSignIn says what an object without a refresh token lacks: what it is meant for shows in its other members.
func noSignIn(top fields) error {
	switch _, key := top["api_key"]; {
	case key:
		return errors.New(`"type" must be "gemini_api_key" or "vertex_express_key" beside an "api_key"`)
	case top.text("type") == "":
		return errors.New(`"refresh_token" is missing`)
	}
	return errors.New(`"refresh_token" is missing, and its "type" is no other kind that is known: "gemini_api_key", "vertex_express_key", "service_account"`)
}

func universe(domain string) error {
	if domain != "" && domain != "googleapis.com" {
		return errors.New(`"universe_domain" is not Google's public one`)
	}
	return nil
}

// token takes an access token over. Two that differ say nothing about which is newer, so neither
// counts and the first use refreshes.
func (p *parser) token(c *Credential, token fields) {
	a, b := p.top.text("token"), first(p.top.text("access_token"), token.text("access_token"), p.top.text("accessToken"))
	if a != "" && b != "" && a != b || seal.Is(first(a, b)) {
		return
	}
	c.AccessToken, c.Expiry = first(a, b), expiry(p.top, token)
}

// client fills in the official client where the file leaves it out: a refresh token works with the
// client only that it was made for, so anything else cannot be guessed.
func (p *parser) client(c *Credential) error {
	if c.ClientID == "" && c.ClientSecret == "" {
		c.ClientID = p.rules.ClientID
	}
	switch {
	case c.ClientID == "":
		return errors.New(`"client_id" is missing while there is a "client_secret"`)
	case c.ClientSecret != "":
		return nil
	case c.ClientID != p.rules.ClientID:
		return errors.New(`"client_secret" is missing, and "client_id" is not the configured client`)
	}
	if c.ClientSecret = p.rules.ClientSecret; c.ClientSecret == "" {
		p.warn(NeedsSecret)
	}
	return nil
}

func (p *parser) project(c *Credential) {
	c.ProjectID = first(p.top.text("project_id"), p.top.text("projectId"), p.top.text("project"),
		p.top.text("cloudaicompanionProject"), p.top.object("cloudaicompanionProject").text("id"), p.top.text("quota_project_id"))
}

// maxListed bounds the projects of one sign-in: each is a credential of its own.
const maxListed = 1000

// expand makes one credential of each project of a list.
func (p *parser) expand(c Credential) ([]Credential, error) {
	var ids []string
	for id := range strings.SplitSeq(c.ProjectID, ",") {
		id = strings.TrimSpace(id)
		switch {
		case id == "":
		case strings.Trim(id, "0123456789") == "":
			p.warn("%q is a project number; the id of the project is needed and will be looked for", id)
		case strings.EqualFold(id, AllProjects):
			c.ProjectID = AllProjects
			return []Credential{c}, nil
		case CheckProject(id) != "":
			p.warn("%.60q is not the id of a project; it will be looked for", id)
		default:
			ids = append(ids, id)
		}
		if len(ids) > maxListed || len(p.warnings) > maxListed {
			return nil, fmt.Errorf("there are more than %d projects in it", maxListed)
		}
	}
	c.ProjectID = ""
	if len(ids) == 0 {
		return []Credential{c}, nil
	}
	var all []Credential
	seen := map[string]bool{}
	for _, id := range ids {
		if seen[id] {
			continue
		}
		seen[id] = true
		one := c
		if one.ProjectID = id; len(ids) > 1 {
			one.ID = Sibling(c.ID, id)
		}
		all = append(all, one)
	}
	return all, nil
}

// Sibling is the id of the credential for one of several projects of a file.
func Sibling(file, project string) string { return file + ":" + project }

// tokenURI refuses a file that wants its token asked for elsewhere: a hostile import could collect
// client secrets and refresh tokens that way.
func (r Rules) tokenURI(uri string) error {
	if uri == "" {
		return nil
	}
	u, err := url.Parse(uri)
	if err == nil && u.User == nil {
		switch u.Host {
		case "oauth2.googleapis.com", "accounts.google.com", "www.googleapis.com":
			if u.Scheme == "https" {
				return nil
			}
		}
		if own, err := url.Parse(r.TokenHost); err == nil && own.Host != "" && u.Host == own.Host && u.Scheme == own.Scheme {
			return nil
		}
	}
	return errors.New(`"token_uri" is neither Google's nor on the host of OAUTH_PROXY_URL`)
}
