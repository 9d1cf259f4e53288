package openai

import (
	"strconv"

	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// Whole appends a chat.completion.
func (e *encoder) Whole(dst, data []byte) ([]byte, error) {
	if err := wire.Check(data); err != nil {
		return dst, gemini.Broken(err)
	}
	dst = append(append(dst, e.id...), `,"object":"chat.completion"`...)
	dst = append(dst, e.tail...)
	seen := false
	var version []byte
	for c := wire.CursorOf(data); c.Member(); {
		switch string(c.Key) {
		case "candidates":
			n := 0
			for in := c.Array(); in && c.Element(); n++ {
				seen = true
				dst = e.message(dst, n, &c)
			}
		case "usageMetadata":
			e.usage.Merge(gemini.UsageOf(c.Value()))
		case "modelVersion":
			version = c.Value()
		default:
			c.Skip()
		}
	}
	if !seen { // a blocked prompt; an answer without anything was an error before it came here
		dst = append(dst, `{"index":0,"message":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":"content_filter"}`...)
	}
	e.fingerprint(version)
	dst = append(append(dst, ']'), e.stamp...)
	if e.usage != (gemini.Usage{}) {
		dst = appendUsage(dst, &e.usage)
	}
	return append(dst, '}'), nil
}

// message appends one choice of a chat.completion.
func (e *encoder) message(dst []byte, index int, at *wire.Cursor) []byte {
	var room [8]part
	var more beside
	c := read(at, candidate{index: index, parts: room[:0], beside: &more})
	c.sort(e.beside)
	s := e.choice(c.index)
	s.ruler.idle = more.grounding == nil && more.citations == nil
	dst = strconv.AppendInt(append(wire.Comma(dst), `{"index":`...), int64(c.index), 10)
	dst = append(dst, `,"message":{"role":"assistant","content":`...)
	calls := c.has(call, call)
	if calls && !c.speaks() {
		dst = append(dst, "null"...)
	} else {
		dst = c.appendContent(dst, &s.ruler)
	}
	dst = append(dst, `,"refusal":null`...)
	if c.has(thought, thought) {
		dst = c.appendThoughts(wire.Key(dst, "reasoning_content"))
	}
	dst = append(e.rest(dst, &c, s, false), `},"logprobs":`...)
	if wire.KindOf(more.logprobs) == wire.KindObject {
		dst = appendLogprobs(dst, more.logprobs)
	} else {
		dst = append(dst, "null"...)
	}
	return append(e.appendFinish(append(dst, `,"finish_reason":`...), c.finish, calls), '}')
}
