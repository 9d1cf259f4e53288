package console

import (
	"cmp"
	"errors"
	"net/url"
	"slices"
	"strings"

	"gcli2api/store/audit"

	"github.com/gofiber/fiber/v2"
)

const (
	// changeMade is where a handler leaves what it changes, for the audit.
	changeMade = "change made"
	// turnedAway is where the guard leaves that it let nobody in.
	turnedAway = "turned away"
)

type changed struct {
	target        string
	before, after map[string]any
}

// changes says for the audit what this request changes: which thing, and the members of it that differ, as
// they were and as they are; nil for what was not there, or is no more. A request has one: of several calls
// the last one counts. Values must be such as JSON has; secrets in them are masked by their names, long
// ones are cut.
func (s Services) changes(c *fiber.Ctx, target string, before, after map[string]any) {
	c.Locals(changeMade, changed{strings.Clone(target), before, after})
}

// records tells whether a use of the route is a row of the audit: all that change something, and those that
// hand out secrets.
func (r route) records() bool {
	name := r.method + " " + r.path
	switch r.method {
	case fiber.MethodGet, fiber.MethodHead:
		return slices.Contains([]string{"GET /creds/download/:filename", "GET /creds/download-all", "GET /auth/keys/:name/reveal", "GET /storage/backup"}, name)
	}
	return !slices.Contains(changeNothing(), name)
}

// changeNothing are the routes that look like changes by their method.
func changeNothing() []string {
	return []string{"POST /creds/test", "POST /creds/test/:filename", "POST /creds/quota", "POST /auth/query"}
}

// The ways to come in, as the audit names them.
const (
	byPassword = "panel password"
	bySession  = "panel session"
	asVisitor  = "visitor" // to a public route
	asRefused  = "refused" // not at all
)

// recorded takes down what came of a request, before the answer leaves. That it could not be taken down is
// no reason to answer with an error: the change stands, and who heard of an error would make it again. The
// header X-Audit says so, and the log.
func (s Services) recorded(r route) fiber.Handler {
	return func(c *fiber.Ctx) error {
		err := c.Next()
		refused := c.Locals(turnedAway) != nil
		if s.Audit == nil || !refused && (!r.records() || c.Method() == fiber.MethodHead) { // HEAD tries passwords as well as GET
			return err
		}
		row := s.changeOf(c, r, err)
		note := s.Audit.Changed
		if refused || row.Who == asVisitor && (row.Status >= 400 || r.path == "/auth/start") {
			note = s.Audit.Refused // strangers can do so as often as they like
		}
		if bad := note(c.Context(), row); bad != nil {
			c.Set("X-Audit", "failed")
			s.Log.Error("a change is not in the audit", "id", row.ID, "what", row.What, "error", bad)
		}
		return err
	}
}

// changeOf is the row of a request that has been answered.
func (s Services) changeOf(c *fiber.Ctx, r route, err error) audit.Change {
	row := audit.Change{ID: string(c.Response().Header.Peek("X-Request-Id")), Who: cmp.Or(s.known(c), asVisitor), From: strings.Clone(peerOf(c)),
		What: r.method + " " + r.path, Status: c.Response().StatusCode()}
	if c.Locals(turnedAway) != nil {
		row.Who = asRefused
	}
	if err != nil {
		row.Status = fiber.StatusInternalServerError
		var known *fiber.Error
		if errors.As(err, &known) {
			row.Status = known.Code
		}
	}
	if made, ok := c.Locals(changeMade).(changed); ok {
		row.Target, row.Before, row.After = made.target, made.before, made.after
	}
	row.Target = cmp.Or(row.Target, namedBy(c))
	return row
}

// namedBy is the thing that a path names.
func namedBy(c *fiber.Ctx) string {
	for _, name := range c.Route().Params {
		text, err := url.PathUnescape(c.Params(name))
		if err != nil {
			text = c.Params(name)
		}
		return strings.Clone(text) // fiber's own is gone with the request
	}
	return ""
}
