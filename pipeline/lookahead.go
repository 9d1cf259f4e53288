package pipeline

import (
	"fmt"
	"io"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// Look-ahead holds at most this much before it lets the stream go.
const (
	maxHeldEvents = 16
	maxHeldBytes  = 64 << 10
)

// FirstError looks into the reply before anything of it is sent. It reads a stream until an
// error, something to show, or a finish reason; what was read is kept in front of the stream. An
// answer that ends without anything to show becomes an error here, and the lease learns of it.
func (x *Exchange) FirstError() *apierror.Error {
	if x.Reply.Stream == nil {
		return x.Reply.Err
	}
	if p, ok := x.Reply.Stream.(*peeked); ok && p.looked {
		return nil
	}
	p := &peeked{inner: x.Reply.Stream, looked: true, resumes: x.Resumes}
	if f := p.look(); f != nil {
		x.Report(f) // before Close, which would report an early end
		_ = p.Close()
		x.Reply = Reply{Err: f}
		return f
	}
	x.Reply.Stream = p
	return nil
}

// peeked is a stream whose first events were read ahead.
type peeked struct {
	inner  wire.Stream
	held   []byte // copies of the events, one after the other
	ends   []int
	given  int
	looked bool

	resumes bool // an end without a word is one: Exchange.Resumes
}

// look reads ahead and returns the error that makes the whole answer one.
func (p *peeked) look() *apierror.Error {
	for len(p.ends) < maxHeldEvents && len(p.held) < maxHeldBytes {
		ev, err := p.inner.Next()
		if err == io.EOF {
			return upstream(apierror.EmptyAnswer, "the model ended its answer before it said anything", &gemini.Glance{})
		}
		if err != nil {
			return apierror.From(err)
		}
		g := gemini.Look(ev.Data)
		if g.Finish == nil && !g.Useful() && !g.Thought {
			p.hold(ev.Data)
			continue
		}
		if f := Empty(&g); f != nil && g.Finish != nil && !(p.resumes && Proper(g.Finish)) {
			return f
		}
		p.hold(ev.Data)
		return nil
	}
	return nil
}

func (p *peeked) hold(data []byte) {
	p.held = append(p.held, data...)
	p.ends = append(p.ends, len(p.held))
}

// Next gives what was held, then the rest.
func (p *peeked) Next() (wire.Event, error) {
	if p.given < len(p.ends) {
		from := 0
		if p.given > 0 {
			from = p.ends[p.given-1]
		}
		to := p.ends[p.given]
		p.given++
		return wire.Event{Data: p.held[from:to:to], More: p.given < len(p.ends)}, nil
	}
	return p.inner.Next()
}

// Close stops the upstream call.
func (p *peeked) Close() error { return p.inner.Close() }

// Proper tells the finish reason of a model that had no more to say.
func Proper(finish []byte) bool { return string(finish) == "STOP" }

// Empty says why a finished answer with nothing to show is an error; nil when it is none: there is
// something to show, or the finish reason explains the silence to the client (protocol 5.4, 5.5).
func Empty(g *gemini.Glance) *apierror.Error {
	if g.Useful() {
		return nil
	}
	switch string(g.Finish) {
	case "", "STOP", "FINISH_REASON_UNSPECIFIED", "OTHER":
		return upstream(apierror.EmptyAnswer, "the model ended its answer before it said anything", g)
	case "MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE":
		return upstream(apierror.EmptyAnswer, "the model wrote a tool call that cannot be read (MALFORMED_FUNCTION_CALL)", g)
	case "MISSING_THOUGHT_SIGNATURE":
		return upstream(apierror.EmptyAnswer, "the model misses a thought signature in the dialogue (MISSING_THOUGHT_SIGNATURE)", g)
	case "UNEXPECTED_TOOL_CALL":
		return upstream(apierror.EmptyAnswer, "the model called a tool that was not declared (UNEXPECTED_TOOL_CALL)", g)
	case "MAX_TOKENS":
		return nil
	}
	if gemini.Filtered(g.Finish) {
		return nil
	}
	return upstream(apierror.EmptyAnswer, fmt.Sprintf("the model ended its answer before it said anything (%.40s)", wire.HeaderSafe(string(g.Finish))), g)
}

func upstream(code apierror.Code, message string, g *gemini.Glance) *apierror.Error {
	f := apierror.New(code, message)
	f.Upstream = true
	f.Said = &apierror.Said{HTTP: 200, Reason: string(g.Finish)}
	return f
}
