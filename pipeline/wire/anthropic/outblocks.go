package anthropic

import (
	"strconv"

	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// unsigned is the signature of thoughts that have none: clients take an empty one for a fault.
const unsigned = "gcli2api"

// block makes sure that a block of this kind is open.
func (e *encoder) block(dst []byte, k kind) []byte {
	if e.open == k {
		return dst
	}
	dst = e.close(dst)
	e.open = k
	switch {
	case e.whole && k == thinking:
		return append(wire.Comma(dst), `{"type":"thinking","thinking":"`...)
	case e.whole:
		return append(wire.Comma(dst), `{"type":"text","text":"`...)
	case k == thinking:
		return append(e.begin(dst), `{"type":"thinking","thinking":"","signature":""}}`+"\n\n"...)
	}
	return append(e.begin(dst), `{"type":"text","text":""}}`+"\n\n"...)
}

// begin opens a content_block_start, up to the block itself.
func (e *encoder) begin(dst []byte) []byte {
	dst = append(dst, "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":"...)
	return append(strconv.AppendInt(dst, int64(e.index), 10), `,"content_block":`...)
}

// delta opens a content_block_delta, up to the delta itself.
func (e *encoder) delta(dst []byte) []byte {
	dst = append(dst, "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":"...)
	return append(strconv.AppendInt(dst, int64(e.index), 10), `,"delta":`...)
}

// piece opens a string of the open block, pieced closes it.
func (e *encoder) piece(dst []byte) []byte {
	switch {
	case e.whole:
		return dst
	case e.open == thinking:
		return append(e.delta(dst), `{"type":"thinking_delta","thinking":"`...)
	}
	return append(e.delta(dst), `{"type":"text_delta","text":"`...)
}

func (e *encoder) pieced(dst []byte) []byte {
	if e.whole {
		return dst
	}
	return append(dst, "\"}}\n\n"...)
}

// close closes the block that is open.
func (e *encoder) close(dst []byte) []byte {
	switch {
	case e.open == nothing:
		return dst
	case e.open == thinking && e.whole:
		dst = append(e.appendSign(append(dst, `","signature":"`...)), `"}`...)
	case e.open == thinking:
		dst = append(e.delta(dst), `{"type":"signature_delta","signature":"`...)
		dst = e.pieced(e.appendSign(dst))
	case e.whole:
		dst = append(dst, `","citations":null}`...)
	}
	return e.closed(dst)
}

// closed ends the block, whatever was in it.
func (e *encoder) closed(dst []byte) []byte {
	if !e.whole {
		dst = append(dst, "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":"...)
		dst = append(strconv.AppendInt(dst, int64(e.index), 10), "}\n\n"...)
	}
	e.open = nothing
	e.index++
	return dst
}

func (e *encoder) appendSign(dst []byte) []byte {
	if len(e.sign) == 0 {
		return append(dst, unsigned...)
	}
	dst = append(dst, e.sign...)
	e.sign = e.sign[:0]
	return dst
}

// call appends a tool_use, which Google gives in one piece.
func (e *encoder) call(dst, v []byte) []byte {
	c := gemini.CalledOf(v)
	e.look(c.ID)
	e.look(c.Name)
	if dst = e.close(dst); e.whole {
		dst = wire.Comma(dst)
	} else {
		dst = e.begin(dst)
	}
	dst = append(dst, `{"type":"tool_use","id":"`...)
	if len(c.ID) > 0 {
		dst = append(dst, c.ID...)
	} else {
		dst = append(append(dst, "toolu_"...), e.id...)
		dst = strconv.AppendInt(append(dst, '_'), int64(e.calls), 10)
	}
	dst = append(append(append(dst, `","name":"`...), c.Name...), `","input":`...)
	e.calls++
	if e.whole {
		return e.closed(append(append(dst, c.Object()...), '}'))
	}
	dst = append(e.delta(append(dst, "{}}}\n\n"...)), `{"type":"input_json_delta","partial_json":`...)
	dst = append(wire.AppendQuotedBytes(dst, c.Object()), "}}\n\n"...)
	return e.closed(dst)
}

// objectOrNil is the value when it is an object.
func objectOrNil(v []byte) []byte {
	if wire.KindOf(v) != wire.KindObject {
		return nil
	}
	return v
}
