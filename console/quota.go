package console

import (
	"context"
	"errors"
	"time"

	"gcli2api/store/oauth"
	"gcli2api/store/pool"

	"github.com/gofiber/fiber/v2"
)

// quotaLimit is how long all credentials together may take.
const quotaLimit = 5 * time.Minute

// quotaView is what Google says is left for one credential.
type quotaView struct {
	Filename string       `json:"filename"`
	Success  bool         `json:"success"`
	Error    string       `json:"error,omitempty"`
	Link     string       `json:"link,omitempty"`
	At       float64      `json:"checked_at,omitempty"`
	Fresh    bool         `json:"fresh"`
	Models   []bucketView `json:"models"`
}

type bucketView struct {
	Model    string   `json:"model"`
	Type     string   `json:"type,omitempty"`
	Fraction *float64 `json:"remaining_fraction"` // null when Google left it out
	Amount   *int64   `json:"remaining_amount,omitempty"`
	Reset    string   `json:"reset_time,omitempty"`
	Gone     bool     `json:"probably_exhausted,omitempty"`
}

// quota asks Google what is left for one credential, or for all that are switched on.
func (s Services) quota(c *fiber.Ctx) error {
	in, err := asked(c, true)
	if err != nil {
		return refuse(c, fiber.StatusBadRequest, err.Error())
	}
	ctx, cancel := context.WithTimeout(c.Context(), quotaLimit)
	defer cancel()
	if in.Filename != "" {
		q := s.Pool.Quota(ctx, in.Filename, in.Force)
		if errors.Is(q.Err, pool.ErrUnknown) {
			return refuse(c, fiber.StatusNotFound, q.Err.Error())
		}
		return c.JSON(quotaOf(q))
	}
	list, good := []quotaView{}, 0
	for _, q := range s.Pool.Quotas(ctx, in.Force) {
		list = append(list, quotaOf(q))
		if q.Err == nil {
			good++
		}
	}
	return c.JSON(fiber.Map{"success_count": good, "total_count": len(list), "results": list,
		"message": "what Google says is left is a hint: it may refuse with much left, and serve with nothing"})
}

func quotaOf(q pool.Quota) quotaView {
	v := quotaView{Filename: q.ID, Success: q.Err == nil, At: unix(q.At), Fresh: q.Fresh, Models: []bucketView{}}
	var why *pool.Trouble
	if errors.As(q.Err, &why) {
		v.Error, v.Link = why.Reason, why.Link
	}
	for _, b := range q.Buckets {
		v.Models = append(v.Models, bucketOf(b))
	}
	return v
}

func bucketOf(b oauth.Bucket) bucketView {
	v := bucketView{Model: b.Model, Type: b.Type, Gone: b.Guessed}
	if !b.Guessed {
		v.Fraction = &b.Fraction
	}
	if b.Amount >= 0 {
		v.Amount = &b.Amount
	}
	if !b.Reset.IsZero() {
		v.Reset = b.Reset.UTC().Format(time.RFC3339)
	}
	return v
}
