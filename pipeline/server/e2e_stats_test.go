package server_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gcli2api/pipeline/simulator"
	"gcli2api/store/embedded"
	"gcli2api/store/stats"
)

// figure is what /usage/series says of an hour or a day.
type figure struct {
	Time    string           `json:"time"`
	Calls   int64            `json:"calls"`
	Errors  int64            `json:"errors"`
	Codes   map[string]int64 `json:"error_codes"`
	Success *float64         `json:"success_rate"`
	Prompt  int64            `json:"prompt_tokens"`
	Output  int64            `json:"output_tokens"`
	Cached  int64            `json:"cached_tokens"`
	Thought int64            `json:"thought_tokens"`
	Total   int64            `json:"total_tokens"`
	Units   int64            `json:"units"`
	First   *spreadMS        `json:"first_byte_ms"`
	Took    *spreadMS        `json:"took_ms"`
}

type spreadMS struct{ P50, P90, P99 int64 }

type seriesOf struct {
	By, From, To string
	Kept         string   `json:"kept_from"`
	Points       []figure `json:"points"`
	Group        string
	Groups       []struct {
		Name   string
		Points []figure
	}
}

// all adds up points.
func all(points []figure) (sum figure) {
	sum.Codes = map[string]int64{}
	for _, p := range points {
		sum.Calls += p.Calls
		sum.Errors += p.Errors
		sum.Prompt += p.Prompt
		sum.Output += p.Output
		sum.Total += p.Total
		sum.Units += p.Units
		for code, n := range p.Codes {
			sum.Codes[code] += n
		}
		if p.Calls > 0 {
			sum.First, sum.Took, sum.Success = p.First, p.Took, p.Success
		}
	}
	return sum
}

// spent is what clients were told of tokens.
type spent struct{ calls, prompt, output, total int64 }

// hear reads the tokens of an answer as its client finds them.
func (s *spent) hear(t *testing.T, a ask, r reply) {
	t.Helper()
	if r.status != 200 {
		t.Fatalf("%s: %d %s", a.name, r.status, r.body)
	}
	s.calls++
	var last struct {
		Usage struct {
			Prompt int64 `json:"prompt_tokens"`
			Output int64 `json:"completion_tokens"`
			Total  int64 `json:"total_tokens"`
		} `json:"usage"`
		Gemini struct {
			Prompt   int64 `json:"promptTokenCount"`
			Output   int64 `json:"candidatesTokenCount"`
			Thoughts int64 `json:"thoughtsTokenCount"`
			Total    int64 `json:"totalTokenCount"`
		} `json:"usageMetadata"`
	}
	text := string(r.body)
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(strings.TrimPrefix(line, "data: "))
		if strings.HasPrefix(line, "{") && strings.HasSuffix(line, "}") && strings.Contains(line, "sage") {
			text = line
		}
	}
	if err := json.Unmarshal([]byte(text), &last); err != nil {
		t.Fatalf("%s: %v in %s", a.name, err, text)
	}
	if last.Usage.Total+last.Gemini.Total == 0 {
		t.Fatalf("%s: no tokens in %s", a.name, r.body)
	}
	s.prompt += last.Usage.Prompt + last.Gemini.Prompt
	s.output += last.Usage.Output + last.Gemini.Output + last.Gemini.Thoughts
	s.total += last.Usage.Total + last.Gemini.Total
}

