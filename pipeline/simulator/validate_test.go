package simulator

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/png"
	"strings"
	"testing"
)

// A request for a rule: where it goes, and with what it is refused; an empty refusal means that it must pass.
type refusal struct {
	name, backend, model, body string
	with                       string
}

func with(config string) string {
	return `{"contents":[` + turn("hi") + `],"generationConfig":` + config + `}`
}

func withTools(tools, more string) string {
	return `{"contents":[` + turn("hi") + `],"tools":` + tools + more + `}`
}

func declare(fields string) string {
	return withTools(`[{"functionDeclarations":[{"name":"f",`+fields+`}]}]`, "")
}

func run(t *testing.T, cases []refusal) {
	k := start(t, Options{})
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			k.t = t
			model := c.model
			if model == "" {
				model = "gemini-2.5-flash"
			}
			var a answered
			switch c.backend {
			case "", "a":
				a = k.ask("generateContent", model, c.body)
			case "s":
				a = k.studio("generateContent", model, c.body)
			case "v":
				a = k.send("POST", "/v1/publishers/google/models/"+model+":generateContent", c.body, keyHeader())
			}
			if c.with == "" {
				a.want(t, 200, "candidates")
				return
			}
			s := read(t, a.body)
			if a.status < 400 || s.Error == nil || !strings.Contains(s.Error.Message, c.with) {
				t.Errorf("got %d %s\nwant a refusal with %q", a.status, a.body, c.with)
			}
		})
	}
	k.t = t
}

func TestUnknownFields(t *testing.T) {
	const hi = `"contents":[{"role":"user","parts":[{"text":"hi"}]}]`
	run(t, []refusal{
		{"top", "s", "", `{` + hi + `,"foo":1}`, `Unknown name "foo": Cannot find field.`},
		{"request", "a", "", `{` + hi + `,"foo":1}`, `Unknown name "foo" at 'request': Cannot find field.`},
		{"config", "a", "", with(`{"foo":1}`), `Unknown name "foo" at 'request.generation_config': Cannot find field.`},
		{"part", "s", "", `{"contents":[{"role":"user","parts":[{"text":"hi","cacheControl":{}}]}]}`, `Unknown name "cacheControl" at 'contents[0].parts[0]'`},
		{"schema", "a", "", declare(`"parameters":{"type":"OBJECT","properties":{"a":{"type":"STRING","const":"x"}}}`),
			`Unknown name "const" at 'request.tools[0].function_declarations[0].parameters.properties[0].value'`},
		{"cachedContent on code assist", "a", "", `{` + hi + `,"cachedContent":"c"}`, "cachedContent"},
		{"cachedContent at studio", "s", "", `{` + hi + `,"cachedContent":"c"}`, ""},
		{"a cache and tools", "s", "", `{` + hi + `,"cachedContent":"c","tools":[{"googleSearch":{}}]}`, "can not be used with"},
		{"a cache and an instruction", "s", "", `{` + hi + `,"cached_content":"c","system_instruction":{"parts":[{"text":"a"}]}}`, "can not be used with"},
		{"labels on code assist", "a", "", `{` + hi + `,"labels":{}}`, "labels"},
		{"labels at studio", "s", "", `{` + hi + `,"labels":{}}`, "labels"},
		{"labels at vertex", "v", "", `{` + hi + `,"labels":{"a":"b"}}`, ""},
		{"model inside", "a", "", `{` + hi + `,"model":"m"}`, "model"},
		{"store on code assist", "a", "", `{` + hi + `,"store":true}`, "store"},
		{"store at studio", "s", "", `{` + hi + `,"store":true}`, ""},
		{"session id on code assist", "a", "", `{` + hi + `,"session_id":"x"}`, ""},
		{"session id at studio", "s", "", `{` + hi + `,"session_id":"x"}`, "session_id"},
		{"audioTimestamp at studio", "s", "", with(`{"audioTimestamp":true}`), "audioTimestamp"},
		{"audioTimestamp on code assist", "a", "", with(`{"audioTimestamp":true}`), ""},
		{"snake case", "s", "", `{` + hi + `,"generation_config":{"max_output_tokens":5,"thinking_config":{"thinking_budget":0}}}`, ""},
		{"both spellings", "s", "", with(`{"topK":1,"top_k":2}`), "already set"},
		{"null is absent", "s", "", `{` + hi + `,"tools":null,"safetySettings":null}`, ""},
		{"wrong type", "s", "", with(`{"temperature":"warm"}`), `(TYPE_DOUBLE), "warm"`},
		{"fraction for int", "s", "", with(`{"maxOutputTokens":1.5}`), "TYPE_INT32"},
		{"text as list", "s", "", `{"contents":[{"role":"user","parts":[{"text":["a"]}]}]}`, "Proto field is not repeating"},
		{"text as object", "s", "", `{"contents":[{"role":"user","parts":[{"text":{}}]}]}`, "TYPE_STRING"},
		{"single for list", "s", "", `{"contents":{"role":"user","parts":{"text":"hi"}}}`, ""},
		{"bad enum", "s", "", `{` + hi + `,"safetySettings":[{"category":"HARM_CATEGORY_X","threshold":"OFF"}]}`, "safety_settings[0].category"},
		{"bad base64", "s", "", `{"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"?"}}]}]}`, "Base64 decoding failed"},
		{"not JSON", "s", "", `{"contents":`, "Invalid JSON payload received"},
		{"two values", "s", "", `{} {}`, "after the end"},
		{"not an object", "s", "", `[]`, "Root element"},
	})
}

