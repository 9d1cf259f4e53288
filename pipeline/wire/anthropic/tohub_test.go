package anthropic

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

var (
	pro25   = gemini.Target{MaxOutput: 65536, Major: 2, Minor: 5, Limits: limits("gemini-2.5-pro")}
	flash25 = gemini.Target{MaxOutput: 65536, Major: 2, Minor: 5, Limits: limits("gemini-2.5-flash")}
	lite25  = gemini.Target{MaxOutput: 65536, Major: 2, Minor: 5, Limits: limits("gemini-2.5-flash-lite")}
	flash3  = gemini.Target{MaxOutput: 65536, Major: 3, Limits: limits("gemini-3-flash")}
	old     = gemini.Target{MaxOutput: 8192, Major: 2}
)

type toHub func(dst, body []byte, members []wire.Member, t gemini.Target) ([]byte, Request, *apierror.Error)

func with(t testing.TB, to toHub, body string, o gemini.Target) (string, *Request, *apierror.Error) {
	t.Helper()
	members, err := wire.Scan([]byte(body), nil)
	if err != nil {
		t.Fatalf("the test body is no JSON: %v\n%s", err, body)
	}
	const before = "kept"
	hub, r, bad := to([]byte(before), []byte(body), members, o)
	if bad != nil {
		return "", nil, bad
	}
	if !strings.HasPrefix(string(hub), before) {
		t.Fatalf("dst was not appended to: %s", hub)
	}
	hub = hub[len(before):]
	if !json.Valid(hub) {
		t.Fatalf("no JSON: %s", hub)
	}
	if _, err := gemini.NewCall(hub); err != nil {
		t.Fatalf("no hub request: %v: %s", err, hub)
	}
	return string(hub), &r, nil
}

func translate(t testing.TB, body string, o gemini.Target) (string, *Request, *apierror.Error) {
	t.Helper()
	return with(t, ToHub, body, o)
}

const (
	hi     = `{"role":"user","content":"hi"}`
	hiTurn = `{"role":"user","parts":[{"text":"hi"}]}`
	use1   = `{"type":"tool_use","id":"toolu_1","name":"f","input":{"a":1}}`
	call1  = `{"functionCall":{"name":"f","args":{"a":1}}}`
	png    = `{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}`
	pngHub = `{"inlineData":{"mimeType":"image/png","data":"AAAA"}}`
)

// dialogueOf is a body with these messages, and perhaps more members.
func dialogueOf(messages, more string) string {
	return `{"model":"m","max_tokens":100,"messages":[` + messages + `]` + more + `}`
}

const config = `,"generationConfig":{"maxOutputTokens":100}}`

// steps is a dialogue with a call and these blocks as the answer to it.
func steps(results string) string {
	return hi + `,{"role":"assistant","content":[` + use1 + `]},{"role":"user","content":[` + results + `]}`
}

func stepsHub(parts string) string {
	return `{"contents":[` + hiTurn + `,{"role":"model","parts":[` + call1 + `]},{"role":"user","parts":[` + parts + `]}]` + config
}

func answer(response string) string {
	return `{"functionResponse":{"name":"f","response":` + response + `}}`
}

func userBlocks(blocks string) string { return `{"role":"user","content":[` + blocks + `]}` }

func userHub(parts string) string {
	return `{"contents":[{"role":"user","parts":[` + parts + `]}]` + config
}

