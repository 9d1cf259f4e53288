package console

import (
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"time"

	"github.com/gofiber/fiber/v2"
)

// refusedFor is where a refusal leaves its words for the log.
const refusedFor = "refused for"

// logged gives a request its id and its line in the log. A caller who was refused is a warning: who
// tries passwords should be seen.
func (s Services) logged(c *fiber.Ctx) error {
	begun := time.Now()
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	id := "panel-" + hex.EncodeToString(b[:])
	c.Set("X-Request-Id", id)
	err := c.Next()
	level, status := slog.LevelInfo, c.Response().StatusCode()
	if err != nil || status >= 400 {
		level = slog.LevelWarn
	}
	line := []any{"id", id, "method", c.Method(), "path", c.Route().Path, "status", status,
		"peer", c.Context().RemoteIP().String(), "took", time.Since(begun).Round(time.Microsecond)}
	if why, refused := c.Locals(refusedFor).(string); refused {
		line = append(line, "reason", why)
	}
	s.Log.Log(c.Context(), level, "panel request", line...)
	return err
}
