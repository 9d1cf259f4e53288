package server_test

import (
	"encoding/json"
	"net/http"
	"testing"
)

// TestKeyBehindAProxy: the addresses of a key are those of clients, also where they come by a proxy on this
// machine, and no client can make one up: the proxy writes behind what it was sent.
func TestKeyBehindAProxy(t *testing.T) {
	t.Parallel()
	g := start(t, launch{sim: google(t, 0, 1), keys: 1})
	var made struct {
		Key string `json:"api_key"`
	}
	if r := g.do("POST", "/auth/keys", `{"addresses": ["198.51.100.0/24"]}`); json.Unmarshal(r.body, &made) != nil || r.status != 200 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	for forwarded, want := range map[string]int{"": 403, "198.51.100.1": 200, "198.51.100.1, 192.0.2.7": 403, "192.0.2.7, 198.51.100.1": 200} {
		got := g.do("POST", "/v1/chat/completions", `{"model":"gemini-2.5-flash","messages":[{"role":"user","content":"hi"}]}`, func(r *http.Request) {
			r.Header.Set("Authorization", "Bearer "+made.Key)
			if forwarded != "" {
				r.Header.Set("X-Forwarded-For", forwarded)
			}
		})
		if got.status != want {
			t.Errorf("forwarded for %q: %d %s", forwarded, got.status, got.body)
		}
	}
}
