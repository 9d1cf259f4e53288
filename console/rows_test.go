package console

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// The shapes of the routes of keys and costs, member by member as the reference has them (7.4); there may be more
// members than these, and never others in their place. Where the reference is replaced (0.3b), the replacement.
func TestRowsOfTheReference(t *testing.T) {
	d := newDesk(t)
	const (
		whole  = "api_key:text total_quota:whole used_quota:whole remaining_quota:whole created_at:moment created_ts:whole description:text model_stats:counts"
		cost   = "model_name:text cost:whole"
		detail = "detail:text"
	)
	alice, none := d.ask("POST", "/auth/keys", `{"total_quota": 1000, "description": "Alice"}`), d.ask("POST", "/auth/keys", `{"total_quota": 7, "description": null}`)
	fits(t, "POST /auth/keys", alice, 200, whole)
	fits(t, "POST /auth/keys without a description", none, 200, strings.Replace(whole, "description:text", "description:null", 1))
	if d := d.ask("POST", "/auth/keys", `{}`); d.json["total_quota"] != 1000.0 || d.json["description"] != nil {
		t.Errorf("defaults: %s", d.body)
	}
	key, id := fmt.Sprint(alice.json["api_key"]), fmt.Sprint(alice.json["id"])
	d.spend(id, "gemini-2.5-flash", 3)
	d.spend(id, "流式抗截断/gemini-2.5-pro", 1)
	withKey := "Authorization: Bearer " + key
	for _, row := range []struct {
		name, method, path, body, head string
		status                         int
		shape                          string
	}{
		{"a key by itself", "GET", "/auth/keys/" + key, "", "", 200, whole},
		{"a key by its id", "GET", "/auth/keys/" + id, "", "", 200, whole},
		{"an unknown key", "GET", "/auth/keys/sk-none", "", "", 404, detail},
		{"no quota", "POST", "/auth/keys", `{"total_quota": 0}`, "", 400, detail},
		{"a negative one", "POST", "/auth/keys", `{"total_quota": -1}`, "", 400, detail},
		{"the list", "GET", "/auth/keys", "", "", 200, "total_keys:whole keys:list"},
		{"without the password", "GET", "/auth/keys", "", "Authorization: ", 401, detail},
		{"with a key in its place", "GET", "/auth/keys", "", withKey, 401, detail},
		{"with a wrong one", "POST", "/auth/models/costs", `{"model_name":"m","cost":1}`, "Authorization: Bearer wrong", 401, detail},
		{"the own quota", "GET", "/auth/quota", "", withKey, 200, "api_key:text total_quota:whole used_quota:whole remaining_quota:whole model_stats:counts"},
		{"without a key", "GET", "/auth/quota", "", "Authorization: ", 401, detail},
		{"with an unknown one", "GET", "/auth/quota", "", "Authorization: Bearer sk-none", 401, detail},
		{"a query", "POST", "/auth/query", `{"api_key": "` + key + `"}`, "Authorization: ", 200, whole + " usage_percentage:number"},
		{"a query of an unknown key", "POST", "/auth/query", `{"api_key": "sk-none"}`, "Authorization: ", 404, detail},
		{"a query without one", "POST", "/auth/query", `{}`, "Authorization: ", 400, detail},
		{"a query that is no JSON", "POST", "/auth/query", `api_key`, "Authorization: ", 400, detail},
		{"the costs", "GET", "/auth/models/costs", "", "", 200, "default_cost:whole model_costs:counts"},
		{"a cost", "GET", "/auth/models/gemini-2.5-pro/cost", "", "Authorization: ", 200, cost + " is_default:yesno"},
		{"a new cost", "POST", "/auth/models/costs", `{"model_name": "gemini-2.5-pro", "cost": 8}`, "", 200, "message:text " + cost},
		{"its end", "DELETE", "/auth/models/costs/gemini-2.5-pro", "", "", 200, "message:text"},
		{"its end once more", "DELETE", "/auth/models/costs/gemini-2.5-pro", "", "", 404, detail},
		{"a negative cost", "POST", "/auth/models/costs", `{"model_name": "gemini-2.5-pro", "cost": -1}`, "", 400, detail},
		{"another method", "PUT", "/auth/keys", "", "", 405, detail},
		{"the end of a key", "DELETE", "/auth/keys/" + id, "", "", 200, "message:text api_key:text"},
		{"its end once more ", "DELETE", "/auth/keys/" + key, "", "", 404, detail},
	} {
		var heads []string
		if row.head != "" {
			heads = []string{row.head}
		}
		a := d.ask(row.method, row.path, row.body, heads...)
		fits(t, row.name, a, row.status, row.shape)
		if strings.Contains(a.body, key) {
			t.Errorf("%s: the key is shown once more: %s", row.name, a.body)
		}
		if mask := key[:9] + "..." + key[43:]; a.status == 200 && strings.HasPrefix(row.shape, "api_key") && a.json["api_key"] != mask {
			t.Errorf("%s: api_key is %v, want %s", row.name, a.json["api_key"], mask)
		}
		if stats, ok := a.json["model_stats"]; ok && (fmt.Sprint(stats) != "map[gemini-2.5-flash:3 gemini-2.5-pro:1]" || a.json["used_quota"] != 26.0) { // calls, not units
			t.Errorf("%s: %s", row.name, a.body)
		}
		if rows, _ := a.json["keys"].([]any); row.name == "the list" {
			if len(rows) != 3 || a.json["total_keys"] != 3.0 {
				t.Errorf("%s", a.body)
			}
			for _, r := range rows {
				one, _ := r.(map[string]any)
				want := whole
				if one["description"] == nil {
					want = strings.Replace(whole, "description:text", "description:null", 1)
				}
				fits(t, "one of the list", answer{status: 200, json: one}, 200, want+" id:text")
			}
		}
	}
}

// fits holds an answer against a shape: "name:kind name:kind". An answer of an error has nothing else.
func fits(t *testing.T, name string, a answer, status int, shape string) {
	t.Helper()
	if a.status != status || a.json == nil {
		t.Errorf("%s: %d %s, want %d", name, a.status, a.body, status)
	}
	for _, row := range strings.Fields(shape) {
		member, kind, _ := strings.Cut(row, ":")
		v, there := a.json[member]
		if !there || !isKind(v, kind) {
			t.Errorf("%s: %s is %v (%v), want %s", name, member, v, there, kind)
		}
	}
	if status >= 400 && len(a.json) != 1 {
		t.Errorf("%s: more than detail: %v", name, slices.Collect(maps.Keys(a.json)))
	}
}

func isKind(v any, kind string) bool {
	switch kind {
	case "text":
		s, is := v.(string)
		return is && s != ""
	case "null":
		return v == nil
	case "yesno":
		_, is := v.(bool)
		return is
	case "list":
		_, is := v.([]any)
		return is
	case "number", "whole":
		n, is := v.(float64)
		return is && (kind == "number" || n == float64(int64(n)))
	case "moment": // whole seconds of UTC, without a zone
		s, _ := v.(string)
		_, err := time.Parse("2006-01-02T15:04:05", s)
		return err == nil && len(s) == 19
	case "counts":
		all, is := v.(map[string]any)
		for _, n := range all {
			is = is && isKind(n, "whole")
		}
		return is
	}
	return false
}
