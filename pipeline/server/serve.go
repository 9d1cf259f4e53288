package server

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"

	"github.com/valyala/fasthttp"
)

// serve runs the exchange: a plain one in this goroutine, one that wants events in a runner.
func (s *Server) serve(j *job) {
	defer s.rescue(j)
	ctx := j.client.ctx
	identify(ctx, j.x.Answer, j.x.In.ID)
	if f := s.opt.Engine.Enter(&j.x); f != nil {
		j.x.Reply.Err = f
	}
	if !j.x.WantsStream || !j.x.Reply.Empty() {
		s.plain(j)
		return
	}
	s.stream(j)
}

// rescue ends a request whose handling panicked outside of any stage: an encoder, or this package.
// Without it one bad request would take every other stream down with the process.
func (s *Server) rescue(j *job) {
	p := recover()
	if p == nil {
		return
	}
	s.opt.Log.Error("request panicked", "id", j.x.In.ID, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	if j.ended {
		return
	}
	f := apierror.New(apierror.Internal, "the gateway failed to handle this request")
	j.x.Encoder = nil // it may be what panicked
	j.client.ctx.Response.Reset()
	j.failure(f)
	j.end(f, j.gone.Load())
}

// plain answers in one piece.
func (s *Server) plain(j *job) {
	reply := s.opt.Engine.Run(&j.x)
	fail := reply.Err
	if fail == nil && (reply.Body == nil || j.x.Encoder == nil) {
		fail = noAnswer(&j.x)
	}
	if fail == nil {
		fail = s.opt.Engine.Begin(&j.x)
	}
	if fail == nil && j.gone.Load() { // nobody is there to hear it, so nothing begins
		fail = apierror.New(apierror.ClientGone, "the client left")
	}
	if fail == nil {
		fail = j.whole(reply.Body)
	}
	if fail != nil {
		fail = j.honest(fail)
		j.failure(fail)
	}
	j.end(fail, j.gone.Load())
}

// whole encodes the answer into the response.
func (j *job) whole(body []byte) *apierror.Error {
	buf := wire.Buffers.Get(len(body) + 512)
	defer wire.Buffers.Put(buf)
	var err error
	if buf.B, err = j.x.Encoder.Whole(buf.B, body); err != nil {
		return apierror.From(err)
	}
	j.headers()
	j.client.ctx.SetContentType("application/json; charset=UTF-8")
	buf.B = j.client.ctx.Response.SwapBody(buf.B) // both pools take what they get
	j.began, j.first = true, time.Now()
	return nil
}

// identify puts the id of the exchange where the client of the format looks for it.
func identify(ctx *fasthttp.RequestCtx, f wire.Format, id string) {
	setHeader(ctx, "X-Request-Id", id)
	if f == wire.Anthropic {
		setHeader(ctx, "Request-Id", id)
	}
}

// setHeader sets a header whose name is in canonical form already.
func setHeader(ctx *fasthttp.RequestCtx, name, value string) {
	ctx.Response.Header.SetCanonical([]byte(name), []byte(value))
}

// failure answers with an error and its true status.
func (j *job) failure(f *apierror.Error) {
	ctx := j.client.ctx
	j.headers()
	j.status = f.Status
	writeFailure(ctx, &j.x, f)
}

// headers copies what the stages had to say into the response head.
func (j *job) headers() {
	h := &j.client.ctx.Response.Header
	j.x.Header.Each(func(name, value string) { h.Add(name, value) })
}

// honest says what a cancelled call really was: the client left, or the gateway is stopping.
func (j *job) honest(f *apierror.Error) *apierror.Error {
	if j.call.Err() == nil || j.gone.Load() {
		return f
	}
	return apierror.Wrap(apierror.Overloaded, "the gateway is stopping", f)
}

// stream starts the runner and waits for the first bytes, an error, or the end of the grace.
func (s *Server) stream(j *job) {
	r := newRunner(j)
	go r.run()
	first, late := j.await(r)
	if first.fail != nil {
		<-r.done
		fail := j.honest(first.fail)
		j.failure(fail)
		j.end(fail, j.gone.Load())
		return
	}
	j.commit(&streamBody{job: j, run: r, late: late, held: first})
}

// await waits for the runner's first word; late is true when the grace passed first.
func (j *job) await(r *runner) (first chunk, late bool) {
	grace := j.x.Grace()
	if grace <= 0 {
		return <-r.first, false
	}
	start := time.Now()
	timer := time.NewTimer(grace)
	defer timer.Stop()
	for {
		select {
		case first = <-r.first:
			return first, false
		case <-timer.C:
			// A stage may have set another patience meanwhile.
			rest := j.x.Grace() - time.Since(start)
			if rest <= 0 {
				return chunk{}, true
			}
			timer.Reset(rest)
		}
	}
}

// commit sends the status line: from here on, errors travel inside the stream.
func (j *job) commit(b *streamBody) {
	ctx := j.client.ctx
	j.headers()
	h := &ctx.Response.Header
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Accel-Buffering", "no") // nginx
	array := j.x.In.Route.Array
	if array {
		h.SetContentType("application/json; charset=UTF-8")
	} else {
		h.SetContentType("text/event-stream; charset=utf-8")
	}
	ctx.Response.ImmediateHeaderFlush = false
	b.out.job, b.out.limit, b.out.last = j, j.s.opt.WriteTimeout, time.Now()
	b.out.beat = wire.Heartbeat(j.x.Answer, array)
	if ctx.Request.Header.IsHTTP11() {
		ctx.Response.SetBodyStream(b, -1)
		return
	}
	b.unframed(ctx)
}

// refuse answers a request that never became an exchange.
func (s *Server) refuse(ctx *fasthttp.RequestCtx, f wire.Format, fail *apierror.Error) {
	s.turnAway(ctx, f, fail, "method", string(ctx.Method()), "path", shapeOf(string(ctx.URI().PathOriginal())))
}

// turnAway is refuse with what there is to say of the request.
func (s *Server) turnAway(ctx *fasthttp.RequestCtx, f wire.Format, fail *apierror.Error, said ...any) {
	id := s.nextID()
	identify(ctx, f, id)
	leftUnread(ctx.Conn(), ctx.Request.Header.ContentLength() != 0)
	x := pipeline.NewExchange(context.Background(), pipeline.Request{ID: id, Route: pipeline.Route{Format: f}})
	writeFailure(ctx, x, fail)
	if !s.opt.Quiet {
		s.opt.Log.Info("request refused", append([]any{"id", id, "status", fail.Status, "code", string(fail.Code), "says", fail.Message}, said...)...)
	}
}