func TestEnvelopeRules(t *testing.T) {
	k := start(t, Options{MaxBody: 4096})
	project := k.account.Project
	for name, c := range map[string]struct {
		body   string
		status int
		with   string
	}{
		"no project":      {`{"model":"gemini-2.5-pro","request":` + user("x") + `}`, 403, "CONSUMER_INVALID"},
		"foreign project": {`{"model":"gemini-2.5-pro","project":"x","request":` + user("x") + `}`, 403, "CONSUMER_INVALID"},
		"unknown model":   {`{"model":"gemini-9","project":"` + project + `","request":` + user("x") + `}`, 404, "Requested entity was not found."},
		"image model":     {`{"model":"gemini-2.5-flash-image","project":"` + project + `","request":` + user("x") + `}`, 404, "NOT_FOUND"},
		"prefixed model":  {`{"model":"models/gemini-2.5-pro","project":"` + project + `","request":` + user("x") + `}`, 404, "NOT_FOUND"},
		"no model":        {`{"project":"` + project + `","request":` + user("x") + `}`, 400, "INVALID_ARGUMENT"},
		"no request":      {`{"model":"gemini-2.5-pro","project":"` + project + `"}`, 400, "INVALID_ARGUMENT"},
		"extra":           {`{"model":"gemini-2.5-pro","project":"` + project + `","stream":true,"request":` + user("x") + `}`, 400, `Unknown name \"stream\"`},
		"aliases":         {`{"model":"gemini-2.5-pro","project":"` + project + `","user_prompt_id":"u","request":` + user("x") + `}`, 200, "echo: x"},
		"too large":       {`{"model":"gemini-2.5-pro","project":"` + project + `","request":` + user(strings.Repeat("x", 5000)) + `}`, 400, "payload size exceeds"},
	} {
		t.Run(name, func(t *testing.T) { k.assist("generateContent", c.body).want(t, c.status, c.with) })
	}
	k.UpdateAccount(email, func(a *Account) { a.NoPreview = true })
	a := k.ask("generateContent", "gemini-3-pro-preview", user("x"))
	a.want(t, 404, "Requested entity was not found.")
	if s := read(t, a.body); len(s.Error.Details) != 0 {
		t.Errorf("404 has details: %s", a.body)
	}
	k.studio("generateContent", "gemini-9", user("x")).want(t, 404, "models/gemini-9 is not found for API version v1beta")
	k.ask("streamGenerateContent?alt=sse", "gemini-9", user("x")).want(t, 404, `{"error"`)
}

