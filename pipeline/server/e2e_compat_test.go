package server_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"gcli2api/pipeline/simulator"
)

// described finds what the simulator says it got, in an answer of any language.
func described(t *testing.T, body []byte) (d simulator.Description) {
	t.Helper()
	var whole any
	if err := json.Unmarshal(body, &whole); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	found := false
	var look func(v any)
	look = func(v any) {
		switch v := v.(type) {
		case string:
			found = found || strings.HasPrefix(v, `{"model":`) && json.Unmarshal([]byte(v), &d) == nil
		case []any:
			for _, e := range v {
				look(e)
			}
		case map[string]any:
			for _, e := range v {
				look(e)
			}
		}
	}
	if look(whole); !found {
		t.Fatalf("no description in %s", body)
	}
	return d
}

// What Google gets with the mode on and off, by header and by setting.
func TestCompatibilityMode(t *testing.T) {
	t.Parallel()
	const gemini = "/v1beta/models/" + flash + ":generateContent"
	const model = `"model":"` + flash + `",`
	rows := []struct {
		name, path, body string
		system           string   // with the mode off
		off, on          []string // texts of the turns
		roles            []string // with the mode on; nil where the client names none
	}{
		{"chat", "/v1/chat/completions", `{` + model + `"messages":[{"role":"system","content":"be brief"},{"role":"developer","content":"be kind"},{"role":"user","content":"hi"},
			{"role":"assistant","content":"hello"},{"role":"system","content":"be quick"},{"role":"user","content":"!describe"}]}`,
			"be brief\nbe kind", []string{"hi", "hello", "be quick\n!describe"}, []string{"be brief\nbe kind\nhi", "hello", "be quick\n!describe"}, []string{"user", "model", "user"}},
		{"chat, one turn", "/v1/chat/completions", `{` + model + `"messages":[{"role":"system","content":"be brief"},{"role":"user","content":"!describe"}]}`,
			"be brief", []string{"!describe"}, []string{"be brief\n!describe"}, []string{"user"}},
		{"gemini", gemini, `{"systemInstruction":{"parts":[{"text":"be brief"},{"text":"be kind"}]},"contents":[{"role":"user","parts":[{"text":"hi"}]},{"role":"model","parts":[{"text":"hello"}]},{"role":"user","parts":[{"text":"!describe"}]}]}`,
			"be brief\nbe kind", []string{"hi", "hello", "!describe"}, []string{"be brief\nbe kind\nhi", "hello", "!describe"}, []string{"user", "model", "user"}},
		{"gemini, in the other spelling, no role", gemini, `{"system_instruction":{"parts":[{"text":"be brief"}]},"contents":[{"parts":[{"text":"!describe"}]}]}`,
			"be brief", []string{"!describe"}, []string{"be brief\n!describe"}, nil},
		{"messages", "/v1/messages", `{` + model + `"max_tokens":1000,"system":[{"type":"text","text":"be brief"}],"messages":[{"role":"user","content":"!describe"}]}`,
			"be brief", []string{"!describe"}, []string{"be brief\n!describe"}, []string{"user"}},
		{"responses", "/v1/responses", `{` + model + `"instructions":"be brief","input":[{"role":"user","content":"hi"},{"role":"assistant","content":"hello"},{"role":"user","content":"!describe"}]}`,
			"be brief", []string{"hi", "hello", "!describe"}, []string{"be brief\nhi", "hello", "!describe"}, []string{"user", "model", "user"}},
		{"no instruction", "/v1/chat/completions", `{` + model + `"messages":[{"role":"user","content":"!describe"}]}`,
			"", []string{"!describe"}, []string{"!describe"}, []string{"user"}},
	}
	for _, kind := range []launch{{accounts: 1}, {keys: 1}} {
		for _, setting := range []string{"", "true"} {
			l := kind
			l.sim = google(t, l.accounts, l.keys)
			if setting != "" {
				l.env = map[string]string{"COMPATIBILITY_MODE": setting}
			}
			g := start(t, l)
			for _, row := range rows {
				for _, asked := range []string{"", "system-to-user", "off"} {
					r := g.post(row.path, row.body, header("X-Compat", asked))
					if r.status != 200 {
						t.Errorf("%s, setting %q, header %q: %d %s", row.name, setting, asked, r.status, r.body)
						continue
					}
					on := asked == "system-to-user" || asked == "" && setting != ""
					d := described(t, r.body)
					if on && (d.System != "" || slices.Contains(d.Members, "systemInstruction") || !slices.Equal(d.Texts, row.on) || row.roles != nil && !slices.Equal(d.Roles, row.roles)) ||
						!on && (d.System != row.system || !slices.Equal(d.Texts, row.off)) {
						t.Errorf("%s, setting %q, header %q: %+v", row.name, setting, asked, d)
					}
				}
			}
		}
	}
}

