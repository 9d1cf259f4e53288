package console

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline"
	"gcli2api/store/audit"
	"gcli2api/store/embedded"
	"gcli2api/store/oauth"
	"gcli2api/store/pool"
	"gcli2api/store/stats"
	"gcli2api/store/storetest"

	"github.com/gofiber/fiber/v2"
)

// auditOf is an empty audit on a store of its own.
func auditOf(t *testing.T) *audit.Log {
	t.Helper()
	l, _, _ := auditOn(t)
	return l
}

func auditOn(t *testing.T) (*audit.Log, *storetest.Flaky, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db")
	db, err := embedded.Open(embedded.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	flaky := &storetest.Flaky{Store: db}
	l, err := audit.Open(t.Context(), audit.Options{Store: flaky, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(l.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	})
	return l, flaky, path
}

// office is a panel that is recorded.
type office struct {
	t     *testing.T
	app   *fiber.App
	log   *audit.Log
	store *storetest.Flaky
	path  string
	pool  *pool.Pool
	said  *bytes.Buffer
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{t: t, app: fiber.New(), said: &bytes.Buffer{}}
	o.log, o.store, o.path = auditOn(t)
	var err error
	if o.pool, err = pool.New(pool.Options{Dir: t.TempDir(), OAuth: oauth.New(oauth.Options{Settings: func() oauth.Settings { return oauth.Settings{} }}), Settings: pool.Settings{APIKeys: []string{"AIzaSecretOfTheTest"}}, Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.pool.Close() })
	e, err := pipeline.NewEngine(pipeline.Options{})
	if err != nil {
		t.Fatal(err)
	}
	Services{Access: access{"right", true}, Engine: e, Pool: o.pool, Stats: stats.New(), Book: bookOf(t), Audit: o.log,
		Log: slog.New(slog.NewTextHandler(o.said, nil))}.Mount(o.app)
	return o
}

type heard struct {
	status int
	id     string
	failed string // X-Audit
	body   []byte
}

func (o *office) ask(method, path, body, password string) heard {
	o.t.Helper()
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	if password != "" {
		req.Header.Set("Authorization", "Bearer "+password)
	}
	resp, err := o.app.Test(req, -1)
	if err != nil {
		o.t.Fatal(err)
	}
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		o.t.Fatal(err)
	}
	return heard{resp.StatusCode, resp.Header.Get("X-Request-Id"), resp.Header.Get("X-Audit"), data}
}

type changeList struct {
	Changes []changeView `json:"changes"`
	Next    string       `json:"next"`
	More    bool         `json:"more"`
}

func (o *office) changes(query string) (list changeList) {
	o.t.Helper()
	r := o.ask("GET", "/audit?"+query, "", "right")
	if err := json.Unmarshal(r.body, &list); err != nil || r.status != 200 {
		o.t.Fatalf("%d %s", r.status, r.body)
	}
	return list
}

// Every route that may change something is recorded, or is known to change nothing; the same holds for
// what really comes of a request.
func TestEveryChangeIsRecorded(t *testing.T) {
	exceptions := []string{"POST /creds/test", "POST /creds/test/:filename", "POST /creds/quota", "POST /auth/query"}
	if !slices.Equal(changeNothing(), exceptions) {
		t.Errorf("exceptions %q: is it sure that these change nothing?", changeNothing())
	}
	o := newOffice(t)
	for _, r := range (Services{}).routes() {
		name := r.method + " " + r.path
		mutates := r.method != "GET" && !slices.Contains(exceptions, name)
		hands := strings.HasPrefix(r.path, "/creds/download") || strings.HasSuffix(r.path, "/reveal") || r.path == "/storage/backup"
		if r.records() != (mutates || hands) {
			t.Errorf("%s is recorded: %v", name, r.records())
		}
		if !r.records() {
			continue
		}
		path := strings.NewReplacer(":filename", "nobody.json", ":name", "nobody", "*", "a/b").Replace(r.path)
		answer := o.ask(r.method, path, "", "right")
		got := o.changes("id=" + answer.id)
		if len(got.Changes) != 1 {
			t.Errorf("%s: %d rows", name, len(got.Changes))
			continue
		}
		if c := got.Changes[0]; c.Who != "panel password" || c.What != name || c.Status != answer.status || c.From == "" || c.Time == "" {
			t.Errorf("%s (%d): %+v", name, answer.status, c)
		}
	}
}

func TestChangesHaveBeforeAndAfter(t *testing.T) {
	o := newOffice(t)
	const secret = "AIzaPlantedPlantedPlantedPlantedPlanted"
	id := o.pool.Status()[0].ID
	up := o.ask("POST", "/creds/add", `{"type":"gemini_api_key","api_key":"`+secret+`"}`, "right")
	if up.status != 200 {
		t.Fatalf("%s", up.body)
	}
	name := quotedName(id)
	for _, c := range []struct{ method, path, body, target, before, after string }{
		{"POST", "/creds/action", `{"filename":` + name + `,"action":"disable"}`, id, `{"disabled":false}`, `"disabled":true`},
		{"POST", "/creds/action", `{"filename":"nobody","action":"disable"}`, "nobody", `null`, `"action":"disable"`},
		{"POST", "/creds/batch-action", `{"filenames":[` + name + `,"nobody"],"action":"enable"}`, id + ", nobody", `null`, `"done":[` + name + `]`},
		{"POST", "/creds/configure", `{"filename":` + name + `,"label":"blue","proxy":"http://me:PlantedPassword@proxy.example:1"}`, id, `"priority":0`, `"label":"blue"`},
		{"POST", "/usage/update-limits", `{"filename":` + name + `,"total_limit":7}`, id, `"total_limit":0`, `"total_limit":7`},
		{"POST", "/usage/reset", `{"filename":` + name + `}`, id, `"total_calls":0`, `"total_calls":0`},
		{"POST", "/usage/reset", `{"filename":null}`, "all credentials", `null`, `"counters_reset":2`},
		{"POST", "/creds/deduplicate", ``, "0 credentials", `null`, `"dry_run":false`},
		{"DELETE", "/auth/env-creds", ``, "credentials of the environment", `"credentials":[]`, `null`},
		{"POST", "/auth/models/costs", `{"model_name":"gemini-2.5-pro","cost":8}`, "gemini-2.5-pro", `10`, `8`},
		{"DELETE", "/auth/models/costs/%E6%B5%81%E5%BC%8F%E6%8A%97%E6%88%AA%E6%96%AD%2Fx", ``, "流式抗截断/x", `null`, `null`},
	} {
		answer := o.ask(c.method, c.path, c.body, "right")
		list := o.changes("id=" + answer.id).Changes
		if len(list) != 1 {
			t.Fatalf("%s: %d rows (%s)", c.path, len(list), answer.body)
		}
		before, _ := json.Marshal(list[0].Before)
		after, _ := json.Marshal(list[0].After)
		if list[0].Target != c.target || !strings.Contains(string(before), c.before) || !strings.Contains(string(after), c.after) {
			t.Errorf("%s %s: %s, before %s, after %s", c.path, c.body, list[0].Target, before, after)
		}
	}
	row := o.changes("id=" + up.id).Changes[0]
	if text, _ := json.Marshal(row); !strings.Contains(string(text), `"taken"`) || row.Status != 200 {
		t.Errorf("%s", text)
	}
	made := o.ask("POST", "/auth/keys", `{"total_quota":5,"description":"Alice"}`, "right")
	var key struct {
		APIKey string `json:"api_key"`
		ID     string `json:"id"`
	}
	if json.Unmarshal(made.body, &key) != nil || !strings.HasPrefix(key.APIKey, "sk-") {
		t.Fatalf("%s", made.body)
	}
	o.ask("DELETE", "/auth/keys/"+key.APIKey, "", "right") // the key itself, in the path
	if list := o.changes("target=" + key.ID).Changes; len(list) != 2 || list[1].After["description"] != "Alice" {
		t.Errorf("%+v", list)
	}
	o.ask("DELETE", "/auth/keys/"+key.APIKey, "", "right") // gone by now: nobody says whose it is
	data, err := os.ReadFile(o.path)
	if err != nil {
		t.Fatal(err)
	}
	for _, planted := range []string{secret, "PlantedPassword", key.APIKey} {
		if bytes.Contains(data, []byte(planted)) || bytes.Contains(o.said.Bytes(), []byte(planted)) {
			t.Errorf("%.12s... is in the store or in the log", planted)
		}
	}
}

func quotedName(s string) string { b, _ := json.Marshal(s); return string(b) }

// Who is not let in is seen, once a minute and address however often they try, also on routes that change
// nothing; what they sent is not.
func TestRefusalsAreRecorded(t *testing.T) {
	o := newOffice(t)
	for range 50 {
		o.ask("GET", "/creds/status", "", "guessed-password")
	}
	o.ask("POST", "/creds/action", `{}`, "")
	list := o.changes("").Changes
	if len(list) != 1 || list[0].Who != "refused" || list[0].What != "GET /creds/status" || list[0].Status != 401 {
		t.Errorf("%+v", list)
	}
	o.ask("GET", "/creds/status", "", "right")
	o.ask("HEAD", "/creds/download-all", "", "right")
	o.ask("PUT", "/creds/status", "", "right")
	if n := len(o.changes("").Changes); n != 1 {
		t.Errorf("%d rows: reading is recorded", n)
	}
	if data, _ := os.ReadFile(o.path); bytes.Contains(data, []byte("guessed-password")) {
		t.Error("the store has what was guessed")
	}
}

// Passwords are tried with HEAD as well as with GET.
func TestRefusedHeadIsRecorded(t *testing.T) {
	o := newOffice(t)
	o.ask("HEAD", "/auth/keys", "", "guessed-password")
	if list := o.changes("").Changes; len(list) != 1 || list[0].Who != "refused" || list[0].Status != 401 {
		t.Errorf("%+v", list)
	}
}

// A visitor's attempts are counted, too.
func TestVisitorsAreRecorded(t *testing.T) {
	o := newOffice(t)
	for range 20 {
		o.ask("POST", "/auth/start", `{}`, "")
	}
	list := o.changes("").Changes
	if len(list) != 1 || list[0].Who != "visitor" || list[0].What != "POST /auth/start" || list[0].Status != 503 {
		t.Errorf("%+v", list)
	}
}

// A change that the audit does not take stands, and the answer says so.
func TestAuditIsAway(t *testing.T) {
	o := newOffice(t)
	id := o.pool.Status()[0].ID
	o.store.Break(storetest.Fault{Err: errors.New("the disk is full"), Calls: []string{"Put"}})
	r := o.ask("POST", "/creds/action", `{"filename":`+quotedName(id)+`,"action":"disable"}`, "right")
	if r.status != 200 || r.failed != "failed" || !o.pool.Status()[0].Disabled || !strings.Contains(o.said.String(), "a change is not in the audit") {
		t.Errorf("%d, X-Audit %q, %s", r.status, r.failed, o.said)
	}
	o.store.Heal()
	if r = o.ask("POST", "/creds/action", `{"filename":`+quotedName(id)+`,"action":"enable"}`, "right"); r.failed != "" {
		t.Errorf("X-Audit %q", r.failed)
	}
	o.store.Break(storetest.Fault{Err: errors.New("the cable is out")})
	for _, path := range []string{"/audit", "/usage/requests?key=x", "/usage/requests/x"} {
		if r = o.ask("GET", path, "", "right"); r.status != 503 || bytes.Contains(r.body, []byte("cable")) {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
}

func TestListsOfChangesAndRequestsArePaged(t *testing.T) {
	o := newOffice(t)
	for i := range 7 {
		o.log.Note(audit.Request{ID: string(rune('a' + i)), Key: "k", Model: "=cmd()", Route: "openai/stream", Status: 200 + i, First: time.Millisecond, Took: time.Second})
		if err := o.log.Changed(context.Background(), audit.Change{Who: "x", What: "POST /x", Target: "=" + string(rune('a'+i)), Status: 200}); err != nil {
			t.Fatal(err)
		}
	}
	for path, of := range map[string]string{"/usage/requests": "requests", "/audit": "changes"} {
		seen, next := 0, ""
		for range 10 {
			r := o.ask("GET", path+"?limit=3&before="+next, "", "right")
			var page map[string]any
			if err := json.Unmarshal(r.body, &page); err != nil || r.status != 200 {
				t.Fatalf("%d %s", r.status, r.body)
			}
			seen += len(page[of].([]any))
			if next, _ = page["next"].(string); next == "" {
				break
			}
		}
		if seen != 7 {
			t.Errorf("%s: %d rows", path, seen)
		}
		r := o.ask("GET", path+"?format=csv", "", "right")
		table, err := csv.NewReader(bytes.NewReader(r.body)).ReadAll()
		if err != nil || len(table) != 8 || strings.Contains(string(r.body), ",=") || !strings.Contains(string(r.body), ",'=") {
			t.Errorf("%s: %v, %s", path, err, r.body)
		}
		if r = o.ask("GET", path+"?format=csv&limit=2", "", "right"); bytes.Count(r.body, []byte("\n")) != 3 {
			t.Errorf("%s with a limit: %s", path, r.body)
		}
		for query, says := range map[string]string{"limit=0": "limit", "limit=1001": "limit", "limit=x": "limit", "before=zz": "before", "from=yesterday": "from", "from=2026-11-28&to=2026-11-27": "before", "from=2026-11-27&to=2026-11-27": "before", "to=x": "to",
			"status=9xx": "status", "status=20": "status", "format=xml": "format", "staus=200": "staus", "limit=1&limit=2": "twice", "id=" + strings.Repeat("x", 300): ""} {
			if r = o.ask("GET", path+"?"+query, "", "right"); r.status != 400 || !strings.Contains(string(r.body), says) || !strings.Contains(string(r.body), `"detail"`) {
				t.Errorf("%s?%s: %d %s", path, query, r.status, r.body)
			}
		}
	}
	for _, name := range []string{"key", "q"} {
		if r := o.ask("GET", "/usage/requests?"+name+"=sk-abc", "", "right"); r.status != 400 || !strings.Contains(string(r.body), name+`\" must be an id`) || strings.Contains(string(r.body), "abc") {
			t.Errorf("the key itself as %s: %d %s", name, r.status, r.body)
		}
	}
	r := o.ask("GET", "/usage/requests?q=desk-1", "", "right") // a part of a credential's name
	if r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
	r = o.ask("GET", "/usage/requests/c", "", "right")
	if r.status != 200 || !strings.Contains(string(r.body), `"status":202`) || !strings.Contains(string(r.body), `"first_byte_ms":1,`) || !strings.Contains(string(r.body), `"milliseconds":1000`) {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r = o.ask("GET", "/usage/requests/"+url.PathEscape("ü/x"), "", "right"); r.status != 404 {
		t.Errorf("%d %s", r.status, r.body)
	}
}

func FuzzQueryOfTheLog(f *testing.F) {
	for _, q := range []string{"limit=3&before=x", "from=2026-11-27&to=2026-11-27T00:00:00Z", "status=4xx&q=a", "model=*%00*", "before=0000000000000000--ffffffffffff", "%zz=1&&=&a"} {
		f.Add(q)
	}
	app := fiber.New()
	app.Get("/", func(c *fiber.Ctx) error {
		q, _, err := requestQuery(c)
		if err != nil {
			return c.SendStatus(400)
		}
		if q.Limit < 0 || q.Limit > audit.MaxLimit || len(q.Text) > mostText {
			return c.SendStatus(500)
		}
		return nil
	})
	f.Fuzz(func(t *testing.T, query string) {
		req := httptest.NewRequest("GET", "/", nil)
		req.URL.RawQuery = url.PathEscape(query)
		if resp, err := app.Test(req, -1); err == nil && resp.StatusCode == 500 {
			t.Errorf("%q", query)
		}
	})
}
