package console

import (
	"context"
	"errors"
	"strconv"

	"gcli2api/store/rekey"

	"github.com/gofiber/fiber/v2"
)

// rotateSecret seals everything anew with the keys that this gateway was started with. It goes on when
// the client leaves: half of it would have to be done again.
func (s Services) rotateSecret(c *fiber.Ctx) error {
	if s.Rekey == nil {
		return refuse(c, fiber.StatusServiceUnavailable, "this gateway keeps nothing")
	}
	var w rekey.Wish
	for name, is := range map[string]*bool{"dry_run": &w.Dry, "plain": &w.Plain, "live": &w.Live} {
		if text := c.Query(name); text != "" {
			on, err := strconv.ParseBool(text)
			if err != nil {
				return refuse(c, fiber.StatusBadRequest, name+" must be true or false")
			}
			*is = on
		}
	}
	if err := s.Rekey.Fits(w); err != nil {
		return refuse(c, fiber.StatusConflict, err.Error())
	}
	total, err := s.Rekey.Run(context.WithoutCancel(c.Context()), w)
	if errors.Is(err, rekey.ErrBusy) || errors.Is(err, rekey.ErrBlind) {
		return refuse(c, fiber.StatusConflict, err.Error())
	}
	if err != nil {
		s.Log.Error("the secrets could not all be sealed anew", "error", err, "done", total.String())
		return refuse(c, fiber.StatusServiceUnavailable, "not everything could be sealed anew: see the log, and ask again to go on")
	}
	if !w.Dry {
		s.changes(c, "secrets at rest", nil, map[string]any{"seen": total.Seen, "changed": total.Changed, "sealed_anew": total.Secrets, "stay_sealed": total.Stuck, "plain": w.Plain})
	}
	return c.JSON(rekey.Answer{Folder: s.Rekey.Name, Seen: total.Seen, Changed: total.Changed, Secrets: total.Secrets, Stuck: total.Stuck})
}
