package openai

import (
	"fmt"
	"strings"
	"testing"
)

// refused holds, for every member that can be refused, values that must be.
var refused = map[string][]string{
	"temperature":           {`2.1`, `-0.1`, `"1"`, `true`, `[]`},
	"top_p":                 {`1.01`, `-1`, `"x"`},
	"top_k":                 {`0`, `-5`, `1.5`, `"40"`},
	"max_tokens":            {`0`, `-1`, `2.5`, `"9"`, `{}`},
	"max_completion_tokens": {`0`, `"9"`},
	"frequency_penalty":     {`2.5`, `-2.01`, `"0"`},
	"presence_penalty":      {`3`, `-3`, `false`},
	"n":                     {`0`, `2`, `128`, `129`, `"1"`},
	"seed":                  {`1.5`, `"1"`},
	"stop":                  {`5`, `{}`, `["1","2","3","4","5","6"]`},
	"stop[1]":               {`["a",5]`},
	"stream":                {`1`, `"true"`, `{}`},
	"stream_options":        {`true`, `[]`},
	"stream_options.include_usage": {
		`{"include_usage":1}`},
	"response_format":      {`"json_object"`, `5`},
	"response_format.type": {`{"type":"yaml"}`, `{}`, `{"type":5}`},
	"response_format.json_schema": {
		`{"type":"json_schema"}`, `{"type":"json_schema","json_schema":[]}`, `{"type":"json_schema","json_schema":null}`},
	"response_format.json_schema.name":        {`{"type":"json_schema","json_schema":{"name":5}}`},
	"response_format.json_schema.description": {`{"type":"json_schema","json_schema":{"description":[]}}`},
	"response_format.json_schema.strict":      {`{"type":"json_schema","json_schema":{"strict":"yes"}}`},
	"response_format.json_schema.schema":      {`{"type":"json_schema","json_schema":{"schema":"x"}}`, `{"type":"json_schema","json_schema":{"schema":[1]}}`},
	"modalities":                              {`"text"`, `{}`},
	"modalities[1]":                           {`["text","audio"]`, `["text",1]`},
	"reasoning_effort":                        {`"much"`, `3`, `{}`},
	"logit_bias":                              {`{"50256":-100}`},
	"logprobs":                                {`1`, `"true"`},
	"top_logprobs":                            {`-1`, `21`, `"3"`, `1.5`, `3`},
	"audio":                                   {`{"voice":"alloy","format":"wav"}`},
	"web_search_options":                      {`true`, `[]`},
	"thinking":                                {`true`, `"enabled"`},
	"thinking.type":                           {`{"type":"maybe"}`},
	"thinking.thinking_budget":                {`{"thinking_budget":"many"}`},
	"google":                                  {`1`},
	"google.cached_content":                   {`{"cached_content":5}`, `{"cached_content":""}`},
	"google.safety_settings":                  {`{"safety_settings":{}}`},
	"google.safety_settings[1]":               {`{"safety_settings":[{"category":"A","threshold":"B"},5]}`},
	"google.safety_settings[0].category":      {`{"safety_settings":[{"threshold":"OFF"}]}`, `{"safety_settings":[{"category":"","threshold":"OFF"}]}`, `{"safety_settings":[{"category":"harm","threshold":"OFF"}]}`},
	"google.safety_settings[0].threshold":     {`{"safety_settings":[{"category":"A","threshold":0}]}`, `{"safety_settings":[{"category":"A","threshold":""}]}`, `{"safety_settings":[{"category":"A","threshold":"B","threshold":{}}]}`},
	"extra_body":                              {`[]`},
	"extra_body.google":                       {`{"google":5}`},
	"extra_body.google.cached_content":        {`{"google":{"cached_content":[]}}`},
	"google.thinking_config":                  {`{"thinking_config":5}`},

	"tools":                         {`"x"`, `{}`, `5`},
	"tools[0]":                      {`["x"]`, `[null]`},
	"tools[1].type":                 {`[` + aTool + `,{"function":{"name":"g"}}]`, `[` + aTool + `,{"type":"file_search"}]`, `[` + aTool + `,{"type":5}]`},
	"tools[0].function":             {`[{"type":"function"}]`, `[{"type":"function","function":"f"}]`, `[{"type":"function","name":"f"}]`},
	"tools[0].function.name":        {`[{"type":"function","function":{}}]`, `[{"type":"function","function":{"name":5}}]`, `[{"type":"function","function":{"name":""}}]`},
	"tools[1].function.name":        {`[` + aTool + `,` + aTool + `]`},
	"tools[0].function.description": {`[{"type":"function","function":{"name":"f","description":{}}}]`},
	"tools[0].function.strict":      {`[{"type":"function","function":{"name":"f","strict":"yes"}}]`},
	"tools[0].function.parameters":  {`[{"type":"function","function":{"name":"f","parameters":"{}"}}]`, `[{"type":"function","function":{"name":"f","parameters":[1]}}]`},
	"tools[0].custom":               {`[{"type":"custom"}]`, `[{"type":"custom","custom":"x"}]`},
	"tools[0].custom.name":          {`[{"type":"custom","custom":{}}]`},
	"tools[1].custom.name":          {`[` + aTool + `,{"type":"custom","custom":{"name":"f"}}]`},
	"tools[0].custom.description":   {`[{"type":"custom","custom":{"name":"f","description":5}}]`},
	"tools[0].custom.format":        {`[{"type":"custom","custom":{"name":"f","format":"text"}}]`},
	"tools[0].custom.format.type":   {`[{"type":"custom","custom":{"name":"f","format":{}}}]`},
	"tools[0].custom.format.grammar.syntax": {
		`[{"type":"custom","custom":{"name":"f","format":{"type":"grammar","grammar":{"syntax":"bnf","definition":"x"}}}}]`},
	"tools[0].custom.format.grammar.definition": {
		`[{"type":"custom","custom":{"name":"f","format":{"type":"grammar","grammar":{"syntax":"lark"}}}}]`},
	"tool_choice":                        {`"required"`, `"any"`, `5`, `["auto"]`},
	"tool_choice.type":                   {`{}`, `{"type":"tool"}`},
	"tool_choice.function":               {`{"type":"function"}`, `{"type":"function","function":"f"}`},
	"tool_choice.function.name":          {`{"type":"function","function":{}}`, `{"type":"function","function":{"name":"f"}}`},
	"tool_choice.custom":                 {`{"type":"custom"}`},
	"tool_choice.allowed_tools":          {`{"type":"allowed_tools"}`},
	"tool_choice.allowed_tools.mode":     {`{"type":"allowed_tools","allowed_tools":{"tools":[]}}`, `{"type":"allowed_tools","allowed_tools":{"mode":"none"}}`},
	"tool_choice.allowed_tools.tools":    {`{"type":"allowed_tools","allowed_tools":{"mode":"auto"}}`, `{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[]}}`, `{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[` + aTool + `]}}`},
	"tool_choice.allowed_tools.tools[0]": {`{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":["f"]}}`},
	"tool_choice.allowed_tools.tools[0].type": {
		`{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"mcp"}]}}`},
	"tool_choice.allowed_tools.tools[0].name": {
		`{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"function"}]}}`},
	"tool_choice.allowed_tools.tools[1].function.name": {
		`{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[` + aTool + `,{"type":"function","function":{"name":5}}]}}`},
	"functions":           {`"x"`, `{}`},
	"functions[0]":        {`[5]`},
	"functions[0].name":   {`[{"type":"function"}]`},
	"function_call":       {`"required"`, `5`, `[]`},
	"function_call.name":  {`{}`, `{"name":"f"}`},
	"parallel_tool_calls": {`1`, `"false"`},

	"messages":                  {`5`, `{}`, `"hi"`, `[]`, `null`, `[{"role":"user","content":""}]`, `[{"role":"assistant","content":null}]`},
	"messages[1]":               {`[` + hi + `,"x"]`, `[` + hi + `,null]`},
	"messages[2].role":          {`[` + hi + `,` + hi + `,{"content":"x"}]`, `[` + hi + `,` + hi + `,{"role":"robot","content":"x"}]`, `[` + hi + `,` + hi + `,{"role":null,"content":"x"}]`, `[` + hi + `,` + hi + `,{"role":7}]`, `[` + hi + `,` + hi + `,{"role":"model"}]`},
	"messages[0].content":       {`[{"role":"user","content":5}]`, `[{"role":"user","content":{"type":"text"}}]`},
	"messages[0].refusal":       {`[{"role":"assistant","refusal":5}]`},
	"messages[0].tool_calls":    {`[{"role":"user","tool_calls":[` + aCall + `]}]`},
	"messages[0].function_call": {`[{"role":"user","function_call":{"name":"f"}}]`},
	"messages[1].audio":         {`[` + hi + `,{"role":"assistant","audio":{"id":"a"}}]`},
	"messages[1].images":        {`[` + hi + `,{"role":"assistant","images":"x"}]`},
	"messages[1].images[0].image_url": {
		`[` + hi + `,{"role":"assistant","images":[{"type":"image_url"}]}]`},
	"messages[0].content[0]": {`[{"role":"user","content":["hi"]}]`, `[{"role":"user","content":[null]}]`},
	"messages[0].content[1].type": {`[{"role":"user","content":[{"type":"text","text":"a"},{"type":"video_url","video_url":{}}]}]`,
		`[{"role":"user","content":[{"type":"text","text":"a"},{"text":"b"}]}]`,
		`[{"role":"user","content":[{"type":"text","text":"a"},{"type":5}]}]`,
		`[{"role":"system","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":"data:image/png;base64,AA"}]}]`},
	"messages[0].content[0].text": {`[{"role":"user","content":[{"type":"text"}]}]`, `[{"role":"user","content":[{"type":"text","text":["a"]}]}]`},
	"messages[0].content[0].refusal": {
		`[{"role":"assistant","content":[{"type":"refusal"}]}]`},
	"messages[0].content[0].input_audio": {aPart(`{"type":"input_audio"}`), aPart(`{"type":"input_audio","input_audio":"AA"}`)},
	"messages[0].content[0].input_audio.data": {
		aPart(`{"type":"input_audio","input_audio":{"format":"wav"}}`), aPart(`{"type":"input_audio","input_audio":{"data":5,"format":"wav"}}`), aPart(`{"type":"input_audio","input_audio":{"data":"A\"A","format":"wav"}}`)},
	"messages[0].content[0].input_audio.format": {
		aPart(`{"type":"input_audio","input_audio":{"data":"AA"}}`), aPart(`{"type":"input_audio","input_audio":{"data":"AA","format":"midi"}}`), aPart(`{"type":"input_audio","input_audio":{"data":"AA","format":5}}`)},
	"messages[0].content[0].file":           {aPart(`{"type":"file"}`), aPart(`{"type":"file","file":"x"}`)},
	"messages[0].content[0].file.file_id":   {aPart(`{"type":"file","file":{"file_id":"file-1"}}`)},
	"messages[0].content[0].file.file_data": {aPart(`{"type":"file","file":{}}`), aPart(`{"type":"file","file":{"file_data":5}}`), aPart(`{"type":"file","file":{"file_data":""}}`)},
	"messages[0].content[0].file.filename":  {aPart(`{"type":"file","file":{"file_data":"AA"}}`), aPart(`{"type":"file","file":{"file_data":"AA","filename":"x.exe"}}`), aPart(`{"type":"file","file":{"file_data":"data:a/b;base64,AA","filename":5}}`)},

	"messages[1].tool_calls":             {asked(`5`), asked(`{}`), asked(`[` + aCall + `]`), asked(`[`+aCall+`]`, hi), asked(`[`+aCall+`]`, `{"role":"assistant","content":"x"}`)},
	"messages[1].tool_calls[0]":          {asked(`["x"]`)},
	"messages[1].tool_calls[1].id":       {asked(`[` + aCall + `,{"type":"function","function":{"name":"f"}}]`), asked(`[` + aCall + `,{"id":7}]`), asked(`[` + aCall + `,{"id":""}]`)},
	"messages[1].tool_calls[0].type":     {asked(`[{"id":"1","type":"mcp"}]`), asked(`[{"id":"1","type":5}]`)},
	"messages[1].tool_calls[0].function": {asked(`[{"id":"1"}]`), asked(`[{"id":"1","type":"function","function":"f"}]`)},
	"messages[1].tool_calls[0].function.name": {
		asked(`[{"id":"1","type":"function","function":{}}]`), asked(`[{"id":"1","function":{"name":["f"]}}]`)},
	"messages[1].tool_calls[0].function.arguments": {args(`{}`), args(`5`), args(`"x"`), args(`"[]"`), args(`"5"`), args(`"{"`), args(`"{\"a\":}"`), args(`"{} {}"`),
		args(`"\ufeff{}"`), args(`"{\"a\":\"\\ud800\"}"`), args(`"` + strings.Repeat(`{\"a\":`, 600) + `1` + strings.Repeat(`}`, 600) + `"`), args(`"` + strings.Repeat(`[`, 10_000) + `"`)},
	"messages[1].tool_calls[0].custom":       {asked(`[{"id":"1","type":"custom"}]`)},
	"messages[1].tool_calls[0].custom.name":  {asked(`[{"id":"1","type":"custom","custom":{"input":"x"}}]`)},
	"messages[1].tool_calls[0].custom.input": {asked(`[{"id":"1","type":"custom","custom":{"name":"f","input":{}}}]`)},
	"messages[1].tool_calls[0].extra_content.google.thought_signature": {
		asked(`[{"id":"1","type":"function","function":{"name":"f"},"extra_content":{"google":{"thought_signature":5}}}]`)},
	"messages[1].extra_content.google.thought_signature": {
		`[` + hi + `,{"role":"assistant","content":"x","extra_content":{"google":{"thought_signature":[]}}}]`},
	"messages[1].function_call":           {`[` + hi + `,{"role":"assistant","function_call":"f"}]`, `[` + hi + `,{"role":"assistant","function_call":{"name":"f"},"tool_calls":[` + aCall + `]}]`, `[` + hi + `,{"role":"assistant","function_call":{"name":"f"}}]`},
	"messages[1].function_call.name":      {`[` + hi + `,{"role":"assistant","function_call":{"arguments":"{}"}}]`},
	"messages[1].function_call.arguments": {`[` + hi + `,{"role":"assistant","function_call":{"name":"f","arguments":"x"}}]`},
	"messages[0].tool_call_id":            {`[{"role":"tool","tool_call_id":"1","content":"x"}]`},
	"messages[2].tool_call_id": {asked(`[`+aCall+`]`, `{"role":"tool","content":"x"}`), asked(`[`+aCall+`]`, `{"role":"tool","content":"x","tool_call_id":5}`),
		asked(`[`+aCall+`]`, `{"role":"tool","content":"x","tool_call_id":"2"}`), asked(`[]`, `{"role":"tool","content":"x","tool_call_id":"1"}`)},
	"messages[3].tool_call_id":         {asked(`[`+aCall+`]`, aResult, aResult)},
	"messages[2].name":                 {asked(`[]`, `{"role":"function","content":"x"}`), `[` + hi + `,{"role":"assistant","function_call":{"name":"f"}},{"role":"function","name":"g","content":"x"}]`},
	"messages[2].content":              {asked(`[`+aCall+`]`, `{"role":"tool","tool_call_id":"1","content":5}`)},
	"messages[2].content[0]":           {asked(`[`+aCall+`]`, `{"role":"tool","tool_call_id":"1","content":["x"]}`)},
	"messages[2].content[0].type":      {asked(`[`+aCall+`]`, `{"role":"tool","tool_call_id":"1","content":[{"type":"refusal","refusal":"x"}]}`), asked(`[`+aCall+`]`, `{"role":"tool","tool_call_id":"1","content":[{}]}`)},
	"messages[2].content[0].text":      {asked(`[`+aCall+`]`, `{"role":"tool","tool_call_id":"1","content":[{"type":"text"}]}`)},
	"messages[2].content[0].image_url": {asked(`[`+aCall+`]`, `{"role":"tool","tool_call_id":"1","content":[{"type":"image_url","image_url":"x"}]}`), asked(`[`+aCall+`]`, `{"role":"tool","tool_call_id":"1","content":[{"type":"image_url","image_url":"data:image/png;base64,A\"A"}]}`)},
}

