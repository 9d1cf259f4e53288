package console

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// maxPassword bounds what is tried.
const maxPassword = 4096

// login begins a session with the panel's password (behaviour 1.3.2). Tries are counted by address, those that
// succeed too.
func (s Services) login(c *fiber.Ctx) error {
	if wait := s.logins.try(peerOf(c)); wait > 0 {
		return tooOften(c, wait)
	}
	body, err := objectOf(c)
	if err != nil {
		return s.failed(c, err)
	}
	m, err := readFields(body, "password")
	if err != nil {
		return s.failed(c, err)
	}
	password, err := m.text("password", maxPassword)
	if err != nil {
		return s.failed(c, err)
	}
	if !same(password, s.Access.PanelPassword()) {
		return refuse(c, fiber.StatusUnauthorized, "this is not the panel password")
	}
	if s.Sessions == nil {
		return refuse(c, fiber.StatusServiceUnavailable, errNoSessions.Error())
	}
	token, life, err := s.Sessions.Begin(password)
	if errors.Is(err, errNoSessions) {
		return refuse(c, fiber.StatusServiceUnavailable, err.Error())
	}
	if err != nil {
		return s.failed(c, err)
	}
	s.changes(c, "session", nil, map[string]any{"session": "begun"})
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.JSON(fiber.Map{"token": token, "message": "ok", "expires_in": int(life.Seconds())})
}

// logout ends the session that asks, or with {"everywhere": true} all there are.
func (s Services) logout(c *fiber.Ctx) error {
	body, err := objectOf(c)
	if err != nil {
		return s.failed(c, err)
	}
	m, err := readFields(body, "everywhere")
	if err != nil {
		return s.failed(c, err)
	}
	everywhere := false
	if v := m["everywhere"]; v != nil && json.Unmarshal(v, &everywhere) != nil {
		return refuse(c, fiber.StatusBadRequest, "everywhere must be true or false")
	}
	if s.Sessions == nil {
		return refuse(c, fiber.StatusServiceUnavailable, errNoSessions.Error())
	}
	ctx, done := unhurried(c)
	defer done()
	what := "ended"
	if everywhere {
		what, err = "all ended", s.Sessions.EndAll(ctx)
	} else {
		err = s.Sessions.End(ctx, bearer(c), s.Access.PanelPassword())
	}
	switch {
	case errors.Is(err, errNoSession):
		return refuse(c, fiber.StatusBadRequest, `the password itself is no session that could end; {"everywhere": true} ends all there are`)
	case err != nil:
		return s.failed(c, err)
	}
	s.changes(c, "session", nil, map[string]any{"session": what})
	return c.JSON(fiber.Map{"message": "sessions: " + what})
}

// bearer is what stands in the header Authorization, "" for none.
func bearer(c *fiber.Ctx) string {
	const scheme = "bearer "
	header := c.Get(fiber.HeaderAuthorization)
	if len(header) <= len(scheme) || !strings.EqualFold(header[:len(scheme)], scheme) {
		return ""
	}
	return strings.TrimSpace(header[len(scheme):])
}

// same compares digests, so that the time tells nothing about the password.
func same(got, want string) bool {
	a, b := sha256.Sum256([]byte(got)), sha256.Sum256([]byte(want))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// cameIn is where known leaves what it found: a session may be over by the end of the request that ends it.
const cameIn = "came in"

// known says how a caller came in, "" for one who did not.
func (s Services) known(c *fiber.Ctx) string {
	how, looked := c.Locals(cameIn).(string)
	if !looked {
		how = s.knownBy(c)
		c.Locals(cameIn, how)
	}
	return how
}

func (s Services) knownBy(c *fiber.Ctx) string {
	switch secret := bearer(c); {
	case secret == "":
		return ""
	case same(secret, s.Access.PanelPassword()):
		return byPassword
	case s.Sessions != nil && s.Sessions.Holds(secret, s.Access.PanelPassword()):
		return bySession
	}
	return ""
}
