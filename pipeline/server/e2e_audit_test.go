package server_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// logged is a row of /usage/requests, changed one of /audit.
type logged struct {
	ID, Key, Route, Answer, Model, Credential, Code string
	Stream                                          bool
	Status, Tries                                   int
	Cost                                            int64
	Input                                           int64    `json:"input_tokens"`
	Output                                          int64    `json:"output_tokens"`
	First                                           *float64 `json:"first_byte_ms"`
	Took                                            float64  `json:"milliseconds"`
}

type changed struct {
	ID, Who, Address, What, Target string
	Before, After                  map[string]any
	Status, Times                  int
}

func (g *gateway) list(path string, into any) (next string) {
	g.t.Helper()
	var page struct {
		Requests, Changes json.RawMessage
		Next              *string
	}
	r := g.get(path)
	if err := json.Unmarshal(r.body, &page); err != nil || r.status != 200 {
		g.t.Fatalf("%s: %d %s", path, r.status, r.body)
	}
	if err := json.Unmarshal(append(page.Requests, page.Changes...), into); err != nil {
		g.t.Fatalf("%s: %v in %s", path, err, r.body)
	}
	if page.Next != nil {
		return *page.Next
	}
	return ""
}

// logs reads the whole log of requests, in pages of two.
func (g *gateway) logs(query string) (rows []logged) {
	g.t.Helper()
	next := ""
	for {
		var page []logged
		next = g.list("/usage/requests?limit=2&before="+next+query, &page)
		if rows = append(rows, page...); next == "" {
			return rows
		}
	}
}

// logsOf waits for so many rows in all: a request is written down just behind the last byte of its answer.
func (g *gateway) logsOf(n int) (rows []logged) {
	g.t.Helper()
	for late := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if rows = g.logs(""); len(rows) >= n || time.Now().After(late) {
			return rows
		}
	}
}

func (g *gateway) changes(query string) (rows []changed) {
	g.t.Helper()
	g.list("/audit?limit=1000"+query, &rows)
	return rows
}

// makeKey makes an API key over the panel's API.
func (g *gateway) makeKey(body string) (id, key string) {
	g.t.Helper()
	var made struct {
		ID     string `json:"id"`
		APIKey string `json:"api_key"`
	}
	r := g.post("/auth/keys", body)
	if json.Unmarshal(r.body, &made); made.ID == "" || !strings.HasPrefix(made.APIKey, "sk-") {
		g.t.Fatalf("no key was made: %d", r.status)
	}
	return made.ID, made.APIKey
}

