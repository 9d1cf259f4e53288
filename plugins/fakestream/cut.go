package fakestream

import (
	"io"
	"strconv"

	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// cut is an answer in one piece as a stream. The events are made one by one from the bytes of the
// answer, which belong to whoever fetched it and stay until the exchange ends.
//
// Each event has one part, or a piece of one that is text, with what Google repeats in every event:
// role, index, modelVersion and responseId. Everything else goes with the last event of its candidate,
// or of the stream. Joined again (gemini.Gather) the events are the answer.
//
// Whether the last event of a candidate has its last part as well is the client's matter: those of Google
// do not keep a turn with an event that has no part, those of OpenAI hear of the end of a call, and of a
// text, by a last chunk that says nothing else.
type cut struct {
	body    []byte // nil at the end
	chunk   int    // characters in a piece of text
	apart   bool   // the last event of a candidate has no part
	members []wire.Member
	room    [8]wire.Member // for members: few answers have more

	list wire.Array // of candidates, behind the one that follows
	next []byte     // the candidate that follows, nil behind the last one
	now  candidate  // the one being cut; empty when the answer is one event
	buf  wire.Buffer
}

// newCut cuts body into events with texts of so many characters; apart is for clients to whom the end comes
// by itself. An answer without candidates, and one
// that is written as no honest one is, becomes a single event.
func newCut(body []byte, chunk int, apart bool) *cut {
	c := &cut{body: body, chunk: chunk, apart: apart}
	var err error
	if c.members, err = wire.Scan(body, c.room[:0]); err != nil || !c.regular() {
		return c
	}
	c.list = gemini.Candidates(body)
	if c.list.Next() {
		c.next = c.list.Value
		c.advance(0)
	}
	return c
}

// regular tells that no member on the way to the parts may be taken for another.
func (c *cut) regular() bool {
	for i := range c.members {
		if c.members[i].Escaped {
			return false
		}
	}
	if _, twice := wire.Duplicate(c.members); twice {
		return false
	}
	a := gemini.Candidates(c.body)
	for a.Next() {
		if _, ok := candidateOf(a.Value); !ok {
			return false
		}
	}
	return a.Err() == nil
}

// advance begins with the candidate that follows.
func (c *cut) advance(place int) {
	c.now, _ = candidateOf(c.next)
	c.now.begin(place)
	if c.next = nil; c.list.Next() {
		c.next = c.list.Value
	}
}

// Next makes the next event. All of them are in memory, and the server packs what it writes.
func (c *cut) Next() (wire.Event, error) {
	switch {
	case c.body == nil:
		return wire.Event{}, io.EOF
	case c.now.raw == nil:
		data := c.body
		c.body = nil
		return wire.Event{Data: data}, nil
	}
	p := c.now.take(c.chunk, c.apart)
	wire.Buffers.Put(&c.buf)
	wire.Buffers.Lend(&c.buf, c.size(&p))
	switch {
	case !p.end:
		c.buf.B = c.appendInner(c.buf.B, &p)
	case c.next != nil:
		c.buf.B = c.appendInner(c.buf.B, &p)
		c.advance(c.now.place + 1)
	default:
		c.buf.B = c.appendLast(c.buf.B, &p)
		c.body = nil
	}
	return wire.Event{Data: c.buf.B, More: c.body != nil}, nil
}

// Close gives the last event back.
func (c *cut) Close() error {
	c.body = nil
	wire.Buffers.Put(&c.buf)
	return nil
}

// frame is more than what an event has around the bytes that are counted one by one.
const frame = 128

// size is the room that an event takes.
func (c *cut) size(p *piece) int {
	n := frame + len(p.text) + p.around + len(c.now.role) + len(c.now.number)
	if p.text == nil {
		n += len(p.raw)
	}
	if p.end {
		n += len(c.now.raw) - len(c.now.parts)
	}
	if p.end && c.next == nil {
		return n + len(c.body) - len(c.members[wire.Find(c.members, "candidates")].Value)
	}
	for i := range c.members {
		if m := &c.members[i]; repeated(m) {
			n += m.End - m.Start
		}
	}
	return n
}

// repeated are the members of an answer that Google sends with every event.
func repeated(m *wire.Member) bool {
	return string(m.Key) == "modelVersion" || string(m.Key) == "responseId"
}

// appendInner appends an event that others follow.
func (c *cut) appendInner(dst []byte, p *piece) []byte {
	dst = append(c.now.append(append(dst, `{"candidates":[`...), p), ']')
	for i := range c.members {
		if m := &c.members[i]; repeated(m) {
			dst = append(wire.Key(dst, m.Key), m.Value...)
		}
	}
	return append(dst, '}')
}

// appendLast appends the last event, with all that the answer has beside its candidates.
func (c *cut) appendLast(dst []byte, p *piece) []byte {
	dst = append(dst, '{')
	for i := range c.members {
		m := &c.members[i]
		if dst = wire.Key(dst, m.Raw(c.body)); string(m.Key) == "candidates" {
			dst = append(c.now.append(append(dst, '['), p), ']')
		} else {
			dst = append(dst, m.Value...)
		}
	}
	return append(dst, '}')
}

// append appends the candidate with a piece of it.
func (c *candidate) append(dst []byte, p *piece) []byte {
	if dst = append(dst, '{'); p.end {
		for o := wire.ObjectOf(c.raw); o.Next(); {
			if dst = wire.Key(dst, o.Key); string(o.Key) == "content" && c.parts != nil {
				dst = appendContent(dst, o.Value, p)
			} else {
				dst = append(dst, o.Value...)
			}
		}
	} else {
		dst = append(p.append(append(dst, `"content":{"parts":[`...)), ']')
		if c.role != nil {
			dst = append(append(dst, `,"role":`...), c.role...)
		}
		if dst = append(dst, '}'); c.number != nil {
			dst = append(append(dst, `,"index":`...), c.number...)
		}
	}
	if c.number == nil && c.place > 0 {
		dst = strconv.AppendInt(wire.Key(dst, "index"), int64(c.place), 10)
	}
	return append(dst, '}')
}

// appendContent appends a whole content but for its parts, of which it has a piece or none.
func appendContent(dst, content []byte, p *piece) []byte {
	dst = append(dst, '{')
	for o := wire.ObjectOf(content); o.Next(); {
		switch {
		case string(o.Key) != "parts":
			dst = append(wire.Key(dst, o.Key), o.Value...)
		case p.raw != nil:
			dst = append(p.append(append(wire.Key(dst, o.Key), '[')), ']')
		}
	}
	return append(dst, '}')
}
