package console

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gcli2api/pipeline"
	"gcli2api/store"
	"gcli2api/store/apikey"
	"gcli2api/store/audit"
	"gcli2api/store/embedded"
	"gcli2api/store/seal"
	"gcli2api/store/stats"

	"github.com/gofiber/fiber/v2"
)

// desk is a panel with keys behind it.
type desk struct {
	t     *testing.T
	url   string
	book  *apikey.Book
	stats *stats.Stats
	lines logText      // of the log
	clock atomic.Int64 // seconds of the throttle
	store *watched
}

// logText is what was logged; the server writes while the test reads.
type logText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// watched is a store that counts what is asked of it, and can look like one of several nodes, or fail.
type watched struct {
	store.Store
	alone bool
	asked atomic.Int64
	fails atomic.Pointer[error]
}

func (c *watched) Alone() bool { return c.alone }

func (c *watched) Get(ctx context.Context, t store.Table, id string) (store.Doc, error) {
	c.asked.Add(1)
	return c.Store.Get(ctx, t, id)
}

func (c *watched) Put(ctx context.Context, t store.Table, d store.Doc, when store.Rev) (store.Rev, error) {
	if e := c.fails.Load(); e != nil {
		return 0, *e
	}
	return c.Store.Put(ctx, t, d, when)
}

func (c *watched) Counters(ctx context.Context, prefix string) (map[string]int64, error) {
	c.asked.Add(1)
	return c.Store.Counters(ctx, prefix)
}

