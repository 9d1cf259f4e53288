package responses

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

func pro25() gemini.Target {
	return gemini.Target{MaxOutput: 65536, Major: 2, Minor: 5, Limits: limits("gemini-2.5-pro")}
}

func pro3() gemini.Target {
	return gemini.Target{MaxOutput: 65536, Major: 3, Minor: 1, Limits: limits("gemini-3.1-pro")}
}

func scanned(t testing.TB, body string) []wire.Member {
	t.Helper()
	members, err := wire.Scan([]byte(body), nil)
	if err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return members
}

func translate(t testing.TB, body, thread string, target gemini.Target) (string, Request, *apierror.Error) {
	t.Helper()
	in := Input{Body: []byte(body), Members: scanned(t, body)}
	if thread != "" {
		in.Thread = []byte(thread)
	}
	out, r, fail := ToHub([]byte("x"), in, target)
	if fail != nil {
		return "", r, fail
	}
	if !json.Valid(out[1:]) || out[0] != 'x' {
		t.Fatalf("no JSON behind what was there: %s", out)
	}
	return string(out[1:]), r, nil
}

// asking is a body whose input is these items.
func asking(items string) string { return `{"model":"m","input":[` + items + `]}` }

const (
	hi      = `{"role":"user","content":"hi"}`
	hub     = `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`
	callA   = `{"type":"function_call","id":"fc_1","call_id":"a","name":"f","arguments":"{\"x\": 1}","status":"completed"}`
	callB   = `{"type":"function_call","call_id":"b","name":"g","arguments":""}`
	outA    = `{"type":"function_call_output","call_id":"a","output":"ok"}`
	outB    = `{"type":"function_call_output","call_id":"b","output":"{\"y\":2}"}`
	signed  = `{"functionCall":{"name":"f","args":{"x": 1}},"thoughtSignature":"` + gemini.Sentinel + `"}`
	second  = `{"functionCall":{"name":"g","args":{}}}`
	gave    = `{"functionResponse":{"name":"f","response":{"result":"ok"}}}`
	gaveToo = `{"functionResponse":{"name":"g","response":{"y":2}}}`
)

// dialogue is the hub's contents: turns by "user:" and "model:".
func dialogue(turns ...string) string {
	b := `{"contents":[`
	for i, turn := range turns {
		who, parts, _ := strings.Cut(turn, ":")
		if i > 0 {
			b += ","
		}
		b += `{"role":"` + who + `","parts":[` + parts + `]}`
	}
	return b + `]}`
}

func text(s string) string { return `{"text":"` + s + `"}` }

