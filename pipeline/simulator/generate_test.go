package simulator

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"image/png"
	"strings"
	"testing"
)

func TestEchoAndUsage(t *testing.T) {
	k := start(t, Options{})
	a := k.ask("generateContent", "gemini-2.5-flash", user("Hello, 世界"))
	s := read(t, a.body)
	if s.text() != "echo: Hello, 世界" || s.finish() != "STOP" || s.ModelVersion != "gemini-2.5-flash" || s.TraceID == "" || s.ResponseID == "" {
		t.Errorf("answer: %s", a.body)
	}
	if a.header.Get("X-Cloudaicompanion-Trace-Id") != s.TraceID {
		t.Error("trace id in the header differs")
	}
	u := s.UsageMetadata
	if u.PromptTokenCount != Tokens("Hello, 世界") || u.CandidatesTokenCount != Tokens(s.text()) || u.TotalTokenCount != u.PromptTokenCount+u.CandidatesTokenCount {
		t.Errorf("usage: %+v", u)
	}
	public := k.studio("generateContent", "gemini-2.5-flash", user("hi"))
	if strings.Contains(string(public.body), "traceId") || strings.Contains(string(public.body), `"response":`) {
		t.Errorf("AI Studio wraps: %s", public.body)
	}
	k.send("POST", "/v1/projects/"+k.account.Project+"/locations/us-central1/publishers/google/models/gemini-2.5-pro:generateContent", user("v"), k.bearerHeader()).
		want(t, 200, "echo: v")
	k.send("POST", "/v1/projects/other/locations/global/publishers/google/models/gemini-2.5-pro:generateContent", user("v"), k.bearerHeader()).
		want(t, 403, "IAM_PERMISSION_DENIED")
}

func TestTokens(t *testing.T) {
	for text, want := range map[string]int{"": 0, "a": 1, "abcd": 1, "abcde": 2, "世界世界世": 2} {
		if got := Tokens(text); got != want {
			t.Errorf("Tokens(%q) = %d, want %d", text, got, want)
		}
	}
}

func TestDescribe(t *testing.T) {
	k := start(t, Options{})
	picture := pngText(t)
	raw, _ := base64.StdEncoding.DecodeString(picture)
	body := `{"systemInstruction":{"role":"user","parts":[{"text":"Be brief."}]},"generation_config":{"temperature":0.25,"thinkingConfig":{"thinkingBudget":256}},` +
		`"tools":[{"functionDeclarations":[{"name":"f","parameters":{"type":"OBJECT"}}]}],"safetySettings":[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"OFF"}],` +
		`"contents":[` + turn("one") + `,{"role":"model","parts":[{"text":"two"}]},{"role":"user","parts":[{"text":"!describe"},{"inlineData":{"mimeType":"image/png","data":"` + picture + `"}}]}]}`
	var d Description
	if err := json.Unmarshal([]byte(read(t, k.ask("generateContent", "gemini-2.5-pro", body).body).text()), &d); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(raw)
	switch {
	case d.Model != "gemini-2.5-pro" || d.Backend != "codeassist" || d.System != "Be brief." || d.Stream:
	case strings.Join(d.Roles, " ") != "user model user" || strings.Join(d.Texts, " ") != "one two !describe":
	case len(d.Images) != 1 || d.Images[0] != Image{"image/png", len(raw), hex.EncodeToString(sum[:])}:
	case strings.Join(d.Parts[2], " ") != "text inlineData" || strings.Join(d.Tools, " ") != "f":
	case d.GenerationConfig["temperature"] != 0.25 || d.ThinkingConfig["thinkingBudget"] != 256.0 || len(d.Safety) != 1:
	case strings.Join(d.Members, " ") != "contents generation_config safetySettings systemInstruction tools":
	default:
		return
	}
	t.Errorf("description: %+v", d)
}

func TestThoughts(t *testing.T) {
	k := start(t, Options{})
	think := func(config string) seen {
		return read(t, k.ask("generateContent", "gemini-2.5-flash", `{"contents":[`+turn("hi")+`],"generationConfig":{`+config+`}}`).body)
	}
	shown := think(`"thinkingConfig":{"includeThoughts":true,"thinkingBudget":100}`)
	if parts := shown.Candidates[0].Content.Parts; len(parts) != 2 || !parts[0].Thought || parts[1].Thought || shown.text() != "echo: hi" {
		t.Errorf("shown: %+v", parts)
	}
	if n := shown.UsageMetadata.ThoughtsTokenCount; n == 0 || shown.UsageMetadata.CandidatesTokenCount != 2 {
		t.Errorf("usage: %+v", shown.UsageMetadata)
	}
	hidden := think(`"thinkingConfig":{"thinkingBudget":100}`)
	if len(hidden.Candidates[0].Content.Parts) != 1 || hidden.UsageMetadata.ThoughtsTokenCount == 0 {
		t.Errorf("hidden: %+v", hidden)
	}
	if off := think(`"thinkingConfig":{"thinkingBudget":0}`); off.UsageMetadata.ThoughtsTokenCount != 0 {
		t.Errorf("off: %+v", off)
	}
	eaten := think(`"maxOutputTokens":3,"thinkingConfig":{"includeThoughts":true}`)
	if eaten.finish() != "MAX_TOKENS" || eaten.text() != "" {
		t.Errorf("thoughts do not count against the limit: %+v", eaten)
	}
}

