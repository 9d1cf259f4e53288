package console

import (
	"strconv"
	"time"

	"gcli2api/store/pool"

	"github.com/gofiber/fiber/v2"
)

// credView is a credential in the shape of behaviour 1.5.2, without a secret in it.
type credView struct {
	Filename  string         `json:"filename"`
	Kind      string         `json:"kind"`
	Label     string         `json:"label,omitempty"`
	Status    credState      `json:"status"`
	Content   map[string]any `json:"content"`
	Backend   string         `json:"backend_type"`
	Email     string         `json:"user_email,omitempty"`
	Cooldown  string         `json:"cooldown_status"`
	Until     float64        `json:"cooldown_until,omitempty"`
	Remaining float64        `json:"cooldown_remaining_seconds,omitempty"`
	Models    []modelView    `json:"model_cooldowns,omitempty"`
	Source    string         `json:"source"`
	Inactive  string         `json:"inactive,omitempty"` // why it is not used although nothing is wrong with it
	Calls     int64          `json:"calls"`
	Capped    *capView       `json:"daily_limit_reached,omitempty"` // that is enforced
}

type credState struct {
	Codes       []int             `json:"error_codes"`
	Messages    map[string]string `json:"error_messages,omitempty"`    // by code
	NoPreview   bool              `json:"no_preview_access,omitempty"` // Google denied it a preview model
	Disabled    bool              `json:"disabled"`
	Reason      string            `json:"reason,omitempty"`
	Link        string            `json:"link,omitempty"`
	LastSuccess float64           `json:"last_success,omitempty"`
	Email       string            `json:"user_email,omitempty"`
}

// capView is until when a credential rests because it has used up its day.
type capView struct {
	Pro   float64 `json:"pro_models_until,omitempty"`
	Total float64 `json:"all_models_until,omitempty"`
}

type modelView struct {
	Model string  `json:"model"`
	Until float64 `json:"until"`
	Code  string  `json:"code,omitempty"`
}

// credentials shows the pool.
func (s Services) credentials(c *fiber.Ctx) error {
	all := fiber.Map{}
	now := time.Now()
	for _, st := range s.Pool.Status() {
		all[st.ID] = viewOf(st, now)
	}
	return c.JSON(fiber.Map{"creds": all, "leases": s.Pool.Leases()})
}

func viewOf(st pool.Status, now time.Time) credView {
	v := credView{Filename: st.ID, Kind: st.Kind, Label: st.Label, Backend: "environment", Email: st.Email, Cooldown: "ready", Calls: st.Calls,
		Source: st.Source, Inactive: st.Inactive,
		Status: credState{Codes: append([]int{}, st.LastCodes...), NoPreview: st.NoPreview, Disabled: st.Disabled, Reason: st.Reason, Link: st.Link,
			LastSuccess: unix(st.LastSuccess), Email: st.Email},
		Content: map[string]any{}}
	if st.File {
		v.Backend = "file"
	}
	if st.Project != "" {
		v.Content["project_id"] = st.Project
	}
	if st.Tier != "" {
		v.Content["tier"] = st.Tier
	}
	if !st.TokenUntil.IsZero() {
		v.Content["expiry"] = st.TokenUntil.UTC().Format(time.RFC3339)
	}
	if st.CoolingUntil.After(now) {
		v.Cooldown, v.Until, v.Remaining = "cooling", unix(st.CoolingUntil), st.CoolingUntil.Sub(now).Seconds()
	}
	for _, m := range st.Messages {
		if v.Status.Messages == nil {
			v.Status.Messages = map[string]string{}
		}
		v.Status.Messages[strconv.Itoa(m.Code)] = m.Text
	}
	if st.CappedUntil.After(now) || st.ProCappedUntil.After(now) {
		v.Capped = &capView{Pro: unix(st.ProCappedUntil), Total: unix(st.CappedUntil)}
	}
	for _, m := range st.Models {
		v.Models = append(v.Models, modelView{m.Model, unix(m.Until), string(m.Code)})
	}
	return v
}

// unix is the time as the panel's clients expect it; 0 for none.
func unix(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
