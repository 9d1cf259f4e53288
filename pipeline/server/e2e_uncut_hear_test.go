package server_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// hearer asks for a stream in one language and reads it to the byte. Whatever the language allows
// once is counted, so that a seam that shows fails the test.
type hearer struct {
	name   string
	path   func(model string) string
	body   func(model, prompt string) map[string]any
	read   func(h *hearing, event string, data []byte) error
	finish map[string]string // its words for Google's finish reasons
}

// hearing is a stream as its client understands it.
type hearing struct {
	text, thoughts string
	finish         []string // every finish reason
	begins, ends   int      // first and last events: role, message_start; [DONE], message_stop
	calls          []string
	fail           string // the code of an error
	usage          heardUsage
	whole          string // the text as the last event repeats it, where one does
	blocks         int    // open blocks or items
}

// heardUsage is the last count of each kind. Thoughts are part of reply except in Gemini's own format.
type heardUsage struct{ prompt, reply, thoughts, total int }

func hearers() []hearer {
	gemini := hearer{name: "gemini", body: geminiAsks, read: intoGemini,
		path: func(model string) string { return "/v1beta/models/" + model + ":streamGenerateContent?alt=sse" }}
	array := gemini
	array.name, array.path = "array", func(model string) string { return "/v1beta/models/" + model + ":streamGenerateContent" }
	fixed := func(path string) func(string) string { return func(string) string { return path } }
	return []hearer{
		{name: "openai", path: fixed("/v1/chat/completions"), read: intoChat,
			finish: map[string]string{"STOP": "stop", "MAX_TOKENS": "length", "SAFETY": "content_filter", "RECITATION": "content_filter", "PROHIBITED_CONTENT": "content_filter", "call": "tool_calls"},
			body: func(model, prompt string) map[string]any {
				return object("model", model, "stream", true, "stream_options", object("include_usage", true), "messages", []any{object("role", "user", "content", prompt)})
			}},
		gemini, array,
		{name: "anthropic", path: fixed("/v1/messages"), read: intoMessages,
			finish: map[string]string{"STOP": "end_turn", "MAX_TOKENS": "max_tokens", "SAFETY": "refusal", "RECITATION": "refusal", "PROHIBITED_CONTENT": "refusal", "call": "tool_use"},
			body: func(model, prompt string) map[string]any {
				return object("model", model, "stream", true, "max_tokens", 60000, "messages", []any{object("role", "user", "content", prompt)})
			}},
		{name: "responses", path: fixed("/v1/responses"), read: intoResponses,
			finish: map[string]string{"STOP": "completed", "MAX_TOKENS": "incomplete", "SAFETY": "incomplete", "RECITATION": "incomplete", "PROHIBITED_CONTENT": "incomplete", "call": "completed"},
			body: func(model, prompt string) map[string]any {
				return object("model", model, "stream", true, "input", prompt)
			}},
	}
}

func geminiAsks(_, prompt string) map[string]any {
	return object("contents", []any{object("role", "user", "parts", []any{object("text", prompt)})})
}

// finished is the hearer's word for one of Google's finish reasons.
func (h hearer) finished(google string) string {
	if word, ok := h.finish[google]; ok {
		return word
	}
	if google == "call" {
		return "STOP"
	}
	return google
}

// ask puts a prompt, with changes to the body, and reads the answer.
func (h hearer) ask(t testing.TB, g *gateway, model, prompt string, change ...func(map[string]any)) (hearing, reply) {
	t.Helper()
	body := h.body(model, prompt)
	for _, f := range change {
		f(body)
	}
	data, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r := g.post(h.path(model), string(data))
	return h.hear(t, r), r
}

