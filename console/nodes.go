package console

import (
	"time"

	"gcli2api/store/nodes"

	"github.com/gofiber/fiber/v2"
)

// nodeView is one gateway of those that share the store. Ages are in seconds: clocks may differ.
type nodeView struct {
	ID       string      `json:"id"`
	This     bool        `json:"this"` // the one that answers
	Host     string      `json:"host"`
	Address  string      `json:"address"`
	Version  string      `json:"version"`
	State    nodes.State `json:"state"`
	Up       float64     `json:"up"`
	Silent   float64     `json:"silent"`
	Revision int64       `json:"revision"`
	Error    any         `json:"last_error"`
	ErrorAge any         `json:"last_error_age"`
	Apart    any         `json:"clock_ahead"` // of that of the store's server; null where they agree
}

// listNodes lists the gateways on this store.
func (s Services) listNodes(c *fiber.Ctx) error {
	if s.Nodes == nil {
		return refuse(c, fiber.StatusServiceUnavailable, "this gateway keeps no list of nodes")
	}
	all := s.Nodes.Nodes()
	rows := make([]nodeView, 0, len(all))
	for _, v := range all {
		row := nodeView{ID: v.ID, This: v.This, Host: v.Host, Address: v.Address, Version: v.Version, State: v.State,
			Up: seconds(v.Up), Silent: seconds(v.Silent), Revision: v.Revision, Error: orNull(v.Error)}
		if v.Error != "" {
			row.ErrorAge = seconds(v.ErrorAge)
		}
		if v.Ahead != 0 {
			row.Apart = float64(v.Ahead) / 1000
		}
		rows = append(rows, row)
	}
	summary, revision := nodes.Summary(all)
	return c.JSON(fiber.Map{"nodes": rows, "summary": summary, "revision": revision})
}

// seconds is a duration as the panel's API writes it, to the millisecond.
func seconds(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }
