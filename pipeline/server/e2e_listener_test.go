package server_test

import (
	"encoding/json"
	"strings"
	"testing"
)

// listener is a client of one language that streams.
type listener struct {
	name   string
	path   string            // MODEL is the model's place
	body   string            // MODEL, PROMPT and EXTRA are the places of what a request has
	extra  map[string]string // members by what is asked for
	read   func(h *heard, e any)
	ends   string // in the body of a whole stream only
	fail   string // an error inside a stream
	beat   string // pattern: the heartbeats of one silence
	cut    string // its word for an answer that was too long
	byWish bool   // usage comes only to whoever asks for it
}

// said is what a stream comes to.
type said struct {
	Text, Thoughts, Finish string
	Calls                  []string // name and arguments
	Pictures               []string
	Usage                  map[string]any
}

// heard is a stream as its client hears it.
type heard struct {
	said
	whole       string // text of the object that comes at the end of some
	pieces      int    // of text
	ids, models map[string]bool
}

func listeners() []listener {
	const schema = `{"type":"object","properties":{"city":{"type":"string"}}}`
	const declared = `{"functionDeclarations":[{"name":"get_weather","parameters":{"type":"OBJECT","properties":{"city":{"type":"STRING"}}}},{"name":"get_time"}]}`
	usage := `,"stream_options":{"include_usage":true}`
	native := listener{name: "sse", path: "/v1beta/models/MODEL:streamGenerateContent?alt=sse", read: hearGemini,
		body: `{"contents":[{"role":"user","parts":[{"text":PROMPT}]}]EXTRA}`, ends: `"finishReason"`, fail: `{"error":{`, beat: `data: {4}`, cut: "MAX_TOKENS",
		extra: map[string]string{"picture": "", "calls": `,"tools":[` + declared + `]`, "thoughts": `,"generationConfig":{"thinkingConfig":{"includeThoughts":true}}`}}
	array := native
	array.name, array.path, array.beat = "array", "/v1beta/models/MODEL:streamGenerateContent", `^\n{3}`
	const comments = `(: ping\n\n){3}`
	return []listener{native, array,
		{name: "chat", path: "/v1/chat/completions", read: hearChat, body: `{"model":MODEL,"stream":true,"messages":[{"role":"user","content":PROMPT}]EXTRA}`,
			ends: "data: [DONE]", fail: `data: {"error":{`, beat: comments, cut: "length", byWish: true,
			extra: map[string]string{"usage": usage, "picture": "", "thoughts": `,"reasoning_effort":"low"`, "calls": `,"tools":[{"type":"function","function":{"name":"get_weather","parameters":` +
				schema + `}},{"type":"function","function":{"name":"get_time"}}]`}},
		{name: "completions", path: "/v1/completions", read: hearCompletions, body: `{"model":MODEL,"stream":true,"prompt":PROMPT EXTRA}`,
			ends: "data: [DONE]", fail: `data: {"error":{`, beat: comments, cut: "length", byWish: true, extra: map[string]string{"usage": usage}},
		{name: "responses", path: "/v1/responses", read: hearResponses, body: `{"model":MODEL,"stream":true,"input":PROMPT EXTRA}`,
			ends: "event: response.completed", fail: "event: error\ndata: {", beat: comments, cut: "incomplete max_output_tokens",
			extra: map[string]string{"thoughts": `,"reasoning":{"effort":"low","summary":"auto"}`,
				"calls": `,"tools":[{"type":"function","name":"get_weather","parameters":` + schema + `},{"type":"function","name":"get_time","parameters":{"type":"object","properties":{}}}]`}},
		{name: "messages", path: "/v1/messages", read: hearMessages, body: `{"model":MODEL,"stream":true,"max_tokens":4096,"messages":[{"role":"user","content":PROMPT}]EXTRA}`,
			ends: "event: message_stop", fail: "event: error\ndata: {", beat: `(event: ping\ndata: {"type":"ping"}\n\n){3}`, cut: "max_tokens",
			extra: map[string]string{"thoughts": `,"thinking":{"type":"enabled","budget_tokens":1024}`,
				"calls": `,"tools":[{"name":"get_weather","input_schema":` + schema + `},{"name":"get_time","input_schema":{"type":"object","properties":{}}}]`}},
	}
}

func (l listener) http(model, prompt, extra string) (path, body string) {
	return strings.ReplaceAll(l.path, "MODEL", model), strings.NewReplacer("MODEL", quoted(model), "PROMPT", quoted(prompt), "EXTRA", extra).Replace(l.body)
}

func (l listener) post(g *gateway, model, prompt, extra string) reply {
	g.t.Helper()
	path, body := l.http(model, prompt, extra)
	return g.post(path, body)
}

// ask reads a whole stream.
func (l listener) ask(t *testing.T, g *gateway, model, prompt, extra string) heard {
	t.Helper()
	r := l.post(g, model, prompt, extra)
	if r.status != 200 || r.broken != nil || strings.Contains(string(r.body), l.fail) {
		t.Errorf("%s: %d %s", l.name, r.status, tail(string(r.body)))
	}
	return l.understand(t, r)
}

