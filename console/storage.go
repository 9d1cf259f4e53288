package console

import (
	"gcli2api/store/circuit"

	"github.com/gofiber/fiber/v2"
)

// storage shows where everything is kept and how that does: of a database whether it is up, since when, what
// went wrong last, how long it takes to answer and how its connections are used.
func (s Services) storage(c *fiber.Ctx) error {
	state := circuit.StateOf(s.Store)
	if state.Place == "" && s.Backup != nil {
		state.Place = s.Backup.Folder()
	}
	return c.JSON(state)
}
