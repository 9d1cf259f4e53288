package console

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"gcli2api/store/stats"

	"github.com/gofiber/fiber/v2"
)

// quantiles is a spread of durations in milliseconds.
type quantiles struct {
	P50 int64 `json:"p50"`
	P90 int64 `json:"p90"`
	P99 int64 `json:"p99"`
}

// spread estimates the quantiles, nil where nothing was measured.
func spread(h *stats.Histogram) *quantiles {
	if h.Measured() == 0 {
		return nil
	}
	at := func(share float64) int64 { return h.Quantile(share).Milliseconds() }
	return &quantiles{at(0.5), at(0.9), at(0.99)}
}

// rate is the share of calls that succeeded, nil where there were none.
func rate(c stats.Count) *float64 {
	if c.Calls == 0 {
		return nil
	}
	r := math.Round(float64(c.Calls-c.Errors)/float64(c.Calls)*1e4) / 1e4
	return &r
}

// pointView is one hour or day of a series.
type pointView struct {
	Time string `json:"time"`
	stats.Count
	Codes   map[string]int64 `json:"error_codes"`
	Success *float64         `json:"success_rate"` // null where there were no calls
	First   *quantiles       `json:"first_byte_ms"`
	Took    *quantiles       `json:"took_ms"`
}

type lineView struct {
	Name   string      `json:"name"`
	Points []pointView `json:"points"`
}

func pointsOf(list []stats.Point) []pointView {
	views := make([]pointView, len(list))
	for i := range list {
		p := &list[i]
		codes := make(map[string]int64, len(p.Codes))
		for _, c := range p.Codes {
			codes[string(c.Code)] = c.N
		}
		views[i] = pointView{Time: stamp(p.Time), Count: p.Count, Codes: codes, Success: rate(p.Count), First: spread(&p.First), Took: spread(&p.Took)}
	}
	return views
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// series shows how usage went over time.
func (s Services) series(c *fiber.Ctx) error {
	q, form, err := askedFigures(c, "hour", "by", "from", "to", "key", "credential", "model", "group", "format")
	if err != nil {
		return refuse(c, fiber.StatusBadRequest, err.Error())
	}
	found, err := s.Stats.Series(c.Context(), q)
	if err != nil {
		return s.noFigures(c, err)
	}
	if form != asJSON {
		return sendTable(c, "usage-series.csv", form, seriesTable(found, c.Query("group")))
	}
	data := fiber.Map{"by": byName(q.By), "from": stamp(found.From), "to": stamp(found.To), "kept_from": stamp(found.Kept),
		"points": pointsOf(found.Points)}
	if q.Group != stats.Together {
		lines := make([]lineView, len(found.Lines))
		for i, l := range found.Lines {
			lines[i] = lineView{l.Name, pointsOf(l.Points)}
		}
		data["group"], data["groups"] = c.Query("group"), lines
	}
	return c.JSON(fiber.Map{"success": true, "data": data})
}

func (s Services) noFigures(c *fiber.Ctx, err error) error {
	s.Log.Error("usage figures could not be read", "error", err)
	return refuse(c, fiber.StatusServiceUnavailable, "the store does not answer: the usage figures could not be read; see the log")
}

func byName(g stats.Grain) string {
	if g == stats.Days {
		return "day"
	}
	return "hour"
}

// onlyThese refuses parameters of other names: what is spelled wrong must not mean everything.
func onlyThese(c *fiber.Ctx, names []string) (err error) {
	seen := map[string]bool{}
	c.Context().QueryArgs().VisitAll(func(key, _ []byte) {
		name := string(key)
		switch {
		case !slices.Contains(names, name):
			err = fmt.Errorf("there is no parameter %.40q here; there are %s", name, strings.Join(names, ", "))
		case seen[name]:
			err = fmt.Errorf("%q is there twice", name)
		}
		seen[name] = true
	})
	return err
}

// askedFigures reads the query, which may have these names only. by is what counts where it says nothing.
func askedFigures(c *fiber.Ctx, by string, names ...string) (q stats.Query, f listFormat, err error) {
	if err := onlyThese(c, names); err != nil {
		return q, f, err
	}
	for _, p := range []struct {
		name, otherwise string
		is              []string
		set             func(int)
	}{
		{"by", by, []string{"hour", "day"}, func(i int) { q.By = stats.Grain(i) }},
		{"group", "", []string{"", "model", "key", "credential"}, func(i int) { q.Group = stats.Group(i) }},
	} {
		i, err := choice(c.Query(p.name, p.otherwise), p.name, p.is)
		if err != nil {
			return q, f, err
		}
		p.set(i)
	}
	if err := namesOf(c, &q); err != nil {
		return q, f, err
	}
	if f, err = formOf(c.Query("format"), asJSON); err != nil {
		return q, f, err
	}
	return q, f, stretch(c, &q)
}

// choice is the place of a parameter among what it may be.
func choice(text, name string, is []string) (int, error) {
	i := slices.Index(is, text)
	if i < 0 {
		return 0, fmt.Errorf("%q must be one of %s", name, strings.TrimPrefix(strings.Join(is, ", "), ", "))
	}
	return i, nil
}

// namesOf reads whose figures are asked for.
func namesOf(c *fiber.Ctx, q *stats.Query) error {
	const most = 1024
	for name, to := range map[string]*string{"key": &q.Key, "credential": &q.Credential, "model": &q.Model} {
		if *to = strings.Clone(c.Query(name)); len(*to) > most {
			return fmt.Errorf("%q has more than %d bytes", name, most)
		}
	}
	switch {
	case strings.HasPrefix(q.Key, "sk-"):
		return fmt.Errorf(`"key" must be the id of a key, not the key itself`)
	case q.Key != "" && q.Credential != "":
		return fmt.Errorf(`"key" and "credential" cannot be asked for together: they are counted apart`)
	case q.Key != "" && q.Group == stats.ByCredential, q.Credential != "" && q.Group == stats.ByKey:
		return fmt.Errorf(`"group" cannot be %s here: keys and credentials are counted apart`, c.Query("group"))
	}
	return nil
}

// stretch reads from and to: by default the last 24 hours, or 30 days.
func stretch(c *fiber.Ctx, q *stats.Query) (err error) {
	if q.To, err = when(c, "to", time.Now()); err != nil {
		return err
	}
	back := 24 * time.Hour
	if q.By == stats.Days {
		back *= 30
	}
	if q.From, err = when(c, "from", q.To.Add(-back)); err != nil {
		return err
	}
	if !q.From.Before(q.To) {
		return fmt.Errorf(`"from" must be before "to"`)
	}
	if n := q.Periods(); n > stats.MaxPoints {
		return fmt.Errorf(`"from" and "to" are %d %ss apart; there can be %d: ask for less at a time, or by day`, n, byName(q.By), stats.MaxPoints)
	}
	return nil
}

// when reads a time: RFC 3339, or a date, which is its midnight UTC.
func when(c *fiber.Ctx, name string, otherwise time.Time) (time.Time, error) {
	text := c.Query(name)
	if text == "" {
		return otherwise, nil
	}
	for _, form := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(form, text); err == nil && t.Year() >= 1970 && t.Year() < 10000 {
			return t.UTC(), nil
		}
	}
	return otherwise, fmt.Errorf(`%q must be a time such as 2026-11-27T12:00:00Z, or a date such as 2026-11-27`, name)
}
