package console

import (
	"net/url"
	"strings"
	"testing"
)

// Every list that there is as CSV is there for Excel as well: the same bytes behind the mark by which Excel
// knows UTF-8.
func TestExcel(t *testing.T) {
	d := newDesk(t)
	d.made(`{"description": "王小明"}`)
	counts, _ := counted(t)
	lists := map[string]func(query string) (int, string){
		"/usage/figures": func(q string) (int, string) { n, b := counts("/usage/figures" + q); return n, string(b) },
		"/usage/series":  func(q string) (int, string) { n, b := counts("/usage/series" + q); return n, string(b) },
	}
	day := "&from=2026-01-01&to=2026-01-02" // the same points whenever it is asked
	for _, path := range []string{"/auth/keys/export", "/usage/requests", "/audit"} {
		lists[path] = func(q string) (int, string) {
			a := d.ask("GET", path+strings.TrimSuffix(q, day), "")
			return a.status, a.body
		}
	}
	for path, ask := range lists {
		_, plain := ask("?format=csv" + day)
		status, marked := ask("?format=excel" + day)
		if status != 200 || len(plain) == 0 || strings.HasPrefix(plain, "\xef\xbb\xbf") || marked != "\xef\xbb\xbf"+plain {
			t.Errorf("%s: %d %q, and as CSV %q", path, status, marked, plain)
		}
		if status, says := ask("?format=" + url.QueryEscape("Excel")); status != 400 || !strings.Contains(says, "excel") {
			t.Errorf("%s in no such format: %d %s", path, status, says)
		}
	}
	made := d.ask("POST", "/auth/keys/batch?format=excel", `{"count": 2, "description": "王"}`, "Accept: application/json")
	if made.status != 200 || !strings.HasPrefix(made.body, "\xef\xbb\xbfid,api_key,") || strings.Count(made.body, "\n") != 3 || !strings.HasPrefix(made.header("Content-Type"), "text/csv") {
		t.Errorf("a batch: %d %q", made.status, made.body)
	}
}
