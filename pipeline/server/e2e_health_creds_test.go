package server_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline/simulator"
)

// health is the answer of the routes that test, verify and look.
type health struct {
	Success   bool
	Filename  string
	Status    int
	Message   string
	Link      string
	Model     string
	Took      float64 `json:"took_ms"`
	Disabled  bool
	Project   string  `json:"project_id"`
	Tier      string  `json:"tier"`
	Email     *string `json:"user_email"`
	Services  map[string]string
	Permanent bool
	Detail    string
}

// heal calls such a route about one credential.
func (g *gateway) heal(path, name string, status int) (h health) {
	g.t.Helper()
	r := g.post(path, `{"filename":`+quoted(name)+`}`)
	if err := json.Unmarshal(r.body, &h); err != nil || r.status != status {
		g.t.Errorf("%s %s: %d %s", path, name, r.status, r.body)
	}
	return h
}

// off tells whether a credential is switched off, why and where a person can help.
func (g *gateway) off(name string) (off bool, reason, link string) {
	g.t.Helper()
	var s struct {
		Creds map[string]struct {
			Status struct {
				Disabled bool
				Reason   string
				Link     string
			}
		}
	}
	if err := json.Unmarshal(g.get("/creds/status").body, &s); err != nil {
		g.t.Error(err)
	}
	st := s.Creds[name].Status
	return st.Disabled, st.Reason, st.Link
}

// One call of one token with exactly the credential that is named, whatever it is and however it stands.
func TestCredentialIsTested(t *testing.T) {
	t.Parallel()
	sim := google(t, 2, 2)
	robot := string(sim.AddServiceAccount("robot@proj-r.iam.gserviceaccount.com", "proj-r"))
	g := start(t, launch{sim: sim, accounts: 2, keys: 2, files: map[string]string{"robot.json": robot,
		"express.json": `{"type":"vertex_express_key","api_key":` + quoted(apiKey(0)) + `}`}})
	for name, who := range map[string]string{"ann1.json": "ann1@example.com", "key1.json": "key:", "express.json": "key:", "robot.json": "robot@"} {
		h := g.heal("/creds/test", name, 200)
		last := sim.CallsOf("generateContent")
		if !h.Success || h.Status != 200 || h.Filename != name || h.Model != flash || h.Took <= 0 || len(last) == 0 || !strings.HasPrefix(last[len(last)-1].Credential, who) {
			t.Errorf("%s: %+v", name, h)
		}
	}
	// The model that is asked for is asked, and Google's own status is told.
	var h health
	r := g.post("/creds/test/"+url.PathEscape("ann0.json"), `{"model":"no-such-model"}`)
	if err := json.Unmarshal(r.body, &h); err != nil || h.Success || h.Status != 404 || h.Model != "no-such-model" || h.Message == "" {
		t.Errorf("%d %s", r.status, r.body)
	}
	sim.Script(simulator.Fault{Do: "429-quota 13h", Credential: "ann0@example.com", Count: 1})
	if h := g.heal("/creds/test", "ann0.json", 200); h.Success || h.Status != 429 {
		t.Errorf("%+v", h)
	}
	n := len(sim.CallsOf("generateContent"))
	g.put(ask{}, "hello") // the failure counted: another one serves
	if got := sim.CallsOf("generateContent"); len(got) != n+1 || got[n].Credential == "ann0@example.com" {
		t.Errorf("%d calls", len(got)-n)
	}
	if h := g.heal("/creds/test", "ann0.json", 200); !h.Success { // and a success disproves it
		t.Errorf("%+v", h)
	}
	if body := string(g.get("/creds/status").body); strings.Contains(body, `"model_cooldowns":[{"model":"`+flash) {
		t.Errorf("it still rests: %s", body)
	}
	// Switched off, it is tested as well, and stays so.
	g.post("/creds/action", `{"filename":"ann1.json","action":"disable"}`)
	if h := g.heal("/creds/test", "ann1.json", 200); !h.Success || !h.Disabled || !strings.Contains(h.Message, "still switched off") {
		t.Errorf("%+v", h)
	}
	sim.Script(simulator.Fault{Do: "429-capacity", Credential: "ann1@example.com", Count: 1})
	if h := g.heal("/creds/test", "ann1.json", 200); h.Success || h.Status != 429 {
		t.Errorf("%+v", h)
	}
	if r := g.put(ask{}, "hello"); r.status != 200 {
		t.Errorf("the test of a credential that is not in use stopped others: %d %s", r.status, r.body)
	}
	// An expired token is renewed on the way, a dead sign-in is told.
	sim.ExpireTokens("ann0@example.com")
	if h := g.heal("/creds/test", "ann0.json", 200); !h.Success {
		t.Errorf("%+v", h)
	}
	sim.ExpireTokens("ann0@example.com")
	sim.UpdateAccount("ann0@example.com", func(a *simulator.Account) { a.RefreshError = "invalid_grant" })
	if h := g.heal("/creds/test", "ann0.json", 200); h.Success || h.Status != 400 || !strings.Contains(h.Message, "sign in again") || !h.Disabled {
		t.Errorf("%+v", h)
	}
	sim.Script(simulator.Fault{Do: "400-key", Credential: apiKey(1), Count: 1})
	if h := g.heal("/creds/test", "key1.json", 200); h.Success || h.Status != 400 || !h.Disabled || strings.Contains(h.Message, apiKey(1)) {
		t.Errorf("%+v", h)
	}
}

