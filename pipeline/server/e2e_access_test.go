package server_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"gcli2api/console"
	"gcli2api/pipeline"
	"gcli2api/pipeline/simulator"
	"gcli2api/store/pool"
	"gcli2api/store/stats"

	"github.com/gofiber/fiber/v2"
)

func TestPasswordInEveryPlace(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	g := start(t, launch{sim: sim, accounts: 1})
	wrong := "wrong-" + strconv.Itoa(g.port)
	bare := header("Authorization")
	places := map[string]func(value string) func(*http.Request){
		"Authorization: Bearer": func(v string) func(*http.Request) { return header("Authorization", "Bearer "+v) },
		"bearer in small":       func(v string) func(*http.Request) { return header("authorization", "bearer "+v) },
		"?key=": func(v string) func(*http.Request) {
			return func(r *http.Request) { r.URL.RawQuery += "&key=" + v }
		},
	}
	for _, name := range []string{"x-api-key", "x-goog-api-key", "access_token", "anthropic-auth-token", "x-anthropic-auth-token"} {
		places[name] = func(v string) func(*http.Request) { return func(r *http.Request) { r.Header[name] = []string{v} } }
	}
	for name, put := range places {
		for _, a := range asks() {
			t.Run(name+"/"+a.name, func(t *testing.T) {
				path, body := a.http(flash, "hello")
				if got := understand(t, a, g.post(path, body, bare, put(secret))); got.text != "echo: hello" {
					t.Errorf("the right password: %+v", got)
				}
				r := g.post(path, body, bare, put(wrong))
				word, _ := r.err().reason(a)
				if r.status != 401 || word != "unauthorized" || r.header.Get("WWW-Authenticate") == "" || strings.Contains(string(r.body), wrong) {
					t.Errorf("a wrong password: %d %s", r.status, r.body)
				}
			})
		}
		t.Run(name+"/the first valid one wins", func(t *testing.T) {
			path, body := ask{}.http(flash, "hello")
			other := header("x-api-key", wrong)
			if name == "x-api-key" {
				other = header("x-goog-api-key", wrong)
			}
			if r := g.post(path, body, bare, other, put(secret)); r.status != 200 {
				t.Errorf("beside a wrong one: %d %s", r.status, r.body)
			}
		})
	}
	n := len(sim.Calls())
	for _, a := range asks() {
		path, body := a.http(flash, "hello")
		r := g.post(path, body, bare)
		if word, _ := r.err().reason(a); r.status != 401 || word != "unauthorized" {
			t.Errorf("%s without a password: %d %s", a.name, r.status, r.body)
		}
	}
	if now := len(sim.Calls()); now != n {
		t.Errorf("callers that were refused caused %d calls to Google", now-n)
	}
}

// outside is an address of this machine that is not loopback: who connects to it comes from it.
func outside(t *testing.T) string {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() && !n.IP.IsLinkLocalUnicast() {
			return n.IP.String()
		}
	}
	t.Skip("this machine has no address besides loopback")
	return ""
}

