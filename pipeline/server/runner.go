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

// bufferSize is one write: events that are in memory already are packed up to it.
const bufferSize = 4096

// runner owns the exchange of a request that wants events: it walks the list, pulls the answer,
// encodes it and writes it, while the server watches the clock. Its first word goes to the server,
// who has yet to choose the status line; for the rest it gets the client's connection.
type runner struct {
	engine *pipeline.Engine
	x      *pipeline.Exchange
	log    *slog.Logger
	honest func(*apierror.Error) *apierror.Error

	first chan chunk    // to the server, while it waits with the status line
	gate  chan *outlet  // from the server when it is out; closed when nobody reads any more
	done  chan struct{} // closed when the runner has ended

	out   *outlet         // nil until the gate opened
	said  bool            // the server took the first word
	buf   wire.Buffer     // what is encoded and not written yet
	err   *apierror.Error // how the answer ended; the server's after done
	began bool            // the stages were asked
}

// chunk is the runner's first word: bytes to write, or why there are none.
type chunk struct {
	buf  wire.Buffer
	fail *apierror.Error
}

func newRunner(j *job) *runner {
	return &runner{engine: j.s.opt.Engine, x: &j.x, log: j.s.opt.Log, honest: j.honest,
		first: make(chan chunk), gate: make(chan *outlet, 1), done: make(chan struct{})}
}

// run is the goroutine. The server waits for done.
func (r *runner) run() {
	defer close(r.done)
	defer func() { wire.Buffers.Put(&r.buf) }()
	defer func() {
		if p := recover(); p != nil {
			r.log.Error("stream panicked", "id", r.x.In.ID, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			defer func() { _ = recover() }() // the encoder may be what panics, and not for the last time
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
	if r.begin() && r.encode(body) {
		r.end(io.EOF)
	}
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
	for {
		ev, err := s.Next()
		if err != nil {
			r.end(err)
			return
		}
		if !r.begin() || !r.encode(ev.Data) {
			return
		}
		if ev.More && len(r.buf.B) < bufferSize || len(r.buf.B) == 0 {
			continue
		}
		if !r.send() {
			return
		}
	}
}

// encode appends an event to what is not written yet.
func (r *runner) encode(data []byte) bool {
	if r.buf.B == nil {
		wire.Buffers.Lend(&r.buf, bufferSize)
	}
	whole := len(r.buf.B)
	var err error
	if r.buf.B, err = r.x.Encoder.Event(r.buf.B, data); err != nil {
		r.buf.B = r.buf.B[:whole]
		r.end(err)
	}
	return err == nil
}

// end finishes the stream: whole at io.EOF, with an error otherwise.
func (r *runner) end(err error) {
	if err == io.EOF {
		if r.begin() {
			r.buf.B = r.x.Encoder.Finish(r.buf.B)
			r.send()
		}
		return
	}
	if len(r.buf.B) == 0 || r.send() {
		r.fail(apierror.From(err))
	}
}

// send gives the first bytes to the server and writes the others; false when nobody reads them. It
// holds no buffer afterwards: an open stream is mostly silent.
func (r *runner) send() bool {
	if r.out == nil {
		if r.said && len(r.buf.B) == 0 {
			return true
		}
		taken, open := r.open(chunk{buf: r.buf})
		if taken {
			r.buf = wire.Buffer{} // the bytes are the server's
			return true
		}
		if !open {
			return false
		}
	}
	err := r.out.event(r.buf.B)
	wire.Buffers.Put(&r.buf)
	return err == nil
}

// fail tells why there is no answer, or no more of it; the server knows whether the status line is out.
func (r *runner) fail(f *apierror.Error) {
	r.err = f
	if r.out == nil {
		if taken, open := r.open(chunk{fail: f}); taken || !open {
			return
		}
	}
	_ = r.out.fail(r.honest(f))
}

// open waits for the client's connection. As long as the server chooses the status line it takes
// the runner's first word instead.
func (r *runner) open(word chunk) (taken, open bool) {
	if r.said {
		r.out = <-r.gate
		return false, r.out != nil
	}
	select {
	case r.first <- word:
		r.said = true
		return true, false
	case r.out = <-r.gate:
		return false, r.out != nil
	}
}

// noAnswer explains a list that ended without a reply.
func noAnswer(x *pipeline.Exchange) *apierror.Error {
	return apierror.Newf(apierror.Unsupported, "no enabled stage answers %q requests", x.In.Route.Verb)
}
