package console

import (
	"context"
	"strings"

	"gcli2api/pipeline"
	"gcli2api/store/apikey"

	"github.com/gofiber/fiber/v2"
)

// asker looks up what came with a request of the console.
type asker struct{ c *fiber.Ctx }

// Header gives a request header.
func (a asker) Header(name string) string { return a.c.Get(name) }

// Query gives a query parameter, decoded.
func (a asker) Query(name string) string { return a.c.Query(name) }

// nobody stands for a key that does not exist: looking it up does the same work.
func nobody() *apikey.Key { return &apikey.Key{ID: "key-none"} }

// holderOf is what the holder of a key that was found may see of it. Where none was found it does the same work.
func (s Services) holderOf(ctx context.Context, one *apikey.Key, ok bool) (v keyView, err error) {
	if !ok {
		one = nobody()
	}
	return s.viewOf(ctx, one)
}

// ownQuota tells who has a key what is left of it (behaviour 7.4), also when that is nothing. Who tries keys is
// held up as with queryKey; who has one is not.
func (s Services) ownQuota(c *fiber.Ctx) error {
	var one *apikey.Key
	given, ok := false, false
	for secret := range pipeline.Secrets(asker{c}) {
		given = true
		if one, ok = s.Book.Keys.Find(secret); ok {
			break
		}
	}
	if given && !ok {
		if wait := s.tries.try(peerOf(c)); wait > 0 {
			return tooOften(c, wait)
		}
	}
	v, err := s.holderOf(c.Context(), one, ok)
	switch {
	case ok && err != nil:
		return s.failed(c, err)
	case ok:
		c.Set(fiber.HeaderCacheControl, "no-store")
		return c.JSON(ownView(v))
	}
	c.Set(fiber.HeaderWWWAuthenticate, `Bearer realm="gcli2api"`)
	if !given {
		return refuse(c, fiber.StatusUnauthorized, "the API key is missing: send it as Authorization: Bearer, x-api-key, x-goog-api-key, ?key= or ?api_key=")
	}
	return refuse(c, fiber.StatusUnauthorized, "there is no such API key")
}

// maxKey is more than any key has.
const maxKey = 200

// queryKey is the same for a key in the body; it is for a page that asks for one (behaviour 7.4).
func (s Services) queryKey(c *fiber.Ctx) error {
	if wait := s.tries.try(peerOf(c)); wait > 0 {
		return tooOften(c, wait)
	}
	if foreignPage(c) {
		unread(c)
		return refuse(c, fiber.StatusForbidden, "a page of another site asks for this")
	}
	secret, err := askedKey(c)
	if err != nil {
		return s.failed(c, err)
	}
	one, ok := s.Book.Keys.Look(secret)
	v, err := s.holderOf(c.Context(), one, ok)
	switch {
	case err != nil:
		return s.failed(c, err)
	case !ok:
		return refuse(c, fiber.StatusNotFound, "there is no such API key")
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.JSON(ownView(v))
}

func askedKey(c *fiber.Ctx) (string, error) {
	body, err := objectOf(c)
	if err != nil {
		return "", err
	}
	m, err := readFields(body, "api_key")
	if err != nil {
		return "", err
	}
	secret, err := m.text("api_key", maxKey)
	if err == nil && strings.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		err = &apikey.FieldError{Field: "api_key", Says: "has a space or another character that no key has"}
	}
	return secret, err
}

// ownView is what the holder of a key sees: the group of credentials and the addresses that it may come from
// are the operator's business, above all when the holder is a thief.
func ownView(v keyView) keyView {
	v.Group, v.Addresses = nil, nil
	return v
}
