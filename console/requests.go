package console

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"gcli2api/store/audit"

	"github.com/gofiber/fiber/v2"
)

// requestView is one row of the log of requests.
type requestView struct {
	Time       string   `json:"time"` // when it had ended
	ID         string   `json:"id"`
	Key        string   `json:"key"`
	Route      string   `json:"route"`
	Answer     string   `json:"answer"`
	Stream     bool     `json:"stream"`
	Model      string   `json:"model"`
	Credential string   `json:"credential,omitempty"`
	Tries      int      `json:"tries"`
	Status     int      `json:"status"`
	Code       string   `json:"code,omitempty"`
	Input      int64    `json:"input_tokens"`
	Output     int64    `json:"output_tokens"`
	Cached     int64    `json:"cached_tokens"`
	Thoughts   int64    `json:"thought_tokens"`
	Cost       int64    `json:"cost"`
	FirstMS    *float64 `json:"first_byte_ms"` // null when there was none
	TookMS     float64  `json:"milliseconds"`
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

const exactTime = "2006-01-02T15:04:05.000Z"

func requestOf(r *audit.Request) requestView {
	v := requestView{Time: r.Time.UTC().Format(exactTime), ID: r.ID, Key: r.Key, Route: r.Route, Answer: r.Answer, Stream: r.Stream, Model: r.Model,
		Credential: r.Credential, Tries: r.Tries, Status: r.Status, Code: r.Code, Input: r.Input, Output: r.Output, Cached: r.Cached,
		Thoughts: r.Thoughts, Cost: r.Cost, TookMS: milliseconds(r.Took)}
	if r.First > 0 {
		v.FirstMS = new(milliseconds(r.First))
	}
	return v
}

// requests lists the log of requests, newest first.
func (s Services) requests(c *fiber.Ctx) error {
	q, ask, err := requestQuery(c)
	switch {
	case err != nil:
		return refuse(c, fiber.StatusBadRequest, err.Error())
	case s.Audit == nil:
		return refuse(c, fiber.StatusServiceUnavailable, "this gateway keeps no log of requests")
	case ask.form != asJSON:
		return s.requestTable(c, q, ask)
	}
	page, err := s.Audit.Requests(c.Context(), q)
	if err != nil {
		return s.failed(c, err)
	}
	rows := make([]requestView, 0, len(page.Rows))
	for i := range page.Rows {
		rows = append(rows, requestOf(&page.Rows[i]))
	}
	keeps, _ := s.Audit.Keeps()
	return c.JSON(fiber.Map{"success": true, "requests": rows, "more": page.Next != "", "next": orNull(page.Next), "lost": page.Lost, "keeps": keeps.String()})
}

// request shows one exchange.
func (s Services) request(c *fiber.Ctx) error {
	ask, err := lookupOf(c, "before")
	if err == nil {
		err = audit.CursorOK(ask.before)
	}
	id, bad := url.PathUnescape(c.Params("id"))
	switch {
	case errors.Join(err, bad) != nil:
		return refuse(c, fiber.StatusBadRequest, errors.Join(err, bad).Error())
	case s.Audit == nil:
		return refuse(c, fiber.StatusServiceUnavailable, "this gateway keeps no log of requests")
	}
	r, found, next, err := s.Audit.Request(c.Context(), strings.Clone(id), ask.before)
	switch {
	case err != nil:
		return s.failed(c, err)
	case found:
		return c.JSON(fiber.Map{"success": true, "request": requestOf(&r)})
	case next != "":
		c.Locals(refusedFor, "not found so far")
		return c.Status(fiber.StatusNotFound).JSON(fiber.Map{"detail": "it is not among the newest requests: go on with before=" + next, "more": true, "next": next})
	}
	return refuse(c, fiber.StatusNotFound, "the log has no such request")
}

// lookup is what all lists of this kind are asked for in the same way.
type lookup struct {
	limit    int // 0 is not said
	before   string
	from, to time.Time
	form     listFormat
	text     map[string]string // the other parameters
}

const mostText = 256 // bytes of a parameter

// lookupOf reads the query, which may have these names only.
func lookupOf(c *fiber.Ctx, names ...string) (a lookup, err error) {
	if err = onlyThese(c, names); err != nil {
		return a, err
	}
	a.text = map[string]string{}
	for _, name := range names {
		text := strings.Clone(c.Query(name)) // fiber's own is gone with the request
		if len(text) > mostText {
			return a, fmt.Errorf("%q has more than %d bytes", name, mostText)
		}
		a.text[name] = text
	}
	a.before = a.text["before"]
	if text := a.text["limit"]; text != "" {
		if a.limit, err = strconv.Atoi(text); err != nil || a.limit < 1 || a.limit > audit.MaxLimit {
			return a, fmt.Errorf(`"limit" must be a whole number from 1 to %d`, audit.MaxLimit)
		}
	}
	if a.form, err = formOf(a.text["format"], asJSON); err != nil {
		return a, err
	}
	if a.from, err = when(c, "from", time.Time{}); err != nil {
		return a, err
	}
	if a.to, err = when(c, "to", time.Time{}); err != nil {
		return a, err
	}
	if !a.from.IsZero() && !a.to.IsZero() && !a.from.Before(a.to) {
		return a, errors.New(`"from" must be before "to"`)
	}
	if status := a.text["status"]; status != "" && !audit.StatusOK(status) {
		return a, errors.New(`"status" must be a status such as 429, or a class such as 4xx`)
	}
	return a, audit.CursorOK(a.before)
}

func requestQuery(c *fiber.Ctx) (audit.Query, lookup, error) {
	a, err := lookupOf(c, "limit", "before", "from", "to", "key", "credential", "model", "status", "code", "route", "q", "format")
	t := a.text
	for _, name := range []string{"key", "q"} {
		if err == nil && namesKey(t[name]) {
			err = fmt.Errorf("%q must be an id, not the key itself", name)
		}
	}
	return audit.Query{Limit: a.limit, Before: a.before, From: a.from, To: a.to, Key: t["key"], Credential: t["credential"], Model: t["model"],
		Status: t["status"], Code: t["code"], Route: t["route"], Text: t["q"]}, a, err
}

// namesKey tells that a word of a text looks like a key; "desk-1" does not.
func namesKey(text string) bool {
	words := strings.FieldsFunc(text, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_.", r)
	})
	return slices.ContainsFunc(words, func(word string) bool { return strings.HasPrefix(word, "sk-") })
}

