package responses

import (
	"bytes"

	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// view is what an event says, by kind; its slices are parts of the event.
type view struct {
	parts   []said
	finish  []byte
	ground  []byte // groundingMetadata
	usage   gemini.Usage
	answers bool // there is a candidate
	blocked bool
}

// said is one part of an answer.
type said struct {
	kind saidKind
	text []byte // inside of a string: a text, code, the output of code, the data of a picture
	mime []byte // inside of a string: of a picture; how code ended
	call []byte // functionCall
	sign []byte // inside of a string: thoughtSignature
}

type saidKind uint8

const (
	aText saidKind = iota
	aThought
	aPicture
	aCode
	aCodeResult
	aCall
)

// read takes the first candidate of an event apart. False when the event is cut, or no text that may
// stand in a line.
func (v *view) read(data []byte) bool {
	c := wire.CursorOf(data)
	for c.Member() {
		switch string(c.Key) {
		case "candidates":
			for in := c.Array(); in && c.Element(); {
				if v.answers { // one answer is all that this format has
					c.Skip()
					continue
				}
				v.answers = true
				v.candidate(&c)
			}
		case "usageMetadata":
			v.usage = gemini.UsageOf(c.Value())
		case "promptFeedback":
			v.blocked = wire.Get(c.Value(), "blockReason") != nil
		default:
			c.Skip()
		}
	}
	if c.Broken() {
		return false
	}
	for i := range v.parts {
		if p := &v.parts[i]; !line(p.text) || !line(p.mime) || !line(p.sign) {
			return false
		}
	}
	return true
}

// line tells that the inside of a string is none that breaks the lines of a stream. Nothing else of
// it is checked, which would cost as much again as the rest.
func line(inner []byte) bool {
	return bytes.IndexByte(inner, '\n') < 0 && bytes.IndexByte(inner, '\r') < 0
}

func (v *view) candidate(c *wire.Cursor) {
	for in := c.Object(); in && c.Member(); {
		switch string(c.Key) {
		case "finishReason":
			v.finish, _ = wire.Inside(c.Value())
		case "groundingMetadata":
			v.ground = c.Value()
		case "content":
			for in := c.Object(); in && gemini.IntoParts(c); {
				for c.Element() {
					if p, ok := readSaid(c); ok {
						v.parts = append(v.parts, p)
					}
				}
			}
		default:
			c.Skip()
		}
	}
}

// readSaid tells with false that there is nothing in the part for a client.
func readSaid(c *wire.Cursor) (p said, ok bool) {
	hidden := false
	for in := c.Object(); in && c.Member(); {
		switch string(c.Key) {
		case "text":
			v := c.Value()
			if ok && p.kind != aText { // an empty text beside a call does not hide it
				continue
			}
			p.text, ok = wire.Inside(v)
		case "thought":
			hidden, _ = wire.Bool(c.Value())
		case "thoughtSignature":
			p.sign, _ = wire.Inside(c.Value())
		case "functionCall":
			p.kind, p.call, p.text, ok = aCall, c.Value(), nil, true
		case "inlineData":
			v := c.Value()
			p.kind, ok = aPicture, true
			p.mime, _ = wire.Inside(wire.Get(v, "mimeType"))
			p.text, _ = wire.Inside(wire.Get(v, "data"))
		case "executableCode":
			p.kind, ok = aCode, true
			p.text, _ = wire.Inside(wire.Get(c.Value(), "code"))
		case "codeExecutionResult":
			v := c.Value()
			p.kind, ok = aCodeResult, true
			p.mime, _ = wire.Inside(wire.Get(v, "outcome"))
			p.text, _ = wire.Inside(wire.Get(v, "output"))
		default:
			c.Skip()
		}
	}
	if p.kind == aText {
		if hidden {
			p.kind = aThought
		}
		return p, ok && len(p.text) > 0
	}
	// Drafts of pictures are no part of the answer, and too large for a thought.
	return p, ok && (!hidden || p.kind == aCall)
}
