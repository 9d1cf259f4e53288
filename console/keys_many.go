package console

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"gcli2api/store/apikey"

	"github.com/gofiber/fiber/v2"
)

// createKeys makes many keys of the same terms, all of them or none. The answer has each of them in full, this
// once: as JSON, or as CSV where the query has format=csv or format=excel, or the client accepts CSV before all else.
func (s Services) createKeys(c *fiber.Ctx) error {
	if err := onlyThese(c, []string{"format"}); err != nil {
		return refuse(c, fiber.StatusBadRequest, err.Error())
	}
	form, err := wanted(c)
	if err != nil {
		return refuse(c, fiber.StatusBadRequest, err.Error())
	}
	body, err := smallBody(c)
	if err != nil {
		return s.failed(c, err)
	}
	terms, rest, err := apikey.ReadTerms(body, "count")
	if err == nil {
		err = s.fitting(terms.Models)
	}
	if err != nil {
		return s.failed(c, err)
	}
	count, err := apikey.Whole("count", rest.Beside("count"), 1, apikey.MaxBatch)
	if err != nil {
		return s.failed(c, err)
	}
	ctx, done := unhurried(c)
	defer done()
	made, err := s.Book.Keys.CreateMany(ctx, terms, int(count))
	if err != nil {
		return s.failed(c, err)
	}
	s.changes(c, fmt.Sprintf("%d keys, %s to %s", count, made[0].Key.ID, made[count-1].Key.ID), nil, said(terms))
	c.Set(fiber.HeaderCacheControl, "no-store")
	views := make([]keyView, len(made))
	for i, m := range made {
		views[i] = s.shownKey(m.Key, apikey.Balance{}, nil)
		views[i].APIKey = m.Secret
	}
	if form == asJSON {
		return c.JSON(fiber.Map{"count": count, "keys": views})
	}
	asFile(c, "api-keys.csv")
	return writeKeys(form.begin(c.Response().BodyWriter()), func(row func(*keyView) error) error {
		for i := range views {
			if err := row(&views[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// wanted is what an answer is asked for in: as the query says, else as the client accepts.
func wanted(c *fiber.Ctx) (listFormat, error) {
	otherwise := asJSON
	if strings.HasPrefix(strings.TrimSpace(c.Get(fiber.HeaderAccept)), "text/csv") {
		otherwise = asCSV
	}
	return formOf(c.Query("format"), otherwise)
}

// exportKeys gives all keys, or those that the query asks for, as CSV without their secrets.
func (s Services) exportKeys(c *fiber.Ctx) error {
	q, err := keyQueryOf(c, "format")
	form, wrong := formOf(c.Query("format"), asCSV)
	if err = cmp.Or(err, wrong); err == nil && form == asJSON {
		err = errors.New(`"format" must be csv or excel here`)
	}
	if err != nil {
		return refuse(c, fiber.StatusBadRequest, err.Error())
	}
	p, err := s.findKeys(c, q)
	if err != nil {
		return s.failed(c, err)
	}
	asFile(c, "api-keys.csv")
	c.Context().SetBodyStreamWriter(func(w *bufio.Writer) {
		err := writeKeys(form.begin(w), func(row func(*keyView) error) error {
			for _, r := range p.rows {
				v := s.shownKey(r.key, r.balance, p.answers[r.key.ID])
				if err := row(&v); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			s.Log.Warn("an export of API keys was cut off", "error", err)
		}
	})
	return nil
}

// writeKeys writes a line for each key that each gives.
func writeKeys(out table, each func(row func(*keyView) error) error) error {
	if err := out.row([]string{"id", "api_key", "description", "status", "total_quota", "used_quota", "remaining_quota", "renews", "daily_quota",
		"requests_per_minute", "tokens_per_minute", "concurrency", "models", "addresses", "group", "expires", "created_at", "last_used", "answers"}); err != nil {
		return err
	}
	err := each(func(v *keyView) error {
		answers := int64(0)
		for _, n := range v.Answers {
			answers += n
		}
		line := []string{v.ID, v.APIKey, text(v.Description), v.Status, text(&v.Total), text(&v.Used), text(&v.Remaining), v.Renews, text(v.Daily),
			text(v.Requests), text(v.Tokens), text(v.Concurrency), strings.Join(v.Models, " "), strings.Join(*v.Addresses, " "), text(v.Group),
			text(v.Expires), v.Created, text(v.LastUsed), strconv.FormatInt(answers, 10)}
		return out.row(line)
	})
	return cmp.Or(err, out.end())
}

// text is what v points to, nothing for nil.
func text[T any](v *T) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(*v)
}
