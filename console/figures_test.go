package console

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gcli2api/pipeline/apierror"
	"gcli2api/store"
	"gcli2api/store/audit"
	"gcli2api/store/embedded"
	"gcli2api/store/stats"
	"gcli2api/store/storetest"

	"github.com/gofiber/fiber/v2"
)

// tableOf reads CSV by the names of its columns.
func tableOf(t *testing.T, body []byte) (rows []map[string]string) {
	t.Helper()
	all, err := csv.NewReader(bytes.NewReader(body)).ReadAll()
	if err != nil || len(all) == 0 {
		t.Fatalf("%v: %s", err, body)
	}
	for _, cells := range all[1:] {
		row := map[string]string{}
		for i, name := range all[0] {
			row[name] = cells[i]
		}
		rows = append(rows, row)
	}
	return rows
}

// agrees holds some cells of a row against what they should be.
func agrees(t *testing.T, what string, row map[string]string, want map[string]string) {
	t.Helper()
	for name, v := range want {
		if row[name] != v {
			t.Errorf("%s: %s is %q, want %q", what, name, row[name], v)
		}
	}
}

// counted is a panel with figures of one request of a key and the two tries that it took.
func counted(t *testing.T) (ask func(query string) (int, []byte), faults *storetest.Flaky) {
	t.Helper()
	db, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "db")})
	if err != nil {
		t.Fatal(err)
	}
	faults = &storetest.Flaky{Store: db}
	s, err := stats.Open(t.Context(), stats.Options{Store: faults, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { faults.Heal(); _ = errors.Join(s.Close(), db.Close()) })
	s.Record(stats.Request{Key: "k", Model: "m", Units: 7, First: 80 * time.Millisecond, Took: 3 * time.Second, Tries: []stats.Try{
		{Credential: "c", Model: "m", Code: apierror.RateLimited, Took: time.Second},
		{Credential: "c", Model: "m", Prompt: 11, Output: 13, Total: 24, Cached: 3, Thought: 5, First: 80 * time.Millisecond, Took: 2 * time.Second}}})
	s.Record(stats.Request{Key: "k", Model: "m", Code: apierror.Overloaded})
	app := fiber.New()
	Services{Access: access{"right", true}, Stats: s, Log: slog.New(slog.DiscardHandler)}.Mount(app)
	return func(query string) (int, []byte) {
		req := httptest.NewRequest("GET", query, nil)
		req.Header.Set("Authorization", "Bearer right")
		resp, err := app.Test(req, -1)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, body
	}, faults
}

// Each figure stands under its own name, in JSON and in CSV.
func TestFiguresUnderTheirNames(t *testing.T) {
	ask, _ := counted(t)
	of := map[string]map[string]string{
		"key": {"who": "k", "model": "m", "calls": "2", "errors": "1", "success_rate": "0.5", "prompt_tokens": "11", "output_tokens": "13", "cached_tokens": "3",
			"thought_tokens": "5", "total_tokens": "24", "units": "7"},
		"credential": {"who": "c", "model": "m", "calls": "2", "errors": "1", "prompt_tokens": "11", "cached_tokens": "3", "thought_tokens": "5", "units": "0"},
	}
	_, body := ask("/usage/figures?format=csv")
	rows := tableOf(t, body)
	for _, row := range rows {
		agrees(t, row["of"], row, of[row["of"]])
	}
	if len(rows) != 2 {
		t.Errorf("%s", body)
	}
	_, body = ask("/usage/series?by=hour&group=key&format=csv")
	found := false
	for _, row := range tableOf(t, body) {
		if row["calls"] == "0" {
			agrees(t, row["time"], row, map[string]string{"success_rate": "", "first_byte_p50_ms": "", "took_p99_ms": "", "error_codes": ""})
			continue
		}
		found = true
		agrees(t, "series", row, map[string]string{"key": "k", "calls": "2", "errors": "1", "prompt_tokens": "11", "output_tokens": "13", "cached_tokens": "3", "thought_tokens": "5",
			"total_tokens": "24", "units": "7", "first_byte_p50_ms": "75", "first_byte_p90_ms": "95", "first_byte_p99_ms": "99", "took_p50_ms": "2400", "took_p90_ms": "3040",
			"took_p99_ms": "3184", "error_codes": string(apierror.Overloaded) + "=1"})
	}
	if !found {
		t.Errorf("%s", body)
	}
	var answer struct {
		Data struct{ Points []pointView }
	}
	_, body = ask("/usage/series")
	if err := json.Unmarshal(body, &answer); err != nil || len(answer.Data.Points) < 24 {
		t.Fatalf("%v %s", err, body)
	}
	for _, p := range answer.Data.Points {
		if p.Calls > 0 && (p.First == nil || *p.First != quantiles{75, 95, 99} || *p.Took != quantiles{2400, 3040, 3184} || p.Codes[string(apierror.Overloaded)] != 1) {
			t.Errorf("%+v", p)
		}
	}
}

