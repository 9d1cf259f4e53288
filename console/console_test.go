package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gcli2api/pipeline"
	"gcli2api/store/apikey"
	"gcli2api/store/embedded"
	"gcli2api/store/pool"
	"gcli2api/store/stats"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

type access struct {
	password string
	open     bool
}

func (a access) PanelPassword() string { return a.password }
func (a access) PanelOpen() bool       { return a.open }

func panelOf(t *testing.T, a access) *fiber.App {
	t.Helper()
	p, err := pool.New(pool.Options{Settings: pool.Settings{APIKeys: []string{"AIzaSecretOfTheTest"}}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	e, err := pipeline.NewEngine(pipeline.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := stats.New()
	s.Record(stats.Request{Key: "password", Model: "m", Tries: []stats.Try{{Credential: "c", Model: "m", Total: 5}}})
	app := fiber.New()
	n := nodeOn(t, storeOf(t), nodeOptions{}).s
	Services{Access: a, Engine: e, Pool: p, Stats: s, Book: bookOf(t), Audit: auditOf(t), Log: slog.New(slog.DiscardHandler),
		Sessions: n.Sessions, Settings: n.Settings, Nodes: n.Nodes}.Mount(app)
	return app
}

// bookOf is a book without keys, on a store of its own.
func bookOf(t *testing.T) *apikey.Book {
	t.Helper()
	db, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "db")})
	if err != nil {
		t.Fatal(err)
	}
	b, err := apikey.Open(t.Context(), apikey.Options{Store: db, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(b.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	})
	return b
}

func TestRoutesTakeThePanelPasswordOnly(t *testing.T) {
	app := panelOf(t, access{"right", true})
	for _, r := range (Services{}).routes() {
		if r.who != panel {
			continue
		}
		ok := map[string]int{"GET": 200, "POST": 400, "DELETE": 200}[r.method] // without a body
		switch r.path {
		case "/creds/detail":
			ok = 400 // of nobody
		case "/creds/deduplicate", "/auth/load-env-creds", "/creds/quota", "/creds/refresh-all-emails":
			ok = 200 // need none
		case "/storage/backup", "/storage/backups", "/storage/rotate-secret", "/storage/import":
			ok = 503 // this gateway makes none, and keeps nothing
		}
		if strings.Contains(r.path, "/:filename") || strings.Contains(r.path, "/:name") || strings.Contains(r.path, "/:id") || strings.HasSuffix(r.path, "/*") { // nobody is called that
			ok = 404
		}
		for header, want := range map[string]int{"Bearer right": ok, "bearer right": ok, "Bearer wrong": 401, "right": 401, "": 401, "Bearer ": 401} {
			req := httptest.NewRequest(r.method, r.path, nil)
			req.Header.Set("Authorization", header)
			req.Header.Set("Origin", "https://elsewhere.example")
			resp, err := app.Test(req, -1)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			if archive := (r.path == "/creds/download-all" || r.path == "/auth/keys/export") && want == 200; resp.StatusCode != want || !archive && !json.Valid(body) {
				t.Errorf("%s with %q: %d %s", r.path, header, resp.StatusCode, body)
			}
			if resp.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s answers other origins", r.path)
			}
			if strings.Contains(string(body), "AIzaSecretOfTheTest") {
				t.Errorf("%s shows a secret", r.path)
			}
		}
	}
}

func TestWrongMethodsAreRefused(t *testing.T) {
	app := panelOf(t, access{"right", true})
	takes := map[string]string{}
	for _, r := range (Services{}).routes() {
		takes[r.path] += r.method + " "
	}
	for _, r := range (Services{}).routes() {
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
			if strings.Contains(takes[r.path], method+" ") {
				continue
			}
			resp, err := app.Test(httptest.NewRequest(method, r.path, nil), -1)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != 405 || !strings.Contains(resp.Header.Get("Allow"), r.method) || !strings.Contains(string(body), `"detail"`) {
				t.Errorf("%s %s: %d %s", method, r.path, resp.StatusCode, body)
			}
		}
	}
}

