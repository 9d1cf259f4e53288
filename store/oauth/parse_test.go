package oauth

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

var rules = Rules{ClientID: "official", ClientSecret: "official-secret", TokenHost: "https://mirror.example:8443/google"}

// flat is Parse without the sheet around it.
func flat(name string, data []byte, r Rules) (creds []Credential, warnings []string, err error) {
	s, err := Parse(name, data, r)
	for _, item := range s.Items {
		creds = append(creds, item.Creds...)
	}
	return creds, s.Warnings, err
}

func TestParse(t *testing.T) {
	account := Credential{ID: "a.json", Kind: CodeAssist, RefreshToken: "1//r", ClientID: "official", ClientSecret: "official-secret"}
	with := func(change func(c *Credential)) Credential {
		c := account
		change(&c)
		return c
	}
	at := time.Date(2025, 11, 20, 10, 0, 0, 0, time.UTC)
	for _, row := range []struct {
		name, data string
		want       Credential
	}{
		{"gemini-cli", `{"access_token":"ya29.x","refresh_token":"1//r","scope":"s1 s2","token_type":"Bearer","id_token":"eyJ","expiry_date":1763632800000}`,
			with(func(c *Credential) { c.AccessToken, c.Expiry, c.Scopes = "ya29.x", at, []string{"s1", "s2"} })},
		{"gcli2api", `{"client_id":"c","client_secret":"s","token":"ya29.x","refresh_token":"1//r","scopes":["s1"],"token_uri":"https://oauth2.googleapis.com/token","project_id":"my-project-123","expiry":"2025-11-20T10:00:00.000000+00:00"}`,
			with(func(c *Credential) {
				c.ClientID, c.ClientSecret, c.AccessToken, c.Expiry = "c", "s", "ya29.x", at
				c.Scopes, c.ProjectID, c.TokenURI = []string{"s1"}, "my-project-123", "https://oauth2.googleapis.com/token"
			})},
		{"gcli2api after a save", `{"access_token":"ya29.x","refresh_token":"1//r","client_id":"c","client_secret":"s","project_id":"p-x","expiry":"2025-11-20T10:00:00"}`,
			with(func(c *Credential) {
				c.ClientID, c.ClientSecret, c.AccessToken, c.Expiry, c.ProjectID = "c", "s", "ya29.x", at, "p-x"
			})},
		{"CLIProxyAPI", `{"type":"gemini","email":"me@x.y","project_id":"p-x","auto":false,"checked":true,"token":{"access_token":"ya29.x","refresh_token":"1//r","expiry":"2025-11-20T10:00:00Z","expires_in":3599,"token_uri":"https://oauth2.googleapis.com/token","client_id":"c","client_secret":"s","scopes":["s1"],"universe_domain":"googleapis.com"}}`,
			with(func(c *Credential) {
				c.ClientID, c.ClientSecret, c.AccessToken, c.Expiry, c.ProjectID = "c", "s", "ya29.x", at, "p-x"
				c.Email, c.Scopes, c.TokenURI = "me@x.y", []string{"s1"}, "https://oauth2.googleapis.com/token"
			})},
		{"authorized_user", `{"type":"authorized_user","client_id":"c","client_secret":"s","refresh_token":"1//r","quota_project_id":"p-x","account":"","universe_domain":"googleapis.com"}`,
			with(func(c *Credential) { c.ClientID, c.ClientSecret, c.ProjectID = "c", "s", "p-x" })},
		{"key", `{"type":"gemini_api_key","api_key":" AIza-x ","label":"mine"}`, Credential{ID: "a.json", Kind: Gemini, APIKey: "AIza-x", Label: "mine"}},
		{"byte order mark and spaces", "\xef\xbb\xbf \n{\"refresh_token\":\"1//r\"}\n", account},
		{"two tokens that differ", `{"refresh_token":"1//r","token":"ya29.x","access_token":"ya29.y","expiry":"2030-01-01T00:00:00Z"}`, account},
		{"two tokens that agree", `{"refresh_token":"1//r","token":"ya29.x","access_token":"ya29.x"}`, with(func(c *Credential) { c.AccessToken = "ya29.x" })},
		{"an end that cannot be read", `{"refresh_token":"1//r","expiry":"tomorrow","expires_in":3600}`, account},
		{"an end in seconds", `{"refresh_token":"1//r","expires_at":1763632800}`, with(func(c *Credential) { c.Expiry = at })},
		{"secret of the official client is missing", `{"refresh_token":"1//r","client_id":"official"}`, account},
		{"own mirror", `{"refresh_token":"1//r","token_uri":"https://mirror.example:8443/elsewhere/token"}`,
			with(func(c *Credential) { c.TokenURI = "https://mirror.example:8443/elsewhere/token" })},
		{"project as an object", `{"refreshToken":"1//r","cloudaicompanionProject":{"id":"p-x"}}`, with(func(c *Credential) { c.ProjectID = "p-x" })},
		{"project number", `{"refresh_token":"1//r","project_id":"123456789"}`, account},
		{"every project", `{"refresh_token":"1//r","project_id":"all"}`, with(func(c *Credential) { c.ProjectID = AllProjects })},
		{"members of odd types", `{"refresh_token":"1//r","project_id":7,"email":["x"],"scopes":{},"expiry":false}`, account},
	} {
		got, _, err := flat("a.json", []byte(row.data), rules)
		if err != nil || len(got) != 1 {
			t.Errorf("%s: %v, %v", row.name, got, err)
			continue
		}
		row.want.Expiry, got[0].Expiry = row.want.Expiry.UTC(), got[0].Expiry.UTC()
		if a, b := show(got[0]), show(row.want); a != b {
			t.Errorf("%s:\n got %s\nwant %s", row.name, a, b)
		}
	}
}

