package responses

import (
	"strconv"
	"strings"
	"testing"

	"gcli2api/pipeline/wire"
)

func many(n int, s string) string { return strings.TrimSuffix(strings.Repeat(s+",", n), ",") }

// TestRefuse: what is wrong is named by its place, and never a 500.
func TestRefuse(t *testing.T) {
	pairs := make([]string, 17)
	for i := range pairs {
		pairs[i] = `"k` + strconv.Itoa(i) + `":"v"`
	}
	deep := strings.Repeat(`{\"a\":`, 505) + `1` + strings.Repeat(`}`, 505) // fits alone, not in a request
	for body, param := range map[string]string{
		`{}`:                                    "input",
		`{"input":null}`:                        "input",
		`{"input":5}`:                           "input",
		`{"input":{}}`:                          "input",
		`{"input":""}`:                          "input",
		`{"input":[]}`:                          "input",
		`{"input":"a","input":"b"}`:             "input",
		asking(`5`):                             "input[0]",
		asking(hi + `,[]`):                      "input[1]",
		asking(`{}`):                            "input[0].type",
		asking(`{"type":5}`):                    "input[0].type",
		asking(`{"type":"what"}`):               "input[0].type",
		asking(`{"type":"mcp_call"}`):           "input[0].name",
		asking(`{"type":"message"}`):            "input[0].role",
		asking(`{"role":"tool","content":"x"}`): "input[0].role",
		asking(`{"role":5,"content":"x"}`):      "input[0].role",
		asking(`{"role":"user"}`):               "input[0].content",
		asking(`{"role":"user","content":5}`):   "input[0].content",
		asking(hi + `,{"role":"user","content":["x"]}`):                                                         "input[1].content[0]",
		asking(`{"role":"user","content":[{"text":"x"}]}`):                                                      "input[0].content[0].type",
		asking(`{"role":"user","content":[{"type":"what"}]}`):                                                   "input[0].content[0].type",
		asking(`{"role":"user","content":[{"type":"input_text"}]}`):                                             "input[0].content[0].text",
		asking(`{"role":"user","content":[{"type":"input_text","text":5}]}`):                                    "input[0].content[0].text",
		asking(`{"role":"assistant","content":[{"type":"refusal"}]}`):                                           "input[0].content[0].refusal",
		asking(`{"role":"user","content":[{"type":"input_image"}]}`):                                            "input[0].content[0].image_url",
		asking(`{"role":"user","content":[{"type":"input_image","image_url":{"url":5}}]}`):                      "input[0].content[0].image_url.url",
		asking(`{"role":"user","content":[{"type":"input_image","image_url":"file:///etc/passwd"}]}`):           "input[0].content[0].image_url",
		asking(`{"role":"user","content":[{"type":"input_image","image_url":"data:image/png,x"}]}`):             "input[0].content[0].image_url",
		asking(`{"role":"user","content":[{"type":"input_image","image_url":"data:image/png;base64,\u0001"}]}`): "input[0].content[0].image_url",
		asking(`{"role":"user","content":[{"type":"input_image","file_id":"file_1"}]}`):                         "input[0].content[0].file_id",
		asking(`{"role":"user","content":[{"type":"input_file","file_id":"file_1"}]}`):                          "input[0].content[0].file_id",
		asking(`{"role":"user","content":[{"type":"input_file","file_url":"https://a/b"}]}`):                    "input[0].content[0].file_url",
		asking(`{"role":"user","content":[{"type":"input_file","file_data":"AA=="}]}`):                          "input[0].content[0].file_data",
		asking(`{"role":"user","content":[{"type":"input_file","filename":"a.pdf","file_data":"http://a/b"}]}`): "input[0].content[0].file_data",
		asking(`{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AA==","format":"x"}}]}`): "input[0].content[0].input_audio.data",
		asking(`{"role":"system","content":[{"type":"input_image","image_url":"https://a/b"}]}`):                "input[0].content[0].type",
		asking(hi + `,{"type":"function_call","name":"f","arguments":"{}"}`):                                    "input[1].call_id",
		asking(hi + `,{"type":"function_call","call_id":"a","arguments":"{}"}`):                                 "input[1].name",
		asking(hi + `,{"type":"function_call","call_id":"a","name":"f"}`):                                       "input[1].arguments",
		asking(hi + `,{"type":"function_call","call_id":"a","name":"f","arguments":{}}`):                        "input[1].arguments",
		asking(hi + `,{"type":"function_call","call_id":"a","name":"f","arguments":"{\"a\":"}`):                 "input[1].arguments",
		asking(hi + `,{"type":"function_call","call_id":"a","name":"f","arguments":"[1]"}`):                     "input[1].arguments",
		asking(hi + `,{"type":"function_call","call_id":"a","name":"f","arguments":"{\"a\":\"\\ud800\"}"}`):     "input[1].arguments",
		asking(hi + `,{"type":"function_call","call_id":"a","name":"f","arguments":"` + deep + `"}`):            "input[1].arguments",
		asking(hi + `,{"type":"custom_tool_call","call_id":"a","name":"f"}`):                                    "input[1].input",
		asking(hi + "," + outA):                                                                             "input[1].call_id",
		asking(outA + "," + callA):                                                                          "input[0].call_id",
		asking(hi + "," + callA):                                                                            "input[1]",
		asking(hi + "," + callA + "," + callB + "," + outA):                                                 "input[2]",
		asking(hi + "," + callA + "," + hi):                                                                 "input[1]",
		asking(hi + "," + callA + "," + outA + "," + outA):                                                  "input[3].call_id",
		asking(hi + "," + callA + `,{"type":"function_call_output","output":"x"}`):                          "input[2].call_id",
		asking(hi + "," + callA + `,{"type":"function_call_output","call_id":"a"}`):                         "input[2].output",
		asking(hi + "," + callA + `,{"type":"function_call_output","call_id":"a","output":[{"type":"x"}]}`): "input[2].output[0].type",
		asking(hi + "," + callA + "," + hi + `,{"type":"function_call_output","call_id":"a","output":5}`):   "input[3].output",
		asking(hi + "," + callA + `,{"role":"user","content":[{"type":"input_text","text":"x"}]},{"type":"function_call_output","call_id":"a","output":5}`): "input[3].output",
		asking(`{"type":"item_reference","id":"msg_1"}`): "input[0].id",
		asking(`{"id":""}`): "input[0].id",
		asking(`{"type":"image_generation_call","result":"\u0001"}`): "input[0].result",
		asking(`{"type":"image_generation_call","result":5}`):        "input[0].result",

		`{"input":"x","instructions":["a"]}`:                                   "instructions",
		`{"input":"x","stream":"yes"}`:                                         "stream",
		`{"input":"x","store":1}`:                                              "store",
		`{"input":"x","previous_response_id":7}`:                               "previous_response_id",
		`{"input":"x","conversation":"c"}`:                                     "conversation",
		`{"input":"x","background":true}`:                                      "background",
		`{"input":"x","background":"no"}`:                                      "background",
		`{"input":"x","prompt":{"id":"p"}}`:                                    "prompt",
		`{"input":"x","temperature":2.1}`:                                      "temperature",
		`{"input":"x","temperature":"1"}`:                                      "temperature",
		`{"input":"x","top_p":-1}`:                                             "top_p",
		`{"input":"x","max_output_tokens":0}`:                                  "max_output_tokens",
		`{"input":"x","max_output_tokens":1e30}`:                               "max_output_tokens",
		`{"input":"x","max_output_tokens":1.5}`:                                "max_output_tokens",
		`{"input":"x","max_tool_calls":0}`:                                     "max_tool_calls",
		`{"input":"x","top_logprobs":21}`:                                      "top_logprobs",
		`{"input":"x","parallel_tool_calls":"no"}`:                             "parallel_tool_calls",
		`{"input":"x","truncation":"some"}`:                                    "truncation",
		`{"input":"x","stream_options":true}`:                                  "stream_options",
		`{"input":"x","include":"x"}`:                                          "include",
		`{"input":"x","include":["a",5]}`:                                      "include[1]",
		`{"input":"x","reasoning":"high"}`:                                     "reasoning",
		`{"input":"x","reasoning":{"effort":"huge"}}`:                          "reasoning.effort",
		`{"input":"x","reasoning":{"summary":true}}`:                           "reasoning.summary",
		`{"input":"x","text":"json"}`:                                          "text",
		`{"input":"x","text":{"format":"json"}}`:                               "text.format",
		`{"input":"x","text":{"format":{}}}`:                                   "text.format.type",
		`{"input":"x","text":{"format":{"type":"json_schema"}}}`:               "text.format.schema",
		`{"input":"x","text":{"format":{"type":"json_schema","schema":true}}}`: "text.format.schema",
		`{"input":"x","metadata":[]}`:                                          "metadata",
		`{"input":"x","metadata":{"a":5}}`:                                     "metadata.a",
		`{"input":"x","metadata":{"a":"` + strings.Repeat("é", 513) + `"}}`:    "metadata.a",
		`{"input":"x","metadata":{"` + strings.Repeat("k", 65) + `":"v"}}`:     "metadata",
		`{"input":"x","metadata":{` + strings.Join(pairs, ",") + `}}`:          "metadata",

		`{"input":"x","tools":{}}`: "tools",
		`{"input":"x","tools":[` + many(513, `{"type":"web_search"}`) + `]}`:                                                                                         "tools",
		`{"input":"x","tools":["f"]}`:                                                                                                                                "tools[0]",
		`{"input":"x","tools":[{}]}`:                                                                                                                                 "tools[0].type",
		`{"input":"x","tools":[` + fTool + `,{"type":"mcp"}]}`:                                                                                                       "tools[1].type",
		`{"input":"x","tools":[{"type":"image_generation","size":"big"}]}`:                                                                                           "tools[0].size",
		`{"input":"x","tools":[{"type":"image_generation","quality":5}]}`:                                                                                            "tools[0].quality",
		`{"input":"x","tools":[{"type":"image_generation"}]}`:                                                                                                        "tools[0].type",
		`{"input":"x","tools":[{"type":"function"}]}`:                                                                                                                "tools[0].name",
		`{"input":"x","tools":[{"type":"function","function":{"name":"f"}}]}`:                                                                                        "tools[0].name",
		`{"input":"x","tools":[` + fTool + `,` + fTool + `]}`:                                                                                                        "tools[1].name",
		`{"input":"x","tools":[{"type":"function","name":"f","description":5}]}`:                                                                                     "tools[0].description",
		`{"input":"x","tools":[{"type":"function","name":"f","parameters":"x"}]}`:                                                                                    "tools[0].parameters",
		`{"input":"x","tools":[{"type":"custom","name":"f","format":{"type":"x"}}]}`:                                                                                 "tools[0].format.type",
		`{"input":"x","tools":[{"type":"custom","name":"f","format":"text"}]}`:                                                                                       "tools[0].format",
		`{"input":"x","tools":[{"type":"custom","name":"f","format":{"type":"grammar"}}]}`:                                                                           "tools[0].format.syntax",
		`{"input":"x","tools":[{"type":"custom","name":"f","format":{"type":"grammar","syntax":"lark","definition":5}}]}`:                                            "tools[0].format.definition",
		`{"input":"x","tools":[{"type":"function","name":"f","strict":"yes"}]}`:                                                                                      "tools[0].strict",
		`{"input":"x","text":{"format":{"type":"json_schema","schema":{},"name":5}}}`:                                                                                "text.format.name",
		`{"input":"x","text":{"format":{"type":"json_schema","schema":{},"strict":"no"}}}`:                                                                           "text.format.strict",
		`{"input":"x","tools":[{"type":"code_interpreter","container":{"file_ids":["f"]}}]}`:                                                                         "tools[0].container.file_ids",
		`{"input":"x","tools":[{"type":"mcp","server_label":"a","server_url":"https://a/b"}]}`:                                                                       "tools[0].type",
		`{"input":"x","tools":[{"type":"file_search"}]}`:                                                                                                             "tools[0].type",
		`{"input":"x","tools":[{"type":"computer_use_preview"}]}`:                                                                                                    "tools[0].type",
		`{"input":"x","tools":[{"type":"namespace","tools":[]}]}`:                                                                                                    "tools[0].name",
		`{"input":"x","tools":[{"type":"namespace","name":"n"}]}`:                                                                                                    "tools[0].tools",
		`{"input":"x","tools":[{"type":"namespace","name":"n","description":5,"tools":[]}]}`:                                                                         "tools[0].description",
		`{"input":"x","tools":[` + fTool + `,{"type":"namespace","name":"n","tools":[` + fTool + `,5]}]}`:                                                            "tools[1].tools[1]",
		`{"input":"x","tools":[{"type":"namespace","name":"n","tools":[{"type":"web_search"}]}]}`:                                                                    "tools[0].tools[0].type",
		`{"input":"x","tools":[{"type":"namespace","name":"n","tools":[{"type":"namespace","name":"m","tools":[]}]}]}`:                                               "tools[0].tools[0].type",
		`{"input":"x","tools":[{"type":"namespace","name":"n","tools":[` + fTool + `,` + fTool + `]}]}`:                                                              "tools[0].tools[1].name",
		`{"input":"x","tools":[{"type":"namespace","name":"n","tools":[{"type":"function","name":"f","parameters":[]}]}]}`:                                           "tools[0].tools[0].parameters",
		`{"input":"x","tools":[{"type":"shell","environment":{"type":"container_auto"}}]}`:                                                                           "tools[0].environment.type",
		`{"input":"x","tools":[{"type":"shell"},{"type":"shell"}]}`:                                                                                                  "tools[1].type",
		`{"input":"x","tools":[` + fTool + `],"tool_choice":{"type":"shell"}}`:                                                                                       "tool_choice.type",
		`{"input":"x","tools":[` + twice + `],"tool_choice":{"type":"function","name":"f"}}`:                                                                         "tool_choice.name",
		`{"input":"x","tools":[` + twice + `],"tool_choice":{"type":"function","name":"f","namespace":"c"}}`:                                                         "tool_choice.name",
		asking(hi + `,{"type":"additional_tools","role":"developer"}`):                                                                                               "input[1].tools",
		asking(hi + `,{"type":"additional_tools","role":"developer","tools":[{"type":"mcp"}]}`):                                                                      "input[1].tools[0].type",
		asking(hi + `,{"type":"compaction_trigger"}`):                                                                                                                "input[1].type",
		asking(hi + `,{"type":"computer_call","call_id":"a"}`):                                                                                                       "input[1].type",
		asking(hi + `,{"type":"function_call","call_id":"a","name":"f","namespace":5,"arguments":"{}"}`):                                                             "input[1].namespace",
		asking(hi + `,{"type":"shell_call","call_id":"a"}`):                                                                                                          "input[1].action",
		asking(hi + `,{"type":"apply_patch_call","call_id":"a","operation":"x"}`):                                                                                    "input[1].operation",
		asking(hi + `,{"type":"tool_search_call","call_id":"a","execution":"client","arguments":{"a":` + strings.Repeat("[", 500) + strings.Repeat("]", 500) + `}}`): "input[1].arguments",
		asking(hi + `,{"type":"tool_search_call","call_id":"a","execution":"client","arguments":5}`):                                                                 "input[1].arguments",
		asking(hi + `,` + shellCall + `,{"type":"shell_call_output","call_id":"s","output":5}`):                                                                      "input[2].output",
		asking(hi + `,` + shellCall + `,{"type":"shell_call_output","call_id":"s","output":["x"]}`):                                                                  "input[2].output[0]",
		asking(hi + `,` + shellCall + `,{"type":"shell_call_output","call_id":"s","output":[{"stdout":5}]}`):                                                         "input[2].output[0].stdout",
		asking(hi + `,` + shellCall + `,{"type":"apply_patch_call_output","call_id":"s","status":"failed","output":5}`):                                              "input[2].output",
		asking(hi + `,{"type":"shell_call_output","call_id":"s","output":"x"}`):                                                                                      "input[1].call_id",
		asking(hi + `,{"type":"agent_message","author":"a","recipient":"b","content":"x"}`):                                                                          "input[1].content",
		asking(hi + `,{"type":"agent_message","author":"a","recipient":"b","content":[5]}`):                                                                          "input[1].content[0]",
		`{"input":"x","tool_choice":"required"}`:                                                                                                                     "tool_choice",
		`{"input":"x","tool_choice":"maybe"}`:                                                                                                                        "tool_choice",
		`{"input":"x","tool_choice":5}`:                                                                                                                              "tool_choice",
		`{"input":"x","tool_choice":{"type":"mcp"}}`:                                                                                                                 "tool_choice.type",
		`{"input":"x","tool_choice":{"type":"web_search"}}`:                                                                                                          "tool_choice.type",
		`{"input":"x","tools":[` + fTool + `],"tool_choice":{"type":"function","name":"g"}}`:                                                                         "tool_choice.name",
		`{"input":"x","tools":[` + fTool + `],"tool_choice":{"type":"custom","name":"f"}}`:                                                                           "tool_choice.name",
		`{"input":"x","tool_choice":{"type":"allowed_tools"}}`:                                                                                                       "tool_choice.mode",
		`{"input":"x","tool_choice":{"type":"allowed_tools","mode":"auto"}}`:                                                                                         "tool_choice.tools",
		`{"input":"x","tool_choice":{"type":"allowed_tools","mode":"auto","tools":[]}}`:                                                                              "tool_choice.tools",
		`{"input":"x","tool_choice":{"type":"allowed_tools","mode":"auto","tools":[5]}}`:                                                                             "tool_choice.tools[0]",
	} {
		_, _, fail := translate(t, body, "", pro25())
		if fail == nil {
			t.Errorf("%.200s: was taken", body)
			continue
		}
		if fail.Status != 400 || fail.Param != param || !strings.HasPrefix(fail.Message, param) {
			t.Errorf("%.200s: %d %q: %s", body, fail.Status, fail.Param, fail.Message)
		}
	}
}