func TestContentRules(t *testing.T) {
	const (
		call     = `{"functionCall":{"name":"f","args":{"a":1}}}`
		response = `{"functionResponse":{"name":"f","response":{"ok":true}}}`
	)
	model := func(parts ...string) string { return `,{"role":"model","parts":[` + strings.Join(parts, ",") + `]}` }
	userOf := func(parts ...string) string { return `,{"role":"user","parts":[` + strings.Join(parts, ",") + `]}` }
	contents := func(all ...string) string { return `{"contents":[` + turn("hi") + strings.Join(all, "") + `]}` }
	run(t, []refusal{
		{"none", "a", "", `{"contents":[]}`, "contents is not specified"},
		{"no parts", "a", "", `{"contents":[{"role":"user","parts":[]}]}`, "must not be empty"},
		{"empty part", "a", "", `{"contents":[{"role":"user","parts":[{}]}]}`, "required oneof field 'data'"},
		{"empty text", "a", "", user(""), "must have a text parameter"},
		{"two data fields", "a", "", `{"contents":[{"role":"user","parts":[{"text":"a","inlineData":{}}]}]}`, "oneof"},
		{"role assistant", "a", "", `{"contents":[{"role":"assistant","parts":[{"text":"a"}]}]}`, "valid role"},
		{"role system", "s", "", `{"contents":[{"role":"system","parts":[{"text":"a"}]}]}`, "valid role"},
		{"no role on code assist", "a", "", `{"contents":[{"parts":[{"text":"a"}]}]}`, "valid role"},
		{"no role at studio", "s", "", `{"contents":[{"parts":[{"text":"a"}]}]}`, ""},
		{"begins with model", "a", "", `{"contents":[{"role":"model","parts":[{"text":"a"}]},` + turn("b") + `]}`, "begin with a user turn"},
		{"ends with model", "a", "gemini-3.1-flash-lite", contents(model(`{"text":"a"}`)), "last turn"},
		{"prefill on 2.5", "a", "", contents(model(`{"text":"a"}`)), ""},
		{"call and response", "a", "", contents(model(call), userOf(response)), ""},
		{"response with role function", "a", "", contents(model(call), `,{"role":"function","parts":[`+response+`]}`), ""},
		{"call without response", "a", "", contents(model(call)), "number of function response parts"},
		{"too few", "a", "", contents(model(call, call), userOf(response)), "number of function response parts"},
		{"too many", "a", "", contents(model(call), userOf(response, response)), "number of function response parts"},
		{"other name", "a", "", contents(model(call), userOf(strings.Replace(response, `"f"`, `"g"`, 1))), "in the order of the function calls"},
		{"other id", "a", "", contents(model(strings.Replace(call, `"name"`, `"id":"1","name"`, 1)), userOf(strings.Replace(response, `"name"`, `"id":"2","name"`, 1))), "in the order of the function calls"},
		{"id left out of the response", "a", "", contents(model(strings.Replace(call, `"name"`, `"id":"1","name"`, 1)), userOf(response)), ""},
		{"response without call", "a", "", contents(userOf(response)), "immediately after a function call turn"},
		{"response as text", "a", "", contents(model(call), userOf(`{"functionResponse":{"name":"f","response":"x"}}`)), "google.protobuf.Struct"},
		{"call by user", "a", "", contents(userOf(call)), "have the role model"},
		{"call after model", "a", "", contents(model(`{"text":"a"}`), model(call), userOf(response)), "immediately after a user turn"},
		{"system", "a", "", `{"contents":[` + turn("hi") + `],"systemInstruction":{"parts":[{"text":"s"}]}}`, ""},
		{"system picture", "a", "", `{"contents":[` + turn("hi") + `],"systemInstruction":{"parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}}`, "only supports text"},
		{"gif", "a", "", contents(userOf(`{"inlineData":{"mimeType":"image/gif","data":"AAAA"}}`)), "Unsupported MIME type"},
		{"no picture", "a", "", contents(userOf(`{"inlineData":{"mimeType":"image/png","data":"AAAA"}}`)), "Unable to process input image"},
		{"png", "a", "", contents(userOf(`{"inlineData":{"mimeType":"image/png","data":"` + pngText(t) + `"}}`)), ""},
		{"file on code assist", "a", "", contents(userOf(`{"fileData":{"fileUri":"gs://b/o","mimeType":"image/png"}}`)), "file uri"},
		{"file at vertex", "v", "", contents(userOf(`{"fileData":{"fileUri":"gs://b/o","mimeType":"image/png"}}`)), ""},
	})
}