// TestWhoMayAskFromOutside holds each password rule against peers from outside.
func TestWhoMayAskFromOutside(t *testing.T) {
	t.Parallel()
	host := outside(t)
	const chosen = "chosen-by-hand"
	for _, tt := range []struct {
		name                string
		env                 map[string]string
		chat, panel         string // what these routes take, on loopback
		outChat, outConsole int    // status from outside with the right password; 0: nobody listens there
		warns               string
	}{
		{"nothing set", nil, "pwd", "pwd", 0, 0, ""},
		{"PASSWORD", map[string]string{"PASSWORD": chosen}, chosen, chosen, 200, 200, ""},
		{"PASSWORD=pwd", map[string]string{"PASSWORD": "pwd"}, "pwd", "pwd", 200, 200, "everybody knows"},
		{"API_PASSWORD alone", map[string]string{"API_PASSWORD": chosen}, chosen, "pwd", 200, 403, ""},
		{"PANEL_PASSWORD alone", map[string]string{"PANEL_PASSWORD": chosen}, "pwd", chosen, 403, 200, ""},
		{"both", map[string]string{"API_PASSWORD": chosen, "PANEL_PASSWORD": "the-other"}, chosen, "the-other", 200, 200, ""},
		{"PASSWORD beside another", map[string]string{"PASSWORD": chosen, "API_PASSWORD": "ignored"}, chosen, chosen, 200, 200, "PASSWORD overrides API_PASSWORD"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			sim := google(t, 1, 0)
			env := map[string]string{"PASSWORD": "-", "HOST": "0.0.0.0"}
			for k, v := range tt.env {
				env[k] = v
			}
			g := start(t, launch{sim: sim, accounts: 1, env: env})
			g.pass = tt.panel
			path, body := ask{}.http(flash, "hello")
			check := func(base string, wantChat, wantConsole int) {
				t.Helper()
				chat := g.post(path, body, header("Authorization", "Bearer "+tt.chat), at(base))
				panel := g.get("/creds/status", header("Authorization", "Bearer "+tt.panel), at(base))
				if chat.status != wantChat || panel.status != wantConsole {
					t.Errorf("from %s: chat %d (want %d), console %d (want %d): %s %s", base, chat.status, wantChat, panel.status, wantConsole, chat.body, panel.body)
				}
			}
			check("127.0.0.1", 200, 200)
			said := g.stdout.String()
			if tt.outChat == 0 {
				if c, err := net.DialTimeout("tcp", net.JoinHostPort(host, strconv.Itoa(g.port)), time.Second); err == nil {
					c.Close()
					t.Errorf("somebody listens on %s", host)
				}
				if !strings.Contains(said, "on this machine only") || !strings.Contains(said, "PASSWORD=") {
					t.Errorf("no reason is printed: %s", said)
				}
				return
			}
			check(host, tt.outChat, tt.outConsole)
			if r := g.get("/health", at(host)); r.status != 200 {
				t.Errorf("/health from outside: %d", r.status)
			}
			if tt.warns != "" && !strings.Contains(said+g.stderr.String(), tt.warns) {
				t.Errorf("no warning with %q: %s", tt.warns, said)
			}
			if tt.outChat == 403 {
				if r := g.post(path, body, header("Authorization", "Bearer "+tt.chat), at(host)); !strings.Contains(string(r.body), "API_PASSWORD") || r.err().Error.Type != "permission_error" {
					t.Errorf("the refusal does not help: %s", r.body)
				}
			}
		})
	}
}

// With the built-in password a loopback peer alone is nobody to trust, on either side.
func TestBuiltInPasswordIsForThisMachine(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	g := start(t, launch{sim: sim, accounts: 1, env: map[string]string{"PASSWORD": "-"}})
	g.pass = "pwd"
	host := func(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }
	for name, tt := range map[string]struct {
		from func(*http.Request)
		want int
	}{
		"this machine":   {header("Accept", "*/*"), 200},
		"its own page":   {header("Origin", "http://localhost:3000"), 200},
		"a proxy":        {header("X-Forwarded-For", "198.51.100.1"), 403},
		"another's page": {header("Origin", "https://evil.example"), 403},
		"a rebound name": {host("evil.example"), 403},
	} {
		for _, a := range asks() {
			path, body := a.http(flash, "hello")
			if r := g.post(path, body, tt.from); r.status != tt.want {
				t.Errorf("%s, %s: %d %s", name, a.name, r.status, r.body)
			}
		}
		if r := g.get("/creds/status", tt.from); r.status != tt.want {
			t.Errorf("%s, console: %d %s", name, r.status, r.body)
		}
	}
}