func TestMessages(t *testing.T) {
	for name, c := range map[string]struct{ messages, more, hub string }{
		"one":       {hi, "", `{"contents":[` + hiTurn + `]` + config},
		"no decode": {`{"role":"user","content":"a\u0041\/\n\"é\ud83d\ude00😀"}`, "", userHub(`{"text":"a\u0041\/\n\"é\ud83d\ude00😀"}`)},
		"turns": {hi + `,{"role":"assistant","content":"yo"},` + hi, "",
			`{"contents":[` + hiTurn + `,{"role":"model","parts":[{"text":"yo"}]},` + hiTurn + `]` + config},
		"system": {hi, `,"system":"be"`, `{"systemInstruction":{"parts":[{"text":"be"}]},"contents":[` + hiTurn + `]` + config},
		"system blocks": {hi, `,"system":[{"type":"text","text":"x-anthropic-billing-header: cc_version=1"},{"type":"text","text":"be","cache_control":{"type":"ephemeral"}},{"type":"text","text":"terse"}]`,
			`{"systemInstruction":{"parts":[{"text":"be"},{"text":"terse"}]},"contents":[` + hiTurn + `]` + config},
		"empty system":    {hi, `,"system":[]`, `{"contents":[` + hiTurn + `]` + config},
		"system in place": {hi + `,{"role":"system","content":"now be brief"}`, "", userHub(`{"text":"hi"},{"text":"now be brief"}`)},
		"system first":    {`{"role":"system","content":[{"type":"text","text":"be"}]},` + hi, "", `{"systemInstruction":{"parts":[{"text":"be"}]},"contents":[` + hiTurn + `]` + config},
		"same role":       {hi + "," + hi, "", userHub(`{"text":"hi"},{"text":"hi"}`)},
		"prefill":         {hi + `,{"role":"assistant","content":"{\"a\":"}`, "", `{"contents":[` + hiTurn + `,{"role":"model","parts":[{"text":"{\"a\":"}]}]` + config},
		"assistant first": {`{"role":"assistant","content":"yo"},` + hi, "", `{"contents":[{"role":"user","parts":[{"text":"(The conversation starts here.)"}]},{"role":"model","parts":[{"text":"yo"}]},` + hiTurn + `]` + config},
		"empty assistant": {hi + `,{"role":"assistant","content":[]},` + hi + `,{"role":"assistant","content":""}`, "", userHub(`{"text":"hi"},{"text":"hi"}`)},
		"escaped":         {`{"\u0072ole":"us\u0065r","c\u006fntent":[{"typ\u0065":"te\u0078t","text":"hi"}]}`, "", `{"contents":[` + hiTurn + `]` + config},
		"thoughts": {hi + `,{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"redacted_thinking","data":"x"},{"type":"text","text":"yo","citations":null}]},` + hi, "",
			`{"contents":[` + hiTurn + `,{"role":"model","parts":[{"text":"yo"}]},` + hiTurn + `]` + config},
		"own pictures": {hi + `,{"role":"assistant","content":"see ![image](data:image\/png;base64,AAAA) ![b](https://x/y.png) [c](data:x) ![d](data:a;base64,B)."},` + hi, "",
			`{"contents":[` + hiTurn + `,{"role":"model","parts":[{"text":"see [image] ![b](https://x/y.png) [c](data:x) [image]."}]},` + hiTurn + `]` + config},

		"half a picture": {hi + `,{"role":"assistant","content":"![a](data:image/png;base64,AAAA"},` + hi, "",
			`{"contents":[` + hiTurn + `,{"role":"model","parts":[{"text":"![a](data:image/png;base64,AAAA"}]},` + hiTurn + `]` + config},

		"image":      {userBlocks(`{"type":"text","text":"a","cache_control":null},` + png + `,{"type":"text","text":""}`), "", userHub(`{"text":"a"},` + pngHub)},
		"image kind": {userBlocks(`{"type":"image","source":{"type":"base64","media_type":"IMAGE\/jpg","data":"A\/A\u002b\n"}}`), "", userHub(`{"inlineData":{"mimeType":"image/jpeg","data":"A/A+"}}`)},
		"image url":  {userBlocks(`{"type":"image","source":{"type":"url","url":"https:\/\/x\/a.png"}}`), "", userHub(`{"fileData":{"fileUri":"https:\/\/x\/a.png"}}`)},
		"data url":   {userBlocks(`{"type":"image","source":{"type":"url","url":"data:image/png;base64,AAAA"}}`), "", userHub(pngHub)},
		"pdf": {userBlocks(`{"type":"document","title":"T","context":"C","source":{"type":"base64","media_type":"application/pdf","data":"JVBE"}}`), "",
			userHub(`{"text":"T"},{"text":"C"},{"inlineData":{"mimeType":"application/pdf","data":"JVBE"}}`)},
		"plain document": {userBlocks(`{"type":"document","title":null,"source":{"type":"text","media_type":"text/plain","data":"words"}}`), "", userHub(`{"text":"words"}`)},
		"document of blocks": {userBlocks(`{"type":"document","source":{"type":"content","content":[{"type":"text","text":"a"},` + png + `]}},{"type":"document","source":{"type":"content","content":"b"}}`), "",
			userHub(`{"text":"a"},` + pngHub + `,{"text":"b"}`)},
		"search result": {userBlocks(`{"type":"search_result","title":"T","source":"https://x","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}`), "",
			userHub(`{"text":"T"},{"text":"https://x"},{"text":"a"},{"text":"b"}`)},
		"compaction": {userBlocks(`{"type":"compaction","content":"so far"},{"type":"compaction","content":null}`), "", userHub(`{"text":"so far"}`)},

		"result":          {steps(`{"type":"tool_result","tool_use_id":"toolu_1","content":"12"}`), "", stepsHub(answer(`{"result":"12"}`))},
		"result object":   {steps(`{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"text","text":"{\"t\":1}"}]}`), "", stepsHub(answer(`{"t":1}`))},
		"empty result":    {steps(`{"type":"tool_result","tool_use_id":"toolu_1"}`), "", stepsHub(answer(`{"result":""}`))},
		"failed result":   {steps(`{"type":"tool_result","tool_use_id":"toolu_1","is_error":true,"content":"no\n"}`), "", stepsHub(answer(`{"error":"no\n"}`))},
		"result of texts": {steps(`{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"text","text":"a"},{"type":"text","text":"b"},{"type":"tool_reference","tool_name":"g"}]}`), "", stepsHub(answer(`{"result":"a\nb\ng"}`))},
		"text before":     {steps(`{"type":"text","text":"and"},{"type":"tool_result","tool_use_id":"toolu_1","content":"12"},{"type":"text","text":"now"}`), "", stepsHub(answer(`{"result":"12"}`) + `,{"text":"and"},{"text":"now"}`)},
		"result, then hi": {steps(`{"type":"tool_result","tool_use_id":"toolu_1","content":"12"}`) + "," + hi, "", stepsHub(answer(`{"result":"12"}`) + `,{"text":"hi"}`)},
		"result document": {steps(`{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"document","title":"T","source":{"type":"text","data":"d"}},{"type":"search_result","title":"S","source":"u","content":[{"type":"text","text":"a"}]}]}`), "", stepsHub(answer(`{"result":"T\nd\nS\nu\na"}`))},
		"result pictures": {steps(`{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"text","text":"see"},` + png + `,{"type":"image","source":{"type":"url","url":"http://x/y"}},{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBE"}}]}`), "",
			stepsHub(answer(`{"result":"see\n[attachment 1]\n[attachment 2]\n[attachment 3]"}`) + `,{"text":"[attachment 1]"},` + pngHub + `,{"text":"[attachment 2]"},{"fileData":{"fileUri":"http://x/y"}},{"text":"[attachment 3]"},{"inlineData":{"mimeType":"application/pdf","data":"JVBE"}}`)},
		"parallel calls": {hi + `,{"role":"assistant","content":[{"type":"text","text":"both"},` + use1 + `,{"type":"tool_use","id":"toolu_2","name":"a b","input":{}}]},` +
			userBlocks(`{"type":"tool_result","tool_use_id":"toolu_2","content":"2"}`) + "," + userBlocks(`{"type":"tool_result","tool_use_id":"toolu_1","content":"1"}`), "",
			`{"contents":[` + hiTurn + `,{"role":"model","parts":[{"text":"both"},` + call1 + `,{"functionCall":{"name":"` + fitted("a b") + `","args":{}}}]},` +
				`{"role":"user","parts":[` + answer(`{"result":"1"}`) + `,{"functionResponse":{"name":"` + fitted("a b") + `","response":{"result":"2"}}}]}]` + config},
		"two steps": {steps(`{"type":"tool_result","tool_use_id":"toolu_1","content":"1"}`) + `,{"role":"assistant","content":[{"type":"tool_use","id":"toolu_2","name":"f","input":{"a":1}}]},` + userBlocks(`{"type":"tool_result","tool_use_id":"toolu_2","content":"2"}`), "",
			`{"contents":[` + hiTurn + `,{"role":"model","parts":[` + call1 + `]},{"role":"user","parts":[` + answer(`{"result":"1"}`) + `]},{"role":"model","parts":[` + call1 + `]},{"role":"user","parts":[` + answer(`{"result":"2"}`) + `]}]` + config},
		"of servers": {hi + `,{"role":"assistant","content":[{"type":"server_tool_use","id":"s","name":"web_search","input":{}},{"type":"web_search_tool_result","tool_use_id":"s","content":[]},{"type":"text","text":"yo"}]},` + hi, "",
			`{"contents":[` + hiTurn + `,{"role":"model","parts":[{"text":"yo"}]},` + hiTurn + `]` + config},
	} {
		t.Run(name, func(t *testing.T) {
			hub, _, err := translate(t, dialogueOf(c.messages, c.more), pro25)
			if err != nil {
				t.Fatal(err)
			}
			if hub != c.hub {
				t.Errorf("got  %s\nwant %s", hub, c.hub)
			}
		})
	}
}