func newDesk(t *testing.T, change ...func(*apikey.Options, *watched)) *desk {
	t.Helper()
	db, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "db")})
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, store: &watched{Store: db, alone: true}, stats: stats.New()}
	log := slog.New(slog.NewTextHandler(&d.lines, nil))
	o := apikey.Options{Store: d.store, Log: log}
	for _, f := range change {
		f(&o, d.store)
	}
	if d.book, err = apikey.Open(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	changes, err := audit.Open(t.Context(), audit.Options{Store: db, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(d.book.Close(), changes.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	})
	e, err := pipeline.NewEngine(pipeline.Options{})
	if err != nil {
		t.Fatal(err)
	}
	app := fiber.New(fiber.Config{DisableStartupMessage: true, StreamRequestBody: true, BodyLimit: 1, ReadBufferSize: 16 << 10})
	Services{Access: access{"right", true}, Engine: e, Stats: d.stats, Book: d.book, Audit: changes, Log: log,
		tries: newThrottle(func() time.Time { return time.Unix(d.clock.Load(), 0) })}.Mount(app)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d.url = "http://" + ln.Addr().String()
	go func() { _ = app.Listener(ln) }()
	t.Cleanup(func() { _ = app.Shutdown() })
	return d
}

// answer is what a route said.
type answer struct {
	status int
	header func(string) string
	body   string
	json   map[string]any
}

// ask calls a route with the panel password, the path as it is written here; a head is "Name: value".
func (d *desk) ask(method, path, body string, heads ...string) answer {
	d.t.Helper()
	req, err := http.NewRequest(method, d.url, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	req.URL.Opaque = path
	req.Header.Set("Authorization", "Bearer right")
	req.Header.Set("Content-Type", "application/json")
	for _, h := range heads {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Error(err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header.Get, body: string(text)}
	_ = json.Unmarshal(text, &a.json)
	return a
}

// made makes a key and gives its id and the key itself.
func (d *desk) made(body string) (id, key string) {
	d.t.Helper()
	a := d.ask("POST", "/auth/keys", body)
	if a.status != 200 {
		d.t.Fatalf("%d %s", a.status, a.body)
	}
	return a.json["id"].(string), a.json["api_key"].(string)
}

// spend charges a key as a request would.
func (d *desk) spend(id, model string, times int64) {
	d.t.Helper()
	m := (&pipeline.Engine{}).Models().Parse(model)
	bill, fail := d.book.Ledger.Reserve(d.t.Context(), apikey.Ask{Key: id, Model: m, Times: times})
	if fail != nil {
		d.t.Fatal(fail)
	}
	if fail := bill.Commit(d.t.Context()); fail != nil {
		d.t.Fatal(fail)
	}
	bill.Close(true, apikey.Tokens{})
	for range times {
		d.stats.Record(stats.Request{Key: id, Model: m.Base})
	}
}

// silent holds the log and the audit against secrets.
func (d *desk) silent(secrets ...string) {
	d.t.Helper()
	told := d.ask("GET", "/audit", "").body
	for _, s := range secrets {
		if strings.Contains(d.lines.String(), s) {
			d.t.Errorf("a key stands in the log")
		}
		if strings.Contains(told, s) {
			d.t.Errorf("a key stands in the audit")
		}
	}
}

// The shapes of behaviour 7.4, from the first call to the last.
func TestLifeOfAKey(t *testing.T) {
	d := newDesk(t)
	a := d.ask("POST", "/auth/keys", `{"total_quota": 1000, "description": "Alice"}`)
	key, _ := a.json["api_key"].(string)
	id, _ := a.json["id"].(string)
	if a.status != 200 || !regexp.MustCompile(`^sk-[A-Za-z0-9_-]{43}$`).MatchString(key) || a.header("Cache-Control") != "no-store" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	created, err := time.Parse("2006-01-02T15:04:05", fmt.Sprint(a.json["created_at"]))
	if err != nil || time.Since(created) > time.Minute || a.json["created_ts"] != float64(created.Unix()) {
		t.Errorf("created %v, %v", a.json["created_at"], a.json["created_ts"])
	}
	fits := func(what string, a answer, want map[string]any) {
		t.Helper()
		for name, v := range want {
			if fmt.Sprint(a.json[name]) != fmt.Sprint(v) {
				t.Errorf("%s: %s is %v, want %v", what, name, a.json[name], v)
			}
		}
		if a.status != 200 {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
	}
	fits("made", a, map[string]any{"total_quota": 1000, "used_quota": 0, "remaining_quota": 1000, "description": "Alice", "status": "active", "enabled": true})
	mask := key[:9] + "..." + key[len(key)-3:]
	d.spend(id, "gemini-2.5-flash", 10)
	used := map[string]any{"api_key": mask, "id": id, "total_quota": 1000, "used_quota": 20, "remaining_quota": 980, "description": "Alice",
		"created_at": a.json["created_at"], "model_stats": map[string]any{"gemini-2.5-flash": 10}}
	for _, name := range []string{id, key, "%73k-" + key[3:]} {
		fits("shown", d.ask("GET", "/auth/keys/"+name, ""), used)
	}
	fits("quota", d.ask("GET", "/auth/quota", "", "Authorization: Bearer "+key), used)
	fits("query", d.ask("POST", "/auth/query", `{"api_key":"`+key+`"}`, "Authorization: "), used)
	fits("query", d.ask("POST", "/auth/query", `{"api_key":"`+key+`"}`), map[string]any{"usage_percentage": 2})
	list := d.ask("GET", "/auth/keys", "")
	if keys, _ := list.json["keys"].([]any); list.json["total_keys"] != 1.0 || len(keys) != 1 || keys[0].(map[string]any)["api_key"] != mask ||
		fmt.Sprint(keys[0].(map[string]any)["model_stats"]) != "map[gemini-2.5-flash:10]" {
		t.Errorf("%s", list.body)
	}
	fits("edited", d.ask("PATCH", "/auth/keys/"+key, `{"total_quota": 30, "requests_per_minute": 5, "models": ["gemini-*"], "description": null}`),
		map[string]any{"total_quota": 30, "remaining_quota": 10, "requests_per_minute": 5, "models": []any{"gemini-*"}, "description": nil})
	if a := d.ask("PATCH", "/auth/keys/"+id, `{"total_quota": 19}`); a.status != 400 || !strings.Contains(a.body, "total_quota") || !strings.Contains(a.body, "19") || !strings.Contains(a.body, "20") {
		t.Errorf("below what is used: %d %s", a.status, a.body)
	}
	fits("topped up", d.ask("POST", "/auth/keys/"+id+"/top-up", `{"units": 70}`), map[string]any{"total_quota": 100, "remaining_quota": 80})
	rotated := d.ask("POST", "/auth/keys/"+key+"/rotate", "")
	second := fmt.Sprint(rotated.json["api_key"])
	fits("rotated", rotated, map[string]any{"id": id, "used_quota": 20})
	if second == key || len(second) != 46 || d.ask("GET", "/auth/keys/"+key, "").status != 404 {
		t.Errorf("after the rotation: %s", rotated.body)
	}
	fits("reset", d.ask("POST", "/auth/keys/"+id+"/reset", "{}"), map[string]any{"used_quota": 0, "remaining_quota": 100, "used_ever": 20})
	fits("disabled", d.ask("PATCH", "/auth/keys/"+id, `{"enabled": false}`), map[string]any{"enabled": false, "status": "disabled"})
	fits("quota of a disabled one", d.ask("GET", "/auth/quota", "", "x-goog-api-key: "+second), map[string]any{"status": "disabled"})
	gone := d.ask("DELETE", "/auth/keys/"+second, "")
	fits("deleted", gone, map[string]any{"id": id, "api_key": second[:9] + "..." + second[43:]})
	for _, path := range []string{"/auth/keys/" + id, "/auth/keys/" + second} {
		if a := d.ask("GET", path, ""); a.status != 404 || strings.Contains(a.body, second) {
			t.Errorf("a deleted key: %d %s", a.status, a.body)
		}
	}
	if a := d.ask("GET", "/auth/quota", "", "Authorization: Bearer "+second); a.status != 401 {
		t.Errorf("quota of a deleted key: %d", a.status)
	}
	d.ask("PATCH", "/auth/keys/"+second, `{}`)
	d.silent(key, second, key[3:], second[3:])
	told := d.ask("GET", "/audit", "").body
	for _, row := range []string{"POST /auth/keys", "PATCH /auth/keys/:name", "POST /auth/keys/:name/top-up", "POST /auth/keys/:name/rotate", "DELETE /auth/keys/:name", id, `"total_quota":30`} {
		if !strings.Contains(told, row) {
			t.Errorf("the audit says nothing of %s: %s", row, told)
		}
	}
}

// Whatever is wrong is 4xx, and the answer names it.
func TestBadRequestsAboutKeys(t *testing.T) {
	d := newDesk(t)
	id, key := d.made(`{"total_quota": 10}`)
	long := strings.Repeat("x", 70<<10)
	for _, row := range []struct {
		method, path, body string
		status             int
		names              string
	}{
		{"POST", "/auth/keys", ``, 400, "object"},
		{"POST", "/auth/keys", `[]`, 400, "object"},
		{"POST", "/auth/keys", `{"total_quota":0}`, 400, "total_quota"},
		{"POST", "/auth/keys", `{"total_quota":-5}`, 400, "total_quota"},
		{"POST", "/auth/keys", `{"total_quota":1.5}`, 400, "total_quota"},
		{"POST", "/auth/keys", `{"total_quota":1e3}`, 400, "total_quota"},
		{"POST", "/auth/keys", `{"total_quota":"1000"}`, 400, "total_quota"},
		{"POST", "/auth/keys", `{"total_quota":null}`, 400, "total_quota"},
		{"POST", "/auth/keys", `{"total_quota":99999999999999999999999999}`, 400, "total_quota"},
		{"POST", "/auth/keys", `{"total_quota":9223372036854775807}`, 400, "total_quota"},
		{"POST", "/auth/keys", `{"total_quota":1,"total_quota":2}`, 400, "total_quota"},
		{"POST", "/auth/keys", `{"total_qouta":1}`, 400, "total_qouta"},
		{"POST", "/auth/keys", `{"description":7}`, 400, "description"},
		{"POST", "/auth/keys", `{"description":"a\nb"}`, 400, "description"},
		{"POST", "/auth/keys", `{"description":"` + strings.Repeat("x", 501) + `"}`, 400, "description"},
		{"POST", "/auth/keys", `{"renews":"yearly"}`, 400, "renews"},
		{"POST", "/auth/keys", `{"expires":"2001-01-01T00:00:00Z"}`, 400, "expires"},
		{"POST", "/auth/keys", `{"addresses":["10.0.0.0/33"]}`, 400, "addresses"},
		{"POST", "/auth/keys", `{"models":[1]}`, 400, "models"},
		{"POST", "/auth/keys", `{"requests_per_minute":0}`, 400, "requests_per_minute"},
		{"POST", "/auth/keys", `{"description":"` + long + `"}`, 413, "KB"},
		{"PATCH", "/auth/keys/" + id, `{}`, 400, "nothing"},
		{"PATCH", "/auth/keys/" + id, `{"total_quota":0}`, 400, "total_quota"},
		{"PATCH", "/auth/keys/" + id, `{"enabled":"yes"}`, 400, "enabled"},
		{"PATCH", "/auth/keys/nobody", `{"enabled":true}`, 404, "no such"},
		{"PATCH", "/auth/keys/%zz", `{"enabled":true}`, 400, "percent"},
		{"POST", "/auth/keys/" + id + "/top-up", ``, 400, "units"},
		{"POST", "/auth/keys/" + id + "/top-up", `{"units":0}`, 400, "units"},
		{"POST", "/auth/keys/" + id + "/top-up", `{"units":-1}`, 400, "units"},
		{"POST", "/auth/keys/" + id + "/top-up", `{"units":1000000000000000}`, 400, "units"},
		{"POST", "/auth/keys/" + id + "/top-up", `{"units":1,"by":"me"}`, 400, "by"},
		{"POST", "/auth/keys/" + id + "/rotate", `{"key":"sk-mine"}`, 400, "empty"},
		{"POST", "/auth/keys/nobody/rotate", ``, 404, "no such"},
		{"POST", "/auth/keys/nobody/reset", ``, 404, "no such"},
		{"DELETE", "/auth/keys/nobody", ``, 404, "no such"},
		{"GET", "/auth/keys/" + id + "/reveal", ``, 403, "keys.reveal"},
		{"GET", "/auth/keys/" + key + "x", ``, 404, "no such"},
		{"GET", "/auth/keys/" + strings.Repeat("k", 3000), ``, 404, "no such"},
		{"POST", "/auth/keys/batch", `{}`, 400, "count"},
		{"POST", "/auth/keys/batch", `{"count":0}`, 400, "count"},
		{"POST", "/auth/keys/batch", `{"count":1001}`, 400, "count"},
		{"POST", "/auth/keys/batch", `{"count":2,"total_quota":-1}`, 400, "total_quota"},
		{"POST", "/auth/keys/batch?format=xml", `{"count":2}`, 400, "format"},
		{"GET", "/auth/keys/batch", ``, 405, "POST"},
		{"DELETE", "/auth/keys/export", ``, 405, "GET"},
		{"POST", "/auth/keys", `{"models":[]}`, 400, "models"},
		{"POST", "/auth/keys", `{"addresses":[]}`, 400, "addresses"},
		{"POST", "/auth/keys", `{"models":["gemini-2.5-*","流式抗截断/gemini-2.5-pro"]}`, 400, `pattern 2 fits no model`},
		{"POST", "/auth/keys", `{"models":["models/gemini-2.5-pro"]}`, 400, `"gemini-2.5-pro"`},
		{"POST", "/auth/keys", `{"models":["假流式/*"]}`, 400, "models"},
		{"POST", "/auth/keys/batch", `{"count":2,"models":["gemini-2.5-pro-maxthinking"]}`, 400, `"gemini-2.5-pro"`},
		{"PATCH", "/auth/keys/" + id, `{"models":["gemini-*-search"]}`, 400, "models"},
		{"PATCH", "/auth/keys/" + id, `{"models":[]}`, 400, "models"},
		{"POST", "/auth/keys/batch?from=csv", `{"count":2}`, 400, "format"},
		{"GET", "/auth/keys?status=disabled", ``, 400, "status_filter"},
		{"GET", "/auth/keys/export?format=json", ``, 400, "csv"},
		{"GET", "/auth/keys?limit=0", ``, 400, "limit"},
		{"GET", "/auth/keys?limit=x&offset=-1", ``, 400, "offset"},
		{"GET", "/auth/keys?status_filter=tired", ``, 400, "status_filter"},
		{"GET", "/auth/keys?sort=colour", ``, 400, "sort"},
		{"GET", "/auth/keys/export?q=" + strings.Repeat("q", 201), ``, 400, "q must"},
	} {
		a := d.ask(row.method, row.path, row.body)
		detail, _ := a.json["detail"].(string)
		if a.status != row.status || !strings.Contains(detail, row.names) || strings.Contains(a.body, key) {
			t.Errorf("%s %.60s %.60s: %d %.200s", row.method, row.path, row.body, a.status, a.body)
		}
	}
	if n := len(d.book.Keys.List()); n != 1 {
		t.Errorf("%d keys came of it", n)
	}
	d.silent(key, key[3:])
}

// What the store cannot do is no success, and a conflict without an end is told as one.
func TestStoreFailsAChange(t *testing.T) {
	d := newDesk(t)
	id, _ := d.made(`{}`)
	for err, status := range map[error]int{store.ErrConflict: 409, errors.New("the disk is full"): 503} {
		d.store.fails.Store(&err)
		for _, row := range [][3]string{{"PATCH", "/auth/keys/" + id, `{"total_quota":5000}`}, {"POST", "/auth/keys/" + id + "/rotate", ``},
			{"POST", "/auth/models/costs", `{"model_name":"m","cost":5}`}} {
			a := d.ask(row[0], row[1], row[2])
			if a.status != status || strings.Contains(a.body, "disk") {
				t.Errorf("%s %s: %d %s, want %d", row[0], row[1], a.status, a.body, status)
			}
		}
	}
	d.store.fails.Store(nil)
	if a := d.ask("GET", "/auth/keys/"+id, ""); a.json["total_quota"] != 1000.0 {
		t.Errorf("%s", a.body)
	}
}

func TestManyKeys(t *testing.T) {
	d := newDesk(t)
	a := d.ask("POST", "/auth/keys/batch", `{"count": 12, "description": "class 5b, seat {n}", "total_quota": 50, "group": "school"}`)
	keys, _ := a.json["keys"].([]any)
	if a.status != 200 || len(keys) != 12 || a.header("Cache-Control") != "no-store" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	seen := map[string]bool{}
	for i, k := range keys {
		k := k.(map[string]any)
		key := fmt.Sprint(k["api_key"])
		seen[key] = true
		if want := fmt.Sprintf("class 5b, seat %02d", i+1); k["description"] != want || k["total_quota"] != 50.0 || k["group"] != "school" {
			t.Errorf("%v, want %q", k, want)
		}
		if one, ok := d.book.Keys.Find(key); !ok || one.ID != k["id"] {
			t.Errorf("a key that was handed out is not known")
		}
		d.silent(key)
	}
	if len(seen) != 12 {
		t.Errorf("%d different keys", len(seen))
	}
	for _, how := range [][2]string{{"/auth/keys/batch?format=csv", "Accept: */*"}, {"/auth/keys/batch", "Accept: text/csv"}} {
		a := d.ask("POST", how[0], `{"count": 2, "description": "=HYPERLINK(1)"}`, how[1])
		rows, err := csv.NewReader(strings.NewReader(a.body)).ReadAll()
		if err != nil || len(rows) != 3 || !strings.HasPrefix(a.header("Content-Type"), "text/csv") || !strings.Contains(a.header("Content-Disposition"), "attachment") {
			t.Fatalf("%v %d %s", err, a.status, a.body)
		}
		at := slices.Index(rows[0], "api_key")
		for _, row := range rows[1:] {
			if _, ok := d.book.Keys.Find(row[at]); !ok || !strings.HasPrefix(row[slices.Index(rows[0], "description")], "'=HYPERLINK") {
				t.Errorf("%q", row[:3])
			}
			seen[row[at]] = true
		}
	}
	out := d.ask("GET", "/auth/keys/export", "")
	rows, err := csv.NewReader(strings.NewReader(out.body)).ReadAll()
	if err != nil || len(rows) != 17 {
		t.Fatalf("%v, %d lines", err, len(rows))
	}
	for key := range seen {
		if strings.Contains(out.body, key) {
			t.Error("the export has a key in full")
		}
	}
}

func TestListsOfKeys(t *testing.T) {
	d := newDesk(t)
	ids := map[string]string{}
	for name, body := range map[string]string{"ann": `{"description":"Ann","group":"a","total_quota":4}`, "bob": `{"description":"Robert","enabled":false}`,
		"cat": `{"description":"Catherine","group":"a","total_quota":2000}`} {
		ids[name], _ = d.made(body)
	}
	_, daveKey := d.made(`{"description":"Dave"}`)
	d.spend(ids["ann"], "gemini-2.5-flash", 2) // all of it
	d.spend(ids["cat"], "gemini-2.5-pro", 1)
	for query, want := range map[string]string{
		"?sort=description": "Ann Catherine Dave Robert", "?sort=-description": "Robert Dave Catherine Ann", "?q=ATHERI&sort=description": "Catherine", "?search=robert": "Robert", "?group=a&sort=description": "Ann Catherine",
		"?status_filter=disabled": "Robert", "?status_filter=exhausted": "Ann", "?status_filter=active&sort=description": "Catherine Dave", "?sort=-used&limit=2": "Catherine Ann",
		"?sort=description&limit=2&offset=1": "Catherine Dave", "?sort=-remaining&limit=1": "Catherine", "?offset=9": "", "?q=" + daveKey: "Dave", "?q=nobody": "",
	} {
		a := d.ask("GET", "/auth/keys"+query, "")
		var names []string
		list, _ := a.json["keys"].([]any)
		for _, k := range list {
			names = append(names, fmt.Sprint(k.(map[string]any)["description"]))
		}
		if strings.Join(names, " ") != want || a.json["total_keys"] != 4.0 {
			t.Errorf("%s: %v, want %s (%s)", query, names, want, a.body[:min(len(a.body), 80)])
		}
	}
	d.silent(daveKey)
}

func TestRevealedKeys(t *testing.T) {
	d := newDesk(t, func(o *apikey.Options, _ *watched) {
		o.Settings, o.Ring = func() apikey.Settings { return apikey.Settings{Reveal: true, DefaultCost: 1} }, seal.New("sixteen characters or more")
	})
	id, key := d.made(`{}`)
	if a := d.ask("GET", "/auth/keys/"+id+"/reveal", ""); a.status != 200 || a.json["api_key"] != key || a.header("Cache-Control") != "no-store" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := d.ask("GET", "/auth/keys/"+id, ""); a.json["revealable"] != true || strings.Contains(a.body, key) {
		t.Errorf("%s", a.body)
	}
	if a := d.ask("GET", "/auth/keys/nobody/reveal", ""); a.status != 404 {
		t.Errorf("%d %s", a.status, a.body)
	}
	d.silent(key)
}
