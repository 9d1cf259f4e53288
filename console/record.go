package console

import (
	"github.com/gofiber/fiber/v2"
)

// changeMade is where a handler leaves what it changes, for the audit.
const changeMade = "change made"

type changed struct {
	target        string
	before, after map[string]any
}

// changes says for the audit what this request changes: which thing, and the members of it that differ, as
// they were and as they are; nil for what was not there, or is no more. A request has one: of several calls
// the last one counts. Values must be such as JSON has; secrets in them are masked by their names, long
// ones are cut.
func (s Services) changes(c *fiber.Ctx, target string, before, after map[string]any) {
	c.Locals(changeMade, changed{target, before, after})
}