func fitted(name string) string { return (&gemini.Tools{}).Google(name) }

func TestWhatIsReported(t *testing.T) {
	for body, want := range map[string][]string{
		dialogueOf(hi, ""): nil,
		dialogueOf(hi, `,"metadata":{"user_id":"u"},"service_tier":"auto","cache_control":{"type":"ephemeral"},"system":null,"stream":true,"container":null,"context_management":{},"mcp_servers":[],"speed":"standard"`): nil,
		dialogueOf(hi, `,"speed":"fast","context_management":{"edits":[{"type":"x"}]},"container":"c1","inference_geo":"us","top_k":100,"new thing":1,"output_config":{"task_budget":{}}`): {
			"speed", "context_management", "container", "inference_geo", "new?thing", "output_config.task_budget", "top_k=64"},
		strings.Replace(dialogueOf(hi, ""), "100", "64001", 1):                                                  nil,
		strings.Replace(dialogueOf(hi, ""), "100", "128000", 1):                                                 {"max_tokens=65536"},
		dialogueOf(hi, `,"thinking":{"type":"enabled","budget_tokens":60000},"output_config":{"effort":"low"}`): {"output_config.effort", "thinking_budget=32768"},
		dialogueOf(hi+`,{"role":"assistant","content":[{"type":"server_tool_use"},{"type":"mcp_tool_result"},{"type":"server_tool_use"}]}`, ""): {
			"messages.server_tool_use", "messages.mcp_tool_result"},
		dialogueOf(userBlocks(`{"type":"document","citations":{"enabled":true},"source":{"type":"text","data":"x"}},{"type":"document","citations":{"enabled":true},"source":{"type":"text","data":"x"}}`), ""): {"messages.citations"},
		dialogueOf(hi, `,"tools":[`+tool1+`,{"type":"web_search_20250305","name":"web_search"},{"type":"tool_search_tool_regex_20251119","name":"tool_search_tool_regex"}]`): {
			"tools.tool_search_tool"},
		dialogueOf(hi, `,"tools":[`+tool1+`,{"name":"g","input_schema":{"type":"object","properties":{"a":{"type":"string","newWord":1}}}}]`): {"tools[1].input_schema:newWord"},
	} {
		_, r, err := translate(t, body, pro25)
		if err != nil {
			t.Errorf("%s: %v", body, err)
		} else if !reflect.DeepEqual(r.Ignored, want) {
			t.Errorf("%s: reported %q, want %q", body, r.Ignored, want)
		}
	}
}

