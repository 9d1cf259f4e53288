package sdktest

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"gcli2api/pipeline/simulator"
)

const page = "https://vertexaisearch.cloud.google.com/grounding-api-redirect/simulated"

// searching are answers that rest on pages, and say so where the client has a place for it.
func (f family) searching(h two) (all []featured) {
	const prompt = `Grüße aus Köln. 世界和平。 😀 "ok". Ende`
	cites := func(model, base, ignored string) func(*testing.T, told) {
		return func(t *testing.T, s told) {
			f.said(t, s, f.shown(model, base), "echo: "+prompt)
			s.leaves(t, ignored)
			var want []string
			for _, said := range []string{"echo: Grüße aus Köln. ", "世界和平。", ` 😀 "ok". `, "Ende"} {
				want = append(want, f.citation+" "+said+"@"+page)
			}
			if !slices.Equal(s.Cited, want) {
				t.Errorf("cited %q, want %q", s.Cited, want)
			}
			if f.name == "responses" && !slices.Contains(s.Items, "web_search_call") {
				t.Errorf("items %q", s.Items)
			}
		}
	}
	ask := func(model string, more map[string]any) asking {
		return asking{Model: model, Prompt: prompt, More: more}
	}
	all = append(all, both("search", ask(flash+"-search", nil), cites(flash+"-search", flash, ""))...)
	all = append(all, both("search_3", ask(gemini3+"-search", nil), cites(gemini3+"-search", gemini3, ""))...)
	all = append(all, both("search_asked", ask(flash, f.search), cites(flash, flash, f.ignored))...)
	all = append(all, both("search_twice", ask(flash+"-search", f.search), cites(flash+"-search", flash, f.ignored))...)
	all = append(all, both("search_fake", ask("假流式/"+flash+"-search", nil), cites("假流式/"+flash+"-search", flash, ""))...)
	if f.name == "openai" {
		tool := asking{Model: flash, Prompt: prompt, Extra: map[string]any{"tools": []any{map[string]any{"type": "web_search"}}}}
		all = append(all, both("search_tool", tool, cites(flash, flash, ""))...)
	}
	all = append(all, both("search_not", ask(flash, nil), func(t *testing.T, s told) {
		if f.said(t, s, flash, "echo: "+prompt); len(s.Cited) > 0 || slices.Contains(s.Items, "web_search_call") {
			t.Errorf("cited %q without a search", s.Cited)
		}
	})...)
	all = append(all, both("search_function", ask(flash+"-search", f.function), func(t *testing.T, s told) { // not both, before Gemini 3
		f.said(t, s, f.shown(flash+"-search", flash), "echo: "+prompt)
		if s.leaves(t, "-search"); len(s.Cited) > 0 {
			t.Errorf("cited %q", s.Cited)
		}
	})...)
	talk := ask(flash+"-search", nil)
	talk.Do = "talk"
	return append(all, featured{proof{"search_talk", func(t *testing.T, s told) { // an answer that rests on pages goes back
		d := description(t, s.Text)
		want := []string{prompt, "echo: " + prompt, "!describe"}
		for i := range d.Texts { // Google's client keeps the pieces of a stream
			d.Texts[i] = strings.ReplaceAll(d.Texts[i], "\n", "")
		}
		if s.Error != nil || !slices.Equal(d.Texts, want) || !slices.Equal(d.Tools, []string{"googleSearch"}) {
			t.Errorf("texts %q, tools %q", d.Texts, d.Tools)
		}
	}}, talk})
}

