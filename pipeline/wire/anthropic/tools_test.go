package anthropic

import (
	"reflect"
	"strings"
	"testing"

	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

const (
	tool1 = `{"name":"f","description":"does f","input_schema":{"type":"object","properties":{"a":{"type":"integer"}}}}`
	decl1 = `{"name":"f","description":"does f","parametersJsonSchema":{"type":"object","properties":{"a":{"type":"integer"}}}}`
	tool2 = `{"type":"custom","name":"查","input_schema":{"type":"object","properties":{}},"cache_control":{"type":"ephemeral"},"strict":true,"defer_loading":true}`
)

// before is what of a hub request stands before the contents.
func before(hub string) string {
	head, _, _ := strings.Cut(hub, `"contents":`)
	return head
}

func TestTools(t *testing.T) {
	decl2 := `{"name":"` + fitted("查") + `","parametersJsonSchema":{"type":"object","properties":{}}}`
	both := `{"tools":[{"functionDeclarations":[` + decl1 + `,` + decl2 + `]}],`
	calling := func(inside string) string { return `"toolConfig":{"functionCallingConfig":{` + inside + `}},` }
	search := `{"type":"web_search_20250305","name":"web_search","max_uses":5}`
	for more, want := range map[string]string{
		``:                                       `{`,
		`,"tools":[]`:                            `{`,
		`,"tools":null`:                          `{`,
		`,"tool_choice":{"type":"none"}`:         `{`,
		`,"tools":[` + tool1 + `,` + tool2 + `]`: both,
		`,"tools":[` + tool1 + `,` + tool2 + `],"tool_choice":{"type":"auto"}`:            both,
		`,"tools":[` + tool1 + `,` + tool2 + `],"tool_choice":{"type":"any"}`:             both + calling(`"mode":"ANY"`),
		`,"tools":[` + tool1 + `,` + tool2 + `],"tool_choice":{"type":"none"}`:            both + calling(`"mode":"NONE"`),
		`,"tools":[` + tool1 + `,` + tool2 + `],"tool_choice":{"type":"tool","name":"查"}`: both + calling(`"mode":"ANY","allowedFunctionNames":["`+fitted("查")+`"]`),
		`,"tools":[` + search + `]`: `{"tools":[{"googleSearch":{}}],`,
		`,"tools":[` + search + `],"tool_choice":{"type":"tool","name":"web_search"}`: `{"tools":[{"googleSearch":{}}],`,
		`,"tools":[` + search + `],"tool_choice":{"type":"none"}`:                     `{`,
		`,"tools":[{"type":"web_search_20260318","name":"web_search"},{"type":"web_fetch_20250910","name":"web_fetch"},{"type":"code_execution_20250825","name":"code_execution"},` + search + `]`: `{"tools":[{"googleSearch":{}},{"urlContext":{}},{"codeExecution":{}}],`,
		`,"tools":[` + search + `,` + tool1 + `]`:                                                   `{"tools":[{"functionDeclarations":[` + decl1 + `]},{"googleSearch":{}}],`,
		`,"tools":[` + search + `,` + tool1 + `],"tool_choice":{"type":"any"}`:                      `{"tools":[{"functionDeclarations":[` + decl1 + `]},{"googleSearch":{}}],` + calling(`"mode":"ANY"`),
		`,"tools":[` + search + `,` + tool1 + `],"tool_choice":{"type":"none"}`:                     `{"tools":[{"functionDeclarations":[` + decl1 + `]}],` + calling(`"mode":"NONE"`),
		`,"tools":[` + search + `,` + tool1 + `],"tool_choice":{"type":"tool","name":"web_search"}`: `{"tools":[{"googleSearch":{}}],`,
		`,"tools":[{"type":"tool_search_tool_bm25","name":"tool_search_tool_bm25"},` + tool1 + `]`:  `{"tools":[{"functionDeclarations":[` + decl1 + `]}],`,
	} {
		hub, _, err := translate(t, dialogueOf(hi, more), pro25)
		if err != nil {
			t.Errorf("%s: %v", more, err)
		} else if before(hub) != want {
			t.Errorf("%s\ngot  %s\nwant %s", more, before(hub), want)
		}
	}
}

// What the client calls Google's own tools is remembered for whoever leaves one out.
func TestHosted(t *testing.T) {
	tools := `,"tools":[{"type":"web_search_20250305","name":"web_search"},{"type":"code_execution_20250825","name":"run"},` + tool1 + `]`
	want := []gemini.Hosted{{Google: "googleSearch", Client: "tools.web_search"}, {Google: "codeExecution", Client: "tools.run"}}
	if _, r, err := translate(t, dialogueOf(hi, tools), pro25); err != nil || !reflect.DeepEqual(r.Tools.Hosted, want) || len(r.Ignored) > 0 {
		t.Errorf("%v %+v", err, r)
	}
	if _, r, err := translate(t, dialogueOf(hi, tools+`,"tool_choice":{"type":"none"}`), pro25); err != nil || r.Tools.Hosted != nil {
		t.Errorf("%v %+v", err, r)
	}
	format := `,"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}`
	hub, r, err := translate(t, dialogueOf(hi, `,"tools":[{"type":"web_search_20250305","name":"web_search"}]`+format), pro25)
	if err != nil || !strings.Contains(hub, "googleSearch") || !strings.Contains(hub, "responseMimeType") || r.Tools.Len() != 0 {
		t.Errorf("JSON with search is the stage's to decide: %v %s", err, hub)
	}
}

// The tools whose schemas only Anthropic's models know are declared like any other.
func TestKnownTools(t *testing.T) {
	for _, c := range []struct{ kind, name, has string }{
		{"bash_20250124", "bash", `"restart"`},
		{"bash_20241022", "bash", `"command"`},
		{"text_editor_20250124", "str_replace_editor", `"undo_edit"`},
		{"text_editor_20250728", "str_replace_based_edit_tool", `"insert_text"`},
	} {
		for _, name := range []string{"", `,"name":"` + c.name + `"`} {
			hub, r, err := translate(t, dialogueOf(hi, `,"tools":[{"type":"`+c.kind+`"`+name+`,"max_characters":10}]`), pro25)
			if err != nil || r.Tools.Len() != 1 {
				t.Fatalf("%s: %v", c.kind, err)
			}
			var d []byte
			for a := wire.ArrayOf(wire.Get([]byte(hub), "tools")); a.Next(); {
				for in := wire.ArrayOf(wire.Get(a.Value, "functionDeclarations")); in.Next(); {
					d = in.Value
				}
			}
			if got, _ := wire.Text(wire.Get(d, "name")); got != c.name || !strings.Contains(string(wire.Get(d, "parametersJsonSchema", "properties")), c.has) {
				t.Errorf("%s: %s", c.kind, d)
			}
		}
	}
}

func TestGeneration(t *testing.T) {
	thinking := func(inside string) string { return `{"maxOutputTokens":100,"thinkingConfig":{` + inside + `}}` }
	for _, c := range []struct {
		more string
		o    gemini.Target
		want string
	}{
		{`,"temperature":0.5,"top_p":0.9,"top_k":40,"stop_sequences":["a","","b\n"]`, pro25, `{"maxOutputTokens":100,"temperature":0.5,"topP":0.9,"topK":40,"stopSequences":["a","b\n"]}`},
		{`,"temperature":2,"top_k":0,"stop_sequences":[""]`, pro25, `{"maxOutputTokens":100,"temperature":2}`},
		{`,"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}`, pro25, `{"maxOutputTokens":100,"responseMimeType":"application/json","responseJsonSchema":{"type":"object"}}`},
		{`,"output_format":{"type":"json_schema","schema":{"type":"object"}},"output_config":{"effort":null,"format":null}`, pro25, `{"maxOutputTokens":100,"responseMimeType":"application/json","responseJsonSchema":{"type":"object"}}`},
		{`,"output_format":{"type":"json_schema","schema":{"type":"object"}},"tools":[` + tool1 + `]`, flash3, `{"maxOutputTokens":100,"responseMimeType":"application/json","responseJsonSchema":{"type":"object"}}`},
		{`,"thinking":{"type":"enabled","budget_tokens":2000}`, pro25, thinking(`"thinkingBudget":2000,"includeThoughts":true`)},
		{`,"thinking":{"type":"enabled","budget_tokens":2000,"display":"omitted"}`, pro25, thinking(`"thinkingBudget":2000,"includeThoughts":false`)},
		{`,"thinking":{"type":"enabled","budget_tokens":2000}`, flash3, thinking(`"thinkingLevel":"MEDIUM","includeThoughts":true`)},
		{`,"thinking":{"type":"adaptive","display":"summarized"}`, pro25, thinking(`"includeThoughts":true`)},
		{`,"thinking":{"type":"adaptive"}`, lite25, thinking(`"thinkingBudget":-1,"includeThoughts":true`)},
		{`,"thinking":{"type":"between_tools"}`, flash3, thinking(`"includeThoughts":true`)},
		{`,"thinking":{"type":"adaptive"},"output_config":{"effort":"max"}`, flash3, thinking(`"thinkingLevel":"HIGH","includeThoughts":true`)},
		{`,"output_config":{"effort":"low"}`, flash25, thinking(`"thinkingBudget":1024,"includeThoughts":false`)},
		{`,"thinking":{"type":"disabled"}`, flash25, thinking(`"thinkingBudget":0`)},
		{`,"thinking":{"type":"disabled"},"output_config":{"effort":"high"}`, pro25, thinking(`"thinkingBudget":128`)},
		{`,"thinking":{"type":"disabled"}`, flash3, thinking(`"thinkingLevel":"MINIMAL"`)},
		{`,"thinking":{"type":"enabled","budget_tokens":2000}`, old, `{"maxOutputTokens":100}`},
		{`,"output_config":{"effort":"high"}`, old, `{"maxOutputTokens":100}`},
	} {
		hub, _, err := translate(t, dialogueOf(hi, c.more), c.o)
		if err != nil {
			t.Errorf("%s: %v", c.more, err)
		} else if got := string(wire.Get([]byte(hub), "generationConfig")); got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.more, got, c.want)
		}
	}
}
