package openai

import (
	"slices"
	"strings"
	"testing"

	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

const (
	toolF    = `{"type":"function","function":{"name":"f","description":"does \"f\"","parameters":{"type":"object","properties":{"a":{"type":"string"}}},"strict":true}}`
	declF    = `{"name":"f","description":"does \"f\"","parametersJsonSchema":{"type":"object","properties":{"a":{"type":"string"}}}}`
	toolG    = `{"type":"function","function":{"name":"g"}}`
	declG    = `{"name":"g"}`
	toolText = `{"type":"custom","custom":{"name":"sh","description":"runs","format":{"type":"grammar","grammar":{"syntax":"regex","definition":"[a-z]+"}}}}`
	declText = `{"name":"sh","description":"runs\n\nThe input must follow this regex grammar:\n[a-z]+","parametersJsonSchema":{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}}`
)

func TestTools(t *testing.T) {
	config := func(s string) string { return `,"toolConfig":{"functionCallingConfig":{` + s + `}}` }
	for name, c := range map[string]struct{ fields, declared, config string }{
		"none":                    {`"tools":[],"tool_choice":"auto"`, "", ""},
		"none and none":           {`"tool_choice":"none","function_call":"auto"`, "", ""},
		"one":                     {`"tools":[` + toolF + `]`, declF, ""},
		"auto is the default":     {`"tools":[` + toolF + `],"tool_choice":"auto"`, declF, ""},
		"two":                     {`"tools":[` + toolF + `,` + toolG + `]`, declF + "," + declG, ""},
		"nulls":                   {`"tools":[{"type":"function","function":{"name":"g","description":null,"parameters":null,"strict":null}}]`, declG, ""},
		"no arguments":            {`"tools":[{"type":"function","function":{"name":"g","parameters":{}}}]`, `{"name":"g","parametersJsonSchema":{"type":"object","properties":{}}}`, ""},
		"a text":                  {`"tools":[` + toolText + `]`, declText, ""},
		"a text without a rule":   {`"tools":[{"type":"custom","custom":{"name":"sh","format":{"type":"text"}}}]`, `{"name":"sh","parametersJsonSchema":{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}}`, ""},
		"not now":                 {`"tools":[` + toolF + `],"tool_choice":"none"`, declF, config(`"mode":"NONE"`)},
		"some":                    {`"tools":[` + toolF + `],"tool_choice":"required"`, declF, config(`"mode":"ANY"`)},
		"this":                    {`"tools":[` + toolF + `,` + toolG + `],"tool_choice":{"type":"function","function":{"name":"g"}}`, declF + "," + declG, config(`"mode":"ANY","allowedFunctionNames":["g"]`)},
		"this text":               {`"tools":[` + toolG + `,` + toolText + `],"tool_choice":{"type":"custom","custom":{"name":"sh"}}`, declG + "," + declText, config(`"mode":"ANY","allowedFunctionNames":["sh"]`)},
		"some of these":           {`"tools":[` + toolF + `,` + toolG + `,` + toolText + `],"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"custom","custom":{"name":"sh"}},{"type":"function","name":"g"}]}}`, declF + "," + declG + "," + declText, config(`"mode":"ANY","allowedFunctionNames":["g","sh"]`)},
		"of these or none":        {`"tools":[` + toolF + `,` + toolG + `,` + toolText + `],"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"function","function":{"name":"g"}}]}}`, declG, ""},
		"functions":               {`"functions":[{"name":"g"},{"name":"h","description":"x"}],"function_call":{"name":"h"}`, declG + `,{"name":"h","description":"x"}`, config(`"mode":"ANY","allowedFunctionNames":["h"]`)},
		"functions, not now":      {`"functions":[{"name":"g"}],"function_call":"none"`, declG, config(`"mode":"NONE"`)},
		"tools and no functions":  {`"functions":[],"tools":[` + toolG + `],"function_call":"none"`, declG, ""},
		"the choice before tools": {`"tool_choice":{"type":"function","function":{"name":"g"}},"tools":[` + toolG + `]`, declG, config(`"mode":"ANY","allowedFunctionNames":["g"]`)},
	} {
		t.Run(name, func(t *testing.T) {
			hub, r, err := translate(t, `{`+c.fields+`,"messages":[`+hi+`]}`, pro25)
			if err != nil {
				t.Fatal(err)
			}
			want := `{"contents":[` + hiTurn + `]}`
			if c.declared != "" {
				want = `{"tools":[{"functionDeclarations":[` + c.declared + `]}]` + c.config + `,` + want[1:]
			}
			if hub != want {
				t.Errorf("got  %s\nwant %s", hub, want)
			}
			if (r.Tools != nil) != (c.declared != "") || r.Tools != nil && r.Tools.Legacy != strings.Contains(c.fields, `"functions":[{`) {
				t.Errorf("%+v", r)
			}
		})
	}
}

// Names that Google does not take are others there, also where the client chooses among them.
func TestToolNames(t *testing.T) {
	hub, r, err := translate(t, `{"tools":[{"type":"function","function":{"name":"天气"}},`+toolG+`],"tool_choice":{"type":"function","function":{"name":"\u5929\u6c14"}},"messages":`+
		asked(`[{"id":"1","type":"function","function":{"name":"天气","arguments":"{}"}}]`, aResult)+`}`, pro25)
	if err != nil {
		t.Fatal(err)
	}
	google := r.Tools.Google("天气")
	for _, want := range []string{`[{"name":"` + google + `"}`, `"allowedFunctionNames":["` + google + `"]`, `"functionCall":{"name":"` + google + `"`, `"functionResponse":{"name":"` + google + `"`} {
		if google == "天气" || !strings.Contains(hub, want) {
			t.Errorf("no %s in %s", want, hub)
		}
	}
}

func TestParallelCalls(t *testing.T) {
	for fields, single := range map[string]bool{
		`"tools":[` + toolG + `]`:                                false,
		`"tools":[` + toolG + `],"parallel_tool_calls":true`:     false,
		`"parallel_tool_calls":false,"tools":[` + toolG + `]`:    true,
		`"functions":[{"name":"g"}],"parallel_tool_calls":null`:  true,
		`"functions":[{"name":"g"}],"parallel_tool_calls":false`: true,
	} {
		_, r, err := translate(t, `{`+fields+`,"messages":[`+hi+`]}`, pro25)
		if err != nil || r.Tools.Single != single {
			t.Errorf("%s: %+v %v", fields, r, err)
		}
	}
	if _, r, err := translate(t, `{"parallel_tool_calls":false,"messages":[`+hi+`]}`, pro25); err != nil || r.Tools != nil {
		t.Errorf("%+v %v", r, err)
	}
}

func TestCustomToolsAreRemembered(t *testing.T) {
	_, r, err := translate(t, `{"tools":[`+toolText+`,`+toolG+`],"messages":[`+hi+`]}`, pro25)
	if err != nil {
		t.Fatal(err)
	}
	sh, _ := r.Tools.Known("sh")
	if g, _ := r.Tools.Known("g"); !sh.Custom || g.Custom {
		t.Errorf("%+v %+v", sh, g)
	}
}

// Before the third generation Google refuses a format beside tools: the model is told in words.
func TestFormatBesideTools(t *testing.T) {
	const tool = `"tools":[{"type":"function","function":{"name":"f"}}]`
	const schema = `"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"}}}`
	for _, c := range []struct {
		fields string
		o      gemini.Target
		told   bool
		says   string
	}{
		{tool + `,` + schema, pro25, true, `It must fit this JSON Schema: {\"type\":\"object\"}`},
		{tool + `,"response_format":{"type":"json_object"}`, pro25, true, `one JSON object`},
		{`"web_search_options":{},` + schema, pro25, false, `"tools":[{"googleSearch":{}}]`}, // the stage search decides
		{tool + `,` + schema, gemini.Target{Major: 3, Limits: limits("gemini-3-flash")}, false, `"responseJsonSchema":{"type":"object"}`},
		{schema, pro25, false, `"responseJsonSchema":{"type":"object"}`},
	} {
		hub, r, err := translate(t, `{`+c.fields+`,"messages":[{"role":"system","content":"be kind"},`+hi+`]}`, c.o)
		told := slices.Contains(r.Ignored, "response_format") && strings.Contains(hub, "with JSON and nothing else") || strings.Contains(hub, "one JSON object and nothing else")
		if err != nil || told != c.told || told == strings.Contains(hub, "responseMimeType") || !strings.Contains(hub, c.says) || !strings.Contains(hub, `{"text":"be kind"}`) {
			t.Errorf("%s: %v told %v, ignored %q\n%s", c.fields, err, told, r.Ignored, hub)
		}
	}
	if _, _, err := translate(t, `{`+tool+`,`+schema+`,"messages":[{"role":"user","content":""}]}`, pro25); err == nil || err.Param != "messages" {
		t.Errorf("nothing but the format: %v", err)
	}
}

func TestSearch(t *testing.T) {
	const f = `{"type":"function","function":{"name":"f"}}`
	const fs, s = `{"functionDeclarations":[{"name":"f"}]}`, `{"googleSearch":{}}`
	for fields, c := range map[string]struct{ tools, asked, ignored string }{
		`"web_search_options":{}`:                                                  {`[` + s + `]`, "web_search_options", ""},
		`"web_search_options":{"search_context_size":"low"}`:                       {`[` + s + `]`, "web_search_options", "web_search_options.search_context_size"},
		`"web_search_options":{},"tools":[` + f + `]`:                              {`[` + fs + `,` + s + `]`, "web_search_options", ""},
		`"web_search_options":{},"functions":[{"name":"f"}]`:                       {`[` + fs + `,` + s + `]`, "web_search_options", ""},
		`"tools":[{"type":"web_search"}]`:                                          {`[` + s + `]`, "tools[0]", ""},
		`"tools":[{"type":"web_search_preview","user_location":{"a":1},"x":null}]`: {`[` + s + `]`, "tools[0]", "tools[0].user_location"},
		`"tools":[` + f + `,{"type":"web_search"},{"type":"web_search","web_search":{}}],"web_search_options":{}`: {`[` + fs + `,` + s + `]`,
			"web_search_options,tools[1],tools[2]", "tools[2].web_search"},
		`"tools":[{"type":"web_search"}],"tool_choice":"required"`:                                                                             {`[` + s + `]`, "tools[0]", "tool_choice"},
		`"tools":[{"type":"web_search"}],"tool_choice":"none"`:                                                                                 {"", "", ""},
		`"tools":[` + f + `,{"type":"web_search"}],"tool_choice":"none"`:                                                                       {`[` + fs + `]`, "", ""},
		`"web_search_options":{},"tools":[` + f + `],"tool_choice":"none"`:                                                                     {`[` + fs + `,` + s + `]`, "web_search_options", ""},
		`"tools":[` + f + `,{"type":"web_search"}],"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[` + f + `]}}`: {`[` + fs + `]`, "", ""},
	} {
		hub, r, err := translate(t, `{`+fields+`,"messages":[`+hi+`]}`, pro25)
		if err != nil {
			t.Errorf("%s: %v", fields, err)
			continue
		}
		if got := string(wire.Get([]byte(hub), "tools")); got != c.tools {
			t.Errorf("%s: got  %s want %s", fields, got, c.tools)
		}
		if got := strings.Join(r.Tools.AskedBy("googleSearch"), ","); got != c.asked || strings.Join(r.Ignored, ",") != c.ignored {
			t.Errorf("%s: asked by %q, ignored %q", fields, got, r.Ignored)
		}
	}
	if _, _, err := translate(t, `{"tools":[{"type":"web_search"}],"tool_choice":{"type":"function","function":{"name":"f"}},"messages":[`+hi+`]}`, pro25); err == nil {
		t.Error("a choice of a function that is not there")
	}
}

func TestFormat(t *testing.T) {
	flash3 := gemini.Target{Major: 3, Limits: limits("gemini-3-flash")}
	for fields, want := range map[string]string{
		`"response_format":{"type":"json_schema","json_schema":{"name":"n","strict":true,"schema":{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]}}}`: `"responseMimeType":"application/json","responseJsonSchema":{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]}`,
		`"response_format":{"type":"json_schema","json_schema":{"name":"n"}}`:                                                                                                 `"responseMimeType":"application/json"`,
		`"logprobs":true`:                  `"responseLogprobs":true`,
		`"top_logprobs":5,"logprobs":true`: `"responseLogprobs":true,"logprobs":5`,
		`"top_logprobs":0,"logprobs":true`: `"responseLogprobs":true`,
		`"top_logprobs":0`:                 ``,
	} {
		hub, _, err := translate(t, `{`+fields+`,"messages":[`+hi+`]}`, pro25)
		if want != "" {
			want = `,"generationConfig":{` + want + `}`
		}
		if want = `{"contents":[` + hiTurn + `]` + want + `}`; err != nil || hub != want {
			t.Errorf("%s:\ngot  %s %v\nwant %s", fields, hub, err, want)
		}
	}
	if _, _, err := translate(t, `{"logprobs":true,"messages":[`+hi+`]}`, flash3); err == nil || err.Param != "logprobs" {
		t.Errorf("probabilities of a model that tells none: %v", err)
	}
}

func TestGooglesOwn(t *testing.T) {
	const safety = `[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"OFF"}]`
	for _, fields := range []string{
		`"google":{"cached_content":"cachedContents/1","safety_settings":` + safety + `}`,
		`"extra_body":{"google":{"cachedContent":"cachedContents/1","safetySettings":` + safety + `}}`,
	} {
		hub, _, err := translate(t, `{`+fields+`,"messages":[`+hi+`]}`, pro25)
		if want := `{"contents":[` + hiTurn + `],"safetySettings":` + safety + `,"cachedContent":"cachedContents/1"}`; err != nil || hub != want {
			t.Errorf("got %s %v\nwant %s", hub, err, want)
		}
	}
}
