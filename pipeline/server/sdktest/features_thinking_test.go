package sdktest

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// amount is what a client asks of a model's thoughts, and what Google gets.
type amount struct {
	name, model string // behind gemini-2.5-flash, or a whole name
	more, extra map[string]any
	want        string // thinkingConfig at Google
	shown       bool   // the client shows thoughts
	dropped     string
}

// amounts are those of one family: what the suffixes say, and fields beside them, which come first.
func (f family) amounts() []amount {
	object := func(name string, value any) map[string]any { return map[string]any{name: value} }
	switch f.name {
	case "openai":
		hidden := object("extra_body", object("google", object("thinking_config", object("include_thoughts", false))))
		return []amount{
			{"max", "-maxthinking", nil, nil, `{"includeThoughts":true,"thinkingBudget":24576}`, true, ""},
			{"none", "-nothinking", nil, nil, `{"thinkingBudget":0}`, false, ""},
			{"tokens", "-thinking-8192", nil, nil, `{"includeThoughts":true,"thinkingBudget":8192}`, true, ""},
			{"level", gemini3 + "-maxthinking", nil, nil, `{"includeThoughts":true,"thinkingLevel":"HIGH"}`, true, ""},
			{"field", "-maxthinking", object("reasoning_effort", "low"), nil, `{"includeThoughts":true,"thinkingBudget":1024}`, true, "-maxthinking"},
			{"field_off", "-high", object("reasoning_effort", "none"), nil, `{"thinkingBudget":0}`, false, "-high"},
			{"hidden", "-high", nil, hidden, `{"includeThoughts":false,"thinkingBudget":16000}`, false, ""},
		}
	case "responses":
		summary := object("reasoning", object("summary", "auto"))
		return []amount{
			{"max", "-maxthinking", summary, nil, `{"includeThoughts":true,"thinkingBudget":24576}`, true, ""},
			{"max_unasked", "-maxthinking", nil, nil, `{"thinkingBudget":24576}`, false, ""},
			{"none", "-nothinking", nil, nil, `{"thinkingBudget":0}`, false, ""},
			{"tokens", "-thinking-8192", summary, nil, `{"includeThoughts":true,"thinkingBudget":8192}`, true, ""},
			{"level", gemini3 + "-thinking-8192", summary, nil, `{"includeThoughts":true,"thinkingLevel":"MEDIUM"}`, true, "thinkingLevel=MEDIUM"},
			{"field", "-maxthinking", object("reasoning", map[string]any{"effort": "low", "summary": "auto"}), nil, `{"includeThoughts":true,"thinkingBudget":1024}`, true, "-maxthinking"},
		}
	case "anthropic":
		thinking := func(kind string, more ...any) map[string]any {
			of := object("type", kind)
			for _, tokens := range more {
				of["budget_tokens"] = tokens
			}
			return object("thinking", of)
		}
		return []amount{
			{"max", "-maxthinking", thinking("adaptive"), nil, `{"includeThoughts":true,"thinkingBudget":24576}`, true, ""},
			{"max_unasked", "-maxthinking", nil, nil, `{"thinkingBudget":24576}`, false, ""},
			{"none", "-nothinking", nil, nil, `{"thinkingBudget":0}`, false, ""},
			{"tokens", "-thinking-8192", thinking("adaptive"), nil, `{"includeThoughts":true,"thinkingBudget":8192}`, true, ""},
			{"field", "-maxthinking", thinking("enabled", 2048), nil, `{"includeThoughts":true,"thinkingBudget":2048}`, true, "-maxthinking"},
			{"field_off", "-high", thinking("disabled"), nil, `{"thinkingBudget":0}`, false, "-high"},
		}
	}
	config := func(name string, value any) map[string]any { return object("thinkingConfig", object(name, value)) }
	return []amount{
		{"max", "-maxthinking", nil, nil, `{"includeThoughts":true,"thinkingBudget":24576}`, true, ""},
		{"none", "-nothinking", nil, nil, `{"thinkingBudget":0}`, false, ""},
		{"tokens", "-thinking-8192", nil, nil, `{"includeThoughts":true,"thinkingBudget":8192}`, true, ""},
		{"level", gemini3 + "-nothinking", nil, nil, `{"thinkingLevel":"MINIMAL"}`, false, ""},
		{"field", "-low", config("thinkingBudget", 2000), nil, `{"includeThoughts":true,"thinkingBudget":2000}`, true, "-low"},
		{"field_level", gemini3 + "-maxthinking", config("thinkingLevel", "LOW"), nil, `{"includeThoughts":true,"thinkingLevel":"LOW"}`, true, "-maxthinking"},
		{"shown", "-low", config("includeThoughts", true), nil, `{"includeThoughts":true,"thinkingBudget":1024}`, true, ""},
	}
}

// thinking are the suffixes that say how much a model thinks, alone and beside fields that say it too.
func (f family) thinking(h two) (all []featured) {
	of := func(at *house, a amount) []featured {
		if strings.HasPrefix(a.model, "-") {
			a.model = flash + a.model
		}
		return both("thinking_"+a.name, asking{Gateway: at.url, Model: a.model, Prompt: "!describe", More: a.more, Extra: a.extra}, func(t *testing.T, s told) {
			f.thinks(t, s, a)
		})
	}
	for _, a := range f.amounts() {
		all = append(all, of(h.loud, a)...)
	}
	asked := amount{name: "quiet_asked", model: "-maxthinking", want: `{"includeThoughts":true,"thinkingBudget":24576}`, shown: true}
	for _, a := range f.amounts() { // the request that shows thoughts beside the same suffix
		if a.name == "max" {
			asked.more = a.more
		}
	}
	switch f.name {
	case "openai":
		asked.extra = map[string]any{"extra_body": map[string]any{"google": map[string]any{"thinking_config": map[string]any{"include_thoughts": true}}}}
	case "genai":
		asked.more = map[string]any{"thinkingConfig": map[string]any{"includeThoughts": true}}
	}
	all = append(all, of(h.quiet, asked)...)
	return append(all, of(h.quiet, amount{name: "quiet", model: "-maxthinking", want: `{"thinkingBudget":24576}`})...)
}

// thinks: what was asked arrived, and thoughts stand where the client has a place for them.
func (f family) thinks(t *testing.T, s told, a amount) {
	t.Helper()
	if s.Error != nil {
		t.Fatalf("%+v", s.Error)
	}
	if s.leaves(t, a.dropped); s.Finish != f.stop {
		t.Errorf("it ends with %s", s.Finish)
	}
	if got, _ := json.Marshal(description(t, s.Text).ThinkingConfig); string(got) != a.want {
		t.Errorf("Google received %s, want %s", got, a.want)
	}
	if strings.HasPrefix(s.Thoughts, "**Reading the request**") != a.shown || !a.shown && s.Thoughts != "" {
		t.Errorf("thoughts %q", s.Thoughts)
	}
	if want := f.thoughtful; want != nil {
		if !a.shown {
			want = want[1:]
		}
		if !slices.Equal(s.Items, want) {
			t.Errorf("items %q, want %q", s.Items, want)
		}
	}
}
