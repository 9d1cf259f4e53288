package simulator

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
	"time"
)

const robot = "robot@proj-r.iam.gserviceaccount.com"

// statement signs claims with the key of the robot.
func (k *kit) statement(claims object, head object) string {
	part := func(v any) string { return base64.RawURLEncoding.EncodeToString(encode(v)) }
	text := part(head) + "." + part(claims)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, k.accounts[robot].key.private, crypto.SHA256, sum[:])
	if err != nil {
		k.t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func (k *kit) asserts(statement string) (answered, map[string]any) {
	return k.form("/token", url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {statement}})
}

func TestServiceAccount(t *testing.T) {
	k := start(t, Options{TokenLife: time.Hour})
	file := string(k.AddServiceAccount(robot, "proj-r"))
	for _, word := range []string{`"type":"service_account"`, `"project_id":"proj-r"`, robot, "BEGIN PRIVATE KEY"} {
		if !strings.Contains(file, word) {
			t.Errorf("the file has no %s", word)
		}
	}
	now := time.Now().Unix()
	good := func() object {
		return object{"iss": robot, "scope": "https://www.googleapis.com/auth/cloud-platform", "aud": "https://oauth2.googleapis.com/token", "iat": now, "exp": now + 3600}
	}
	with := func(name string, v any) object { c := good(); c[name] = v; return c }
	head := object{"alg": "RS256", "typ": "JWT", "kid": k.accounts[robot].key.id}
	for _, c := range []struct {
		name      string
		claims    object
		head      object
		code, say string
	}{
		{"good", good(), head, "", ""},
		{"without a key id", good(), object{"alg": "RS256"}, "", ""},
		{"aud of the mirror", with("aud", k.URL()+"/token"), head, "", ""},
		{"a bit fast", with("iat", now+200), head, "", ""},
		{"unknown account", with("iss", "other@x"), head, "invalid_grant", "account not found"},
		{"a person", with("iss", email), head, "invalid_grant", "account not found"},
		{"other algorithm", good(), object{"alg": "HS256"}, "invalid_grant", "Signature"},
		{"other key", good(), object{"alg": "RS256", "kid": "x"}, "invalid_grant", "Signature"},
		{"wrong audience", with("aud", "https://evil.example/token"), head, "invalid_grant", "audience"},
		{"too long", with("exp", now+3601), head, "invalid_grant", "short-lived"},
		{"in the past", object{"iss": robot, "scope": "x", "aud": "https://oauth2.googleapis.com/token", "iat": now - 7200, "exp": now - 3600}, head, "invalid_grant", "timeframe"},
		{"from the future", object{"iss": robot, "scope": "x", "aud": "https://oauth2.googleapis.com/token", "iat": now + 600, "exp": now + 4000}, head, "invalid_grant", "timeframe"},
		{"no scope", with("scope", ""), head, "invalid_scope", "scope"},
	} {
		a, body := k.asserts(k.statement(c.claims, c.head))
		say, _ := body["error_description"].(string)
		if code, _ := body["error"].(string); code != c.code || (a.status == 200) != (c.code == "") || !strings.Contains(say, c.say) {
			t.Errorf("%s: %d %v", c.name, a.status, body)
		}
		if _, refresh := body["refresh_token"]; refresh {
			t.Errorf("%s: a refresh token", c.name)
		}
	}
	signed := k.statement(good(), head)
	for _, broken := range []string{"", "a.b", "a.b.c", signed[:len(signed)-8] + "AAAAAAAA", signed + "x"} {
		if a, body := k.asserts(broken); a.status != 400 || body["error"] == nil {
			t.Errorf("%.20q: %d %v", broken, a.status, body)
		}
	}
	k.RenewServiceKey(robot)
	if a, body := k.asserts(signed); a.status != 400 {
		t.Errorf("the old key still counts: %v", body)
	}
}

func TestVertexPlaces(t *testing.T) {
	k := start(t, Options{})
	k.AddServiceAccount(robot, "proj-r")
	header := map[string]string{"Authorization": "Bearer " + k.AccessToken(robot), "Content-Type": "application/json"}
	for _, c := range []struct {
		place, model string
		status       int
		say          string
	}{
		{"projects/proj-r/locations/global", "gemini-2.5-flash", 200, "echo: hi"},
		{"projects/proj-r/locations/us-central1", "gemini-2.5-flash", 200, "echo: hi"},
		{"projects/proj-r/locations/eu", "gemini-2.5-flash", 200, "echo: hi"},
		{"projects/proj-r/locations/mars", "gemini-2.5-flash", 404, "<html"},
		{"projects/other/locations/global", "gemini-2.5-flash", 403, "aiplatform.endpoints.predict"},
		{"projects/proj-r/locations/us-central1", "gemini-3-flash-preview", 404, "was not found"},
		{"projects/proj-r/locations/global", "gemini-3-flash-preview", 200, "echo: hi"},
	} {
		k.send("POST", "/v1/"+c.place+"/publishers/google/models/"+c.model+":generateContent", user("hi"), header).want(t, c.status, c.say)
	}
	at := "/v1/projects/proj-r/locations/global/publishers/google/models/gemini-2.5-flash:"
	k.send("POST", at+"generateContent", `{"contents":[{"parts":[{"text":"hi"}]}]}`, header).want(t, 400, "valid role")
	k.send("POST", at+"generateContent", `{"store":true,`+user("hi")[1:], header).want(t, 400, "store")
	k.send("POST", at+"generateContent", user("!fault 429"), header).want(t, 429, "error-code-429")
	k.send("POST", at+"countTokens", user("hi"), header).want(t, 200, "totalTokens")
	k.UpdateAccount(robot, func(a *Account) { a.APIDisabled = true })
	k.send("POST", at+"generateContent", user("hi"), header).want(t, 403, "Vertex AI API")
	k.send("POST", "/v1internal:generateContent", `{"model":"gemini-2.5-flash","project":"proj-r","request":`+user("hi")+`}`, header).want(t, 403, "permission")
}
