package responses

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// wrong is what stands in the place of a value.
func wrong() []any {
	return []any{nil, true, 5.0, -1.0, json.RawMessage("1e400"), json.RawMessage("99999999999999999999"), "", "x", "\ufffd\u0000", []any{}, []any{5.0}, object{}, object{"type": "x"}, object{"a": []any{}}}
}

// mutants calls try with the document in which each value in turn is replaced by a wrong one or, in an
// object, left out.
func mutants(t *testing.T, doc string, try func(mutant string)) {
	t.Helper()
	var root any
	if err := json.Unmarshal([]byte(doc), &root); err != nil {
		t.Fatalf("%v: %s", err, doc)
	}
	write := func() {
		b, err := json.Marshal(root)
		if err != nil {
			t.Fatal(err)
		}
		try(string(b))
	}
	var walk func(v any, set func(any))
	walk = func(v any, set func(any)) {
		for _, w := range wrong() {
			set(w)
			write()
		}
		set(v)
		switch v := v.(type) {
		case object:
			for name, was := range v {
				delete(v, name)
				write()
				v[name] = was
				walk(was, func(w any) { v[name] = w })
			}
		case []any:
			for i, was := range v {
				walk(was, func(w any) { v[i] = w })
			}
		}
	}
	walk(root, func(v any) { root = v })
}

// TestWrongTypes: whatever stands in a place where something else belongs, the request is refused by
// name, or what goes up is a request that keeps Google's rules.
func TestWrongTypes(t *testing.T) {
	refused, taken := map[string]bool{}, 0
	for _, body := range []string{
		`{"model":"m","stream":true,"store":true,"instructions":"be","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"a"},{"type":"input_image","image_url":"data:image/png;base64,AA=="},{"type":"input_file","file_data":"AA==","filename":"a.pdf"},{"type":"input_audio","input_audio":{"data":"AA==","format":"wav"}}]},` +
			`{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"x"}],"encrypted_content":"gemini.AA"},` + callA + `,{"type":"custom_tool_call","call_id":"c","name":"sh","input":"x"},` + outA +
			`,{"type":"custom_tool_call_output","call_id":"c","output":[{"type":"input_text","text":"x"},{"type":"input_image","image_url":"https://a/b"}]},{"id":"rs_2","type":"item_reference"},` +
			`{"type":"code_interpreter_call","id":"ci","code":"x","outputs":[{"type":"logs","logs":"y"}]},{"type":"image_generation_call","id":"ig","result":"AA==","output_format":"png"},{"role":"assistant","content":[{"type":"output_text","text":"b"},{"type":"refusal","refusal":"c"}]},` + hi + `]}`,
		`{"input":"hi","tools":[` + fTool + `,{"type":"custom","name":"sh","description":"d","format":{"type":"grammar","syntax":"lark","definition":"x"}},{"type":"web_search","filters":{}},{"type":"code_interpreter","container":{"type":"auto","file_ids":[]}}],` +
			`"tool_choice":{"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"f"},{"type":"web_search"}]},"parallel_tool_calls":false,"temperature":1,"top_p":1,"max_output_tokens":20,"max_tool_calls":3,"top_logprobs":1,"truncation":"auto","metadata":{"a":"b"},"include":["x"],` +
			`"reasoning":{"effort":"low","summary":"auto"},"text":{"verbosity":"low","format":{"type":"json_schema","name":"n","schema":{"type":"object","properties":{"a":{"type":"string"}}}}},"stream_options":{},"background":false,"user":"u","previous_response_id":"resp_1"}`,
		`{"input":"hi","tools":[` + fTool + `],"tool_choice":{"type":"function","name":"f"},"text":{"format":{"type":"json_object"}}}`,
		codexBody(`{"type":"local_shell_call","id":"lsh_1","call_id":"l","status":"completed","action":{"type":"exec","command":["ls"],"env":{}}},{"type":"local_shell_call_output","id":"l","output":"ok"},` +
			shellCall + `,{"type":"shell_call_output","call_id":"s","output":[{"stdout":"a","stderr":"b","outcome":{"type":"exit","exit_code":0}}]},` +
			`{"type":"apply_patch_call","call_id":"p","status":"completed","operation":{"type":"update_file","path":"a","diff":"@@"}},{"type":"apply_patch_call_output","call_id":"p","status":"failed","output":"no"},` +
			`{"type":"tool_search_call","call_id":"t","execution":"client","arguments":{"query":"q"}},{"type":"tool_search_output","call_id":"t","status":"completed","execution":"client","tools":[` + crm + `]},` +
			`{"type":"function_call","call_id":"a","namespace":"crm","name":"f","arguments":"{}"},` + outA + `,{"type":"mcp_call","server_label":"w","name":"ask","arguments":"{}","output":"x"},` +
			`{"type":"agent_message","author":"a","recipient":"b","content":[{"type":"input_text","text":"x"}]},{"type":"compaction","encrypted_content":"x"},` + hi),
		`{"input":"hi","tools":[` + crm + `,{"type":"shell","environment":{"type":"local","skills":[]}}],"tool_choice":{"type":"allowed_tools","mode":"required","tools":[{"type":"namespace","name":"crm"},{"type":"function","namespace":"crm","name":"f"},{"type":"shell"}]}}`,
	} {
		mutants(t, body, func(mutant string) {
			members, err := wire.Scan([]byte(mutant), nil)
			if err != nil {
				return // it is the root
			}
			for _, target := range []gemini.Target{pro25(), pro3()} {
				out, _, fail := ToHub(nil, Input{Body: []byte(mutant), Members: members}, target)
				if fail != nil {
					if fail.Status != 400 || fail.Param == "" || !strings.HasPrefix(fail.Message, fail.Param) {
						t.Fatalf("%+v\n%s", fail, mutant)
					}
					refused[fail.Param] = true
					continue
				}
				taken++
				heard(t, string(out))
				items, fail := AppendItems(nil, members, nil)
				if fail != nil || !json.Valid(items) {
					t.Fatalf("%v: %s\n%s", fail, items, mutant)
				}
				if !strings.Contains(mutant, "1e400") { // valid, but too large for the watcher
					e := NewEncoder(EncoderOptions{ID: "1", Members: members, Stream: true})
					watch(t, string(e.Finish(nil)))
				}
			}
		})
	}
	if len(refused) < 60 || taken < 500 {
		t.Errorf("%d places were named, %d taken: too few for this to be a test", len(refused), taken)
	}
}

