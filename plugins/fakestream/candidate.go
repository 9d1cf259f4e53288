package fakestream

import (
	"bytes"

	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// candidate is one answer of a reply while it is being cut.
type candidate struct {
	raw    []byte
	place  int
	number []byte // its index as written; nil when it has none
	role   []byte // nil when it has none
	parts  []byte // the raw list; nil when there is no part to give by itself

	list wire.Array // of parts, behind the one that follows
	next []byte     // the part that follows, nil behind the last one
	part part
	said bool // all parts were given
}

// part is one part while it is being cut.
type part struct {
	raw     []byte
	more    [][]byte // the calls behind a call
	text    []byte   // what is left of the inside of its text; nil when it goes as it is
	thought []byte   // raw, nil when it says nothing of that; every piece needs it
	begun   bool     // a piece of the text was given
	around  int      // bytes beside the text
	call    bool
}

// piece is what one event has of a candidate.
type piece struct {
	raw     []byte // the part; nil for none
	more    [][]byte
	text    []byte // nil when the part goes as it is
	thought []byte
	around  int  // bytes of the part beside its text
	last    bool // of its part
	end     bool // of its candidate
}

// candidateOf reads the frame of a candidate; false for one with members that may be taken for others.
// What was scanned has no broken objects.
func candidateOf(raw []byte) (c candidate, ok bool) {
	c.raw = raw
	content := false
	for o := wire.ObjectOf(raw); o.Next(); {
		switch {
		case bytes.IndexByte(o.Key, '\\') >= 0:
			return c, false
		case string(o.Key) == "index":
			if c.number != nil || gemini.Index(raw, -1) < 0 {
				return c, false
			}
			c.number = o.Value
		case string(o.Key) == "content":
			if content || !c.readContent(o.Value) {
				return c, false
			}
			content = true
		}
	}
	return c, wire.KindOf(raw) == wire.KindObject
}

func (c *candidate) readContent(v []byte) (ok bool) {
	if wire.KindOf(v) != wire.KindObject {
		return true // it goes as it is
	}
	var parts []byte
	for o := wire.ObjectOf(v); o.Next(); {
		switch {
		case bytes.IndexByte(o.Key, '\\') >= 0:
			return false
		case string(o.Key) == "role":
			if c.role != nil {
				return false
			}
			c.role = o.Value
		case string(o.Key) == "parts":
			if parts != nil {
				return false
			}
			parts = o.Value
		}
	}
	if a := wire.ArrayOf(parts); wire.KindOf(parts) == wire.KindArray && a.Next() {
		c.parts = parts
	}
	return true
}

// begin opens the first part.
func (c *candidate) begin(place int) {
	if c.place = place; c.parts == nil {
		return
	}
	c.list = wire.ArrayOf(c.parts)
	c.list.Next()
	c.next = c.list.Value
	c.open()
}

// open goes on with the part that follows. Calls that follow each other stay together: the model makes
// them in one step, of which the first is signed, and Google's own clients keep each event as a turn of
// its own, where Google misses the signature of the others.
func (c *candidate) open() {
	c.part = partOf(c.next)
	c.following()
	for c.part.call && c.next != nil && partOf(c.next).call {
		c.part.more = append(c.part.more, c.next)
		c.part.around += len(c.next) + 1
		c.following()
	}
}

func (c *candidate) following() {
	if c.next = nil; c.list.Next() {
		c.next = c.list.Value
	}
}

// take gives the next piece of so many characters at most, or the part that is not to be cut; apart, the
// end has none.
func (c *candidate) take(chunk int, apart bool) piece {
	if c.parts == nil || c.said {
		return piece{end: true}
	}
	t := &c.part
	p := piece{raw: t.raw, more: t.more, thought: t.thought, around: t.around}
	if n := cutText(t.text, chunk); n < len(t.text) {
		p.text, t.text, t.begun = t.text[:n], t.text[n:], true
		return p
	}
	if p.last = true; t.begun {
		p.text = t.text
	}
	if c.next != nil {
		c.open()
	} else {
		c.said, p.end = true, !apart
	}
	return p
}

// partOf reads a part. Only one that is text, with at most what says that it is a thought and what signs
// it, is cut.
func partOf(raw []byte) part {
	whole := part{raw: raw}
	if wire.KindOf(raw) != wire.KindObject {
		return whole
	}
	p, plain := whole, true
	for o := wire.ObjectOf(raw); o.Next(); {
		switch string(o.Key) {
		case "text":
			inner, ok := wire.Inside(o.Value)
			plain = plain && ok && p.text == nil
			p.text = inner
		case "thought":
			plain = plain && wire.KindOf(o.Value) == wire.KindBool && p.thought == nil
			p.thought = o.Value
		case "thoughtSignature":
			plain = plain && wire.KindOf(o.Value) == wire.KindString
		case "functionCall":
			whole.call, plain = true, false
		default:
			plain = false
		}
	}
	if !plain {
		return whole
	}
	p.around = len(raw) - len(p.text)
	return p
}

// append appends the part of an event. The signature of a text that was cut goes with its last piece.
func (p *piece) append(dst []byte) []byte {
	if p.text == nil {
		dst = append(dst, p.raw...)
		for _, call := range p.more {
			dst = append(append(dst, ','), call...)
		}
		return dst
	}
	dst = append(append(append(dst, `{"text":"`...), p.text...), '"')
	switch {
	case p.last:
		for o := wire.ObjectOf(p.raw); o.Next(); {
			if string(o.Key) != "text" {
				dst = append(wire.Key(dst, o.Key), o.Value...)
			}
		}
	case p.thought != nil:
		dst = append(append(dst, `,"thought":`...), p.thought...)
	}
	return append(dst, '}')
}
