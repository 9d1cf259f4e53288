package console

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"gcli2api/store/oauth"
	"gcli2api/store/pool"

	"github.com/gofiber/fiber/v2"
)

// Bounds of a page, and how long a text to search for may be.
const (
	pageSize = 50
	pageMax  = 1000
	textMax  = 200
)

// credentials shows the pool: all of it, or the page that the query asks for.
func (s Services) credentials(c *fiber.Ctx) error {
	q, err := queryOf(c)
	if err != nil {
		return refuse(c, fiber.StatusBadRequest, err.Error())
	}
	page, rows := s.Pool.Find(q)
	rest := map[string]any{"broken_files": s.Pool.Broken(), "leases": s.Pool.Leases(), "total": page.Total, "matching": page.Matching,
		"enabled": page.Enabled, "disabled": page.Disabled, "cooling": page.Cooling}
	if q.Limit > 0 {
		rest["offset"], rest["limit"] = q.Offset, q.Limit
	}
	c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
	c.Context().SetBodyStreamWriter(func(w *bufio.Writer) {
		if err := listing(w, rows, rest, s.lens()); err != nil {
			s.Log.Warn("a list of credentials was cut off", "error", err)
		}
	})
	return nil
}

// listing writes the rows as one object by their names, in their order, which a map would lose, and
// the rest behind it. They are sent while they are made: whoever has 10,000 of them may ask for all.
func listing(out *bufio.Writer, rows iter.Seq[*pool.Status], rest map[string]any, l lens) error {
	write, comma := json.NewEncoder(out), ""
	_, _ = out.WriteString(`{"creds":{`) // an error stays with out: the last one tells
	for row := range rows {
		v := l.viewOf(row)
		_, _ = out.WriteString(comma)
		if err := write.Encode(v.Filename); err != nil {
			return err
		}
		_ = out.WriteByte(':')
		if err := write.Encode(&v); err != nil {
			return err
		}
		comma = ","
	}
	_ = out.WriteByte('}')
	for _, name := range slices.Sorted(maps.Keys(rest)) {
		_, _ = fmt.Fprintf(out, ",%q:", name)
		if err := write.Encode(rest[name]); err != nil {
			return err
		}
	}
	return out.WriteByte('}')
}

// queryOf reads the parameters of a list. The error names the one that is wrong.
func queryOf(c *fiber.Ctx) (q pool.Query, err error) {
	var wrong [2]error
	q.Offset, wrong[0] = number(c, "offset", 0, 1<<31-1)
	q.Limit, wrong[1] = number(c, "limit", 1, pageMax)
	if q.Limit == 0 && c.Query("offset") != "" {
		q.Limit = pageSize
	}
	q.State, q.Kind, q.Group = c.Query("status_filter"), c.Query("kind"), c.Query("group")
	q.Search, q.Sort = strings.TrimSpace(c.Query("search")), c.Query("sort")
	switch err = errors.Join(wrong[:]...); {
	case err != nil:
		return q, errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))
	case q.Kind != "" && !slices.Contains(oauth.Kinds(), q.Kind):
		return q, errors.New("kind must be one of " + strings.Join(oauth.Kinds(), ", "))
	case len(q.Search) > textMax:
		return q, fmt.Errorf("search must have %d bytes at most", textMax)
	case len(q.Group) > textMax:
		return q, fmt.Errorf("group must have %d bytes at most", textMax)
	}
	return q, q.Check()
}

// number reads a whole number out of the query, 0 when it is not there.
func number(c *fiber.Ctx, name string, least, most int) (int, error) {
	text := c.Query(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("%s must be a whole number from %d to %d", name, least, most)
	}
	return n, nil
}
