package translate

import (
	"strconv"

	"gcli2api/pipeline/wire"
)

// placeOf is the path of the first string of a document that says text, "" for none. It is for the
// words of an error: the body is read once more, in one pass.
func placeOf(doc []byte, text string) string {
	if wire.KindOf(doc) != wire.KindObject {
		return ""
	}
	s := seeker{c: wire.CursorOf(doc), text: text}
	if s.members() {
		return string(s.path)
	}
	return ""
}

// seeker walks a document that was scanned, and so does not nest too deep for it.
type seeker struct {
	c    wire.Cursor
	text string
	path []byte
}

// value looks at the value that the cursor stands on, and into it.
func (s *seeker) value() bool {
	switch s.c.Kind() {
	case wire.KindObject:
		return s.c.Object() && s.members()
	case wire.KindArray:
		return s.c.Array() && s.elements()
	case wire.KindString:
		v := s.c.Value()
		if len(v) > 6*len(s.text)+2 { // no escape is longer
			return false
		}
		said, _ := wire.Text(v)
		return said == s.text
	}
	s.c.Skip()
	return false
}

// members: a name that may not stand in a message is cut down to what may.
func (s *seeker) members() bool {
	at := len(s.path)
	for s.c.Member() {
		s.path = s.path[:at]
		if at > 0 {
			s.path = append(s.path, '.')
		}
		s.path = append(s.path, wire.HeaderSafe(string(s.c.Key))...)
		if s.value() {
			return true
		}
	}
	s.path = s.path[:at]
	return false
}

func (s *seeker) elements() bool {
	at := len(s.path)
	for i := 0; s.c.Element(); i++ {
		s.path = append(strconv.AppendInt(append(s.path[:at], '['), int64(i), 10), ']')
		if s.value() {
			return true
		}
	}
	s.path = s.path[:at]
	return false
}