// TestWrongAnswers: whatever Google's events say in the wrong place, the stream keeps its order.
func TestWrongAnswers(t *testing.T) {
	const seed = `{"candidates":[{"index":0,"finishReason":"STOP","content":{"role":"model","parts":[{"text":"t","thought":true,"thoughtSignature":"AA"},{"text":"abc"},{"functionCall":{"id":"a","name":"f","args":{"x":1}},"thoughtSignature":"AA"},{"functionCall":{"id":"b","name":"sh","args":{"input":"x"}}},` +
		`{"executableCode":{"language":"PYTHON","code":"x"}},{"codeExecutionResult":{"outcome":"OUTCOME_OK","output":"y"}},{"inlineData":{"mimeType":"image/png","data":"AA=="}}]},` + ground + `}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":2,"thoughtsTokenCount":3},"promptFeedback":{"blockReason":"SAFETY"}}`
	request := `{"include":["reasoning.encrypted_content","code_interpreter_call.outputs","web_search_call.action.sources"]}`
	kinds := []string{}
	mutants(t, seed, func(mutant string) {
		e := with(t, request, true)
		out, err := e.Event(nil, []byte(mutant))
		if err != nil {
			return
		}
		out, _ = e.Event(out, []byte(seed))
		for _, it := range watch(t, string(e.Finish(out))).items {
			if kind := it["type"].(string); !slices.Contains(kinds, kind) {
				kinds = append(kinds, kind)
			}
		}
		if out, err := with(t, request, false).Whole(nil, []byte(mutant)); err == nil && !json.Valid(out) {
			t.Fatalf("no JSON: %s\nof %s", out, mutant)
		}
	})
	if len(kinds) != 7 {
		t.Errorf("only %v came", kinds)
	}
}
