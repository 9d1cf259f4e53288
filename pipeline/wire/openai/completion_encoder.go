package openai

import (
	"bytes"
	"strconv"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// CompletionOptions is what every piece of a legacy completion repeats, and what the client asked for.
type CompletionOptions struct {
	ID           string // not the same for two answers; "cmpl-" is put before it
	Model        string // as the client wrote it
	Created      int64  // seconds since 1970
	IncludeUsage bool   // CompletionRequest.IncludeUsage
	Echo         []byte // CompletionRequest.Echo, kept until the answer has begun
}

// NewCompletionEncoder makes the encoder for one answer in the form of legacy completions:
// text_completion objects with one choice, in a stream as well as in one piece. What is said of
// NewEncoder holds here. There is no place for thoughts, which are left out; pictures come as Markdown
// with a data URL. Of several candidates the first is given.
func NewCompletionEncoder(o CompletionOptions) wire.Encoder {
	b := append(make([]byte, 0, 192), dataOpen...)
	b = wire.AppendQuoted(append(b, `{"id":`...), "cmpl-"+o.ID)
	b = strconv.AppendInt(append(b, `,"object":"text_completion","created":`...), o.Created, 10)
	b = wire.AppendQuoted(append(b, `,"model":`...), o.Model)
	b = append(b, `,"choices":[`...)
	return &completer{head: b, echo: o.Echo, usageAsked: o.IncludeUsage}
}

const dataOpen = "data: "

type completer struct {
	head       []byte // a piece up to its choices
	echo       []byte // nil once it was said
	usageAsked bool
	ended      bool // the finish reason was sent
	failed     bool
	usage      gemini.Usage
}

// Event appends a piece, or nothing when there is nothing new.
func (e *completer) Event(dst, data []byte) ([]byte, error) {
	begin := len(dst)
	dst = append(dst, e.head...)
	said := len(dst)
	dst, s, ok := e.choice(dst, data)
	if !ok {
		return dst[:begin], gemini.Broken(nil)
	}
	// What was copied is not checked whole; but nothing may break the lines of the stream.
	if fresh := dst[said:]; bytes.IndexByte(fresh, '\n') >= 0 || bytes.IndexByte(fresh, '\r') >= 0 {
		return dst[:begin], gemini.Broken(nil)
	}
	finish := s.finish
	if s.blocked && !s.candidate {
		finish = blockedPrompt()
	}
	if e.ended {
		finish = nil
	}
	if !s.speaks && finish == nil {
		return dst[:begin], nil
	}
	e.echo = nil
	dst = append(dst, choiceTail...)
	if finish == nil {
		dst = append(dst, "null}"...)
	} else {
		e.ended = true
		dst = append(appendEnd(dst, finish), '}')
	}
	if e.usageAsked {
		return append(dst, "],\"usage\":null}\n\n"...), nil
	}
	return append(dst, "]}\n\n"...), nil
}

// choiceTail is what stands between the text of a choice and its finish reason.
const choiceTail = `","index":0,"logprobs":null,"finish_reason":`

// appendEnd appends the word for why the answer ended.
func appendEnd(dst, finish []byte) []byte {
	switch {
	case string(finish) == "MAX_TOKENS":
		return append(dst, `"length"`...)
	case gemini.Filtered(finish):
		return append(dst, `"content_filter"`...)
	}
	return append(dst, `"stop"`...)
}

// blockedPrompt is a finish reason that stands for a prompt without candidates.
func blockedPrompt() []byte { return []byte("PROHIBITED_CONTENT") }

// outline is what an event says beside its text.
type outline struct {
	candidate bool // there is one
	speaks    bool // it has a text
	blocked   bool
	finish    []byte
}

// choice appends a choice up to the text inside its quotes. False when the event is no JSON.
func (e *completer) choice(dst, data []byte) (out []byte, s outline, ok bool) {
	dst = append(append(dst, `{"text":"`...), e.echo...)
	empty := len(dst)
	c := wire.CursorOf(data)
	for c.Member() {
		switch string(c.Key) {
		case "candidates":
			for in := c.Array(); in && c.Element(); {
				if s.candidate {
					c.Skip()
					continue
				}
				s.candidate = true
				dst, s.finish = appendSaid(dst, &c)
			}
		case "usageMetadata":
			e.usage.Merge(gemini.UsageOf(c.Value()))
		case "promptFeedback":
			s.blocked = wire.Get(c.Value(), "blockReason") != nil
		default:
			c.Skip()
		}
	}
	s.speaks = len(dst) > empty
	return dst, s, !c.Broken()
}

// appendSaid appends what the candidate that the cursor stands on says, as it was written.
func appendSaid(dst []byte, c *wire.Cursor) (out, finish []byte) {
	for in := c.Object(); in && c.Member(); {
		switch string(c.Key) {
		case "finishReason":
			if word, _ := wire.Inside(c.Value()); len(word) > 0 {
				finish = word
			}
		case "content":
			for in := c.Object(); in && gemini.IntoParts(c); {
				for c.Element() {
					dst = appendShown(dst, c.Value())
				}
			}
		default:
			c.Skip()
		}
	}
	return dst, finish
}

// appendShown appends what there is to show of a part, inside of a string.
func appendShown(dst, part []byte) []byte {
	p := gemini.PartOf(part)
	if p.Thought {
		return dst
	}
	if inner, ok := wire.Inside(p.Text); ok {
		dst = append(dst, inner...)
	}
	if b := gemini.InlinedOf(p.InlineData); len(b.Data) > 0 {
		dst = append(b.AppendURL(append(dst, "![image]("...)), ')')
	}
	return dst
}

// Whole appends a text_completion.
func (e *completer) Whole(dst, data []byte) ([]byte, error) {
	if err := wire.Check(data); err != nil {
		return dst, gemini.Broken(err)
	}
	begin := len(dst)
	dst, s, ok := e.choice(append(dst, e.head[len(dataOpen):]...), data)
	if !ok { // a list or the like
		return dst[:begin], gemini.Broken(nil)
	}
	if !s.candidate { // a blocked prompt; an answer without anything was an error before it came here
		s.finish = blockedPrompt()
	}
	dst = append(appendEnd(append(dst, choiceTail...), s.finish), "}]"...)
	if e.usage != (gemini.Usage{}) {
		dst = appendUsage(dst, &e.usage)
	}
	return append(dst, '}'), nil
}

// Error appends the error as the last event.
func (e *completer) Error(dst []byte, f *apierror.Error) []byte {
	e.failed = true
	return append(AppendError(append(dst, dataOpen...), f), "\n\n"...)
}

// Finish appends the usage, when it was asked for and Google told, and the end mark.
func (e *completer) Finish(dst []byte) []byte {
	if e.failed {
		return dst
	}
	if e.usageAsked && e.usage != (gemini.Usage{}) {
		dst = appendUsage(append(append(dst, e.head...), ']'), &e.usage)
		dst = append(dst, "}\n\n"...)
	}
	return append(dst, "data: [DONE]\n\n"...)
}

// Failure appends the error envelope.
func (e *completer) Failure(dst []byte, f *apierror.Error) []byte { return AppendError(dst, f) }

// Beat is a comment, which OpenAI's clients skip.
func (e *completer) Beat() wire.Beat { return wire.Heartbeat(wire.Completions, false) }
