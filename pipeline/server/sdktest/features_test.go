package sdktest

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"time"
)

// asking is a request for one case, the same in every language.
type asking struct {
	Family  string         `json:"family"` // openai, responses, anthropic, genai
	Do      string         `json:"do"`     // whole, stream, talk (goes on with a description), complete, kept, list, get
	Gateway string         `json:"gateway"`
	Model   string         `json:"model"`
	Prompt  string         `json:"prompt"`
	Secret  string         `json:"secret,omitempty"`  // an API key of the gateway, in the place of the password
	Retries int            `json:"retries,omitempty"` // of the client itself
	More    map[string]any `json:"more,omitempty"`    // members that the clients have types for; of Google's the config
	Extra   map[string]any `json:"extra,omitempty"`   // and those that they have none for
}

// featured is a request and what the client must have shown.
type featured struct {
	proof
	asking
}

// family is what differs between the four ways to ask.
type family struct {
	name       string
	stop       string         // end of a whole answer
	shows      map[string]any // asks for thoughts
	unasked    bool           // thoughts are shown to whom does not ask
	apart      bool           // thoughts are no part of the answer's tokens
	search     map[string]any // asks for a search
	ignored    string         // and what of that is not passed on
	json       map[string]any // asks for an answer in JSON
	function   map[string]any // declares a function
	citation   string         // type of what is cited
	thoughtful []string       // items of an answer with thoughts; nil where there are no items
}

func families() []family {
	parameters := map[string]any{"type": "object", "properties": map[string]any{}}
	object := func(name string, value any) map[string]any { return map[string]any{name: value} }
	tool := func(of map[string]any) map[string]any { return object("tools", []any{of}) }
	return []family{
		{name: "openai", stop: "stop", unasked: true, citation: "url_citation", shows: map[string]any{"reasoning_effort": "medium"},
			search: object("web_search_options", object("search_context_size", "low")), ignored: "web_search_options.search_context_size",
			json:     object("response_format", object("type", "json_object")),
			function: tool(map[string]any{"type": "function", "function": map[string]any{"name": "f", "parameters": parameters}})},
		{name: "responses", stop: "completed", citation: "url_citation", shows: object("reasoning", map[string]any{"effort": "medium", "summary": "auto"}),
			search:     tool(object("type", "web_search")),
			json:       object("text", object("format", object("type", "json_object"))),
			function:   tool(map[string]any{"type": "function", "name": "f", "parameters": parameters, "strict": false}),
			thoughtful: []string{"reasoning", "message"}},
		{name: "anthropic", stop: "end_turn", citation: "web_search_result_location", shows: object("thinking", map[string]any{"type": "enabled", "budget_tokens": 8192}),
			search:     tool(map[string]any{"type": "web_search_20250305", "name": "web_search"}),
			json:       object("output_config", object("format", map[string]any{"type": "json_schema", "schema": map[string]any{"type": "object", "properties": object("echo", object("type", "string"))}})),
			function:   tool(map[string]any{"name": "f", "input_schema": parameters}),
			thoughtful: []string{"thinking", "text"}},
		{name: "genai", stop: "STOP", unasked: true, apart: true, citation: "web", shows: object("thinkingConfig", map[string]any{"includeThoughts": true, "thinkingBudget": 8192}),
			search:   tool(object("googleSearch", map[string]any{})),
			json:     object("responseMimeType", "application/json"),
			function: tool(object("functionDeclarations", []any{map[string]any{"name": "f"}}))},
	}
}

// two are the gateways of these tests: one with everything on, and a quiet one that shows no thoughts unasked,
// searches nothing and lists all there is.
type two struct{ loud, quiet *house }

const (
	patient    = "[stage.shape]\nfirst_byte_grace = \"60s\"\n" // headers tell who answered, also on a busy machine
	loudConfig = patient + "[models.alias]\n\"gpt-*\" = \"gemini-2.5-flash\"\n\"claude-*\" = \"gemini-2.5-flash-low\"\n" +
		"[models.fallback]\n\"gemini-2.5-pro\" = \"gemini-2.5-flash\"\n"
	quietConfig = patient + "[models]\nlisting = \"all\"\n[stage.thinking]\nreturn_thoughts = false\n[stage.search]\nenabled = false\n"
)

// features holds the clients to what the features of a name do, with both kinds of credentials.
func (l language) features(t *testing.T) {
	for _, kind := range credentials() {
		t.Run("features/"+kind, func(t *testing.T) {
			t.Parallel()
			h := two{open(t, kind, loudConfig), open(t, kind, quietConfig)}
			t.Cleanup(func() { h.loud.idle(t, 10*time.Second) })
			var proofs []proof
			asks := map[string]asking{}
			houses := []*house{h.loud, h.quiet}
			for _, f := range families() {
				// Five answers in a row that break off would stop all others of the model: each family has its own few.
				own := two{open(t, kind, loudConfig), h.quiet}
				houses = append(houses, own.loud)
				all := f.uncut(own)
				for i := range all {
					all[i].Gateway = own.loud.url
				}
				for _, c := range slices.Concat(all, f.thinking(h), f.searching(h), f.names(h, l)) {
					c.name, c.Family = f.name+"_"+c.name, f.name
					if c.Gateway == "" {
						c.Gateway = h.loud.url
					}
					if _, twice := asks[c.name]; twice {
						t.Fatalf("two cases are called %s", c.name)
					}
					asks[c.name], proofs = c.asking, append(proofs, c.proof)
				}
			}
			names := slices.Sorted(maps.Keys(asks))
			hold(t, proofs, names, l.ask(t, houses, names, asks))
		})
	}
}

// ask plays the cases in one go: a client has enough to do with starting.
func (l language) ask(t *testing.T, houses []*house, names []string, asks map[string]asking) map[string]told {
	t.Helper()
	if l.program == "" {
		cases := map[string]goCase{}
		for name, a := range asks {
			at := slices.IndexFunc(houses, func(h *house) bool { return h.url == a.Gateway })
			cases[name] = houses[at].retrying(t, a.Retries).keyed(t, a.Secret).goCase(a)
		}
		return play(t, "features", names, cases)
	}
	text, err := json.Marshal(asks)
	if err != nil {
		t.Fatal(err)
	}
	return l.read(t, "features", names, []string{"PASSWORD=" + password, "ASKS=" + string(text)})
}

// both makes a case for an answer in one piece and one for a stream, whose pieces must be the same answer.
func both(name string, a asking, check func(*testing.T, told)) []featured {
	whole, stream := a, a
	whole.Do, stream.Do = "whole", "stream"
	return []featured{{proof{name, check}, whole}, {proof{name + "_stream", func(t *testing.T, s told) {
		if check(t, s); s.Error == nil && (!s.Same || s.Finishes != 1) {
			t.Errorf("%d reasons to finish, the same as the whole: %v", s.Finishes, s.Same)
		}
	}}, stream}}
}

// shown is the name of the model as an answer has it: as it was asked for, or, in Google's own format, as
// Google says it.
func (f family) shown(asked, base string) string {
	if f.name == "genai" {
		return base
	}
	return asked
}

// said is a whole answer.
func (f family) said(t *testing.T, s told, model, text string) {
	t.Helper()
	if s.Error != nil || s.Text != text || s.Finish != f.stop || s.Model != model {
		t.Errorf("not the answer of %s that ends with %s: %.300q", model, f.stop, text)
	}
}

// left out, and named.
func (s told) leaves(t *testing.T, dropped string) {
	t.Helper()
	if s.Dropped != dropped {
		t.Errorf("X-Dropped-Params %q, want %q", s.Dropped, dropped)
	}
}
