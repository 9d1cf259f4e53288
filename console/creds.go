package console

import (
	"strconv"
	"strings"
	"time"

	"gcli2api/store/circuit"
	"gcli2api/store/pool"
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
	InUse     int            `json:"in_use"`            // calls under way
	AtOnce    int            `json:"at_once,omitempty"` // how many there may be, 0 for any number
	Tier      string         `json:"tier,omitempty"`
	Size      int64          `json:"size,omitempty"`
	Modified  float64        `json:"modified_time,omitempty"`
	Wish      wishView       `json:"wish"`
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
	Until       float64           `json:"cooldown_until,omitempty"` // of the whole credential, as beside it
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

// wishView is what an operator wants of a credential, by the names that /creds/configure takes.
type wishView struct {
	Label       string   `json:"label,omitempty"`
	Priority    int      `json:"priority"`
	Weight      int      `json:"weight,omitempty"`
	Groups      []string `json:"groups,omitempty"`
	Proxy       string   `json:"proxy,omitempty"`
	Concurrency int      `json:"concurrency,omitempty"`
	Pro         *int64   `json:"gemini_2_5_pro_limit,omitempty"`
	Total       *int64   `json:"total_limit,omitempty"`
}

func wishOf(w pool.Wish) wishView {
	return wishView{w.Label, w.Priority, w.Weight, w.Groups, w.Proxy, w.Concurrency, w.DailyPro, w.DailyTotal}
}

// lens is what credentials are looked at with.
type lens struct {
	now    time.Time
	engine string // that those lie in which are no variables
}

func (s Services) lens() lens {
	l := lens{now: s.now(), engine: "file"}
	if s.Store != nil {
		l.engine = strings.ToLower(circuit.StateOf(s.Store).Engine)
	}
	return l
}

func (l lens) viewOf(st *pool.Status) credView {
	v := credView{Filename: st.ID, Kind: st.Kind, Label: st.Label, Backend: "environment", Email: st.Email, Cooldown: "ready", Calls: st.Calls,
		Source: st.Source, Inactive: st.Inactive, Tier: st.Tier, InUse: st.InUse, AtOnce: st.AtOnce, Size: st.Size, Modified: unix(st.Modified), Wish: wishOf(st.Wish),
		Status: credState{Codes: append([]int{}, st.LastCodes...), NoPreview: st.NoPreview, Disabled: st.Disabled, Reason: st.Reason, Link: st.Link,
			LastSuccess: unix(st.LastSuccess), Email: st.Email},
		Content: contentOf(st)}
	if st.File {
		v.Backend = l.engine
	}
	if st.CoolingUntil.After(l.now) {
		v.Cooldown, v.Until, v.Remaining = "cooling", unix(st.CoolingUntil), st.CoolingUntil.Sub(l.now).Seconds()
		v.Status.Until = v.Until
	}
	for _, m := range st.Messages {
		if v.Status.Messages == nil {
			v.Status.Messages = map[string]string{}
		}
		v.Status.Messages[strconv.Itoa(m.Code)] = m.Text
	}
	if st.CappedUntil.After(l.now) || st.ProCappedUntil.After(l.now) {
		v.Capped = &capView{Pro: unix(st.ProCappedUntil), Total: unix(st.CappedUntil)}
	}
	for _, m := range st.Models {
		v.Models = append(v.Models, modelView{m.Model, unix(m.Until), string(m.Code)})
	}
	return v
}

// contentOf is what is no secret of what the file of a credential says.
func contentOf(st *pool.Status) map[string]any {
	content := map[string]any{}
	for name, value := range map[string]string{"project_id": st.Project, "tier": st.Tier, "client_id": st.ClientID} {
		if value != "" {
			content[name] = value
		}
	}
	if len(st.Scopes) > 0 {
		content["scopes"] = st.Scopes
	}
	if !st.TokenUntil.IsZero() {
		content["expiry"] = st.TokenUntil.UTC().Format(time.RFC3339)
	}
	return content
}

// unix is the time as the panel's clients expect it; 0 for none.
func unix(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