func TestBeside(t *testing.T) {
	_, r, err := translate(t, dialogueOf(userBlocks(`{"type":"image","source":{"type":"url","url":"HTTP://x"}},{"type":"image","source":{"type":"url","url":"https://y/`+strings.Repeat("z", 300)+`"}}`), `,"stream":true`), pro25)
	if err != nil || !r.Stream || r.Remote != 2 || r.Tools != nil {
		t.Errorf("%+v %v", r, err)
	}
	_, r, err = translate(t, dialogueOf(hi, `,"stream":false,"tools":[`+tool1+`],"tool_choice":{"type":"auto","disable_parallel_tool_use":true}`), pro25)
	if err != nil || r.Stream || r.Tools.Len() != 1 || !r.Tools.Single {
		t.Errorf("%+v %v", r, err)
	}
}

func TestRecall(t *testing.T) {
	o := flash3
	body := dialogueOf(steps(`{"type":"tool_result","tool_use_id":"toolu_1","content":"12"}`), "")
	hub, _, err := translate(t, body, o)
	if err != nil || !strings.Contains(hub, `"thoughtSignature":"`+gemini.Sentinel+`"`) {
		t.Errorf("no sentinel: %v %s", err, hub)
	}
	o.Recall = func(id []byte) (gemini.Remembered, bool) {
		return gemini.Remembered{ID: "g1", Signature: "c2ln", Kind: "k"}, string(id) == "toolu_1"
	}
	hub, r, err := translate(t, body, o)
	if err != nil || !strings.Contains(hub, `{"id":"g1","name":"f","args":{"a":1}},"thoughtSignature":"c2ln"`) || !strings.Contains(hub, `"functionResponse":{"id":"g1"`) {
		t.Errorf("%v %s", err, hub)
	}
	if len(r.Tools.Signed) != 1 {
		t.Errorf("%+v", r.Tools)
	}
}

