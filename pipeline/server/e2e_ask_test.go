package server_test

import (
	"encoding/json"
	"strings"
	"testing"
)

// ask is one way to put a prompt to the gateway; the answer is read back the same way.
type ask struct {
	name   string
	gemini bool
	stream bool
	array  bool // Gemini's stream without alt=sse
	fake   bool // the stream is a fake one
}

func asks() []ask {
	return []ask{{name: "openai"}, {name: "openai stream", stream: true}, {name: "gemini", gemini: true}, {name: "gemini stream", gemini: true, stream: true}}
}

const flash = "gemini-2.5-flash"

// put asks with one user message.
func (g *gateway) put(a ask, prompt string) reply {
	g.t.Helper()
	path, body := a.http(flash, prompt)
	return g.post(path, body)
}

func (a ask) http(model, prompt string) (path, body string) {
	if a.fake {
		model = "假流式/" + model
	}
	switch {
	case !a.gemini && a.stream:
		return "/v1/chat/completions", `{"model":"` + model + `","stream":true,"messages":[{"role":"user","content":` + quoted(prompt) + `}]}`
	case !a.gemini:
		return "/v1/chat/completions", `{"model":"` + model + `","messages":[{"role":"user","content":` + quoted(prompt) + `}]}`
	case a.array:
		path = ":streamGenerateContent"
	case a.stream:
		path = ":streamGenerateContent?alt=sse"
	default:
		path = ":generateContent"
	}
	return "/v1beta/models/" + model + path, `{"contents":[{"role":"user","parts":[{"text":` + quoted(prompt) + `}]}]}`
}

// told is an answer as its client understands it.
type told struct {
	text   string
	finish string
	whole  bool // ended as an answer of this format ends
	fail   *envelope
	events int
}

// openAIReply and geminiReply are as much of the two formats as the tests look at.
type openAIReply struct {
	Choices []struct {
		Message, Delta struct {
			Content string
		}
		FinishReason string `json:"finish_reason"`
	}
}

type geminiReply struct {
	Candidates []struct {
		Content struct {
			Parts []struct {
				Text    string
				Thought bool
			}
		}
		FinishReason string
	}
	PromptFeedback *struct{ BlockReason string }
}

// understand reads a reply strictly: whatever the format does not allow fails the test.
func understand(t testing.TB, a ask, r reply) (out told) {
	t.Helper()
	switch {
	case !a.stream:
		out.add(t, a, r.body)
		out.whole = out.fail == nil
	case a.array:
		var list []json.RawMessage
		if err := json.Unmarshal(r.body, &list); err != nil {
			t.Errorf("not a JSON array: %v in %q", err, r.body)
		}
		for _, e := range list {
			out.add(t, a, e)
		}
		out.whole = out.fail == nil && out.finish != ""
	default:
		out.events4(t, a, string(r.body))
	}
	return out
}

// events4 reads server-sent events.
func (o *told) events4(t testing.TB, a ask, body string) {
	t.Helper()
	body = strings.ReplaceAll(body, "\r\n", "\n")
	rest, ok := strings.CutSuffix(body, "\n\n")
	if !ok {
		t.Errorf("the stream does not end with a blank line: %q", tail(body))
	}
	done := false
	for _, e := range strings.Split(rest, "\n\n") {
		if strings.HasPrefix(e, ":") && !a.gemini {
			continue // a comment: a heartbeat
		}
		data, ok := strings.CutPrefix(e, "data: ")
		switch {
		case !ok || strings.Contains(data, "\n"):
			t.Errorf("not an event of one data line: %q", e)
		case done || o.fail != nil:
			t.Errorf("%q after the end", e)
		case data == "[DONE]" && !a.gemini:
			done = true
		default:
			o.add(t, a, []byte(data))
		}
	}
	o.whole = o.fail == nil && (done || a.gemini) && o.finish != ""
	if done && o.finish == "" {
		t.Error("[DONE] without a finish reason")
	}
}

func (o *told) add(t testing.TB, a ask, data []byte) {
	t.Helper()
	o.events++
	if strings.HasPrefix(strings.TrimSpace(string(data)), `{"error":`) {
		o.fail = &envelope{}
		if err := json.Unmarshal(data, o.fail); err != nil || o.fail.Error.Message == "" {
			t.Errorf("not an error envelope: %v in %q", err, tail(string(data)))
		}
		return
	}
	var err error
	if a.gemini {
		err = o.gemini(data)
	} else {
		err = o.openAI(data)
	}
	if err != nil {
		t.Errorf("%v in %q", err, tail(string(data)))
	}
}

func (o *told) openAI(data []byte) error {
	var r openAIReply
	err := json.Unmarshal(data, &r)
	for _, c := range r.Choices {
		o.text += c.Message.Content + c.Delta.Content
		if c.FinishReason != "" {
			o.finish = c.FinishReason
		}
	}
	return err
}

func (o *told) gemini(data []byte) error {
	var r geminiReply
	err := json.Unmarshal(data, &r)
	for _, c := range r.Candidates {
		for _, p := range c.Content.Parts {
			if !p.Thought {
				o.text += p.Text
			}
		}
		if c.FinishReason != "" {
			o.finish = c.FinishReason
		}
	}
	if r.PromptFeedback != nil {
		o.finish = r.PromptFeedback.BlockReason
	}
	return err
}

// reason is the stable word of an error in either format, and its HTTP status where it says one.
func (e *envelope) reason(a ask) (word string, status int) {
	if !a.gemini {
		word, _ = e.Error.Code.(string)
		return word, 0
	}
	n, _ := e.Error.Code.(float64)
	for _, d := range e.Error.Details {
		if d.Reason != "" {
			word = d.Reason
		}
	}
	return word, int(n)
}

func tail(s string) string {
	if len(s) > 400 {
		return "..." + s[len(s)-400:]
	}
	return s
}