// show writes everything, which Credential itself takes care not to.
func show(c Credential) string {
	type open Credential
	return fmt.Sprintf("%+v", open(c))
}

func TestParseSeveralProjects(t *testing.T) {
	got, warnings, err := flat("a.json", []byte(`{"refresh_token":"1//r","project_id":"one, two,,two,42"}`), rules)
	if err != nil || len(got) != 2 || got[0].ID != "a.json:one" || got[0].ProjectID != "one" || got[1].ID != "a.json:two" || got[1].RefreshToken != "1//r" {
		t.Errorf("%v %v", got, err)
	}
	if len(warnings) != 1 || !strings.HasPrefix(warnings[0], "a.json: ") || !strings.Contains(warnings[0], "42") {
		t.Errorf("warnings %q", warnings)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, row := range []struct{ data, says string }{
		{"", "empty"},
		{"[]", "list is empty"},
		{`{"refresh_token":`, "not a JSON object"},
		{"null", "not a JSON object"},
		{"HIDDEN", "not a JSON object"},
		{"{}", `"refresh_token" is missing`},
		{`{"api_key":"HIDDEN"}`, `"type" must be "gemini_api_key"`},
		{`{"type":"openai_key","api_key":"HIDDEN"}`, `"type" must be "gemini_api_key"`},
		{`{"type":"wat","secret":"HIDDEN"}`, `its "type" is no other kind`},
		{`{"access_token":"HIDDEN"}`, `"refresh_token" is missing`},
		{`{"installed":{"client_id":"c","client_secret":"HIDDEN"}}`, "OAuth client"},
		{`{"type":"service_account","private_key":"HIDDEN"}`, `"client_email" is missing`},
		{`{"type":"external_account_authorized_user","refresh_token":"HIDDEN"}`, "external_account_authorized_user"},
		{`{"type":"gemini_api_key"}`, `"api_key" is missing`},
		{`{"type":"gemini_api_key","api_key":"HIDDEN\nx-header: 1"}`, "characters"},
		{`{"refresh_token":"HIDDEN","client_id":"other"}`, `"client_secret" is missing`},
		{`{"refresh_token":"HIDDEN","client_secret":"HIDDEN"}`, `"client_id" is missing`},
		{`{"refresh_token":"HIDDEN","universe_domain":"evil.example"}`, "universe_domain"},
		{`{"refresh_token":"HIDDEN","token_uri":"https://evil.example/token"}`, "token_uri"},
		{`{"refresh_token":"HIDDEN","token_uri":"http://oauth2.googleapis.com/token"}`, "token_uri"},
		{`{"refresh_token":"HIDDEN","token_uri":"https://oauth2.googleapis.com.evil.example/"}`, "token_uri"},
		{`{"refresh_token":"HIDDEN","token_uri":"https://oauth2.googleapis.com@evil.example/"}`, "token_uri"},
		{`{"refresh_token":"HIDDEN","token_uri":"https://oauth2.googleapis.com:8443/token"}`, "token_uri"},
		{`{"refresh_token":"HIDDEN","token_uri":"https://user@oauth2.googleapis.com/token"}`, "token_uri"},
		{`{"refresh_token":"HIDDEN","token_uri":"https://mirror.example/token"}`, "token_uri"},
		{`{"refresh_token":"HIDDEN","token_uri":"http://mirror.example:8443/token"}`, "token_uri"},
		{`{"refresh_token":"HIDDEN","token":{"token_uri":"https://evil.example/token"}}`, "token_uri"},
		{`{"refresh_token":"HIDDEN","token_uri":"//oauth2.googleapis.com/token"}`, "token_uri"},
		{`{"refresh_token":"HIDDEN","token_uri":":"}`, "token_uri"},
	} {
		got, _, err := flat("a.json", []byte(row.data), rules)
		if err == nil || !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s: %v, %v", row.data, got, err)
		} else if strings.Contains(err.Error(), "HIDDEN") {
			t.Errorf("%s: the error quotes a secret: %v", row.data, err)
		}
	}
}

