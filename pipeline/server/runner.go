package server

import (
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
)

// runner owns the exchange of a request that wants events: it walks the list, pulls the answer,
// encodes it and hands finished bytes to the server, which meanwhile watches the clock.
type runner struct {
	engine *pipeline.Engine
	x      *pipeline.Exchange
	slot   *slot
	log    *slog.Logger
	err    *apierror.Error // how the answer ended; the server's after slot.full is closed
	began  bool
}

// run is the goroutine. The server waits for it by draining the slot.
func (r *runner) run() {
	defer close(r.slot.full)
	defer func() {
		if p := recover(); p != nil {
			r.log.Error("stream panicked", "id", r.x.In.ID, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			r.fail(apierror.New(apierror.Internal, "the gateway failed to handle this request"))
		}
	}()
	reply := r.engine.Run(r.x)
	switch {
	case reply.Err != nil:
		r.fail(reply.Err)
	case r.x.Encoder == nil || reply.Empty():
		r.fail(noAnswer(r.x))
	case reply.Stream != nil:
		r.pull(reply.Stream)
	default:
		r.whole(reply.Body)
	}
}

// whole sends an answer that came in one piece to a client that wants events.
func (r *runner) whole(body []byte) {
	if !r.begin() {
		return
	}
	b := r.slot.buffer()
	var err error
	if b.B, err = r.x.Encoder.Event(b.B, body); err != nil {
		r.slot.done(b)
		r.fail(apierror.From(err))
		return
	}
	b.B = r.x.Encoder.Finish(b.B)
	r.slot.full <- chunk{buf: b, first: true, last: true}
}

// begin asks the stages before the first byte of the answer.
func (r *runner) begin() bool {
	if r.began {
		return true
	}
	if f := r.engine.Begin(r.x); f != nil {
		r.fail(f)
		return false
	}
	r.began = true
	return true
}

// pull encodes event after event. Events that are in memory already share one write.
func (r *runner) pull(s wire.Stream) {
	b := r.slot.buffer()
	for {
		ev, err := s.Next()
		if err != nil {
			r.end(b, err)
			return
		}
		if len(b.B) == 0 && !r.begin() {
			r.slot.done(b)
			return
		}
		before := len(b.B)
		if b.B, err = r.x.Encoder.Event(b.B, ev.Data); err != nil {
			b.B = b.B[:before]
			r.end(b, err)
			return
		}
		if ev.More && len(b.B) < bufferSize || len(b.B) == 0 {
			continue
		}
		r.slot.full <- chunk{buf: b, first: true}
		b = r.slot.buffer()
	}
}

// end finishes the stream: whole at io.EOF, with an error otherwise.
func (r *runner) end(b *wire.Buffer, err error) {
	if err == io.EOF {
		if !r.begin() {
			r.slot.done(b)
			return
		}
		b.B = r.x.Encoder.Finish(b.B)
		r.slot.full <- chunk{buf: b, first: true, last: true}
		return
	}
	if len(b.B) > 0 {
		r.slot.full <- chunk{buf: b, first: true}
	} else {
		r.slot.done(b)
	}
	r.fail(apierror.From(err))
}

// fail hands the error over; the server knows whether the status line is out.
func (r *runner) fail(f *apierror.Error) {
	r.err = f
	r.slot.full <- chunk{fail: f}
}

// noAnswer explains a list that ended without a reply.
func noAnswer(x *pipeline.Exchange) *apierror.Error {
	return apierror.Newf(apierror.Unsupported, "no enabled stage answers %q requests", x.In.Route.Verb)
}