// requestTable sends all that was asked for as CSV, while it is read; with a limit so many rows.
func (s Services) requestTable(c *fiber.Ctx, q audit.Query, a lookup) error {
	head := []string{"time", "id", "key", "route", "answer", "stream", "model", "credential", "tries", "status", "code", "input_tokens", "output_tokens",
		"cached_tokens", "thought_tokens", "cost", "first_byte_ms", "milliseconds"}
	return s.stream(c, sheet{"requests.csv", a.form, head, func(ctx context.Context, row func([]string) error) error {
		return pages(a.limit, func(limit int) (n int, next bool, err error) {
			q.Limit = limit
			page, err := s.Audit.Requests(ctx, q)
			for i := range page.Rows {
				if err := row(requestCells(&page.Rows[i])); err != nil {
					return 0, false, err
				}
			}
			q.Before = page.Next
			return len(page.Rows), page.Next != "", err
		})
	}})
}

func requestCells(r *audit.Request) []string {
	v := requestOf(r)
	cells := []string{v.Time, v.ID, v.Key, v.Route, v.Answer, strconv.FormatBool(v.Stream), v.Model, v.Credential, strconv.Itoa(v.Tries), strconv.Itoa(v.Status), v.Code}
	for _, n := range []int64{v.Input, v.Output, v.Cached, v.Thoughts, v.Cost} {
		cells = append(cells, strconv.FormatInt(n, 10))
	}
	first := ""
	if v.FirstMS != nil {
		first = strconv.FormatFloat(*v.FirstMS, 'f', -1, 64)
	}
	return append(cells, first, strconv.FormatFloat(v.TookMS, 'f', -1, 64))
}

// pages asks for page after page until there are no more, or there were limit rows; 0 is all.
func pages(limit int, one func(limit int) (n int, next bool, err error)) error {
	for left := limit; limit == 0 || left > 0; {
		most := audit.MaxLimit
		if limit > 0 {
			most = min(most, left)
		}
		n, next, err := one(most)
		if err != nil || !next {
			return err
		}
		left -= n
	}
	return nil
}
