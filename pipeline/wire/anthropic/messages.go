package anthropic

import (
	"bytes"
	"strconv"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// dialogue writes systemInstruction and contents.
type dialogue struct {
	gemini.Draft
	f       *form
	who     gemini.Role // of the message that is being read
	waiting bool        // calls were written, and their results are due in the next message of the user
	calls   []place     // where the calls stand, for the error when one has no result
	result  *result     // the result that is being read, nil outside of one
	shown   int         // pictures that stand behind results
	said    bool        // the message had something in it
	room    result      // what result points to
	scratch [2][]byte
}

// place is a block of a message.
type place struct{ message, block int }

func (p place) String() string {
	return "messages[" + strconv.Itoa(p.message) + "].content[" + strconv.Itoa(p.block) + "]"
}

// fault is what is wrong: the path below the place that is being read, and why.
type fault struct{ below, why string }

func (f *fault) under(path string) *fault {
	if f == nil {
		return nil
	}
	return &fault{path + f.below, f.why}
}

func (f *fault) in(path string) *apierror.Error {
	if f == nil {
		return nil
	}
	return gemini.Refuse(path+f.below, f.why)
}

// appendDialogue appends systemInstruction and contents.
func (f *form) appendDialogue(dst, body []byte, t gemini.Target) ([]byte, *apierror.Error) {
	switch {
	case f.messages == nil:
		return dst, gemini.Refuse("messages", "is missing")
	case wire.KindOf(f.messages) != wire.KindArray:
		return dst, gemini.Refuse("messages", "must be a list")
	}
	d := dialogue{f: f}
	d.Draft = gemini.Draft{B: dst, Tools: f.Tools, Recall: t.Recall, Signs: t.Signs()}
	if err := d.system().in("system"); err != nil {
		return d.B, err
	}
	if f.format != nil && t.FormatInWords(f.functions > 0) {
		f.Ignore(f.formatName)
		d.TellFormat(f.format)
	}
	if err := d.read(body); err != nil {
		return d.B, err
	}
	if lost := d.Finish(); lost != nil {
		at := d.calls[lost.At].String()
		return d.B, gemini.Refuse(at, "is a tool_use ("+strconv.Quote(wire.HeaderSafe(lost.ID))+") that has no tool_result in the next message")
	}
	if d.Role() == gemini.Nobody {
		return d.B, gemini.Refuse("messages", "has no message with content")
	}
	return d.B, nil
}

// billing begins a block that Anthropic's own agent puts before its instructions, and which is not
// meant for the model.
const billing = "x-anthropic-billing-header:"

// system writes the instructions.
func (d *dialogue) system() *fault {
	d.who = gemini.System
	switch wire.KindOf(d.f.system) {
	case wire.KindNone:
	case wire.KindString:
		inner, _ := wire.Inside(d.f.system)
		d.put(inner)
	case wire.KindArray:
		for a, i := wire.ArrayOf(d.f.system), 0; a.Next(); i++ {
			if bad := d.instruction(a.Value); bad != nil {
				return bad.under("[" + strconv.Itoa(i) + "]")
			}
		}
	default:
		return &fault{"", "must be a string or a list of text blocks"}
	}
	return nil
}

// instruction writes a text block of the system.
func (d *dialogue) instruction(v []byte) *fault {
	b, bad := readBlock(v)
	if bad != nil {
		return bad
	}
	if b.kind != textBlock {
		return &fault{".type", "must be text in what the system says"}
	}
	inner, ok := wire.Inside(b.text)
	if !ok {
		return &fault{".text", "must be a string"}
	}
	if !bytes.HasPrefix(inner, []byte(billing)) {
		d.put(inner)
	}
	return nil
}

// read reads the messages in the body that they are a part of, because a cursor finds their ends
// while it reads them.
func (d *dialogue) read(body []byte) *apierror.Error {
	count := 0
	for c := wire.CursorOf(body); c.Member(); {
		if string(wire.PlainKey(c.Key)) != "messages" {
			c.Skip()
			continue
		}
		for in := c.Array(); in && c.Element(); count++ {
			if bad := d.message(&c, count); bad != nil {
				return bad.in("messages[" + strconv.Itoa(count) + "]")
			}
		}
		break
	}
	if count == 0 {
		return gemini.Refuse("messages", "must not be empty")
	}
	return nil
}

// message writes a message. One of the assistant may be empty: so is an answer of nothing but
// thoughts, which comes back in the history.
func (d *dialogue) message(c *wire.Cursor, at int) *fault {
	if c.Kind() != wire.KindObject {
		return &fault{"", "must be an object"}
	}
	var role, content []byte
	for in := c.Object(); in && c.Member(); {
		key, v := wire.PlainKey(c.Key), c.Value()
		switch string(key) {
		case "role":
			role = v
		case "content":
			content = v
		}
	}
	var scratch [16]byte
	switch string(wire.AppendText(scratch[:0], role)) {
	case "user":
		d.who = gemini.User
	case "assistant":
		d.who = gemini.TheModel
	case "system":
		d.who = gemini.System
	default:
		if !wire.Given(role) {
			return &fault{".role", "is missing"}
		}
		return &fault{".role", "must be user or assistant"}
	}
	d.said = false
	if bad := d.content(content, at); bad != nil {
		return bad.under(".content")
	}
	if !d.said && d.who == gemini.User {
		return &fault{".content", "must not be empty"}
	}
	return nil
}

// content writes what a message says.
func (d *dialogue) content(v []byte, at int) *fault {
	switch wire.KindOf(v) {
	case wire.KindString:
		inner, _ := wire.Inside(v)
		d.put(inner)
		return nil
	case wire.KindArray:
	case wire.KindNone, wire.KindNull:
		return &fault{"", "is missing"}
	default:
		return &fault{"", "must be a string or a list of blocks"}
	}
	if d.waiting && d.who == gemini.User {
		// Google wants results before anything else, and some clients write a text before them.
		for a, i := wire.ArrayOf(v), 0; a.Next(); i++ {
			if bad := d.onlyResult(a.Value); bad != nil {
				return bad.under("[" + strconv.Itoa(i) + "]")
			}
		}
	}
	for a, i := wire.ArrayOf(v), 0; a.Next(); i++ {
		if bad := d.block(a.Value, place{at, i}); bad != nil {
			return bad.under("[" + strconv.Itoa(i) + "]")
		}
	}
	if d.who == gemini.User && d.Role() == gemini.User {
		d.waiting = false
	}
	return nil
}

// put writes a text, given as the inside of a string, to where texts go at present.
func (d *dialogue) put(inner []byte) {
	if len(inner) == 0 {
		return
	}
	d.said = true
	if d.result != nil {
		d.result.put(inner)
		return
	}
	if d.who == gemini.TheModel {
		inner = withoutPictures(inner)
	}
	d.Turn(d.who)
	d.Text(inner)
}

// withoutPictures puts "[image]" in the place of every Markdown picture that has its data in it. We
// send pictures in that form; back in the history they would be megabytes of text.
func withoutPictures(inner []byte) []byte {
	if !bytes.Contains(inner, []byte("](data:")) {
		return inner
	}
	out := make([]byte, 0, len(inner))
	for {
		at := bytes.Index(inner, []byte("](data:"))
		if at < 0 {
			return append(out, inner...)
		}
		begin := bytes.LastIndex(inner[:at], []byte("!["))
		head := inner[at:min(len(inner), at+wire.MaxDataHead)] // bounded: a hostile text must stay linear
		if begin < 0 || bytes.IndexByte(inner[begin:at], ']') >= 0 || !bytes.Contains(head, []byte(";base64,")) {
			out, inner = append(out, inner[:at+2]...), inner[at+2:]
			continue
		}
		end := bytes.IndexByte(inner[at:], ')')
		if end < 0 {
			return append(out, inner...)
		}
		out, inner = append(append(out, inner[:begin]...), "[image]"...), inner[at+end+1:]
	}
}
