package console

import (
	"archive/zip"
	"bufio"
	"fmt"
	"net/url"
	"strings"
	"time"

	"gcli2api/store/pool"

	"github.com/gofiber/fiber/v2"
)

// download gives one credential as a file (behaviour 1.5.5): a secret, for holders of the panel
// password only.
func (s Services) download(c *fiber.Ctx) error {
	name, err := url.PathUnescape(c.Params("filename"))
	if err != nil {
		name = c.Params("filename")
	}
	data, err := s.Pool.Export(name)
	if err != nil {
		return refuse(c, fiber.StatusNotFound, "there is no such credential")
	}
	if !strings.HasSuffix(name, ".json") {
		name += ".json"
	}
	attach(c, name)
	c.Set(fiber.HeaderContentType, "application/json; charset=utf-8")
	return c.Send(data)
}

// attach makes an answer a file to be saved, whatever stands in its name: readers that know no
// filename* get plain letters.
func attach(c *fiber.Ctx, name string) {
	plain := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("-_.@ ", r):
			return r
		}
		return '_'
	}, name)
	c.Set(fiber.HeaderContentDisposition, fmt.Sprintf(`attachment; filename="%s"; filename*=UTF-8''%s`, plain, strings.ReplaceAll(url.QueryEscape(name), "+", "%20")))
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
}

// downloadAll gives every credential in one archive, written as it is made.
func (s Services) downloadAll(c *fiber.Ctx) error {
	if s.Pool.Size() == 0 {
		return refuse(c, fiber.StatusNotFound, "there is no credential")
	}
	attach(c, "credentials.zip")
	c.Set(fiber.HeaderContentType, "application/zip")
	now := time.Now()
	c.Context().SetBodyStreamWriter(func(w *bufio.Writer) {
		z := zip.NewWriter(w)
		err := s.Pool.Exports(func(name string, data []byte) error {
			f, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: now})
			if err == nil {
				_, err = f.Write(data)
			}
			return err
		})
		if err == nil { // an archive without its end is seen to be cut
			err = z.Close()
		}
		if err != nil {
			s.Log.Warn("a download was cut off", "error", err)
		}
	})
	return nil
}

// deduplicate finds credentials that are there more than once and, unless it is a trial, leaves one of
// each.
func (s Services) deduplicate(c *fiber.Ctx) error {
	var in struct {
		Trial bool `json:"dry_run"`
	}
	body, err := smallBody(c)
	if err != nil || len(body) > 0 && strict(body, &in) != nil {
		return refuse(c, fiber.StatusBadRequest, `the body must be empty or {"dry_run": true}`)
	}
	found := s.Pool.Deduplicate(in.Trial)
	removed := 0
	for _, d := range found {
		removed += len(d.Removed)
	}
	s.changes(c, fmt.Sprintf("%d credentials", removed), nil, map[string]any{"groups": found, "dry_run": in.Trial})
	message := fmt.Sprintf("%d moved into the quarantine", removed)
	if !in.Trial && removed > 0 && s.durable(c) != nil {
		message = notKept
	}
	if in.Trial {
		message = fmt.Sprintf("%d would be moved into the quarantine", removed)
	}
	groups := fiber.Map{"groups": found, "removed_count": removed, "dry_run": in.Trial, "message": message}
	if found == nil {
		groups["groups"] = []any{}
	}
	return c.JSON(groups)
}

// quarantine lists what was deleted and can be brought back.
func (s Services) quarantine(c *fiber.Ctx) error {
	list, err := s.Pool.Quarantine()
	if err != nil {
		return away(c, pool.ErrAway.Error()+": try again later")
	}
	return c.JSON(fiber.Map{"deleted": list, "total_count": len(list)})
}
