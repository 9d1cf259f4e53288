package console

import (
	"bufio"
	"context"
	"fmt"
	"time"

	"gcli2api/store/circuit"
	"gcli2api/store/move"

	"github.com/gofiber/fiber/v2"
)

// backup sends everything as one archive, written while it is read: it lies in memory a part at a time. One
// that breaks off has no end, and no restore takes it. Bringing one back is a command, with the gateway
// stopped: what it has in memory would be written over what was brought.
func (s Services) backup(c *fiber.Ctx) error {
	plain := false
	switch c.Query("plain") {
	case "", "false":
	case "true":
		plain = true
	default:
		return refuse(c, fiber.StatusBadRequest, "plain must be true or false")
	}
	if s.Backup == nil {
		return refuse(c, fiber.StatusServiceUnavailable, "this gateway makes no backups")
	}
	if s.Store != nil && !circuit.StateOf(s.Store).Up { // once the archive has begun it is too late to say so
		return away(c, "the database cannot be reached, so there is nothing to make a backup of: try again later")
	}
	name := s.Backup.Name(plain)
	attach(c, name)
	c.Set(fiber.HeaderContentType, "application/octet-stream")
	c.Set(move.FolderHeader, s.Backup.Folder())
	s.changes(c, name, nil, nil)
	if c.Method() == fiber.MethodHead {
		return nil
	}
	stopping := c.Context().Done()
	c.Context().SetBodyStreamWriter(func(w *bufio.Writer) {
		defer func() { // a panic here would end the process
			if p := recover(); p != nil {
				s.Log.Error("a backup was cut off", "error", fmt.Sprint(p))
			}
		}()
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		over := make(chan struct{})
		defer close(over)
		go func() {
			select {
			case <-stopping:
				cancel()
			case <-over:
			}
		}()
		if err := s.Backup.WriteTo(ctx, w, plain); err != nil {
			s.Log.Warn("a backup was cut off", "error", err)
		}
	})
	return nil
}

// backups lists what the schedule has written.
func (s Services) backups(c *fiber.Ctx) error {
	if s.Backup == nil {
		return refuse(c, fiber.StatusServiceUnavailable, "this gateway makes no backups")
	}
	set, files, err := s.Backup.Scheduled()
	if err != nil {
		s.Log.Error("the backups cannot be listed", "error", err)
		return refuse(c, fiber.StatusServiceUnavailable, "the folder of the backups cannot be read: see the log")
	}
	list := make([]fiber.Map, 0, len(files))
	for _, f := range files {
		list = append(list, fiber.Map{"name": f.Name, "size": f.Size, "made": f.Made.Format(time.RFC3339), "encrypted": f.Encrypted})
	}
	return c.JSON(fiber.Map{"on": set.Dir != "", "every": set.Every.String(), "keep": set.Keep, "backups": list})
}