func TestLimits(t *testing.T) {
	k := start(t, Options{})
	s := read(t, k.ask("generateContent", "gemini-2.5-flash", `{"contents":[`+turn("one two three four")+`],"generationConfig":{"maxOutputTokens":3}}`).body)
	if s.text() != "echo: one tw" || s.finish() != "MAX_TOKENS" || s.UsageMetadata.CandidatesTokenCount != 3 {
		t.Errorf("max tokens: %q %s", s.text(), s.finish())
	}
	s = read(t, k.ask("generateContent", "gemini-2.5-flash", `{"contents":[`+turn("one two three")+`],"generationConfig":{"stopSequences":["two"]}}`).body)
	if s.text() != "echo: one " || s.finish() != "STOP" {
		t.Errorf("stop: %q %s", s.text(), s.finish())
	}
}

func TestFunctionCalls(t *testing.T) {
	k := start(t, Options{})
	const tools = `,"tools":[{"functionDeclarations":[{"name":"add","parameters":{"type":"OBJECT","properties":{"n":{"type":"INTEGER"}}}},{"name":"sub"}]}]`
	ask := func(model, contents, more string) seen {
		t.Helper()
		return read(t, k.ask("generateContent", model, `{"contents":[`+contents+`]`+tools+more+`}`).body)
	}
	s := ask("gemini-3-pro-preview", turn(`call add {"n":1} call sub then call add {"n":2}`), "")
	parts := s.Candidates[0].Content.Parts
	if len(parts) != 2 || parts[0].FunctionCall.Name != "add" || parts[0].FunctionCall.Args["n"] != 1.0 || parts[1].FunctionCall.Name != "sub" || s.finish() != "STOP" {
		t.Fatalf("calls: %+v", s)
	}
	if parts[0].ThoughtSignature != k.Signature("gemini-3-pro-preview", "add") || parts[1].ThoughtSignature != "" || parts[0].FunctionCall.ID == "" {
		t.Errorf("signatures or ids: %+v", parts)
	}
	step := `{"role":"model","parts":[{"functionCall":{"id":"call_1_1","name":"add","args":{"n":1}},"thoughtSignature":"` + parts[0].ThoughtSignature + `"},{"functionCall":{"id":"call_1_2","name":"sub"}}]},` +
		`{"role":"user","parts":[{"functionResponse":{"id":"call_1_1","name":"add","response":{"sum":3}}},{"functionResponse":{"id":"call_1_2","name":"sub","response":{"difference":4}}}]}`
	prompt := turn(`call add {"n":1} call sub then call add {"n":2}`)
	s = ask("gemini-3-pro-preview", prompt+","+step, "")
	if p := s.Candidates[0].Content.Parts; len(p) != 1 || p[0].FunctionCall == nil || p[0].FunctionCall.Args["n"] != 2.0 {
		t.Errorf("second step: %+v", s)
	}
	s = ask("gemini-3-pro-preview", turn(`call add call sub`)+","+step, "")
	if s.text() != "result of add: {\"sum\":3}\nresult of sub: {\"difference\":4}" {
		t.Errorf("after the results: %q", s.text())
	}
	s = ask("gemini-2.5-flash", turn("hi"), `,"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["add"]}}`)
	if p := s.Candidates[0].Content.Parts[0]; p.FunctionCall == nil || p.FunctionCall.Args["n"] != 1.0 || p.FunctionCall.ID != "" || p.ThoughtSignature != "" {
		t.Errorf("mode ANY on 2.5: %+v", p)
	}
	if s = ask("gemini-2.5-flash", turn("call add"), `,"toolConfig":{"functionCallingConfig":{"mode":"NONE"}}`); s.text() != "echo: call add" {
		t.Errorf("mode NONE: %+v", s)
	}
}

