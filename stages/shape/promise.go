package shape

import (
	"bytes"
	"io"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// promise holds a stream to what a client may expect of one: something said, and a finish reason.
type promise struct {
	x      *pipeline.Exchange
	inner  wire.Stream
	said   bool // something to show has passed
	finish bool
	err    error
}

// Next passes events on and judges the end.
func (p *promise) Next() (wire.Event, error) {
	if p.err != nil {
		return wire.Event{}, p.err
	}
	ev, err := p.inner.Next()
	if err != nil {
		p.err = p.judge(err)
		return wire.Event{}, p.err
	}
	// A full look is only needed until something was said, and where an end may be.
	if !p.said || bytes.Contains(ev.Data, []byte(`"finishReason"`)) {
		if f := p.look(ev.Data); f != nil {
			p.err = f
			_ = p.inner.Close()
			return wire.Event{}, f
		}
	}
	return ev, nil
}

// look notes what the event says; an end that is an error becomes one.
func (p *promise) look(data []byte) error {
	g := gemini.Look(data)
	if g.Useful() {
		p.said = true
	}
	if g.Blocked == nil && g.Finish == nil {
		return nil
	}
	p.finish = true
	if f := promptBlocked(p.x, &g); f != nil {
		return f
	}
	// The client has its answer; a joining heartbeat would open an event that never comes.
	p.x.Patience(p.x.Grace(), 0)
	if g.Finish == nil || p.said && !broken(g.Finish) {
		return nil
	}
	if f := pipeline.Empty(&gemini.Glance{Finish: g.Finish}); f != nil {
		return f
	}
	return nil
}

// broken are finish reasons that make an answer an error whatever was said before (behaviour 0.3b).
func broken(finish []byte) bool {
	switch string(finish) {
	case "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "MALFORMED_RESPONSE":
		return true
	}
	return false
}

// promptBlocked is the error for a prompt that Google has blocked. A client that speaks Gemini gets Google's
// own word for it, which its SDK knows; every other one would see an empty answer.
func promptBlocked(x *pipeline.Exchange, g *gemini.Glance) *apierror.Error {
	if g.Blocked == nil || g.Candidates > 0 || x.Answer == wire.Gemini {
		return nil
	}
	return apierror.Newf(apierror.ContentFilter, "Google blocked the prompt: %.64s", g.Blocked)
}

// disappointing is the error that an answer in one piece is for a client of another language: a
// blocked prompt, or a call that nobody can read.
func disappointing(x *pipeline.Exchange, body []byte) *apierror.Error {
	bad := false
	for _, word := range [...]string{"blockReason", "MALFORMED_", "UNEXPECTED_TOOL_CALL"} {
		bad = bad || bytes.Contains(body, []byte(word))
	}
	if !bad {
		return nil
	}
	g := gemini.Look(body)
	if f := promptBlocked(x, &g); f != nil {
		return f
	}
	if broken(g.Finish) {
		return pipeline.Empty(&gemini.Glance{Finish: g.Finish})
	}
	return nil
}

func (p *promise) judge(err error) error {
	if err == io.EOF && !p.finish {
		return apierror.New(apierror.StreamBroken, "the stream ended before the answer was whole")
	}
	return err
}

// ended is the error of an end, nil for a proper one.
func ended(err error) *apierror.Error {
	if err == io.EOF {
		return nil
	}
	return apierror.From(err)
}

// Close stops the upstream call.
func (p *promise) Close() error { return p.inner.Close() }
