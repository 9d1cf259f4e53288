package compat

import (
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// move takes the instructions out of the call and puts them in front of its first turn. What cannot be read
// stays where it is: Google refuses it with better words.
func move(c *gemini.Call) {
	const member = "systemInstruction"
	system, there := c.Get(member)
	contents, _ := c.Get("contents")
	if !there || wire.KindOf(contents) != wire.KindArray {
		return
	}
	parts, ok := partsOf(system)
	if !ok {
		return
	}
	c.Delete(member)
	if len(parts) > 0 {
		c.Set("contents", inFront(contents, parts))
	}
}

// partsOf gives what an instruction says, as parts with commas between them: a text, or a content with one
// part or a list of them. Empty texts say nothing. False where it is none of this, or a content without parts.
func partsOf(system []byte) (parts []byte, ok bool) {
	switch wire.KindOf(system) {
	case wire.KindNull:
		return nil, true
	case wire.KindString:
		if string(system) == `""` {
			return nil, true
		}
		return append(append([]byte(`{"text":`), system...), '}'), true
	case wire.KindObject:
	default:
		return nil, false
	}
	list, _ := gemini.Find(system, "parts")
	if wire.KindOf(list) == wire.KindObject {
		return appendPart(nil, list), true
	}
	for a := wire.ArrayOf(list); a.Next(); ok = true {
		if wire.KindOf(a.Value) != wire.KindObject {
			return nil, false
		}
		parts = appendPart(parts, a.Value)
	}
	return parts, ok
}

func appendPart(dst, part []byte) []byte {
	if p := gemini.PartOf(part); string(p.Text) == `""` {
		return dst
	}
	if len(dst) > 0 {
		dst = append(dst, ',')
	}
	return append(dst, part...)
}

// inFront gives the contents with the parts in front of the user's first words. Results of functions have to
// come first in their turn, and before a turn of the model there is none to join: the parts are a turn of
// their own then.
func inFront(contents, parts []byte) []byte {
	const open = `{"role":"user","parts":[`
	out := append(make([]byte, 0, len(contents)+len(parts)+len(open)+8), '[')
	turns := wire.ArrayOf(contents)
	some := turns.Next()
	if own, joins := joinable(turns.Value); joins {
		both := append(append(append(make([]byte, 0, len(parts)+len(own)+2), '['), parts...), ',')
		out = gemini.AppendWith(out, turns.Value, "parts", append(both, own[1:]...))
		some = turns.Next()
	} else {
		out = append(append(append(out, open...), parts...), "]}"...)
	}
	for ; some; some = turns.Next() {
		out = append(append(out, ','), turns.Value...)
	}
	return append(out, ']')
}

// joinable gives the list of parts of a turn of the user that other parts may stand in front of.
func joinable(turn []byte) (parts []byte, ok bool) {
	if wire.KindOf(turn) != wire.KindObject {
		return nil, false
	}
	for o := wire.ObjectOf(turn); o.Next(); {
		switch {
		case o.Is("role"):
			if r := string(o.Value); r != `"user"` && r != `""` && r != "null" { // without one it is the user's
				return nil, false
			}
		case o.Is("parts"):
			if parts != nil { // given twice: which of them counts is for Google to say
				return nil, false
			}
			parts = o.Value
		}
	}
	for a := wire.ArrayOf(parts); a.Next(); ok = true {
		if p := gemini.PartOf(a.Value); p.Response != nil {
			return nil, false
		}
	}
	return parts, ok
}
