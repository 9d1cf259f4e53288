package openai

import (
	"strconv"

	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// delta appends one choice of a chunk, or nothing when there is nothing new.
func (e *encoder) delta(dst []byte, index int, at *wire.Cursor) []byte {
	var room [8]part
	var more beside
	c := read(at, candidate{index: index, parts: room[:0], beside: &more})
	s := e.choice(c.index)
	ends := len(c.finish) > 0 && !s.ended
	before := len(dst)
	dst = strconv.AppendInt(append(wire.Comma(dst), `{"index":`...), int64(c.index), 10)
	dst = append(dst, `,"delta":{`...)
	if !s.begun {
		dst = append(dst, `"role":"assistant"`...)
	}
	empty := len(dst)
	if c.sort(e.beside); c.has(thought, thought) {
		dst = c.appendThoughts(wire.Key(dst, "reasoning_content"))
	}
	if c.speaks() {
		dst = c.appendContent(wire.Key(dst, "content"), &s.ruler)
	}
	dst = e.rest(dst, &c, s, true)
	logprobs := wire.KindOf(more.logprobs) == wire.KindObject
	if len(dst) == empty && !ends && !logprobs {
		return dst[:before]
	}
	s.begun = true
	dst = append(dst, '}')
	if logprobs {
		dst = appendLogprobs(append(dst, `,"logprobs":`...), more.logprobs)
	}
	dst = append(dst, `,"finish_reason":`...)
	if !ends {
		return append(dst, "null}"...)
	}
	s.ended = true
	return append(e.appendFinish(dst, c.finish, s.calls > 0), '}')
}

// rest appends what stands behind the content, in a delta as in a message.
func (e *encoder) rest(dst []byte, c *candidate, s *choice, stream bool) []byte {
	if c.has(call, call) {
		dst = e.appendCalls(dst, c, stream)
	}
	if c.has(picture, picture) {
		dst = c.appendPictures(wire.Key(dst, "images"), s)
	}
	dst = s.appendAnnotations(dst, c, !stream || s.ended || len(c.finish) > 0)
	if c.beside.sign != nil { // where Google's own OpenAI layer puts it
		dst = append(wire.Key(dst, "extra_content"), `{"google":{"thought_signature":`...)
		dst = append(append(dst, c.beside.sign...), "}}"...)
	}
	return dst
}

// appendFinish appends OpenAI's word for why a candidate ended (protocol 5.4).
func (e *encoder) appendFinish(dst, reason []byte, called bool) []byte {
	word := "stop"
	switch {
	case string(reason) == "MAX_TOKENS":
		word = "length"
	case gemini.Filtered(reason):
		word = "content_filter"
	case called && e.legacy:
		word = "function_call"
	case called:
		word = "tool_calls"
	}
	return append(append(append(dst, '"'), word...), '"')
}
