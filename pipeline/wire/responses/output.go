package responses

import (
	"bytes"

	"gcli2api/pipeline/wire"
)

// say goes on with the message, or opens one.
func (e *encoder) say(dst, text []byte) []byte {
	if e.open != speaking {
		dst = e.close(dst)
		e.start(speaking, "msg_")
		dst = e.added(dst, e.message(nil, "in_progress", nil))
		dst = e.part(dst, "response.content_part.added", `,"content_index":0`, appendText(nil, nil, nil))
	}
	e.text = append(e.text, text...)
	return e.piece(dst, piece{"response.output_text.delta", `,"content_index":0,"logprobs":[]`, "delta"}, text)
}

// message appends the open message; parts is its content.
func (e *encoder) message(dst []byte, status string, parts []byte) []byte {
	dst = append(append(append(dst, `{"id":"`...), e.id...), `","type":"message","status":"`...)
	dst = append(append(dst, status...), `","role":"assistant","content":[`...)
	return append(append(dst, parts...), "]}"...)
}

// appendText appends the one part of a message.
func appendText(dst, text, annotations []byte) []byte {
	dst = append(append(dst, `{"type":"output_text","annotations":[`...), annotations...)
	return append(append(append(dst, `],"logprobs":[],"text":"`...), text...), `"}`...)
}

// think goes on with the reasoning item, or opens one.
func (e *encoder) think(dst, text []byte) []byte {
	if e.open != thinking {
		dst = e.reason(e.close(dst))
	}
	if len(e.text) == 0 {
		dst = e.part(dst, "response.reasoning_summary_part.added", summaryAt, appendSummary(nil, nil))
	}
	e.text = append(e.text, text...)
	return e.piece(dst, piece{"response.reasoning_summary_text.delta", summaryAt, "delta"}, text)
}

const summaryAt = `,"summary_index":0`

// reason opens a reasoning item.
func (e *encoder) reason(dst []byte) []byte {
	e.start(thinking, "rs_")
	return e.added(dst, e.reasoning(nil, "in_progress"))
}

// reasoning appends the open reasoning item.
func (e *encoder) reasoning(dst []byte, status string) []byte {
	dst = append(append(append(dst, `{"id":"`...), e.id...), `","type":"reasoning","status":"`...)
	dst = append(append(dst, status...), `","summary":[`...)
	if status != "in_progress" && len(e.text) > 0 {
		dst = appendSummary(dst, e.text)
	}
	if dst = append(dst, ']'); !e.encrypted {
		return append(dst, '}')
	}
	if len(e.sign) == 0 {
		return append(dst, `,"encrypted_content":null}`...)
	}
	dst = append(append(dst, `,"encrypted_content":"`+signMark...), e.sign...)
	return append(dst, `"}`...)
}

func appendSummary(dst, text []byte) []byte {
	return append(append(append(dst, `{"type":"summary_text","text":"`...), text...), `"}`...)
}

// close completes the open item.
func (e *encoder) close(dst []byte) []byte {
	status := "completed"
	if e.why == tooLong || e.why == filtered {
		status = "incomplete"
	}
	switch e.open {
	case thinking:
		if len(e.text) > 0 {
			dst = e.piece(dst, piece{"response.reasoning_summary_text.done", summaryAt, "text"}, e.text)
			dst = e.part(dst, "response.reasoning_summary_part.done", summaryAt, appendSummary(nil, e.text))
		}
		return e.done(dst, e.reasoning(nil, status))
	case speaking:
		return e.said(dst, status)
	case running:
		return e.done(dst, e.interpreter(nil, "incomplete", nil))
	}
	return dst
}

// said completes the message: only now all of its text is there, and what the pages are cited for.
func (e *encoder) said(dst []byte, status string) []byte {
	dst, notes := e.annotate(dst)
	dst = e.piece(dst, piece{"response.output_text.done", `,"content_index":0,"logprobs":[]`, "text"}, e.text)
	part := appendText(make([]byte, 0, len(e.text)+len(notes)+96), e.text, notes)
	dst = e.part(dst, "response.content_part.done", `,"content_index":0`, part)
	return e.done(dst, e.message(make([]byte, 0, len(part)+160), status, part))
}

