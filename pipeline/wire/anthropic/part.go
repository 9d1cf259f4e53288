package anthropic

import (
	"bytes"

	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// kind is what a part of the answer is, and the block that it belongs into.
type kind uint8

const (
	nothing kind = iota
	text
	thinking
	call
	blob // in a text block, like the two that follow
	code // executableCode
	ran  // codeExecutionResult
)

// part is a part of the answer; its slices are parts of the event.
type part struct {
	kind  kind
	value []byte // inside of a text, or the raw object
	sign  []byte // thoughtSignature, raw
}

// readPart reads the part that the cursor stands on, and tells with false that there is nothing in it
// for a client.
func readPart(c *wire.Cursor) (p part, ok bool) {
	hidden := false
	for in := c.Object(); in && c.Member(); {
		kind := text
		switch string(c.Key) {
		case "text":
			if p.kind != nothing && p.kind != text { // an empty text beside a call does not hide it
				c.Skip()
				continue
			}
		case "inlineData":
			kind = blob
		case "executableCode":
			kind = code
		case "codeExecutionResult":
			kind = ran
		case "functionCall":
			kind = call
		case "thought":
			hidden, _ = wire.Bool(c.Value())
			continue
		case "thoughtSignature":
			p.sign = c.Value()
			continue
		default:
			c.Skip()
			continue
		}
		p.kind, p.value = kind, c.Value()
	}
	switch p.kind {
	case nothing:
		return p, false
	case text:
		p.value, ok = wire.Inside(p.value)
		if ok = ok && len(p.value) > 0; hidden {
			p.kind = thinking
			ok = ok || len(p.sign) > 0
		}
		return p, ok
	}
	// Drafts of pictures are no part of the answer, and too large for a thought.
	return p, (!hidden || p.kind == call) && wire.KindOf(p.value) == wire.KindObject
}

// part appends what a part means.
func (e *encoder) part(dst []byte, p *part) []byte {
	switch p.kind {
	case call:
		return e.call(dst, p.value)
	case thinking:
		return e.thought(dst, p)
	}
	dst = e.piece(e.block(dst, text))
	begin := len(dst)
	switch p.kind {
	case text:
		dst = append(dst, p.value...)
	case blob:
		dst = gemini.InlinedOf(p.value).AppendMarkdown(dst)
	case code:
		dst = gemini.AppendCode(dst, p.value)
	case ran:
		dst = gemini.AppendCodeResult(dst, p.value)
	}
	e.look(dst[begin:])
	return e.pieced(dst)
}

// look finds what would break the lines of the stream. What is copied is not checked whole, which
// would cost as much again as the rest; but no string of JSON has a raw line end.
func (e *encoder) look(copied []byte) {
	if bytes.IndexByte(copied, '\n') >= 0 || bytes.IndexByte(copied, '\r') >= 0 {
		e.broken = true
	}
}

func (e *encoder) thought(dst []byte, p *part) []byte {
	if len(p.value) > 0 {
		dst = e.piece(e.block(dst, thinking))
		dst = append(dst, p.value...)
		e.look(p.value)
		dst = e.pieced(dst)
	}
	if sign, ok := wire.Inside(p.sign); ok && e.open == thinking {
		e.look(sign)
		e.sign = append(e.sign[:0], sign...)
	}
	return dst
}