// Each request is one row with what became of it, each change one of the audit; both outlive the process,
// the audit also one that is killed. Nothing of what was said is anywhere.
func TestRequestsAndChangesAreWrittenDown(t *testing.T) {
	t.Parallel()
	const words = "the-secret-words-of-a-client"
	sim := google(t, 1, 0)
	l := launch{sim: sim, accounts: 1, dirty: true, env: map[string]string{"RETRY_429_MAX_RETRIES": "0", "RETRY_429_INTERVAL": "0.01"}}
	g := start(t, l)
	id, key := g.makeKey(`{"total_quota": 7, "description": "Alice"}`)
	with := func(value string) func(*http.Request) { return header("Authorization", "Bearer "+value) }
	sent := map[string]logged{} // by exchange id
	note := func(r reply, row logged) {
		t.Helper()
		if row.ID = r.header.Get("X-Request-Id"); row.ID == "" || r.status != row.Status {
			t.Fatalf("%d %s, want %d", r.status, r.body, row.Status)
		}
		sent[row.ID] = row
	}
	for i, a := range asks() {
		format, verb := "openai", "generate"
		if a.gemini {
			format = "gemini"
		}
		if a.stream {
			verb = "stream"
		}
		row := logged{Key: id, Route: format + "/" + verb, Answer: format, Stream: a.stream, Model: flash, Credential: "ann0.json", Tries: 1, Status: 200, Cost: 2}
		path, body := a.http(flash, words)
		if i < 3 {
			note(g.post(path, body, with(key)), row)
		} else { // the last unit is not enough
			row.Status, row.Code, row.Cost, row.Tries, row.Credential = 429, "insufficient_quota", 0, 0, ""
			note(g.post(path, body, with(key)), row)
		}
		stranger := logged{Key: "refused", Route: row.Route, Answer: format, Stream: a.stream, Model: flash, Status: 401, Code: "unauthorized"}
		if !a.gemini { // what stands in the body of a stranger nobody has read
			stranger.Route, stranger.Model, stranger.Stream = "openai/generate", "", false
		}
		note(g.post(path, body, with("sk-wrong-"+words), header("x-goog-api-key", "wrong")), stranger)
		path, body = a.http(flash, "!fault 503")
		row.Key, row.Status, row.Code, row.Cost = "password", 503, "", 0
		note(g.post(path, body), row)
	}
	note(g.get("/v1/models"), logged{Key: "password", Route: "openai/list", Answer: "openai", Status: 200})
	path, body := ask{gemini: true}.http(flash, words)
	note(g.post(strings.Replace(path, ":generateContent", ":countTokens", 1), body, with(key)), logged{Key: id, Route: "gemini/count", Answer: "gemini", Model: flash, Status: 200})

	check := func() {
		t.Helper()
		rows := g.logsOf(len(sent))
		for _, got := range rows {
			want, ok := sent[got.ID]
			if !ok {
				t.Errorf("a row of nobody: %+v", got)
				continue
			}
			answered := want.Status == 200 && (want.Cost > 0)
			if answered && (got.Input == 0 || got.Output == 0 || got.First == nil || *got.First > got.Took) || got.Took <= 0 || want.Status >= 400 && got.First != nil {
				t.Errorf("%+v", got)
			}
			if want.Status == 503 || want.Route == "gemini/count" { // as often as it is tried
				want.Tries, want.Credential, want.Code = got.Tries, got.Credential, got.Code
			}
			got.Input, got.Output, got.First, got.Took = 0, 0, nil, 0
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%+v\nwant %+v", got, want)
			}
		}
		if len(rows) != len(sent) {
			t.Errorf("%d rows for %d requests", len(rows), len(sent))
		}
	}
	check()
	if rows := g.logs("&key=" + id + "&status=429&route=*"); len(rows) != 1 || rows[0].Code != "insufficient_quota" {
		t.Errorf("%+v", rows)
	}
	one := g.logs("&key=" + id)[0].ID
	if r := g.get("/usage/requests/" + one); r.status != 200 || !bytes.Contains(r.body, quotedBytes(one)) {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := g.get("/usage/requests?key="+id, with("wrong")); r.status != 401 {
		t.Errorf("with a wrong password: %d", r.status)
	}

	g.signal(syscall.SIGTERM)
	g.exits()
	l.dir = g.dir
	g = start(t, l)
	check()
	table, err := csv.NewReader(bytes.NewReader(g.get("/usage/requests?format=csv").body)).ReadAll()
	if err != nil || len(table) != len(sent)+1 || table[0][0] != "time" {
		t.Errorf("%d lines, %v", len(table), err)
	}

	name := "ann0.json"
	for i := range 20 {
		action := []string{"disable", "enable"}[i%2]
		if r := g.post("/creds/action", `{"filename":`+quoted(name)+`,"action":`+quoted(action)+`}`); r.status != 200 || r.header.Get("X-Audit") != "" {
			t.Fatalf("%d %s", r.status, r.body)
		}
	}
	if r := g.do("DELETE", "/auth/keys/"+url.PathEscape(key), ""); r.status != 200 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	g.signal(syscall.SIGKILL)
	g.exits()
	l.dir = g.dir
	g = start(t, l)
	changes := g.changes("")
	if len(changes) != 23 { // made, 401, 20 times switched, deleted
		t.Errorf("%d changes: %+v", len(changes), changes)
	}
	if c := changes[0]; c.What != "DELETE /auth/keys/:name" || c.Target != id || c.Who != "panel password" || c.Address != "127.0.0.1" || c.Status != 200 || c.Before["description"] != "Alice" || c.After != nil {
		t.Errorf("%+v", c)
	}
	if c := changes[1]; c.What != "POST /creds/action" || c.Target != name || c.Before["disabled"] != true || c.After["disabled"] != false || !strings.HasPrefix(c.ID, "panel-") {
		t.Errorf("%+v", c)
	}
	if list := g.changes("&who=refused"); len(list) != 1 || list[0].Status != 401 || list[0].What != "GET /usage/requests" {
		t.Errorf("%+v", list)
	}
	if list := g.changes("&what=creds&status=2xx&target=ann0"); len(list) != 20 {
		t.Errorf("%d rows", len(list))
	}
	if table, err = csv.NewReader(bytes.NewReader(g.get("/audit?format=csv").body)).ReadAll(); err != nil || len(table) != 24 {
		t.Errorf("%d lines, %v", len(table), err)
	}
	data, err := os.ReadFile(filepath.Join(g.dir, "creds", ".gcli2api.db"))
	if err != nil {
		t.Fatal(err)
	}
	for _, planted := range []string{words, key, secret} {
		if bytes.Contains(data, []byte(planted)) {
			t.Errorf("the store has %.10s...", planted)
		}
	}
	g.close(true)
}

func quotedBytes(s string) []byte { return []byte(quoted(s)) }

// The log goes back as far as it is told to, at once when that changes.
func TestRequestLogIsSwitchedOff(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	g := start(t, launch{sim: sim, accounts: 1, config: "[usage]\nkeep_requests = \"1h\"\n"})
	for range 3 {
		g.put(ask{}, "hello")
	}
	if rows := g.logsOf(3); len(rows) != 3 {
		t.Errorf("%d rows", len(rows))
	}
	g.reload("[usage]\nkeep_requests = \"0s\"\n", "settings changed")
	if rows := g.logs(""); len(rows) != 0 {
		t.Errorf("%d rows of a log that keeps none", len(rows))
	}
}
