package console

import (
	"time"

	"github.com/gofiber/fiber/v2"
)

type stageView struct {
	Name    string `json:"name"`
	Does    string `json:"does"`
	Enabled bool   `json:"enabled"`
	Fault   string `json:"last_fault,omitempty"`
}

// pipeline shows the list in use.
func (s Services) pipeline(c *fiber.Ctx) error {
	st := s.Engine.Status()
	list := make([]stageView, 0, len(st.Stages))
	for _, p := range st.Stages {
		list = append(list, stageView{p.Name, p.Does, p.Enabled, p.Fault})
	}
	return c.JSON(fiber.Map{"applied": st.Number, "applied_at": st.LastApply.UTC().Format(time.RFC3339),
		"last_error": st.LastError, "stages": list})
}
