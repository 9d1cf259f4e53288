package antitrunc

import "gcli2api/pipeline/wire"

// writing is what of an event is written.
type writing struct {
	parts   bool // the parts, as the slots say
	members bool // what the candidate has beside its parts
	usage   usage
}

// usage is what becomes of the tokens of an event.
type usage uint8

const (
	dropped usage = iota
	asIs
	summed
)

// appendEvent appends the event as the client is to see it.
func (s *stream) appendEvent(dst, data []byte, w writing) []byte {
	dst = append(dst, '{')
	for o := wire.ObjectOf(data); o.Next(); {
		switch {
		case o.Is("candidates"):
			dst = append(wire.Key(dst, "candidates"), '[')
			for a, i := wire.ArrayOf(o.Value), 0; a.Next(); i++ {
				if dst = wire.Comma(dst); i == 0 {
					dst = s.appendCandidate(dst, a.Value, w)
				} else {
					dst = append(dst, a.Value...)
				}
			}
			dst = append(dst, ']')
		case !o.Is("usageMetadata") || w.usage == asIs:
			dst = append(wire.Key(dst, o.Key), o.Value...)
		case w.usage == summed:
			dst = appendUsage(wire.Key(dst, o.Key), o.Value, s.sum())
			s.untold = false
		}
	}
	return append(dst, '}')
}

func (s *stream) appendCandidate(dst, candidate []byte, w writing) []byte {
	dst = append(dst, '{')
	for o := wire.ObjectOf(candidate); o.Next(); {
		switch {
		case o.Is("content"):
			dst = s.appendContent(wire.Key(dst, o.Key), o.Value, w)
		case isBeside(o.Key) && w.members:
			dst = appendShifted(wire.Key(dst, o.Key), o.Value, s.shift())
		case w.members || o.Is("index"):
			dst = append(wire.Key(dst, o.Key), o.Value...)
		}
	}
	return append(dst, '}')
}

func (s *stream) appendContent(dst, content []byte, w writing) []byte {
	dst = append(dst, '{')
	for o := wire.ObjectOf(content); o.Next(); {
		switch {
		case !o.Is("parts"):
			dst = append(wire.Key(dst, o.Key), o.Value...)
		case w.parts:
			dst = append(s.appendParts(append(wire.Key(dst, o.Key), '['), o.Value), ']')
		}
	}
	return append(dst, '}')
}

// appendParts appends what the slots leave of the parts; a list is never empty, for Google's own clients.
func (s *stream) appendParts(dst, parts []byte) []byte {
	begin := len(dst)
	for a, i := wire.ArrayOf(parts), 0; a.Next() && i < len(s.slots); i++ {
		at := &s.slots[i]
		if len(at.before) > 0 {
			dst = appendText(wire.Comma(dst), at.before)
		}
		switch at.kind {
		case thought:
			if s.tries > 1 {
				continue
			}
			dst = append(wire.Comma(dst), a.Value...)
		case words:
			dst = appendRewritten(wire.Comma(dst), a.Value, at.text)
		case other:
			dst = append(wire.Comma(dst), a.Value...)
		}
	}
	if len(dst) == begin {
		dst = appendText(dst, nil)
	}
	return dst
}

// appendText appends a part with a text, the inside of a JSON string.
func appendText(dst, text []byte) []byte {
	return append(append(append(dst, `{"text":"`...), text...), `"}`...)
}

// appendRewritten appends a copy of a part with another text; a signature stays with it.
func appendRewritten(dst, part, text []byte) []byte {
	dst = append(dst, '{')
	for o := wire.ObjectOf(part); o.Next(); {
		if o.Is("text") {
			dst = append(append(append(wire.Key(dst, o.Key), '"'), text...), '"')
		} else {
			dst = append(wire.Key(dst, o.Key), o.Value...)
		}
	}
	return append(dst, '}')
}
