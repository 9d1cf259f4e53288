package console

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/store/oauth"
	"gcli2api/store/pool"

	"github.com/gofiber/fiber/v2"
)

// Tester makes one small call with a lease, the way that the calls of chat go, and reports it to the
// lease. The error is how the call failed.
type Tester interface {
	Probe(ctx context.Context, l pipeline.Lease, model string) (pipeline.Advice, *apierror.Error)
}

// testModel is asked where a test names no model: every kind of credential serves it.
const testModel = "gemini-2.5-flash"

// testLimit is how long one test may take.
const testLimit = time.Minute

// about is the body of the routes about one credential.
type about struct {
	Filename string `json:"filename"`
	Model    string `json:"model"`
	Force    bool   `json:"force"`
}

// asked reads which credential a request is about: in its path, as the old product had it, or in its
// body. Where one may be left out, an empty body is one that names nothing.
func asked(c *fiber.Ctx, all bool) (in about, err error) {
	body, err := smallBody(c)
	if err != nil {
		return in, err
	}
	name, err := pathName(c)
	if len(body) > 0 && err == nil {
		err = json.Unmarshal(body, &in)
	}
	if name != "" {
		in.Filename = name
	}
	switch {
	case err != nil:
		return in, errors.New(`the body must be JSON as {"filename": "..."}`)
	case in.Filename == "" && !all:
		return in, errors.New(`"filename" is missing: the name of a credential, as GET /creds/status lists it`)
	case len(in.Model) > 100 || strings.ContainsFunc(in.Model, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return in, errors.New(`"model" must be the name of a model, without spaces`)
	}
	return in, nil
}

// pathName is the name at the end of the path, decoded; "" where the path has none.
func pathName(c *fiber.Ctx) (string, error) {
	name, err := url.PathUnescape(c.Params("filename"))
	return strings.Clone(name), err // fiber's own is gone with the request
}

// tested is the answer of a test.
type tested struct {
	Success   bool    `json:"success"`
	Filename  string  `json:"filename"`
	Status    int     `json:"status"` // Google's own, 0 when it did not answer
	Message   string  `json:"message"`
	Link      string  `json:"link,omitempty"`
	Model     string  `json:"model"`
	TookMS    float64 `json:"took_ms"`
	Disabled  bool    `json:"disabled"`
	Permanent bool    `json:"permanent,omitempty"`
}

// test makes a call of one token with exactly this credential, also with one that is switched off.
func (s Services) test(c *fiber.Ctx) error {
	in, err := asked(c, false)
	if err != nil {
		return refuse(c, fiber.StatusBadRequest, err.Error())
	}
	out, err := s.try(c.Context(), in)
	if errors.Is(err, pool.ErrUnknown) {
		return refuse(c, fiber.StatusNotFound, err.Error())
	}
	return c.JSON(out)
}

// try tests a credential. The error is pool.ErrUnknown.
func (s Services) try(ctx context.Context, in about) (tested, error) {
	out := tested{Filename: in.Filename, Model: in.Model}
	if out.Model == "" {
		out.Model = testModel
	}
	ctx, cancel := context.WithTimeout(ctx, testLimit)
	defer cancel()
	begun := time.Now()
	err := s.probe(ctx, &out)
	if errors.Is(err, pool.ErrUnknown) {
		return out, err
	}
	var why *pool.Trouble
	if errors.As(err, &why) {
		out.Status, out.Message, out.Link, out.Permanent = why.Status, why.Reason, why.Link, why.Permanent
	}
	out.TookMS = float64(time.Since(begun).Microseconds()) / 1000
	out.Disabled = s.off(in.Filename)
	if out.Success && out.Disabled {
		out.Message = "it works, and is still switched off: enable or verify it"
	}
	return out, nil
}

// probe makes the call, and once more where a new token or another project is all that it takes.
func (s Services) probe(ctx context.Context, out *tested) error {
	for again := true; ; again = false {
		l, err := s.Pool.Pin(ctx, out.Filename, out.Model)
		if err != nil {
			return err
		}
		advice, fail := s.Tester.Probe(ctx, l, out.Model)
		l.Release()
		if fail == nil || l.Answered(fail) {
			out.Success, out.Status, out.Message = true, fiber.StatusOK, "it works"
			return nil
		}
		if again && advice.Again == pipeline.Same && advice.Wait == 0 {
			continue
		}
		if fail.Said != nil {
			out.Status = fail.Said.HTTP
		}
		out.Message, out.Link = l.Explain(fail)
		return nil
	}
}

func (s Services) off(id string) bool {
	d, _ := s.Pool.Detail(id)
	return d.Disabled
}

// verify renews what is known of a credential, forgets what was held against it and switches it on.
func (s Services) verify(c *fiber.Ctx) error {
	in, err := asked(c, false)
	if err != nil {
		return refuse(c, fiber.StatusBadRequest, err.Error())
	}
	before := s.credentialSaid(in.Filename)
	defer func() { s.changes(c, in.Filename, before, withAction("verify", s.credentialSaid(in.Filename))) }()
	found, err := s.Pool.Verify(c.Context(), in.Filename)
	if errors.Is(err, pool.ErrUnknown) {
		return refuse(c, fiber.StatusNotFound, err.Error())
	}
	out := fiber.Map{"success": err == nil, "filename": in.Filename}
	var why *pool.Trouble
	switch {
	case errors.As(err, &why):
		out["message"], out["permanent"] = why.Reason, why.Permanent
		if why.Link != "" {
			out["link"] = why.Link
		}
	case found.NeedsTest():
		one, err := s.try(c.Context(), in)
		if err != nil {
			return refuse(c, fiber.StatusNotFound, err.Error())
		}
		if out["success"], out["message"] = one.Success, one.Message; one.Success {
			s.Pool.Enable(in.Filename)
			out["message"] = "the key works, what was held against it is forgotten, and it is switched on"
		}
	default:
		describe(out, found)
	}
	if s.durable(c) != nil {
		return s.unkept(c)
	}
	return c.JSON(out)
}

func describe(out fiber.Map, v pool.Verified) {
	out["message"] = "verified, and switched on"
	if v.Waits {
		out["message"] = "verified, and switched on; the API was switched on just now, and it takes Google up to five minutes to notice"
	}
	out["project_id"], out["tier"], out["user_email"] = v.Project, v.Tier, orNull(v.Email)
	out["expiry"] = v.TokenUntil.UTC().Format(time.RFC3339)
	services := fiber.Map{}
	for _, one := range v.Services {
		services[one.Name] = serviceState(one)
	}
	out["services"] = services
}

func serviceState(s oauth.Service) string {
	switch {
	case s.Changed:
		return "switched on now"
	case s.Enabled:
		return "on"
	case s.Off:
		return "off, and this account may not switch it on"
	}
	return "unknown, this account may not look"
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}
