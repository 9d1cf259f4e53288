package console

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"gcli2api/store/oauth"
	"gcli2api/store/pool"
	"gcli2api/store/stats"

	"github.com/gofiber/fiber/v2"
)

// Every name can be downloaded, and none of them breaks the header.
func TestDownload(t *testing.T) {
	app, p, _ := panelWith(t, pool.Options{})
	names := []string{"账 号.json", "a;b.json", "it's.json", "a'b%.json"}
	for i, name := range names {
		if in, err := p.Import(pool.Offer{Name: name, Data: []byte(account(i))}); err != nil || in.File != name {
			t.Fatalf("%+v %v", in, err)
		}
	}
	for i, name := range names {
		req := httptest.NewRequest("GET", "/creds/download/"+url.PathEscape(name), nil)
		req.Header.Set("Authorization", "Bearer right")
		resp, err := app.Test(req, -1)
		if err != nil {
			t.Fatal(err)
		}
		var f struct {
			RefreshToken string `json:"refresh_token"`
			Project      string `json:"project_id"`
		}
		if err := json.NewDecoder(resp.Body).Decode(&f); err != nil || resp.StatusCode != 200 || !strings.Contains(account(i), f.RefreshToken) || f.Project == "" {
			t.Errorf("%s: %d %v %+v", name, resp.StatusCode, err, f)
		}
		head := resp.Header.Get("Content-Disposition")
		if !strings.HasPrefix(head, "attachment; filename=\"") || strings.Count(head, `"`) != 2 || !strings.Contains(head, "filename*=UTF-8''"+strings.ReplaceAll(url.QueryEscape(name), "+", "%20")) {
			t.Errorf("%s: %s", name, head)
		}
		if resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s may be kept", name)
		}
	}
	for _, name := range []string{"none.json", "..%2f..%2fetc%2fpasswd", "%00", "."} {
		if status, got := ask(t, app, "GET", "/creds/download/"+name, nil, ""); status != 404 {
			t.Errorf("%s: %d %s", name, status, got)
		}
	}
}

func TestDownloadAll(t *testing.T) {
	app, p, dir := panelWith(t, pool.Options{})
	if status, got := ask(t, app, "GET", "/creds/download-all", nil, ""); status != 404 || !strings.Contains(string(got), "detail") {
		t.Errorf("%d %s", status, got)
	}
	for _, o := range []pool.Offer{{Name: "a.json", Data: []byte(account(1))}, {Name: "key.json", Data: []byte(`{"type":"gemini_api_key","api_key":"AIza-one"}`)},
		{Name: "p.json", Data: []byte(strings.Replace(account(2), "proj-2", "one,two", 1))}} {
		if _, err := p.Import(o); err != nil {
			t.Fatal(err)
		}
	}
	status, got := ask(t, app, "GET", "/creds/download-all", nil, "")
	z, err := zip.NewReader(bytes.NewReader(got), int64(len(got)))
	if status != 200 || err != nil || len(z.File) != 3 {
		t.Fatalf("%d %v", status, err)
	}
	// What goes out comes in again.
	before := filesOf(t, dir)
	other, q, _ := panelWith(t, pool.Options{})
	if status, u := send(t, other, file{"all.zip", string(got)}); status != 200 || u.Good != 3 || len(q.Status()) != len(p.Status()) {
		t.Errorf("%d %+v", status, u)
	}
	if status, u := send(t, app, file{"all.zip", string(got)}); status != 200 || u.Good != 3 || filesOf(t, dir) != before || len(p.Status()) != 4 {
		t.Errorf("%d %+v, %s", status, u, filesOf(t, dir))
	}
}