func TestCredentialsAreSwitched(t *testing.T) {
	p, err := pool.New(pool.Options{Settings: pool.Settings{APIKeys: []string{"AIzaSecretOfTheTest"}}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	id, durable := p.Status()[0].ID, 0
	var fails error
	app := fiber.New()
	Services{Access: access{"right", true}, Pool: p, Stats: stats.New(), Log: slog.New(slog.DiscardHandler),
		Kept: func(context.Context) error { durable++; return fails }}.Mount(app)
	for _, row := range []struct {
		body   string
		status int
		off    bool
		fails  error
	}{
		{`{"filename":"` + id + `","action":"disable"}`, 200, true, nil},
		{`{"filename":"` + id + `","action":"delete"}`, 400, true, nil},
		{`{"filename":"` + id + `"}`, 400, true, nil},
		{`{"filename":"other.json","action":"enable"}`, 404, true, nil},
		{`[]`, 400, true, nil},
		{`{"filename":"` + id + `","action":"enable"}`, 200, false, nil},
		{`{"filename":"` + id + `","action":"disable"}`, 503, true, errors.New("the disk is full")},
	} {
		fails = row.fails
		req := httptest.NewRequest("POST", "/creds/action", strings.NewReader(row.body))
		req.Header.Set("Authorization", "Bearer right")
		resp, err := app.Test(req, -1)
		if err != nil {
			t.Fatal(err)
		}
		if off := p.Status()[0].Disabled; resp.StatusCode != row.status || off != row.off {
			t.Errorf("%s: %d, switched off %v", row.body, resp.StatusCode, off)
		}
	}
	if durable != 3 {
		t.Errorf("waited for the store %d times", durable)
	}
}

func TestUsageAddsUp(t *testing.T) {
	app := panelOf(t, access{"right", true})
	req := httptest.NewRequest("GET", "/usage/aggregated", nil)
	req.Header.Set("Authorization", "Bearer right")
	resp, err := app.Test(req, -1)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Data struct {
			Requests stats.Count `json:"requests"`
			Upstream stats.Count `json:"upstream_calls"`
			Files    int         `json:"total_files"`
		} `json:"data"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if got.Data.Requests.Calls != 1 || got.Data.Upstream.Total != 5 || got.Data.Files != 1 {
		t.Errorf("%+v", got)
	}
}

// Until somebody chose a panel password, only this machine is answered.
func TestOtherMachinesWaitForAPassword(t *testing.T) {
	for ip, want := range map[string]map[bool]int{"127.0.0.1": {false: 200, true: 200}, "192.0.2.7": {false: 403, true: 200}, "::1": {false: 200, true: 200}} {
		for open, status := range want {
			app := panelOf(t, access{"pwd", open})
			var ctx fasthttp.RequestCtx
			var req fasthttp.Request
			req.Header.SetMethod("GET")
			req.SetRequestURI("/pipeline")
			req.Header.SetHost("127.0.0.1:7861")
			req.Header.Set("Authorization", "Bearer pwd")
			ctx.Init(&req, &net.TCPAddr{IP: net.ParseIP(ip), Port: 1}, nil)
			app.Handler()(&ctx)
			if got := ctx.Response.StatusCode(); got != status {
				t.Errorf("peer %s, password chosen %v: %d, want %d", ip, open, got, status)
			}
		}
	}
}

// Each request has an id and a line, and who tries passwords is seen; the password is not.
func TestRequestsAreLogged(t *testing.T) {
	var lines bytes.Buffer
	p, err := pool.New(pool.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	app := fiber.New()
	Services{Access: access{"right", true}, Pool: p, Stats: stats.New(), Log: slog.New(slog.NewTextHandler(&lines, nil))}.Mount(app)
	for password, want := range map[string]string{"right": "level=INFO", "guessed": "level=WARN"} {
		lines.Reset()
		req := httptest.NewRequest("GET", "/creds/status?token=guessed", nil)
		req.Header.Set("Authorization", "Bearer "+password)
		resp, err := app.Test(req, -1)
		if err != nil {
			t.Fatal(err)
		}
		id := resp.Header.Get("X-Request-Id")
		line := lines.String()
		if id == "" || !strings.Contains(line, want) || !strings.Contains(line, "id="+id) || !strings.Contains(line, "path=/creds/status ") ||
			!strings.Contains(line, fmt.Sprintf("status=%d ", resp.StatusCode)) || !strings.Contains(line, "peer=") || strings.Contains(line, "guessed") {
			t.Errorf("id %q, line %q", id, line)
		}
	}
}

// Only what a visitor needs to sign in is public, and what the holder of a key may know.
func TestWhatIsPublic(t *testing.T) {
	var public []string
	for _, r := range (Services{}).routes() {
		if r.who != panel {
			public = append(public, r.method+" "+r.path)
		}
	}
	slices.Sort(public)
	if got := strings.Join(public, ", "); got != "GET /auth/models/+/cost, GET /auth/quota, GET "+landingPath+", POST /auth/callback, POST /auth/callback-url, POST /auth/login, POST /auth/query, POST /auth/start" {
		t.Errorf("anybody may use %s", got)
	}
}
