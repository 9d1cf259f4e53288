package simulator

import (
	"encoding/json"
	"strings"
	"testing"
)

const metadataJSON = `"metadata":{"ideType":"IDE_UNSPECIFIED","platform":"PLATFORM_UNSPECIFIED","pluginType":"GEMINI"}`

func decoded(t *testing.T, a answered) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal(a.body, &out); err != nil || a.status != 200 {
		t.Fatalf("%d %s %v", a.status, a.body, err)
	}
	return out
}

func TestLoadCodeAssist(t *testing.T) {
	k := start(t, Options{})
	load := func(project string) map[string]any {
		body := `{` + metadataJSON + `}`
		if project != "" {
			body = `{"cloudaicompanionProject":"` + project + `",` + metadataJSON + `}`
		}
		return decoded(t, k.assist("loadCodeAssist", body))
	}
	if got := load(""); got["cloudaicompanionProject"] != nil || got["currentTier"].(map[string]any)["id"] != "standard-tier" {
		t.Errorf("licensed account without a project: %v", got)
	}
	if got := load(k.account.Project); got["cloudaicompanionProject"] != k.account.Project {
		t.Errorf("licensed account with its project: %v", got)
	}
	k.assist("loadCodeAssist", `{"cloudaicompanionProject":"foreign"}`).want(t, 403, "CONSUMER_INVALID")
	k.UpdateAccount(email, func(a *Account) { a.Tier, a.PaidTier = "free-tier", "g1-pro-tier" })
	if got := load(""); got["cloudaicompanionProject"] != k.account.Project || got["paidTier"] == nil {
		t.Errorf("free account: %v", got)
	}
	k.assist("loadCodeAssist", `{"metadata":{"ideType":"EMACS"}}`).want(t, 400, `metadata.ide_type`)
	k.assist("loadCodeAssist", `{"meta":{}}`).want(t, 400, `Unknown name \"meta\": Cannot find field.`)
}

func TestIneligible(t *testing.T) {
	k := start(t, Options{})
	k.AddAccount(Account{Email: "b@example.com", Tier: "free-tier", NotOnboarded: true, Ineligible: []Ineligible{
		{ReasonCode: "UNSUPPORTED_CLIENT", ReasonMessage: "This client is no longer supported.", TierID: "free-tier"},
		{ReasonCode: "VALIDATION_REQUIRED", TierID: "other", ValidationURL: "https://accounts.google.com/verify"}}})
	k.token = k.AccessToken("b@example.com")
	a := k.assist("loadCodeAssist", `{}`)
	got := decoded(t, a)
	if got["currentTier"] != nil {
		t.Errorf("ineligible account has a tier: %v", got)
	}
	for _, want := range []string{"UNSUPPORTED_CLIENT", "VALIDATION_REQUIRED", "https://accounts.google.com/verify"} {
		if !strings.Contains(string(a.body), want) {
			t.Errorf("no %s in %s", want, a.body)
		}
	}
	k.assist("onboardUser", `{"tierId":"free-tier"}`).want(t, 403, "PERMISSION_DENIED")
}

func TestOnboard(t *testing.T) {
	k := start(t, Options{})
	k.AddAccount(Account{Email: "n@example.com", Tier: "free-tier", NotOnboarded: true, OnboardPolls: 2})
	k.token = k.AccessToken("n@example.com")
	k.assist("onboardUser", `{"tierId":"free-tier","cloudaicompanionProject":"p"}`).want(t, 400, "FAILED_PRECONDITION")
	k.assist("onboardUser", `{}`).want(t, 400, "INVALID_ARGUMENT")
	op := decoded(t, k.assist("onboardUser", `{"tierId":"free-tier",`+metadataJSON+`}`))
	name := op["name"].(string)
	if op["done"] != false {
		t.Fatalf("done at once: %v", op)
	}
	poll := func() map[string]any { return decoded(t, k.send("GET", "/v1internal/"+name, "", k.bearerHeader())) }
	if got := poll(); got["done"] != false {
		t.Errorf("second poll: %v", got)
	}
	got := poll()
	project, _ := got["response"].(map[string]any)["cloudaicompanionProject"].(map[string]any)
	if got["done"] != true || project["id"] != "sim-n" {
		t.Errorf("last poll: %v", got)
	}
	if got := decoded(t, k.assist("loadCodeAssist", `{}`)); got["currentTier"] == nil {
		t.Errorf("not onboarded: %v", got)
	}
	k.send("GET", "/v1internal/operations/none", "", k.bearerHeader()).want(t, 404, "NOT_FOUND")
	k.AddAccount(Account{Email: "x@example.com", NotOnboarded: true, OnboardError: "no"})
	k.token = k.AccessToken("x@example.com")
	k.assist("onboardUser", `{"tierId":"standard-tier","cloudaicompanionProject":"sim-x"}`).want(t, 200, `"error":{"code":7,"message":"no"}`)
}

func TestQuota(t *testing.T) {
	k := start(t, Options{})
	k.assist("retrieveUserQuota", `{"project":"`+k.account.Project+`"}`).want(t, 200, `"modelId":"gemini-2.5-pro"`)
	k.assist("retrieveUserQuota", `{"project":"x"}`).want(t, 403, "CONSUMER_INVALID")
	k.UpdateAccount(email, func(a *Account) { a.Quota = []Bucket{{Model: "gemini-2.5-pro"}} })
	if a := k.assist("retrieveUserQuota", `{"project":"`+k.account.Project+`"}`); strings.Contains(string(a.body), "remainingFraction") {
		t.Errorf("an empty bucket names its fraction: %s", a.body)
	}
}