func TestParseWithoutSecretNamesTheSetting(t *testing.T) {
	r := rules
	r.ClientSecret = ""
	got, warnings, err := flat("a.json", []byte(`{"refresh_token":"1//r"}`), r)
	if err != nil || len(got) != 1 || len(warnings) != 1 || !strings.Contains(warnings[0], "google.oauth_client_secret") || !strings.HasPrefix(warnings[0], "a.json") {
		t.Errorf("%v %q %v", got, warnings, err)
	}
}

func TestCredentialShowsNoSecret(t *testing.T) {
	c := Credential{ID: "a.json", Kind: CodeAssist, APIKey: "SECRET", ClientSecret: "SECRET", RefreshToken: "SECRET", AccessToken: "SECRET", ProjectID: "p"}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "credential", c, "pointer", &c, "list", []Credential{c})
	j, err := json.Marshal(map[string]any{"c": c})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprint(c), fmt.Sprintf("%+v %#v %s %q", c, c, c, c), fmt.Sprintf("%v %+v", &c, []Credential{c}), log.String(), string(j)} {
		if strings.Contains(text, "SECRET") || !strings.Contains(text, "a.json") {
			t.Errorf("shown as %s", text)
		}
	}
}

func TestAPIKeyHasAStableName(t *testing.T) {
	a, b := APIKey("AIza-one"), APIKey("AIza-one")
	if a.ID != b.ID || a.ID == APIKey("AIza-two").ID || !strings.HasPrefix(a.ID, "key-") || strings.Contains(a.ID, "AIza") {
		t.Errorf("%s %s", a.ID, b.ID)
	}
}

