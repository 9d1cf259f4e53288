package upstream

import (
	"bytes"
	"io"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/outbound"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// events is a running answer of Google, envelope cut off.
type events struct {
	x      *pipeline.Exchange
	d      Dialect
	resp   *outbound.Response
	sse    *wire.SSE
	ended  error // what Next says from now on
	said   bool  // something for the client has passed
	finish bool  // what ends an answer has passed
	whole  bool  // what ends the only answer has: nothing is missing
	closed bool
}

func newEvents(x *pipeline.Exchange, d Dialect, resp *outbound.Response) *events {
	return &events{x: x, d: d, resp: resp, sse: wire.NewSSE(resp.Body, 0)}
}

// Next gives the next event that carries something.
func (e *events) Next() (wire.Event, error) {
	for e.ended == nil {
		data, more, err := e.sse.Next()
		if err != nil {
			return wire.Event{}, e.end(err)
		}
		hub, f := open(e.d, data)
		if f != nil {
			return wire.Event{}, e.stop(f)
		}
		if len(hub) < 8 && bare(hub) {
			continue // an event without a response: keep reading (protocol 3.5)
		}
		if f := e.judge(hub); f != nil {
			return wire.Event{}, e.stop(f)
		}
		return wire.Event{Data: hub, More: more}, nil
	}
	return wire.Event{}, e.ended
}

// bare tells that there is nothing in an event. Google's own clients stumble over such a one.
func bare(hub []byte) bool {
	o := wire.ObjectOf(hub)
	return !o.Next()
}

// judge notes what an event says, and finds the end of an answer that has said nothing. It must be
// found here: only the call knows the lease, and whoever reads the stream may close it at the end.
// A full look is only needed until something was said, and where an end may be.
func (e *events) judge(hub []byte) *apierror.Error {
	if e.said && !bytes.Contains(hub, []byte(`"finishReason"`)) {
		return nil
	}
	g := gemini.Look(hub)
	if !e.said && g.Useful() {
		e.said = true
		e.x.Hear()
	}
	if g.Finish != nil && e.single() || g.Blocked != nil {
		e.whole = true
		e.resp.Body.Hurry(linger)
	}
	e.finish = e.finish || g.Finish != nil || g.Blocked != nil
	if g.Finish == nil || e.said || e.x.Resumes && pipeline.Proper(g.Finish) {
		return nil
	}
	return pipeline.Empty(&g)
}

// linger is how long to wait for a count behind the end of an answer. Some front ends keep the
// connection open then, and a client should not wait for that.
const linger = 2 * time.Second

// single tells that there is one answer only: with several the first end is not the last.
func (e *events) single() bool {
	v, _ := e.x.Call.GetIn("generationConfig", "candidateCount")
	n, ok := wire.Int(v)
	return !ok || n <= 1
}

// end settles how the stream ended. One without a finish reason was cut; behind it nothing is missing,
// however the connection ended.
func (e *events) end(err error) error {
	switch {
	case e.whole || err == io.EOF && e.finish:
		e.x.Report(nil)
		e.ended = io.EOF
		return io.EOF
	case err == io.EOF:
		f := apierror.New(apierror.StreamBroken, "Google ended the stream before the answer was whole")
		f.Upstream, f.Said = true, &apierror.Said{HTTP: 200, Network: true}
		return e.stop(f)
	}
	return e.stop(explain(e.x.Context(), err))
}

func (e *events) stop(f *apierror.Error) error {
	e.x.Report(e.left(f))
	e.ended = f
	return f
}

// left adds to the news that nobody listens any more that Google did answer: it counts such a call.
func (e *events) left(f *apierror.Error) *apierror.Error {
	if e.said && f.Code == apierror.ClientGone && f.Said == nil {
		f.Said = &apierror.Said{HTTP: 200}
	}
	return f
}

// Close stops the call. One that was closed early has left nobody to blame.
func (e *events) Close() error {
	if e.closed {
		return nil
	}
	e.closed = true
	if e.ended == nil {
		if e.finish {
			e.x.Report(nil)
		} else {
			e.x.Report(e.left(apierror.New(apierror.ClientGone, "the stream was closed early")))
		}
		e.ended = io.EOF
	}
	e.sse.Close()
	return e.resp.Body.Close()
}
