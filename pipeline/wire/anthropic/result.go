package anthropic

import (
	"strconv"

	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// result is the text of a tool_result.
type result struct{ text []byte }

func (r *result) put(inner []byte) {
	if len(r.text) > 0 {
		r.text = append(r.text, `\n`...)
	}
	r.text = append(r.text, inner...)
}

// takeResult writes a tool_result.
func (d *dialogue) takeResult(b *block) *fault {
	if wire.KindOf(b.use) != wire.KindString {
		return &fault{".tool_use_id", "must be a string"}
	}
	failed, ok := false, true
	if wire.Given(b.failed) {
		failed, ok = wire.Bool(b.failed)
	}
	if !ok {
		return &fault{".is_error", "must be true or false"}
	}
	d.room.text = d.room.text[:0]
	text := d.room.text
	switch wire.KindOf(b.content) {
	case wire.KindNone, wire.KindNull:
	case wire.KindString:
		text, _ = wire.Inside(b.content)
	case wire.KindArray:
		d.result = &d.room
		bad := d.resultBlocks(b.content)
		d.result = nil
		if bad != nil {
			return bad.under(".content")
		}
		text = d.room.text
	default:
		return &fault{".content", "must be a string or a list of blocks"}
	}
	d.scratch[0] = wire.AppendText(d.scratch[0][:0], b.use)
	d.scratch[1] = gemini.AppendResponse(d.scratch[1][:0], text, failed)
	d.Turn(gemini.User)
	if !d.Result(d.scratch[0], d.scratch[1]) {
		return &fault{".tool_use_id", "answers no tool_use of the message before it"}
	}
	d.said = true
	return nil
}

// resultBlocks reads the list of blocks of a result.
func (d *dialogue) resultBlocks(v []byte) *fault {
	for a, i := wire.ArrayOf(v), 0; a.Next(); i++ {
		b, bad := readBlock(a.Value)
		if bad == nil {
			bad = d.piece(&b)
		}
		if bad != nil {
			return bad.under("[" + strconv.Itoa(i) + "]")
		}
	}
	return nil
}

// attach writes a picture or file of a result. It stands behind all results, and words in both places
// tell which belongs to which.
func (d *dialogue) attach(part []byte) {
	d.shown++
	mark := append(strconv.AppendInt([]byte("[attachment "), int64(d.shown), 10), ']')
	d.result.put(mark)
	d.Attach(append(append([]byte(`{"text":"`), mark...), `"}`...))
	d.Attach(part)
}