func TestTooManyCallsAtOnce(t *testing.T) {
	var calls, outs strings.Builder
	body := func(n int) string {
		calls.Reset()
		outs.Reset()
		for i := range n {
			id := strconv.Itoa(i)
			calls.WriteString(`,{"type":"function_call","call_id":"` + id + `","name":"f","arguments":"{}"}`)
			outs.WriteString(`,{"type":"function_call_output","call_id":"` + id + `","output":"x"}`)
		}
		return asking(hi + calls.String() + outs.String())
	}
	if _, _, fail := translate(t, body(mostWaiting), "", pro3()); fail != nil {
		t.Error(fail)
	}
	if _, _, fail := translate(t, body(mostWaiting+1), "", pro3()); fail == nil || fail.Param != "input[1025]" {
		t.Error(fail)
	}
}

// TestDeepAndLarge: what is too much is refused before, or costs no more than its size.
func TestDeepAndLarge(t *testing.T) {
	deep := `{"input":` + strings.Repeat("[", 10000) + strings.Repeat("]", 10000) + `}`
	if _, err := wire.Scan([]byte(deep), nil); err == nil {
		t.Error("10,000 brackets were taken")
	}
	if _, _, fail := translate(t, `{"input":`+strings.Repeat("[", 500)+strings.Repeat("]", 500)+`}`, "", pro25()); fail == nil || fail.Param != "input[0]" {
		t.Errorf("%v", fail)
	}
	showing := func(picture string) string {
		return asking(`{"role":"user","content":[{"type":"input_image","image_url":"data:image/png;base64,` + picture + `"}]}`)
	}
	picture := strings.Repeat("QUJD", 5<<20)
	got, _, fail := translate(t, showing(picture), "", pro25())
	if fail != nil || !strings.Contains(got, picture) {
		t.Errorf("20 MB: %v, %d bytes", fail, len(got))
	}
	if _, _, fail = translate(t, showing(picture+picture), "", pro25()); fail == nil || fail.Status != 413 || fail.Param != "input[0].content[0].image_url" {
		t.Errorf("40 MB: %v", fail)
	}
	// A message between each call and its output, which all stand at the end.
	var b strings.Builder
	b.WriteString(hi)
	const n = 20000
	for i := range n {
		id := strconv.Itoa(i)
		b.WriteString(`,{"type":"function_call","call_id":"` + id + `","name":"f","arguments":"{}"},` + hi)
	}
	for i := range n {
		b.WriteString(`,{"type":"function_call_output","call_id":"` + strconv.Itoa(i) + `","output":"x"}`)
	}
	if _, _, fail := translate(t, asking(b.String()), "", pro3()); fail != nil {
		t.Error(fail)
	}
}
