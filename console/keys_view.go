package console

import (
	"context"
	"encoding/json"
	"math"
	"reflect"
	"time"

	"gcli2api/store/apikey"
)

// keyView is a key in the shape of behaviour 7.4, with what there is beyond it. Its terms have the names and
// values by which they can be changed.
type keyView struct {
	APIKey      string           `json:"api_key"` // masked, but where it was made just now
	ID          string           `json:"id"`
	Total       int64            `json:"total_quota"`
	Used        int64            `json:"used_quota"`
	Remaining   int64            `json:"remaining_quota"`
	Percentage  float64          `json:"usage_percentage"`
	Created     string           `json:"created_at"` // UTC, without a zone
	CreatedTS   int64            `json:"created_ts"`
	Description *string          `json:"description"`
	Answers     map[string]int64 `json:"model_stats"` // calls by model that were answered

	Status      string    `json:"status"` // "active", or why it is not
	Enabled     bool      `json:"enabled"`
	Expires     *string   `json:"expires"`
	Renews      string    `json:"renews"`
	RenewsAt    *string   `json:"renews_at"`
	Daily       *int64    `json:"daily_quota"`
	DailyUsed   *int64    `json:"daily_used,omitempty"`
	DailyLeft   *int64    `json:"daily_remaining,omitempty"`
	Ever        int64     `json:"used_ever"` // also before resets, and in periods that are over
	Requests    *int64    `json:"requests_per_minute"`
	Tokens      *int64    `json:"tokens_per_minute"`
	Concurrency *int64    `json:"concurrency"`
	Models      []string  `json:"models"`
	Addresses   *[]string `json:"addresses,omitempty"` // null for all; the holder of the key does not see them
	Group       *string   `json:"group,omitempty"`     // "" for none; nor this
	LastUsed    *string   `json:"last_used"`
	Rotated     *string   `json:"rotated_at,omitempty"`
	Revealable  bool      `json:"revealable,omitempty"` // a copy of it was kept
}

// What a key can be.
const (
	keyActive    = "active"
	keyDisabled  = "disabled"
	keyExpired   = "expired"
	keyExhausted = "exhausted"
)

func statusOf(one *apikey.Key, b apikey.Balance, now time.Time) string {
	switch {
	case one.Disabled:
		return keyDisabled
	case one.Expired(now):
		return keyExpired
	case b.Used >= one.Quota, one.Daily > 0 && b.DailyUsed >= one.Daily:
		return keyExhausted
	}
	return keyActive
}

// viewOf shows a key with its figures.
func (s Services) viewOf(ctx context.Context, one *apikey.Key) (keyView, error) {
	b, err := s.Book.Ledger.Balance(ctx, one)
	return s.shownKey(one, b, s.Stats.ByKey(one.ID)), err
}

func (s Services) shownKey(one *apikey.Key, b apikey.Balance, answers map[string]int64) keyView {
	v := keyView{APIKey: one.Mask, ID: one.ID, Total: one.Quota, Used: b.Used, Remaining: max(one.Quota-b.Used, 0), Ever: b.Ever,
		Percentage: math.Round(float64(b.Used)/float64(max(one.Quota, 1))*1e4) / 1e2,
		Created:    one.Created.UTC().Format("2006-01-02T15:04:05"), CreatedTS: one.Created.Unix(),
		Description: filled(one.Description), Answers: answers, Status: statusOf(one, b, s.now()), Enabled: !one.Disabled,
		Expires: moment(one.Expires), Renews: string(one.Renews), RenewsAt: moment(b.Renews), Daily: filled(one.Daily),
		Requests: filled(one.Requests), Tokens: filled(one.Tokens), Concurrency: filled(one.Concurrency),
		Models: one.Models, Addresses: &one.Addresses, Group: &one.Group,
		LastUsed: moment(s.Book.Keys.LastUsed(one.ID)), Rotated: moment(one.Rotated), Revealable: len(one.Sealed) > 0}
	if one.Renews == apikey.Never {
		v.Renews = "none"
	}
	if one.Daily > 0 {
		left := max(one.Daily-b.DailyUsed, 0)
		v.DailyUsed, v.DailyLeft = &b.DailyUsed, &left
	}
	if v.Answers == nil {
		v.Answers = map[string]int64{}
	}
	return v
}

// filled is nil for what is not set.
func filled[T comparable](v T) *T {
	var none T
	if v == none {
		return nil
	}
	return &v
}

// moment is a time with its zone, nil for none.
func moment(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	text := t.UTC().Format(time.RFC3339)
	return &text
}

// said is what the audit keeps of terms: no part of them is a secret.
func said(t apikey.Terms) (all map[string]any) {
	text, err := json.Marshal(t)
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil {
		return nil
	}
	return all
}

// differing leaves of both what is not the same.
func differing(before, after map[string]any) (was, is map[string]any) {
	was, is = map[string]any{}, map[string]any{}
	for name, v := range before {
		if now, there := after[name]; !there || !reflect.DeepEqual(v, now) {
			was[name] = v
		}
	}
	for name, v := range after {
		if old, there := before[name]; !there || !reflect.DeepEqual(v, old) {
			is[name] = v
		}
	}
	return was, is
}
