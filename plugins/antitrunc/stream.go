package antitrunc

import (
	"bytes"
	"io"

	"gcli2api/pipeline"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// stream is one answer over as many attempts as it takes. Event for event it looks at the text alone, and
// hands an event on as it came wherever nothing has to change.
type stream struct {
	// Between two events of a stream the processor forgets it for all the others. So what every event needs
	// stands together, in few lines of memory.
	ended  error       // what Next says from now on
	inner  wire.Stream // the attempt that runs
	tries  int
	due    bool        // the next attempt is
	more   bool        // the last event announced another one
	inline bool        // what is lost is the mark, in the last line of an answer that ended by itself
	untold bool        // tokens were spent that no event has told of
	stops  bool        // the client has stop sequences: a stop may be what it asked for
	seamed bool        // seam holds what comes
	frame  *frame      // of plain events; nil while none is known
	answer wire.Buffer // all text that went out, a JSON string without its last quote
	try    attempt
	carry  carry // what may be the mark

	*stage
	x      *pipeline.Exchange
	rest   pipeline.Segment
	first  gemini.Mark  // the request of the first attempt, mended by then where Google made that necessary
	seam   seam         // what may be a repetition
	before int          // bytes of text before this attempt, decoded
	total  gemini.Usage // of the attempts before
	past   beside       // what stood beside their text
	lost   []byte       // text of an attempt that the next one is to write again
	room   []byte       // texts of the event, where they are not parts of it
	out    []byte       // the event, where it is not the one that came
	slots  []slot
}

// frame is what stands around the text of plain events. It never changes, and streams share it.
type frame struct {
	prefix []byte // up to the text, quote included
	suffix []byte // from the quote behind it to the name of usageMetadata; nil while none is known
}

// newStream takes over the reply of the first attempt.
func newStream(s *stage, x *pipeline.Exchange, rest pipeline.Segment) *stream {
	stops, _ := x.Call.GetIn("generationConfig", "stopSequences")
	n := &stream{stage: s, x: x, rest: rest, first: x.Call.Mark(), inner: x.Reply.Stream, stops: wire.Filled(stops), tries: 1, carry: newCarry(s.mark)}
	n.frame = s.usual.Load()
	wire.Buffers.Lend(&n.answer, 4096)
	n.answer.B = append(n.answer.B, '"')
	return n
}

// nudge is an event that says nothing: the one before it has announced another one, which is held back,
// and must not wait for it.
const nudge = `{"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"index":0}]}`

// Next gives the next event of the answer, whichever attempt it comes from.
func (s *stream) Next() (wire.Event, error) {
	for s.ended == nil {
		if s.due {
			s.resume()
		}
		ev, err := s.inner.Next()
		var data []byte
		if err != nil {
			data = s.over(err)
		} else {
			data = s.event(ev.Data)
		}
		if data == nil && s.more && !ev.More && s.ended == nil {
			data = []byte(nudge)
		}
		if data != nil {
			s.more = ev.More
			return wire.Event{Data: data, More: ev.More}, nil
		}
	}
	return wire.Event{}, s.ended
}

// Close stops the attempt that runs.
func (s *stream) Close() error {
	if s.ended == nil {
		s.ended = io.EOF
	}
	wire.Buffers.Put(&s.answer)
	return s.inner.Close()
}

// event gives the event as the client is to see it, nil for nothing.
func (s *stream) event(data []byte) []byte {
	if p, ok := s.plain(data); ok && !s.try.finished {
		return s.pass(data, p)
	}
	s.room, s.out = s.room[:0], s.out[:0]
	return s.take(data)
}

// plain is an event with one text and nothing else of importance, which nearly all are.
type plain struct {
	text  []byte
	rest  int    // where the event goes on behind the text, at its quote
	usage []byte // the value of usageMetadata, where it must be changed
	at    int    // where the name of that member begins, or -1
}

// plain recognises an event that begins like one that was read in full before.
func (s *stream) plain(data []byte) (p plain, ok bool) {
	if s.frame == nil || !bytes.HasPrefix(data, s.frame.prefix) {
		return p, false
	}
	n, suffix := len(s.frame.prefix), s.frame.suffix
	if p.text, ok = wire.Inner(data[n-1:]); !ok {
		return p, false
	}
	p.rest = n + len(p.text)
	if len(suffix) > 0 && bytes.HasPrefix(data[p.rest:], suffix) {
		p.at = p.rest + len(suffix) - len(usageName)
	} else if !p.find(data) {
		return p, false
	} else if p.at >= 0 {
		s.share(&frame{s.frame.prefix, bytes.Clone(data[p.rest : p.at+len(usageName)])})
	}
	if p.at >= 0 && s.tries > 1 {
		p.usage = wire.Behind(data, p.at+len(usageName))
		return p, p.usage != nil
	}
	return p, true
}

const usageName = `"usageMetadata"`

// share makes a frame that of this stream, and of those that begin after it.
func (s *stream) share(f *frame) {
	s.frame = f
	s.usual.Store(f)
}

// find looks behind the text: the candidate has to end there, with nothing of importance in it.
func (p *plain) find(data []byte) bool {
	const word = "Metadata"
	rest := data[p.rest+1:]
	candidate := rest // what is left of it
	if p.at = bytes.Index(rest, []byte(word)); p.at >= 0 {
		from, end := p.at-len(usageName)+len(word)+1, p.at+len(word)+1
		if from < 0 || end > len(rest) || string(rest[from:end]) != usageName {
			return false
		}
		candidate, p.at = rest[:from], p.rest+1+from
	}
	return closes(candidate) && !bytes.Contains(candidate, []byte("finishReason"))
}

// closes tells that a part and the list of parts are closed here.
func closes(b []byte) bool {
	for _, bracket := range [...]byte{'}', ']'} {
		i := 0
		for i < len(b) && b[i] == ' ' {
			i++
		}
		if i == len(b) || b[i] != bracket {
			return false
		}
		b = b[i+1:]
	}
	return true
}

// pass hands a plain event on: as it came, unless text is held or tokens must be added.
func (s *stream) pass(data []byte, p plain) []byte {
	if len(s.carry.held) > 0 {
		s.room = s.room[:0]
	}
	text := s.say(p.text)
	if p.at >= 0 {
		s.try.last = append(append(s.try.last[:0], '{'), data[p.at:]...)
		s.try.fresh = true
	}
	if p.usage != nil {
		s.try.count(p.usage)
	}
	switch {
	case len(text) == 0 && len(p.text) > 0:
		return nil
	case p.usage == nil && same(text, p.text):
		return data
	}
	s.out = append(append(s.out[:0], s.frame.prefix...), text...)
	if p.usage == nil {
		s.out = append(s.out, data[p.rest:]...)
		return s.out
	}
	at := cap(data) - cap(p.usage)
	s.out = appendUsage(append(s.out, data[p.rest:at]...), p.usage, s.sum())
	s.out = append(s.out, data[at+len(p.usage):]...)
	s.untold = false
	return s.out
}

// same tells that two slices are one.
func same(a, b []byte) bool { return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0]) }

