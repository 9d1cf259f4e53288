package console

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline/wire/gemini"
	"gcli2api/store/oauth"
	"gcli2api/store/pool"
	"gcli2api/store/stats"

	"github.com/gofiber/fiber/v2"
)

// accounts makes a pool over a folder with n made-up accounts that need nothing from Google.
func accounts(t testing.TB, n int) *pool.Pool {
	t.Helper()
	dir := t.TempDir()
	for i := range n {
		text := fmt.Sprintf(`{"client_id":"id%[1]d","client_secret":"topsecret-client-%[1]d","refresh_token":"topsecret-refresh-%[1]d","token":"topsecret-token-%[1]d",
			"expiry":"2099-01-01T00:00:00Z","project_id":"project-%[1]d","email":"Person%[1]d@example.com","scopes":["s1","s2"],"label":"from the file %[1]d"}`, i)
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("acc-%05d.json", i)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	client := oauth.New(oauth.Options{HTTP: func() *http.Client { return http.DefaultClient }, Settings: func() oauth.Settings { return oauth.Settings{} }})
	p, err := pool.New(pool.Options{Dir: dir, OAuth: client, Poll: time.Hour, Log: slog.New(slog.DiscardHandler),
		Settings: pool.Settings{APIKeys: []string{"AIzaSecretOfTheTest"}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func consoleOf(p *pool.Pool, kept func(context.Context) error) *fiber.App {
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	Services{Access: access{"right", true}, Pool: p, Stats: stats.New(), Log: slog.New(slog.DiscardHandler), Kept: kept}.Mount(app)
	return app
}

// as makes a request as the operator; the answer never shows a secret.
func as(t testing.TB, app *fiber.App, method, path, body string) (int, string) {
	t.Helper()
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	req.Header.Set("Authorization", "Bearer right")
	resp, err := app.Test(req, -1)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(resp.Body)
	if strings.Contains(string(text), "topsecret") || strings.Contains(string(text), "AIzaSecret") {
		t.Errorf("%s %s shows a secret: %s", method, path, text)
	}
	return resp.StatusCode, string(text)
}

type pageOf struct {
	Creds                                       map[string]credView
	Total, Matching, Enabled, Disabled, Cooling int
	Offset, Limit                               *int
	names                                       []string
}

// pageAt asks for a list and keeps the order of its members.
func pageAt(t testing.TB, app *fiber.App, query string) (p pageOf) {
	t.Helper()
	status, text := as(t, app, "GET", "/creds/status?"+query, "")
	if status != 200 || json.Unmarshal([]byte(text), &p) != nil {
		t.Fatalf("%s: %d %s", query, status, text)
	}
	var raw struct{ Creds json.RawMessage }
	_ = json.Unmarshal([]byte(text), &raw)
	d := json.NewDecoder(strings.NewReader(string(raw.Creds)))
	_, _ = d.Token()
	for d.More() {
		name, _ := d.Token()
		var skip json.RawMessage
		_ = d.Decode(&skip)
		p.names = append(p.names, fmt.Sprint(name))
	}
	return p
}

func TestStatusPages(t *testing.T) {
	p := accounts(t, 30)
	app := consoleOf(p, nil)
	p.Disable("acc-00003.json")
	p.Configure("acc-00007.json", func(w *pool.Wish) { w.Priority, w.Groups, w.Label = 5, []string{"team"}, "Blue One" })
	p.Configure("acc-00009.json", func(w *pool.Wish) { w.Priority, w.Groups = 9, []string{"other", "team"} })
	for _, row := range []struct {
		query    string
		names    string // of accounts, by number; "key" for the key of the settings
		matching int
	}{
		{"limit=3", "0 1 2", 31}, {"offset=28&limit=20", "28 29 key", 31}, {"offset=31&limit=20", "", 31}, {"offset=99", "", 31},
		{"limit=2&sort=-name", "key 29", 31}, {"limit=2&sort=-priority", "9 7", 31}, {"limit=2&sort=priority", "0 1", 31},
		{"status_filter=disabled", "3", 1}, {"status_filter=cooling", "", 0}, {"status_filter=enabled&limit=4&offset=2", "2 4 5 6", 30},
		{"group=team", "7 9", 2}, {"group=tea", "", 0}, {"group=team&sort=-name&limit=1", "9", 2}, {"kind=gemini", "key", 1}, {"kind=vertex", "", 0},
		{"search=PERSON12@", "12", 1}, {"search=blue", "7", 1}, {"search=project-2&limit=3", "2 20 21", 11}, {"search=ACC-0001&sort=-name&limit=2", "19 18", 10},
		{"search=from+the+file+7", "", 0}, {"search=nobody", "", 0},
	} {
		got := pageAt(t, app, row.query)
		var names []string
		for _, n := range got.names {
			n = strings.TrimSuffix(strings.TrimPrefix(n, "acc-"), ".json")
			if n = strings.TrimLeft(n, "0"); n == "" {
				n = "0"
			}
			if strings.HasPrefix(n, "key-") {
				n = "key"
			}
			names = append(names, n)
		}
		if strings.Join(names, " ") != row.names || got.Matching != row.matching {
			t.Errorf("%s: %v of %d, want %s of %d", row.query, names, got.Matching, row.names, row.matching)
		}
		if got.Total != 31 || got.Enabled != 30 || got.Disabled != 1 || got.Cooling != 0 {
			t.Errorf("%s: totals %+v", row.query, got)
		}
	}
	whole := pageAt(t, app, "")
	if len(whole.Creds) != 31 || whole.Limit != nil {
		t.Errorf("without parameters: %d credentials, limit %v", len(whole.Creds), whole.Limit)
	}
	if got := pageAt(t, app, "offset=1"); len(got.Creds) != 30 || *got.Limit != pageSize || *got.Offset != 1 {
		t.Errorf("an offset alone: %d, %+v", len(got.Creds), got)
	}
	c := whole.Creds["acc-00007.json"]
	if c.InUse != 0 {
		t.Errorf("%d calls under way", c.InUse)
	}
	lease, fail := p.Acquire(t.Context(), pool.Want{Model: "gemini-2.5-pro", Group: "team"})
	if fail != nil {
		t.Fatal(fail)
	}
	if got := pageAt(t, app, "limit=1&search="+lease.ID()).Creds[lease.ID()]; got.InUse != 1 {
		t.Errorf("lent, and %d calls under way", got.InUse)
	}
	lease.Release()
	if c.Size < 100 || c.Modified < 1e9 || c.Backend != "file" || c.Label != "Blue One" || c.Content["client_id"] != "id7" ||
		c.Content["project_id"] != "project-7" || fmt.Sprint(c.Content["scopes"]) != "[s1 s2]" || c.Wish.Priority != 5 {
		t.Errorf("%+v", c)
	}
}

// The end of a rest stands in both places where clients of the old product look for it (behaviour 1.5.2).
func TestStatusOfWhatRests(t *testing.T) {
	p := accounts(t, 1)
	lease, fail := p.Acquire(t.Context(), pool.Want{Model: "gemini-2.5-pro"})
	if fail != nil {
		t.Fatal(fail)
	}
	lease.Report(gemini.ParseError(403, "", []byte(`{"error":{"message":"Forbidden"}}`), time.Now()))
	lease.Release()
	c := pageAt(t, consoleOf(p, nil), "search="+lease.ID()).Creds[lease.ID()]
	if left := c.Until - unix(time.Now()); c.Cooldown != "cooling" || left < 1700 || left > 1800 || c.Status.Until != c.Until || c.Remaining < 1700 {
		t.Errorf("%+v", c)
	}
}

func TestStatusRefusesWhatItDoesNotKnow(t *testing.T) {
	app := consoleOf(accounts(t, 1), nil)
	for query, names := range map[string]string{
		"limit=0": "limit", "limit=1001": "limit", "limit=x": "limit", "limit=-1": "limit", "offset=-1": "offset", "offset=1.5": "offset",
		"offset=99999999999999999999": "offset", "status_filter=on": "status_filter", "kind=x": "kind", "sort=size": "sort", "sort=--name": "sort",
		"search=" + strings.Repeat("x", 201): "search", "group=" + strings.Repeat("x", 201): "group",
	} {
		status, text := as(t, app, "GET", "/creds/status?"+query, "")
		if status != 400 || !strings.HasPrefix(text, `{"detail":"`+names) {
			t.Errorf("%.40s: %d %s", query, status, text)
		}
	}
	for _, query := range []string{"limit=1", "limit=1000", "status_filter=all", "sort=", "token=x"} {
		if status, text := as(t, app, "GET", "/creds/status?"+query, ""); status != 200 {
			t.Errorf("%s: %d %s", query, status, text)
		}
	}
}

func TestDetail(t *testing.T) {
	p := accounts(t, 2)
	app := consoleOf(p, nil)
	p.Disable("acc-00001.json")
	status, text := as(t, app, "GET", "/creds/detail?filename=acc-00001.json", "")
	var d detailView
	if status != 200 || json.Unmarshal([]byte(text), &d) != nil {
		t.Fatalf("%d %s", status, text)
	}
	if !d.Status.Disabled || d.Status.Reason == "" || d.Content["refresh_token"] != "***" || d.Content["token"] != "***" ||
		d.Content["client_secret"] != "***" || d.Content["client_id"] != "id1" || d.Content["api_key"] != nil || d.Size == 0 {
		t.Errorf("%s", text)
	}
	for path, want := range map[string]int{"/creds/detail": 400, "/creds/detail?filename=": 400, "/creds/detail?filename=other.json": 404, "/creds/detail?filename=../acc-00001.json": 404} {
		if status, text := as(t, app, "GET", path, ""); status != want {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
}

func TestConfigure(t *testing.T) {
	p := accounts(t, 2)
	durable := 0
	app := consoleOf(p, func(context.Context) error { durable++; return nil })
	wish := func() pool.Wish { d, _ := p.Detail("acc-00000.json"); return d.Wish }
	const whole = `{"filename":"acc-00000.json","label":"Mine","priority":-3,"weight":7,"groups":["b","a","b"],"proxy":"socks5://u:topsecret@10.0.0.1:1080","concurrency":-1,"gemini_2_5_pro_limit":50,"total_limit":0}`
	status, text := as(t, app, "POST", "/creds/configure", whole)
	w := wish()
	if status != 200 || w.Label != "Mine" || w.Priority != -3 || w.Weight != 7 || fmt.Sprint(w.Groups) != "[a b]" || w.Concurrency != -1 ||
		*w.DailyPro != 50 || *w.DailyTotal != 0 || w.Proxy != "socks5://***@10.0.0.1:1080" || !strings.Contains(text, "socks5://***@10.0.0.1:1080") {
		t.Fatalf("%d %s: %+v", status, text, w)
	}
	// A part changes that part; what was shown masked and comes back changes nothing.
	for _, body := range []string{`"priority":4`, `"proxy":"socks5://***@10.0.0.1:1080"`, `"weight":null`, `"total_limit":null,"groups":[]`} {
		if status, text := as(t, app, "POST", "/creds/configure", `{"filename":"acc-00000.json",`+body+`}`); status != 200 {
			t.Errorf("%s: %d %s", body, status, text)
		}
	}
	if w = wish(); w.Label != "Mine" || w.Priority != 4 || w.Weight != 0 || w.Groups != nil || *w.DailyPro != 50 || w.DailyTotal != nil || w.Proxy != "socks5://***@10.0.0.1:1080" {
		t.Errorf("%+v", w)
	}
	before := durable
	for body, says := range map[string]string{
		`{"filename":"acc-00000.json","prio":1}`: "prio", `{"filename":"acc-00000.json","filenames":["a"],"priority":1}`: "filename", `{"priority":1}`: "filename",
		`{"filename":"acc-00000.json"}`: "nothing to change", `{"filename":3,"priority":1}`: "filename", `{"filenames":[],"priority":1}`: "filenames",
		`[]`: "JSON object", `null`: "JSON object", `{`: "JSON object",
		`{"filename":"acc-00000.json","priority":1001}`: "priority", `{"filename":"acc-00000.json","priority":1.5}`: "priority", `{"filename":"acc-00000.json","weight":-1}`: "weight",
		`{"filename":"acc-00000.json","concurrency":-2}`: "concurrency", `{"filename":"acc-00000.json","total_limit":-1}`: "total_limit",
		`{"filename":"acc-00000.json","gemini_2_5_pro_limit":"x"}`: "gemini_2_5_pro_limit", `{"filename":"acc-00000.json","groups":[" a"]}`: "groups",
		`{"filename":"acc-00000.json","groups":"a"}`: "groups", `{"filename":"acc-00000.json","label":"a\nb"}`: "label",
		`{"filename":"acc-00000.json","priority":9,"proxy":"ftp://u:topsecret@h"}`: "proxy", `{"filename":"acc-00000.json","proxy":"http://u:topsecret@h:1/x"}`: "proxy",
		`{"filename":"acc-00000.json","priority":9,"proxy":"socks5://***@10.0.0.2:1080"}`: "proxy", `{"filename":"acc-00000.json","proxy":7}`: "proxy",
	} {
		if status, text := as(t, app, "POST", "/creds/configure", body); status != 400 || !strings.Contains(text, says) {
			t.Errorf("%s: %d %s", body, status, text)
		}
	}
	if w := wish(); w.Priority != 4 || durable != before {
		t.Errorf("a refused request changed something: %+v", w)
	}
	if status, _ := as(t, app, "POST", "/creds/configure", `{"filename":"other.json","priority":1}`); status != 404 {
		t.Errorf("another credential: %d", status)
	}
	status, text = as(t, app, "POST", "/creds/configure", `{"filenames":["acc-00000.json","gone.json","acc-00001.json"],"groups":["team"]}`)
	if status != 200 || !strings.Contains(text, `"success_count":2`) || !strings.Contains(text, `"total_count":3`) || !strings.Contains(text, "gone.json: there is no such") {
		t.Errorf("many: %d %s", status, text)
	}
	if d, _ := p.Detail("acc-00001.json"); fmt.Sprint(d.Wish.Groups, wish().Groups) != "[team] [team]" {
		t.Errorf("%v %v", d.Wish, wish())
	}
}

// BenchmarkStatus is a page of 1,000 among 10,000, through real HTTP.
func BenchmarkStatus(b *testing.B) {
	for _, n := range []int{1000, 10_000} {
		p := accounts(b, n)
		app := consoleOf(p, nil)
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		go func() { _ = app.Listener(ln) }()
		b.Cleanup(func() { _ = app.Shutdown() })
		for _, query := range []string{"limit=1000", "limit=1000&offset=500&sort=-email&search=person", "limit=20", ""} {
			b.Run(fmt.Sprintf("of %d, %s", n, query), func(b *testing.B) {
				req, _ := http.NewRequest("GET", "http://"+ln.Addr().String()+"/creds/status?"+query, nil)
				req.Header.Set("Authorization", "Bearer right")
				b.ReportAllocs()
				for b.Loop() {
					resp, err := http.DefaultClient.Do(req)
					if err != nil {
						b.Fatal(err)
					}
					size, _ := io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
					if resp.StatusCode != 200 {
						b.Fatal(resp.StatusCode)
					}
					b.ReportMetric(float64(size), "bytes")
				}
			})
		}
	}
}

// FuzzConfigure hands strangers' bytes in: no panic, a JSON answer, and no secret in it.
func FuzzConfigure(f *testing.F) {
	for _, seed := range []string{`{"filename":"acc-00000.json","priority":1}`, `{"filenames":["a","b"],"proxy":"http://u:p@h:1"}`, `{"filename":"acc-00000.json","proxy":"http://%zz"}`, `{"filename":"a","groups":[null,"x"]}`, `[`, "\xff"} {
		f.Add(seed)
	}
	p := accounts(f, 1)
	app := consoleOf(p, nil)
	f.Fuzz(func(t *testing.T, body string) {
		if status, text := as(t, app, "POST", "/creds/configure", body); !json.Valid([]byte(text)) || status >= 500 {
			t.Errorf("%d %s", status, text)
		}
		// No more of it than the head of a request has room for.
		if status, text := as(t, app, "GET", "/creds/status?limit=20&search="+url.QueryEscape(body[:min(len(body), 1000)]), ""); !json.Valid([]byte(text)) || status >= 500 {
			t.Errorf("%d %s", status, text)
		}
	})
}