// What a series is asked for has bounds, and what makes no sense is named.
func TestBoundsOfASeries(t *testing.T) {
	ask, faults := counted(t)
	for query, c := range map[string]struct {
		status int
		says   string
	}{
		"from=2026-01-01T00:00:00Z&to=2026-02-11T16:00:00Z":     {200, ""}, // a thousand hours
		"from=2026-01-01T00:00:00Z&to=2026-02-11T16:00:01Z":     {400, "1001 hours"},
		"from=2026-01-01&to=2026-01-01":                         {400, "before"},
		"from=2026-01-02&to=2026-01-01":                         {400, "before"},
		"key=sk-abc":                                            {400, "id of a key"},
		"key=k&credential=c":                                    {400, "together"},
		"key=k&group=credential":                                {400, "group"},
		"credential=c&group=key":                                {400, "group"},
		"model=" + strings.Repeat("m", 1025):                    {400, "model"},
		"by=week":                                               {400, "by"},
		"by=day&by=hour":                                        {400, "twice"},
		"form=csv":                                              {400, "form"},
		"by=day&from=" + url.QueryEscape("2026-01-01T00:00:00"): {400, "from"},
	} {
		if status, body := ask("/usage/series?" + query); status != c.status || !strings.Contains(string(body), c.says) {
			t.Errorf("%s: %d %.200s", query, status, body)
		}
	}
	var answer struct {
		Data struct {
			From, To time.Time
			Points   []struct{ Time time.Time }
		}
	}
	for by, length := range map[string]time.Duration{"hour": time.Hour, "day": 24 * time.Hour} {
		_, body := ask("/usage/series?by=" + by)
		back := 24 * time.Hour
		if by == "day" {
			back *= 30
		}
		if err := json.Unmarshal(body, &answer); err != nil || answer.Data.To.Sub(answer.Data.From) != back+length { // whole periods, the running one as well
			t.Errorf("by %s: %v, from %s to %s", by, err, answer.Data.From, answer.Data.To)
		}
	}
	faults.Break(storetest.Fault{Err: errors.New("the cable is out"), Calls: []string{"Counters"}})
	if status, body := ask("/usage/series"); status != 503 || strings.Contains(string(body), "cable") {
		t.Errorf("%d %s", status, body)
	}
}

// Each figure of a request stands under its own name, and each filter asks for its own.
func TestRequestsUnderTheirNames(t *testing.T) {
	o := newOffice(t)
	o.log.Note(audit.Request{ID: "a", Key: "k1", Route: "openai/stream", Answer: "responses", Model: "m1", Credential: "c1", Code: "rate_limited", Stream: true, Status: 429, Tries: 2,
		Input: 11, Output: 13, Cached: 3, Thoughts: 5, Cost: 7, First: 1500 * time.Microsecond, Took: 2*time.Second + 250*time.Microsecond})
	o.log.Note(audit.Request{ID: "b", Key: "k2", Route: "gemini/count", Answer: "gemini", Model: "m2", Credential: "c2", Code: "overloaded", Status: 503})
	want := map[string]string{"id": "a", "key": "k1", "route": "openai/stream", "answer": "responses", "stream": "true", "model": "m1", "credential": "c1", "tries": "2", "status": "429",
		"code": "rate_limited", "input_tokens": "11", "output_tokens": "13", "cached_tokens": "3", "thought_tokens": "5", "cost": "7", "first_byte_ms": "1.5", "milliseconds": "2000.25"}
	rows := tableOf(t, o.ask("GET", "/usage/requests?format=csv", "", "right").body)
	if len(rows) != 2 || rows[0]["first_byte_ms"] != "" || rows[0]["id"] != "b" {
		t.Fatalf("%v", rows)
	}
	agrees(t, "csv", rows[1], want)
	var one struct{ Request map[string]any }
	if err := json.Unmarshal(o.ask("GET", "/usage/requests/a", "", "right").body, &one); err != nil {
		t.Fatal(err)
	}
	for name, v := range want {
		if got := fmt.Sprint(one.Request[name]); got != v {
			t.Errorf("json: %s is %s, want %s", name, got, v)
		}
	}
	if err := json.Unmarshal(o.ask("GET", "/usage/requests/b", "", "right").body, &one); err != nil || one.Request["first_byte_ms"] != nil {
		t.Errorf("%v, %v", err, one.Request)
	}
	for query, id := range map[string]string{"key=k1": "a", "key=k2": "b", "credential=c1": "a", "credential=c2": "b", "model=m1": "a", "model=*2": "b", "status=429": "a", "status=5xx": "b",
		"code=rate_limited": "a", "code=overloaded": "b", "route=openai/*": "a", "route=*count": "b", "q=c1": "a", "q=k2": "b"} {
		if rows := tableOf(t, o.ask("GET", "/usage/requests?format=csv&"+query, "", "right").body); len(rows) != 1 || rows[0]["id"] != id {
			t.Errorf("%s: %v", query, rows)
		}
	}
	for _, query := range []string{"key=sk-abc", "q=sk-abc", "q=x%20sk-abc"} {
		if r := o.ask("GET", "/usage/requests?"+query, "", "right"); r.status != 400 || strings.Contains(string(r.body), "abc") {
			t.Errorf("%s: %d %s", query, r.status, r.body)
		}
	}
}

