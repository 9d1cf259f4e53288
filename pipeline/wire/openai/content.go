package openai

import (
	"bytes"
	"strconv"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
)

// parts appends the content of m and tells whether anything is in it but white space.
func (t *turns) parts(m *message) (solid bool, err *apierror.Error) {
	switch wire.KindOf(m.content) {
	case wire.KindString:
		return t.text(m.content, m.who), nil
	case wire.KindNull, wire.KindNone:
		if m.who == model && wire.KindOf(m.refusal) == wire.KindString {
			return t.text(m.refusal, model), nil
		}
		return false, nil
	case wire.KindArray:
	default:
		return false, refuse(m.path()+".content", "must be a string or a list of parts")
	}
	i := 0
	for a := wire.ArrayOf(m.content); a.Next(); i++ {
		some, bad := t.part(m, a.Value)
		if bad != nil {
			return false, bad.in(m.path() + ".content[" + strconv.Itoa(i) + "]")
		}
		solid = solid || some
	}
	return solid, nil
}

// fault is what is wrong with a part: the path below it, and why.
type fault struct{ below, why string }

func (f *fault) in(path string) *apierror.Error { return refuse(path+f.below, f.why) }

// part appends one element of a list of parts.
func (t *turns) part(m *message, v []byte) (solid bool, bad *fault) {
	if wire.KindOf(v) != wire.KindObject {
		return false, &fault{"", "must be an object"}
	}
	var kind, text, refusal, image []byte
	for c := wire.CursorOf(v); c.Member(); {
		key, v := plainKey(c.Key), c.Value()
		switch string(key) {
		case "type":
			kind = v
		case "text":
			text = v
		case "image_url":
			image = v
		case "refusal":
			refusal = v
		}
	}
	var scratch [32]byte
	switch string(wire.AppendText(scratch[:0], kind)) {
	case "text":
		return t.textPart(text, ".text", m.who)
	case "refusal":
		return t.textPart(refusal, ".refusal", m.who)
	case "image_url":
		if m.who == system {
			return false, &fault{".type", "must be text in a system message"}
		}
		return true, t.image(image)
	case "":
		return false, &fault{".type", "is missing"}
	}
	return false, &fault{".type", "must be text or image_url: other parts are not supported yet"}
}

func (t *turns) textPart(v []byte, name string, who role) (bool, *fault) {
	if wire.KindOf(v) != wire.KindString {
		return false, &fault{name, "must be a string"}
	}
	return t.text(v, who), nil
}

// text appends a text part as it was written, or nothing when it is empty: Google refuses those.
func (t *turns) text(v []byte, who role) (solid bool) {
	inner, _ := inside(v)
	if len(inner) == 0 {
		return false
	}
	t.dst = append(comma(t.dst), `{"text":"`...)
	if who == model {
		t.dst = appendWithoutPictures(t.dst, inner)
	} else {
		t.dst = append(t.dst, inner...)
	}
	t.dst = append(t.dst, `"}`...)
	return !blank(inner)
}

// blank tells whether the inside of a string is white space, written in the usual ways.
func blank(inner []byte) bool {
	for i := 0; i < len(inner); i++ {
		switch inner[i] {
		case ' ':
		case '\\':
			i++
			if c := inner[i]; c != 'n' && c != 'r' && c != 't' {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// appendWithoutPictures appends the inside of a string with "[image]" for every Markdown picture
// that has its data in it. We send pictures to OpenAI clients in that form; back in the history
// they would be megabytes of text.
func appendWithoutPictures(dst, inner []byte) []byte {
	for {
		at := bytes.Index(inner, []byte("](data:"))
		if at < 0 {
			return append(dst, inner...)
		}
		begin := bytes.LastIndex(inner[:at], []byte("!["))
		head := inner[at:min(len(inner), at+wire.MaxDataHead)] // bounded: a hostile text must stay linear
		if begin < 0 || bytes.IndexByte(inner[begin:at], ']') >= 0 || !bytes.Contains(head, []byte(";base64,")) {
			dst, inner = append(dst, inner[:at+2]...), inner[at+2:]
			continue
		}
		end := bytes.IndexByte(inner[at:], ')')
		if end < 0 {
			return append(dst, inner...)
		}
		dst, inner = append(append(dst, inner[:begin]...), "[image]"...), inner[at+end+1:]
	}
}
