package console

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"time"

	"gcli2api/store/pool"
	"gcli2api/store/stats"

	"github.com/gofiber/fiber/v2"
)

// usageView is what a credential was used for, in the shape of behaviour 1.7.
type usageView struct {
	Filename   string `json:"filename,omitempty"`
	Pro        int64  `json:"gemini_2_5_pro_calls"`
	Total      int64  `json:"total_calls"`
	LimitPro   int64  `json:"daily_limit_gemini_2_5_pro"`
	LimitTotal int64  `json:"daily_limit_total"`
	NextReset  string `json:"next_reset_time"`
	Last24h    int64  `json:"calls_24h"`
	Email      string `json:"user_email,omitempty"`
}

func usageOf(u pool.Usage) usageView {
	return usageView{Pro: u.Pro, Total: u.Total, LimitPro: u.LimitPro, LimitTotal: u.LimitTotal,
		NextReset: offset(u.NextReset), Last24h: u.Last24h, Email: u.Email}
}

// offset is a time as the panel's clients know it from the old product.
func offset(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05-07:00") }

// usage shows the counters of all credentials by name, or those of one.
func (s Services) usage(c *fiber.Ctx) error {
	if name := c.Query("filename"); name != "" {
		u, ok := s.Pool.UsageOf(name)
		if !ok {
			return refuse(c, fiber.StatusNotFound, "there is no such credential")
		}
		v := usageOf(u)
		v.Filename = name
		return c.JSON(fiber.Map{"success": true, "data": v})
	}
	all := map[string]usageView{}
	for _, u := range s.Pool.Usage() {
		all[u.ID] = usageOf(u)
	}
	return c.JSON(fiber.Map{"success": true, "data": all})
}

// userView is what the credentials of one Google account were used for: Google's limits are per user.
type userView struct {
	Email   string `json:"user_email"`
	Files   int    `json:"files"`
	Pro     int64  `json:"gemini_2_5_pro_calls"`
	Total   int64  `json:"total_calls"`
	Last24h int64  `json:"calls_24h"`
}

func (v *userView) add(u pool.Usage) {
	v.Files++
	v.Pro += u.Pro
	v.Total += u.Total
	v.Last24h += u.Last24h
}

// usageTotals shows the sums: of credentials, of accounts, and of what was asked.
func (s Services) usageTotals(c *fiber.Ctx) error {
	var all userView
	list := s.Pool.Usage()
	for _, u := range list {
		all.add(u)
	}
	mean := func(n int64) float64 {
		return math.Round(float64(n)/float64(max(len(list), 1))*100) / 100
	}
	r := s.Stats.Report()
	return c.JSON(fiber.Map{"success": true, "data": fiber.Map{
		"total_files": len(list), "total_gemini_2_5_pro_calls": all.Pro, "total_all_model_calls": all.Total, "total_calls_24h": all.Last24h,
		"avg_gemini_2_5_pro_per_file": mean(all.Pro), "avg_total_per_file": mean(all.Total), "avg_calls_per_file": mean(all.Last24h),
		"next_reset_time": offset(s.Pool.NextReset()), "users": byUser(list),
		"since": r.Since.UTC().Format(time.RFC3339), "requests": sum(r.Keys), "upstream_calls": sum(r.Credentials),
		"success_rate": rate(sum(r.Keys)), "upstream_success_rate": rate(sum(r.Credentials))}})
}

// byUser adds up the credentials of each e-mail; those that have none stand together under an empty one.
func byUser(list []pool.Usage) []userView {
	users := map[string]*userView{}
	for _, u := range list {
		if users[u.Email] == nil {
			users[u.Email] = &userView{Email: u.Email}
		}
		users[u.Email].add(u)
	}
	all := make([]userView, 0, len(users))
	for _, v := range users {
		all = append(all, *v)
	}
	slices.SortFunc(all, func(a, b userView) int { return cmp.Compare(a.Email, b.Email) })
	return all
}

func sum(rows []stats.Row) (all stats.Count) {
	for _, r := range rows {
		all.Add(r.Count)
	}
	return all
}

// setLimits gives a credential limits of its own, or takes them away.
func (s Services) setLimits(c *fiber.Ctx) error {
	var in struct {
		Filename string          `json:"filename"`
		Pro      json.RawMessage `json:"gemini_2_5_pro_limit"`
		Total    json.RawMessage `json:"total_limit"`
	}
	if err := strictBody(c, &in); err != nil || in.Filename == "" || in.Pro == nil && in.Total == nil {
		return refuse(c, fiber.StatusBadRequest, `the body must be {"filename": "...", "gemini_2_5_pro_limit": n, "total_limit": n} with one limit at least`)
	}
	pro, bad := limit("gemini_2_5_pro_limit", in.Pro)
	total, worse := limit("total_limit", in.Total)
	if err := errors.Join(bad, worse); err != nil {
		return refuse(c, fiber.StatusBadRequest, err.Error())
	}
	before := s.limitsSaid(in.Filename)
	defer func() { s.changes(c, in.Filename, before, s.limitsSaid(in.Filename)) }()
	if !s.Pool.Configure(in.Filename, func(w *pool.Wish) {
		if in.Pro != nil {
			w.DailyPro = pro
		}
		if in.Total != nil {
			w.DailyTotal = total
		}
	}) {
		return refuse(c, fiber.StatusNotFound, "there is no such credential")
	}
	u, _ := s.Pool.UsageOf(in.Filename)
	return s.kept(c, fmt.Sprintf("limits of a day: %d calls of gemini-2.5-pro, %d of all models", u.LimitPro, u.LimitTotal))
}

// limit reads one; null, and nothing, is the default.
func limit(name string, text json.RawMessage) (*int64, error) {
	if text == nil || string(text) == "null" {
		return nil, nil
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil || n < 0 || n > maxLimit {
		return nil, fmt.Errorf("%q must be a whole number from 0 to %d, or null for the default", name, maxLimit)
	}
	return &n, nil
}

// resetUsage sets the counters of one credential, or of all, to zero.
func (s Services) resetUsage(c *fiber.Ctx) error {
	var in struct {
		Filename *string `json:"filename"`
	}
	if err := strictBody(c, &in); err != nil || in.Filename != nil && *in.Filename == "" {
		return refuse(c, fiber.StatusBadRequest, `the body must be {"filename": "..."}, or {"filename": null} for all credentials`)
	}
	if in.Filename == nil {
		n := s.Pool.ResetUsages()
		s.changes(c, "all credentials", nil, map[string]any{"counters_reset": n})
		return s.kept(c, fmt.Sprintf("counters of %d credentials reset", n))
	}
	before := s.countersSaid(*in.Filename)
	defer func() { s.changes(c, *in.Filename, before, s.countersSaid(*in.Filename)) }()
	if !s.Pool.ResetUsage(*in.Filename) {
		return refuse(c, fiber.StatusNotFound, "there is no such credential")
	}
	return s.kept(c, "counters reset")
}

// strictBody reads a small object without members that it does not have: what is spelled wrong must
// not mean everything.
func strictBody(c *fiber.Ctx, into any) error {
	body, err := smallBody(c)
	if err != nil {
		return err
	}
	return strict(body, into)
}

func strict(body []byte, into any) error {
	if body = bytes.TrimSpace(body); len(body) == 0 || body[0] != '{' {
		return errors.New("it is no object")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("something stands behind it")
	}
	return nil
}

// kept answers when the change is durable.
func (s Services) kept(c *fiber.Ctx, message string) error {
	if s.durable(c) != nil {
		return s.unkept(c)
	}
	return c.JSON(fiber.Map{"success": true, "message": message})
}