func TestChangesUnderTheirNames(t *testing.T) {
	o := newOffice(t)
	for _, c := range []audit.Change{
		{ID: "x1", Who: "w1", From: "192.0.2.1", What: "POST /one", Target: "t1", Status: 200, Before: map[string]any{"n": 1}, After: map[string]any{"n": 2}},
		{ID: "x2", Who: "w2", From: "192.0.2.2", What: "PUT /two", Target: "t2", Status: 404, Times: 9},
	} {
		if err := o.log.Changed(context.Background(), c); err != nil {
			t.Fatal(err)
		}
	}
	rows := tableOf(t, o.ask("GET", "/audit?format=csv", "", "right").body)
	if len(rows) != 2 {
		t.Fatal(rows)
	}
	agrees(t, "second", rows[0], map[string]string{"id": "x2", "who": "w2", "address": "192.0.2.2", "what": "PUT /two", "target": "t2", "status": "404", "times": "9", "before": "", "after": ""})
	agrees(t, "first", rows[1], map[string]string{"id": "x1", "times": "1", "before": `{"n":1}`, "after": `{"n":2}`})
	if list := o.changes("").Changes; list[1].Times != 1 || list[0].Times != 9 || fmt.Sprint(list[1].Before, list[1].After) != "map[n:1] map[n:2]" {
		t.Errorf("%+v", list)
	}
	for query, id := range map[string]string{"who=w1": "x1", "address=192.0.2.2": "x2", "address=192.0.2.1": "x1", "what=two": "x2", "target=t1": "x1", "status=4xx": "x2", "status=200": "x1", "id=x2": "x2"} {
		if list := o.changes(query).Changes; len(list) != 1 || list[0].ID != id {
			t.Errorf("%s: %+v", query, list)
		}
	}
}

// A table has every row, however many pages it is read in; one that broke off says so.
func TestLongTables(t *testing.T) {
	const many = 2*audit.MaxLimit + 100
	o := newOffice(t)
	for i := range many {
		o.log.Note(audit.Request{ID: fmt.Sprint("r", i), Status: 200})
	}
	var wg sync.WaitGroup
	for g := range 100 {
		wg.Go(func() {
			for i := range many / 100 {
				if err := o.log.Changed(context.Background(), audit.Change{ID: fmt.Sprint("r", g*(many/100)+i), Status: 200}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for path, limits := range map[string][]int{"/usage/requests?format=csv": {0, 1, 1000}, "/audit?format=csv": {0, 999}} {
		for _, limit := range limits {
			query, want := path, many
			if limit > 0 {
				query, want = fmt.Sprint(path, "&limit=", limit), limit
			}
			seen := map[string]bool{}
			rows := tableOf(t, o.ask("GET", query, "", "right").body)
			for _, row := range rows {
				seen[row["id"]] = true
			}
			if len(rows) != want || len(seen) != want {
				t.Errorf("%s: %d rows, %d different ones, want %d", query, len(rows), len(seen), want)
			}
		}
	}
	o.store.Break(storetest.Fault{Err: store.ErrClosed, Calls: []string{"List"}})
	for _, path := range []string{"/usage/requests?format=csv", "/audit?format=csv"} {
		if body := o.ask("GET", path, "", "right").body; !strings.HasSuffix(string(body), "the table is not complete\n") {
			t.Errorf("%s: %s", path, body)
		}
	}
	o.store.Heal()
}

func TestDefused(t *testing.T) {
	for cell, want := range map[string]string{"": "", "a": "a", "=1": "'=1", "+1": "'+1", "-1": "'-1", "@x": "'@x", "\tx": "'\tx", "\rx": "'\rx", "\nx": "'\nx", "a=1": "a=1", "'=": "'="} {
		if got := defused(cell); got != want {
			t.Errorf("%q becomes %q", cell, got)
		}
	}
}