func (l listener) understand(t *testing.T, r reply) heard {
	t.Helper()
	h := heard{ids: map[string]bool{}, models: map[string]bool{}}
	var events []string
	if l.name == "array" {
		var all []json.RawMessage
		if err := json.Unmarshal(r.body, &all); err != nil {
			t.Errorf("%v in %s", err, tail(string(r.body)))
		}
		for _, e := range all {
			events = append(events, string(e))
		}
	} else {
		for line := range strings.Lines(string(r.body)) {
			if data, ok := strings.CutPrefix(line, "data: "); ok && data != "[DONE]\n" {
				events = append(events, data)
			}
		}
	}
	for _, text := range events {
		var e any
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			t.Fatalf("%v in %q", err, tail(text))
		}
		l.read(&h, e)
	}
	return h
}

// dig goes down by names and places.
func dig(v any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			if l, _ := v.([]any); p < len(l) {
				v = l[p]
			} else {
				v = nil
			}
		}
	}
	return v
}

func textAt(v any, path ...any) string {
	s, _ := dig(v, path...).(string)
	return s
}

func itemsAt(v any, path ...any) []any {
	l, _ := dig(v, path...).([]any)
	return l
}

func (h *heard) say(text string) {
	if h.Text += text; text != "" {
		h.pieces++
	}
}

// from notes who says that it speaks.
func (h *heard) from(v any, id, model string) {
	h.ids[textAt(v, id)], h.models[textAt(v, model)] = true, true
}

func (h *heard) end(finish string, usage any) {
	if finish != "" {
		h.Finish = finish
	}
	if u, ok := usage.(map[string]any); ok {
		h.Usage = u
	}
}

func hearChat(h *heard, e any) {
	h.from(e, "id", "model")
	delta := dig(e, "choices", 0, "delta")
	h.say(textAt(delta, "content"))
	h.Thoughts += textAt(delta, "reasoning_content")
	for _, c := range itemsAt(delta, "tool_calls") {
		if name := textAt(c, "function", "name"); name != "" {
			h.Calls = append(h.Calls, name+" ")
		}
		h.Calls[int(dig(c, "index").(float64))] += textAt(c, "function", "arguments")
	}
	h.end(textAt(e, "choices", 0, "finish_reason"), dig(e, "usage"))
}

func hearCompletions(h *heard, e any) {
	h.from(e, "id", "model")
	h.say(textAt(e, "choices", 0, "text"))
	h.end(textAt(e, "choices", 0, "finish_reason"), dig(e, "usage"))
}

func hearResponses(h *heard, e any) {
	if r := dig(e, "response"); r != nil {
		h.from(r, "id", "model")
	}
	switch textAt(e, "type") {
	case "response.output_text.delta":
		h.say(textAt(e, "delta"))
	case "response.reasoning_summary_text.delta":
		h.Thoughts += textAt(e, "delta")
	case "response.output_item.done":
		if textAt(e, "item", "type") == "function_call" {
			h.Calls = append(h.Calls, textAt(e, "item", "name")+" "+textAt(e, "item", "arguments"))
		}
	case "response.completed", "response.incomplete":
		r := dig(e, "response")
		h.end(strings.TrimSpace(textAt(r, "status")+" "+textAt(r, "incomplete_details", "reason")), dig(r, "usage"))
		for _, item := range itemsAt(r, "output") {
			for _, c := range itemsAt(item, "content") {
				h.whole += textAt(c, "text")
			}
		}
	}
}

func hearMessages(h *heard, e any) {
	switch textAt(e, "type") {
	case "message_start":
		h.from(dig(e, "message"), "id", "model")
	case "content_block_start":
		if textAt(e, "content_block", "type") == "tool_use" {
			h.Calls = append(h.Calls, textAt(e, "content_block", "name")+" ")
		}
	case "content_block_delta":
		h.say(textAt(e, "delta", "text"))
		h.Thoughts += textAt(e, "delta", "thinking")
		if more := textAt(e, "delta", "partial_json"); more != "" {
			h.Calls[len(h.Calls)-1] += more
		}
	case "message_delta":
		h.end(textAt(e, "delta", "stop_reason"), dig(e, "usage"))
	}
}

func hearGemini(h *heard, e any) {
	h.from(e, "responseId", "modelVersion")
	for _, p := range itemsAt(e, "candidates", 0, "content", "parts") {
		switch {
		case dig(p, "thought") == true:
			h.Thoughts += textAt(p, "text")
		default:
			h.say(textAt(p, "text"))
		}
		if c := dig(p, "functionCall"); c != nil {
			args, _ := json.Marshal(dig(c, "args"))
			h.Calls = append(h.Calls, textAt(c, "name")+" "+string(args))
		}
		if data := textAt(p, "inlineData", "data"); data != "" {
			h.Pictures = append(h.Pictures, data)
		}
	}
	h.end(textAt(e, "candidates", 0, "finishReason"), dig(e, "usageMetadata"))
}
