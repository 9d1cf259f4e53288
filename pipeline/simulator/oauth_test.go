package simulator

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"
)

func (k *kit) form(path string, values url.Values) (answered, map[string]any) {
	k.t.Helper()
	a := k.send("POST", path, values.Encode(), map[string]string{"Content-Type": "application/x-www-form-urlencoded"})
	var body map[string]any
	if err := json.Unmarshal(a.body, &body); err != nil {
		k.t.Fatalf("token answer: %v: %s", err, a.body)
	}
	return a, body
}

func (k *kit) refreshForm() url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "client_id": {ClientID}, "client_secret": {ClientSecret},
		"refresh_token": {k.account.RefreshToken}}
}

func TestRefresh(t *testing.T) {
	k := start(t, Options{TokenLife: time.Hour})
	a, body := k.form("/token", k.refreshForm())
	if a.status != 200 || body["expires_in"] != 3600.0 || body["token_type"] != "Bearer" || body["refresh_token"] != nil {
		t.Fatalf("refresh: %d %v", a.status, body)
	}
	k.token = body["access_token"].(string)
	k.ask("generateContent", "gemini-2.5-flash", user("hi")).want(t, 200, "echo: hi")
	if c := k.CallsOf("token"); len(c) != 1 || c[0].Credential != email {
		t.Errorf("record of the refresh: %+v", c)
	}
}

func TestRefreshRefusals(t *testing.T) {
	cases := []struct {
		name          string
		change        func(*Account)
		form          func(url.Values)
		status        int
		code, subtype string
	}{
		{"unknown token", nil, func(v url.Values) { v.Set("refresh_token", "1//other") }, 400, "invalid_grant", ""},
		{"wrong client", nil, func(v url.Values) { v.Set("client_id", "other") }, 401, "unauthorized_client", ""},
		{"wrong secret", nil, func(v url.Values) { v.Set("client_secret", "other") }, 401, "invalid_client", ""},
		{"no client", nil, func(v url.Values) { v.Del("client_id") }, 400, "invalid_request", ""},
		{"other grant", nil, func(v url.Values) { v.Set("grant_type", "password") }, 400, "unsupported_grant_type", ""},
		{"revoked", func(a *Account) { a.RefreshError = "invalid_grant" }, nil, 400, "invalid_grant", ""},
		{"rapt", func(a *Account) { a.RefreshError = "invalid_rapt" }, nil, 400, "invalid_grant", "invalid_rapt"},
		{"client gone", func(a *Account) { a.RefreshError = "invalid_client" }, nil, 401, "invalid_client", ""},
		{"unauthorized", func(a *Account) { a.RefreshError = "unauthorized_client" }, nil, 400, "unauthorized_client", ""},
		{"transient", func(a *Account) { a.RefreshError = "internal_failure" }, nil, 500, "internal_failure", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			k := start(t, Options{})
			form := k.refreshForm()
			if c.change != nil {
				k.UpdateAccount(email, c.change)
			}
			if c.form != nil {
				c.form(form)
			}
			a, body := k.form("/token", form)
			subtype, _ := body["error_subtype"].(string)
			if a.status != c.status || body["error"] != c.code || subtype != c.subtype {
				t.Errorf("got %d %v", a.status, body)
			}
		})
	}
}

func TestRotatingRefreshToken(t *testing.T) {
	k := start(t, Options{})
	k.UpdateAccount(email, func(a *Account) { a.RotateRefresh = true })
	form := k.refreshForm()
	_, body := k.form("/token", form)
	if a, _ := k.form("/token", form); a.status != 400 {
		t.Errorf("the old refresh token still works: %d", a.status)
	}
	form.Set("refresh_token", body["refresh_token"].(string))
	if a, _ := k.form("/token", form); a.status != 200 {
		t.Errorf("the new refresh token does not work: %d", a.status)
	}
}

func TestSignIn(t *testing.T) {
	k := start(t, Options{})
	verifier := "a-verifier-that-is-long-enough-for-anybody-to-accept"
	sum := sha256.Sum256([]byte(verifier))
	query := url.Values{"client_id": {ClientID}, "redirect_uri": {"http://localhost:11451"}, "response_type": {"code"}, "scope": {Scope},
		"access_type": {"offline"}, "prompt": {"consent"}, "state": {"s1"}, "code_challenge_method": {"S256"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}}
	signIn := func() string {
		a := k.send("GET", "/o/oauth2/v2/auth?"+query.Encode(), "", nil)
		back, err := url.Parse(a.header.Get("Location"))
		if err != nil || a.status != 302 || back.Query().Get("state") != "s1" || back.Host != "localhost:11451" {
			t.Fatalf("redirect: %d %q %v", a.status, back, err)
		}
		return back.Query().Get("code")
	}
	form := url.Values{"grant_type": {"authorization_code"}, "client_id": {ClientID}, "client_secret": {ClientSecret},
		"redirect_uri": {"http://localhost:11451"}, "code_verifier": {verifier}, "code": {signIn()}}
	_, body := k.form("/token", form)
	if body["refresh_token"] != k.account.RefreshToken {
		t.Fatalf("exchange: %v", body)
	}
	if a, body := k.form("/token", form); a.status != 400 || body["error"] != "invalid_grant" {
		t.Errorf("a code works twice: %d %v", a.status, body)
	}
	for field, wrong := range map[string][2]string{"redirect_uri": {"http://localhost:1", "redirect_uri_mismatch"}, "code_verifier": {"nope", "invalid_grant"},
		"client_id": {"other", "unauthorized_client"}, "client_secret": {"other", "invalid_client"}} {
		bad := url.Values{}
		for k, v := range form {
			bad[k] = v
		}
		bad.Set("code", signIn())
		bad.Set(field, wrong[0])
		if a, body := k.form("/token", bad); a.status < 400 || body["error"] != wrong[1] {
			t.Errorf("wrong %s: %d %v", field, a.status, body)
		}
	}
	query.Del("prompt")
	form.Set("code", signIn())
	if _, body := k.form("/token", form); body["refresh_token"] != nil || body["access_token"] == nil {
		t.Errorf("without consent: %v", body)
	}
}