// What clients were served is what the statistics say: by hour and day, key and model, credential, as JSON
// and CSV, and after the process was killed.
func TestStatisticsAddUp(t *testing.T) {
	t.Parallel()
	sim := google(t, 2, 0)
	l := launch{sim: sim, accounts: 2, dirty: true, light: true, env: map[string]string{"CALLS_PER_ROTATION": "1"}}
	g := start(t, l)
	key, id := g.newKey(`{"total_quota": 17, "description": "of the test"}`)
	var byKey, byPassword spent
	forms := append(asks(), ask{name: "fake stream", stream: true, fake: true})
	for _, a := range forms {
		path, body := a.http(flash, "hello there")
		body = strings.Replace(body, `"stream":true`, `"stream":true,"stream_options":{"include_usage":true}`, 1)
		byKey.hear(t, a, g.post(path, body, header("Authorization", "Bearer "+key)))
		byPassword.hear(t, a, g.post(path, body))
	}
	refused := 0
	expect := func(status int, path, body string) {
		t.Helper()
		if r := g.post(path, body, header("Authorization", "Bearer "+key)); r.status != status {
			t.Fatalf("%s: %d %s, want %d", path, r.status, r.body, status)
		}
		refused++
	}
	path, body := ask{}.http("gemini-2.5-pro", "hello") // 10 units, and 7 are left
	expect(429, path, body)
	sim.Script(simulator.Fault{Do: "400", Count: 1})
	path, body = ask{}.http(flash, "hello")
	expect(400, path, body)
	if r := g.post(path, body, header("Authorization", "Bearer sk-"+strings.Repeat("x", 43))); r.status != 401 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	sim.Script(simulator.Fault{Do: "500", Count: 1}) // tried again
	byPassword.hear(t, ask{}, g.post(path, body))
	g.figuresKept(byKey.calls + byPassword.calls + 3)

	for turn := range 2 {
		g.statistics(t, id, byKey, byPassword)
		if turn == 0 {
			g.signal(syscall.SIGKILL)
			g.exits()
			l.dir = g.dir
			g = start(t, l)
		}
	}
	badSeries(t, g, key)
}

// figuresKept waits until the store has so many calls: a crash costs the others. What it would leave is read from
// a copy of the file, of a moment in which nothing was written.
func (g *gateway) figuresKept(calls int64) {
	g.t.Helper()
	path := filepath.Join(g.dir, "creds", ".gcli2api.db")
	found := int64(-1)
	for late := time.Now().Add(time.Minute); found != calls; time.Sleep(200 * time.Millisecond) {
		if time.Now().After(late) {
			g.t.Fatalf("%d calls are in the store, want %d", found, calls)
		}
		file, err := os.ReadFile(path)
		same, err2 := os.ReadFile(path)
		if err = errors.Join(err, err2); err != nil {
			g.t.Fatal(err)
		}
		if bytes.Equal(file, same) {
			found = callsIn(g.t, file)
		}
	}
}