// A dialogue with calls keeps its order, which Google holds to.
func TestCompatibilityModeWithFunctions(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	g := start(t, launch{sim: sim, accounts: 1, env: map[string]string{"COMPATIBILITY_MODE": "true"}})
	for name, a := range agents() {
		plain := a.history
		a.history = func(items []any) map[string]any {
			m := plain(items)
			switch name {
			case "chat":
				m["messages"] = append([]any{object("role", "system", "content", "be brief")}, items...)
			case "responses":
				m["instructions"] = "be brief"
			default:
				m["system"] = "be brief"
			}
			return m
		}
		steps, text := a.run(t, g, "gemini-3-flash-preview", `call get_weather {"city":"Oslo"} then call get_time {"city":"Oslo"}`, nil)
		if len(steps) != 2 || !strings.Contains(text, "result of get_time") {
			t.Errorf("%s: %+v, text %q", name, steps, text)
		}
		if body := string(lastCall(sim).Body); strings.Contains(body, "systemInstruction") || !strings.Contains(body, "be brief") {
			t.Errorf("%s: %s", name, body)
		}
	}
}

// What the header may not say is refused in the client's language, before Google is asked.
func TestCompatHeaderRefused(t *testing.T) {
	t.Parallel()
	sim := google(t, 1, 0)
	on := start(t, launch{sim: sim, accounts: 1})
	off := start(t, launch{sim: sim, accounts: 1, config: "[stage.compat]\nenabled = false\n"})
	without := start(t, launch{sim: sim, accounts: 1, config: "[pipeline]\norder = [\"auth\", \"quota\", \"format\", \"model\", \"translate\", \"credential\", \"upstream\", \"retry\", \"shape\", \"usage\"]\n"})
	for _, l := range languages() {
		for _, stream := range []string{"false", "true"} {
			fill := strings.NewReplacer("MODEL", flash, "STREAM", stream, "PROMPT", "hello")
			path, body := fill.Replace(l.path), fill.Replace(l.body)
			if r := on.post(path, body, header("X-Compat", "yes")); r.status != 400 || !strings.Contains(string(r.body), "X-Compat") || !strings.Contains(string(r.body), "system-to-user") {
				t.Errorf("%s: %d %s", l.name, r.status, r.body)
			}
			for which, g := range map[string]*gateway{"off": off, "missing": without} {
				if r := g.post(path, body, header("X-Compat", "system-to-user")); r.status != 400 || !strings.Contains(string(r.body), "switched off on this gateway") {
					t.Errorf("%s, %s: %d %s", l.name, which, r.status, r.body)
				}
			}
		}
	}
	if n := len(sim.CallsOf("generateContent", "streamGenerateContent")); n != 0 {
		t.Errorf("%d calls", n)
	}
	shown := on.get("/v1/models", header("Origin", "https://chat.example")).header.Get("Access-Control-Expose-Headers")
	for _, name := range []string{"X-Model-Fallback", "X-RateLimit-Remaining-Tokens", "Anthropic-RateLimit-Tokens-Reset"} {
		if !strings.Contains(shown, name) {
			t.Errorf("a page may not read %s: %s", name, shown)
		}
	}
	for _, g := range []*gateway{off, without} {
		if r := languages()[0].ask(g, flash, "hello", false); r.status != 200 {
			t.Errorf("without the header: %d %s", r.status, r.body)
		}
	}
}
