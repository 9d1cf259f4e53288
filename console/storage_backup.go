package console

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"time"

	"gcli2api/store/circuit"
	"gcli2api/store/move"

	"github.com/gofiber/fiber/v2"
)

const (
	// backupsAtOnce bounds the backups that are being sent: each reads all of the database, and has a part of
	// it in memory.
	backupsAtOnce = 2
	// backupStall is how long one waits for a reader that takes nothing.
	backupStall = 30 * time.Second
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
	if s.Store != nil && !circuit.StateOf(s.Store).Readable() { // once the archive has begun it is too late to say so
		return away(c, "the database cannot be reached, so there is nothing to make a backup of: try again later")
	}
	head := c.Method() == fiber.MethodHead
	if !head && !s.beginBackup() {
		c.Set(fiber.HeaderRetryAfter, "30")
		return refuse(c, fiber.StatusServiceUnavailable, "other backups are being sent; try again when they have ended")
	}
	name := s.Backup.Name(plain)
	attach(c, name)
	c.Set(fiber.HeaderContentType, "application/octet-stream")
	c.Set(move.FolderHeader, s.Backup.Folder())
	s.changes(c, name, nil, nil)
	if !head {
		s.sendBackup(c, plain)
	}
	return nil
}

// beginBackup takes a place among those that are being sent.
func (s Services) beginBackup() bool {
	select {
	case s.backing <- struct{}{}:
		return true
	default:
		return false
	}
}

// sendBackup writes the archive once the handler has returned, until it has ended, the gateway stops, or nobody
// reads it any more.
func (s Services) sendBackup(c *fiber.Ctx, plain bool) {
	stopping := c.Context().Done()
	out := steady{conn: c.Context().Conn(), stall: s.stall}
	if out.stall == 0 {
		out.stall = backupStall
	}
	c.Context().SetConnectionClose() // the deadline of the last write would count for the next answer
	c.Context().SetBodyStreamWriter(func(w *bufio.Writer) {
		defer func() { <-s.backing }()
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
		out.w = w
		if err := s.Backup.WriteTo(ctx, &out, plain); err != nil {
			s.Log.Warn("a backup was cut off", "error", err)
		}
	})
}

// steady writes to a reader that keeps reading: the server has no deadline for a whole answer, which may take
// long, so each write has its own.
type steady struct {
	w     io.Writer
	conn  net.Conn
	stall time.Duration
	until time.Time
}

// Write implements io.Writer.
func (s *steady) Write(p []byte) (int, error) {
	if now := time.Now(); now.Add(s.stall / 2).After(s.until) {
		s.until = now.Add(s.stall)
		_ = s.conn.SetWriteDeadline(s.until) // of one that is closed the write itself tells
	}
	return s.w.Write(p)
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
