package responses

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"gcli2api/pipeline/wire/gemini"
)

const (
	twice     = `{"type":"namespace","name":"a","tools":[` + fTool + `]},{"type":"namespace","name":"b","tools":[` + fTool + `]}`
	crm       = `{"type":"namespace","name":"crm","description":"Our customers.","tools":[{"type":"function","name":"f","description":"finds","defer_loading":true,"allowed_callers":["direct"],"strict":false,"parameters":{"type":"object","properties":{}}},{"type":"custom","name":"sh"}]}`
	crmTools  = `{"name":"crm__f","description":"Our customers.\n\nfinds","parametersJsonSchema":{"type":"object","properties":{}}},{"name":"crm__sh","description":"Our customers.",CUSTOM}`
	shellCall = `{"type":"shell_call","id":"sh_1","call_id":"s","status":"completed","action":{"commands":["ls"],"timeout_ms":null,"max_output_length":9}}`
	// exec is the schema of custom tools.
	exec = `"parametersJsonSchema":{"type":"object","properties":{"input":{"type":"string","description":"The input of the tool: plain text, not JSON"}},"required":["input"]}`
)

// TestAgentTools compares what Google is told of the tools that agents send.
func TestAgentTools(t *testing.T) {
	own := func(kind string) string {
		k, _ := kitOf(kind)
		return `{"name":"` + kind + `","description":"` + k.about + `","parametersJsonSchema":` + k.parameters + `}`
	}
	plain := `{"name":"f","parametersJsonSchema":{"type":"object","properties":{}}}`
	bare := `{"type":"function","name":"f"}`
	must := func(name string) string {
		return `,"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["` + name + `"]}}`
	}
	for name, c := range map[string]struct{ tools, more, items, declared, config, ignored string }{
		"a namespace":             {tools: crm, declared: crmTools},
		"the default one":         {tools: `{"type":"namespace","name":"functions","tools":[` + bare + `]}`, declared: plain},
		"beside a function":       {tools: bare + "," + crm, declared: plain + "," + crmTools},
		"an empty one":            {tools: bare + `,{"type":"namespace","name":"n","tools":[]}`, declared: plain},
		"one in two parts":        {tools: `{"type":"namespace","name":"n","tools":[` + bare + `]},{"type":"namespace","name":"n","tools":[{"type":"function","name":"g"}]}`, declared: strings.ReplaceAll(plain, `"f"`, `"n__f"`) + "," + strings.ReplaceAll(plain, `"f"`, `"n__g"`)},
		"forced":                  {tools: bare + "," + crm, more: `"tool_choice":{"type":"function","name":"f","namespace":"crm"}`, declared: plain + "," + crmTools, config: must("crm__f")},
		"forced, without it":      {tools: bare + "," + crm, more: `"tool_choice":{"type":"function","name":"f"}`, declared: plain + "," + crmTools, config: must("f")},
		"forced, in one only":     {tools: crm, more: `"tool_choice":{"type":"custom","name":"sh"}`, declared: crmTools, config: must("crm__sh")},
		"allowed":                 {tools: bare + "," + crm, more: `"tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"namespace","name":"crm"}]}`, declared: crmTools},
		"allowed with a search":   {tools: bare + `,{"type":"tool_search"},` + crm, more: `"tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"tool_search"},{"type":"function","name":"f"}]}`, declared: plain, ignored: "tools[1]"},
		"the client's own":        {tools: `{"type":"local_shell"},{"type":"shell","environment":{"type":"local"}},{"type":"apply_patch"}`, declared: own("local_shell") + "," + own("shell") + "," + own("apply_patch")},
		"the same names":          {tools: `{"type":"function","name":"shell"},{"type":"shell"}`, more: `"tool_choice":{"type":"shell"}`, declared: strings.ReplaceAll(plain, `"f"`, `"shell"`) + "," + strings.Replace(own("shell"), `"shell"`, `"SHELL"`, 1), config: must("SHELL")},
		"skills":                  {tools: `{"type":"shell","environment":{"type":"local","skills":[{"name":"s"}]}}`, declared: own("shell"), ignored: "tools[0].environment.skills"},
		"a search by the client":  {tools: `{"type":"tool_search","execution":"client","description":"looks","parameters":{"type":"object","properties":{}}}`, declared: `{"name":"tool_search","description":"looks","parametersJsonSchema":{"type":"object","properties":{}}}`},
		"a search by OpenAI":      {tools: bare + `,{"type":"tool_search"},{"type":"programmatic_tool_calling"}`, declared: plain, ignored: "tools[1],tools[2]"},
		"pictures":                {tools: `{"type":"image_generation","output_format":"png"},` + bare, declared: plain, ignored: "tools[0].output_format,tools[0]"},
		"what is new":             {tools: `{"type":"function","name":"f","output_schema":{},"async":true,"allowed_callers":["programmatic"],"x":null,"y":false}`, declared: plain, ignored: "tools[0].output_schema,tools[0].async,tools[0].allowed_callers"},
		"by an item":              {items: `{"type":"additional_tools","role":"developer","tools":[` + crm + `]}`, declared: crmTools},
		"by an item, anew":        {tools: `{"type":"function","name":"f","description":"old"},` + crm, items: `{"type":"additional_tools","role":"developer","tools":[` + bare + `]}`, declared: plain + "," + crmTools},
		"by an item with escapes": {items: `{"type":"additional\u005ftools","role":"developer","tools":[` + bare + `]}`, declared: plain},
		"found":                   {items: `{"type":"tool_search_call","execution":"server","call_id":null,"status":"completed","arguments":{"paths":["crm"]}},{"type":"tool_search_output","execution":"server","call_id":null,"tools":[` + crm + `]}`, declared: crmTools, ignored: "input[0]=tool_search_call"},
	} {
		t.Run(name, func(t *testing.T) {
			body := `{"input":[` + strings.TrimPrefix(c.items+","+hi, ",") + `],"tools":[` + c.tools + `]`
			if c.more != "" {
				body += "," + c.more
			}
			got, r, fail := translate(t, body+"}", "", pro25())
			if fail != nil {
				t.Fatal(fail)
			}
			want := `{"tools":[{"functionDeclarations":[` + strings.ReplaceAll(c.declared, "CUSTOM", exec) + `]}]` + c.config + "," + hub[1:]
			want = strings.ReplaceAll(want, `"SHELL"`, `"`+r.Tools.GoogleOf(kit{kind: "shell"}.function())+`"`)
			if got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if strings.Join(r.Ignored, ",") != c.ignored {
				t.Errorf("ignored %v", r.Ignored)
			}
		})
	}
}