func TestJSONAnswer(t *testing.T) {
	k := start(t, Options{})
	for name, c := range map[string]struct{ config, want string }{
		"no schema": {`"responseMimeType":"application/json"`, `{"echo":"hi"}`},
		"typed": {`"responseMimeType":"application/json","responseSchema":{"type":"OBJECT","properties":{"a":{"type":"INTEGER"},"b":{"type":"ARRAY","items":{"type":"STRING","enum":["x","y"]}}}}`,
			`{"a":1,"b":["x"]}`},
		"raw with references": {`"responseMimeType":"application/json","responseJsonSchema":{"type":"object","properties":{"p":{"$ref":"#/$defs/P"}},"$defs":{"P":{"type":["number","null"]}}}`,
			`{"p":1.5}`},
		"enum": {`"responseMimeType":"text/x.enum","responseSchema":{"type":"STRING","enum":["red","blue"]}`, `red`},
	} {
		got := read(t, k.ask("generateContent", "gemini-2.5-flash", `{"contents":[`+turn("hi")+`],"generationConfig":{`+c.config+`}}`).body).text()
		if got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestPictures(t *testing.T) {
	k := start(t, Options{})
	s := read(t, k.studio("generateContent", "gemini-2.5-flash-image",
		`{"contents":[`+turn("a fox")+`],"generationConfig":{"responseModalities":["TEXT","IMAGE"],"imageConfig":{"aspectRatio":"16:9"}}}`).body)
	parts := s.Candidates[0].Content.Parts
	if len(parts) != 2 || parts[0].Text != "echo: a fox" || parts[1].InlineData == nil {
		t.Fatalf("parts: %+v", parts)
	}
	raw, err := base64.StdEncoding.DecodeString(parts[1].InlineData.Data)
	if err != nil {
		t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(raw))
	if err != nil || picture.Bounds().Dx() != 160 || picture.Bounds().Dy() != 90 {
		t.Errorf("picture: %v %v", err, picture)
	}
}

func TestSearch(t *testing.T) {
	k := start(t, Options{})
	s := read(t, k.ask("generateContent", "gemini-2.5-flash", withTools(`[{"googleSearch":{}}]`, "")).body)
	g := s.Candidates[0].GroundingMetadata
	if g == nil || g["webSearchQueries"].([]any)[0] != "hi" {
		t.Errorf("grounding: %v", g)
	}
}

func TestCountTokens(t *testing.T) {
	k := start(t, Options{})
	k.assist("countTokens", `{"request":{"model":"models/gemini-2.5-pro",`+user("12345")[1:]+`}`).want(t, 200, `{"totalTokens":2}`)
	k.assist("countTokens", `{"model":"m","request":{"model":"models/gemini-2.5-pro",`+user("1")[1:]+`}`).want(t, 400, `Unknown name \"model\"`)
	k.assist("countTokens", `{"request":{"model":"gemini-2.5-pro",`+user("1")[1:]+`}`).want(t, 400, "INVALID_ARGUMENT")
	k.assist("countTokens", `{"request":{"model":"models/gemini-2.5-pro","safetySettings":[],`+user("1")[1:]+`}`).want(t, 400, "safetySettings")
	k.assist("countTokens", `{"request":{"model":"models/gemini-2.5-pro","contents":[{"role":"user","parts":[{"thought":true}]}]}}`).want(t, 400, "oneof field 'data'")
	k.studio("countTokens", "gemini-2.5-pro", user("12345")).want(t, 200, `"totalTokens":2`)
	k.studio("countTokens", "gemini-2.5-pro", `{"generateContentRequest":{"model":"models/gemini-2.5-pro","systemInstruction":{"parts":[{"text":"1234"}]},`+user("12345")[1:]+`}`).
		want(t, 200, `"totalTokens":3`)
	k.studio("countTokens", "gemini-2.5-pro", `{"generateContentRequest":{},`+user("12345")[1:]).want(t, 400, "Only one of")
}

func TestModelList(t *testing.T) {
	k := start(t, Options{})
	a := k.send("GET", "/v1beta/models?pageSize=3", "", keyHeader())
	var page struct {
		Models        []struct{ Name string }
		NextPageToken string
	}
	seen := map[string]bool{}
	for {
		if err := json.Unmarshal(a.body, &page); err != nil || a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		for _, m := range page.Models {
			seen[m.Name] = true
		}
		if page.NextPageToken == "" {
			break
		}
		a = k.send("GET", "/v1beta/models?pageSize=3&pageToken="+page.NextPageToken, "", keyHeader())
		page.NextPageToken = ""
	}
	if !seen["models/gemini-2.5-flash-image"] || !seen["models/gemini-embedding-001"] || seen["models/gemini-3-flash"] {
		t.Errorf("models: %v", seen)
	}
	k.send("GET", "/v1/models/gemini-2.5-pro", "", keyHeader()).want(t, 200, `"inputTokenLimit":1048576`)
	k.send("GET", "/v1beta/models/nothing", "", keyHeader()).want(t, 404, "not found")
	k.send("GET", "/v1beta/models?key=bad", "", nil).want(t, 400, "API_KEY_INVALID")
}

// A search between calls shows in the answer, and must come back with its signatures as long as the turn lasts, unless
// the call has the sentinel.
func TestStepsOfTheBackEnd(t *testing.T) {
	k := start(t, Options{})
	const model = "gemini-3-flash-preview"
	const tools = `"tools":[{"functionDeclarations":[{"name":"add"}]},{"googleSearch":{}}],"toolConfig":{"includeServerSideToolInvocations":true}`
	for _, method := range []string{"generateContent", "streamGenerateContent?alt=sse"} {
		a := k.studio(method, model, `{"contents":[`+turn("call add {}")+`],`+tools+`}`)
		if strings.HasPrefix(method, "stream") {
			if all := string(a.body); strings.Count(all, `"toolCall"`) != 1 || strings.Count(all, `"toolResponse"`) != 1 {
				t.Errorf("%s", all)
			}
			continue
		}
		p := read(t, a.body).Candidates[0].Content.Parts
		if len(p) != 3 || p[0].ToolCall["id"] != "search_1" || p[1].ToolResponse["id"] != "search_1" || p[0].ThoughtSignature == "" || p[1].ThoughtSignature == "" || p[2].FunctionCall == nil {
			t.Fatalf("%s", a.body)
		}
		signed := func(part, signature string) string {
			if signature != "" {
				signature = `,"thoughtSignature":"` + signature + `"`
			}
			return part[:len(part)-1] + signature + "}"
		}
		call, result := `{"toolCall":{"id":"search_1"}}`, `{"toolResponse":{"id":"search_1"}}`
		f := `{"functionCall":{"name":"add","args":{}}}`
		for name, c := range map[string]struct{ parts, after, says string }{
			"as it came":         {signed(call, p[0].ThoughtSignature) + "," + signed(result, p[1].ThoughtSignature) + "," + signed(f, p[2].ThoughtSignature), "", ""},
			"without the steps":  {signed(f, p[2].ThoughtSignature), "", "toolCall part \"search_1\", which is missing"},
			"half of it":         {signed(call, p[0].ThoughtSignature) + "," + signed(f, p[2].ThoughtSignature), "", "toolResponse part \"search_1\""},
			"behind the call":    {signed(f, p[2].ThoughtSignature) + "," + signed(call, p[0].ThoughtSignature) + "," + signed(result, p[1].ThoughtSignature), "", "missing in front"},
			"unsigned":           {signed(call, "") + "," + signed(result, p[1].ThoughtSignature) + "," + signed(f, p[2].ThoughtSignature), "", "toolCall is missing its thought_signature"},
			"signed by the call": {signed(call, p[2].ThoughtSignature) + "," + signed(result, p[1].ThoughtSignature) + "," + signed(f, p[2].ThoughtSignature), "", "belongs to another one"},
			"with the sentinel":  {signed(f, Sentinel), "", ""},
			"an earlier turn":    {signed(f, p[2].ThoughtSignature), "," + turn("and now?"), ""},
		} {
			body := `{"contents":[` + turn("go") + `,{"role":"model","parts":[` + c.parts + `]},{"role":"user","parts":[{"functionResponse":{"name":"add","response":{"a":1}}}]}` + c.after + `],` + tools + `}`
			a := k.studio("generateContent", model, body)
			if (a.status == 200) != (c.says == "") || c.says != "" && !strings.Contains(read(t, a.body).Error.Message, c.says) {
				t.Errorf("%s: %d %s", name, a.status, a.body)
			}
		}
	}
}

// Each sentence rests on a page of its own offsets, which count bytes.
func TestGroundingCountsBytes(t *testing.T) {
	k := start(t, Options{})
	s := read(t, k.ask("generateContent", "gemini-2.5-flash", withTools(`[{"googleSearch":{}}]`, "")).body)
	text, at := s.text(), 0
	for _, v := range s.Candidates[0].GroundingMetadata["groundingSupports"].([]any) {
		segment := v.(map[string]any)["segment"].(map[string]any)
		from, _ := segment["startIndex"].(float64)
		to := segment["endIndex"].(float64)
		if int(from) != at || text[int(from):int(to)] != segment["text"] {
			t.Errorf("%v of %q", segment, text)
		}
		at = int(to)
	}
	if at != len(text) {
		t.Errorf("%d of %d bytes", at, len(text))
	}
}
