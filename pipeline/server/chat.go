package server

import (
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/server/watch"
	"gcli2api/pipeline/wire"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// job is one exchange and what belongs to it on the server's side: one piece of memory, used again
// for later requests. Nothing of it may be kept beyond end.
type job struct {
	s      *Server
	x      pipeline.Exchange
	client client
	call   call // the context of the exchange
	conn   net.Conn
	peer   *watch.Conn
	onGone watch.Cancel
	gone   atomic.Bool // the watcher saw the client leave
	began  bool        // a byte of an answer went out
	first  time.Time   // when it did
	status int
	ended  bool          // end was called: the job may be somebody else's by now
	attrs  [11]slog.Attr // of its line in the log
}

// handler is what fasthttp calls. fiber has its own words for methods that it does not know.
func (s *Server) handler(fibers fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		if ctx.IsPost() || slices.Contains(fiber.DefaultMethods, string(ctx.Method())) {
			fibers(ctx)
			return
		}
		s.chat(ctx)
	}
}

// chat is the one handler of the chat side: every path that no console route took.
func (s *Server) chat(ctx *fasthttp.RequestCtx) {
	raw := ctx.URI().PathOriginal()
	if s.wholeServer(ctx, raw) {
		return
	}
	path, fail := cleanPath(raw)
	if fail != nil {
		s.refuse(ctx, familyOf(string(raw)), fail)
		return
	}
	if isProbe(path) {
		s.probe(ctx)
		return
	}
	t, fail := resolve(path, s.callerOf(ctx))
	if fail == nil || fail.Code != apierror.NotFound || t.kept != "" { // console paths end up here with other methods
		cors(ctx)
	}
	switch {
	case fail != nil:
		s.refuse(ctx, formatOf(ctx, t, path, fail), fail)
		return
	case ctx.IsOptions():
		preflight(ctx)
		return
	}
	if fail = s.misplaced(ctx, t); fail != nil {
		s.refuse(ctx, t.route.Format, fail)
		return
	}
	s.serve(s.newJob(ctx, path, t))
}

// wholeServer answers what is asked of the server and of no path: "OPTIONS *", and CONNECT, which
// would make a forward proxy of it.
func (s *Server) wholeServer(ctx *fasthttp.RequestCtx, raw []byte) bool {
	const all = "GET, HEAD, POST, OPTIONS"
	switch {
	case ctx.IsConnect():
		setHeader(ctx, "Allow", all)
		s.refuse(ctx, wire.OpenAI, apierror.New(apierror.MethodNotAllowed, "this gateway is no forward proxy: CONNECT is not served"))
	case ctx.IsOptions() && string(raw) == "*":
		setHeader(ctx, "Allow", all)
		ctx.SetStatusCode(fasthttp.StatusNoContent)
	default:
		return false
	}
	return true
}

// allow is the Allow header of a path.
func allow(t target) string {
	switch {
	case t.kept != "" && !t.items:
		return "GET, HEAD, DELETE, OPTIONS"
	case t.method == fiber.MethodGet:
		return "GET, HEAD, OPTIONS"
	}
	return t.method + ", OPTIONS"
}

// misplaced refuses a method that the path does not take, and everybody from outside while nobody
// has chosen a password.
func (s *Server) misplaced(ctx *fasthttp.RequestCtx, t target) *apierror.Error {
	switch {
	case string(ctx.Method()) != t.method && !(ctx.IsHead() && t.method == fiber.MethodGet):
		setHeader(ctx, "Allow", allow(t))
		return apierror.Newf(apierror.MethodNotAllowed, "this path takes %s, not %s", t.method, clip(string(ctx.Method())))
	case s.opt.ChatOpen != nil && !s.opt.ChatOpen() && !Local(ctx):
		return apierror.New(apierror.Forbidden,
			"the gateway still has its built-in password, so it answers this machine only, and no proxy or web page on it; set API_PASSWORD or PASSWORD")
	}
	return nil
}

// formatOf is the shape of an error for a path that leads nowhere.
func formatOf(ctx *fasthttp.RequestCtx, t target, path string, fail *apierror.Error) wire.Format {
	if fail.Code == apierror.NotFound || fail.Code == apierror.Unsupported && t.route.Format.ByOpenAI() {
		if len(ctx.Request.Header.Peek("anthropic-version")) > 0 {
			return wire.Anthropic
		}
	}
	if fail.Code == apierror.NotFound {
		return familyOf(path)
	}
	return t.route.Format
}

