package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// curl sends a request as the instructions have it: with curl where there is one, else likewise.
func (g *gateway) curl(method, path, body string, heads ...string) (status int, text string) {
	g.t.Helper()
	tool, err := exec.LookPath("curl")
	if err != nil {
		r := g.do(method, path, body, func(r *http.Request) {
			r.Header = http.Header{}
			for _, h := range heads {
				name, value, _ := strings.Cut(h, ": ")
				r.Header.Set(name, value)
			}
		})
		return r.status, string(r.body)
	}
	args := []string{"-sS", "-m", "60", "-X", method, g.url + path, "-w", "\n%{http_code}", "--noproxy", "*"}
	for _, h := range heads {
		args = append(args, "-H", h)
	}
	if body != "" {
		args = append(args, "-d", "@-")
	}
	cmd := exec.Command(tool, args...)
	cmd.Stdin = strings.NewReader(body)
	out, err := cmd.Output()
	if err != nil {
		g.t.Fatalf("curl %s %s: %v", method, path, err)
	}
	at := strings.LastIndexByte(string(out), '\n')
	status, _ = strconv.Atoi(string(out[at+1:]))
	return status, string(out[:at])
}

// keyFigures is what the holder of a key is told.
type keyFigures struct {
	APIKey      string           `json:"api_key"`
	Total       int64            `json:"total_quota"`
	Used        int64            `json:"used_quota"`
	Remaining   int64            `json:"remaining_quota"`
	Created     string           `json:"created_at"`
	Description string           `json:"description"`
	Percentage  float64          `json:"usage_percentage"`
	Models      map[string]int64 `json:"model_stats"`
}

// holdings asks for it in both ways, which have to agree, until the calls so far are counted: that comes just
// behind the last byte of an answer.
func (g *gateway) holdings(key string, used int64, models string) (h keyFigures) {
	g.t.Helper()
	for late := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		status, text := g.curl("GET", "/auth/quota", "", "Authorization: Bearer "+key)
		if err := json.Unmarshal([]byte(text), &h); err != nil || status != 200 {
			g.t.Fatalf("%d %s", status, text)
		}
		if fmt.Sprint(h.Models) == models && h.Used == used || time.Now().After(late) {
			break
		}
	}
	var q keyFigures
	status, text := g.curl("POST", "/auth/query", `{"api_key": "`+key+`"}`, "Content-Type: application/json")
	if err := json.Unmarshal([]byte(text), &q); err != nil || status != 200 {
		g.t.Fatalf("%d %s", status, text)
	}
	if a, b := fmt.Sprint(h), fmt.Sprint(q); a != b {
		g.t.Errorf("by the key %s, by the page %s", a, b)
	}
	if h.Used != used || h.Remaining != h.Total-used || fmt.Sprint(h.Models) != models {
		g.t.Errorf("%+v, want %d used and %s", h, used, models)
	}
	return h
}

// chat sends a request request with a key, as the instructions have it.
func (g *gateway) chat(key, model string, stream bool) {
	g.t.Helper()
	status, text := g.curl("POST", "/v1/chat/completions",
		fmt.Sprintf(`{"model": %q, "messages": [{"role": "user", "content": "Hello"}], "stream": %v}`, model, stream),
		"Authorization: Bearer "+key, "Content-Type: application/json")
	if status != 200 || !strings.Contains(text, "echo") {
		g.t.Fatalf("%s: %d %s", model, status, text)
	}
}

// The way of a key as the replaced product described it: made with curl, used, asked after; and no kill of the
// process changes a number.
func TestKeyWalkthrough(t *testing.T) {
	t.Parallel()
	sim := google(t, 2, 0)
	l := launch{sim: sim, accounts: 2, light: true, dirty: true}
	g := start(t, l)
	panel := []string{"Authorization: Bearer " + g.pass, "Content-Type: application/json"}
	status, text := g.curl("POST", "/auth/keys", `{"total_quota": 1000, "description": "Alice"}`, panel...)
	var made keyFigures
	if err := json.Unmarshal([]byte(text), &made); err != nil || status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	key := made.APIKey
	if !regexp.MustCompile(`^sk-[A-Za-z0-9_-]{43}$`).MatchString(key) || made.Total != 1000 || made.Used != 0 || made.Remaining != 1000 || made.Description != "Alice" {
		t.Fatalf("made: %s", text)
	}
	if at, err := time.Parse("2006-01-02T15:04:05", made.Created); err != nil || time.Since(at).Abs() > time.Minute {
		t.Errorf("created at %q: %v", made.Created, err)
	}
	for range 10 {
		g.chat(key, "gemini-2.5-flash", false)
	}
	h := g.holdings(key, 20, "map[gemini-2.5-flash:10]")
	if h.APIKey == key || !strings.HasPrefix(key, strings.TrimSuffix(h.APIKey[:9], ".")) || h.Percentage != 2 || h.Created != made.Created || h.Description != "Alice" {
		t.Errorf("%+v", h)
	}
	g.chat(key, "gemini-2.5-pro", false)
	g.holdings(key, 30, "map[gemini-2.5-flash:10 gemini-2.5-pro:1]")
	g.chat(key, "流式抗截断/gemini-2.5-pro", true)
	g.holdings(key, 50, "map[gemini-2.5-flash:10 gemini-2.5-pro:2]")
	g.figuresKept(12) // they may be lost for two seconds, a charge never
	g.signal(syscall.SIGKILL)
	g.exits()
	l.dir = g.dir
	g = start(t, l)
	g.holdings(key, 50, "map[gemini-2.5-flash:10 gemini-2.5-pro:2]")
	g.chat(key, "gemini-2.5-flash", true)
	g.holdings(key, 52, "map[gemini-2.5-flash:11 gemini-2.5-pro:2]")
	status, text = g.curl("GET", "/auth/keys", "", panel...)
	if status != 200 || !strings.Contains(text, `"total_keys":1`) || strings.Contains(text, key) {
		t.Errorf("%d %s", status, text)
	}
	for _, path := range []string{"/auth/keys/" + key + "/nothing", "/auth/keys/" + key + "/rotate", "/auth/keys/" + key + "/a/b?key=" + key} {
		if status, text := g.curl("GET", path, "", panel...); status < 400 || strings.Contains(text, key) {
			t.Errorf("%d %s", status, text)
		}
	}
	if status, text = g.curl("DELETE", "/auth/keys/"+key, "", panel...); status != 200 || !strings.Contains(text, `"message"`) {
		t.Errorf("%d %s", status, text)
	}
	if status, text = g.curl("GET", "/auth/quota", "", "Authorization: Bearer "+key); status != 401 {
		t.Errorf("of a deleted key: %d %s", status, text)
	}
	for _, log := range []string{g.read("gateway.log"), g.stdout.String(), g.stderr.String()} {
		if strings.Contains(log, key) {
			t.Error("the key stands in the log")
		}
	}
}

