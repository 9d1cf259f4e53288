package antitrunc

import (
	"bytes"
	"io"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// attempt is what came of one call.
type attempt struct {
	text, call, data bool
	finished         bool
	fresh            bool   // the tokens of the last event were not counted yet
	blocked          bool   // Google refused the prompt
	asIs             bool   // the event with the finish reason can go out as it came
	hopeless         bool   // it would break off again
	last             []byte // the last event: the one with the finish reason, and what came behind it; of a plain one its end, as an object

	finish string // the finish reason
	err    error  // why it broke off
	usage  gemini.Usage
	raw    []byte // the last usageMetadata
	beside beside
}

// count takes over the tokens of an event: they are those of the attempt so far.
func (a *attempt) count(usage []byte) {
	a.usage.Merge(gemini.UsageOf(usage))
	a.raw = append(a.raw[:0], usage...)
	a.fresh = false
}

// settle counts what plain events were not asked for while they came.
func (a *attempt) settle() {
	if !a.fresh {
		return
	}
	if v := wire.Get(a.last, "usageMetadata"); wire.KindOf(v) == wire.KindObject {
		a.count(v)
	}
}

// stopped tells that the model ended the attempt by itself.
func (a *attempt) stopped() bool { return a.err == nil && a.finish == "STOP" }

// closing is what an attempt leaves behind.
type closing struct {
	held           // what the carry has
	late    []byte // text that was still taken for a repetition, and is none
	said    bool   // there is more than white space
	carry   *carry // as it is with that text
	pending bool   // all text of the attempt waited for the seam
}

// over ends an attempt: with the end of the answer, or with another attempt.
func (s *stream) over(err error) []byte {
	s.room, s.out = s.room[:0], s.out[:0]
	if err != io.EOF {
		s.try.err = err
	}
	s.try.settle()
	if s.x.Context().Err() != nil { // nobody listens any more
		if s.ended = err; err == io.EOF {
			s.ended = apierror.New(apierror.ClientGone, "the request was cancelled")
		}
		return nil
	}
	c := s.close()
	whole := s.whole(&c)
	if !whole && !s.done(&c) && s.tries < s.MaxAttempts {
		s.again(&c)
		return nil
	}
	return s.end(&c, whole)
}

// close looks at what is still held. What waits for the seam is looked at through a copy of the carry:
// should there be another attempt, it never came.
func (s *stream) close() closing {
	c := closing{carry: &s.carry, pending: s.seamed && s.seam.waiting()}
	if c.pending {
		c.carry = s.carry.clone()
		c.late, s.room = c.carry.add(s.room, s.seam.settle())
	}
	c.held, c.said = c.carry.end(), c.carry.said
	return c
}

// whole tells that the model has said that the answer is.
func (s *stream) whole(c *closing) bool {
	if c.mark == marked {
		return true
	}
	// Asked to go on behind the mark in its last line, it had nothing to add.
	return s.inline && !c.said && !s.try.call && (s.try.stopped() || s.try.err != nil && apierror.From(s.try.err).Code == apierror.EmptyAnswer)
}

// done tells an attempt that no other one shall follow.
func (s *stream) done(c *closing) bool {
	a := &s.try
	switch {
	case a.call, a.blocked, a.hopeless:
		return true
	case a.err == nil && a.finish != "" && a.finish != "STOP" && a.finish != "MAX_TOKENS":
		return true
	case a.stopped():
		return s.stops || a.data || s.Relaxed && a.text && endsWell(s.ending(c))
	}
	return false
}

// ending is the answer as it would end here, decoded.
func (s *stream) ending(c *closing) []byte {
	if c.mark == inline {
		return s.said(c.late, c.space)
	}
	return s.said(c.late, c.space, c.rest)
}

// again takes leave of an attempt that another one follows. Of what is held the beginning of the mark is
// forgotten: the model writes it again.
func (s *stream) again(c *closing) {
	if c.said {
		rest := c.rest
		if c.pending {
			rest = s.seam.held[s.seam.cut:]
		}
		s.lost = append(s.lost[:0], rest...)
		s.inline = c.mark == inline && s.try.stopped()
	}
	s.carry.next()
	s.total = add(s.total, s.try.usage)
	s.past.join(&s.try.beside)
	s.due = true
}

// resume makes the next attempt: it goes on behind the text so far.
func (s *stream) resume() {
	s.due = false
	s.tries++
	_ = s.inner.Close()
	text := s.said(s.carry.held)
	how := asking{end: text, prefill: s.Continue == prefill && s.try.text && s.prefills(s.x.Model)}
	if len(bytes.TrimSpace(text)) > 0 {
		how.answer = s.quoted(s.carry.held)
		if wire.NotText(how.answer) >= 0 { // half a character at the end: Google would refuse it
			how.answer = wire.AppendQuotedBytes(nil, text)
		}
	}
	s.ask(s.x, s.first, how)
	s.x.Resumes = len(how.answer) > 0
	s.seam.open(text)
	s.seamed = s.seam.on
	s.before = len(text)
	s.try = attempt{raw: s.try.raw[:0], last: s.try.last[:0]}
	s.run()
}

// run is the call.
func (s *stream) run() {
	reply := s.rest.Run(s.x)
	switch {
	case reply.Stream != nil:
		s.inner = reply.Stream
	case reply.Err != nil:
		s.inner, s.try.hopeless = &once{err: reply.Err}, hopeless(reply.Err)
	default:
		s.inner = &once{data: reply.Body, err: io.EOF}
	}
}

// hopeless tells a refusal that the same request meets again.
func hopeless(f *apierror.Error) bool {
	return f.Status == 501 || f.Status >= 400 && f.Status < 500 && f.Status != 429 && f.Code != apierror.ClientGone
}

// once is a stream of one event, or of none.
type once struct {
	data []byte
	err  error
}

// Next gives the event, then the end.
func (o *once) Next() (wire.Event, error) {
	if data := o.data; data != nil {
		o.data = nil
		return wire.Event{Data: data}, nil
	}
	return wire.Event{}, o.err
}

// Close does nothing.
func (o *once) Close() error { return nil }

// end ends the answer: with one last event, and with the error where there is one.
func (s *stream) end(c *closing, whole bool) []byte {
	a := &s.try
	text := append([]byte(nil), c.late...)
	if !whole {
		text = append(text, c.space...)
		if c.mark != inline || !a.stopped() {
			text = append(text, c.rest...)
		}
		if !c.said && !s.inline {
			text = append(text, s.lost...)
		}
		s.unmarked()
	}
	reason := a.finish
	switch s.ended = io.EOF; {
	case a.blocked:
		reason = ""
	case (whole || a.call) && (a.err != nil || reason == "" || whole && reason == "MAX_TOKENS"):
		reason = "STOP"
	case a.err != nil:
		s.ended, reason = a.err, ""
	}
	switch {
	case reason == "" && len(text) == 0 && !s.untold:
		return nil
	case s.tries == 1 && a.asIs && len(text) == 0 && reason == a.finish:
		return a.last
	}
	s.past.join(&a.beside)
	return s.appendLast(s.out, text, reason)
}

// unmarked tells of an answer that the model never called whole.
func (s *stream) unmarked() {
	if s.tries < s.MaxAttempts || s.try.call {
		return
	}
	s.log.Info("the end mark never came", "id", s.x.In.ID, "attempts", s.tries, "finish", s.try.finish, "error", s.try.err)
}