func isProbe(path string) bool {
	return sameFold(path, "/health") || sameFold(path, "/keepalive")
}

// probe answers the health checks.
func (s *Server) probe(ctx *fasthttp.RequestCtx) {
	cors(ctx)
	switch {
	case ctx.IsOptions():
		preflight(ctx)
	case ctx.IsGet(), ctx.IsHead():
		ctx.SetContentType("application/json")
		if !ctx.IsHead() {
			ctx.SetBody(s.health())
		}
	default:
		setHeader(ctx, "Allow", allow(target{method: fiber.MethodGet}))
		s.refuse(ctx, wire.OpenAI, apierror.New(apierror.MethodNotAllowed, "this path takes GET and HEAD"))
	}
}

// callerOf reads the head of a request where a path may belong to several families.
func (s *Server) callerOf(ctx *fasthttp.RequestCtx) (c caller) {
	h := &ctx.Request.Header
	c.gemini = len(h.Peek("x-goog-api-key")) > 0 || len(ctx.QueryArgs().Peek("key")) > 0
	c.anthropic = len(h.Peek("anthropic-version")) > 0
	c.deletes = ctx.IsDelete()
	return c
}

func (s *Server) newJob(ctx *fasthttp.RequestCtx, path string, t target) *job {
	j, _ := s.jobs.Get().(*job)
	if j == nil {
		j = &job{}
		j.onGone = j.left
	}
	j.s, j.conn, j.status = s, ctx.Conn(), fasthttp.StatusOK
	j.client.open(ctx, &s.bodies)
	j.call.begin(&s.calls)
	if t.route.Verb == pipeline.Streaming && t.route.Format == wire.Gemini {
		t.route.Array = s.wantsArray(ctx)
	}
	method := t.method
	if ctx.IsHead() {
		method = fiber.MethodHead
	}
	j.x.Open(&j.call, pipeline.Request{ID: s.nextID(), Method: method, Path: path, Route: t.route,
		Model: t.model, Kept: t.kept, Items: t.items, Peer: PeerOf(ctx), Client: &j.client})
	j.x.Patience(s.opt.Grace, 15*time.Second)
	if j.peer = watch.Of(ctx.Conn()); j.peer != nil {
		j.peer.Begin(&j.onGone)
	}
	s.active.Add(1)
	return j
}

// wantsArray: Google streams SSE with alt=sse and one JSON array without it.
func (s *Server) wantsArray(ctx *fasthttp.RequestCtx) bool {
	switch strings.ToLower(string(ctx.QueryArgs().Peek("alt"))) {
	case "sse":
		return false
	case "":
		return s.opt.GeminiSSE == nil || !s.opt.GeminiSSE()
	}
	return true
}

// left is called by the watcher when the client closed its connection.
func (j *job) left() {
	j.gone.Store(true)
	j.call.cancel()
}

// end closes the exchange, once, after its last byte was written or given up. gone tells that the
// client left before that; whoever closes right after the last byte has had the whole answer.
func (j *job) end(err *apierror.Error, gone bool) {
	gone = gone || j.client.body.cut
	switch {
	case !gone || err != nil && err.Code == apierror.ClientGone:
	case err == nil:
		err = apierror.New(apierror.ClientGone, "the client left")
	default: // while a failed call was about to be tried again
		err = apierror.Wrap(apierror.ClientGone, "the client left", err)
	}
	j.ended = true
	if j.peer != nil {
		j.peer.End()
	}
	out := pipeline.Outcome{Err: err, Gone: gone, Began: j.began, Status: j.status}
	if !j.first.IsZero() {
		out.First = j.first.Sub(j.x.Started())
	}
	j.s.opt.Engine.End(&j.x, out)
	j.call.end()
	leftUnread(j.conn, j.client.body.unread())
	j.client.body.release()
	j.s.active.Add(-1)
	j.s.logRequest(j, err, gone)
	j.again()
}

// again makes the job ready for another request.
func (j *job) again() {
	j.x, j.client, j.conn, j.peer = pipeline.Exchange{}, client{}, nil, nil
	j.gone.Store(false)
	j.began, j.ended, j.first = false, false, time.Time{}
	clear(j.attrs[:])
	j.s.jobs.Put(j)
}
