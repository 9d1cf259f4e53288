package console

import (
	"context"
	"encoding/json"
	"strconv"

	"gcli2api/store/audit"

	"github.com/gofiber/fiber/v2"
)

// changeView is one row of the audit.
type changeView struct {
	Time   string         `json:"time"`
	ID     string         `json:"id,omitempty"`
	Who    string         `json:"who"`
	From   string         `json:"address"`
	What   string         `json:"what"`
	Target string         `json:"target,omitempty"`
	Before map[string]any `json:"before,omitempty"`
	After  map[string]any `json:"after,omitempty"`
	Status int            `json:"status"`
	Times  int            `json:"times"` // how often: what strangers try again and again is one row a minute
}

func changeViewOf(r *audit.Change) changeView {
	return changeView{r.Time.UTC().Format(exactTime), r.ID, r.Who, r.From, r.What, r.Target, r.Before, r.After, r.Status, max(r.Times, 1)}
}

// listChanges lists what was changed through the panel and its API, newest first.
func (s Services) listChanges(c *fiber.Ctx) error {
	a, err := lookupOf(c, "limit", "before", "from", "to", "who", "address", "what", "target", "status", "id", "format")
	switch {
	case err != nil:
		return refuse(c, fiber.StatusBadRequest, err.Error())
	case s.Audit == nil:
		return refuse(c, fiber.StatusServiceUnavailable, "this gateway keeps no audit")
	}
	t := a.text
	q := audit.Search{Limit: a.limit, Before: a.before, From: a.from, To: a.to, Who: t["who"], Address: t["address"], What: t["what"], Target: t["target"],
		Status: t["status"], ID: t["id"]}
	if a.form != asJSON {
		return s.changeTable(c, q, a)
	}
	page, err := s.Audit.Changes(c.Context(), q)
	if err != nil {
		return s.failed(c, err)
	}
	rows := make([]changeView, 0, len(page.Rows))
	for i := range page.Rows {
		rows = append(rows, changeViewOf(&page.Rows[i]))
	}
	_, keeps := s.Audit.Keeps()
	return c.JSON(fiber.Map{"success": true, "changes": rows, "more": page.Next != "", "next": orNull(page.Next), "keeps": keeps.String()})
}

// changeTable sends all that was asked for as CSV; with a limit so many rows.
func (s Services) changeTable(c *fiber.Ctx, q audit.Search, a lookup) error {
	head := []string{"time", "id", "who", "address", "what", "target", "status", "times", "before", "after"}
	return s.stream(c, sheet{"audit.csv", a.form, head, func(ctx context.Context, row func([]string) error) error {
		return pages(a.limit, func(limit int) (n int, next bool, err error) {
			q.Limit = limit
			page, err := s.Audit.Changes(ctx, q)
			for i := range page.Rows {
				v := changeViewOf(&page.Rows[i])
				if err := row([]string{v.Time, v.ID, v.Who, v.From, v.What, v.Target, strconv.Itoa(v.Status), strconv.Itoa(v.Times), cell(v.Before), cell(v.After)}); err != nil {
					return 0, false, err
				}
			}
			q.Before = page.Next
			return len(page.Rows), page.Next != "", err
		})
	}})
}

// cell is one side of a change as JSON, nothing for none.
func cell(m map[string]any) string {
	if m == nil {
		return ""
	}
	text, _ := json.Marshal(m) // it came from JSON
	return string(text)
}