// names are aliases, fallbacks, listings and what is switched off.
func (f family) names(h two, l language) (all []featured) {
	h.loud.sim.Script(simulator.Fault{Do: "404", Model: resting, Count: -1})
	describe := func(name, model, base, thinking, fallback string) []featured {
		return both(name, asking{Model: model, Prompt: "!describe"}, func(t *testing.T, s told) {
			if s.Error != nil {
				t.Fatalf("%+v", s.Error)
			}
			d := description(t, s.Text)
			if s.Model != f.shown(model, base) || d.Model != base || s.Fallback != fallback {
				t.Errorf("%s answers as %q, header %q, want %q, %q", d.Model, s.Model, s.Fallback, f.shown(model, base), fallback)
			}
			if got, _ := json.Marshal(d.ThinkingConfig["thinkingBudget"]); string(got) != thinking {
				t.Errorf("thinks %s, want %s", got, thinking)
			}
		})
	}
	all = append(all, describe("alias", "gpt-5-nano", flash, "null", "")...)
	all = append(all, describe("alias_feature", "claude-sonnet-4-5-20250929", flash, "1024", "")...)
	all = append(all, describe("alias_other_feature", "claude-haiku-4-5-thinking-8192", flash, "8192", "")...)
	all = append(all, describe("fallback", resting, flash, "null", flash)...)
	all = append(all, describe("fallback_feature", resting+"-low", flash, "1024", flash)...)
	all = append(all, describe("fallback_fake", "假流式/"+resting, flash, "null", flash)...)
	all = append(all, both("off", asking{Gateway: h.quiet.url, Model: flash + "-search", Prompt: "Hello"}, func(t *testing.T, s told) {
		f.off(t, l, s)
	})...)
	if f.name == "responses" { // lists with the rest of OpenAI's client
		return all
	}
	return append(all, f.listings(h, l)...)
}

// off: a feature that is switched off is refused, by name.
func (f family) off(t *testing.T, l language, s told) {
	t.Helper()
	switch f.name {
	case "genai":
		s.refusedBy(t, l.client, 400, "INVALID_ARGUMENT", "feature_disabled")
	case "anthropic":
		s.refused(t, "BadRequestError", 400, "", "invalid_request_error")
	default:
		s.refused(t, "BadRequestError", 400, "feature_disabled", "invalid_request_error")
	}
	if s.Error != nil && !strings.Contains(s.Error.Message, "-search") {
		t.Errorf("the error is %+v", s.Error)
	}
}

// listings: what is on is listed, and found by its name.
func (f family) listings(h two, l language) []featured {
	prefix := ""
	if f.name == "genai" {
		prefix = "models/"
	}
	list := func(name string, at *house, want, not []string) featured {
		return featured{proof{name, func(t *testing.T, s told) {
			once := map[string]int{}
			for _, n := range s.Names {
				once[strings.TrimPrefix(n, prefix)]++
			}
			for _, n := range want {
				if once[n] != 1 {
					t.Errorf("%s is listed %d times", n, once[n])
				}
			}
			for n := range maps.Keys(once) {
				if slices.ContainsFunc(not, func(part string) bool { return strings.Contains(n, part) }) {
					t.Errorf("%s is listed", n)
				}
			}
		}}, asking{Do: "list", Gateway: at.url}}
	}
	single := []string{flash, "假流式/" + flash, "流式抗截断/" + flash, flash + "-search", flash + "-maxthinking", flash + "-nothinking", gemini3 + "-search", "gemini-2.5-flash-image"}
	every := []string{flash, "假流式/" + flash, "流式抗截断/" + flash + "-high", flash + "-low"}
	all := []featured{list("models", h.loud, single, []string{"gpt", "claude", "-low"}), list("models_all", h.quiet, every, []string{"-search"})}
	for name, of := range map[string][2]string{
		"model":       {flash + "-search", flash + "-search"},
		"model_slash": {"流式抗截断/" + flash, "流式抗截断/" + flash},
		"model_many":  {"假流式/流式抗截断/" + flash + "-maxthinking-search", "假流式/流式抗截断/" + flash + "-maxthinking-search"},
		"model_alias": {"claude-opus-4-5", flash + "-low"}, // who is behind it
	} {
		all = append(all, featured{proof{name, func(t *testing.T, s told) { s.named(t, prefix+of[1]) }}, asking{Do: "get", Model: of[0]}})
	}
	return append(all, featured{proof{"model_off", func(t *testing.T, s told) { f.off(t, l, s) }}, asking{Do: "get", Gateway: h.quiet.url, Model: flash + "-search"}})
}