func pngText(t testing.TB) string {
	t.Helper()
	var out bytes.Buffer
	if err := png.Encode(&out, image.NewGray(image.Rect(0, 0, 2, 2))); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(out.Bytes())
}

func TestConfigRules(t *testing.T) {
	run(t, []refusal{
		{"all in range", "a", "", with(`{"temperature":2,"topP":1,"topK":64,"maxOutputTokens":65536,"candidateCount":1,"seed":7,"stopSequences":["a","b","c","d","e"]}`), ""},
		{"temperature", "a", "", with(`{"temperature":2.1}`), "temperature value of 2.1"},
		{"topP", "a", "", with(`{"topP":1.1}`), "topP"},
		{"topK 65", "a", "", with(`{"topK":65}`), "topK"},
		{"topK 0", "a", "", with(`{"topK":0}`), "topK"},
		{"max 0", "a", "", with(`{"maxOutputTokens":0}`), "maxOutputTokens"},
		{"max 65537", "s", "", with(`{"maxOutputTokens":65537}`), "* GenerateContentRequest.generation_config.max_output_tokens"},
		{"two candidates", "a", "", with(`{"candidateCount":2}`), "Multiple candidates"},
		{"six stops", "a", "", with(`{"stopSequences":["a","b","c","d","e","f"]}`), "stop sequences"},
		{"empty stop", "a", "", with(`{"stopSequences":[""]}`), "must not be empty"},
		{"penalty", "a", "", with(`{"presencePenalty":0.5}`), "Penalty is not enabled"},
		{"penalty on 2.0", "s", "gemini-2.0-flash", with(`{"presencePenalty":0.5}`), ""},
		{"penalty 2", "s", "gemini-2.0-flash", with(`{"frequencyPenalty":2}`), "frequencyPenalty"},
		{"logprobs alone", "a", "", with(`{"logprobs":3}`), "response_logprobs"},
		{"mime", "a", "", with(`{"responseMimeType":"image/png"}`), "allowed mimetypes"},
		{"schema without mime", "a", "", with(`{"responseSchema":{"type":"STRING"}}`), "only supported with"},
		{"both schemas", "a", "", with(`{"responseMimeType":"application/json","responseSchema":{"type":"STRING"},"responseJsonSchema":{}}`), "Only one of"},
		{"picture from text model", "a", "", with(`{"responseModalities":["TEXT","IMAGE"]}`), "response modalities"},
		{"audio", "s", "", with(`{"responseModalities":["AUDIO"]}`), "response modalities"},
		{"ratio on text model", "a", "", with(`{"imageConfig":{"aspectRatio":"1:1"}}`), "Aspect ratio"},
		{"odd ratio", "s", "gemini-2.5-flash-image", with(`{"imageConfig":{"aspectRatio":"7:5"}}`), "Invalid aspect ratio"},
		{"size on 2.5", "s", "gemini-2.5-flash-image", with(`{"imageConfig":{"imageSize":"2K"}}`), "Invalid image size"},
		{"size on 3", "s", "gemini-3-pro-image-preview", with(`{"imageConfig":{"imageSize":"2K","aspectRatio":"16:9"}}`), ""},
	})
}

