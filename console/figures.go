package console

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"gcli2api/store/stats"

	"github.com/gofiber/fiber/v2"
)

// rowView is what was counted of one credential or key with one model.
type rowView struct {
	stats.Row
	Success *float64 `json:"success_rate"` // null where there were no calls
}

// figures shows what was counted by credential, key and model: since the beginning, or in a stretch of time.
func (s Services) figures(c *fiber.Ctx) error {
	q, form, err := askedFigures(c, "day", "by", "from", "to", "format") // hours are not kept for as long
	if err != nil {
		return refuse(c, fiber.StatusBadRequest, err.Error())
	}
	r := s.Stats.Report()
	data := fiber.Map{}
	if c.Query("from") != "" || c.Query("to") != "" || c.Query("by") != "" {
		if r, err = s.Stats.Between(c.Context(), q); err != nil {
			return s.noFigures(c, err)
		}
		data["by"], data["from"], data["to"], data["kept_from"] = byName(q.By), stamp(r.Since), stamp(r.Until), stamp(s.Stats.KeptFrom(q.By))
	}
	if form != asJSON {
		return sendTable(c, "usage-figures.csv", form, figuresTable(r))
	}
	data["since"], data["credentials"], data["keys"] = r.Since, rowViews(r.Credentials), rowViews(r.Keys)
	return c.JSON(fiber.Map{"success": true, "data": data})
}

func rowViews(rows []stats.Row) []rowView {
	views := make([]rowView, len(rows))
	for i, r := range rows {
		views[i] = rowView{r, rate(r.Count)}
	}
	return views
}

// countCells are the columns of a Count.
func countedNames() []string {
	return []string{"calls", "errors", "success_rate", "prompt_tokens", "output_tokens", "cached_tokens", "thought_tokens", "total_tokens", "units"}
}

func countCells(c stats.Count) []string {
	cells := []string{whole(c.Calls), whole(c.Errors), ""}
	if r := rate(c); r != nil {
		cells[2] = strconv.FormatFloat(*r, 'f', -1, 64)
	}
	for _, n := range []int64{c.Prompt, c.Output, c.Cached, c.Thought, c.Total, c.Units} {
		cells = append(cells, whole(n))
	}
	return cells
}

func whole(n int64) string { return strconv.FormatInt(n, 10) }

func figuresTable(r stats.Report) [][]string {
	table := [][]string{slices.Concat([]string{"of", "who", "model"}, countedNames())}
	for _, side := range []struct {
		of   string
		rows []stats.Row
	}{{"key", r.Keys}, {"credential", r.Credentials}} {
		for _, row := range side.rows {
			table = append(table, slices.Concat([]string{side.of, row.Who, row.Model}, countCells(row.Count)))
		}
	}
	return table
}

// seriesTable has a row for each point: of the lines where something is told apart, else of all together.
func seriesTable(found *stats.Series, group string) [][]string {
	head := slices.Concat([]string{"time"}, countedNames(),
		[]string{"first_byte_p50_ms", "first_byte_p90_ms", "first_byte_p99_ms", "took_p50_ms", "took_p90_ms", "took_p99_ms", "error_codes"})
	if group == "" {
		return append([][]string{head}, pointRows(nil, found.Points)...)
	}
	table := [][]string{slices.Concat([]string{group}, head)}
	for _, l := range found.Lines {
		table = append(table, pointRows([]string{l.Name}, l.Points)...)
	}
	return table
}

func pointRows(first []string, points []stats.Point) [][]string {
	rows := make([][]string, 0, len(points))
	for _, v := range pointsOf(points) {
		row := slices.Concat(first, []string{v.Time}, countCells(v.Count))
		for _, q := range []*quantiles{v.First, v.Took} {
			if q == nil {
				row = append(row, "", "", "")
				continue
			}
			row = append(row, whole(q.P50), whole(q.P90), whole(q.P99))
		}
		var codes []string
		for _, code := range slices.Sorted(maps.Keys(v.Codes)) {
			codes = append(codes, fmt.Sprintf("%s=%d", code, v.Codes[code]))
		}
		rows = append(rows, append(row, strings.Join(codes, " ")))
	}
	return rows
}
