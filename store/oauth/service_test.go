package oauth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline/simulator"
)

// forms are one RSA key in its two forms of PEM, and what is none.
type forms struct{ pkcs8, pkcs1, ec string }

func newForms(t testing.TB) (f forms) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text := func(kind string, der []byte, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	f.pkcs8 = text("PRIVATE KEY", der, err)
	f.pkcs1 = text("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key), nil)
	der, err = x509.MarshalPKCS8PrivateKey(curve)
	f.ec = text("PRIVATE KEY", der, err)
	return f
}

// keyFile is the file of a service account; a member given as "" is left out.
func keyFile(key string, more map[string]string) string {
	all := map[string]string{"type": "service_account", "project_id": "p-1", "private_key_id": "kid", "private_key": key,
		"client_email": "robot@p-1.iam.gserviceaccount.com", "token_uri": "https://oauth2.googleapis.com/token"}
	maps.Copy(all, more)
	maps.DeleteFunc(all, func(_, v string) bool { return v == "" })
	b, _ := json.Marshal(all)
	return string(b)
}

func TestParseServiceAccount(t *testing.T) {
	f := newForms(t)
	want := Credential{ID: "a.json", Kind: Vertex, Email: "robot@p-1.iam.gserviceaccount.com", ProjectID: "p-1", KeyID: "kid", PrivateKey: f.pkcs8, TokenURI: "https://oauth2.googleapis.com/token"}
	for name, data := range map[string]string{
		"as Google gives it": keyFile(f.pkcs8, nil),
		"pkcs1":              keyFile(f.pkcs1, nil),
		"line ends escaped":  keyFile(strings.ReplaceAll(f.pkcs8, "\n", `\n`), nil),
		"Windows line ends":  keyFile(strings.ReplaceAll(f.pkcs8, "\n", "\r\n"), nil),
		"universe":           keyFile(f.pkcs8, map[string]string{"universe_domain": "googleapis.com"}),
		"base64":             base64.StdEncoding.EncodeToString([]byte(keyFile(f.pkcs8, nil))),
		"with a mark":        "\ufeff" + keyFile(f.pkcs8, nil),
	} {
		got, warnings, err := flat("a.json", []byte(data), rules)
		w := want
		if name == "pkcs1" {
			w.PrivateKey = f.pkcs1
		}
		if err != nil || len(warnings) != 0 || len(got) != 1 || show(got[0]) != show(w) || got[0].PrivateKey != w.PrivateKey || got[0].KeyID != "kid" || !got[0].IsService() || got[0].IsKey() || got[0].Secret() != w.PrivateKey {
			t.Errorf("%s: %v %q %v", name, got, warnings, err)
		}
	}
	mixed := "[" + keyFile(f.pkcs8, map[string]string{"label": "one"}) + `,{"type":"vertex_express_key","api_key":"AQ.x","label":"two"},{"type":"vertex_express","api_key":"AQ.y"},{"type":"vertex_api_key","api_key":"AQ.z"},{"type":"service_account"}]`
	got, warnings, err := flat("a.json", []byte(mixed), rules)
	if err != nil || len(got) != 4 || len(warnings) != 1 || !strings.Contains(warnings[0], "client_email") {
		t.Fatalf("%v %q %v", got, warnings, err)
	}
	for i, c := range got {
		if c.Kind != Vertex || c.IsKey() != (i > 0) || i > 0 && c.Secret() != c.APIKey {
			t.Errorf("%d: %v", i, c)
		}
	}
	if got[0].Label != "one" || got[1].Label != "two" || got[1].APIKey != "AQ.x" {
		t.Errorf("labels %q %q", got[0].Label, got[1].Label)
	}
	for _, v := range FromEnvironment([]string{"GCLI_CREDS_robot=" + keyFile(f.pkcs8, nil), "GOOGLE_CREDENTIALS='" + keyFile(f.pkcs8, nil) + "'"}, true) {
		if s, err := v.Parse(rules); err != nil || len(s.Items) != 1 || s.Items[0].Creds[0].PrivateKey != f.pkcs8 {
			t.Errorf("%s: %v", v, err)
		}
	}
}

func TestParseServiceAccountRefuses(t *testing.T) {
	f := newForms(t)
	middle := len(f.pkcs8) / 2
	small := base64.StdEncoding.EncodeToString([]byte("no key at all"))
	for _, row := range []struct{ data, says string }{
		{keyFile("", nil), `"private_key" is missing`},
		{keyFile("HIDDEN", nil), `"private_key" is no PEM`},
		{keyFile(f.pkcs8[:middle], nil), `"private_key" is no PEM`},
		{keyFile(f.ec, nil), "not an RSA key"},
		{keyFile("-----BEGIN PRIVATE KEY-----\n"+small+"\n-----END PRIVATE KEY-----\n", nil), "damaged"},
		{keyFile("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"+small+"\n-----END ENCRYPTED PRIVATE KEY-----\n", nil), "passphrase"},
		{keyFile(f.pkcs8, map[string]string{"client_email": ""}), `"client_email" is missing`},
		{keyFile(f.pkcs8, map[string]string{"client_email": "HIDDEN robot"}), `"client_email"`},
		{keyFile(f.pkcs8, map[string]string{"project_id": ""}), `"project_id" is missing`},
		{keyFile(f.pkcs8, map[string]string{"project_id": "a,b"}), `"project_id"`},
		{keyFile(f.pkcs8, map[string]string{"project_id": "a/../b"}), `"project_id"`},
		{keyFile(f.pkcs8, map[string]string{"project_id": "all"}), `"project_id"`},
		{keyFile(f.pkcs8, map[string]string{"universe_domain": "evil.example"}), "universe_domain"},
		{keyFile(f.pkcs8, map[string]string{"token_uri": "https://evil.example/token"}), "token_uri"},
		{keyFile(f.pkcs8, map[string]string{"token_uri": "http://169.254.169.254/"}), "token_uri"},
		{`{"type":"vertex_express_key"}`, `"api_key" is missing`},
		{`{"type":"vertex_express_key","api_key":"HIDDEN\nx: y"}`, "characters"},
	} {
		got, _, err := flat("a.json", []byte(row.data), rules)
		if err == nil || !strings.Contains(err.Error(), row.says) || strings.Contains(err.Error(), "HIDDEN") {
			t.Errorf("%.60s: %v, %v", row.data, got, err)
		}
	}
}

func TestServiceAccountShowsNoSecret(t *testing.T) {
	c := Credential{ID: "a.json", Kind: Vertex, PrivateKey: "SECRET", APIKey: "SECRET", KeyID: "k"}
	j, _ := json.Marshal(c)
	for _, text := range []string{fmt.Sprintf("%+v %#v %s %v", c, c, c, &c), string(j), c.LogValue().String()} {
		if strings.Contains(text, "SECRET") {
			t.Errorf("shown as %s", text)
		}
	}
	if a, b := APIKey("AQ.x"), ExpressKey("AQ.x"); a.ID == b.ID || b.Kind != Vertex || strings.Contains(b.ID, "AQ") {
		t.Errorf("%v %v", a, b)
	}
}

// robot is a service account of a simulated Google as its file is read.
func robot(t *testing.T, s *simulator.Server) Credential {
	t.Helper()
	got, _, err := flat("robot.json", s.AddServiceAccount("", "proj-r"), Rules{})
	if err != nil {
		t.Fatal(err)
	}
	return got[0]
}

func TestServiceToken(t *testing.T) {
	s, c := google(t, simulator.Options{TokenLife: 1000 * time.Second})
	cred := robot(t, s)
	for _, uri := range []string{cred.TokenURI, "", "https://accounts.google.com/o/oauth2/token", s.URL() + "/token"} {
		cred.TokenURI = uri
		got, fail := c.Refresh(t.Context(), cred)
		if fail != nil {
			t.Fatalf("%q: %v", uri, fail)
		}
		if left := time.Until(got.Expiry); got.AccessToken == "" || got.RefreshToken != "" || left < 990*time.Second || left > 1000*time.Second {
			t.Errorf("%+v", got)
		}
	}
	if n := len(s.CallsOf("token")); n != 4 {
		t.Errorf("%d calls for four tokens", n)
	}
	if _, fail := c.Refresh(t.Context(), ExpressKey("AQ.x")); fail == nil || !fail.Permanent {
		t.Errorf("an API key: %v", fail)
	}
}

func TestServiceTokenRefused(t *testing.T) {
	now := time.Now()
	for _, row := range []struct {
		name      string
		change    func(s *simulator.Server, c *Credential)
		clock     time.Duration
		permanent bool
		says      string
	}{
		{"account gone", func(s *simulator.Server, c *Credential) {
			s.UpdateAccount(c.Email, func(a *simulator.Account) { a.RefreshError = "account_not_found" })
		}, 0, true, "account not found"},
		{"key gone", func(s *simulator.Server, c *Credential) { s.RenewServiceKey(c.Email) }, 0, true, "Invalid JWT Signature"},
		{"key gone, without its id", func(s *simulator.Server, c *Credential) { s.RenewServiceKey(c.Email); c.KeyID = "" }, 0, true, "Invalid JWT Signature"},
		{"wrong audience", func(_ *simulator.Server, c *Credential) { c.TokenURI = "https://www.googleapis.com/x" }, 0, true, "token_uri"},
		{"clock fast", nil, 2 * time.Hour, false, "clock of this machine, it is 2h0m"},
		{"clock slow", nil, -3 * time.Hour, false, "slow"},
		{"out of order", func(s *simulator.Server, _ *Credential) {
			s.Script(simulator.Fault{Do: "503", Verb: "token"})
		}, 0, false, "out of order"},
		{"policy", func(s *simulator.Server, c *Credential) {
			s.UpdateAccount(c.Email, func(a *simulator.Account) { a.RefreshError = "unauthorized_client" })
		}, 0, true, "unauthorized_client"},
		{"damaged since", func(_ *simulator.Server, c *Credential) { c.PrivateKey = "SECRET" }, 0, true, "PEM"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, c := google(t, simulator.Options{})
			cred := robot(t, s)
			if row.change != nil {
				row.change(s, &cred)
			}
			c.o.Now = func() time.Time { return now.Add(row.clock) }
			_, fail := c.Refresh(t.Context(), cred)
			if fail == nil || fail.Permanent != row.permanent || !strings.Contains(fail.Error(), row.says) || strings.Contains(fail.Error(), "SECRET") {
				t.Errorf("%+v", fail)
			}
		})
	}
	if _, fail := at(t, "http://127.0.0.1:1").Refresh(t.Context(), Credential{Kind: Vertex, PrivateKey: newForms(t).pkcs8}); fail == nil || fail.Permanent {
		t.Errorf("no network: %v", fail)
	}
}

// Whatever stands in the file, the statement goes to the configured address and nowhere else.
func TestServiceTokenGoesToTheConfiguredAddress(t *testing.T) {
	for body, fine := range map[string]bool{`{"access_token":"ya29.x"}`: true, `{"access_token":""}`: false, `<html>SECRET`: false, `[]`: false} {
		var path, grant string
		h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			path, grant = r.URL.Path, r.PostFormValue("grant_type")
			fmt.Fprint(w, body)
		}))
		cred := Credential{Kind: Vertex, Email: "r@x", PrivateKey: newForms(t).pkcs1, TokenURI: "https://oauth2.googleapis.com/token"}
		got, fail := at(t, h.URL).Refresh(t.Context(), cred)
		h.Close()
		if (fail == nil) != fine || path != "/token" || grant != jwtGrant || fail != nil && (fail.Permanent || strings.Contains(fail.Error(), "SECRET")) {
			t.Errorf("%s: %v %v %s %s", body, got.AccessToken, fail, path, grant)
		}
		if left := time.Until(got.Expiry); fine && (left < unknownLife-time.Minute || left > unknownLife) {
			t.Errorf("a token of unknown life lives %s", left)
		}
	}
}