func TestCount(t *testing.T) {
	body := `{"model":"m","system":"be","messages":[` + hi + `],"tools":[` + tool1 + `],"thinking":{"type":"adaptive"},"output_config":{"effort":"low"}}`
	hub, _, err := with(t, CountToHub, body, pro25)
	want := `{"generateContentRequest":{"tools":[{"functionDeclarations":[` + decl1 + `]}],"systemInstruction":{"parts":[{"text":"be"}]},"contents":[` + hiTurn + `]}}`
	if err != nil || hub != want {
		t.Errorf("%v\ngot  %s\nwant %s", err, hub, want)
	}
	call, bad := gemini.NewCall([]byte(hub))
	if bad != nil {
		t.Fatal(bad)
	}
	if n, err := gemini.Estimate(&call); err != nil || n < 3 {
		t.Errorf("estimate %d %v", n, err)
	}
	if _, _, err := with(t, CountToHub, `{"model":"m","messages":[]}`, pro25); err == nil || err.Param != "messages" {
		t.Error(err)
	}
}

// limits is what the table says of a model.
func limits(base string) gemini.Limits { return gemini.Limits(models.FamilyOf(base).Thinking()) }

// thinkers are models of every way to think, for targets that are made of a number.
var thinkers = [8]string{"gemini-2.0-flash", "gemini-2.5-pro", "gemini-2.5-flash", "gemini-2.5-flash-lite",
	"gemini-3-pro", "gemini-3.1-pro", "gemini-3-flash", "gemini-flash-latest"}