const (
	aTool   = `{"type":"function","function":{"name":"f"}}`
	aCall   = `{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}`
	aResult = `{"role":"tool","tool_call_id":"1","content":"x"}`
)

// aPart is a message with one part.
func aPart(part string) string { return `[{"role":"user","content":[` + part + `]}]` }

// asked is a dialogue in which the model made these calls, and what follows.
func asked(calls string, after ...string) string {
	return `[` + strings.Join(append([]string{hi, `{"role":"assistant","content":null,"tool_calls":` + calls + `}`}, after...), ",") + `]`
}

// args is a call with these arguments, a raw value.
func args(v string) string {
	return asked(`[{"id":"1","type":"function","function":{"name":"f","arguments":` + v + `}}]`)
}

func TestRefused(t *testing.T) {
	for param, values := range refused {
		field, _, _ := strings.Cut(param, ".")
		field, _, _ = strings.Cut(field, "[")
		for _, v := range values {
			body := `{"messages":[` + hi + `],"` + field + `":` + v + `}`
			if field == "messages" {
				body = `{"model":"m","messages":` + v + `}`
			}
			hub, r, err := translate(t, body, pro25)
			if err == nil {
				t.Errorf("%s: let through as %s", body, hub)
				continue
			}
			if err.Status != 400 || err.Param != param || !strings.Contains(err.Message, param) || r != nil {
				t.Errorf("%s: status %d, param %q, message %q; want %q", body, err.Status, err.Param, err.Message, param)
			}
		}
	}
}

