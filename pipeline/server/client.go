package server

import (
	"unsafe"

	"gcli2api/pipeline/apierror"

	"github.com/valyala/fasthttp"
)

// client is the pipeline's view of one HTTP request. What it returns stays valid until the
// response was written: fasthttp keeps the request that long.
type client struct {
	ctx  *fasthttp.RequestCtx
	body body
}

// Header gives a request header.
func (c *client) Header(name string) string {
	return borrow(c.ctx.Request.Header.Peek(name))
}

// Query gives a query parameter, decoded.
func (c *client) Query(name string) string {
	return borrow(c.ctx.QueryArgs().Peek(name))
}

// Body reads the body, once.
func (c *client) Body() ([]byte, *apierror.Error) { return c.body.read() }

func (c *client) open(ctx *fasthttp.RequestCtx, shared *bodies) {
	c.ctx = ctx
	h := &ctx.Request.Header
	c.body = body{shared: shared, src: ctx.RequestBodyStream(), length: h.ContentLength(),
		coding: string(h.ContentEncoding()), conn: ctx.Conn()}
}

// borrow is a string over bytes that fasthttp keeps until the response was written.
func borrow(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