// hear reads a stream; what is no stream has only fail.
func (h hearer) hear(t testing.TB, r reply) (out hearing) {
	t.Helper()
	if r.broken != nil {
		t.Errorf("%s: the stream breaks: %v", h.name, r.broken)
	}
	if r.status != 200 {
		out.fail = failure(r.body)
		return out
	}
	if h.name == "array" {
		var list []json.RawMessage
		if err := json.Unmarshal(r.body, &list); err != nil {
			t.Errorf("not a JSON array: %v in %q", err, tail(string(r.body)))
		}
		for _, e := range list {
			if err := h.read(&out, "", e); err != nil {
				t.Errorf("%s: %v in %q", h.name, err, tail(string(e)))
			}
		}
		return out
	}
	rest, ok := strings.CutSuffix(strings.ReplaceAll(string(r.body), "\r\n", "\n"), "\n\n")
	if !ok {
		t.Errorf("%s: no blank line at the end: %q", h.name, tail(rest))
	}
	for _, block := range strings.Split(rest, "\n\n") {
		kind := ""
		if line, after, ok := strings.Cut(block, "\n"); ok && strings.HasPrefix(line, "event: ") {
			kind, block = strings.TrimPrefix(line, "event: "), after
		}
		data, ok := strings.CutPrefix(block, "data: ")
		if strings.HasPrefix(block, ": ") { // a heartbeat
			continue
		}
		if !ok || strings.Contains(data, "\n") {
			t.Errorf("%s: not an event: %q", h.name, tail(block))
			continue
		}
		if out.ends > 0 || out.fail != "" && kind != "response.failed" {
			t.Errorf("%s: %q behind the end", h.name, tail(block))
		}
		if err := h.read(&out, kind, []byte(data)); err != nil {
			t.Errorf("%s: %v in %q", h.name, err, tail(block))
		}
	}
	return out
}

// failure is the code or type of an error envelope in any language, "" for none.
func failure(data []byte) string {
	var e struct {
		Error *struct {
			Type, Status string
			Code         any
			Details      []struct{ Reason string }
		}
	}
	if json.Unmarshal(data, &e) != nil || e.Error == nil {
		return ""
	}
	for _, d := range e.Error.Details {
		if d.Reason != "" {
			return d.Reason
		}
	}
	if word, ok := e.Error.Code.(string); ok && word != "" {
		return word
	}
	return e.Error.Type + e.Error.Status
}

func intoChat(h *hearing, _ string, data []byte) error {
	if string(data) == "[DONE]" {
		h.ends++
		return nil
	}
	if h.fail = failure(data); h.fail != "" {
		return nil
	}
	var e struct {
		Choices []struct {
			Delta struct {
				Role, Content string
				Reasoning     string `json:"reasoning_content"`
				ToolCalls     []struct {
					Function struct{ Name string }
				} `json:"tool_calls"`
			}
			FinishReason string `json:"finish_reason"`
		}
		Usage *struct {
			Prompt     int `json:"prompt_tokens"`
			Completion int `json:"completion_tokens"`
			Total      int `json:"total_tokens"`
			Details    struct {
				Reasoning int `json:"reasoning_tokens"`
			} `json:"completion_tokens_details"`
		}
	}
	if err := json.Unmarshal(data, &e); err != nil {
		return err
	}
	for _, c := range e.Choices {
		if len(h.finish) > 0 {
			return fmt.Errorf("a choice behind the finish reason")
		}
		if c.Delta.Role != "" {
			h.begins++
		}
		h.text += c.Delta.Content
		h.thoughts += c.Delta.Reasoning
		for _, call := range c.Delta.ToolCalls {
			if call.Function.Name != "" {
				h.calls = append(h.calls, call.Function.Name)
			}
		}
		if c.FinishReason != "" {
			h.finish = append(h.finish, c.FinishReason)
		}
	}
	if u := e.Usage; u != nil {
		if h.usage != (heardUsage{}) {
			return fmt.Errorf("usage comes twice")
		}
		h.usage = heardUsage{u.Prompt, u.Completion, u.Details.Reasoning, u.Total}
	}
	return nil
}

func intoGemini(h *hearing, _ string, data []byte) error {
	if h.fail = failure(data); h.fail != "" {
		return nil
	}
	var e struct {
		Candidates []struct {
			Content struct {
				Parts []struct {
					Text         string
					Thought      bool
					FunctionCall *struct{ Name string }
				}
			}
			FinishReason string
		}
		UsageMetadata struct{ PromptTokenCount, CandidatesTokenCount, ThoughtsTokenCount, TotalTokenCount int }
	}
	if err := json.Unmarshal(data, &e); err != nil {
		return err
	}
	h.begins = 1
	for _, c := range e.Candidates {
		if len(h.finish) > 0 {
			return fmt.Errorf("a candidate behind the finish reason")
		}
		for _, p := range c.Content.Parts {
			switch {
			case p.Thought:
				h.thoughts += p.Text
			case p.FunctionCall != nil:
				h.calls = append(h.calls, p.FunctionCall.Name)
			default:
				h.text += p.Text
			}
		}
		if c.FinishReason != "" {
			h.finish = append(h.finish, c.FinishReason)
			h.ends++
		}
	}
	if u := e.UsageMetadata; u.TotalTokenCount > 0 {
		h.usage = heardUsage{u.PromptTokenCount, u.CandidatesTokenCount, u.ThoughtsTokenCount, u.TotalTokenCount}
	}
	return nil
}

