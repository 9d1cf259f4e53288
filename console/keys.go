package console

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"gcli2api/pipeline/models"
	"gcli2api/store/apikey"

	"github.com/gofiber/fiber/v2"
)

// named finds the key of a path, by its id or by itself. The audit hears of the id alone, whatever becomes of
// the request: the path may have the key in it.
func (s Services) named(c *fiber.Ctx) (*apikey.Key, error) {
	s.changes(c, "a key that there is not", nil, nil)
	name, err := inPath(c, "name")
	if err != nil {
		return nil, err
	}
	one, ok := s.Book.Keys.Named(name)
	if !ok {
		return nil, apikey.ErrUnknown
	}
	s.changes(c, one.ID, nil, nil)
	return one, nil
}

// shown answers with a key. secret is shown in the place of the mask, "" shows the mask.
func (s Services) shown(c *fiber.Ctx, ctx context.Context, one *apikey.Key, secret string) error {
	v, err := s.viewOf(ctx, one)
	if secret != "" {
		c.Set(fiber.HeaderCacheControl, "no-store")
		v.APIKey = secret // whatever else failed: it is not shown again
	} else if err != nil {
		return s.failed(c, err)
	}
	return c.JSON(v)
}

// createKey makes a key (behaviour 7.4): its answer is the one that has the key in full.
func (s Services) createKey(c *fiber.Ctx) error {
	body, err := smallBody(c)
	if err != nil {
		return s.failed(c, err)
	}
	terms, _, err := apikey.ReadTerms(body)
	if err == nil {
		err = s.fitting(terms.Models)
	}
	if err != nil {
		return s.failed(c, err)
	}
	ctx, done := unhurried(c)
	defer done()
	one, secret, err := s.Book.Keys.Create(ctx, terms)
	if err != nil {
		return s.failed(c, err)
	}
	s.changes(c, one.ID, nil, said(one.Terms))
	return s.shown(c, ctx, one, secret)
}

// fitting refuses patterns for models that no model would ever fit, because they have a feature in them or are
// an alias: whoever wrote one would wonder why the key is refused everything.
func (s Services) fitting(globs []string) error {
	catalogue := s.Engine.Models()
	for i, g := range globs {
		m := catalogue.Parse(g)
		if m.Base == g || strings.Contains(g, "*") && (m.Alias() != "" || m.Thinking != models.None) {
			continue // what a pattern leads to says nothing of the names that fit it
		}
		return &apikey.FieldError{Field: "models", Says: fmt.Sprintf(
			"pattern %d fits no model: names count without features and behind aliases, so write %q, which opens all its forms", i+1, m.Base)}
	}
	return nil
}

// key shows one.
func (s Services) key(c *fiber.Ctx) error {
	one, err := s.named(c)
	if err != nil {
		return s.failed(c, err)
	}
	return s.shown(c, c.Context(), one, "")
}

// editKey changes the terms that the body names.
func (s Services) editKey(c *fiber.Ctx) error {
	one, err := s.named(c)
	if err != nil {
		return s.failed(c, err)
	}
	body, err := objectOf(c)
	if err != nil {
		return s.failed(c, err)
	}
	patch, err := apikey.ReadPatch(body)
	if err != nil {
		return s.failed(c, err)
	}
	if len(patch.Names()) == 0 {
		return refuse(c, fiber.StatusBadRequest, `the body names nothing to change: {"total_quota": 2000}, for one`)
	}
	ctx, done := unhurried(c)
	defer done()
	var before apikey.Terms
	now, err := s.Book.Keys.Edit(ctx, one.ID, func(t *apikey.Terms) error {
		before = *t
		if err := patch.Apply(t); err != nil || !patch.Has("models") {
			return err
		}
		return s.fitting(t.Models)
	})
	return s.altered(c, ctx, now, before, err)
}

// altered answers with a key whose terms were changed.
func (s Services) altered(c *fiber.Ctx, ctx context.Context, now *apikey.Key, before apikey.Terms, err error) error {
	if err != nil {
		return s.failed(c, err)
	}
	was, is := differing(said(before), said(now.Terms))
	s.changes(c, now.ID, was, is)
	return s.shown(c, ctx, now, "")
}