// callsIn counts the calls in the file of a store.
func callsIn(t testing.TB, file []byte) (n int64) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := embedded.Open(embedded.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s, err := stats.Open(t.Context(), stats.Options{Store: db, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, row := range s.Report().Keys {
		n += row.Calls
	}
	return n
}

// newKey makes an API key.
func (g *gateway) newKey(terms string) (key, id string) {
	g.t.Helper()
	var made struct {
		Key string `json:"api_key"`
		ID  string `json:"id"`
	}
	r := g.post("/auth/keys", terms)
	if err := json.Unmarshal(r.body, &made); err != nil || r.status != 200 || made.ID == "" || !strings.HasPrefix(made.Key, "sk-") {
		g.t.Fatalf("no key: %d", r.status)
	}
	return made.Key, made.ID
}

// statistics compares what is shown with what was served, and with 2 refused of the key and one at the door.
func (g *gateway) statistics(t *testing.T, id string, byKey, byPassword spent) {
	t.Helper()
	now := time.Now().UTC()
	around := "from=" + url.QueryEscape(now.Add(-3*time.Hour).Format(time.RFC3339)) + "&to=" + url.QueryEscape(now.Add(3*time.Hour).Format(time.RFC3339))
	for _, by := range []string{"hour", "day"} {
		get := func(more string) seriesOf {
			return data[seriesOf](t, g.get("/usage/series?by="+by+"&"+around+more))
		}
		mine := all(get("&key=" + id).Points)
		if mine.Calls != byKey.calls+2 || mine.Errors != 2 || mine.Prompt != byKey.prompt || mine.Output != byKey.output || mine.Total != byKey.total || mine.Units != 2*byKey.calls ||
			fmt.Sprint(mine.Codes) != "map[bad_request:1 insufficient_quota:1]" || mine.First == nil || mine.Took == nil || mine.Success == nil {
			t.Errorf("by %s, the key: %+v, want %+v", by, mine, byKey)
		}
		whole := get("")
		sum := all(whole.Points)
		if want := byKey.calls + byPassword.calls + 3; sum.Calls != want || sum.Errors != 3 || sum.Total != byKey.total+byPassword.total || sum.Codes["unauthorized"] != 1 {
			t.Errorf("by %s, everything: %+v, want %d calls", by, sum, want)
		}
		if n := len(whole.Points); by == "hour" && (n < 6 || n > 7) || by == "day" && (n < 1 || n > 2) {
			t.Errorf("by %s: %d points", by, n)
		}
		for group, names := range map[string]string{"key": id + " password refused", "model": flash, "credential": "ann0.json ann1.json"} {
			told := get("&group=" + group)
			var lines []figure
			for _, l := range told.Groups {
				lines = append(lines, l.Points...)
				if group != "model" && !strings.Contains(names, l.Name) {
					t.Errorf("by %s, group %s: %q", by, group, l.Name)
				}
			}
			if got := all(lines); got.Calls != all(told.Points).Calls || got.Total != sum.Total || got.Calls == 0 || told.Group != group {
				t.Errorf("by %s, group %s: %+v", by, group, got)
			}
		}
		// Of the requests two got no further than the key, and one was tried twice.
		if tries := all(get("&group=credential").Points); tries.Calls != sum.Calls-2+1 || tries.Errors != 2 || tries.Units != 0 {
			t.Errorf("by %s, calls to Google: %+v", by, tries)
		}
		g.statisticsCSV(t, "/usage/series?format=csv&by="+by+"&"+around, sum)
		g.statisticsCSV(t, "/usage/series?format=csv&group=key&by="+by+"&"+around, sum)
	}
	type row struct {
		figure
		Who, Model string
	}
	figures := data[struct {
		Since             time.Time
		Keys, Credentials []row
		By, From, To      string
		Kept              string `json:"kept_from"`
	}](t, g.get("/usage/figures?"+around))
	var calls, units int64
	for _, r := range figures.Keys {
		calls, units = calls+r.Calls, units+r.Units
	}
	if calls != byKey.calls+byPassword.calls+3 || units != 2*byKey.calls {
		t.Errorf("%+v", figures)
	}
}

// statisticsCSV adds up what is exported.
func (g *gateway) statisticsCSV(t *testing.T, path string, want figure) {
	t.Helper()
	r := g.get(path)
	rows, err := csv.NewReader(strings.NewReader(string(r.body))).ReadAll()
	if err != nil || r.status != 200 || !strings.HasPrefix(r.header.Get("Content-Type"), "text/csv") || !strings.Contains(r.header.Get("Content-Disposition"), ".csv") {
		t.Fatalf("%s: %v %d %s", path, err, r.status, r.body)
	}
	sums := map[string]int64{}
	for _, row := range rows[1:] {
		for i, cell := range row {
			n, _ := strconv.ParseInt(cell, 10, 64)
			sums[rows[0][i]] += n
		}
	}
	if sums["calls"] != want.Calls || sums["errors"] != want.Errors || sums["total_tokens"] != want.Total || sums["units"] != want.Units {
		t.Errorf("%s: %v", path, sums)
	}
}

// badSeries: what cannot be meant is refused, and says what.
func badSeries(t *testing.T, g *gateway, key string) {
	t.Helper()
	for query, says := range map[string]string{
		"by=week": `"by"`, "group=colour": `"group"`, "format=xml": `"format"`, "from=yesterday": `"from"`, "to=2026-13-01": `"to"`, "form=csv": "form",
		"from=2026-11-02&to=2026-11-01": `"from" must be before`, "from=2020-01-01&to=2026-01-01": "1000", "key=a&credential=b": "together",
		"key=a&group=credential": `"group"`, "credential=a&group=key": `"group"`, "by=day&by=hour": "twice", "model=" + strings.Repeat("x", 2000): `"model"`,
		"key=" + key: "not the key itself", "from=0001-01-01": `"from"`, "by=day&from=1970-01-01&to=9999-12-31": "1000", "%zz=1": "parameter", "by=": "",
	} {
		r := g.get("/usage/series?" + query)
		if want := map[bool]int{true: 200, false: 400}[says == ""]; r.status != want || !strings.Contains(strings.ReplaceAll(string(r.body), `\"`, `"`), says) || strings.Contains(string(r.body), key) {
			t.Errorf("%s: %d, %d bytes", query[:min(40, len(query))], r.status, len(r.body))
		}
	}
	if r := g.get("/usage/series", header("Authorization", "Bearer wrong")); r.status != 401 {
		t.Errorf("without the password: %d", r.status)
	}
	for _, path := range []string{"/usage/figures?key=a", "/usage/figures?from=x", "/usage/figures?format=x"} {
		if r := g.get(path); r.status != 400 {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
}