func TestThinkingRules(t *testing.T) {
	think := func(inner string) string { return with(`{"thinkingConfig":{` + inner + `}}`) }
	run(t, []refusal{
		{"both", "a", "gemini-3-pro-preview", think(`"thinkingBudget":1000,"thinkingLevel":"LOW"`), "only one of thinking budget and thinking level"},
		{"0 on pro", "a", "gemini-2.5-pro", think(`"thinkingBudget":0`), "Budget 0 is invalid"},
		{"0 on flash", "a", "gemini-2.5-flash", think(`"thinkingBudget":0`), ""},
		{"-1", "a", "gemini-2.5-pro", think(`"thinkingBudget":-1`), ""},
		{"127 on pro", "a", "gemini-2.5-pro", think(`"thinkingBudget":127`), "thinking budget 127"},
		{"32769 on pro", "a", "gemini-2.5-pro", think(`"thinkingBudget":32769`), "between 128 and 32768"},
		{"24577 on flash", "a", "gemini-2.5-flash", think(`"thinkingBudget":24577`), "between"},
		{"100 on lite", "a", "gemini-2.5-flash-lite", think(`"thinkingBudget":100`), "between 512"},
		{"level on 2.5", "a", "gemini-2.5-pro", think(`"thinkingLevel":"HIGH"`), "Thinking level HIGH"},
		{"MEDIUM on 3-pro", "a", "gemini-3-pro-preview", think(`"thinkingLevel":"MEDIUM"`), "Thinking level MEDIUM"},
		{"low on 3-pro", "a", "gemini-3-pro-preview", think(`"thinkingLevel":"low"`), ""},
		{"MEDIUM on 3.1-pro", "a", "gemini-3.1-pro-preview", think(`"thinkingLevel":"MEDIUM"`), ""},
		{"MINIMAL on 3-flash", "a", "gemini-3-flash-preview", think(`"thinkingLevel":"MINIMAL"`), ""},
		{"odd level", "a", "gemini-3-flash-preview", think(`"thinkingLevel":"SOME"`), "thinking_level"},
		{"thoughts without thinking", "a", "gemini-2.5-flash", think(`"thinkingBudget":0,"includeThoughts":true`), "include_thoughts"},
		{"model without thoughts", "s", "gemini-2.0-flash", think(`"thinkingBudget":100`), "Thinking is not enabled"},
		{"shown by a model without thoughts", "s", "gemini-2.0-flash", think(`"includeThoughts":true`), "Thinking is not enabled"},
		{"nothing of a model without thoughts", "s", "gemini-2.0-flash", think(`"thinkingLevel":"LOW"`), "Thinking is not enabled"},
		{"-2", "a", "gemini-2.5-flash", think(`"thinkingBudget":-2`), "thinking budget -2"},
		{"0 on 3-pro", "a", "gemini-3-pro-preview", think(`"thinkingBudget":0`), "Budget 0 is invalid"},
		{"MINIMAL on 3.1-pro", "a", "gemini-3.1-pro-preview", think(`"thinkingLevel":"MINIMAL"`), "Thinking level MINIMAL"},
		{"thoughts hidden without thinking", "a", "gemini-2.5-flash", think(`"thinkingBudget":0,"includeThoughts":false`), ""},
		{"both in snake case", "s", "gemini-3.5-flash", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"generation_config":{"thinking_config":{"thinking_budget":-1,"thinking_level":"low"}}}`, "only one of thinking budget and thinking level"},
		{"thoughts in snake case", "s", "gemini-2.5-flash", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"generation_config":{"thinking_config":{"thinking_budget":0,"include_thoughts":true}}}`, "include_thoughts"},
		{"half a token", "a", "gemini-2.5-flash", think(`"thinkingBudget":0.5`), "thinking_budget"},
	})
}