// kinds are the kinds of value that a field may have; any other is refused by its name. A field that
// is not in the list takes whatever comes, because nothing becomes of it.
var kinds = map[string]string{
	"messages": "array", "stream": "bool", "stream_options": "object", "temperature": "number", "top_p": "number",
	"top_k": "number", "max_tokens": "number", "max_completion_tokens": "number", "frequency_penalty": "number",
	"presence_penalty": "number", "seed": "number", "stop": "string array", "response_format": "object",
	"modalities": "array", "n": "number", "reasoning_effort": "string", "thinking": "object", "google": "object",
	"extra_body": "object", "tools": "array", "tool_choice": "string object", "functions": "array",
	"function_call": "string object", "logit_bias": "", "logprobs": "bool", "top_logprobs": "number", "audio": "",
	"web_search_options": "object", "parallel_tool_calls": "bool",
}

func TestWrongTypesInEachField(t *testing.T) {
	values := map[string]string{"string": `"7 wrong"`, "number": `7.5e300`, "bool": `true`, "array": `[[7]]`, "object": `{"wrong":7}`}
	for _, f := range Fields() {
		allowed, listed := kinds[f.Name]
		if inert := fields[f.Name].Take == nil || strings.HasPrefix(f.Does, "ignored"); listed == inert {
			t.Errorf("%s: listed %v, without effect %v", f.Name, listed, inert)
		}
		for kind, v := range values {
			body := `{"` + f.Name + `":` + v + `,"messages":[` + hi + `]}`
			if f.Name == "messages" {
				body = `{"messages":` + v + `}`
			}
			_, _, err := translate(t, body, pro25)
			if err == nil && listed && !strings.Contains(allowed, kind) {
				t.Errorf("%s: let through", body)
			}
			if err != nil && (err.Status != 400 || !strings.HasPrefix(err.Param, f.Name) || !listed) {
				t.Errorf("%s: %+v", body, err)
			}
		}
	}
}

