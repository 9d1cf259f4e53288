package console

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gcli2api/store/pool"

	"github.com/gofiber/fiber/v2"
)

// emailsLimit is how long all accounts together may take.
const emailsLimit = 5 * time.Minute

// email tells whose account a credential is (behaviour 1.5.6).
func (s Services) email(c *fiber.Ctx) error {
	id, err := pathName(c)
	if err != nil {
		return refuse(c, fiber.StatusBadRequest, "the name in the path is not percent-encoded as it should be")
	}
	email, err := s.Pool.Email(c.Context(), id)
	if err == nil {
		s.changes(c, id, nil, map[string]any{"user_email": email})
	}
	switch {
	case errors.Is(err, pool.ErrUnknown):
		return refuse(c, fiber.StatusNotFound, err.Error())
	case err != nil:
		return c.Status(fiber.StatusBadRequest).JSON(fiber.Map{"filename": id, "user_email": nil, "message": err.Error(), "detail": err.Error()})
	case s.durable(c) != nil:
		return s.unkept(c)
	}
	return c.JSON(fiber.Map{"filename": id, "user_email": email, "message": "found"})
}

// emails does so for every account. Those that are known are not asked for again.
func (s Services) emails(c *fiber.Ctx) error {
	ctx, cancel := context.WithTimeout(c.Context(), emailsLimit)
	defer cancel()
	results, good := []fiber.Map{}, 0
	for _, one := range s.Pool.Emails(ctx) {
		if one.Err == nil {
			good++
			results = append(results, fiber.Map{"filename": one.ID, "user_email": one.Email, "success": true})
			continue
		}
		results = append(results, fiber.Map{"filename": one.ID, "user_email": nil, "success": false, "error": one.Err.Error()})
	}
	s.changes(c, "all credentials", nil, map[string]any{"addresses_known": good, "of": len(results)})
	if s.durable(c) != nil {
		return s.unkept(c)
	}
	return c.JSON(fiber.Map{"success_count": good, "total_count": len(results), "results": results,
		"message": fmt.Sprintf("%d of %d addresses are known", good, len(results))})
}
