package console

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gcli2api/store/apikey"

	"github.com/gofiber/fiber/v2"
)

// keyQuery is what a list of keys asks for.
type keyQuery struct {
	offset, limit         int
	search, status, group string
	sort                  string
}

// Words of the list's parameters.
const (
	keyStates = "all, enabled, disabled, active, expired, exhausted"
	keySorts  = "created, description, used, remaining, last_used, expires"
)

// keyQueryOf reads the query of a list, which may have these names only, and those of beside.
func keyQueryOf(c *fiber.Ctx, beside ...string) (q keyQuery, err error) {
	if err = onlyThese(c, append([]string{"limit", "offset", "q", "search", "status_filter", "group", "sort"}, beside...)); err != nil {
		return q, err
	}
	var wrong [2]error
	q.offset, wrong[0] = number(c, "offset", 0, 1<<31-1)
	q.limit, wrong[1] = number(c, "limit", 1, pageMax)
	if err = errors.Join(wrong[:]...); err != nil {
		return q, errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	if q.limit == 0 && c.Query("offset") != "" {
		q.limit = pageSize
	}
	q.search = strings.TrimSpace(cmp.Or(c.Query("q"), c.Query("search")))
	q.status, q.group, q.sort = cmp.Or(c.Query("status_filter"), "all"), c.Query("group"), cmp.Or(c.Query("sort"), "created")
	switch {
	case len(q.search) > textMax:
		return q, fmt.Errorf("q must have %d bytes at most", textMax)
	case len(q.group) > textMax:
		return q, fmt.Errorf("group must have %d bytes at most", textMax)
	case !slices.Contains(strings.Split(keyStates, ", "), q.status):
		return q, errors.New("status_filter must be one of " + keyStates)
	case !slices.Contains(strings.Split(keySorts, ", "), strings.TrimPrefix(q.sort, "-")):
		return q, errors.New("sort must be one of " + keySorts + `, with "-" in front for backwards`)
	}
	return q, nil
}

// keyRow is a key that a list goes through.
type keyRow struct {
	key     *apikey.Key
	balance apikey.Balance
	used    time.Time // last
}

// keyPage is what a list shows.
type keyPage struct {
	rows            []keyRow
	total, matching int
	answers         map[string]map[string]int64
}

// findKeys goes through all keys.
func (s Services) findKeys(c *fiber.Ctx, q keyQuery) (p keyPage, err error) {
	balances, err := s.Book.Ledger.BalanceAll(c.Context())
	if err != nil {
		return p, err
	}
	all := s.Book.Keys.List()
	p.total, p.answers = len(all), s.Stats.Answered()
	search, now := strings.ToLower(q.search), s.now()
	whole, found := s.Book.Keys.Find(q.search)
	for _, one := range all {
		row := keyRow{one, balances[one.ID], s.Book.Keys.LastUsed(one.ID)}
		if (found && whole.ID == one.ID || !found && mentions(one, search)) && q.takes(&row, now) {
			p.rows = append(p.rows, row)
		}
	}
	q.order(p.rows)
	p.matching = len(p.rows)
	p.rows = p.rows[min(q.offset, len(p.rows)):]
	if q.limit > 0 {
		p.rows = p.rows[:min(q.limit, len(p.rows))]
	}
	return p, nil
}

// mentions tells whether a key has a text in what people call it by.
func mentions(one *apikey.Key, small string) bool {
	for _, text := range [...]string{one.Description, one.ID, one.Mask, one.Group} {
		if strings.Contains(strings.ToLower(text), small) {
			return true
		}
	}
	return false
}

func (q *keyQuery) takes(row *keyRow, now time.Time) bool {
	if q.group != "" && row.key.Group != q.group {
		return false
	}
	switch q.status {
	case "all":
		return true
	case "enabled":
		return !row.key.Disabled
	}
	return statusOf(row.key, row.balance, now) == q.status
}

// order sorts rows that come by their creation.
func (q *keyQuery) order(rows []keyRow) {
	by, backwards := strings.CutPrefix(q.sort, "-")
	slices.SortStableFunc(rows, func(a, b keyRow) int {
		if backwards {
			a, b = b, a
		}
		switch by {
		case "description":
			return cmp.Compare(a.key.Description, b.key.Description)
		case "used":
			return cmp.Compare(a.balance.Used, b.balance.Used)
		case "remaining":
			return cmp.Compare(a.key.Quota-a.balance.Used, b.key.Quota-b.balance.Used)
		case "last_used":
			return a.used.Compare(b.used)
		case "expires":
			return a.key.Expires.Compare(b.key.Expires)
		}
		return a.key.Created.Compare(b.key.Created)
	})
}

// keys lists the keys (behaviour 7.4): all of them, or the page that the query asks for. They are written one
// by one: there may be many.
func (s Services) keys(c *fiber.Ctx) error {
	q, err := keyQueryOf(c)
	if err != nil {
		return refuse(c, fiber.StatusBadRequest, err.Error())
	}
	p, err := s.findKeys(c, q)
	if err != nil {
		return s.failed(c, err)
	}
	c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
	c.Context().SetBodyStreamWriter(func(w *bufio.Writer) {
		write, comma := json.NewEncoder(w), ""
		_, _ = fmt.Fprintf(w, `{"total_keys":%d,"matching":%d,`, p.total, p.matching)
		if q.limit > 0 {
			_, _ = fmt.Fprintf(w, `"offset":%d,"limit":%d,`, q.offset, q.limit)
		}
		_, _ = w.WriteString(`"keys":[`)
		for _, row := range p.rows {
			_, _ = w.WriteString(comma)
			if err := write.Encode(s.shownKey(row.key, row.balance, p.answers[row.key.ID])); err != nil {
				s.Log.Warn("a list of API keys was cut off", "error", err)
				return
			}
			comma = ","
		}
		_, _ = w.WriteString("]}")
	})
	return nil
}
