package console

import (
	"encoding/json"
	"io"

	"github.com/gofiber/fiber/v2"
)

// maxSmall bounds the body of a request that names a thing or two.
const maxSmall = 64 << 10

// smallBody reads a body as it was sent: fiber's own way would unpack it without a limit. One that is
// longer is cut, and then it is no JSON.
func smallBody(c *fiber.Ctx) ([]byte, error) {
	if stream := c.Context().RequestBodyStream(); stream != nil {
		return io.ReadAll(io.LimitReader(stream, maxSmall))
	}
	return c.Request().Body(), nil
}

// act switches a credential on or off (behaviour 1.5.3). The answer comes when it is durable.
func (s Services) act(c *fiber.Ctx) error {
	var in struct {
		Filename string `json:"filename"`
		Action   string `json:"action"`
	}
	body, err := smallBody(c)
	if err != nil || json.Unmarshal(body, &in) != nil {
		return refuse(c, fiber.StatusBadRequest, `the body must be {"filename": "...", "action": "enable" or "disable"}`)
	}
	change := map[string]func(id string) bool{"enable": s.Pool.Enable, "disable": s.Pool.Disable}[in.Action]
	if change == nil {
		return refuse(c, fiber.StatusBadRequest, `"action" must be "enable" or "disable"; to delete a credential, remove its file`)
	}
	if !change(in.Filename) {
		return refuse(c, fiber.StatusNotFound, "there is no such credential")
	}
	if s.Kept != nil {
		if err := s.Kept(c.Context()); err != nil {
			s.Log.Error("a change of the panel is not durable", "error", err)
			return refuse(c, fiber.StatusInternalServerError, "done, but it could not be written: it lasts until the next start only")
		}
	}
	return c.JSON(fiber.Map{"message": in.Action + "d"})
}