func TestToolRules(t *testing.T) {
	f := `{"functionDeclarations":[{"name":"f"}]}`
	deep := strings.Repeat(`{"type":"array","items":`, 40) + `{}` + strings.Repeat(`}`, 40)
	run(t, []refusal{
		{"plain", "a", "", withTools(`[`+f+`]`, ""), ""},
		{"digit first", "a", "", withTools(`[{"functionDeclarations":[{"name":"1f"}]}]`, ""), "Invalid function name"},
		{"too long", "a", "", withTools(`[{"functionDeclarations":[{"name":"`+strings.Repeat("f", 65)+`"}]}]`, ""), "Invalid function name"},
		{"dots and colons", "a", "", withTools(`[{"functionDeclarations":[{"name":"a.b:c-d_e"}]}]`, ""), ""},
		{"twice", "a", "", withTools(`[`+f+`,`+f+`]`, ""), "Duplicate function declaration"},
		{"search and functions", "a", "", withTools(`[`+f+`,{"googleSearch":{}}]`, ""), "unsupported by the model"},
		{"the same on 3", "a", "gemini-3-pro-preview", withTools(`[`+f+`,{"google_search":{}}]`, ""), "cannot be combined"},
		{"the same at studio", "s", "gemini-3-pro-preview", withTools(`[`+f+`,{"googleSearch":{}}]`, ""), "include_server_side_tool_invocations"},
		{"allowed at studio", "s", "gemini-3-pro-preview", withTools(`[`+f+`,{"googleSearch":{}}]`, `,"toolConfig":{"includeServerSideToolInvocations":true}`), ""},
		{"search alone", "a", "", withTools(`[{"googleSearch":{}},{"urlContext":{}}]`, ""), ""},
		{"old search", "a", "", withTools(`[{"googleSearchRetrieval":{}}]`, ""), "use google_search"},
		{"vertex search at studio", "s", "", withTools(`[{"enterpriseWebSearch":{}}]`, ""), "enterpriseWebSearch"},
		{"mode alone", "a", "", `{"contents":[` + turn("hi") + `],"toolConfig":{"functionCallingConfig":{"mode":"AUTO"}}}`, "without function_declarations"},
		{"names with AUTO", "a", "", withTools(`[`+f+`]`, `,"toolConfig":{"functionCallingConfig":{"mode":"AUTO","allowedFunctionNames":["f"]}}`), "only when"},
		{"unknown name", "a", "", withTools(`[`+f+`]`, `,"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["g"]}}`), "not declared"},
		{"json and functions", "a", "", withTools(`[`+f+`]`, `,"generationConfig":{"responseMimeType":"application/json"}`), "is unsupported"},
		{"the same on 3", "a", "gemini-3-pro-preview", withTools(`[`+f+`]`, `,"generationConfig":{"responseMimeType":"application/json"}`), ""},
		{"duplicate safety", "a", "", `{"contents":[` + turn("hi") + `],"safetySettings":[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"OFF"},{"category":"HARM_CATEGORY_HARASSMENT","threshold":"OFF"}]}`, "Duplicate safety"},
		{"jailbreak at studio", "s", "", `{"contents":[` + turn("hi") + `],"safetySettings":[{"category":"HARM_CATEGORY_JAILBREAK","threshold":"OFF"}]}`, "category"},
		{"jailbreak on code assist", "a", "", `{"contents":[` + turn("hi") + `],"safetySettings":[{"category":"HARM_CATEGORY_JAILBREAK","threshold":"OFF"}]}`, ""},
		{"jailbreak on lite", "a", "gemini-2.5-flash-lite", `{"contents":[` + turn("hi") + `],"safetySettings":[{"category":"HARM_CATEGORY_JAILBREAK","threshold":"OFF"}]}`, "not supported"},

		{"schema", "a", "", declare(`"parameters":{"type":"object","properties":{"format":{"type":"string"}},"required":["format"]}`), ""},
		{"required", "a", "", declare(`"parameters":{"type":"OBJECT","properties":{"a":{"type":"STRING"}},"required":["b"]}`), "property is not defined"},
		{"array without items", "a", "", declare(`"parameters":{"type":"OBJECT","properties":{"a":{"type":"ARRAY"}}}`), "missing field"},
		{"format", "s", "", declare(`"parameters":{"type":"OBJECT","properties":{"a":{"type":"STRING","format":"uuid"}}}`), "only 'enum' and 'date-time'"},
		{"type list", "a", "", declare(`"parameters":{"type":["OBJECT","NULL"]}`), "not repeating"},
		{"number enum", "a", "", declare(`"parameters":{"type":"OBJECT","properties":{"a":{"type":"INTEGER","enum":[1]}}}`), "TYPE_STRING"},
		{"empty object on 2.0", "s", "gemini-2.0-flash", declare(`"parameters":{"type":"OBJECT"}`), "non-empty for OBJECT"},
		{"both", "a", "", declare(`"parameters":{"type":"OBJECT"},"parametersJsonSchema":{}`), "Only one of"},
		{"raw", "a", "", declare(`"parametersJsonSchema":{"type":["object","null"],"properties":{"const":{"enum":[1]}},"additionalProperties":false,"$defs":{}}`), ""},
		{"raw const", "a", "", declare(`"parametersJsonSchema":{"type":"object","properties":{"a":{"const":1}}}`), "const"},
		{"raw $schema", "a", "", declare(`"parametersJsonSchema":{"$schema":"x","type":"object"}`), "$schema"},
		{"raw $schema at studio", "s", "", declare(`"parametersJsonSchema":{"$schema":"x","type":"object"}`), ""},
		{"raw ref", "a", "", declare(`"parametersJsonSchema":{"type":"object","properties":{"a":{"$ref":"#/$defs/A","description":"x"}}}`), "sibling"},
		{"raw true", "a", "", declare(`"parametersJsonSchema":true`), "JSON object"},
		{"raw depth", "a", "", declare(`"parametersJsonSchema":{"type":"object","properties":{"a":` + deep + `}}`), "depth"},
	})
}