// What is too large, too deep or too many has a limit, and costs no more than its size.
func TestExtremes(t *testing.T) {
	deep := strings.Repeat("[", 500) + strings.Repeat("]", 500)
	calls, results := strings.Builder{}, strings.Builder{}
	for i := range 20_000 {
		fmt.Fprintf(&calls, `,{"id":"%d","function":{"name":"f"}}`, i)
		fmt.Fprintf(&results, `,{"role":"tool","tool_call_id":"%d","content":"x"}`, 19_999-i)
	}
	for name, c := range map[string]struct {
		body, param string
		status      int
	}{
		"a picture of 50 MB":      {dialogue(`{"role":"user","content":[{"type":"image_url","image_url":"data:image/png;base64,` + strings.Repeat("A", 50<<20) + `"}]}`), "messages[0].content[0].image_url", 413},
		"a number beyond 64 bits": {`{"messages":[` + hi + `],"seed":99999999999999999999}`, "seed", 400},
		"one beyond all floats":   {`{"messages":[` + hi + `],"temperature":1e999}`, "temperature", 400},
		"deep content":            {dialogue(`{"role":"user","content":` + deep + `}`), "messages[0].content[0]", 400},
		"deep arguments":          {`{"messages":` + asked(`[{"id":"1","function":{"name":"f","arguments":`+deep+`}}]`) + `}`, "messages[1].tool_calls[0].function.arguments", 400},
		"many results backwards":  {`{"messages":` + strings.TrimSuffix(asked(`[`+calls.String()[1:]+`]`), "]") + results.String() + `]}`, "messages[2].tool_call_id", 400},
	} {
		hub, _, err := translate(t, c.body, pro25)
		if err == nil || err.Param != c.param || err.Status != c.status {
			t.Errorf("%s: %+v, %.200s", name, err, hub)
		}
	}
	// What is deep where anything may stand goes through, or is a text.
	for _, body := range []string{
		`{"messages":[` + hi + `],"metadata":` + deep + `}`,
		`{"messages":` + asked(`[`+aCall+`]`, `{"role":"tool","tool_call_id":"1","content":"`+deep+`"}`) + `}`,
	} {
		if _, _, err := translate(t, body, pro25); err != nil {
			t.Error(err)
		}
	}
}

