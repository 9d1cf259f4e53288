package oauth

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"
)

// TestImporter has a row for each place where protocol 1.9 lets a member be, and for which wins.
func TestImporter(t *testing.T) {
	at := time.Date(2025, 11, 20, 10, 0, 0, 0, time.UTC)
	mail := "x." + base64.RawURLEncoding.EncodeToString([]byte(`{"email":"i@x"}`)) + ".y"
	for _, row := range []struct {
		data string // without the braces
		got  func(c Credential) string
		want string
	}{
		{`"refresh_token":"r","token":"t"`, Credential.access, "t"},
		{`"refresh_token":"r","access_token":"a"`, Credential.access, "a"},
		{`"refresh_token":"r","token":{"access_token":"n"}`, Credential.access, "n"},
		{`"refresh_token":"r","accessToken":"c"`, Credential.access, "c"},
		{`"refresh_token":"r","access_token":"a","token":{"access_token":"n"},"accessToken":"c"`, Credential.access, "a"},
		{`"refresh_token":"r","token":{"refresh_token":"n"},"refreshToken":"c"`, Credential.Secret, "r"},
		{`"token":{"refresh_token":"n"},"refreshToken":"c"`, Credential.Secret, "n"},
		{`"refreshToken":"c"`, Credential.Secret, "c"},
		{`"refresh_token":"","refreshToken":"c"`, Credential.Secret, "c"},

		{`"refresh_token":"r","expiry":"2025-11-20T10:00:00+00:00"`, Credential.end, at.String()},
		{`"refresh_token":"r","expiry":"2025-11-20T12:00:00.5+02:00"`, Credential.end, at.Add(time.Second / 2).String()},
		{`"refresh_token":"r","expiry":"2025-11-20T10:00:00Z"`, Credential.end, at.String()},
		{`"refresh_token":"r","expiry":"2025-11-20T10:00:00.000000"`, Credential.end, at.String()},
		{`"refresh_token":"r","token":{"expiry":"2025-11-20T10:00:00Z"}`, Credential.end, at.String()},
		{`"refresh_token":"r","expires_at":"2025-11-20T10:00:00Z"`, Credential.end, at.String()},
		{`"refresh_token":"r","expires_at":1763632800`, Credential.end, at.String()},
		{`"refresh_token":"r","expires_at":1763632800000`, Credential.end, at.String()},
		{`"refresh_token":"r","expiry_date":1763632800000`, Credential.end, at.String()},
		{`"refresh_token":"r","expires_in":3599`, Credential.end, time.Time{}.String()},
		{`"refresh_token":"r","expiry":"soon","expires_at":1763632800`, Credential.end, time.Time{}.String()},

		{`"refresh_token":"r"`, Credential.client, "official official-secret"},
		{`"refresh_token":"r","client_id":"c","client_secret":"s"`, Credential.client, "c s"},
		{`"refresh_token":"r","token":{"client_id":"c","client_secret":"s"}`, Credential.client, "c s"},
		{`"refresh_token":"r","client_id":"official"`, Credential.client, "official official-secret"},

		{`"refresh_token":"r","scopes":["a","b"]`, Credential.granted, "a b"},
		{`"refresh_token":"r","scopes":"a b"`, Credential.granted, "a b"},
		{`"refresh_token":"r","scopes":"a, b"`, Credential.granted, "a b"},
		{`"refresh_token":"r","scope":"a b"`, Credential.granted, "a b"},

		{`"refresh_token":"r","project_id":"one","projectId":"two"`, Credential.project, "one"},
		{`"refresh_token":"r","projectId":"two","project":"three"`, Credential.project, "two"},
		{`"refresh_token":"r","project":"three","cloudaicompanionProject":"four"`, Credential.project, "three"},
		{`"refresh_token":"r","cloudaicompanionProject":"four","quota_project_id":"five"`, Credential.project, "four"},
		{`"refresh_token":"r","cloudaicompanionProject":{"id":"four"}`, Credential.project, "four"},
		{`"refresh_token":"r","quota_project_id":"five"`, Credential.project, "five"},
		{`"refresh_token":"r","project_id":"All"`, Credential.project, AllProjects},
		{`"refresh_token":"r","project_id":"one,ALL"`, Credential.project, AllProjects},

		{`"refresh_token":"r","email":"e@x","user_email":"u@x"`, Credential.mail, "e@x"},
		{`"refresh_token":"r","user_email":"u@x","account":"a@x"`, Credential.mail, "u@x"},
		{`"refresh_token":"r","account":"a@x","id_token":"` + mail + `"`, Credential.mail, "a@x"},
		{`"refresh_token":"r","id_token":"` + mail + `"`, Credential.mail, "i@x"},
		{`"refresh_token":"r","id_token":"eyJ"`, Credential.mail, ""},

		{`"refresh_token":"r","universe_domain":"googleapis.com"`, Credential.Secret, "r"},
		{`"refresh_token":"r","type":"gemini","auto":true,"checked":1,"token_type":"Bearer","disabled":true,"error_codes":[403]`, Credential.Secret, "r"},
		{`"refresh_token":"r","type":"gemini-cli"`, Credential.Secret, "r"},
	} {
		s, err := Parse("a.json", []byte("{"+row.data+"}"), rules)
		if err != nil || len(s.Items) != 1 || len(s.Items[0].Creds) != 1 {
			t.Errorf("%s: %v, %v", row.data, s.Items, err)
		} else if got := row.got(s.Items[0].Creds[0]); got != row.want {
			t.Errorf("%s: %s, want %s", row.data, got, row.want)
		}
	}
}

func (c Credential) access() string  { return c.AccessToken }
func (c Credential) end() string     { return c.Expiry.UTC().String() }
func (c Credential) client() string  { return c.ClientID + " " + c.ClientSecret }
func (c Credential) granted() string { return strings.Join(c.Scopes, " ") }
func (c Credential) project() string { return c.ProjectID }
func (c Credential) mail() string    { return c.Email }
