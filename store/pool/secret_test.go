package pool

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gcli2api/pipeline/simulator"
	"gcli2api/pipeline/wire/gemini"
	"gcli2api/store/oauth"
)

// Google repeats the key that it refuses; the operator reads its words, but not the key.
func TestReasonsHoldNoSecret(t *testing.T) {
	const long = `{"error":{"code":403,"message":"%s Permission denied: Consumer 'api_key:%s' of jane@example.com has been suspended (also ya29.made-up).",` +
		`"details":[{"reason":"CONSUMER_SUSPENDED","metadata":{"validation_url":"%s"}}]}}`
	for _, c := range []struct{ key, before, link, shown string }{
		{"AIzaSyMadeUp1234567890", "", "https://accounts.google.com/verify", "https://accounts.google.com/verify"},
		{"of-no-known-shape", "", "http://example.com/x?y=1", "http://example.com/x?y=1"},
		{"of-no-known-shape", strings.Repeat("x", 250), "javascript:alert(1)", ""}, // the cut goes through the key
		{"of-no-known-shape", "", "https://example.com/?key=of-no-known-shape", ""},
		{"of-no-known-shape", "", "//example.com", ""},
	} {
		for _, ban := range []bool{true, false} {
			p, k := keys(t, 0, func(o *Options) { o.Settings.AutoBan, o.Settings.APIKeys = ban, []string{c.key} })
			l := take(t, p, Want{Model: "m"})
			l.Report(gemini.ParseError(403, "", fmt.Appendf(nil, long, c.before, c.key, c.link), k.at))
			s := status(t, p, l.ID())
			if strings.Contains(s.Reason, c.key[:8]) || strings.Contains(s.Reason, "ya29.") || !strings.Contains(s.Reason, "Permission denied") {
				t.Errorf("reason %q", s.Reason)
			}
			if c.before == "" && !strings.Contains(s.Reason, "jane@example.com") {
				t.Errorf("the operator may know whose it is: %q", s.Reason)
			}
			if s.Link != c.shown {
				t.Errorf("link %q, want %q", s.Link, c.shown)
			}
		}
	}
}

// The log hears of every secret that lasts, and of none that ends within the hour.
func TestHide(t *testing.T) {
	s := google(t)
	a := s.AddAccount(simulator.Account{Project: "sim-p", RotateRefresh: true})
	var mu sync.Mutex
	var heard []string
	file := fmt.Sprintf(`{"refresh_token":%q,"client_id":%q,"client_secret":%q,"project_id":"sim-p"}`, a.RefreshToken, simulator.ClientID, simulator.ClientSecret)
	p := folder(t, Options{OAuth: client(t, s.URL(), nil), Settings: Settings{APIKeys: []string{" key-of-settings "}}, Hide: func(secret string) {
		mu.Lock()
		defer mu.Unlock()
		heard = append(heard, secret)
	}}, "a.json", file, "k.json", `{"type":"gemini_api_key","api_key":"key-of-a-file"}`)
	l := take(t, p, Want{Model: "m", Kinds: []string{oauth.CodeAssist}})
	defer l.Release()
	var rotated string
	s.UpdateAccount(a.Email, func(a *simulator.Account) { rotated = a.RefreshToken })
	mu.Lock()
	defer mu.Unlock()
	for what, secret := range map[string]string{"key of the settings": "key-of-settings", "key of a file": "key-of-a-file",
		"refresh token": a.RefreshToken, "new refresh token": rotated, "client secret": simulator.ClientSecret} {
		if !slices.Contains(heard, secret) {
			t.Errorf("%s is not hidden", what)
		}
	}
	if slices.Contains(heard, l.Token()) || slices.Contains(heard, "") || rotated == a.RefreshToken {
		t.Errorf("hidden: %q", heard)
	}
}

// Names that clients make up push out neither what is known of a real model nor each other's room.
func TestMadeUpModelsAreForgottenFirst(t *testing.T) {
	p, c := keys(t, 1)
	l := take(t, p, Want{Model: "real"})
	l.Report(gemini.ParseError(429, "", []byte(`{"error":{"code":429,"message":"per minute","status":"RESOURCE_EXHAUSTED"}}`), c.at))
	l.Release()
	for i := range 4 * maxMarks {
		l := take(t, p, Want{Model: fmt.Sprintf("made-up-%d", i)})
		l.Report(gemini.ParseError(404, "", []byte(`{"error":{"code":404,"message":"not found","status":"NOT_FOUND"}}`), c.at))
		l.Release()
		c.forward(time.Millisecond)
	}
	models := status(t, p, l.ID()).Models
	if len(models) != maxMarks {
		t.Errorf("%d models are remembered", len(models))
	}
	has := func(name string) bool {
		return slices.ContainsFunc(models, func(m ModelRest) bool { return m.Model == name })
	}
	if !has("real") || !has(fmt.Sprintf("made-up-%d", 4*maxMarks-1)) {
		t.Errorf("forgotten: %v", models)
	}
	if len(p.lanes) > maxLanes {
		t.Errorf("%d rotations", len(p.lanes))
	}
}
