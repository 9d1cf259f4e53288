package openai

import (
	"strconv"

	"gcli2api/pipeline/wire"
)

// candidate is what one says, by kind; its slices are parts of the event.
type candidate struct {
	index  int
	finish []byte
	parts  []part
}

type part struct {
	kind  kind
	value []byte // inside of a text, or the raw object
	sign  []byte // thoughtSignature
}

type kind uint8

const (
	text kind = iota
	thought
	blob
	code
	result
	call
)

// read takes the candidate apart that the cursor stands on. parts is room for its parts.
func read(c *wire.Cursor, index int, parts []part) candidate {
	out := candidate{index: index, parts: parts}
	for in := c.Object(); in && c.Member(); {
		switch string(c.Key) {
		case "index":
			if n, ok := wire.Int(c.Value()); ok && n >= 0 && n < mostChoices {
				out.index = int(n)
			}
		case "finishReason":
			out.finish, _ = inside(c.Value())
		case "content":
			for in := c.Object(); in && c.Member(); {
				if string(c.Key) != "parts" {
					c.Skip()
					continue
				}
				for in := c.Array(); in && c.Element(); {
					if p, ok := readPart(c); ok {
						out.parts = append(out.parts, p)
					}
				}
			}
		default:
			c.Skip()
		}
	}
	out.index = min(out.index, mostChoices-1)
	return out
}

// readPart tells with false that there is nothing in the part for a client.
func readPart(c *wire.Cursor) (p part, ok bool) {
	hidden := false
	for in := c.Object(); in && c.Member(); {
		kind := text
		switch string(c.Key) {
		case "text":
			if ok && p.kind != text { // an empty text beside a call does not hide it
				c.Skip()
				continue
			}
		case "inlineData":
			kind = blob
		case "executableCode":
			kind = code
		case "codeExecutionResult":
			kind = result
		case "functionCall":
			kind = call
		case "thought":
			hidden, _ = wire.Bool(c.Value())
			continue
		case "thoughtSignature":
			p.sign = c.Value()
			continue
		default:
			c.Skip()
			continue
		}
		p.kind, p.value, ok = kind, c.Value(), true
	}
	if p.kind == text {
		p.value, ok = inside(p.value)
		if hidden {
			p.kind = thought
		}
		return p, ok && len(p.value) > 0
	}
	// Drafts of pictures are no part of the answer, and too large for a thought.
	return p, ok && (!hidden || p.kind == call)
}

// has tells whether a part of these kinds is there.
func (c *candidate) has(from, to kind) bool {
	for i := range c.parts {
		if k := c.parts[i].kind; k >= from && k <= to {
			return true
		}
	}
	return false
}

// speaks tells whether there is content to show.
func (c *candidate) speaks() bool { return c.has(text, text) || c.has(blob, result) }

// delta appends one choice of a chunk, or nothing when there is nothing new.
func (e *encoder) delta(dst []byte, index int, at *wire.Cursor) []byte {
	var room [8]part
	c := read(at, index, room[:0])
	s := e.choice(c.index)
	ends := len(c.finish) > 0 && !s.ended
	if len(c.parts) == 0 && !ends {
		return dst
	}
	dst = strconv.AppendInt(append(comma(dst), `{"index":`...), int64(c.index), 10)
	dst = append(dst, `,"delta":{`...)
	if !s.begun {
		s.begun = true
		dst = append(dst, `"role":"assistant"`...)
	}
	if c.has(thought, thought) {
		dst = c.appendThoughts(key(dst, "reasoning_content"))
	}
	if c.speaks() {
		dst = c.appendContent(key(dst, "content"))
	}
	if c.has(call, call) {
		dst = e.appendCalls(key(dst, "tool_calls"), &c, true)
	}
	dst = append(dst, `},"finish_reason":`...)
	if !ends {
		return append(dst, "null}"...)
	}
	s.ended = true
	return append(appendFinish(dst, c.finish, s.calls > 0), '}')
}

func (c *candidate) appendThoughts(dst []byte) []byte {
	dst = append(dst, '"')
	for i := range c.parts {
		if c.parts[i].kind == thought {
			dst = append(dst, c.parts[i].value...)
		}
	}
	return append(dst, '"')
}

// appendContent appends all that is shown as one string. Texts are joined as they were written.
func (c *candidate) appendContent(dst []byte) []byte {
	dst = append(dst, '"')
	for i := range c.parts {
		switch p := &c.parts[i]; p.kind {
		case text:
			dst = append(dst, p.value...)
		case blob:
			dst = appendPicture(dst, p.value)
		case code:
			dst = appendCode(dst, p.value)
		case result:
			dst = appendResult(dst, p.value)
		}
	}
	return append(dst, '"')
}

// appendPicture appends the inside of a string: Markdown with a data URL.
func appendPicture(dst, v []byte) []byte {
	var mime, data []byte
	for o := wire.ObjectOf(v); o.Next(); {
		switch string(o.Key) {
		case "mimeType":
			mime, _ = inside(o.Value)
		case "data":
			data, _ = inside(o.Value)
		}
	}
	if len(mime) >= 6 && string(mime[:6]) != "image/" {
		dst = append(dst, "[file](data:"...)
	} else {
		dst = append(dst, "![image](data:"...)
	}
	dst = append(append(dst, mime...), ";base64,"...)
	return append(append(dst, data...), ')')
}

// fence is a line of three backquotes; line ends are escaped, being inside a string.
const fence = "```"

func appendCode(dst, v []byte) []byte {
	var language, body []byte
	for o := wire.ObjectOf(v); o.Next(); {
		switch string(o.Key) {
		case "language":
			language, _ = inside(o.Value)
		case "code":
			body, _ = inside(o.Value)
		}
	}
	dst = append(dst, `\n`+fence...)
	if string(language) != "LANGUAGE_UNSPECIFIED" {
		dst = appendLower(dst, language)
	}
	return append(append(append(dst, `\n`...), body...), `\n`+fence+`\n`...)
}

func appendResult(dst, v []byte) []byte {
	var outcome, output []byte
	for o := wire.ObjectOf(v); o.Next(); {
		switch string(o.Key) {
		case "outcome":
			outcome, _ = inside(o.Value)
		case "output":
			output, _ = inside(o.Value)
		}
	}
	label := "output"
	if len(outcome) > 0 && string(outcome) != "OUTCOME_OK" {
		label = "error"
	}
	dst = append(append(dst, `\n`+fence...), label...)
	return append(append(append(dst, `\n`...), output...), `\n`+fence+`\n`...)
}

// appendLower appends the word in lower case, and nothing when it is not one.
func appendLower(dst, word []byte) []byte {
	begin := len(dst)
	for _, c := range word {
		if c |= 0x20; c < 'a' || c > 'z' {
			return dst[:begin]
		}
		dst = append(dst, c)
	}
	return dst
}

// appendFinish appends OpenAI's word for why a candidate ended (protocol 5.4).
func appendFinish(dst, reason []byte, called bool) []byte {
	word := "stop"
	switch string(reason) {
	case "MAX_TOKENS":
		word = "length"
	case "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR",
		"IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION":
		word = "content_filter"
	default:
		if called {
			word = "tool_calls"
		}
	}
	return append(append(append(dst, '"'), word...), '"')
}
