package openai

import (
	"reflect"
	"testing"

	"gcli2api/pipeline/wire/gemini"
)

func TestThinking(t *testing.T) {
	flash25 := gemini.Target{Major: 2, Minor: 5, Limits: limits("gemini-2.5-flash")}
	lite25 := gemini.Target{Major: 2, Minor: 5, Limits: limits("gemini-2.5-flash-lite")}
	pro3 := gemini.Target{Major: 3, Limits: limits("gemini-3-pro")}
	pro31 := gemini.Target{Major: 3, Minor: 1, Limits: limits("gemini-3.1-pro")}
	flash3 := gemini.Target{Major: 3, Limits: limits("gemini-3-flash")}
	flash37 := gemini.Target{Major: 3, Minor: 7, Limits: limits("gemini-3.7-flash")}
	latest := gemini.Target{Limits: limits("gemini-flash-latest")}
	gemma := gemini.Target{}
	for _, c := range []struct {
		fields  string
		o       gemini.Target
		config  string
		ignored []string
	}{
		{fields: `"reasoning_effort":"none"`, o: pro25, config: `"thinkingBudget":128`},
		{fields: `"reasoning_effort":"none"`, o: flash25, config: `"thinkingBudget":0`},
		{fields: `"reasoning_effort":"minimal"`, o: flash25, config: `"thinkingBudget":1024,"includeThoughts":true`},
		{fields: `"reasoning_effort":"low"`, o: lite25, config: `"thinkingBudget":1024,"includeThoughts":true`},
		{fields: `"reasoning_effort":"medium"`, o: pro25, config: `"thinkingBudget":8192,"includeThoughts":true`},
		{fields: `"reasoning_effort":"high"`, o: flash25, config: `"thinkingBudget":24576,"includeThoughts":true`},
		{fields: `"reasoning_effort":"none"`, o: pro3, config: `"thinkingLevel":"LOW"`},
		{fields: `"reasoning_effort":"none"`, o: flash3, config: `"thinkingLevel":"MINIMAL"`},
		{fields: `"reasoning_effort":"minimal"`, o: pro31, config: `"thinkingLevel":"LOW","includeThoughts":true`},
		{fields: `"reasoning_effort":"medium"`, o: pro3, config: `"thinkingLevel":"HIGH","includeThoughts":true`},
		{fields: `"reasoning_effort":"medium"`, o: pro31, config: `"thinkingLevel":"MEDIUM","includeThoughts":true`},
		{fields: `"reasoning_effort":"minimal"`, o: flash37, config: `"thinkingLevel":"LOW","includeThoughts":true`},
		{fields: `"reasoning_effort":"minimal"`, o: latest, config: `"thinkingLevel":"LOW","includeThoughts":true`},
		{fields: `"reasoning_effort":"high"`, o: gemma, ignored: []string{"reasoning_effort"}},
		{fields: `"thinking":{"thinking_budget":5}`, o: gemma, ignored: []string{"thinking"}},
		{fields: `"reasoning_effort":null`, o: pro25},

		{fields: `"extra_body":{"google":{"thinking_config":{"include_thoughts":true,"thinking_budget":800}}}`, o: pro25, config: `"thinkingBudget":800,"includeThoughts":true`},
		{fields: `"google":{"thinking_config":{"include_thoughts":false}}`, o: pro25, config: `"includeThoughts":false`},
		{fields: `"google":{"thinkingConfig":{"thinkingBudget":-1}}`, o: pro25, config: `"thinkingBudget":-1`},
		{fields: `"thinking":{"include_thoughts":true,"thinking_budget":0}`, o: flash25, config: `"thinkingBudget":0`},
		{fields: `"thinking":{"thinking_budget":100000}`, o: pro25, config: `"thinkingBudget":32768`, ignored: []string{"thinking_budget=32768"}},
		{fields: `"thinking":{"thinking_budget":10}`, o: lite25, config: `"thinkingBudget":512`, ignored: []string{"thinking_budget=512"}},
		{fields: `"thinking":{"thinking_level":"HIGH"}`, o: flash25, config: `"thinkingBudget":24576`, ignored: []string{"thinking_budget=24576"}},
		{fields: `"thinking":{"thinking_level":"low","include_thoughts":true}`, o: flash3, config: `"thinkingLevel":"LOW","includeThoughts":true`},
		{fields: `"thinking":{"thinking_budget":4000}`, o: flash3, config: `"thinkingLevel":"MEDIUM"`, ignored: []string{"thinking_level=MEDIUM"}},
		{fields: `"thinking":{"thinking_budget":-1,"include_thoughts":true}`, o: flash3, config: `"includeThoughts":true`},
		{fields: `"thinking":{"type":"enabled","budget_tokens":2000}`, o: pro25, config: `"thinkingBudget":2000,"includeThoughts":true`},
		{fields: `"thinking":{"type":"disabled"}`, o: flash25, config: `"thinkingBudget":0`},
		{fields: `"reasoning_effort":"low","google":{"thinking_config":{"include_thoughts":false}}`, o: pro25, config: `"thinkingBudget":1024,"includeThoughts":false`},
		{fields: `"extra_body":{"google":{"other":1},"more":2}`, o: pro25, ignored: []string{"extra_body.google.other", "extra_body.more"}},
	} {
		hub, r, err := translate(t, `{`+c.fields+`,"messages":[`+hi+`]}`, c.o)
		if err != nil {
			t.Errorf("%s: %v", c.fields, err)
			continue
		}
		want := `{"contents":[` + hiTurn + `]}`
		if c.config != "" {
			want = want[:len(want)-1] + `,"generationConfig":{"thinkingConfig":{` + c.config + `}}}`
		}
		if hub != want {
			t.Errorf("%s for %+v:\ngot  %s\nwant %s", c.fields, c.o, hub, want)
		}
		if !reflect.DeepEqual(r.Ignored, c.ignored) {
			t.Errorf("%s: ignored %q, want %q", c.fields, r.Ignored, c.ignored)
		}
	}
}

func TestThinkingTwoWays(t *testing.T) {
	for fields, param := range map[string]string{
		`"reasoning_effort":"low","thinking":{"thinking_budget":1}`:                      "reasoning_effort",
		`"reasoning_effort":"low","google":{"thinking_config":{"thinking_level":"low"}}`: "reasoning_effort",
		`"thinking":{"thinking_budget":1,"thinking_level":"low"}`:                        "thinking_budget",
	} {
		if _, _, err := translate(t, `{`+fields+`,"messages":[`+hi+`]}`, pro25); err == nil || err.Param != param {
			t.Errorf("%s: %v", fields, err)
		}
	}
}
