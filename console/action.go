package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"gcli2api/pipeline/server"
	"gcli2api/store/pool"

	"github.com/gofiber/fiber/v2"
)

// maxSmall bounds the body of a request that names a thing or two, maxNames that of one that names many.
const (
	maxSmall = 64 << 10
	maxNames = 4 << 20
)

// smallBody reads a body as it was sent: fiber's own way would unpack it without a limit. What is left of
// one that is too long is let run out, or its sender would hear a reset instead of the answer.
func smallBody(c *fiber.Ctx) ([]byte, error) {
	body, err := server.OpenUpload(c.Context(), maxSmall)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	data, err := io.ReadAll(body)
	if err != nil && !errors.Is(err, server.ErrUploadTooLarge) {
		err = fmt.Errorf("%w: %w", errBodyBroken, err)
	}
	return data, err
}

// errBodyBroken is of a client that left or fell silent.
var errBodyBroken = errors.New("the request body did not arrive as a whole")

// actions is what can be done with a credential, by the words of the API. Each answers for all names
// at once: what it did, or an error.
func (s Services) actions() map[string]func(ctx context.Context, names []string) ([]string, []error) {
	each := func(done string, do func(id string) bool) func(context.Context, []string) ([]string, []error) {
		return func(_ context.Context, names []string) ([]string, []error) {
			said, errs := make([]string, len(names)), make([]error, len(names))
			for i, name := range names {
				if said[i] = done; !do(name) {
					errs[i] = pool.ErrNoCredential
				}
			}
			return said, errs
		}
	}
	return map[string]func(context.Context, []string) ([]string, []error){
		"enable":  each("enabled", s.Pool.Enable),
		"disable": each("disabled", s.Pool.Disable),
		"delete": func(_ context.Context, names []string) ([]string, []error) {
			said := make([]string, len(names))
			for i := range said {
				said[i] = "deleted: it is in the quarantine for 30 days and can be restored"
			}
			return said, s.Pool.Delete(names...)
		},
		"restore": s.restore,
		"purge": func(ctx context.Context, names []string) ([]string, []error) {
			return s.Pool.Purge(ctx, names...)
		},
	}
}

func (s Services) restore(_ context.Context, names []string) ([]string, []error) {
	said, errs := make([]string, len(names)), make([]error, len(names))
	for i, in := range s.Pool.Restore(names...) {
		said[i], errs[i] = "restored: "+strings.Join(in.IDs, ", "), in.Err
	}
	return said, errs
}

const actionWords = `"enable", "disable", "delete", "restore" or "purge"`

// act does something with one credential (behaviour 1.5.3). The answer comes when it is durable.
func (s Services) act(c *fiber.Ctx) error {
	var in struct {
		Filename string `json:"filename"`
		Action   string `json:"action"`
	}
	body, err := smallBody(c)
	if err != nil || json.Unmarshal(body, &in) != nil {
		return refuse(c, fiber.StatusBadRequest, `the body must be {"filename": "...", "action": `+actionWords+`}`)
	}
	do := s.actions()[in.Action]
	if do == nil {
		return refuse(c, fiber.StatusBadRequest, `"action" must be `+actionWords)
	}
	before := s.credentialSaid(in.Filename)
	said, errs := do(c.Context(), []string{in.Filename})
	s.changes(c, in.Filename, before, withAction(in.Action, s.credentialSaid(in.Filename)))
	switch err := errs[0]; {
	case errors.Is(err, pool.ErrNoCredential):
		return refuse(c, fiber.StatusNotFound, "there is no such credential")
	case errors.Is(err, pool.ErrNotDeleted):
		return refuse(c, fiber.StatusNotFound, err.Error()+": delete it first, or see GET /creds/quarantine")
	case errors.Is(err, pool.ErrNotKept):
		return refuse(c, fiber.StatusInternalServerError, err.Error())
	case errors.Is(err, pool.ErrAway):
		return away(c, err.Error())
	case err != nil:
		return refuse(c, fiber.StatusBadRequest, err.Error())
	}
	s.note(in.Action, []string{in.Filename}, errs)
	if err := s.durable(c); err != nil {
		return s.unkept(c)
	}
	return c.JSON(fiber.Map{"message": said[0]})
}

// maxNoted is how many credentials one line of the log names.
const maxNoted = 50

// note writes into the log what the operator has done, and to which credentials.
func (s Services) note(action string, names []string, errs []error) {
	if done := succeeded(names, errs); len(done) > 0 {
		s.Log.Info("credentials changed by the operator", "action", action, "count", len(done), "credentials", done[:min(len(done), maxNoted)])
	}
}

// notKept is what the pool goes on trying to write.
const notKept = "done, but it could not be written yet: it counts on this gateway, is written when that works again, and is lost if the gateway ends before"

// unkept tells that a change is in force and not durable.
func (s Services) unkept(c *fiber.Ctx) error {
	return refuse(c, fiber.StatusServiceUnavailable, notKept)
}

// durable waits until the changes of the pool are durable.
func (s Services) durable(c *fiber.Ctx) error {
	if s.Kept == nil {
		return nil
	}
	err := s.Kept(c.Context())
	if err != nil {
		s.Log.Error("a change of the panel is not durable", "error", err)
	}
	return err
}

// actMany does the same with many (behaviour 1.5.4).
func (s Services) actMany(c *fiber.Ctx) error {
	var in struct {
		Action    string   `json:"action"`
		Filenames []string `json:"filenames"`
	}
	body, err := server.OpenUpload(c.Context(), maxNames)
	if err != nil {
		return refuse(c, fiber.StatusBadRequest, "the body cannot be taken: "+err.Error())
	}
	defer body.Close()
	data, err := io.ReadAll(body)
	if err != nil || json.Unmarshal(data, &in) != nil {
		return refuse(c, fiber.StatusBadRequest, `the body must be {"action": `+actionWords+`, "filenames": ["...", ...]}`)
	}
	do := s.actions()[in.Action]
	if do == nil || len(in.Filenames) == 0 {
		return refuse(c, fiber.StatusBadRequest, `"action" must be `+actionWords+`, and "filenames" must name at least one credential`)
	}
	said, errs := do(c.Context(), in.Filenames)
	good, failed, notes := 0, []string{}, []string{}
	for i, err := range errs {
		if err != nil {
			failed = append(failed, shown(in.Filenames[i])+": "+err.Error())
			continue
		}
		good++
		if in.Action == "purge" || in.Action == "restore" {
			notes = append(notes, shown(in.Filenames[i])+": "+said[i])
		}
	}
	s.note(in.Action, in.Filenames, errs)
	s.changes(c, several(in.Filenames), nil, map[string]any{"action": in.Action, "done": succeeded(in.Filenames, errs), "failed": len(failed)})
	answer := fiber.Map{"success_count": good, "total_count": len(in.Filenames), "errors": failed, "message": fmt.Sprintf("%d/%d", good, len(in.Filenames))}
	if len(notes) > 0 {
		answer["notes"] = notes
	}
	if s.durable(c) != nil {
		answer["message"] = notKept
	}
	return c.JSON(answer)
}