func TestProjectsAndServices(t *testing.T) {
	k := start(t, Options{})
	k.UpdateAccount(email, func(a *Account) {
		a.Projects = []Project{{ID: "second"}, {ID: "gone", State: "DELETE_REQUESTED"}}
		a.APIDisabled = true
	})
	k.send("GET", "/v1/projects?pageSize=2", "", k.bearerHeader()).want(t, 200, `"nextPageToken":"2"`)
	k.send("GET", "/v1/projects?pageSize=2&pageToken=2", "", k.bearerHeader()).want(t, 200, `"projectId":"gone"`)
	if a := k.send("GET", "/v1/projects?filter=lifecycleState:ACTIVE", "", k.bearerHeader()); strings.Contains(string(a.body), "gone") {
		t.Errorf("filter: %s", a.body)
	}
	k.send("GET", "/v1/projects", "", nil).want(t, 401, "CREDENTIALS_MISSING")
	const service = "/services/cloudaicompanion.googleapis.com"
	path := "/v1/projects/" + k.account.Project + service
	k.send("GET", path, "", k.bearerHeader()).want(t, 200, `"state":"DISABLED"`)
	k.ask("generateContent", "gemini-2.5-flash", user("hi")).want(t, 403, "SERVICE_DISABLED")
	k.send("POST", path+":enable", "{}", k.bearerHeader()).want(t, 200, `"done":true`)
	k.send("GET", path, "", k.bearerHeader()).want(t, 200, `"state":"ENABLED"`)
	k.ask("generateContent", "gemini-2.5-flash", user("hi")).want(t, 200, "echo: hi")
	k.send("POST", "/v1/projects/foreign"+service+":enable", "{}", k.bearerHeader()).want(t, 403, "PERMISSION_DENIED")
	k.UpdateAccount(email, func(a *Account) { a.CannotEnable = true })
	k.send("POST", "/v1/projects/second"+service+":enable", "{}", k.bearerHeader()).want(t, 403, "PERMISSION_DENIED")
	k.send("POST", "/v1/projects/second/services:batchEnable", `{"serviceIds":["a"]}`, k.bearerHeader()).want(t, 403, "PERMISSION_DENIED")
}

func TestMetadataService(t *testing.T) {
	k := start(t, Options{MetadataProject: "machine-project"})
	k.send("GET", "/computeMetadata/v1/project/project-id", "", map[string]string{"Metadata-Flavor": "Google"}).want(t, 200, "machine-project")
	k.send("GET", "/computeMetadata/v1/project/project-id", "", nil).want(t, 403, "Metadata-Flavor")
}

func TestRefusedCallers(t *testing.T) {
	k := start(t, Options{})
	body := `{"model":"gemini-2.5-flash","project":"` + k.account.Project + `","request":` + user("hi") + `}`
	call := func(header map[string]string) answered {
		header["Content-Type"] = "application/json"
		return k.send("POST", "/v1internal:generateContent", body, header)
	}
	bearer := "Bearer " + k.token
	call(map[string]string{}).want(t, 401, "CREDENTIALS_MISSING")
	call(map[string]string{"Authorization": "Bearer x"}).want(t, 401, "ACCESS_TOKEN_TYPE_UNSUPPORTED")
	call(map[string]string{"Authorization": bearer, "X-Goog-User-Project": "p"}).want(t, 403, "SERVICE_DISABLED")
	call(map[string]string{"Authorization": bearer, "X-Goog-Api-Key": key}).want(t, 400, "API_KEY_INVALID")
	if a := call(map[string]string{"Authorization": bearer}); a.status != 200 {
		t.Errorf("good call: %d %s", a.status, a.body)
	}
	k.ExpireTokens(email)
	if a := call(map[string]string{"Authorization": bearer}); a.status != 401 || a.header.Get("WWW-Authenticate") == "" {
		t.Errorf("expired: %d", a.status)
	}
	call(map[string]string{"Authorization": bearer}).want(t, 401, "ACCESS_TOKEN_EXPIRED")
	k.UpdateAccount(email, func(a *Account) { a.Scope = "openid" })
	call(map[string]string{"Authorization": "Bearer " + k.AccessToken(email)}).want(t, 403, "ACCESS_TOKEN_SCOPE_INSUFFICIENT")

	path := "/v1beta/models/gemini-2.5-flash:generateContent"
	json := "application/json"
	k.send("POST", path, user("hi"), map[string]string{"Content-Type": json}).want(t, 403, "unregistered callers")
	k.send("POST", path, user("hi"), map[string]string{"Content-Type": json, "X-Goog-Api-Key": "bad"}).want(t, 400, "API_KEY_INVALID")
	k.send("POST", path+"?key="+key, user("hi"), map[string]string{"Content-Type": json}).want(t, 200, "echo: hi")
	k.send("POST", path+"?key="+key+"&foo=1", user("hi"), map[string]string{"Content-Type": json}).want(t, 400, "Cannot bind query parameter")
	k.send("POST", path, user("hi"), map[string]string{"X-Goog-Api-Key": key}).want(t, 400, "content type")
	if a := k.send("POST", "/v1internal:listModels", "{}", k.bearerHeader()); a.status != 404 || !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
		t.Errorf("unknown method: %d %s", a.status, a.body)
	}
}
