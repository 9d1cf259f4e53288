package openai

import (
	"strconv"

	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// appendCalls appends the member with the calls of a candidate: tool_calls, or the older
// function_call. Their index runs through the whole answer: clients join calls of one index.
func (e *encoder) appendCalls(dst []byte, c *candidate, indexed bool) []byte {
	s := e.choice(c.index)
	if e.legacy {
		return e.appendLegacy(dst, c, s)
	}
	dst = append(wire.Key(dst, "tool_calls"), '[')
	for i := range c.parts {
		if c.parts[i].kind != call {
			continue
		}
		dst = append(wire.Comma(dst), '{')
		if indexed {
			dst = strconv.AppendInt(wire.Key(dst, "index"), int64(s.calls), 10)
		}
		dst = e.appendCall(dst, &c.parts[i], uint64(c.index)<<32|uint64(s.calls))
		s.calls++
	}
	return append(dst, ']')
}

// appendLegacy appends the one call that an answer in the older form may have.
func (e *encoder) appendLegacy(dst []byte, c *candidate, s *choice) []byte {
	for i := range c.parts {
		if c.parts[i].kind == call && s.calls == 0 {
			s.calls++
			v := gemini.CalledOf(c.parts[i].value)
			dst = append(appendFunction(wire.Key(dst, "function_call"), &v), '}')
		}
	}
	return dst
}

// appendFunction opens the object with the name and the arguments.
func appendFunction(dst []byte, v *gemini.Called) []byte {
	dst = append(append(dst, `{"name":"`...), v.Name...)
	dst = append(dst, `","arguments":`...)
	if wire.KindOf(v.Args) == wire.KindObject {
		return wire.AppendQuotedBytes(dst, v.Args)
	}
	return append(dst, `"{}"`...)
}

// appendCustom opens the object with the name and the text of a custom tool.
func appendCustom(dst []byte, v *gemini.Called) []byte {
	dst = append(append(dst, `{"name":"`...), v.Name...)
	dst = append(dst, `","input":`...)
	switch input := pick1(v.Args, "input"); {
	case wire.KindOf(input) == wire.KindString:
		return append(dst, input...)
	case wire.KindOf(v.Args) == wire.KindObject: // the model has its own idea of the parameter
		return wire.AppendQuotedBytes(dst, v.Args)
	}
	return append(dst, `""`...)
}

// appendCall appends the members of one call; nth makes its id when Google gave none.
func (e *encoder) appendCall(dst []byte, p *part, nth uint64) []byte {
	v := gemini.CalledOf(p.value)
	dst = append(wire.Key(dst, "id"), '"')
	if len(v.ID) > 0 {
		dst = append(dst, v.ID...)
	} else {
		dst = gemini.AppendID(append(dst, "call_"...), e.seed, nth, 24)
	}
	if e.isCustom(v.Name) {
		dst = appendCustom(append(dst, `","type":"custom","custom":`...), &v)
	} else {
		dst = appendFunction(append(dst, `","type":"function","function":`...), &v)
	}
	dst = append(dst, '}')
	// Where Google's own OpenAI layer puts it: clients that send it back keep the model's thread.
	if wire.KindOf(p.sign) == wire.KindString {
		dst = append(append(dst, `,"extra_content":{"google":{"thought_signature":`...), p.sign...)
		dst = append(dst, "}}"...)
	}
	return append(dst, '}')
}

// isCustom tells whether the client declared the tool of this name, the inside of a string, as custom.
func (e *encoder) isCustom(name []byte) bool {
	if e.tools.Len() == 0 {
		return false
	}
	var quoted, room [80]byte
	client := wire.AppendText(room[:0], append(append(append(quoted[:0], '"'), name...), '"'))
	f, _ := e.tools.Known(string(client))
	return f.Custom
}