func TestSignInRefusals(t *testing.T) {
	k := start(t, Options{})
	ask := func(redirect, client string) answered {
		query := url.Values{"client_id": {client}, "redirect_uri": {redirect}, "response_type": {"code"}, "scope": {Scope}}
		return k.send("GET", "/o/oauth2/auth?"+query.Encode(), "", nil)
	}
	ask("https://gateway.example.com/callback", ClientID).want(t, 400, "redirect_uri_mismatch")
	ask("http://localhost:1", "other").want(t, 401, "invalid_client")
	// A hint that fits nobody is no more than that.
	hinted := url.Values{"client_id": {ClientID}, "redirect_uri": {"http://localhost:1"}, "response_type": {"code"}, "scope": {Scope}, "login_hint": {"eve@example.com"}}
	if a := k.send("GET", "/o/oauth2/auth?"+hinted.Encode(), "", nil); a.status != 302 || !strings.Contains(a.header.Get("Location"), "code=") {
		t.Errorf("an unknown hint: %d %v", a.status, a.header)
	}
	k.UpdateAccount(email, func(a *Account) { a.DenySignIn = "access_denied" })
	a := ask("http://127.0.0.1:1/oauth2callback", ClientID)
	if back, _ := url.Parse(a.header.Get("Location")); back.Query().Get("error") != "access_denied" || back.Query().Get("code") != "" {
		t.Errorf("denied: %v", back)
	}
}

func TestIdentity(t *testing.T) {
	k := start(t, Options{})
	k.send("GET", "/oauth2/v2/userinfo", "", k.bearerHeader()).want(t, 200, `"email":"`+email+`"`)
	k.send("GET", "/oauth2/v2/userinfo", "", nil).want(t, 401, "CREDENTIALS_MISSING")
	k.send("GET", "/tokeninfo?access_token="+k.token, "", nil).want(t, 200, ClientID)
	k.send("GET", "/tokeninfo?access_token=x", "", nil).want(t, 400, "invalid_token")
	k.send("POST", "/revoke", "token="+url.QueryEscape(k.account.RefreshToken), nil).want(t, 200, "{}")
	k.send("POST", "/revoke", "token=x", nil).want(t, 400, "invalid_token")
	k.send("GET", "/oauth2/v2/userinfo", "", k.bearerHeader()).want(t, 401, "ACCESS_TOKEN_TYPE_UNSUPPORTED")
	if a, body := k.form("/token", k.refreshForm()); a.status != 400 || body["error"] != "invalid_grant" {
		t.Errorf("revoked refresh token: %d %v", a.status, body)
	}
}

func TestCredentialFiles(t *testing.T) {
	k := start(t, Options{})
	for layout, fields := range map[Layout][]string{
		LayoutGeminiCLI: {"access_token", "refresh_token", "expiry_date", "id_token"},
		LayoutGateway:   {"client_id", "client_secret", "token", "refresh_token", "token_uri", "project_id", "expiry", "scopes"},
		LayoutCLIProxy:  {"type", "email", "project_id", "token", "access_token"},
		LayoutADC:       {"type", "client_id", "client_secret", "refresh_token", "quota_project_id"},
	} {
		var file map[string]any
		if err := json.Unmarshal(k.CredentialFile(email, layout), &file); err != nil {
			t.Fatal(err)
		}
		for _, name := range fields {
			if file[name] == nil || file[name] == "" {
				t.Errorf("layout %s has no %s", layout, name)
			}
		}
		if token, ok := file["access_token"].(string); ok {
			k.token = token
			k.send("GET", "/oauth2/v2/userinfo", "", k.bearerHeader()).want(t, 200, email)
		}
	}
	var stale struct{ Token, Expiry string }
	if err := json.Unmarshal(k.StaleCredentialFile(email, LayoutGateway), &stale); err != nil {
		t.Fatal(err)
	}
	if when, err := time.Parse("2006-01-02T15:04:05.000000-07:00", stale.Expiry); err != nil || when.After(time.Now()) {
		t.Errorf("stale expiry: %q %v", stale.Expiry, err)
	}
	k.token = stale.Token
	k.ask("generateContent", "gemini-2.5-flash", user("hi")).want(t, 401, "ACCESS_TOKEN_EXPIRED")
	if k.CredentialFile("nobody@example.com", LayoutGateway) != nil {
		t.Error("a file for nobody")
	}
}
