package server_test

import (
	"strings"
	"testing"
)

// TestBadDialogues: what is JSON of the right types and makes no sense all the same is refused, and
// the place is named.
func TestBadDialogues(t *testing.T) {
	t.Parallel()
	b := badGateway(t, launch{accounts: 1, keys: 1})
	chat := func(messages string) string { return `{"model":"gemini-2.5-flash","messages":[` + messages + `]}` }
	chatWith := func(members string) string {
		return `{"model":"gemini-2.5-flash",` + members + `,"messages":[{"role":"user","content":"hi"}]}`
	}
	items := func(list string) string { return `{"model":"gemini-2.5-flash","input":[` + list + `]}` }
	talk := func(messages string) string {
		return `{"model":"gemini-2.5-flash","max_tokens":99,"messages":[` + messages + `]}`
	}
	const call, use = `{"role":"user","content":"hi"},{"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":ARGS}}]}`,
		`{"role":"user","content":"hi"},{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"f","input":ARGS}]}`
	arguments := func(text, args string) string { return strings.Replace(text, "ARGS", args, 1) }
	for _, tt := range []struct{ name, path, body, place string }{
		{"no messages", chatPath, chat(``), "messages"},
		{"unknown role", chatPath, chat(`{"role":"robot","content":"hi"}`), "messages[0].role"},
		{"unknown role", eventsPath, chat(`{"role":"robot","content":"hi"}`), "messages[0].role"},
		{"a result without a call", chatPath, chat(`{"role":"user","content":"hi"},{"role":"tool","tool_call_id":"c9","content":"x"}`), "messages[1].tool_call_id"},
		{"a result without a call", generatePath, chat(`{"role":"user","content":"hi"},{"role":"tool","tool_call_id":"c9","content":"x"}`), "messages[1].tool_call_id"},
		{"a result of nothing", chatPath, chat(`{"role":"user","content":"hi"},{"role":"tool","content":"x"}`), "messages[1].tool_call_id"},
		{"a second result", chatPath, chat(arguments(call, `"{}"`) + `,{"role":"tool","tool_call_id":"c1","content":"x"},{"role":"tool","tool_call_id":"c1","content":"y"}`), "messages[3].tool_call_id"},
		{"a function without a call", chatPath, chat(`{"role":"user","content":"hi"},{"role":"function","name":"f","content":"x"}`), "messages[1].name"},
		{"arguments that are cut", chatPath, chat(arguments(call, `"{\"a\":"`)), "messages[1].tool_calls[0].function.arguments"},
		{"arguments that are a list", chatPath, chat(arguments(call, `"[1]"`)), "messages[1].tool_calls[0].function.arguments"},
		{"arguments in an object", chatPath, chat(arguments(call, `{"a":1}`)), "messages[1].tool_calls[0].function.arguments"},
		{"deep arguments", chatPath, chat(arguments(call, `"{\"a\":`+strings.Repeat("[", 10_000)+strings.Repeat("]", 10_000)+`}"`)), "messages[1].tool_calls[0].function.arguments"},
		{"half a pair in arguments", chatPath, chat(arguments(call, `"{\"a\":\"\\ud800\"}"`)), "messages[1].tool_calls[0].function.arguments"},
		{"beyond int64", chatPath, chatWith(`"max_tokens":9223372036854775808`), "max_tokens"},
		{"far beyond", chatPath, chatWith(`"seed":` + strings.Repeat("9", 400)), "seed"},
		{"a choice without tools", chatPath, chatWith(`"tools":[],"tool_choice":"required"`), "tool_choice"},
		{"two tools of one name", chatPath, chatWith(`"tools":[{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"f"}}]`), "tools[1].function.name"},
		{"no prompt", legacyPath, `{"model":"gemini-2.5-flash","prompt":[]}`, "prompt"},
		{"no input", embedPath, `{"model":"gemini-embedding-001","input":[]}`, "input"},
		{"an empty input", embedPath, `{"model":"gemini-embedding-001","input":["a",""]}`, "input[1]"},
		{"no prompt", drawPath, `{"model":"gemini-2.5-flash-image","prompt":""}`, "prompt"},
		{"no items", responsesPath, items(``), "input"},
		{"unknown role", responsesPath, items(`{"role":"robot","content":"hi"}`), "input[0].role"},
		{"a result without a call", responsesPath, items(`{"role":"user","content":"hi"},{"type":"function_call_output","call_id":"c9","output":"x"}`), "input[1].call_id"},
		{"arguments that are cut", responsesPath, items(`{"role":"user","content":"hi"},{"type":"function_call","call_id":"c1","name":"f","arguments":"{\"a\":"},{"type":"function_call_output","call_id":"c1","output":"x"}`), "input[1].arguments"},
		{"beyond int64", responsesPath, `{"model":"gemini-2.5-flash","input":"hi","max_output_tokens":9223372036854775808}`, "max_output_tokens"},
		{"an item of nobody", responsesPath, items(`{"type":"item_reference","id":"msg_9"}`), "input[0].id"},
		{"no messages", messagesPath, talk(``), "messages"},
		{"unknown role", messagesPath, talk(`{"role":"robot","content":"hi"}`), "messages[0].role"},
		{"a result without a call", messagesPath, talk(`{"role":"user","content":[{"type":"tool_result","tool_use_id":"t9","content":"x"}]}`), "messages[0].content[0].tool_use_id"},
		{"a result without a call", tokensPath, talk(`{"role":"user","content":[{"type":"tool_result","tool_use_id":"t9","content":"x"}]}`), "messages[0].content[0].tool_use_id"},
		{"input in a text", messagesPath, talk(arguments(use, `"{}"`)), "messages[1].content[0].input"},
		{"beyond int64", messagesPath, `{"model":"gemini-2.5-flash","max_tokens":9223372036854775808,"messages":[{"role":"user","content":"hi"}]}`, "max_tokens"},
		{"no contents", generatePath, `{"contents":[]}`, "contents"},
		{"no contents", countPath, `{"generateContentRequest":{"contents":[]}}`, "generateContentRequest.contents"},
		{"unknown role", generatePath, `{"contents":[{"role":"robot","parts":[{"text":"hi"}]}]}`, "role"},
		{"a result without a call", eventsPath, `{"contents":[{"role":"user","parts":[{"functionResponse":{"name":"f","response":{}}}]}]}`, "function"},
		{"no requests", vectorsPath, `{"requests":[]}`, "requests"},
		{"no content", vectorPath, `{"content":{"parts":[]}}`, "content"},
	} {
		r := badRoute{path: tt.path}
		got, err := b.post(tt.path, tt.body)
		if why := judge(r, got, err); why != "" || got.status != 400 {
			t.Errorf("%s: %s: %d %s: %s", tt.path, tt.name, got.status, why, tail(string(got.body)))
		}
		if e := got.err().Error; !strings.HasPrefix(tt.path, "/v1beta") && tt.path != messagesPath && tt.path != tokensPath && e.Param != tt.place || !strings.Contains(e.Message, tt.place) {
			t.Errorf("%s: %s: %q is not named: %s", tt.path, tt.name, tt.place, tail(string(got.body)))
		}
	}
}
