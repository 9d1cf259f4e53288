package openai

import (
	"strconv"

	"gcli2api/pipeline/wire"
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
			v := invocationOf(c.parts[i].value)
			dst = append(v.function(wire.Key(dst, "function_call")), '}')
		}
	}
	return dst
}

// invocation is a call of Google's: the insides of strings, and a raw object.
type invocation struct{ id, name, args []byte }

func invocationOf(call []byte) (v invocation) {
	for o := wire.ObjectOf(call); o.Next(); {
		switch string(o.Key) {
		case "id":
			v.id, _ = wire.Inside(o.Value)
		case "name":
			v.name, _ = wire.Inside(o.Value)
		case "args":
			v.args = o.Value
		}
	}
	return v
}

// function opens the object with the name and the arguments.
func (v *invocation) function(dst []byte) []byte {
	dst = append(append(dst, `{"name":"`...), v.name...)
	dst = append(dst, `","arguments":`...)
	if wire.KindOf(v.args) == wire.KindObject {
		return wire.AppendQuotedBytes(dst, v.args)
	}
	return append(dst, `"{}"`...)
}

// custom opens the object with the name and the text of a custom tool.
func (v *invocation) custom(dst []byte) []byte {
	dst = append(append(dst, `{"name":"`...), v.name...)
	dst = append(dst, `","input":`...)
	switch input := pick1(v.args, "input"); {
	case wire.KindOf(input) == wire.KindString:
		return append(dst, input...)
	case wire.KindOf(v.args) == wire.KindObject: // the model has its own idea of the parameter
		return wire.AppendQuotedBytes(dst, v.args)
	}
	return append(dst, `""`...)
}

// appendCall appends the members of one call; nth makes its id when Google gave none.
func (e *encoder) appendCall(dst []byte, p *part, nth uint64) []byte {
	v := invocationOf(p.value)
	dst = append(wire.Key(dst, "id"), '"')
	if len(v.id) > 0 {
		dst = append(dst, v.id...)
	} else {
		dst = appendID(dst, e.seed, nth)
	}
	if e.isCustom(v.name) {
		dst = v.custom(append(dst, `","type":"custom","custom":`...))
	} else {
		dst = v.function(append(dst, `","type":"function","function":`...))
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

// appendID makes call_ and 24 hex digits, the same for the same answer and place.
func appendID(dst []byte, seed, nth uint64) []byte {
	first := mix(seed ^ mix(nth))
	return appendHex(appendHex(append(dst, "call_"...), first, 16), mix(first+seed), 8)
}

// appendHex appends the first so many digits of n.
func appendHex(dst []byte, n uint64, digits int) []byte {
	for range digits {
		dst = append(dst, "0123456789abcdef"[n>>60])
		n <<= 4
	}
	return dst
}

// hash is FNV-1a.
func hash(s []byte) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// mix is the finisher of splitmix64: neighbours become strangers.
func mix(n uint64) uint64 {
	n += 0x9e3779b97f4a7c15
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	return n ^ n>>31
}
