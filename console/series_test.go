package console

import (
	"encoding/csv"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"gcli2api/store/stats"

	"github.com/gofiber/fiber/v2"
)

// What clients and operators may name is no formula in a spreadsheet, and stays in its cell.
func TestExportedNamesAreNoFormulas(t *testing.T) {
	s := stats.New()
	for _, model := range []string{`=cmd|' /C calc'!A0`, "+1", "-1", "@sum", "\ttab", "a,b", `q"uote`, "line\nbreak", "gemini-2.5-pro"} {
		s.Record(stats.Request{Key: model, Model: model, Tries: []stats.Try{{Credential: "c", Model: model, Total: 2}}})
	}
	app := fiber.New()
	Services{Access: access{"right", true}, Stats: s}.Mount(app)
	req := httptest.NewRequest("GET", "/usage/figures?format=csv", nil)
	req.Header.Set("Authorization", "Bearer right")
	resp, err := app.Test(req, -1)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	rows, err := csv.NewReader(strings.NewReader(string(body))).ReadAll()
	if err != nil || resp.StatusCode != 200 || len(rows) != 1+9+9 {
		t.Fatalf("%d rows, %v: %d %s", len(rows), err, resp.StatusCode, body)
	}
	for _, row := range rows[1:] {
		for _, cell := range row {
			if cell != "" && strings.ContainsRune("=+-@\t\r\n", rune(cell[0])) {
				t.Errorf("the cell %q", cell)
			}
		}
	}
}

func TestSharesAndSpreads(t *testing.T) {
	if rate(stats.Count{}) != nil || *rate(stats.Count{Calls: 3, Errors: 1}) != 0.6667 || *rate(stats.Count{Calls: 2}) != 1 {
		t.Error("the share of calls that succeeded")
	}
	var h stats.Histogram
	if spread(&h) != nil {
		t.Error("a spread of nothing")
	}
	h[1], h[4] = 90, 10
	if got := *spread(&h); got != (quantiles{P50: 77, P90: 100, P99: 760}) {
		t.Errorf("%+v", got)
	}
}
