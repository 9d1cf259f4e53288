package console

import (
	"time"

	"gcli2api/store/stats"

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

// usage shows the figures by credential, key and model.
func (s Services) usage(c *fiber.Ctx) error {
	return c.JSON(fiber.Map{"success": true, "data": s.Stats.Report()})
}

// usageTotals shows the sums.
func (s Services) usageTotals(c *fiber.Ctx) error {
	r := s.Stats.Report()
	asked, tried := sum(r.Keys), sum(r.Credentials)
	return c.JSON(fiber.Map{"success": true, "data": fiber.Map{"since": r.Since.UTC().Format(time.RFC3339),
		"requests": asked, "upstream_calls": tried, "total_files": len(s.Pool.Status())}})
}

func sum(rows []stats.Row) (all stats.Count) {
	for _, r := range rows {
		all.Calls += r.Calls
		all.Errors += r.Errors
		all.Prompt += r.Prompt
		all.Output += r.Output
		all.Total += r.Total
	}
	return all
}
