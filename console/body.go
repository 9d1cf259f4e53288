package console

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"gcli2api/pipeline/server"
	"gcli2api/pipeline/wire"
	"gcli2api/store"
	"gcli2api/store/apikey"

	"github.com/gofiber/fiber/v2"
)

// fields are the members of a small JSON object, by name, as they are written.
type fields map[string][]byte

// readFields reads an object that has no other members than these, and none of them twice. The error is a
// *apikey.FieldError.
func readFields(doc []byte, names ...string) (fields, error) {
	found, err := wire.Scan(doc, nil)
	switch {
	case err != nil:
		return nil, &apikey.FieldError{Says: "the body must be a JSON object with " + strings.Join(names, ", ")}
	case wire.NotText(doc) >= 0:
		return nil, &apikey.FieldError{Says: "the body is not UTF-8"}
	}
	all := fields{}
	for _, m := range found {
		name := string(m.Key)
		switch _, twice := all[name]; {
		case !slices.Contains(names, name):
			return nil, &apikey.FieldError{Field: wire.HeaderSafe(name), Says: "there is no such member; there are " + strings.Join(names, ", ")}
		case twice:
			return nil, &apikey.FieldError{Field: name, Says: "is given twice"}
		}
		all[name] = m.Value
	}
	return all, nil
}

// text reads a text of 1 to most bytes.
func (m fields) text(name string, most int) (string, error) {
	text, ok := wire.Text(m[name])
	if !ok || text == "" || len(text) > most {
		return "", &apikey.FieldError{Field: name, Says: fmt.Sprintf("must be text of 1 to %d bytes", most)}
	}
	return text, nil
}

// whole reads a whole number; nil where there is none.
func (m fields) whole(name string, least, most int64) (*int64, error) {
	if m[name] == nil {
		return nil, nil
	}
	n, err := apikey.Whole(name, m[name], least, most)
	return &n, err
}

// objectOf is the body of a request, still to be read; an empty one is {}.
func objectOf(c *fiber.Ctx) ([]byte, error) {
	body, err := smallBody(c)
	if err == nil && len(body) == 0 {
		body = []byte("{}")
	}
	return body, err
}

// inPath is the last part of a path, decoded once: it may have slashes in it.
func inPath(c *fiber.Ctx, param string) (string, error) {
	name, err := url.PathUnescape(c.Params(param))
	if err != nil {
		return "", &apikey.FieldError{Says: "the name in the path is not percent-encoded as it should be"}
	}
	return strings.Clone(name), nil // fiber's own is gone with the request
}

// storeLimit is how long the store may take for a change.
const storeLimit = 30 * time.Second

// unhurried is the context of a change: it ends with the server or after storeLimit, not with the client, who
// would else not know what became of it.
func unhurried(c *fiber.Ctx) (context.Context, func()) { return within(c, storeLimit) }

// failed answers with what went wrong with keys or costs.
func (s Services) failed(c *fiber.Ctx, err error) error {
	var wrong *apikey.FieldError
	switch {
	case errors.As(err, &wrong):
		return refuse(c, fiber.StatusBadRequest, wrong.Error())
	case errors.Is(err, server.ErrUploadTooLarge):
		return refuse(c, fiber.StatusRequestEntityTooLarge, fmt.Sprintf("the body is longer than %d KB", maxSmall>>10))
	case errors.Is(err, server.ErrUploadCoding):
		return refuse(c, fiber.StatusUnsupportedMediaType, err.Error())
	case errors.Is(err, errBodyBroken):
		return refuse(c, fiber.StatusRequestTimeout, errBodyBroken.Error())
	case errors.Is(err, apikey.ErrUnknown):
		return refuse(c, fiber.StatusNotFound, "there is no such API key")
	case errors.Is(err, store.ErrConflict):
		return refuse(c, fiber.StatusConflict, "others change the same thing all the time: nothing was changed, try again")
	}
	s.Log.Error("the store failed a request of the panel", "error", err)
	if c.Method() == fiber.MethodGet || c.Method() == fiber.MethodHead {
		return away(c, "the store does not answer: try again")
	}
	return away(c, "the store does not answer: try again; what you asked for may have been done all the same")
}
