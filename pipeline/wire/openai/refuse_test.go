package openai

import (
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
	"response_format":      {`"json_object"`, `{"type":"json_schema","json_schema":{"schema":{}}}`},
	"response_format.type": {`{"type":"yaml"}`, `{}`},
	"modalities":           {`"text"`, `{}`},
	"modalities[1]":        {`["text","audio"]`, `["text",1]`},
	"reasoning_effort":     {`"much"`, `3`, `{}`},
	"tools":                {`[{"type":"function","function":{"name":"f"}}]`, `"x"`},
	"tool_choice":          {`"required"`, `{"type":"function","function":{"name":"f"}}`},
	"functions":            {`[{"name":"f"}]`},
	"function_call":        {`{"name":"f"}`},
	"logit_bias":           {`{"50256":-100}`},
	"logprobs":             {`true`, `1`},
	"top_logprobs":         {`1`, `20`},
	"audio":                {`{"voice":"alloy","format":"wav"}`},
	"prediction":           {`{"type":"content","content":"x"}`},
	"web_search_options":   {`{}`, `{"search_context_size":"low"}`},
	"thinking":             {`true`, `"enabled"`},
	"thinking.type":        {`{"type":"maybe"}`},
	"thinking.thinking_budget": {
		`{"thinking_budget":"many"}`},
	"google":                    {`1`},
	"google.cached_content":     {`{"cached_content":"cachedContents/1"}`},
	"extra_body":                {`[]`},
	"extra_body.google":         {`{"google":5}`},
	"google.thinking_config":    {`{"thinking_config":5}`},
	"messages":                  {`5`, `{}`, `"hi"`, `[]`, `null`, `[{"role":"user","content":""}]`, `[{"role":"assistant","content":null}]`},
	"messages[1]":               {`[` + hi + `,"x"]`, `[` + hi + `,null]`},
	"messages[2].role":          {`[` + hi + `,` + hi + `,{"content":"x"}]`, `[` + hi + `,` + hi + `,{"role":"robot","content":"x"}]`, `[` + hi + `,` + hi + `,{"role":"tool","content":"x"}]`, `[` + hi + `,` + hi + `,{"role":"function","content":"x"}]`, `[` + hi + `,` + hi + `,{"role":null,"content":"x"}]`, `[` + hi + `,` + hi + `,{"role":7}]`},
	"messages[0].content":       {`[{"role":"user","content":5}]`, `[{"role":"user","content":{"type":"text"}}]`},
	"messages[1].tool_calls":    {`[` + hi + `,{"role":"assistant","content":null,"tool_calls":[{"id":"1"}]}]`},
	"messages[1].function_call": {`[` + hi + `,{"role":"assistant","function_call":{"name":"f"}}]`},
	"messages[1].audio":         {`[` + hi + `,{"role":"assistant","audio":{"id":"a"}}]`},
	"messages[0].content[0]":    {`[{"role":"user","content":["hi"]}]`, `[{"role":"user","content":[null]}]`},
	"messages[0].content[1].type": {`[{"role":"user","content":[{"type":"text","text":"a"},{"type":"input_audio","input_audio":{}}]}]`,
		`[{"role":"user","content":[{"type":"text","text":"a"},{"type":"file","file":{}}]}]`,
		`[{"role":"user","content":[{"type":"text","text":"a"},{"text":"b"}]}]`,
		`[{"role":"system","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":"data:image/png;base64,AA"}]}]`},
	"messages[0].content[0].text": {`[{"role":"user","content":[{"type":"text"}]}]`, `[{"role":"user","content":[{"type":"text","text":["a"]}]}]`},
	"messages[0].content[0].refusal": {
		`[{"role":"assistant","content":[{"type":"refusal"}]}]`},
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
		if fields[f.Name].take == nil && some {
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
