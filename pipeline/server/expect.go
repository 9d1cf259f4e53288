package server

import (
	"context"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"

	"github.com/valyala/fasthttp"
)

// expect answers "Expect: 100-continue": a caller who would be refused hears why at once, instead of
// being asked for a body that nobody reads. fasthttp sends what is in ctx unless this says continue.
func (s *Server) expect(ctx *fasthttp.RequestCtx) int {
	if s.wouldRead(ctx) {
		return fasthttp.StatusContinue
	}
	s.app.Server().Handler(ctx)
	return ctx.Response.StatusCode()
}

// wouldRead walks the first stages with a body that has yet to be asked for.
func (s *Server) wouldRead(ctx *fasthttp.RequestCtx) bool {
	path, fail := cleanPath(ctx.URI().PathOriginal())
	if fail != nil {
		return false
	}
	t, fail := resolve(path, caller{})
	if fail != nil {
		return fail.Code == apierror.NotFound // it may be the console's
	}
	if s.misplaced(ctx, t) != nil {
		return false
	}
	waiting := apierror.New(apierror.Internal, "the body was not sent yet")
	c := &unsent{client{ctx: ctx}, s.bodies.limit, waiting}
	x := pipeline.NewExchange(context.Background(), pipeline.Request{ID: s.nextID(), Method: string(ctx.Method()), Path: path,
		Route: t.route, Model: t.model, Peer: PeerOf(ctx), Client: c, Trial: true})
	fail = s.opt.Engine.Enter(x)
	s.opt.Engine.End(x, pipeline.Outcome{Err: waiting})
	return fail == nil && (x.Reply.Err == nil || x.Reply.Err == waiting)
}

// unsent is a client who waits to be asked for the body.
type unsent struct {
	client
	limit   int64
	waiting *apierror.Error // what stages hear instead of a body
}

// Body says that there is none, or that what is announced is too much.
func (u *unsent) Body() ([]byte, *apierror.Error) {
	if int64(u.ctx.Request.Header.ContentLength()) > u.limit {
		return nil, tooLarge(u.limit)
	}
	return nil, u.waiting
}