// say takes text of the answer and gives what of it goes out now.
func (s *stream) say(text []byte) []byte {
	s.try.text = s.try.text || len(text) > 0
	if s.seamed {
		text = s.seam.add(text)
		if s.seamed = s.seam.on; s.seamed {
			return nil
		}
	}
	text = s.carried(text)
	s.remember(text)
	return text
}

// carried is text on its way through the carry.
func (s *stream) carried(text []byte) []byte {
	if s.carry.pass(text) {
		return text
	}
	text, s.room = s.carry.add(s.room, text)
	return text
}

// release gives what is held, to go out before a part that is no text.
func (s *stream) release() (text []byte) {
	if s.seamed {
		text, s.room = s.carry.add(s.room, s.seam.settle())
		s.seamed = false
	}
	marked := s.carry.end().mark == marked
	rest := s.carry.drop()
	if marked { // at the end of the text it is the end mark, also before a call or a picture
		rest = nil
	}
	text = append(text[:len(text):len(text)], rest...)
	s.remember(text)
	return text
}

// remember keeps what goes out. The memory for it is lent, also when it grows.
func (s *stream) remember(text []byte) {
	if len(s.answer.B)+len(text) > cap(s.answer.B) {
		var more wire.Buffer
		wire.Buffers.Lend(&more, 2*(len(s.answer.B)+len(text)))
		more.B = append(more.B, s.answer.B...)
		wire.Buffers.Put(&s.answer)
		s.answer = more
	}
	s.answer.B = append(s.answer.B, text...)
}

// said is the text that went out, with more behind it, decoded.
func (s *stream) said(more ...[]byte) []byte {
	return wire.AppendText(nil, s.quoted(more...))
}

// quoted is said as a JSON string. It is good until more text goes out.
func (s *stream) quoted(more ...[]byte) []byte {
	b := s.answer.B
	for _, m := range more {
		b = append(b, m...)
	}
	return append(b, '"')
}
