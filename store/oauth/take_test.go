package oauth

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline/outbound"
)

// What was rewritten is read as that; what was removed is gone, and the others keep their names.
func TestRewrite(t *testing.T) {
	one, two, three, other := `{"refresh_token":"one"}`, `{"refresh_token":"two"}`, `{"refresh_token":"three"}`, []byte(`{"refresh_token":"other"}`)
	for _, row := range []struct {
		text    string
		changes map[string][]byte
		want    string
	}{
		{one, map[string][]byte{"a.json": other}, "a.json=other"},
		{one, map[string][]byte{"a.json": nil}, "ERROR every credential in it was deleted"},
		{"[" + one + "," + two + "]", map[string][]byte{"a.json": nil, "a.json#2": nil}, "ERROR every credential in it was deleted"},
		{"[" + one + ", " + two + "," + three + "]", map[string][]byte{"a.json#2": nil, "a.json#3": other}, "a.json=one a.json#3=other"},
		{one + "\n" + two + "\n" + three, map[string][]byte{"a.json": nil}, "a.json#2=two a.json#3=three"},
		{`{"x":` + one + `,"y":{"credential":` + two + `}}`, map[string][]byte{"a.json#y": nil, "a.json#none": nil}, "a.json#x=one"},
		{"W3sicmVmcmVzaF90b2tlbiI6Im9uZSJ9LHsicmVmcmVzaF90b2tlbiI6InR3byJ9XQ==", map[string][]byte{"a.json": other}, "a.json=other a.json#2=two"},
	} {
		s, err := Parse("a.json", []byte(row.text), rules)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse("a.json", s.Rewrite(row.changes), rules)
		if err != nil {
			if got := "ERROR " + err.Error(); got != row.want {
				t.Errorf("%s: %s, want %s", row.text, got, row.want)
			}
			continue
		}
		if got := shown(again, nil); got != row.want || len(again.Warnings) > 0 {
			t.Errorf("%s: %s %q, want %s", row.text, got, again.Warnings, row.want)
		}
	}
}

// What is exported is read again as the same credential, by us and by those who want one name or the other.
func TestExport(t *testing.T) {
	end := time.Date(2026, 1, 2, 3, 4, 5, 678000, time.UTC)
	for _, c := range []Credential{
		{ID: "a.json", Kind: CodeAssist, Label: "mine", ClientID: "c", ClientSecret: "s", RefreshToken: "1//r", AccessToken: "ya29", Expiry: end, Scopes: []string{"one", "two"},
			ProjectID: "p", Email: "e@x", TokenURI: "https://oauth2.googleapis.com/token"},
		{ID: "a.json", Kind: CodeAssist, ClientID: "c", ClientSecret: "s", RefreshToken: "1//<&>", Scopes: []string{"https://www.googleapis.com/auth/cloud-platform"}, TokenURI: "https://oauth2.googleapis.com/token"},
		{ID: "a.json", Kind: Gemini, APIKey: "AIza", Label: "mine"},
		{ID: "a.json", Kind: Vertex, APIKey: "AIza", Label: "mine"},
	} {
		data, err := c.Export(nil)
		if err != nil {
			t.Fatal(err)
		}
		got, warnings, err := flat("a.json", data, rules)
		if err != nil || len(got) != 1 || len(warnings) > 0 || show(got[0]) != show(c) {
			t.Errorf("%v %q\n got %s\nwant %s\n%s", err, warnings, show(got[0]), show(c), data)
		}
		var m map[string]any
		if err := json.Unmarshal(data, &m); err != nil || m["token"] != m["access_token"] || strings.Contains(string(data), `\u003c`) {
			t.Errorf("%v %s", err, data)
		}
		if expiry, has := m["expiry"]; has && expiry != "2026-01-02T03:04:05.000678+00:00" {
			t.Errorf("%v", expiry)
		}
	}
	if _, err := (Credential{Kind: Vertex, PrivateKey: "k"}).Export(nil); err == nil {
		t.Error("made up")
	}
	if data, err := (Credential{Kind: Vertex, PrivateKey: "k"}).Export([]byte(`{"a":[1]}`)); err != nil || !strings.Contains(string(data), "\n  \"a\"") {
		t.Errorf("%s %v", data, err)
	}
}

func TestFilesCannotChooseAProxy(t *testing.T) {
	_, warnings, err := flat("a.json", []byte(`{"refresh_token":"1//r","proxy":"socks5://user:HIDDEN@10.0.0.1"}`), rules)
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], `"proxy" in it is not used`) || strings.Contains(warnings[0], "HIDDEN") {
		t.Errorf("%q %v", warnings, err)
	}
}

func TestRevoke(t *testing.T) {
	status, answer := 200, "{}"
	var got string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Method + " " + r.URL.Path + " " + r.PostFormValue("token")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(answer))
	}))
	defer s.Close()
	c := New(Options{HTTP: s.Client, Settings: func() Settings { return Settings{Endpoints: outbound.Endpoints{OAuthToken: s.URL}} }})
	if err := c.Revoke(t.Context(), "1//a+b"); err != nil || got != "POST /revoke 1//a+b" {
		t.Errorf("%v %q", err, got)
	}
	status, answer = 400, `{"error":"invalid_token"}`
	if err := c.Revoke(t.Context(), "1//a"); err != ErrRevoked {
		t.Error(err)
	}
	status, answer = 503, `1//a`
	if err := c.Revoke(t.Context(), "1//a"); err == nil || strings.Contains(err.Error(), "1//a") {
		t.Error(err)
	}
}