// Costs count for the next request, and a name may be written in any way.
func TestCostsAreHot(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	g := start(t, launch{sim: sim, accounts: 1, light: true})
	panel := []string{"Authorization: Bearer " + g.pass, "Content-Type: application/json"}
	_, text := g.curl("POST", "/auth/keys", `{}`, panel...)
	var made keyFigures
	if err := json.Unmarshal([]byte(text), &made); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		method, path, body string
		status             int
		used               int64 // after a stream of gemini-2.5-pro that is gone on with
	}{
		{"POST", "/auth/models/costs", `{"model_name": "gemini-2.5-pro", "cost": 8}`, 200, 16},
		{"POST", "/auth/models/costs", `{"model_name": "流式抗截断/gemini-2.5-pro", "cost": 5}`, 200, 21},
		{"DELETE", "/auth/models/costs/流式抗截断%2Fgemini-2.5-pro", "", 200, 37},
		{"DELETE", "/auth/models/costs/流式抗截断/gemini-2.5-pro", "", 404, 53},
		{"DELETE", "/auth/models/costs/gemini-2.5-pro", "", 200, 73},
		{"POST", "/auth/models/costs", `{"model_name": "gemini-2.5-pro", "cost": 0}`, 200, 73},
	} {
		if status, text := g.curl(step.method, step.path, step.body, panel...); status != step.status {
			t.Errorf("%s %s: %d %s", step.method, step.path, status, text)
		}
		g.chat(made.APIKey, "流式抗截断/gemini-2.5-pro", true)
		var h keyFigures
		_, text := g.curl("GET", "/auth/quota", "", "x-goog-api-key: "+made.APIKey)
		if err := json.Unmarshal([]byte(text), &h); err != nil || h.Used != step.used {
			t.Errorf("after %s %s %s: %d used, want %d", step.method, step.path, step.body, h.Used, step.used)
		}
	}
	for path, want := range map[string]string{"/auth/models/流式抗截断/gemini-2.5-pro/cost": `"cost":0`, "/auth/models/%E6%B5%81%E5%BC%8F%E6%8A%97%E6%88%AA%E6%96%AD%2Fgemini-2.5-flash/cost": `"cost":4`} {
		if status, text := g.curl("GET", path, ""); status != 200 || !strings.Contains(text, want) {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
}

// Who has a key is told about it from everywhere, also where nobody has chosen a password for the panel; a
// body that is no key costs nothing.
func TestHoldersOfKeysFromOutside(t *testing.T) {
	t.Parallel()
	host := outside(t)
	sim := google(t, 1, 0)
	g := start(t, launch{sim: sim, accounts: 1, light: true, env: map[string]string{"PASSWORD": "-", "API_PASSWORD": "chosen-by-hand", "HOST": "0.0.0.0"}})
	g.pass = "pwd"
	var made keyFigures
	if err := json.Unmarshal(g.post("/auth/keys", `{}`).body, &made); err != nil {
		t.Fatal(err)
	}
	g.url = "http://" + host + ":" + strconv.Itoa(g.port)
	if r := g.get("/auth/keys"); r.status != 403 {
		t.Errorf("the panel: %d %s", r.status, r.body)
	}
	g.chat(made.APIKey, flash, false)
	g.holdings(made.APIKey, 2, "map[gemini-2.5-flash:1]")
	if r := g.get("/auth/models/"+flash+"/cost", header("Authorization")); r.status != 200 {
		t.Errorf("a cost: %d %s", r.status, r.body)
	}
	if r := g.post("/auth/query", `{"api_key":"`+strings.Repeat("k", 10<<20)+`"}`); r.status != 413 {
		t.Errorf("a key of 10 MB: %d %s", r.status, r.body)
	}
	if r := g.get("/auth/quota", header("Authorization", "Bearer "+strings.Repeat("k", 12<<10))); r.status != 401 {
		t.Errorf("a header of 12 KB: %d %s", r.status, r.body)
	}
	g.url, g.pass = "http://127.0.0.1:"+strconv.Itoa(g.port), "pwd"
}
