package antitrunc

import (
	"bytes"

	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// slot is what becomes of one part of an event.
type slot struct {
	before []byte // text that goes out before it
	text   []byte // of a text: what is left of it
	kind   kind
}

// kind is what a part is to this stage.
type kind uint8

const (
	other   kind = iota
	words        // text of the answer
	thought      // not shown in a continuation
	hollow       // a text of which nothing is left
)

// view is what an event has in it, and what of it changes.
type view struct {
	finish  []byte
	usage   []byte
	blocked []byte // why the prompt was refused
	beside  bool   // metadata of the answer
	shown   bool   // something is left to show
	edited  bool
}

// mostKept is more than an event has that is worth keeping for what stands beside its text.
const mostKept = 16 << 10

// take reads an event in full.
func (s *stream) take(data []byte) []byte {
	s.try.settle()
	v := s.look(data)
	if v.usage != nil {
		s.try.count(v.usage)
	}
	if len(v.blocked) > 0 {
		if s.tries > 1 && len(s.answer.B) > 1 {
			return s.block(data, v.blocked)
		}
		s.try.blocked = true
	}
	if v.finish == nil && !s.try.finished {
		if len(data) <= mostKept {
			s.try.last = append(s.try.last[:0], data...)
		}
		switch {
		case !v.edited && s.tries == 1:
			return data
		case !v.shown && !v.beside && len(v.blocked) == 0:
			s.untold = s.untold || v.usage != nil
			return nil
		}
		usage := asIs
		if s.tries > 1 {
			usage = summed
		}
		s.out = s.appendEvent(s.out, data, writing{parts: true, members: true, usage: usage})
		return s.out
	}
	return s.finish(data, &v)
}

// finish takes an event with the finish reason, or one behind it: what it shows goes out at once, the rest
// when the attempt is over.
func (s *stream) finish(data []byte, v *view) []byte {
	t := &s.try
	if v.finish != nil && t.finish == "" {
		t.finish = string(v.finish)
	}
	s.untold = true
	if !t.finished {
		t.finished, t.asIs = true, v.finish != nil && !v.shown && !v.edited
		t.last = append(t.last[:0], data...)
	} else {
		t.asIs = false
		t.last = merged(t.last, data)
	}
	if !v.shown {
		return nil
	}
	s.out = s.appendEvent(s.out, data, writing{parts: true})
	return s.out
}

// block ends an answer whose continuation is refused: what was said stands, and its end has the reason.
func (s *stream) block(data, reason []byte) []byte {
	t := &s.try
	if t.finish = string(reason); !gemini.Filtered(reason) { // no word of Google's for the end of an answer
		t.finish = "PROHIBITED_CONTENT"
	}
	t.finished, s.untold = true, true
	t.last = append(t.last[:0], data...)
	return nil
}

// merged is one event of two. What cannot be read adds nothing.
func merged(a, b []byte) []byte {
	var g gemini.Gather
	if g.Add(a) != nil || g.Add(b) != nil {
		return a
	}
	return g.Append(nil)
}

// look reads the event and says its text. Of several candidates the first one counts.
func (s *stream) look(data []byte) (v view) {
	s.slots = s.slots[:0]
	for o := wire.ObjectOf(data); o.Next(); {
		switch {
		case o.Is("candidates"):
			if a := wire.ArrayOf(o.Value); a.Next() {
				s.candidate(&v, data, a.Value)
			}
		case o.Is("usageMetadata"):
			if wire.KindOf(o.Value) == wire.KindObject {
				v.usage = o.Value
			}
		case o.Is("promptFeedback"):
			v.blocked, _ = wire.Inside(wire.Get(o.Value, "blockReason"))
		}
	}
	return v
}

func (s *stream) candidate(v *view, data, candidate []byte) {
	for o := wire.ObjectOf(candidate); o.Next(); {
		switch {
		case o.Is("content"):
			for a := wire.ArrayOf(wire.Get(o.Value, "parts")); a.Next(); {
				s.part(v, data, a.Value)
			}
		case o.Is("finishReason"):
			if reason, ok := wire.Inside(o.Value); ok && len(reason) > 0 {
				v.finish = reason
			}
		case isBeside(o.Key):
			v.beside = v.beside || wire.Filled(o.Value)
			s.try.beside.keep(o.Key, o.Value, s.shift())
		}
	}
}

func (s *stream) part(v *view, data, raw []byte) {
	p := gemini.PartOf(raw)
	text, isText := wire.Inside(p.Text)
	at := slot{kind: other}
	switch {
	case p.Thought:
		at.kind = thought
		v.shown = v.shown || s.tries == 1
	case isText:
		s.learn(data, raw, p.Text)
		at.kind, at.text = words, s.say(text)
		if !same(at.text, text) {
			v.edited = true
		}
		if len(at.text) == 0 && len(text) > 0 && p.Signature == nil && p.Others == 0 {
			at.kind = hollow
		}
		v.shown = v.shown || len(at.text) > 0 || p.Signature != nil
	default:
		s.try.call = s.try.call || p.Call != nil
		s.try.data = true
		at.before = s.release()
		v.edited = v.edited || len(at.before) > 0
		v.shown = true
	}
	s.slots = append(s.slots, at)
}

// mostPrefix is more than stands before the text of any event.
const mostPrefix = 1 << 10

// learn keeps what stands before the first text of an event, if that is all there is to its part: an event
// that begins in the same way has its text in the same place.
func (s *stream) learn(data, part, text []byte) {
	at := cap(data) - cap(text)
	if len(s.slots) > 0 || at >= mostPrefix || cap(part)-cap(text) > len(`{ "text": `) {
		return
	}
	if prefix := data[:at+1]; s.frame == nil || !bytes.Equal(s.frame.prefix, prefix) {
		s.share(&frame{prefix: bytes.Clone(prefix)})
	}
}

// shift is how far places in the text of this attempt are from those in the answer.
func (s *stream) shift() int {
	if s.tries == 1 {
		return 0
	}
	return s.before - s.seam.again
}
