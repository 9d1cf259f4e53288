package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"gcli2api/pipeline/config"
	"gcli2api/store"
	"gcli2api/store/settings"

	"github.com/gofiber/fiber/v2"
)

// config shows every setting by the name that old versions had for it, secrets masked (behaviour 8.3).
func (s Services) config(c *fiber.Ctx) error {
	if s.Settings == nil {
		return noSettings(c)
	}
	now, values, origins := s.Settings.Live(), fiber.Map{}, fiber.Map{}
	locked, later := []string{}, []string{}
	for _, p := range now.Params() {
		values[p.Name()], origins[p.Name()] = now.Shown(p.Key), now.Origin(p.Key).String()
		if now.IsLocked(p.Key) {
			locked = append(locked, p.Name())
		}
		if p.AfterRestart {
			later = append(later, p.Name())
		}
	}
	at := s.Settings.Status()
	return c.JSON(fiber.Map{"config": values, "env_locked": locked, "origin": origins, "restart_required": later,
		"revision": at.Revision, "last_error": orNull(at.Error)})
}

// saveConfig sets settings for all nodes (behaviour 8.4). It answers when they are durable, and in force here.
func (s Services) saveConfig(c *fiber.Ctx) error {
	if s.Settings == nil {
		return noSettings(c)
	}
	body, err := smallBody(c)
	if err != nil {
		return s.failed(c, err)
	}
	asked, when, err := wishesIn(body)
	if err != nil {
		return refuse(c, fiber.StatusBadRequest, err.Error())
	}
	ctx, done := unhurried(c)
	defer done()
	before := s.Settings.Live()
	saved, err := s.Settings.Save(ctx, asked, when)
	var locked *config.LockedError
	var wrong *settings.RefusedError
	switch {
	case errors.As(err, &locked), errors.Is(err, settings.ErrBroken):
		return refuse(c, fiber.StatusConflict, err.Error())
	case errors.Is(err, store.ErrConflict) && when != store.Any:
		return refuse(c, fiber.StatusConflict, "somebody else has saved settings since revision "+fmt.Sprint(when)+": read them again")
	case errors.As(err, &wrong):
		return refuse(c, fiber.StatusBadRequest, wrong.Error())
	case err != nil:
		return s.failed(c, err)
	}
	was, is, hot := map[string]any{}, fiber.Map{}, []string{}
	for _, one := range saved.Changes {
		name := one.Param.Name()
		was[name], is[name] = before.Shown(one.Param.Key), s.Settings.Live().Shown(one.Param.Key)
		hot = append(hot, name)
	}
	s.changes(c, "settings", was, is)
	answer := fiber.Map{"message": "saved", "saved_config": is, "revision": saved.Revision}
	if len(hot) == 0 {
		answer["message"] = "nothing to save: all of this is in force already"
	} else {
		answer["hot_updated"] = hot
	}
	if saved.NotHere != nil {
		s.Log.Error("settings were saved, but this node cannot put them into force", "error", saved.NotHere)
		return refuse(c, fiber.StatusInternalServerError, "saved, but this node cannot put it into force: its log says why")
	}
	return c.JSON(answer)
}

// wishesIn reads the body: {"config": {...}}, with the revision that the caller saw or without, or the settings
// themselves.
func wishesIn(body []byte) (asked map[string]any, when store.Rev, err error) {
	if !utf8.Valid(body) { // what is read of it would be another text than was meant
		return nil, 0, errors.New("the body is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if d.Decode(&asked) != nil || asked == nil || d.More() {
		return nil, 0, errors.New(`the body must be a JSON object such as {"config": {"calls_per_rotation": 20}}`)
	}
	when = store.Any
	inner, nested := asked["config"].(map[string]any)
	if !nested {
		return asked, when, nil
	}
	for name, value := range asked {
		switch number, isNumber := value.(json.Number); {
		case name == "config":
		case name == "revision" && isNumber:
			n, err := number.Int64()
			if err != nil || n < 0 {
				return nil, 0, errors.New("revision must be the whole number that GET /config/get told")
			}
			when = store.Rev(n)
		default:
			return nil, 0, fmt.Errorf("%.60q does not belong beside \"config\": there is revision, a number", strings.ToValidUTF8(name, "?"))
		}
	}
	return inner, when, nil
}

func noSettings(c *fiber.Ctx) error {
	return refuse(c, fiber.StatusServiceUnavailable, "this gateway's settings cannot be changed in the panel")
}