func TestSignatureRules(t *testing.T) {
	good, other, old := sign("gemini-3", "f"), sign("gemini-3", "g"), sign("gemini-2", "f")
	history := func(signature, tail string) string {
		if signature != "" {
			signature = `,"thoughtSignature":"` + signature + `"`
		}
		return `{"contents":[` + turn("hi") + `,{"role":"model","parts":[{"functionCall":{"name":"f"}` + signature + `},{"functionCall":{"name":"f"}}]},` +
			`{"role":"user","parts":[{"functionResponse":{"name":"f","response":{}}},{"functionResponse":{"name":"f","response":{}}}]}` + tail + `]}`
	}
	const three = "gemini-3-pro-preview"
	run(t, []refusal{
		{"missing", "a", three, history("", ""), "missing a thought_signature"},
		{"missing on 2.5", "a", "", history("", ""), ""},
		{"genuine", "a", three, history(good, ""), ""},
		{"sentinel", "a", three, history(Sentinel, ""), ""},
		{"invented", "a", three, history("EqQBCqEB", ""), "Corrupted thought signature"},
		{"of another part", "a", three, history(other, ""), "belongs to another"},
		{"of another family", "a", three, history(old, ""), "Invalid thought signature"},
		{"not base64", "a", three, history("!!", ""), "Base64 decoding failed"},
		{"earlier turn", "a", three, history("", `,{"role":"model","parts":[{"text":"done"}]},`+turn("next")), ""},
	})
	k := start(t, Options{AnySignature: true})
	k.ask("generateContent", three, history("EqQBCqEB", "")).want(t, 200, "candidates")
}
