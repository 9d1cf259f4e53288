package openai

import (
	"strconv"

	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// Whole appends a chat.completion.
func (e *encoder) Whole(dst, data []byte) ([]byte, error) {
	if err := wire.Check(data); err != nil {
		return dst, broken(err)
	}
	dst = append(append(dst, e.id...), `,"object":"chat.completion"`...)
	dst = append(dst, e.tail...)
	seen := false
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
		default:
			c.Skip()
		}
	}
	if !seen { // a blocked prompt; an answer without anything was an error before it came here
		dst = append(dst, `{"index":0,"message":{"role":"assistant","content":""},"finish_reason":"content_filter"}`...)
	}
	dst = append(dst, ']')
	if e.usage != (gemini.Usage{}) {
		dst = appendUsage(dst, &e.usage)
	}
	return append(dst, '}'), nil
}

// message appends one choice of a chat.completion.
func (e *encoder) message(dst []byte, index int, at *wire.Cursor) []byte {
	var room [8]part
	c := read(at, index, room[:0])
	dst = strconv.AppendInt(append(comma(dst), `{"index":`...), int64(c.index), 10)
	dst = append(dst, `,"message":{"role":"assistant","content":`...)
	calls := c.has(call, call)
	if calls && !c.speaks() {
		dst = append(dst, "null"...)
	} else {
		dst = c.appendContent(dst)
	}
	if c.has(thought, thought) {
		dst = c.appendThoughts(key(dst, "reasoning_content"))
	}
	if calls {
		dst = e.appendCalls(key(dst, "tool_calls"), &c, false)
	}
	return append(appendFinish(append(dst, `},"finish_reason":`...), c.finish, calls), '}')
}
