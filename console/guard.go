package console

import (
	"gcli2api/pipeline/server"

	"github.com/gofiber/fiber/v2"
)

// guard lets a caller through who has what the route asks for.
func (s Services) guard(who permission) fiber.Handler {
	return func(c *fiber.Ctx) error {
		if who != holder && !s.Access.PanelOpen() && !server.Local(c.Context()) {
			unread(c)
			c.Locals(turnedAway, true)
			return refuse(c, fiber.StatusForbidden, "the panel still has its built-in password, so it answers this machine only, and no proxy or web page on it; set PANEL_PASSWORD or PASSWORD")
		}
		if who == panel && s.known(c) == "" {
			unread(c)
			c.Locals(turnedAway, true)
			c.Set(fiber.HeaderWWWAuthenticate, `Bearer realm="gcli2api"`)
			return refuse(c, fiber.StatusUnauthorized, "the panel password is missing or wrong: send it, or the token of POST /auth/login, as Authorization: Bearer")
		}
		return c.Next()
	}
}

// unread lets a body run out that nobody will read: its sender would hear a reset instead of the answer.
func unread(c *fiber.Ctx) {
	if body, err := server.OpenUpload(c.Context(), 0); err == nil {
		body.Close()
	}
}

// refuse answers in the envelope of every non-chat route.
func refuse(c *fiber.Ctx, status int, detail string) error {
	c.Locals(refusedFor, detail) // for the line in the log
	return c.Status(status).JSON(fiber.Map{"detail": detail})
}

// away refuses what needs a database that cannot be reached just now.
func away(c *fiber.Ctx, detail string) error {
	c.Set(fiber.HeaderRetryAfter, awayFor)
	return refuse(c, fiber.StatusServiceUnavailable, detail)
}

// awayFor is when it is worth another try, in seconds: as often the gateway itself looks for its database.
const awayFor = "2"
