package server_test

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestOldProduct moves in with what the old product leaves in the credentials folder: its keys go on working,
// with what they had left, and its costs count. A key that is deleted here stays deleted.
func TestOldProduct(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	for _, name := range []string{"api_keys.toml", "config.toml"} {
		text, err := os.ReadFile("../../store/apikey/testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(text)
	}
	const (
		alice = "sk-AAAABBBBCCCCDDDDEEEEFFFFGGGGHHHHIIIIJJJJKKK" // of testdata: 20 of 1000 used
		spent = "sk-bbbbccccddddeeeeffffgggghhhhiiiijjjjkkkkLLL" // 80 of 50
		own   = "a-key-of-my-own-choice"
	)
	l := launch{sim: google(t, 0, 1), keys: 1, files: files}
	g := start(t, l)
	with := func(key string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+key) }
	}
	call := func(key, model string) int {
		return g.do("POST", "/v1/chat/completions", `{"model":"`+model+`","messages":[{"role":"user","content":"hi"}]}`, with(key)).status
	}
	left := func(key string) (used, left int64) {
		var v struct {
			Used int64 `json:"used_quota"`
			Left int64 `json:"remaining_quota"`
		}
		if r := g.get("/auth/quota", with(key)); json.Unmarshal(r.body, &v) != nil || r.status != 200 {
			t.Errorf("/auth/quota: %d %s", r.status, r.body)
		}
		return v.Used, v.Left
	}
	if got := call(alice, "gemini-2.5-pro"); got != 200 {
		t.Errorf("%d", got)
	}
	if used, rest := left(alice); used != 28 || rest != 972 { // the old table says 8
		t.Errorf("used %d, left %d", used, rest)
	}
	if used, rest := left(spent); used != 80 || rest != 0 || call(spent, "gemini-2.5-flash") != 429 {
		t.Errorf("used %d, left %d", used, rest)
	}
	if got := call(own, "gemini-2.5-flash"); got != 200 {
		t.Errorf("%d", got)
	}
	if r := g.do("DELETE", "/auth/keys/"+own, ""); r.status != 200 {
		t.Errorf("delete: %d %s", r.status, r.body)
	}
	g.signal(syscall.SIGTERM)
	g.exits()
	log := g.read("gateway.log")
	if !strings.Contains(log, "API keys of the old product were taken over") || strings.Contains(log, alice) || strings.Contains(log, own) {
		t.Error(log)
	}

	l.dir = g.dir
	g = start(t, l)
	if used, rest := left(alice); used != 28 || rest != 972 || call(own, "gemini-2.5-flash") != 401 {
		t.Errorf("after a restart: used %d, left %d", used, rest)
	}
	for name, text := range files {
		if got := g.read("creds/" + name); got != text {
			t.Errorf("%s was changed: %s", name, got)
		}
	}
}