func TestAmend(t *testing.T) {
	for _, row := range []struct {
		name, data, want string
		c                Change
	}{
		{"in its place", `{"refresh_token": "old", "x": [1,  2]}`, `{"refresh_token": "new", "x": [1,  2]}`, Change{RefreshToken: "new"}},
		{"in both places", `{"token":{"refresh_token":"old","y":1.50},"refresh_token":"old"}`, `{"token":{"refresh_token":"new","y":1.50},"refresh_token":"new"}`, Change{RefreshToken: "new"}},
		{"inside only", `{"token":{"refresh_token":"old"},"z":null}`, `{"token":{"refresh_token":"new"},"z":null}`, Change{RefreshToken: "new"}},
		{"token as a string", `{"token":"ya29","refresh_token":"old"}`, `{"token":"ya29","refresh_token":"new"}`, Change{RefreshToken: "new"}},
		{"new members", `{"refresh_token":"r"}`, `{"refresh_token":"r","project_id":"p","email":"e@x"}`, Change{ProjectID: "p", Email: "e@x"}},
		{"new members on lines of their own", "{\n\t\"refresh_token\": \"r\"\n}\n", "{\n\t\"refresh_token\": \"r\",\n\t\"project_id\": \"p\"\n}\n", Change{ProjectID: "p"}},
		{"text that needs escapes", `{"email":"old"}`, `{"email":"a\"b"}`, Change{Email: `a"b`}},
		{"a member that is there twice", `{"refresh_token":"a","refresh_token":"old"}`, `{"refresh_token":"a","refresh_token":"new"}`, Change{RefreshToken: "new"}},
		{"nothing", `{"a":1}`, `{"a":1}`, Change{}},
	} {
		got, err := amend([]byte(row.data), row.c)
		if err != nil || string(got) != row.want {
			t.Errorf("%s: %s, %v", row.name, got, err)
		}
	}
	for _, broken := range []string{"", "[]", `{"a":`, "{}"} {
		if got, err := amend([]byte(broken), Change{ProjectID: "p"}); err == nil {
			t.Errorf("%q became %s", broken, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"refresh_token":"1//r","project_id":"a,b","token":{"expiry":"2025-11-20T10:00:00Z"}}`,
		`{"type":"gemini_api_key","api_key":"k"}`, `{"refresh_token":"r","expiry_date":1e99}`,
		`{"type":"service_account","project_id":"p","client_email":"a@b","private_key":"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"}`, `{"type":"vertex_express_key","api_key":"k"}`,
		`[{"refresh_token":"1//r"}, {"refreshToken":"1//s"}]`, `{"a.json":{"refresh_token":"1//r"},"b":{"credential":{"refresh_token":"1//s"}}}`,
		"{\"refresh_token\":\"1//r\"}\n{broken\n{\"refresh_token\":\"1//s\"}\n", "eyJyZWZyZXNoX3Rva2VuIjoiMS8vciJ9", "\xff\xfe{\x00}\x00",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := Parse("a.json", data, rules)
		if (err == nil) != (len(got.Items) > 0) {
			t.Fatalf("%v, %v", got, err)
		}
		for _, item := range got.Items {
			for _, c := range item.Creds {
				if c.Secret() == "" || c.ID == "" {
					t.Fatalf("%s has no secret or name", c)
				}
			}
		}
		if err != nil || got.Items[len(got.Items)-1].Creds[0].Kind != CodeAssist {
			return
		}
		// What was amended is read as that, and the others as before.
		id := got.Items[len(got.Items)-1].ID
		if got.Find(id) != &got.Items[len(got.Items)-1] {
			return // a name that is there twice
		}
		changed, err := got.Amend(id, Change{RefreshToken: "1//new", Email: "new@example.com"})
		if err != nil {
			return // encoding/json is more tolerant than we write
		}
		again, err := Parse("a.json", changed, rules)
		if err != nil || len(again.Items) != len(got.Items) || again.Find(id).Creds[0].RefreshToken != "1//new" || again.Find(id).Creds[0].Email != "new@example.com" {
			t.Fatalf("%s\n%s\n%v %v", data, changed, again, err)
		}
		for i := range got.Items[:len(got.Items)-1] {
			if show(got.Items[i].Creds[0]) != show(again.Items[i].Creds[0]) {
				t.Fatalf("%s\n%s\n%v", data, changed, again)
			}
		}
	})
}