// Without the stage auth everybody may ask, when that was said twice; the operator's routes stay shut.
func TestOpenToEverybody(t *testing.T) {
	t.Parallel()
	host := outside(t)
	sim := google(t, 1, 0)
	g := start(t, launch{sim: sim, accounts: 1, env: map[string]string{"PASSWORD": "-", "HOST": "0.0.0.0"},
		config: "[pipeline]\nopen = true\n[stage.auth]\nenabled = false\n"})
	path, body := ask{}.http(flash, "hello")
	if r := g.post(path, body, header("Authorization"), at(host)); r.status != 200 {
		t.Errorf("chat: %d %s", r.status, r.body)
	}
	if r := g.get("/creds/status", header("Authorization", "Bearer pwd"), at(host)); r.status != 403 {
		t.Errorf("console: %d %s", r.status, r.body)
	}
}

// at sends a request to another address of the gateway.
func at(host string) func(*http.Request) {
	return func(r *http.Request) { r.URL.Host = net.JoinHostPort(host, r.URL.Port()) }
}

func TestConsoleRoutes(t *testing.T) {
	t.Parallel()
	sim := google(t, 2, 1)
	g := start(t, launch{sim: sim, accounts: 2, keys: 1, env: map[string]string{"PASSWORD": "-", "API_PASSWORD": "chat-" + secret, "PANEL_PASSWORD": secret}})
	path, body := ask{}.http(flash, "hello")
	if r := g.post(path, body, header("Authorization", "Bearer chat-"+secret)); r.status != 200 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	for path, says := range map[string]string{"/pipeline": `"name":"auth"`, "/creds/status": `"ann0.json"`, "/usage/stats": `"success":true`, "/usage/aggregated": `"requests"`} {
		r := g.get(path)
		if r.status != 200 || !strings.Contains(string(r.body), says) || !json.Valid(r.body) {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
		for _, hidden := range []string{apiKey(0), "ya29.", "1//0sim", simulator.ClientSecret, secret} {
			if bytes.Contains(r.body, []byte(hidden)) {
				t.Errorf("%s shows %q", path, hidden)
			}
		}
		for name, who := range map[string]func(*http.Request){"nobody": header("Authorization"), "the chat password": header("Authorization", "Bearer chat-"+secret),
			"another scheme": header("Authorization", "Basic "+secret), "the wrong place": func(r *http.Request) { r.Header.Del("Authorization"); r.Header.Set("x-api-key", secret) }} {
			if r := g.get(path, who); r.status != 401 || !strings.Contains(string(r.body), `"detail"`) {
				t.Errorf("%s with %s: %d %s", path, name, r.status, r.body)
			}
		}
	}
	if r := g.post(path, body); r.status != 401 {
		t.Errorf("the panel's password opens the chat side: %d", r.status)
	}
}

// access is what the guard asks.
type access struct{ open bool }

func (access) PanelPassword() string { return secret }
func (a access) PanelOpen() bool     { return a.open }

// The guard by itself, for machines without an address of their own: fiber's test connection comes
// from 0.0.0.0, which is not loopback.
func TestConsoleGuard(t *testing.T) {
	for _, tt := range []struct {
		open bool
		want int
	}{{true, 200}, {false, 403}} {
		p, err := pool.New(pool.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		engine, err := pipeline.NewEngine(pipeline.Options{})
		if err != nil {
			t.Fatal(err)
		}
		app := fiber.New()
		console.Services{Access: access{tt.open}, Engine: engine, Pool: p, Stats: stats.New()}.Mount(app)
		for _, path := range []string{"/pipeline", "/creds/status", "/usage/stats", "/usage/aggregated"} {
			req := httptest.NewRequest("GET", path, nil)
			req.Header.Set("Authorization", "Bearer "+secret)
			resp, err := app.Test(req, -1)
			if err != nil {
				t.Fatal(err)
			}
			got, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != tt.want || tt.want == 403 && !strings.Contains(string(got), "PANEL_PASSWORD") {
				t.Errorf("chosen %v: %s from outside: %d %s", tt.open, path, resp.StatusCode, got)
			}
		}
	}
}