// Of members of one name in a message the last one counts, in whatever way it is written.
func TestTwiceInside(t *testing.T) {
	for body, want := range map[string]string{
		`{"messages":[{"role":"system","content":"a","role":"user","c\u006fntent":"hi"}]}`:                                   `{"contents":[` + hiTurn + `]}`,
		`{"messages":[{"role":"user","content":[{"type":"x","text":5,"type":"text","t\u0065xt":"hi"}]}]}`:                    `{"contents":[` + hiTurn + `]}`,
		`{"messages":[{"role":"user","content":"x","content":null},` + hi + `]}`:                                             `{"contents":[` + hiTurn + `]}`,
		`{"messages":[` + hi + `],"response_format":{"type":"yaml","type":"json_object"}}`:                                   `{"contents":[` + hiTurn + `],"generationConfig":{"responseMimeType":"application/json"}}`,
		`{"messages":[` + hi + `],"tools":[{"type":"function","function":{"name":"a"},"function":{"name":"b","name":"c"}}]}`: `{"tools":[{"functionDeclarations":[{"name":"c"}]}],"contents":[` + hiTurn + `]}`,
	} {
		if hub, _, err := translate(t, body, pro25); err != nil || hub != want {
			t.Errorf("%s:\ngot  %s %v\nwant %s", body, hub, err, want)
		}
	}
}

