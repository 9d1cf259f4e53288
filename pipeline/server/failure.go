package server

import (
	"context"
	"log/slog"
	"math"
	"strconv"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/logging"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/anthropic"
	"gcli2api/pipeline/wire/gemini"
	"gcli2api/pipeline/wire/openai"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// writeFailure makes the response an error in the client's format, with its true status.
func writeFailure(ctx *fasthttp.RequestCtx, x *pipeline.Exchange, f *apierror.Error) {
	buf := wire.Buffers.Get(1024)
	defer wire.Buffers.Put(buf)
	if x.Encoder != nil {
		buf.B = x.Encoder.Failure(buf.B, f)
	} else {
		buf.B = failBody(buf.B, x.Answer, f)
	}
	h := &ctx.Response.Header
	if f.RetryAfter > 0 && len(h.Peek("Retry-After")) == 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(f.RetryAfter.Seconds()))))
	}
	if isVain(f) {
		h.Set("X-Should-Retry", "false")
	}
	if f.Status == fasthttp.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="gcli2api"`)
	}
	ctx.SetStatusCode(f.Status)
	if f.Code == apierror.ClientGone { // fasthttp has no word for 499
		h.SetStatusMessage([]byte("Client Closed Request"))
	}
	ctx.SetContentType("application/json; charset=UTF-8")
	ctx.Response.SetBody(buf.B)
}

// isVain tells that asking again soon is of no use. The clients of OpenAI and Anthropic ask again by themselves after
// a 429 or 5xx, and the latter sleep for as long as Retry-After says, hours as well, where X-Should-Retry does
// not say no.
func isVain(f *apierror.Error) bool {
	const soon = time.Minute // for which all of them wait
	switch f.Code {
	case apierror.Unsupported:
		return true
	case apierror.NoCredential, apierror.InsufficientQuota:
		return f.RetryAfter == 0 || f.RetryAfter > soon
	case apierror.RateLimited: // of ours without a time: the request will never fit
		return f.RetryAfter == 0 && !f.Upstream || f.RetryAfter > soon
	}
	return f.RetryAfter > soon
}

// failBody is the envelope of a format, for requests that end before shape made an encoder.
func failBody(dst []byte, answer wire.Format, f *apierror.Error) []byte {
	switch answer {
	case wire.Gemini:
		return gemini.AppendError(dst, f)
	case wire.Anthropic:
		return anthropic.AppendError(dst, f)
	}
	return openai.AppendError(dst, f)
}

// failEvent is failBody inside a stream.
func failEvent(dst []byte, x *pipeline.Exchange, f *apierror.Error) []byte {
	if x.In.Route.Array {
		return append(failBody(append(dst, '['), x.Answer, f), ']')
	}
	if x.Answer == wire.Anthropic || x.Answer == wire.Responses { // their clients go by the name of an event
		dst = append(dst, "event: error\n"...)
	}
	return append(failBody(append(dst, "data: "...), x.Answer, f), "\n\n"...)
}

// fiberError answers what fiber refuses before any handler runs.
func (s *Server) fiberError(c *fiber.Ctx, err error) error {
	fail := apierror.From(err)
	if fe, ok := err.(*fiber.Error); ok {
		// The words of fiber and fasthttp quote what the client sent.
		fail = apierror.New(apierror.BadRequest, "the request could not be read: "+fasthttp.StatusMessage(fe.Code))
		fail.Status = fe.Code
	} else {
		s.opt.Log.Error("handler failed", "error", err)
	}
	s.turnAway(c.Context(), wire.OpenAI, fail) // method and path may be what could not be read
	leftUnread(c.Context().Conn(), true)       // who knows what stands behind it
	return nil
}

// cors lets browser clients use the chat side: any origin, never with cookies. Only a browser says
// where it comes from.
func cors(ctx *fasthttp.RequestCtx) {
	if len(ctx.Request.Header.Peek(fasthttp.HeaderOrigin)) == 0 {
		return
	}
	h := &ctx.Response.Header
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "X-Request-Id, Request-Id, X-Dropped-Params, X-Model-Fallback, X-Token-Count, Retry-After, X-Should-Retry, "+
		"X-RateLimit-Limit-Requests, X-RateLimit-Remaining-Requests, X-RateLimit-Reset-Requests, "+
		"X-RateLimit-Limit-Tokens, X-RateLimit-Remaining-Tokens, X-RateLimit-Reset-Tokens, "+
		"Anthropic-RateLimit-Requests-Limit, Anthropic-RateLimit-Requests-Remaining, Anthropic-RateLimit-Requests-Reset, "+
		"Anthropic-RateLimit-Tokens-Limit, Anthropic-RateLimit-Tokens-Remaining, Anthropic-RateLimit-Tokens-Reset")
}

func preflight(ctx *fasthttp.RequestCtx) {
	h := &ctx.Response.Header
	h.Set("Access-Control-Allow-Methods", "GET, POST, DELETE, OPTIONS")
	asked := ctx.Request.Header.Peek("Access-Control-Request-Headers")
	if len(asked) == 0 {
		asked = []byte("authorization, content-type, x-goog-api-key, x-api-key")
	}
	h.SetBytesV("Access-Control-Allow-Headers", asked)
	h.Set("Access-Control-Max-Age", "86400")
	ctx.SetStatusCode(fasthttp.StatusNoContent)
}

// logRequest writes the one line of a request: no body, no header, no query.
func (s *Server) logRequest(j *job, err *apierror.Error, gone bool) {
	if s.opt.Quiet {
		return
	}
	level, message := slog.LevelInfo, "request"
	if err != nil {
		level, message = slog.LevelWarn, "request failed"
	}
	h := s.opt.Log.Handler()
	if !h.Enabled(context.Background(), level) {
		return
	}
	x, at := &j.x, time.Now()
	verb := x.In.Route.Verb
	if verb == pipeline.Generate && x.WantsStream {
		verb = pipeline.Streaming // the OpenAI route says so in the body
	}
	attrs := append(j.attrs[:0], slog.String("id", x.In.ID), slog.String("verb", verb.String()), slog.String("format", x.Answer.String()),
		slog.String("model", x.Model.Asked), slog.Int("status", j.status), slog.Int("calls", len(x.Attempts)),
		slog.Duration("took", at.Sub(x.Started()).Round(time.Microsecond)))
	if err != nil {
		cause := ""
		if c := err.Unwrap(); c != nil {
			cause = c.Error()
		}
		attrs = append(attrs, slog.String("code", string(err.Code)), slog.Bool("gone", gone), slog.String("says", err.Message), slog.String("cause", cause))
	}
	// Straight to the handler: a Logger would look up where it was called from, and a Record copies.
	if e, ok := h.(logging.Emitter); ok {
		e.Emit(logging.Line{Time: at, Level: level, Message: message, Attrs: attrs})
		return
	}
	r := slog.NewRecord(at, level, message, 0)
	r.AddAttrs(attrs...)
	_ = h.Handle(context.Background(), r)
}