// topUpKey adds to the quota of a key.
func (s Services) topUpKey(c *fiber.Ctx) error {
	one, err := s.named(c)
	if err != nil {
		return s.failed(c, err)
	}
	body, err := objectOf(c)
	if err != nil {
		return s.failed(c, err)
	}
	in, err := readFields(body, "units")
	if err != nil {
		return s.failed(c, err)
	}
	units, err := apikey.Whole("units", in["units"], 1, apikey.MaxQuota)
	if err != nil {
		return s.failed(c, err)
	}
	ctx, done := unhurried(c)
	defer done()
	now, err := s.Book.Keys.TopUp(ctx, one.ID, units)
	var before apikey.Terms
	if err == nil {
		before = now.Terms
		before.Quota -= units
	}
	return s.altered(c, ctx, now, before, err)
}

// rotateKey gives a key another secret; the old one is dead when the new one is shown.
func (s Services) rotateKey(c *fiber.Ctx) error {
	one, err := s.nothingBeside(c)
	if err != nil {
		return s.failed(c, err)
	}
	ctx, done := unhurried(c)
	defer done()
	now, secret, err := s.Book.Keys.Rotate(ctx, one.ID)
	if err != nil {
		return s.failed(c, err)
	}
	s.changes(c, now.ID, map[string]any{"mask": one.Mask}, map[string]any{"mask": now.Mask})
	return s.shown(c, ctx, now, secret)
}

// resetKey forgets what a key has used.
func (s Services) resetKey(c *fiber.Ctx) error {
	one, err := s.nothingBeside(c)
	if err != nil {
		return s.failed(c, err)
	}
	ctx, done := unhurried(c)
	defer done()
	before, err := s.Book.Ledger.Balance(ctx, one)
	if err != nil {
		return s.failed(c, err)
	}
	if err := s.Book.Ledger.Reset(ctx, one.ID); err != nil {
		return s.failed(c, err)
	}
	s.changes(c, one.ID, map[string]any{"used_quota": before.Used}, map[string]any{"used_quota": 0})
	return s.shown(c, ctx, one, "")
}

// nothingBeside is the key of a request whose path says all that it asks for.
func (s Services) nothingBeside(c *fiber.Ctx) (*apikey.Key, error) {
	one, err := s.named(c)
	if err != nil {
		return nil, err
	}
	body, err := objectOf(c)
	if err != nil {
		return nil, err
	}
	if _, err := readFields(body); err != nil {
		return nil, &apikey.FieldError{Says: "the body must be empty or {}"}
	}
	return one, nil
}

// deleteKey takes a key away, at once.
func (s Services) deleteKey(c *fiber.Ctx) error {
	one, err := s.named(c)
	if err != nil {
		return s.failed(c, err)
	}
	ctx, done := unhurried(c)
	defer done()
	if err := s.Book.Keys.Delete(ctx, one.ID); err != nil {
		return s.failed(c, err)
	}
	s.changes(c, one.ID, said(one.Terms), nil)
	return c.JSON(fiber.Map{"message": fmt.Sprintf("the key %s is deleted: it is refused from now on", one.Mask), "api_key": one.Mask, "id": one.ID})
}

// revealKey shows a key in full again, where keys.reveal keeps a copy.
func (s Services) revealKey(c *fiber.Ctx) error {
	one, err := s.named(c)
	if err != nil {
		return s.failed(c, err)
	}
	secret, err := s.Book.Keys.Reveal(one.ID)
	switch {
	case errors.Is(err, apikey.ErrRevealOff):
		return refuse(c, fiber.StatusForbidden, err.Error())
	case errors.Is(err, apikey.ErrNotSealed):
		return refuse(c, fiber.StatusNotFound, err.Error())
	case errors.Is(err, apikey.ErrOtherSecret):
		return refuse(c, fiber.StatusConflict, err.Error())
	case err != nil:
		return s.failed(c, err)
	}
	s.changes(c, one.ID, nil, map[string]any{"shown": true})
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.JSON(fiber.Map{"api_key": secret, "id": one.ID})
}