func TestInput(t *testing.T) {
	for name, c := range map[string]struct{ body, want string }{
		"a string":      {`{"input":"hi"}`, hub},
		"a message":     {asking(hi), hub},
		"with its type": {asking(`{"type":"message","role":"user","id":"msg_1","status":"completed","content":[{"type":"input_text","text":"hi"}]}`), hub},
		"instructions":  {`{"instructions":"be \"terse\"","input":"hi"}`, `{"systemInstruction":{"parts":[{"text":"be \"terse\""}]},` + hub[1:]},
		"system in front": {`{"instructions":"a","input":[{"role":"developer","content":"b"},{"role":"system","content":[{"type":"input_text","text":"c"}]},` + hi + `]}`,
			`{"systemInstruction":{"parts":[{"text":"a"},{"text":"b"},{"text":"c"}]},` + hub[1:]},
		"a later system message":  {asking(hi + `,{"role":"assistant","content":"yes"},{"role":"system","content":"now"}`), dialogue("user:"+text("hi"), "model:"+text("yes"), "user:"+text("now"))},
		"escapes stay":            {asking(`{"role":"user","content":"\u00e9\n\"x\""}`), dialogue("user:" + text(`\u00e9\n\"x\"`))},
		"empty ones are left out": {asking(hi + `,{"role":"assistant","content":""},{"role":"assistant","content":[]},{"role":"user","content":[{"type":"input_text","text":""}]}`), hub},
		"an answer of ours": {asking(hi + `,{"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"hm"}]},{"id":"msg_1","type":"message","role":"assistant","status":"completed","content":[{"type":"output_text","text":"yes","annotations":[],"logprobs":[]},{"type":"refusal","refusal":"no"}]},{"role":"user","content":"and"}`),
			dialogue("user:"+text("hi"), "model:"+text("yes")+","+text("no"), "user:"+text("and"))},
		"a picture": {asking(`{"role":"user","content":[{"type":"input_text","text":"see"},{"type":"input_image","detail":"low","image_url":"data:image\/jpg;base64,AA+\/\n"}]}`),
			dialogue("user:" + text("see") + `,{"inlineData":{"mimeType":"image/jpeg","data":"AA+/"}}`)},
		"a picture as chat has it": {asking(`{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}]}`), dialogue(`user:{"inlineData":{"mimeType":"image/png","data":"AA=="}}`)},
		"a file":                   {asking(`{"role":"user","content":[{"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,AA=="}]}`), dialogue(`user:{"inlineData":{"mimeType":"application/pdf","data":"AA=="}}`)},
		"a file by its name":       {asking(`{"role":"user","content":[{"type":"input_file","filename":"a.b.CSV","file_data":"AA=="}]}`), dialogue(`user:{"inlineData":{"mimeType":"text/csv","data":"AA=="}}`)},
		"audio":                    {asking(`{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AA==","format":"wav"}}]}`), dialogue(`user:{"inlineData":{"mimeType":"audio/wav","data":"AA=="}}`)},
		"calls":                    {asking(hi + "," + callA + "," + callB + "," + outB + "," + outA), dialogue("user:"+text("hi"), "model:"+signed+","+second, "user:"+gave+","+gaveToo)},
		"steps":                    {asking(hi + "," + callA + "," + outA + "," + callB + "," + outB), dialogue("user:"+text("hi"), "model:"+signed, "user:"+gave, "model:"+strings.Replace(second, "}}}", `}},"thoughtSignature":"`+gemini.Sentinel+`"}`, 1), "user:"+gaveToo)},
		"an output behind a message": {asking(hi + "," + callA + "," + callB + "," + outA + `,{"role":"user","content":"wait"},` + outB + `,{"role":"user","content":"go"}`),
			dialogue("user:"+text("hi"), "model:"+signed+","+second, "user:"+gave+","+gaveToo+","+text("wait")+","+text("go"))},
		"outputs behind an answer": {asking(hi + "," + callA + "," + callB + "," + outA + `,{"role":"assistant","content":"so"},` + outB + "," + hi),
			dialogue("user:"+text("hi"), "model:"+signed+","+second, "user:"+gave+","+gaveToo, "model:"+text("so"), "user:"+text("hi"))},
		"an output of parts": {asking(hi + "," + callA + `,{"type":"function_call_output","call_id":"a","output":[{"type":"input_text","text":"o"},{"type":"input_text","text":"k"},{"type":"input_image","image_url":"data:image/png;base64,AA=="}]}`),
			dialogue("user:"+text("hi"), "model:"+signed, `user:{"functionResponse":{"name":"f","response":{"result":"o\nk"}}},{"inlineData":{"mimeType":"image/png","data":"AA=="}}`)},
		"a custom tool": {asking(hi + `,{"type":"custom_tool_call","call_id":"a","name":"f","input":"say \"x\""},{"type":"custom_tool_call_output","call_id":"a","output":"ok"}`),
			dialogue("user:"+text("hi"), "model:"+strings.Replace(signed, `{"x": 1}`, `{"input":"say \"x\""}`, 1), "user:"+gave)},
		"a signature in reasoning": {asking(hi + `,{"type":"reasoning","summary":[],"encrypted_content":"gemini.EqQB\/+=="},` + callA + "," + callB + "," + outA + "," + outB),
			dialogue("user:"+text("hi"), "model:"+strings.Replace(signed, gemini.Sentinel, "EqQB/+==", 1)+","+second, "user:"+gave+","+gaveToo)},
		"a signature of another turn": {asking(hi + `,{"type":"reasoning","summary":[],"encrypted_content":"gemini.AA"},` + hi + `,` + callA + "," + outA),
			dialogue("user:"+text("hi")+","+text("hi"), "model:"+signed, "user:"+gave)},
		"reasoning of OpenAI":      {asking(hi + `,{"type":"reasoning","summary":[],"encrypted_content":"gAAAA"},` + callA + "," + outA), dialogue("user:"+text("hi"), "model:"+signed, "user:"+gave)},
		"a signature that is none": {asking(hi + `,{"type":"reasoning","summary":[],"encrypted_content":"gemini.a\"b"},` + callA + "," + outA), dialogue("user:"+text("hi"), "model:"+signed, "user:"+gave)},
		"what Google ran": {asking(hi + `,{"type":"web_search_call","id":"ws_1","status":"completed","action":{"type":"search","query":"q"}},{"type":"code_interpreter_call","id":"ci_1","code":"print(1)","container_id":"c","outputs":[{"type":"logs","logs":"1"}],"status":"completed"},{"role":"user","content":"and"}`),
			dialogue("user:"+text("hi"), "model:"+text("```\\nprint(1)\\n```\\n```output\\n1\\n```"), "user:"+text("and"))},
		"a picture of the model": {asking(hi + `,{"type":"image_generation_call","id":"ig_1","result":"AA==","output_format":"jpeg","status":"completed"},{"type":"image_generation_call","id":"ig_2","result":null,"status":"failed"},{"role":"user","content":"redder"}`),
			dialogue("user:"+text("hi"), `model:{"inlineData":{"mimeType":"image/jpeg","data":"AA=="}}`, "user:"+text("redder"))},
		"a reference to reasoning": {asking(hi + `,{"type":"item_reference","id":"rs_5"}`), hub},
		"names with escapes":       {`{"i\u006eput":[{"r\u006fle":"user","content":[{"type":"input_te\u0078t","text":"hi"}]}]}`, hub},
	} {
		t.Run(name, func(t *testing.T) {
			got, r, fail := translate(t, c.body, "", pro3())
			if fail != nil || got != c.want {
				t.Errorf("%v\ngot  %s\nwant %s", fail, got, c.want)
			}
			if len(r.Ignored) > 0 || !r.Store || r.Remote != 0 {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestRemotePictures(t *testing.T) {
	got, r, fail := translate(t, asking(`{"role":"user","content":[{"type":"input_image","image_url":"https:\/\/example.com\/a.png"},{"type":"input_image","image_url":"HTTP://example.com/b"}]},`+callA+
		`,{"type":"function_call_output","call_id":"a","output":[{"type":"input_image","image_url":"https://example.com/c"}]}`), "", pro25())
	if fail != nil || r.Remote != 3 || strings.Count(got, `{"fileData":{"fileUri":"`) != 3 || !strings.Contains(got, `https:\/\/example.com\/a.png`) {
		t.Errorf("%v %+v %s", fail, r, got)
	}
}

func TestThread(t *testing.T) {
	const thread = `[{"id":"msg_1","type":"message","role":"user","content":[{"type":"input_text","text":"hi"}]},` + callA + `]`
	got, r, fail := translate(t, `{"previous_response_id":"resp_1","store":false,"stream":true,"input":[`+outA+`,{"type":"item_reference","id":"msg_1"},{"id":"fc_1"}]}`, thread, pro3())
	if want := dialogue("user:"+text("hi"), "model:"+signed, "user:"+gave); fail != nil || got != want {
		t.Errorf("%v\ngot  %s\nwant %s", fail, got, want)
	}
	if r.Store || r.Previous != "resp_1" || !r.Stream {
		t.Errorf("%+v", r)
	}
	for body, param := range map[string]string{
		`{"input":"and?"}`: "input",
		`{"input":[{"type":"function_call_output","call_id":"z","output":""}]}`: "input[0].call_id",
		`{"input":[{"type":"item_reference","id":"msg_9"}]}`:                    "input[0].id",
	} {
		if _, _, fail := translate(t, body, thread, pro3()); fail == nil || fail.Status != 400 || fail.Param != param {
			t.Errorf("%s: %+v", body, fail)
		}
	}
	if _, _, fail := translate(t, `{"input":"hi"}`, `[{"type":"what"}]`, pro3()); fail == nil || fail.Param != "previous_response_id" {
		t.Errorf("%+v", fail)
	}
}

func TestRecall(t *testing.T) {
	target := pro3()
	target.Recall = func(id []byte) (gemini.Remembered, bool) {
		return gemini.Remembered{ID: "g1", Signature: "c2ln", Kind: "aistudio"}, string(id) == "a"
	}
	got, r, fail := translate(t, asking(hi+","+callA+","+outA), "", target)
	if fail != nil || !strings.Contains(got, `{"functionCall":{"id":"g1","name":"f","args":{"x": 1}},"thoughtSignature":"c2ln"}`) || len(r.Tools.Signed) != 1 {
		t.Errorf("%v %s", fail, got)
	}
}

const (
	fTool     = `{"type":"function","name":"f","description":"does f","parameters":{"type":"object","properties":{"x":{"type":"integer"}}},"strict":true}`
	fDeclared = `{"name":"f","description":"does f","parametersJsonSchema":{"type":"object","properties":{"x":{"type":"integer"}}}}`
	gTool     = `{"type":"function","name":"g","parameters":null,"strict":null}`
	gDeclared = `{"name":"g","parametersJsonSchema":{"type":"object","properties":{}}}`
)

// TestTools compares the hub request without the contents.
func TestTools(t *testing.T) {
	config := func(mode string) string { return `,"toolConfig":{"functionCallingConfig":{` + mode + `}}` }
	both := `"tools":[{"functionDeclarations":[` + fDeclared + "," + gDeclared + `]}]`
	for name, c := range map[string]struct{ tools, more, want, ignored string }{
		"none":          {"", "", "", ""},
		"functions":     {fTool + "," + gTool, "", both, ""},
		"auto":          {fTool + "," + gTool, `"tool_choice":"auto"`, both, ""},
		"never":         {fTool + "," + gTool, `"tool_choice":"none"`, both + config(`"mode":"NONE"`), ""},
		"required":      {fTool + "," + gTool, `"tool_choice":"required"`, both + config(`"mode":"ANY"`), ""},
		"named":         {fTool + "," + gTool, `"tool_choice":{"type":"function","name":"g"}`, both + config(`"mode":"ANY","allowedFunctionNames":["g"]`), ""},
		"allowed":       {fTool + "," + gTool, `"tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"f"}]}`, `"tools":[{"functionDeclarations":[` + fDeclared + `]}]`, ""},
		"allowed, must": {fTool + "," + gTool, `"tool_choice":{"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"f"}]}`, `"tools":[{"functionDeclarations":[` + fDeclared + `]}]` + config(`"mode":"ANY"`), ""},
		"a name that Google refuses": {`{"type":"function","name":"查 询"}`, `"tool_choice":{"type":"function","name":"查 询"}`,
			`"tools":[{"functionDeclarations":[{"name":"N","parametersJsonSchema":{"type":"object","properties":{}}}]}]` + config(`"mode":"ANY","allowedFunctionNames":["N"]`), ""},
		"search":                  {`{"type":"web_search"},{"type":"web_search_preview_2025_03_11","user_location":null}`, "", `"tools":[{"googleSearch":{}}]`, ""},
		"search, with more":       {`{"type":"web_search_preview","search_context_size":"low"}`, "", `"tools":[{"googleSearch":{}}]`, "tools[0].search_context_size"},
		"code":                    {`{"type":"code_interpreter","container":{"type":"auto","file_ids":[]}},{"type":"web_search"}`, "", `"tools":[{"codeExecution":{}},{"googleSearch":{}}]`, "tools[0].container"},
		"search and functions":    {`{"type":"web_search"},` + fTool, "", `"tools":[{"functionDeclarations":[` + fDeclared + `]},{"googleSearch":{}}]`, ""},
		"search, functions, none": {`{"type":"web_search"},` + fTool, `"tool_choice":"none"`, `"tools":[{"functionDeclarations":[` + fDeclared + `]}],"toolConfig":{"functionCallingConfig":{"mode":"NONE"}}`, ""},
		"search twice, must":      {`{"type":"web_search"},` + fTool + `,{"type":"web_search_preview"}`, `"tool_choice":"required"`, `"tools":[{"functionDeclarations":[` + fDeclared + `]},{"googleSearch":{}}],"toolConfig":{"functionCallingConfig":{"mode":"ANY"}}`, ""},
		"search by name":          {`{"type":"web_search"},` + fTool, `"tool_choice":{"type":"web_search"}`, `"tools":[{"googleSearch":{}}]`, "tool_choice"},
		"search, not":             {`{"type":"web_search"}`, `"tool_choice":"none"`, "", ""},
		"search, must":            {`{"type":"web_search"}`, `"tool_choice":"required"`, `"tools":[{"googleSearch":{}}]`, "tool_choice"},
		"only search is allowed":  {`{"type":"web_search"},` + fTool, `"tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"web_search_preview"}]}`, `"tools":[{"googleSearch":{}}]`, ""},
		"custom": {`{"type":"custom","name":"sh","description":"runs"}`, `"tool_choice":{"type":"custom","name":"sh"}`,
			`"tools":[{"functionDeclarations":[{"name":"sh","description":"runs",CUSTOM}]}]` + config(`"mode":"ANY","allowedFunctionNames":["sh"]`), ""},
		"custom, with a grammar": {`{"type":"custom","name":"sh","description":"runs","format":{"type":"grammar","syntax":"lark","definition":"start: \"x\""}}`, "",
			`"tools":[{"functionDeclarations":[{"name":"sh","description":"runs\n\nThe input must fit this grammar (lark):\nstart: \"x\"",CUSTOM}]}]`, "tools[0].format"},
		"custom, plain": {`{"type":"custom","name":"sh","format":{"type":"text"}}`, "", `"tools":[{"functionDeclarations":[{"name":"sh",CUSTOM}]}]`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			body := `{"input":"hi","tools":[` + c.tools + `]`
			if c.more != "" {
				body += "," + c.more
			}
			got, r, fail := translate(t, body+"}", "", pro25())
			if fail != nil {
				t.Fatal(fail)
			}
			want := strings.ReplaceAll(c.want, "CUSTOM", `"parametersJsonSchema":{"type":"object","properties":{"input":{"type":"string","description":"The input of the tool: plain text, not JSON"}},"required":["input"]}`)
			if strings.Contains(want, `"N"`) {
				want = strings.ReplaceAll(want, `"N"`, `"`+r.Tools.Google("查 询")+`"`)
			}
			if want != "" {
				want += ","
			}
			if want = "{" + want + hub[1:]; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if strings.Join(r.Ignored, ",") != c.ignored {
				t.Errorf("ignored %v", r.Ignored)
			}
			hosted := strings.Contains(c.want, "googleSearch") || strings.Contains(c.want, "codeExecution")
			if (r.Tools != nil) != (strings.Contains(c.tools, `"name"`) || hosted) || r.Tools != nil && len(r.Tools.Hosted) > 0 != hosted {
				t.Errorf("tools %v", r.Tools)
			}
			if f, ok := r.Tools.Known("sh"); ok && !f.Custom {
				t.Error("a custom tool is a function")
			}
		})
	}
}

func TestSingle(t *testing.T) {
	for more, want := range map[string]bool{"": false, `,"parallel_tool_calls":true`: false, `,"parallel_tool_calls":false`: true} {
		if _, r, fail := translate(t, `{"input":"hi","tools":[`+fTool+`]`+more+`}`, "", pro3()); fail != nil || r.Tools.Single != want {
			t.Errorf("%s: %v %+v", more, fail, r.Tools)
		}
	}
}

// TestParameters compares the generationConfig.
func TestParameters(t *testing.T) {
	const schema = `{"type":"object","properties":{"a":{"type":"string"}}}`
	for name, c := range map[string]struct {
		more    string
		want    string
		ignored string
		target  gemini.Target
	}{
		"numbers":       {`"temperature":0.5,"top_p":1e-1,"max_output_tokens":12`, `"temperature":0.5,"topP":1e-1,"maxOutputTokens":12`, "", pro25()},
		"too many":      {`"max_output_tokens":1e9`, `"maxOutputTokens":65536`, "max_output_tokens=65536", pro25()},
		"null is none":  {`"temperature":null,"tools":null,"text":null,"reasoning":null,"background":null,"conversation":null,"prompt":null,"store":null`, "", "", pro25()},
		"effort":        {`"reasoning":{"effort":"low"}`, `"thinkingConfig":{"thinkingBudget":1024,"includeThoughts":false}`, "", pro25()},
		"summary":       {`"reasoning":{"effort":"low","summary":"auto"}`, `"thinkingConfig":{"thinkingLevel":"LOW","includeThoughts":true}`, "", pro3()},
		"only summary":  {`"reasoning":{"summary":"detailed"}`, `"thinkingConfig":{"includeThoughts":true}`, "", pro3()},
		"old summary":   {`"reasoning":{"generate_summary":"concise"}`, `"thinkingConfig":{"includeThoughts":true}`, "", pro3()},
		"empty":         {`"reasoning":{"effort":null,"summary":null}`, "", "", pro3()},
		"cannot think":  {`"reasoning":{"effort":"high"}`, "", "reasoning", gemini.Target{Major: 2}},
		"context":       {`"reasoning":{"context":"auto"}`, "", "reasoning.context", pro3()},
		"text":          {`"text":{"format":{"type":"text"},"verbosity":"low"}`, "", "text.verbosity", pro3()},
		"JSON":          {`"text":{"format":{"type":"json_object"}}`, `"responseMimeType":"application/json"`, "", pro25()},
		"a schema":      {`"text":{"format":{"type":"json_schema","name":"n","strict":true,"schema":` + schema + `}}`, `"responseMimeType":"application/json","responseJsonSchema":` + schema, "", pro25()},
		"with tools":    {`"text":{"format":{"type":"json_object"}},"tools":[` + fTool + `]`, `"responseMimeType":"application/json"`, "", pro3()},
		"include":       {`"include":["reasoning.encrypted_content","code_interpreter_call.outputs","web_search_call.action.sources"]`, "", "", pro3()},
		"include more":  {`"include":["message.output_text.logprobs"],"top_logprobs":2`, "", "include=message.output_text.logprobs,top_logprobs", pro3()},
		"nothing to do": {`"truncation":"disabled","metadata":{"a":"b"},"user":"u","service_tier":"flex","prompt_cache_key":"k","safety_identifier":"s","stream_options":{"include_obfuscation":false},"top_logprobs":0,"background":false`, "", "", pro3()},
		"reported":      {`"truncation":"auto","max_tool_calls":3,"context_management":[],"moderation":{},"stop":["x"],"a b\n":1`, "", "truncation,max_tool_calls,context_management,moderation,stop,a?b?", pro3()},
		"draws":         {`"tools":[{"type":"image_generation"}]`, `"responseModalities":["TEXT","IMAGE"]`, "", gemini.Target{Major: 3, Image: true}},
		"draws so": {`"tools":[{"type":"image_generation","size":"1024x1536","quality":"2K","background":"auto"}]`,
			`"responseModalities":["TEXT","IMAGE"],"imageConfig":{"aspectRatio":"2:3","imageSize":"2K"}`, "tools[0].background", gemini.Target{Major: 3, Image: true}},
		"draws nearly": {`"tools":[{"type":"image_generation","size":"2048x1024","quality":"high"}]`,
			`"responseModalities":["TEXT","IMAGE"],"imageConfig":{"aspectRatio":"16:9"}`, "tools[0].quality,tools[0].size=16:9", gemini.Target{Major: 2, Minor: 5, Image: true}},
		"draws as it likes": {`"tools":[{"type":"image_generation","size":"auto","quality":"auto"}]`, `"responseModalities":["TEXT","IMAGE"]`, "", gemini.Target{Major: 3, Image: true}},
	} {
		t.Run(name, func(t *testing.T) {
			got, r, fail := translate(t, `{"input":"hi",`+c.more+`}`, "", c.target)
			if fail != nil {
				t.Fatal(fail)
			}
			want := hub
			if c.want != "" {
				want = hub[:len(hub)-1] + `,"generationConfig":{` + c.want + `}}`
			}
			if at := strings.Index(got, `"contents"`); "{"+got[at:] != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if strings.Join(r.Ignored, ",") != c.ignored {
				t.Errorf("ignored %v", r.Ignored)
			}
		})
	}
}

// Before Gemini 3 a format cannot be sent together with tools.
func TestFormatInWords(t *testing.T) {
	for format, want := range map[string]string{
		`{"type":"json_object"}`: `answer with one JSON object and nothing else.`,
		`{"type":"json_schema","name":"n","schema":{"type":"object"}}`: `It must fit this JSON Schema: {\"type\":\"object\"}`,
	} {
		got, r, fail := translate(t, `{"input":"hi","instructions":"be","text":{"format":`+format+`},"tools":[`+fTool+`]}`, "", pro25())
		if fail != nil || !strings.Contains(got, `"systemInstruction":{"parts":[{"text":"be"},{"text":"`) || !strings.Contains(got, want) || strings.Contains(got, "responseMimeType") {
			t.Errorf("%v %s", fail, got)
		}
		if !slices.Equal(r.Ignored, []string{"text.format"}) {
			t.Errorf("ignored %v", r.Ignored)
		}
	}
}

func TestPrevious(t *testing.T) {
	for body, want := range map[string]string{
		`{"previous_response_id":"resp_1"}`:                 "resp_1",
		`{"previous_response_id":null,"conversation":null}`: "",
		`{}`:                            "",
		`{"previous_response_id":5}`:    "!previous_response_id",
		`{"previous_response_id":""}`:   "!previous_response_id",
		`{"conversation":"conv_1"}`:     "!conversation",
		`{"conversation":{"id":"c_1"}}`: "!conversation",
	} {
		id, fail := Previous(scanned(t, body))
		if fail != nil {
			id = "!" + fail.Param
		}
		if id != want || fail != nil && fail.Status != 400 {
			t.Errorf("%s: %q, %v", body, id, fail)
		}
	}
}

func TestFields(t *testing.T) {
	list := Fields()
	if len(list) != len(fields) || !slices.IsSortedFunc(list, func(a, b Field) int { return strings.Compare(a.Name, b.Name) }) {
		t.Errorf("%d fields", len(list))
	}
	for _, f := range list {
		if f.Does == "" {
			t.Errorf("%s says nothing", f.Name)
		}
	}
}

// limits is what the table says of a model.
func limits(base string) gemini.Limits { return gemini.Limits(models.FamilyOf(base).Thinking()) }

// thinkers are models of every way to think, for targets that are made of a number.
var thinkers = [8]string{"gemini-2.0-flash", "gemini-2.5-pro", "gemini-2.5-flash", "gemini-2.5-flash-lite",
	"gemini-3-pro", "gemini-3.1-pro", "gemini-3-flash", "gemini-flash-latest"}
