package openai

import (
	"bytes"
	"strconv"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
)

// fault is what is wrong with a part: the path below it, and why.
type fault struct{ below, why string }

func (f *fault) in(path string) *apierror.Error { return refuse(path+f.below, f.why) }

// content appends the parts of m, or nothing when there is nothing but white space in them.
func (t *turns) content(m *message) *apierror.Error {
	t.blank = t.blank[:0]
	switch wire.KindOf(m.content) {
	case wire.KindString:
		t.text(m.content, m)
	case wire.KindNone:
		if m.who != assistant || m.refusal == nil {
			return nil
		}
		if wire.KindOf(m.refusal) != wire.KindString {
			return refuse(m.path()+".refusal", "must be a string")
		}
		t.text(m.refusal, m)
	case wire.KindArray:
		i := 0
		for a := wire.ArrayOf(m.content); a.Next(); i++ {
			if bad := t.part(m, a.Value); bad != nil {
				return bad.in(m.path() + ".content[" + strconv.Itoa(i) + "]")
			}
		}
	default:
		return refuse(m.path()+".content", "must be a string or a list of parts")
	}
	if m.begun {
		t.Sign(m.signature)
	}
	return nil
}

// part appends one element of a list of parts.
func (t *turns) part(m *message, v []byte) *fault {
	if wire.KindOf(v) != wire.KindObject {
		return &fault{why: "must be an object"}
	}
	in := pick(v, "type", "text", "refusal", "image_url", "input_audio", "file")
	word, bad := partType(in[0])
	switch {
	case bad != nil:
		return bad
	case word == "text":
		return t.textPart(in[1], ".text", m)
	case word == "refusal":
		return t.textPart(in[2], ".refusal", m)
	case m.who == system:
		return &fault{below: ".type", why: "must be text in a system message"}
	}
	medium, bad := t.medium(word, media{in[3], in[4], in[5]})
	if bad != nil {
		return bad
	}
	t.begin(m)
	return t.put(&medium)
}

// partType is the type of a part, one of the few there are.
func partType(v []byte) (string, *fault) {
	var scratch [32]byte
	switch word := wire.AppendText(scratch[:0], v); string(word) {
	case "text":
		return "text", nil
	case "refusal":
		return "refusal", nil
	case "image_url":
		return "image_url", nil
	case "input_audio":
		return "input_audio", nil
	case "file":
		return "file", nil
	}
	if v == nil {
		return "", &fault{below: ".type", why: "is missing"}
	}
	return "", &fault{below: ".type", why: "must be text, image_url, input_audio, file or refusal"}
}

func (t *turns) textPart(v []byte, name string, m *message) *fault {
	if wire.KindOf(v) != wire.KindString {
		return &fault{below: name, why: "must be a string"}
	}
	t.text(v, m)
	return nil
}

// begin makes sure that a part of m may follow.
func (t *turns) begin(m *message) {
	t.Turn(m.who.role())
	m.begun = true
	for _, inner := range t.blank {
		t.Text(inner)
	}
	t.blank = t.blank[:0]
}

// text appends a text part as it was written. One of white space waits for a better one: a turn of
// nothing else is refused by Google.
func (t *turns) text(v []byte, m *message) {
	inner, _ := wire.Inside(v)
	if len(inner) == 0 {
		return
	}
	if blank(inner) {
		t.blank = append(t.blank, inner)
		return
	}
	t.begin(m)
	if m.who != assistant {
		t.Text(inner)
		return
	}
	if bytes.Contains(inner, []byte("](data:")) {
		t.scratch = appendWithoutPictures(t.scratch[:0], inner)
		inner = t.scratch
	}
	t.Text(inner)
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