func TestMissingMessages(t *testing.T) {
	if _, _, err := translate(t, `{"model":"m"}`, pro25); err == nil || err.Param != "messages" || err.Message != "messages is missing" {
		t.Errorf("got %v", err)
	}
}

func TestTwiceIsRefused(t *testing.T) {
	for _, body := range []string{
		`{"messages":[` + hi + `],"temperature":1,"temperature":0}`,
		`{"messages":[` + hi + `],"temperature":1,"\u0074emperature":0}`,
	} {
		if _, _, err := translate(t, body, pro25); err == nil || err.Param != "temperature" {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// Every member that the table says is refused must have a value above that is.
func TestFieldsTellTheTruth(t *testing.T) {
	list := Fields()
	for i, f := range list {
		if f.Does == "" || strings.ContainsAny(f.Does+f.Name, "|\n") {
			t.Errorf("%q does not fit a table: %q", f.Name, f.Does)
		}
		if i > 0 && list[i-1].Name >= f.Name {
			t.Errorf("%q is not in order", f.Name)
		}
		says := strings.Contains(f.Does, "refused")
		some := false
		for param := range refused {
			some = some || param == f.Name || strings.HasPrefix(param, f.Name+".") || strings.HasPrefix(param, f.Name+"[")
		}
		if says && !some {
			t.Errorf("%q is said to be refused and no test shows it", f.Name)
		}
		if fields[f.Name].Take == nil && some {
			t.Errorf("%q has no effect in the table and is refused in a test", f.Name)
		}
	}
	for param := range refused {
		name, _, _ := strings.Cut(strings.ReplaceAll(param, "[", "."), ".")
		if _, ok := fields[name]; !ok {
			t.Errorf("%q is refused and not in the table", name)
		}
	}
}