func TestActions(t *testing.T) {
	app, p, _ := panelWith(t, pool.Options{})
	for i, name := range []string{"a.json", "b.json", "c.json"} {
		if _, err := p.Import(pool.Offer{Name: name, Data: []byte(account(i))}); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range []struct {
		path, body string
		status     int
		says       string
		left       int
	}{
		{"/creds/action", `{"filename":"a.json","action":"delete"}`, 200, "quarantine", 2},
		{"/creds/action", `{"filename":"a.json","action":"delete"}`, 404, "no such credential", 2},
		{"/creds/action", `{"filename":"b.json","action":"purge"}`, 404, "delete it first", 2},
		{"/creds/action", `{"filename":"a.json","action":"explode"}`, 400, `must be`, 2},
		{"/creds/batch-action", `{"action":"delete","filenames":["b.json","x.json"]}`, 200, `"success_count":1`, 1},
		{"/creds/batch-action", `{"action":"delete","filenames":["x.json"]}`, 200, `"errors":["x.json: there is no such credential"]`, 1},
		{"/creds/batch-action", `{"action":"restore","filenames":["a.json","b.json"]}`, 200, `"2/2"`, 3},
		{"/creds/batch-action", `{"action":"disable","filenames":["a.json","b.json"]}`, 200, `"total_count":2`, 3},
		{"/creds/batch-action", `{"action":"disable","filenames":[]}`, 400, "at least one", 3},
		{"/creds/batch-action", `{"action":"explode","filenames":["a.json"]}`, 400, "must be", 3},
		{"/creds/batch-action", `[]`, 400, "the body must be", 3},
		{"/creds/deduplicate", `{"dry_run":true}`, 200, `"dry_run":true`, 3},
		{"/creds/deduplicate", `[]`, 400, "dry_run", 3},
		{"/creds/deduplicate", `{"dryrun":true}`, 400, "dry_run", 3},
		{"/creds/deduplicate", ``, 200, `"dry_run":false`, 3},
	} {
		status, got := ask(t, app, "POST", row.path, strings.NewReader(row.body), "application/json")
		if status != row.status || !strings.Contains(string(got), row.says) || len(p.Status()) != row.left {
			t.Errorf("%s %s: %d %s, %d left", row.path, row.body, status, got, len(p.Status()))
		}
	}
	if status, got := ask(t, app, "GET", "/creds/quarantine", nil, ""); status != 200 || !strings.Contains(string(got), `"total_count":0`) {
		t.Errorf("%d %s", status, got)
	}
}

func TestEnvironmentRoutes(t *testing.T) {
	app, p, _ := panelWith(t, pool.Options{EnvLater: true, Environ: oauth.FromEnvironment([]string{"GCLI_CREDS_work=" + account(1), "GCLI_CREDS_bad=HIDDEN"}, true)})
	for _, row := range []struct {
		method, path string
		want         []string
		pool         int
	}{
		{"GET", "/auth/env-creds-status", []string{`"available_env_vars":{"GCLI_CREDS_bad":"***","GCLI_CREDS_work":"***"}`, `"auto_load_enabled":false`, `"existing_env_files_count":0`, `"existing_env_files":[]`, `"loaded_env_vars":{}`}, 0},
		{"POST", "/auth/load-env-creds", []string{`"loaded_count":1`, `"total_count":2`, `"env_name":"GCLI_CREDS_work","identifier":"work","success":true`, `"project_id":"proj-1"`, `"filename":"env-work"`, `"success":false`, `"error":"it is not a JSON`}, 1},
		{"GET", "/auth/env-creds-status", []string{`"loaded_env_vars":{"GCLI_CREDS_work":["env-work"]}`}, 1},
		{"DELETE", "/auth/env-creds", []string{`"deleted_count":1`, `"deleted_files":["env-work"]`}, 0},
		{"DELETE", "/auth/env-creds", []string{`"deleted_count":0`, `"deleted_files":[]`}, 0},
	} {
		status, got := ask(t, app, row.method, row.path, nil, "")
		for _, want := range row.want {
			if !strings.Contains(string(got), want) {
				t.Errorf("%s %s: no %s in %s", row.method, row.path, want, got)
			}
		}
		if status != 200 || len(p.Status()) != row.pool || strings.Contains(string(got), "HIDDEN") || strings.Contains(string(got), "1//") {
			t.Errorf("%s %s: %d %s, %d credentials", row.method, row.path, status, got, len(p.Status()))
		}
	}
}

// What the operator does with credentials stands in the log, with their names.
func TestActionsAreLogged(t *testing.T) {
	var said bytes.Buffer
	_, p, _ := panelWith(t, pool.Options{})
	app := fiber.New(fiber.Config{StreamRequestBody: true})
	Services{Access: access{"right", true}, Pool: p, Stats: stats.New(), Log: slog.New(slog.NewTextHandler(&said, nil))}.Mount(app)
	for i, name := range []string{"a.json", "b.json"} {
		if _, err := p.Import(pool.Offer{Name: name, Data: []byte(account(i))}); err != nil {
			t.Fatal(err)
		}
	}
	ask(t, app, "POST", "/creds/action", strings.NewReader(`{"filename":"a.json","action":"delete"}`), "application/json")
	ask(t, app, "POST", "/creds/batch-action", strings.NewReader(`{"filenames":["b.json","x.json"],"action":"disable"}`), "application/json")
	for _, want := range []string{"action=delete count=1 credentials=[a.json]", "action=disable count=1 credentials=[b.json]"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("no %q in %s", want, said.String())
		}
	}
	if status, got := ask(t, app, "POST", "/creds/add", strings.NewReader(strings.Repeat(" ", maxText+1)), "application/json"); status != 413 || !strings.Contains(string(got), "larger than 16 MB") {
		t.Errorf("%d %s", status, got)
	}
}