// The API of the project was off and could not be switched on; when it can be, verify does it.
func TestVerifyAfterTheAPIWasOff(t *testing.T) {
	t.Parallel()
	sim := google(t, 0, 0)
	sim.AddAccount(simulator.Account{Email: "off@example.com", APIDisabled: true, CannotEnable: true, PaidTier: "gcp-standard-tier"})
	g := start(t, launch{sim: sim, files: map[string]string{"off.json": string(sim.CredentialFile("off@example.com", simulator.LayoutGateway))}})
	g.put(ask{}, "hello")
	wait(t, "the credential is switched off", func() bool { off, _, _ := g.off("off.json"); return off })
	h := g.heal("/creds/verify", "off.json", 200)
	if h.Success || !h.Permanent || !strings.Contains(h.Message, "cloudaicompanion.googleapis.com is off") || !strings.HasPrefix(h.Link, "https://console.cloud.google.com/") {
		t.Errorf("%+v", h)
	}
	if off, reason, link := g.off("off.json"); !off || !strings.Contains(reason, "could not be switched on") || link != h.Link {
		t.Errorf("%t %s %s", off, reason, link)
	}
	sim.UpdateAccount("off@example.com", func(a *simulator.Account) { a.CannotEnable = false })
	h = g.heal("/creds/verify", "off.json", 200)
	if !h.Success || h.Project != "sim-off" || h.Tier != "gcp-standard-tier" || h.Email == nil || *h.Email != "off@example.com" ||
		h.Services["cloudaicompanion.googleapis.com"] != "switched on now" || h.Services["geminicloudassist.googleapis.com"] != "switched on now" || !strings.Contains(h.Message, "five minutes") {
		t.Errorf("%+v", h)
	}
	if r := g.put(ask{}, "hello"); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
	var again health // by the old product's path
	if r := g.post("/creds/verify-project/off.json", ""); json.Unmarshal(r.body, &again) != nil || !again.Success || again.Services["cloudaicompanion.googleapis.com"] != "on" {
		t.Errorf("%+v", again)
	}
}

// Google wants a person to verify the account: the link is told until that is done.
func TestVerifyAfterValidation(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	const link = "https://accounts.google.com/verify-me"
	ill := []simulator.Ineligible{{ReasonCode: "VALIDATION_REQUIRED", TierID: "free-tier", ValidationURL: link}}
	sim.AddAccount(simulator.Account{Email: "new@example.com", Tier: "free-tier", NotOnboarded: true, Ineligible: ill})
	g := start(t, launch{sim: sim, accounts: 1, files: map[string]string{"new.json": `{"refresh_token": ` + quoted(refreshToken(sim, "new@example.com")) +
		`, "client_id": "` + simulator.ClientID + `", "client_secret": "` + simulator.ClientSecret + `"}`}})
	for range 2 {
		if h := g.heal("/creds/verify", "new.json", 200); h.Success || h.Link != link || !strings.Contains(h.Message, "verified in a browser") {
			t.Errorf("%+v", h)
		}
		if off, reason, at := g.off("new.json"); !off || at != link || !strings.Contains(reason, "VALIDATION_REQUIRED") {
			t.Errorf("%t %s %s", off, reason, at)
		}
	}
	sim.UpdateAccount("new@example.com", func(a *simulator.Account) { a.Ineligible = nil })
	if h := g.heal("/creds/verify", "new.json", 200); !h.Success || h.Project != "sim-new" || h.Tier != "free-tier" {
		t.Errorf("%+v", h)
	}
	// The same as an answer to a call.
	sim.Script(simulator.Fault{Do: "403-validation", Credential: "ann0@example.com", Count: 1})
	h := g.heal("/creds/test", "ann0.json", 200)
	if off, _, at := g.off("ann0.json"); h.Success || h.Status != 403 || h.Link == "" || !off || at != h.Link {
		t.Errorf("%+v, off %t, %s", h, off, at)
	}
	if h := g.heal("/creds/verify", "ann0.json", 200); !h.Success {
		t.Errorf("%+v", h)
	}
	if off, reason, at := g.off("ann0.json"); off || reason != "" || at != "" {
		t.Errorf("%t %s %s", off, reason, at)
	}
}