func intoMessages(h *hearing, kind string, data []byte) error {
	var e struct {
		Type         string
		ContentBlock struct{ Type, Name, Text string } `json:"content_block"`
		Delta        struct {
			Type, Text, Thinking string
			StopReason           string `json:"stop_reason"`
		}
		Usage struct {
			Input  int `json:"input_tokens"`
			Output int `json:"output_tokens"`
		}
	}
	if err := json.Unmarshal(data, &e); err != nil || e.Type != kind {
		return fmt.Errorf("event %q: %w", kind, err)
	}
	switch kind {
	case "message_start":
		h.begins++
	case "content_block_start":
		if h.blocks++; e.ContentBlock.Type == "tool_use" {
			h.calls = append(h.calls, e.ContentBlock.Name)
		}
		h.text += e.ContentBlock.Text
	case "content_block_stop":
		h.blocks--
	case "content_block_delta":
		h.text += e.Delta.Text
		h.thoughts += e.Delta.Thinking
	case "message_delta":
		h.finish = append(h.finish, e.Delta.StopReason)
		h.usage = heardUsage{prompt: e.Usage.Input, reply: e.Usage.Output, total: e.Usage.Input + e.Usage.Output}
	case "message_stop":
		h.ends++
	case "error":
		h.fail = failure(data)
	case "ping":
	default:
		return fmt.Errorf("unknown event %q", kind)
	}
	return nil
}

func intoResponses(h *hearing, kind string, data []byte) error {
	var e struct {
		Type, Delta, Text string
		Item              struct{ Type, Name string }
		Response          struct {
			Status string
			Output []struct {
				Type    string
				Content []struct{ Text string }
			}
			Usage struct {
				Input  int `json:"input_tokens"`
				Output int `json:"output_tokens"`
				Total  int `json:"total_tokens"`
			}
		}
	}
	if err := json.Unmarshal(data, &e); err != nil || e.Type != kind {
		return fmt.Errorf("event %q: %w", kind, err)
	}
	switch kind {
	case "response.created":
		h.begins++
	case "response.output_text.delta":
		h.text += e.Delta
	case "response.reasoning_summary_text.delta":
		h.thoughts += e.Delta
	case "response.output_text.done":
		h.whole += e.Text
	case "response.output_item.added":
		if h.blocks++; e.Item.Type == "function_call" {
			h.calls = append(h.calls, e.Item.Name)
		}
	case "response.output_item.done":
		h.blocks--
	case "response.completed", "response.incomplete":
		h.ends++
		h.finish = append(h.finish, e.Response.Status)
		u := e.Response.Usage
		h.usage = heardUsage{prompt: u.Input, reply: u.Output, total: u.Total}
		text := ""
		for _, o := range e.Response.Output {
			for _, c := range o.Content {
				if o.Type == "message" {
					text += c.Text
				}
			}
		}
		if text != h.whole {
			return fmt.Errorf("the last event has %q, the items had %q", tail(text), tail(h.whole))
		}
	case "error", "response.failed":
		if h.fail = failure(data); h.fail == "" {
			var flat struct{ Code string }
			_ = json.Unmarshal(data, &flat)
			h.fail = "error " + flat.Code
		}
	}
	return nil
}

// must checks what holds for every stream that ends well: one beginning, one end, one finish reason.
func (o hearing) must(t testing.TB, h hearer, finish string) {
	t.Helper()
	if !slices.Equal(o.finish, []string{h.finished(finish)}) || o.begins != 1 || o.ends != 1 || o.blocks != 0 || o.fail != "" {
		t.Errorf("%s: finish reasons %q (want %s), %d beginnings, %d ends, %d open blocks, error %q", h.name, o.finish, h.finished(finish), o.begins, o.ends, o.blocks, o.fail)
	}
	if h.name == "responses" && o.whole != o.text {
		t.Errorf("the pieces are %q, the whole is %q", tail(o.text), tail(o.whole))
	}
}