// TestAgentItems compares the dialogue that Google gets.
func TestAgentItems(t *testing.T) {
	call := func(name, args string) string { return `{"functionCall":{"name":"` + name + `","args":` + args + `}}` }
	gives := func(name, response string) string {
		return `{"functionResponse":{"name":"` + name + `","response":` + response + `}}`
	}
	exit := `{"stdout":"a","stderr":"","created_by":"x","outcome":{"type":"exit","exit_code":1}},{"stdout":"","stderr":"b","outcome":{"type":"timeout"}}`
	for name, c := range map[string]struct {
		items, ignored string
		turns          []string
	}{
		"in a namespace": {items: `{"type":"function_call","call_id":"a","namespace":"crm","name":"f","arguments":"{}"},{"type":"custom_tool_call","call_id":"b","namespace":"crm","name":"sh","input":"x"},` + outA + `,{"type":"custom_tool_call_output","call_id":"b","name":"sh","output":"ok"}`,
			turns: []string{"model:" + call("crm__f", "{}") + "," + call("crm__sh", `{"input":"x"}`), "user:" + gives("crm__f", `{"result":"ok"}`) + "," + gives("crm__sh", `{"result":"ok"}`)}},
		"in the default one":    {items: `{"type":"function_call","call_id":"a","namespace":"functions","name":"p","arguments":"{}"},` + outA, turns: []string{"model:" + call("p", "{}"), "user:" + gives("p", `{"result":"ok"}`)}},
		"in one of its own":     {items: `{"type":"function_call","call_id":"a","namespace":"p","name":"p","arguments":"{}"},` + outA, turns: []string{"model:" + call("p", "{}"), "user:" + gives("p", `{"result":"ok"}`)}},
		"in one that is gone":   {items: `{"type":"function_call","call_id":"a","namespace":"x","name":"f","arguments":"{}"},` + outA, turns: []string{"model:" + call("x__f", "{}"), "user:" + gives("x__f", `{"result":"ok"}`)}},
		"local shell":           {items: `{"type":"local_shell_call","id":"lsh_1","call_id":"l","status":"completed","action":{"type":"exec","command":["ls"],"env":{},"timeout_ms":null}},{"type":"local_shell_call_output","id":"l","output":"ok"}`, turns: []string{"model:" + call("local_shell", `{"command":["ls"],"env":{}}`), "user:" + gives("local_shell", `{"result":"ok"}`)}},
		"by the item":           {items: `{"type":"local_shell_call","id":"lsh_1","call_id":"l","status":"completed","action":{"type":"exec","command":["ls"]}},{"type":"local_shell_call_output","id":"lsh_1","output":"ok"}`, turns: []string{"model:" + call("local_shell", `{"command":["ls"]}`), "user:" + gives("local_shell", `{"result":"ok"}`)}},
		"by the item, late":     {items: `{"type":"local_shell_call","id":"lsh_1","call_id":"l","status":"completed","action":{"type":"exec","command":["ls"]}},` + hi + `,{"type":"local_shell_call_output","id":"lsh_1","output":"ok"}`, turns: []string{"model:" + call("local_shell", `{"command":["ls"]}`), "user:" + gives("local_shell", `{"result":"ok"}`) + `,{"text":"hi"}`}},
		"as a function":         {items: `{"type":"local_shell_call","call_id":"l","status":"completed","action":{"type":"exec","command":["ls"]}},{"type":"function_call_output","call_id":"l","output":"ok"}`, turns: []string{"model:" + call("local_shell", `{"command":["ls"]}`), "user:" + gives("local_shell", `{"result":"ok"}`)}},
		"shell":                 {items: shellCall + `,{"type":"shell_call_output","call_id":"s","output":[` + exit + `]}`, turns: []string{"model:" + call("shell", `{"commands":["ls"],"max_output_length":9}`), "user:" + gives("shell", `{"output":[{"stdout":"a","stderr":"","exit_code":1},{"stdout":"","stderr":"b","timed_out":true}]}`)}},
		"shell, late":           {items: shellCall + "," + hi + `,{"type":"shell_call_output","call_id":"s","output":[]}`, turns: []string{"model:" + call("shell", `{"commands":["ls"],"max_output_length":9}`), "user:" + gives("shell", `{"output":[]}`) + `,{"text":"hi"}`}},
		"a patch":               {items: `{"type":"apply_patch_call","call_id":"p","status":"completed","operation":{"type":"delete_file","path":"a"}},{"type":"apply_patch_call_output","call_id":"p","status":"completed"}`, turns: []string{"model:" + call("apply_patch", `{"operation":{"type":"delete_file","path":"a"}}`), "user:" + gives("apply_patch", `{"result":"completed"}`)}},
		"a patch that failed":   {items: `{"type":"apply_patch_call","call_id":"p","status":"completed","operation":{"type":"delete_file","path":"a"}},{"type":"apply_patch_call_output","call_id":"p","status":"failed","output":"no such file"}`, turns: []string{"model:" + call("apply_patch", `{"operation":{"type":"delete_file","path":"a"}}`), "user:" + gives("apply_patch", `{"error":"no such file"}`)}},
		"a search":              {items: `{"type":"tool_search_call","call_id":"t","execution":"client","arguments":{"query":"q"}},{"type":"tool_search_output","call_id":"t","status":"completed","execution":"client","tools":[` + crm + `,{"type":"function","name":"q"}]}`, turns: []string{"model:" + call("tool_search", `{"query":"q"}`), "user:" + gives("tool_search", `{"tools":["crm__f","crm__sh","q"]}`)}},
		"what is compacted":     {items: `{"type":"compaction","id":"c","encrypted_content":"x"},{"type":"compaction_summary","encrypted_content":"x"},{"type":"context_compaction"}`, ignored: "input[1]=compaction,input[2]=compaction_summary,input[3]=context_compaction"},
		"an MCP server's":       {items: `{"type":"mcp_list_tools","id":"m","server_label":"wiki","tools":[]},{"type":"mcp_call","id":"c","server_label":"wiki","name":"ask","arguments":"{\"q\":1}","output":"yes"}`, ignored: "input[1]=mcp_list_tools", turns: []string{`model:{"text":"Called wiki ask {\"q\":1} \n` + "```output\\nyes\\n```" + `"}`}},
		"an MCP server's error": {items: `{"type":"mcp_call","id":"c","name":"ask","arguments":"{}","error":{"type":"http_error","message":"gone"}}`, turns: []string{`model:{"text":"Called ask {} \n` + "```output\\ngone\\n```" + `"}`}},
		"a sound":               {items: `{"role":"user","content":[{"type":"input_audio","audio_url":"data:audio/wav;base64,AA=="}]}`, turns: []string{`+{"inlineData":{"mimeType":"audio/wav","data":"AA=="}}`}},
		"another agent's":       {items: `{"type":"agent_message","author":"root","recipient":"helper","content":[{"type":"encrypted_content","encrypted_content":"x"},{"type":"input_text","text":"go on"}]}`, ignored: "input[1]=agent_message", turns: []string{`+{"text":"Message from root to helper:"},{"text":"go on"}`}},
	} {
		t.Run(name, func(t *testing.T) {
			got, r, fail := translate(t, `{"input":[`+hi+","+c.items+`],"tools":[`+crm+`,{"type":"function","name":"p"}]}`, "", pro25())
			if fail != nil {
				t.Fatal(fail)
			}
			first := `user:{"text":"hi"}`
			if len(c.turns) > 0 && c.turns[0][0] == '+' {
				first, c.turns = first+","+c.turns[0][1:], nil
			}
			if want := dialogue(append([]string{first}, c.turns...)...)[1:]; !strings.HasSuffix(got, ","+want) {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if strings.Join(r.Ignored, ",") != c.ignored {
				t.Errorf("ignored %v", r.Ignored)
			}
		})
	}
}

// TestAgentCalls compares the items that calls become.
func TestAgentCalls(t *testing.T) {
	_, r, fail := translate(t, `{"input":"hi","tools":[`+fTool+","+crm+`,{"type":"local_shell"},{"type":"shell"},{"type":"apply_patch"},{"type":"tool_search","execution":"client"}]}`, "", pro25())
	if fail != nil {
		t.Fatal(fail)
	}
	for call, want := range map[string]string{
		`"name":"f","args":{}`:                                `{"arguments":"{}","name":"f","status":"completed","type":"function_call"}`,
		`"name":"crm__f","args":{"a":1}`:                      `{"arguments":"{\"a\":1}","name":"f","namespace":"crm","status":"completed","type":"function_call"}`,
		`"name":"crm__sh","args":{"input":"ls"}`:              `{"input":"ls","name":"sh","namespace":"crm","status":"completed","type":"custom_tool_call"}`,
		`"name":"local_shell","args":{"command":["ls","-l"]}`: `{"action":{"command":["ls","-l"],"env":{},"timeout_ms":null,"type":"exec","user":null,"working_directory":null},"status":"completed","type":"local_shell_call"}`,
		`"name":"local_shell","args":{"command":"ls -l","env":{"A":"b","C":1},"timeout_ms":5,"working_directory":"/w"}`: `{"action":{"command":["bash","-lc","ls -l"],"env":{"A":"b","C":"1"},"timeout_ms":5,"type":"exec","user":null,"working_directory":"/w"},"status":"completed","type":"local_shell_call"}`,
		`"name":"shell","args":{"commands":["ls","pwd"],"timeout_ms":5}`:                                                `{"action":{"commands":["ls","pwd"],"max_output_length":null,"timeout_ms":5},"environment":{"type":"local"},"status":"completed","type":"shell_call"}`,
		`"name":"shell","args":{"commands":"ls","max_output_length":"x"}`:                                               `{"action":{"commands":["ls"],"max_output_length":null,"timeout_ms":null},"environment":{"type":"local"},"status":"completed","type":"shell_call"}`,
		`"name":"shell"`: `{"action":{"commands":[],"max_output_length":null,"timeout_ms":null},"environment":{"type":"local"},"status":"completed","type":"shell_call"}`,
		`"name":"apply_patch","args":{"operation":{"type":"create_file","path":"a","diff":"+x\n"}}`: `{"operation":{"diff":"+x\n","path":"a","type":"create_file"},"status":"completed","type":"apply_patch_call"}`,
		`"name":"apply_patch","args":{"type":"delete_file","path":"a"}`:                             `{"operation":{"path":"a","type":"delete_file"},"status":"completed","type":"apply_patch_call"}`,
		`"name":"apply_patch","args":{"operation":{"type":"x"}}`:                                    `{"operation":{"diff":"","path":"","type":"update_file"},"status":"completed","type":"apply_patch_call"}`,
		`"name":"tool_search","args":{"query":"q",` + "\n" + `"limit":3}`:                           `{"arguments":{"limit":3,"query":"q"},"execution":"client","status":"completed","type":"tool_search_call"}`,
		`"name":"tool_search"`: `{"arguments":{},"execution":"client","status":"completed","type":"tool_search_call"}`,
	} {
		for _, stream := range []bool{true, false} {
			restorer := gemini.Restorer{Tools: r.Tools, Seed: "s", Prefix: "call_"}
			data := restorer.Event([]byte(event(`{"functionCall":{`+call+`}}`, "STOP")))
			e := NewEncoder(EncoderOptions{ID: "1", Created: 100, Tools: r.Tools, Stream: stream}).(*encoder)
			var items []object
			if stream {
				items = encode(t, e, strings.ReplaceAll(string(data), "\n", " ")).items
			} else {
				out, err := e.Whole(nil, data)
				var response struct{ Output []object }
				if err != nil || json.Unmarshal(out, &response) != nil {
					t.Fatalf("%v: %s", err, out)
				}
				items = response.Output
			}
			id := restorer.Made()[0].ID
			if len(items) != 1 || items[0]["call_id"] != id {
				t.Fatalf("%s: %v", call, items)
			}
			delete(items[0], "call_id")
			if got := bare(t, items); got != want && got != "["+want+"]" {
				t.Errorf("%s (stream %v)\ngot  %s\nwant %s", call, stream, got, want)
			}
		}
	}
}

// codexBody is what a Codex CLI sends, with this input behind what it says of itself.
func codexBody(input string) string {
	return `{"model":"gemini","instructions":"You are a coding agent.","input":[` +
		`{"type":"additional_tools","role":"developer","tools":[{"type":"namespace","name":"mcp__wiki","description":"Tools in the mcp__wiki namespace.","tools":[{"type":"function","name":"ask","description":"asks","strict":false,"defer_loading":true,"parameters":{"type":"object","properties":{"q":{"type":"string"}},"required":["q"],"additionalProperties":false}}]}]},` +
		`{"type":"message","role":"developer","content":[{"type":"input_text","text":"<permissions>all</permissions>"}]},` +
		`{"type":"message","role":"user","content":[{"type":"input_text","text":"<environment_context><cwd>/w</cwd></environment_context>"}],"internal_chat_message_metadata_passthrough":{"turn_id":"t"}},` + input + `],` +
		`"tools":[{"type":"function","name":"exec_command","description":"Runs a command.","strict":false,"parameters":{"type":"object","properties":{"cmd":{"type":"string"},"yield_time_ms":{"type":"number"}},"required":["cmd"],"additionalProperties":false}},` +
		`{"type":"custom","name":"apply_patch","description":"Edits files.","format":{"type":"grammar","syntax":"lark","definition":"start: begin_patch hunk+ end_patch"}},` +
		`{"type":"namespace","name":"collaboration","description":"Other agents.","tools":[{"type":"function","name":"spawn_agent","description":"Starts one.","strict":false,"parameters":{"type":"object","properties":{"message":{"type":"string"}},"required":["message"]}},{"type":"custom","name":"note","description":"Notes.","format":{"type":"text"}}]},` +
		`{"type":"tool_search","execution":"client","description":"Finds tools.","parameters":{"type":"object","properties":{"query":{"type":"string"},"limit":{"type":"number"}},"required":["query"],"additionalProperties":false}},` +
		`{"type":"web_search","external_web_access":true},{"type":"image_generation","output_format":"png"}],` +
		`"tool_choice":"auto","parallel_tool_calls":true,"reasoning":{"effort":"high","summary":"auto","context":"all_turns"},"store":false,"stream":true,"include":["reasoning.encrypted_content"],` +
		`"service_tier":"priority","prompt_cache_key":"0199","text":{"verbosity":"low"},"client_metadata":{"x-codex-installation-id":"i"}}`
}

// TestCodex is Codex with three steps of calls, to both backends: in a namespace, of its own, and of a
// tool that a search has found. Each comes back as it was declared, and its output is taken.
func TestCodex(t *testing.T) {
	_, r, fail := translate(t, codexBody(hi), "", pro3())
	if want := "tools[4].external_web_access,tools[5].output_format,tools[5],tools[1].format,text.verbosity,reasoning.context"; fail != nil || !sameWords(r.Ignored, want) {
		t.Fatalf("%v, ignored %v", fail, r.Ignored)
	}
	found := `{"type":"namespace","name":"mcp__db","description":"d","tools":[{"type":"function","name":"ask","defer_loading":true,"parameters":{"type":"object","properties":{}}}]}`
	for _, model := range []string{"gemini-2.5-pro", "gemini-3.1-flash-lite"} {
		for _, assist := range []bool{true, false} {
			g := startGoogle(t, assist)
			items := `{"role":"user","content":"call collaboration__spawn_agent {\"message\":\"m\"} call mcp__wiki__ask {\"q\":\"x\"} call exec_command {\"cmd\":\"ls\"} then call tool_search {\"query\":\"db\"} call collaboration__note {\"input\":\"n\"} then call mcp__db__ask {}"}`
			var calls []string
			for range 4 {
				a := g.ask(model, codexBody(items), nil)
				var said []object
				if err := json.Unmarshal(a.output, &said); err != nil {
					t.Fatal(err)
				}
				for _, it := range said {
					if it["call_id"] == nil {
						continue
					}
					calls = append(calls, fmt.Sprint(it["type"], " ", it["namespace"], " ", it["name"]))
					out := object{"type": fmt.Sprint(it["type"], "_output"), "call_id": it["call_id"], "output": "done"}
					if it["type"] == "tool_search_call" {
						out = object{"type": "tool_search_output", "call_id": it["call_id"], "status": "completed", "execution": "client", "tools": []any{json.RawMessage(found)}}
					}
					said = append(said, out)
				}
				for _, it := range said {
					delete(it, "status") // Codex keeps none
					b, err := json.Marshal(it)
					if err != nil {
						t.Fatal(err)
					}
					items += "," + string(b)
				}
				if !strings.Contains(string(a.output), `_call"`) {
					if !strings.Contains(a.text, "result of mcp__db__ask") {
						t.Errorf("%s: %q", model, a.text)
					}
				}
			}
			want := "function_call collaboration spawn_agent|function_call mcp__wiki ask|function_call <nil> exec_command|tool_search_call <nil> <nil>|custom_tool_call collaboration note|function_call mcp__db ask"
			if got := strings.Join(calls, "|"); got != want {
				t.Errorf("%s: called %s", model, got)
			}
		}
	}
}

// TestAgentInSteps is an agent with the client's own tools and a namespace, by previous_response_id and
// with whole dialogues: calls there, outputs back, twice.
func TestAgentInSteps(t *testing.T) {
	tools := `,"tools":[` + crm + `,{"type":"shell"},{"type":"local_shell"},{"type":"apply_patch"}]}`
	ask := `call shell {\"commands\":[\"ls\"]} call crm__f call local_shell {\"command\":[\"ls\"]} then call apply_patch {\"operation\":{\"type\":\"delete_file\",\"path\":\"a\"}} call crm__f`
	for _, model := range []string{"gemini-2.5-pro", "gemini-3.1-flash-lite"} {
		for _, kept := range []bool{true, false} {
			for _, assist := range []bool{true, false} {
				g := startGoogle(t, assist)
				a := g.ask(model, `{"input":"`+ask+`"`+tools, nil)
				said := AppendThread(nil, []byte(`[{"role":"user","content":"`+ask+`"}]`), a.output)
				thread := a.thread
				for step, want := range []int{3, 2, 0} {
					outs := answers(t, a.output)
					if len(outs) != want {
						t.Fatalf("%s, step %d: %d calls in %s", model, step, len(outs), a.output)
					}
					if want == 0 {
						break
					}
					input := "[" + strings.Join(outs, ",") + "]"
					if said = AppendThread(nil, said, []byte(input)); !kept {
						input, thread = string(said), nil
					}
					a = g.ask(model, `{"input":`+input+tools, thread)
					said, thread = AppendThread(nil, said, a.output), a.thread
				}
				if !strings.Contains(a.text, "result of crm__f") {
					t.Errorf("%s: %q", model, a.text)
				}
			}
		}
	}
}

// sameWords compares lists without their order.
func sameWords(got []string, want string) bool {
	words := strings.Split(want, ",")
	seen := map[string]int{}
	for _, w := range words {
		seen[w]++
	}
	for _, w := range got {
		seen[w]--
	}
	for _, n := range seen {
		if n != 0 {
			return false
		}
	}
	return len(got) == len(words)
}