// What verify found is there after a restart.
func TestVerifyIsKept(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 1)
	sim.UpdateAccount("ann0@example.com", func(a *simulator.Account) { a.PaidTier = "g1-pro-tier" })
	l := launch{sim: sim, accounts: 1, keys: 1, dirty: true}
	g := start(t, l)
	for _, name := range []string{"ann0.json", "key0.json"} {
		g.post("/creds/action", `{"filename":"`+name+`","action":"disable"}`)
		if h := g.heal("/creds/verify", name, 200); !h.Success {
			t.Errorf("%+v", h)
		}
	}
	_ = g.cmd.Process.Kill()
	<-g.ended
	l.dir, l.dirty = g.dir, false
	g = start(t, l)
	for _, name := range []string{"ann0.json", "key0.json"} {
		if off, reason, _ := g.off(name); off || reason != "" {
			t.Errorf("%s: %t %s", name, off, reason)
		}
	}
	if body := string(g.get("/creds/status").body); !strings.Contains(body, "g1-pro-tier") {
		t.Errorf("the tier is gone: %s", body)
	}
}

func TestQuotaOfCredentials(t *testing.T) {
	t.Parallel()
	sim := google(t, 2, 1)
	reset := time.Now().Add(3 * time.Hour).UTC().Truncate(time.Second)
	sim.UpdateAccount("ann0@example.com", func(a *simulator.Account) {
		a.Quota = []simulator.Bucket{{Model: "gemini-2.5-pro", Fraction: 0.25, Remaining: "25", Reset: reset}, {Model: flash, Reset: reset}}
	})
	sim.Script(simulator.Fault{Do: "500", Verb: "retrieveUserQuota", Credential: "ann1@example.com", Count: -1})
	g := start(t, launch{sim: sim, accounts: 2, keys: 1})
	type view struct {
		Filename string
		Success  bool
		Error    string
		At       float64 `json:"checked_at"`
		Fresh    bool
		Models   []struct {
			Model    string
			Fraction *float64 `json:"remaining_fraction"`
			Amount   *int64   `json:"remaining_amount"`
			Reset    string   `json:"reset_time"`
			Gone     bool     `json:"probably_exhausted"`
		}
	}
	look := func(body string) (v view) {
		if r := g.post("/creds/quota", body); r.status != 200 || json.Unmarshal(r.body, &v) != nil {
			t.Errorf("%s: %d %s", body, r.status, r.body)
		}
		return v
	}
	v := look(`{"filename":"ann0.json"}`)
	if !v.Success || !v.Fresh || v.At == 0 || len(v.Models) != 2 || *v.Models[0].Fraction != 0.25 || *v.Models[0].Amount != 25 || v.Models[0].Gone ||
		v.Models[1].Fraction != nil || !v.Models[1].Gone || v.Models[1].Reset != reset.Format(time.RFC3339) {
		t.Errorf("%+v", v)
	}
	if v := look(`{"filename":"ann0.json"}`); v.Fresh || len(v.Models) != 2 {
		t.Errorf("asked again within half a minute: %+v", v)
	}
	if v := look(`{"filename":"ann0.json","force":true}`); !v.Fresh {
		t.Errorf("not asked although it must be: %+v", v)
	}
	if v := look(`{"filename":"key0.json"}`); v.Success || v.Error == "" || v.Models == nil {
		t.Errorf("%+v", v)
	}
	var all struct {
		Good    int `json:"success_count"`
		Total   int `json:"total_count"`
		Results []view
	}
	if r := g.post("/creds/quota", ""); json.Unmarshal(r.body, &all) != nil || all.Good != 1 || all.Total != 2 || len(all.Results) != 2 || all.Results[1].Error == "" {
		t.Errorf("%+v", all)
	}
	// Nothing left, as Google says, and yet it is lent: a hint is no refusal.
	if r := g.put(ask{}, "hello"); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
}

