package console

import (
	"bytes"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
)

// TestRefusalsAreLogged: a line about a refused request says why, as the answer does.
func TestRefusalsAreLogged(t *testing.T) {
	var lines bytes.Buffer
	s := Services{Log: slog.New(slog.NewTextHandler(&lines, nil))}
	app := fiber.New()
	app.Get("/no", s.logged, func(c *fiber.Ctx) error { return refuse(c, fiber.StatusBadRequest, "the moon is full") })
	app.Get("/yes", s.logged, func(c *fiber.Ctx) error { return c.SendString("yes") })
	for _, path := range []string{"/no", "/yes"} {
		req := httptest.NewRequest("GET", path, nil)
		if _, err := app.Test(req, -1); err != nil {
			t.Fatal(err)
		}
	}
	all := strings.Split(strings.TrimSpace(lines.String()), "\n")
	if len(all) != 2 || !strings.Contains(all[0], `reason="the moon is full"`) || strings.Contains(all[1], "reason=") {
		t.Error(lines.String())
	}
}
