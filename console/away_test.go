package console

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline/config"
	"gcli2api/store"
	"gcli2api/store/circuit"
	"gcli2api/store/embedded"
	"gcli2api/store/move"
	"gcli2api/store/oauth"
	"gcli2api/store/open"
	"gcli2api/store/pool"
	"gcli2api/store/stats"
	"gcli2api/store/storetest"

	"github.com/gofiber/fiber/v2"
)

// database is an embedded store that looks like a database which others have as well.
type database struct {
	*storetest.Flaky
	up bool
}

func (d *database) State() circuit.State {
	return circuit.State{Engine: "Redis", Place: "Redis at HOST", Up: d.up}
}

// What cannot be done while the database is away is a 503 that says when to come back, and nothing is made up.
func TestCredentialsWhileTheDatabaseIsAway(t *testing.T) {
	file, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "db")})
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	db := &database{Flaky: &storetest.Flaky{Store: file}, up: true}
	c, err := config.Load(config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := pool.New(pool.Options{Store: db, OAuth: oauth.New(oauth.Options{HTTP: func() *http.Client { return http.DefaultClient }, Settings: func() oauth.Settings { return oauth.Settings{} }}), Poll: time.Hour, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	backup := move.Begin(move.Options{Store: db, Place: open.Place{Engine: open.Redis}, Settings: func() move.Settings { return move.SettingsOf(c) }})
	defer backup.Close()
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	Services{Access: access{"right", true}, Pool: p, Stats: stats.New(), Log: slog.New(slog.DiscardHandler), Store: db, Backup: backup,
		Kept: func(context.Context) error { return nil }}.Mount(app)
	const one = `{"refresh_token": "1//r", "project_id": "p", "email": "u@example.com", "client_id": "c", "client_secret": "s"}`
	if status, text := as(t, app, "POST", "/creds/add", one); status != 200 {
		t.Fatal(status, text)
	}
	name := p.Status()[0].ID
	if status, text := as(t, app, "GET", "/creds/status", ""); status != 200 || !strings.Contains(text, `"backend_type":"redis"`) {
		t.Errorf("%d %s", status, text)
	}
	db.up = false
	db.Break(storetest.Fault{Err: &store.Away{Engine: "Redis", Err: errors.New("cut")}})
	for _, ask := range []struct{ method, path, body string }{
		{"GET", "/creds/quarantine", ""},
		{"GET", "/storage/backup", ""},
		{"POST", "/creds/action", `{"filename": "` + name + `", "action": "delete"}`},
		{"POST", "/creds/action", `{"filename": "` + name + `", "action": "restore"}`},
		{"POST", "/creds/action", `{"filename": "` + name + `", "action": "purge"}`},
		{"POST", "/creds/add", strings.ReplaceAll(one, "1//r", "1//other")},
	} {
		req := httptest.NewRequest(ask.method, ask.path, strings.NewReader(ask.body))
		req.Header.Set("Authorization", "Bearer right")
		req.Header.Set("Content-Type", "application/json")
		resp, err := app.Test(req, -1)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" || !strings.Contains(string(text), `"detail"`) {
			t.Errorf("%s %s %s: %d, Retry-After %q, %s", ask.method, ask.path, ask.body, resp.StatusCode, resp.Header.Get("Retry-After"), text)
		}
	}
	db.Heal()
	if len(p.Status()) != 1 {
		t.Error("something was deleted all the same")
	}
}