func TestEmailsOfCredentials(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 1)
	files := map[string]string{}
	for _, a := range []simulator.Account{{Email: "bob@example.com", Project: "sim-b"}, {Email: "gone@example.com", RefreshError: "invalid_grant"}} {
		a = sim.AddAccount(a)
		files[strings.TrimSuffix(a.Email, "@example.com")+".json"] = `{"refresh_token":` + quoted(a.RefreshToken) + `,"client_id":"` + a.ClientID + `","client_secret":"` + a.ClientSecret + `"}`
	}
	g := start(t, launch{sim: sim, accounts: 1, keys: 1, files: files})
	type one struct {
		Filename string
		Email    *string `json:"user_email"`
		Message  string
		Success  bool
		Error    string
	}
	fetch := func(name string, status int) (v one) {
		r := g.post("/creds/fetch-email/"+name, "")
		if err := json.Unmarshal(r.body, &v); err != nil || r.status != status {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
		return v
	}
	if v := fetch("bob.json", 200); v.Filename != "bob.json" || v.Email == nil || *v.Email != "bob@example.com" || v.Message == "" {
		t.Errorf("%+v", v)
	}
	n := len(sim.Calls())
	fetch("bob.json", 200)
	if len(sim.Calls()) != n {
		t.Error("an address that is known is asked for again")
	}
	for _, name := range []string{"gone.json", "key0.json"} {
		if v := fetch(name, 400); v.Email != nil || v.Message == "" {
			t.Errorf("%s: %+v", name, v)
		}
	}
	fetch("nobody.json", 404)
	var all struct {
		Good    int `json:"success_count"`
		Total   int `json:"total_count"`
		Results []one
		Message string
	}
	if r := g.post("/creds/refresh-all-emails", ""); r.status != 200 || json.Unmarshal(r.body, &all) != nil || all.Good != 2 || all.Total != 3 || len(all.Results) != 3 || all.Message == "" {
		t.Errorf("%d %s", r.status, r.body)
	}
	for _, v := range all.Results {
		if v.Success != (v.Email != nil) || v.Success == (v.Error != "") || v.Success == (v.Filename == "gone.json") {
			t.Errorf("%+v", v)
		}
	}
	if !strings.Contains(g.read("creds/bob.json"), "bob@example.com") {
		t.Error("the address is not kept in the file")
	}
}

func TestBadQuestionsAboutHealth(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	g := start(t, launch{sim: sim, accounts: 1})
	long := strings.Repeat("m", 101)
	for _, row := range []struct {
		path, body string
		status     int
	}{
		{"/creds/test", `{"filename":"nobody.json"}`, 404},
		{"/creds/test", `{"filename":"../ann0.json"}`, 404},
		{"/creds/test", `{"filename":""}`, 400},
		{"/creds/test", ``, 400},
		{"/creds/test", `[]`, 400},
		{"/creds/test", `{"filename":7}`, 400},
		{"/creds/test", `{"filename":"ann0.json","model":"` + long + `"}`, 400},
		{"/creds/test", `{"filename":"ann0.json","model":"a b"}`, 400},
		{"/creds/test", `{"filename":"ann0.json","model":"a\r\nX-Evil: 1"}`, 400},
		{"/creds/test", `{"filename":"` + strings.Repeat("x", 70_000) + `"}`, 400},
		{"/creds/test/nobody.json", ``, 404},
		{"/creds/test/..%2Fann0.json", ``, 404},
		{"/creds/verify", `{"filename":"nobody.json"}`, 404},
		{"/creds/verify", `{}`, 400},
		{"/creds/verify-project/nobody.json", ``, 404},
		{"/creds/quota", `{"filename":"nobody.json"}`, 404},
		{"/creds/quota", `nonsense`, 400},
		{"/creds/fetch-email/nobody.json", ``, 404},
	} {
		r := g.post(row.path, row.body)
		var e struct{ Detail string }
		if r.status != row.status || json.Unmarshal(r.body, &e) != nil || e.Detail == "" {
			t.Errorf("%s %.60s: %d %.200s", row.path, row.body, r.status, r.body)
		}
	}
	n := len(sim.Calls())
	for _, path := range []string{"/creds/test", "/creds/verify", "/creds/quota", "/creds/fetch-email/ann0.json", "/creds/refresh-all-emails", "/creds/test/ann0.json"} {
		if r := g.post(path, `{"filename":"ann0.json"}`, header("Authorization", "Bearer wrong")); r.status != 401 {
			t.Errorf("%s without the password: %d", path, r.status)
		}
		if r := g.get(path); r.status != 405 {
			t.Errorf("GET %s: %d", path, r.status)
		}
	}
	if len(sim.Calls()) != n {
		t.Error("strangers caused calls to Google")
	}
}

// refreshToken is that of an account.
func refreshToken(sim *simulator.Server, email string) (token string) {
	sim.UpdateAccount(email, func(a *simulator.Account) { token = a.RefreshToken })
	return token
}
