package responses

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire/gemini"
)

// with makes an encoder for a request.
func with(t testing.TB, request string, stream bool) *encoder {
	t.Helper()
	tools := &gemini.Tools{}
	tools.Declare("sh", true)
	e := NewEncoder(EncoderOptions{ID: "1", Model: "假流式/gemini", Created: 100, Members: scanned(t, request), Tools: tools, Stream: stream}).(*encoder)
	e.now = func() int64 { return 105 }
	return e
}

// event is one of the hub format.
func event(parts, finish string) string {
	if finish != "" {
		finish = `,"finishReason":"` + finish + `"`
	}
	return `{"candidates":[{"content":{"role":"model","parts":[` + parts + `]}` + finish + `,"index":0}]}`
}

// encode runs events through e, and watches what comes.
func encode(t testing.TB, e *encoder, events ...string) *watcher {
	t.Helper()
	var out []byte
	var err error
	for _, data := range events {
		if out, err = e.Event(out, []byte(data)); err != nil {
			t.Fatalf("%s: %v", data, err)
		}
	}
	return watch(t, string(e.Finish(out)))
}

// bare gives items without the ids that were made, as JSON.
func bare(t testing.TB, items []object) string {
	t.Helper()
	prefixes := map[string]string{"message": "msg_", "reasoning": "rs_", "function_call": "fc_", "custom_tool_call": "ctc_",
		"web_search_call": "ws_", "code_interpreter_call": "ci_", "image_generation_call": "ig_",
		"local_shell_call": "lsh_", "shell_call": "sh_", "apply_patch_call": "apc_", "tool_search_call": "tsc_"}
	seen := map[any]bool{}
	for _, it := range items {
		id, _ := it["id"].(string)
		if digits, ok := strings.CutPrefix(id, prefixes[it["type"].(string)]); !ok || len(digits) != 32 || seen[id] {
			t.Errorf("id %q of a %s", id, it["type"])
		}
		seen[id] = true
		delete(it, "id")
		delete(it, "container_id")
	}
	b, err := json.Marshal(items)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const (
	aSignedCall = `{"functionCall":{"id":"call_1","name":"f","args":{"x": [1,"\u00e9\n"]}},"thoughtSignature":"EqQB"}`
	ground      = `"groundingMetadata":{"webSearchQueries":["q1","q2"],"groundingChunks":[{"web":{"uri":"https://a/1","title":"a"}},{"retrievedContext":{}},{"web":{"uri":"https://b/2"}}],` +
		`"groundingSupports":[{"segment":{"endIndex":3},"groundingChunkIndices":[0,1,9]},{"segment":{"startIndex":3,"endIndex":900},"groundingChunkIndices":[2]},{"segment":{"startIndex":50,"endIndex":60},"groundingChunkIndices":[0]}]}`
)

// TestItems: what becomes of each kind of part, as a stream and as a whole, which say the same.
func TestItems(t *testing.T) {
	message := func(text, status string) string {
		return `{"content":[{"annotations":[],"logprobs":[],"text":"` + text + `","type":"output_text"}],"role":"assistant","status":"` + status + `","type":"message"}`
	}
	thought := `{"status":"completed","summary":[{"text":"hm so","type":"summary_text"}],"type":"reasoning"}`
	called := `{"arguments":"{\"x\": [1,\"\\u00e9\\n\"]}","call_id":"call_1","name":"f","status":"completed","type":"function_call"}`
	ran := func(status, outputs string) string {
		return `{"code":"print(1)","outputs":` + outputs + `,"status":"` + status + `","type":"code_interpreter_call"}`
	}
	for name, c := range map[string]struct {
		request string
		events  []string
		want    string
	}{
		"text":     {`{}`, []string{event(text("a\\n\\\"\\u00e9"), ""), event(text("b"), "STOP")}, message(`a\n\"éb`, "completed")},
		"thoughts": {`{}`, []string{event(`{"text":"hm ","thought":true}`, ""), event(`{"text":"so","thought":true},`+text("a"), ""), event(text(""), "STOP")}, thought + "," + message("a", "completed")},
		"calls":    {`{}`, []string{event(text("a")+","+aSignedCall, ""), event(`{"functionCall":{"id":"call_2","name":"g"}}`, "STOP")}, message("a", "completed") + "," + called + `,{"arguments":"{}","call_id":"call_2","name":"g","status":"completed","type":"function_call"}`},
		"a call with its signature": {`{"include":["reasoning.encrypted_content"]}`, []string{event(aSignedCall, "STOP")},
			`{"encrypted_content":"gemini.EqQB","status":"completed","summary":[],"type":"reasoning"},` + called},
		"thoughts with the signature": {`{"include":["reasoning.encrypted_content"]}`, []string{event(`{"text":"hm so","thought":true}`, ""), event(aSignedCall, "STOP"), event(text("a"), "")},
			`{"encrypted_content":"gemini.EqQB",` + thought[1:] + `,` + called + `,` + message("a", "completed")},
		"thoughts without one": {`{"include":["reasoning.encrypted_content"]}`, []string{event(`{"text":"hm so","thought":true}`, ""), event(text("a"), "STOP")},
			`{"encrypted_content":null,` + thought[1:] + `,` + message("a", "completed")},
		"a custom tool": {`{}`, []string{event(`{"functionCall":{"id":"call_1","name":"sh","args":{"input":"ls \"-l\""}}}`, "STOP")},
			`{"call_id":"call_1","input":"ls \"-l\"","name":"sh","status":"completed","type":"custom_tool_call"}`},
		"a custom tool without its input": {`{}`, []string{event(`{"functionCall":{"id":"call_1","name":"sh","args":{"cmd":"ls"}}}`, "STOP")},
			`{"call_id":"call_1","input":"{\"cmd\":\"ls\"}","name":"sh","status":"completed","type":"custom_tool_call"}`},
		"code": {`{}`, []string{event(`{"executableCode":{"language":"PYTHON","code":"print(1)"}}`, ""), event(`{"codeExecutionResult":{"outcome":"OUTCOME_OK","output":"1"}},`+text("a"), "STOP")},
			ran("completed", "null") + "," + message("a", "completed")},
		"code with its output": {`{"include":["code_interpreter_call.outputs"]}`, []string{event(`{"executableCode":{"code":"print(1)"}},{"codeExecutionResult":{"outcome":"OUTCOME_FAILED","output":"no\n"}}`, "STOP")},
			ran("failed", `[{"logs":"no\n","type":"logs"}]`)},
		"code without an end": {`{}`, []string{event(`{"executableCode":{"code":"print(1)"}}`, "STOP")}, ran("incomplete", "null")},
		"an output of no code": {`{"include":["code_interpreter_call.outputs"]}`, []string{event(`{"codeExecutionResult":{"outcome":"OUTCOME_OK"}}`, "STOP")},
			strings.Replace(ran("completed", `[{"logs":"","type":"logs"}]`), "print(1)", "", 1)},
		"pictures": {`{}`, []string{event(text("see"), ""), event(`{"inlineData":{"mimeType":"image/jpeg","data":"AA=="}},{"inlineData":{"mimeType":"image/png","data":"BB=="},"thought":true}`, "STOP")},
			message("see", "completed") + `,{"output_format":"jpeg","result":"AA==","status":"completed","type":"image_generation_call"}`},
		"too long":         {`{}`, []string{event(text("a"), "MAX_TOKENS")}, message("a", "incomplete")},
		"filtered":         {`{}`, []string{event(`{"text":"hm so","thought":true},`+text("a"), ""), event("", "SAFETY")}, thought + "," + message("a", "incomplete")},
		"second candidate": {`{}`, []string{`{"candidates":[{"content":{"parts":[` + text("a") + `]}},{"content":{"parts":[` + text("b") + `]}}]}`}, message("a", "completed")},
		"nothing":          {`{}`, []string{event("", "STOP")}, ""},
		"blocked":          {`{}`, []string{`{"promptFeedback":{"blockReason":"SAFETY"}}`}, ""},
		"a call in place of its text": {`{}`, []string{event(`{"text":"","functionCall":{"id":"call_2","name":"g","args":[]}}`, "STOP")},
			`{"arguments":"{}","call_id":"call_2","name":"g","status":"completed","type":"function_call"}`},
	} {
		t.Run(name, func(t *testing.T) {
			w := encode(t, with(t, c.request, true), c.events...)
			if got := bare(t, w.items); got != "["+c.want+"]" && c.want+got != "null" {
				t.Errorf("got  %s\nwant [%s]", got, c.want)
			}
			var g gemini.Gather
			for _, data := range c.events {
				if err := g.Add([]byte(data)); err != nil {
					t.Fatal(err)
				}
			}
			out, err := with(t, c.request, false).Whole([]byte("x"), g.Append(nil))
			if err != nil || out[0] != 'x' {
				t.Fatalf("%v %s", err, out)
			}
			var r struct {
				Output []object
				Status string
			}
			if err := json.Unmarshal(out[1:], &r); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if got := bare(t, r.Output); got != "["+c.want+"]" {
				t.Errorf("as a whole\ngot  %s\nwant [%s]", got, c.want)
			}
			if r.Status != w.status {
				t.Errorf("%s as a whole, %s as a stream", r.Status, w.status)
			}
		})
	}
}

func TestSearch(t *testing.T) {
	const noted = `{"content":[{"annotations":[{"end_index":2,"start_index":0,"title":"a","type":"url_citation","url":"https://a/1"},{"end_index":4,"start_index":2,"title":"","type":"url_citation","url":"https://b/2"}],"logprobs":[],"text":"é\"xy","type":"output_text"}],"role":"assistant","status":"completed","type":"message"}`
	const found = `{"action":{"queries":["q1","q2"],"query":"q1","type":"search"},"status":"completed","type":"web_search_call"}`
	const sources = `{"action":{"queries":["q1","q2"],"query":"q1","sources":[{"type":"url","url":"https://a/1"},{"type":"url","url":"https://b/2"}],"type":"search"},"status":"completed","type":"web_search_call"}`
	grounded := strings.Replace(event(text("xy"), "STOP"), `"index"`, ground+`,"index"`, 1)
	w := encode(t, with(t, `{}`, true), event(text(`é\"`), ""), grounded)
	if got := bare(t, w.items); got != "["+noted+","+found+"]" {
		t.Errorf("behind: %s", got)
	}
	first := strings.Replace(event(text(`é\"xy`), ""), `"index"`, ground+`,"index"`, 1)
	w = encode(t, with(t, `{"include":["web_search_call.action.sources"]}`, true), first, event("", "STOP"))
	if got := bare(t, w.items); got != "["+sources+","+noted+"]" {
		t.Errorf("in front: %s", got)
	}
	out, err := with(t, `{}`, false).Whole(nil, []byte(first))
	var r struct{ Output []object }
	if err != nil || json.Unmarshal(out, &r) != nil || bare(t, r.Output) != "["+found+","+noted+"]" {
		t.Errorf("%v whole: %s", err, out)
	}
	w = encode(t, with(t, `{}`, true), strings.Replace(event(text("a"), "STOP"), `"index"`, `"groundingMetadata":{"searchEntryPoint":{}},"index"`, 1))
	if len(w.items) != 1 {
		t.Errorf("a search that was none: %v", w.items)
	}
	w = encode(t, with(t, `{}`, true), strings.Replace(event(text("a"), "STOP"), `"index"`, `"groundingMetadata":{"groundingChunks":[{"web":{"uri":"https://a"}}]},"index"`, 1))
	if got := bare(t, w.items[:1]); got != `[{"action":{"queries":[],"query":"","type":"search"},"status":"completed","type":"web_search_call"}]` {
		t.Errorf("without a query: %s", got)
	}
}

// TestCitedOnce: of two messages one has the pages.
func TestCitedOnce(t *testing.T) {
	both := strings.Replace(event(text("abc")+","+aSignedCall+","+text("abc"), "STOP"), `"index"`, ground+`,"index"`, 1)
	w := encode(t, with(t, `{}`, true), both)
	if got := strings.Count(fmt.Sprint(w.items), "url_citation"); got != 1 || len(w.items) != 4 {
		t.Errorf("%d annotations: %v", got, w.items)
	}
}

func TestTimeGoesOn(t *testing.T) {
	e := with(t, `{}`, true)
	e.o.Created = 200 // another clock
	if w := encode(t, e, event(text("a"), "STOP")); w.last["completed_at"] != 200.0 {
		t.Errorf("%v", w.last)
	}
}

func TestBlocked(t *testing.T) {
	if w := encode(t, with(t, `{}`, true), `{"promptFeedback":{"blockReason":"SAFETY"}}`); w.status != "incomplete" || fmt.Sprint(w.last["incomplete_details"]) != "map[reason:content_filter]" {
		t.Errorf("%v", w.last)
	}
}

// TestObject compares the response object, member by member.
func TestObject(t *testing.T) {
	request := "{\"instructions\":\"be\",\"metadata\":{\"a\":\n\"b\"},\"tools\":[" + gTool + "],\"tool_choice\":{\"type\":\"function\",\"name\":\"g\"},\"temperature\":0.5,\"top_p\":0.25," +
		`"max_output_tokens":9,"max_tool_calls":3,"parallel_tool_calls":false,"previous_response_id":"resp_0","reasoning":{"effort":"low"},"text":{"verbosity":"low"},"truncation":"auto","user":"u","store":false,` +
		`"top_logprobs":2,"prompt_cache_key":"k","safety_identifier":"s","input":"not this","include":[]}`
	usage := `{"usageMetadata":{"promptTokenCount":10,"toolUsePromptTokenCount":5,"cachedContentTokenCount":4,"candidatesTokenCount":2,"thoughtsTokenCount":3,"totalTokenCount":20}}`
	common := `"id":"resp_1","object":"response","created_at":100,"background":false,"error":null,"model":"假流式/gemini","prompt":null,"service_tier":"default",`
	for name, c := range map[string]struct{ request, events, want, status string }{
		"defaults": {`{}`, event(text("a"), "STOP"), common + `"status":"completed","completed_at":105,"incomplete_details":null,"usage":null,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,
			"parallel_tool_calls":true,"previous_response_id":null,"prompt_cache_key":null,"reasoning":{"effort":null,"summary":null},"safety_identifier":null,"store":true,"temperature":1.0,
			"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":[],"top_logprobs":0,"top_p":1.0,"truncation":"disabled","user":null,"metadata":{}`, "completed"},
		"all of the request": {request, event(text("a"), "MAX_TOKENS") + "\n" + usage, common + `"status":"incomplete","completed_at":null,"incomplete_details":{"reason":"max_output_tokens"},
			"usage":{"input_tokens":15,"input_tokens_details":{"cached_tokens":4,"cache_write_tokens":0},"output_tokens":5,"output_tokens_details":{"reasoning_tokens":3},"total_tokens":20},
			"instructions":"be","max_output_tokens":9,"max_tool_calls":3,"parallel_tool_calls":false,"previous_response_id":"resp_0","prompt_cache_key":"k","reasoning":{"effort":"low","summary":null},"safety_identifier":"s","store":false,
			"temperature":0.5,"text":{"format":{"type":"text"},"verbosity":"low"},"tool_choice":{"type":"function","name":"g"},"tools":[` + gTool + `],"top_logprobs":2,"top_p":0.25,"truncation":"auto","user":"u","metadata":{"a":"b"}`, "incomplete"},
		"filtered": {`{"text":null,"reasoning":{"summary":"auto"}}`, event("", "SAFETY"), common + `"status":"incomplete","completed_at":null,"incomplete_details":{"reason":"content_filter"},"usage":null,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,
			"parallel_tool_calls":true,"previous_response_id":null,"prompt_cache_key":null,"reasoning":{"effort":null,"summary":"auto"},"safety_identifier":null,"store":true,"temperature":1.0,
			"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":[],"top_logprobs":0,"top_p":1.0,"truncation":"disabled","user":null,"metadata":{}`, "incomplete"},
	} {
		t.Run(name, func(t *testing.T) {
			var want object
			if err := json.Unmarshal([]byte("{"+c.want+"}"), &want); err != nil {
				t.Fatal(err)
			}
			w := encode(t, with(t, c.request, true), strings.Split(c.events, "\n")...)
			delete(w.last, "output")
			if w.status != c.status || !reflect.DeepEqual(w.last, want) {
				t.Errorf("%s\ngot  %v\nwant %v", w.status, w.last, want)
			}
		})
	}
}

func TestErrorEndsTheStream(t *testing.T) {
	for _, c := range []struct {
		fail *apierror.Error
		code string
	}{
		{apierror.New(apierror.StreamBroken, "it \"broke\""), "server_error"},
		{apierror.New(apierror.RateLimited, "slow"), "rate_limit_exceeded"},
		{apierror.New(apierror.QuotaExhausted, "gone"), "insufficient_quota"},
		{apierror.New(apierror.BadRequest, "bad").Naming("input"), "invalid_prompt"},
	} {
		for _, begun := range []bool{false, true} {
			e := with(t, `{}`, true)
			var out []byte
			if begun {
				out, _ = e.Event(nil, []byte(event(aSignedCall+","+text("a"), "")))
			}
			out = e.Error(out, c.fail)
			w := watch(t, string(out))
			want := object{"code": c.code, "message": c.fail.Message}
			if w.status != "failed" || !reflect.DeepEqual(w.last["error"], any(want)) || len(w.items) != map[bool]int{false: 0, true: 1}[begun] {
				t.Errorf("%s %v", w.status, w.last)
			}
			more, err := e.Event(nil, []byte(event(text("a"), "")))
			if more = e.Finish(e.Error(more, c.fail)); len(more) > 0 || err != nil {
				t.Errorf("after the end: %s", more)
			}
		}
	}
	e := with(t, `{}`, true)
	if out := e.Error(e.Finish(nil), apierror.New(apierror.Internal, "x")); watch(t, string(out)).status != "completed" {
		t.Errorf("%s", out)
	}
}

func TestKeep(t *testing.T) {
	no := apierror.New(apierror.Internal, "the store is down")
	for _, fail := range []*apierror.Error{nil, no} {
		times := 0
		var response, output string
		keep := func(r, o []byte) *apierror.Error {
			times++
			response, output = string(r), string(o)
			return fail
		}
		e := with(t, `{}`, true)
		e.o.Keep = keep
		w := encode(t, e, event(text("a")+","+aSignedCall, "STOP"))
		if want := map[bool]string{true: "completed", false: "failed"}[fail == nil]; w.status != want || times != 1 {
			t.Errorf("%s, kept %d times", w.status, times)
		}
		var kept object
		if err := json.Unmarshal([]byte(response), &kept); err != nil || !reflect.DeepEqual(kept["id"], any("resp_1")) || len(kept["output"].([]any)) != 2 {
			t.Errorf("%v: %s", err, response)
		}
		e = with(t, `{}`, false)
		e.o.Keep = keep
		out, err := e.Whole([]byte("x"), []byte(event(text("a"), "STOP")))
		var list []any
		if bad := json.Unmarshal([]byte(output), &list); bad != nil || len(list) != 1 || times != 2 {
			t.Errorf("%v: %s", bad, output)
		}
		if fail == nil && (err != nil || string(out) != "x"+response) || fail != nil && (!errors.Is(err, fail) || string(out) != "x") {
			t.Errorf("%v %s", err, out)
		}
	}
}

func TestFailure(t *testing.T) {
	for want, f := range map[string]*apierror.Error{
		`{"error":{"message":"m","type":"insufficient_quota","param":null,"code":"quota_exhausted"}}`:   apierror.New(apierror.QuotaExhausted, "m"),
		`{"error":{"message":"n","type":"invalid_request_error","param":"input","code":"bad_request"}}`: apierror.New(apierror.BadRequest, "n").Naming("input"),
	} {
		if got := string(with(t, `{}`, false).Failure([]byte("x"), f)); got != "x"+want {
			t.Errorf("got %s", got)
		}
	}
	if beat := with(t, `{}`, true).Beat(); string(beat.Open) != ": ping\n\n" || beat.Joins {
		t.Errorf("%+v", beat)
	}
}

func TestIDs(t *testing.T) {
	for id, want := range map[string]string{"1": "resp_1", "resp_1": "resp_1"} {
		if e := NewEncoder(EncoderOptions{ID: id}).(*encoder); e.o.ID != want {
			t.Error(e.o.ID)
		}
	}
	w := encode(t, with(t, `{}`, true), event(`{"functionCall":{"name":"f"}},{"functionCall":{"name":"f"}}`, "STOP"))
	a, b := w.items[0]["call_id"].(string), w.items[1]["call_id"].(string)
	if a == b || !strings.HasPrefix(a, "call_") || len(a) != 37 {
		t.Errorf("%s and %s", a, b)
	}
}

func TestGarbageEvents(t *testing.T) {
	for _, data := range []string{`{`, `{"candidates":[{"content"`, `garbage`, `[]`, `5`, "",
		"{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\nb\"}]}}]}",
		"{\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{},\"thoughtSignature\":\"a\rb\"}]}}]}"} {
		e := with(t, `{}`, true)
		first, _ := e.Event(nil, []byte(event(text("a"), "")))
		out, err := e.Event([]byte("kept"), []byte(data))
		var bad *apierror.Error
		if !errors.As(err, &bad) || bad.Code != apierror.StreamBroken || string(out) != "kept" {
			t.Errorf("%q: %v, wrote %q", data, err, out)
		}
		if w := watch(t, string(e.Finish(first))); len(w.items) != 1 {
			t.Errorf("%q: %v", data, w.items)
		}
		if out, err := with(t, `{}`, false).Whole([]byte("x"), []byte(data)); err == nil && data != `[]` && data != `5` || string(out) != "x" {
			t.Errorf("%q became %s, %v", data, out, err)
		}
	}
}

// A raw line end in the text of a custom tool is no JSON; it is not believed, but cannot be seen before.
func TestLineEndInInput(t *testing.T) {
	w := encode(t, with(t, `{}`, true), event("{\"functionCall\":{\"id\":\"c\",\"name\":\"sh\",\"args\":{\"input\":\"a\nb\"}}}", "STOP"))
	if w.items[0]["input"] != "{\"input\":\"a\nb\"}" {
		t.Errorf("%q", w.items[0]["input"])
	}
}

// A line end in what Google or the client wrote between tokens must not end an event.
func TestLineEnds(t *testing.T) {
	data := "{\n \"candidates\": [\r\n{\"content\": {\"parts\": [{\"functionCall\": {\"id\": \"c\", \"name\": \"f\",\n\"args\": {\n\"a\":\r\n1}}}]},\n" + strings.ReplaceAll(ground, ",", ",\n") + "}]}"
	w := encode(t, with(t, "{\"tools\":[\n{\"type\":\n\"web_search\"}],\"reasoning\":{\n\"effort\":\n\"low\"}}", true), data)
	if w.status != "completed" || len(w.items) != 2 {
		t.Errorf("%v", w.items)
	}
}
