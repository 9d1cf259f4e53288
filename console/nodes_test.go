package console

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gcli2api/pipeline/config"
	"gcli2api/store"
	"gcli2api/store/embedded"
	"gcli2api/store/nodes"
	"gcli2api/store/settings"
	"gcli2api/store/storetest"

	"github.com/gofiber/fiber/v2"
)

// many hides that a store is one process's own.
type many struct{ store.Store }

func storeOf(t *testing.T) *storetest.Flaky {
	t.Helper()
	db, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return &storetest.Flaky{Store: many{db}}
}

// node is a gateway as far as sessions, settings and the list of nodes go.
type node struct {
	t    *testing.T
	app  *fiber.App
	live *config.Live
	s    Services
}

type nodeOptions struct {
	env []string
	now func() time.Time
}

func nodeOn(t *testing.T, s store.Store, o nodeOptions) *node {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	n := &node{t: t, live: &config.Live{}, app: fiber.New()}
	load := func(panel map[string]any) (*config.Snapshot, error) {
		return config.Load(config.Options{Environ: append(o.env, "API_PASSWORD=api"), Data: []byte("[server]\npanel_password = \"right\"\n"), File: "config.toml", Overrides: panel})
	}
	c, err := load(nil)
	if err != nil {
		t.Fatal(err)
	}
	n.live.Set(c)
	p, err := settings.Open(t.Context(), settings.Options{Store: s, Log: log, Load: load, Live: n.live, Apply: func(*config.Snapshot) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	sessions, err := OpenSessions(t.Context(), SessionOptions{Store: s, Log: log, Now: o.now})
	if err != nil {
		t.Fatal(err)
	}
	list := nodes.Open(nodes.Options{Store: s, Log: log, Address: "127.0.0.1:1", Version: "v1", Report: p.Report, Now: o.now})
	p.Follow(list.Changed)
	t.Cleanup(func() {
		p.Close()
		sessions.Close()
		list.Close()
	})
	n.s = Services{Access: n.live, Sessions: sessions, Settings: p, Nodes: list, Audit: auditOf(t), Log: log, logins: newThrottle(time.Now)}
	n.s.Mount(n.app)
	return n
}

func (n *node) ask(method, path, body, secret string) (status int, answer map[string]any, text string) {
	n.t.Helper()
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	if secret != "" {
		req.Header.Set("Authorization", "Bearer "+secret)
	}
	resp, err := n.app.Test(req, -1)
	if err != nil {
		n.t.Fatal(err)
	}
	data, _ := io.ReadAll(resp.Body)
	_ = json.Unmarshal(data, &answer)
	return resp.StatusCode, answer, string(data)
}

func (n *node) login() string {
	n.t.Helper()
	status, answer, text := n.ask("POST", "/auth/login", `{"password": "right"}`, "")
	token, _ := answer["token"].(string)
	if status != 200 || strings.Count(token, ".") != 2 || answer["message"] != "ok" {
		n.t.Fatalf("%d %s", status, text)
	}
	return token
}

// may tells whether a secret opens the panel.
func (n *node) may(secret string) bool {
	status, _, text := n.ask("GET", "/config/get", "", secret)
	if status != 200 && status != 401 {
		n.t.Errorf("%d %s", status, text)
	}
	return status == 200
}

func soon(t *testing.T, what string, is func() bool) {
	t.Helper()
	for late := time.Now().Add(time.Minute); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

func TestSessionsHoldOnAllNodes(t *testing.T) {
	s := storeOf(t)
	a, b := nodeOn(t, s, nodeOptions{}), nodeOn(t, s, nodeOptions{})
	one, two := a.login(), b.login()
	for name, n := range map[string]*node{"a": a, "b": b} {
		for _, token := range []string{one, two, "right"} {
			if !n.may(token) {
				t.Errorf("%s refuses %.10s", name, token)
			}
		}
		for _, wrong := range []string{one + "x", one[:len(one)-3], "wrong", "a.b.c", strings.Repeat("a", maxToken+1)} {
			if n.may(wrong) {
				t.Errorf("%s takes %.60s", name, wrong)
			}
		}
	}
	if status, _, text := a.ask("POST", "/auth/logout", "", one); status != 200 || a.may(one) || !a.may(two) {
		t.Errorf("%d %s", status, text)
	}
	soon(t, "the session has ended on the other node", func() bool { return !b.may(one) })
	if !b.may(two) {
		t.Error("another session ended with it")
	}
	if status, _, text := b.ask("POST", "/auth/logout", `{"everywhere": true}`, two); status != 200 || b.may(two) {
		t.Errorf("%d %s", status, text)
	}
	soon(t, "all sessions have ended", func() bool { return !a.may(two) })
	if again := a.login(); !a.may(again) || !b.may("right") {
		t.Error("nobody comes in any more")
	}
	if status, _, _ := a.ask("POST", "/auth/logout", "", "right"); status != 400 {
		t.Errorf("the password was ended: %d", status)
	}
	changes, _ := b.audited()
	if !strings.Contains(changes, `"who":"panel session"`) || strings.Contains(changes, two) {
		t.Errorf("%s", changes)
	}
}

func (n *node) audited() (string, int) {
	status, _, text := n.ask("GET", "/audit", "", "right")
	return text, status
}

func TestLoginsAreRefused(t *testing.T) {
	n := nodeOn(t, storeOf(t), nodeOptions{})
	for body, want := range map[string]int{``: 400, `{}`: 400, `{"password": ""}`: 400, `{"password": 1}`: 400, `{"password": "right", "x": 1}`: 400, `{"password": "wrong"}`: 401, `x`: 400} {
		if status, _, text := n.ask("POST", "/auth/login", body, ""); status != want || !strings.Contains(text, `"detail"`) || strings.Contains(text, "wrong") {
			t.Errorf("%s: %d %s", body, status, text)
		}
	}
	last := 0
	for range triesAtOnce {
		last, _, _ = n.ask("POST", "/auth/login", `{"password": "guess"}`, "")
	}
	if last != 429 {
		t.Errorf("a guesser is not slowed down: %d", last)
	}
}

// A new password is the end of the sessions of the old one, on every node.
func TestANewPasswordEndsSessions(t *testing.T) {
	s := storeOf(t)
	a, b := nodeOn(t, s, nodeOptions{}), nodeOn(t, s, nodeOptions{})
	token := a.login()
	status, answer, text := a.ask("POST", "/config/save", `{"config": {"panel_password": "left-Handed"}}`, token)
	if status != 200 || strings.Contains(text, "left-Handed") || answer["message"] != "saved" {
		t.Fatalf("%d %s", status, text)
	}
	if a.may(token) || a.may("right") || !a.may("left-Handed") {
		t.Error("the password has not changed here")
	}
	soon(t, "the password has changed on the other node", func() bool { return b.may("left-Handed") })
	if b.may(token) {
		t.Error("a session of the old password lasts")
	}
}

// Clocks that are 5 minutes apart neither refuse a session of just now nor end one early.
func TestSessionsOfClocksApart(t *testing.T) {
	s := storeOf(t)
	var mu sync.Mutex
	passed := time.Duration(0)
	clock := func(ahead time.Duration) func() time.Time {
		return func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			return time.Now().Add(ahead + passed)
		}
	}
	fast, slow := nodeOn(t, s, nodeOptions{now: clock(5 * time.Minute)}), nodeOn(t, s, nodeOptions{now: clock(-5 * time.Minute)})
	for name, pair := range map[string][2]*node{"from the fast one": {fast, slow}, "from the slow one": {slow, fast}} {
		token := pair[0].login()
		if !pair[1].may(token) {
			t.Errorf("%s: refused at once", name)
		}
		mu.Lock()
		passed = sessionLife - time.Second
		mu.Unlock()
		if !pair[1].may(token) {
			t.Errorf("%s: over before its time", name)
		}
		mu.Lock()
		passed = sessionLife + 3*sessionSlack
		mu.Unlock()
		if pair[0].may(token) || pair[1].may(token) {
			t.Errorf("%s: it never ends", name)
		}
		mu.Lock()
		passed = 0
		mu.Unlock()
	}
}

// While the store is away sessions go on and begin; what would have to be written is refused.
func TestSessionsWithoutStore(t *testing.T) {
	s := storeOf(t)
	n := nodeOn(t, s, nodeOptions{})
	token := n.login()
	s.Break(storetest.Fault{Err: &store.Away{Engine: "Redis", Err: fmt.Errorf("cut")}})
	if !n.may(token) || !n.may(n.login()) {
		t.Error("a session needs the store")
	}
	if status, _, text := n.ask("POST", "/auth/logout", "", token); status != 503 {
		t.Errorf("%d %s", status, text)
	}
	if status, _, text := n.ask("POST", "/config/save", `{"calls_per_rotation": 7}`, token); status != 503 || n.live.Snapshot().Int("pool.calls_per_rotation") == 7 {
		t.Errorf("%d %s", status, text)
	}
	s.Heal()
	if status, _, text := n.ask("POST", "/auth/logout", "", token); status != 200 || n.may(token) {
		t.Errorf("%d %s", status, text)
	}
}

// A document that nobody can read means no sessions; it is not written over, and works again when it is mended.
func TestABrokenSessionDocument(t *testing.T) {
	for name, body := range map[string]string{"no object": `[1]`, "a short secret": `{"epoch": 1, "secret": "c2hvcnQ="}`, "no secret": `{}`, "another type": `{"epoch": "x", "secret": 5}`} {
		t.Run(name, func(t *testing.T) {
			s := storeOf(t)
			if _, err := s.Put(t.Context(), store.Panel, store.Doc{ID: sessionID, Body: []byte(body)}, store.New); err != nil {
				t.Fatal(err)
			}
			n := nodeOn(t, s, nodeOptions{})
			if status, _, text := n.ask("POST", "/auth/login", `{"password": "right"}`, ""); status != 503 || !strings.Contains(text, "log") {
				t.Errorf("%d %s", status, text)
			}
			n.ask("POST", "/auth/logout", `{"everywhere": true}`, "right")
			if doc, err := s.Get(t.Context(), store.Panel, sessionID); err != nil || name != "a short secret" && string(doc.Body) != body || !n.may("right") {
				t.Errorf("%s, %v", doc.Body, err)
			}
			if err := s.Delete(t.Context(), store.Panel, sessionID, store.Any); err != nil {
				t.Fatal(err)
			}
			soon(t, "sessions work again", func() bool {
				status, _, _ := n.ask("POST", "/auth/login", `{"password": "right"}`, "")
				return status == 200
			})
		})
	}
}

// The one that is ended after a thousand others ends all: none of them comes back.
func TestEndedSessionsAreBounded(t *testing.T) {
	s := storeOf(t)
	n := nodeOn(t, s, nodeOptions{})
	first, other := n.login(), n.login()
	if err := n.s.Sessions.End(t.Context(), first, "right"); err != nil {
		t.Fatal(err)
	}
	err := n.s.Sessions.change(t.Context(), func(d *door, now time.Time) {
		for i := range mostEnded {
			d.Ended[fmt.Sprint(i)] = now.Add(time.Hour).Unix()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.s.Sessions.End(context.Background(), other, "right"); err != nil || n.may(first) || n.may(other) {
		t.Errorf("%v", err)
	}
	if d := n.s.Sessions.now.Load(); len(d.Ended) != 0 || d.Epoch != 2 {
		t.Errorf("%d ended, epoch %d", len(d.Ended), d.Epoch)
	}
}

func TestNodesAreListed(t *testing.T) {
	s := storeOf(t)
	a, b := nodeOn(t, s, nodeOptions{}), nodeOn(t, s, nodeOptions{})
	if status, _, text := a.ask("POST", "/config/save", `{"calls_per_rotation": 7}`, "right"); status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	var text string
	soon(t, "both are listed, on one revision", func() bool {
		var answer map[string]any
		_, answer, text = b.ask("GET", "/nodes", "", "right")
		return answer["summary"] == "2 of 2 nodes on revision 1" && strings.Contains(text, `"state":"up","up"`)
	})
	for _, want := range []string{`"this":true`, `"this":false`, `"version":"v1"`, `"last_error":null`, `"clock_ahead":null`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s: %s", want, text)
		}
	}
}
