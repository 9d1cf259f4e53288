package console

import (
	"context"
	"io"
	"strconv"

	"gcli2api/pipeline/server"
	"gcli2api/store/move"

	"github.com/gofiber/fiber/v2"
)

// importOld takes over what the old product kept, as the command gcli2api import hands it in. It goes on when
// the client leaves: what came is in use at once, and the rest would have to be asked for again.
func (s Services) importOld(c *fiber.Ctx) error {
	if s.Store == nil || s.Settings == nil || s.Book == nil || s.Kept == nil || s.SignIn == nil || s.Backup == nil {
		return refuse(c, fiber.StatusServiceUnavailable, "this gateway keeps nothing")
	}
	dry, err := strconv.ParseBool(c.Query("dry_run", "false"))
	if err != nil {
		return refuse(c, fiber.StatusBadRequest, "dry_run must be true or false")
	}
	select { // one needs ten times the memory of what comes, and two would not see what the other one takes
	case s.taking <- struct{}{}:
		defer func() { <-s.taking }()
	default:
		unread(c)
		c.Set(fiber.HeaderRetryAfter, "5")
		return refuse(c, fiber.StatusServiceUnavailable, "something is being taken over already; try again when that has ended")
	}
	body, err := server.OpenUpload(c.Context(), move.MaxImport)
	if err != nil {
		return notTaken(c, err, move.MaxImport)
	}
	defer body.Close()
	data, err := io.ReadAll(body)
	if err != nil {
		return notTaken(c, err, move.MaxImport)
	}
	old, place, err := move.ReadImport(data)
	if err != nil {
		return refuse(c, fiber.StatusBadRequest, err.Error())
	}
	t := move.Taker{Store: s.Store, Rules: s.SignIn.Client().Rules(), Pool: s.Pool, Kept: s.Kept, Keys: s.Book.TakeOver, Panel: s.Settings, Live: s.Settings.Live, Dry: dry, Place: place}
	r, err := t.Take(context.WithoutCancel(c.Context()), old)
	if err != nil {
		s.Log.Error("not everything of the old product could be taken over", "error", err)
		return refuse(c, fiber.StatusServiceUnavailable, "not everything could be taken over: see the log, and ask again to go on")
	}
	r.Folder = s.Backup.Folder()
	if !dry {
		s.changes(c, "data of the old product", nil, map[string]any{"credentials": r.Credentials.Taken, "api_keys": r.Keys.Taken, "costs": r.Costs.Taken, "settings": r.Settings.Taken})
	}
	return c.JSON(r)
}