// call writes a call, which Google sends in one piece.
func (e *encoder) call(dst []byte, p *said) []byte {
	if e.encrypted && len(p.sign) > 0 {
		if e.open != thinking {
			dst = e.reason(e.close(dst))
		}
		e.sign = append(e.sign[:0], p.sign...)
	}
	dst = e.close(dst)
	c := e.callee(p.call)
	e.start(nothing, c.prefix())
	if len(c.id) == 0 {
		c.id = e.appendID([]byte("call_"))
	}
	if c.kit.kind != "" {
		return e.kitCall(dst, &c)
	}
	e.text = c.said(e.text)
	dst = e.added(dst, e.invocation(nil, &c, "in_progress"))
	kind := "response.function_call_arguments"
	if c.custom {
		kind = "response.custom_tool_call_input"
	}
	dst = e.piece(dst, piece{kind + ".delta", "", "delta"}, e.text)
	where := ""
	if !c.custom {
		where = `,"name":` + string(wire.AppendQuotedBytes(nil, c.name))
	}
	dst = e.piece(dst, piece{kind + ".done", where, c.member()}, e.text)
	return e.done(dst, e.invocation(make([]byte, 0, len(e.text)+200), &c, "completed"))
}

// invocation is a call as the client knows it.
type invocation struct {
	id     []byte // inside of a string
	name   []byte // decoded
	space  string // the namespace, "" for none
	args   []byte // raw
	kit    kit    // the zero value for functions
	custom bool
}

// callee reads a call that has been through gemini.Restorer.
func (e *encoder) callee(call []byte) (c invocation) {
	var declared []byte
	for o := wire.ObjectOf(call); o.Next(); {
		switch string(o.Key) {
		case "id":
			id, _ := wire.Inside(o.Value)
			c.id = wire.AppendLine(nil, id)
		case "name":
			c.name = wire.AppendText(nil, o.Value)
		case "args":
			c.args = o.Value
		case "declared":
			declared = wire.AppendText(nil, o.Value)
		}
	}
	f, known := e.o.Tools.Known(string(c.name))
	if declared != nil {
		f, known = e.o.Tools.Client(declared)
	}
	if known {
		c.custom, c.space = f.Custom, f.Namespace
		c.kit, _ = kitOf(f.Kind)
	}
	return c
}

func (c *invocation) prefix() string {
	switch {
	case c.kit.kind != "":
		return c.kit.prefix
	case c.custom:
		return "ctc_"
	}
	return "fc_"
}

func (c *invocation) member() string {
	if c.custom {
		return "input"
	}
	return "arguments"
}

// said appends what the call is given, as the inside of a string: the arguments as JSON, or the text of
// a custom tool.
func (c *invocation) said(dst []byte) []byte {
	args := c.args
	if c.custom {
		if text, ok := wire.Inside(wire.Get(args, "input")); ok && line(text) {
			return append(dst, text...)
		}
	}
	if wire.KindOf(args) != wire.KindObject {
		return append(dst, "{}"...)
	}
	from := len(dst)
	dst = wire.AppendQuotedBytes(dst, args)
	copy(dst[from:], dst[from+1:len(dst)-1])
	return dst[:len(dst)-2]
}

// invocation appends the open item, a call.
func (e *encoder) invocation(dst []byte, c *invocation, status string) []byte {
	dst = append(append(dst, `{"id":"`...), e.id...)
	if c.custom {
		dst = append(dst, `","type":"custom_tool_call","status":"`...)
	} else {
		dst = append(dst, `","type":"function_call","status":"`...)
	}
	dst = append(append(append(dst, status...), `","call_id":"`...), c.id...)
	if dst = append(dst, '"'); c.space != "" {
		dst = wire.AppendQuoted(append(dst, `,"namespace":`...), c.space)
	}
	dst = wire.AppendQuotedBytes(append(dst, `,"name":`...), c.name)
	dst = append(append(append(dst, `,"`...), c.member()...), `":"`...)
	if status != "in_progress" {
		dst = append(dst, e.text...)
	}
	return append(dst, `"}`...)
}

// draw writes a picture.
func (e *encoder) draw(dst []byte, p *said) []byte {
	dst = e.close(dst)
	format, ok := bytes.CutPrefix(p.mime, []byte("image/"))
	if !ok || len(format) == 0 {
		format = []byte("png")
	}
	e.start(nothing, "ig_")
	item := func(dst []byte, status string, result []byte) []byte {
		dst = append(append(append(dst, `{"id":"`...), e.id...), `","type":"image_generation_call","status":"`...)
		dst = append(append(append(dst, status...), `","output_format":"`...), format...)
		if dst = append(dst, `","result":`...); result == nil {
			return append(dst, "null}"...)
		}
		return append(append(append(dst, '"'), result...), `"}`...)
	}
	dst = e.added(dst, item(nil, "in_progress", nil))
	dst = e.tell(dst, "response.image_generation_call.in_progress")
	dst = e.tell(dst, "response.image_generation_call.generating")
	dst = e.tell(dst, "response.image_generation_call.completed")
	return e.done(dst, item(make([]byte, 0, len(p.text)+160), "completed", p.text))
}
