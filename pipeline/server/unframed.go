package server

import (
	"net"

	"github.com/valyala/fasthttp"
)

// unframed serves a client of HTTP/1.0, which knows no chunks: the answer ends with its connection.
// fasthttp would send chunks all the same, so the connection is taken from it.
func (b *streamBody) unframed(ctx *fasthttp.RequestCtx) {
	h := &ctx.Response.Header
	h.SetContentLength(-2) // fasthttp's word for a length that nobody knows; adds Connection: close
	head := append([]byte(nil), h.Header()...)
	if l, ok := ctx.Conn().(*lingerConn); ok {
		// Where an earlier answer cannot be written any more, fasthttp drops what it was to hand over.
		l.last = func() { _ = b.Close() }
	}
	ctx.HijackSetNoResponse(true)
	ctx.Hijack(func(c net.Conn) { _, _ = b.WriteTo(&headed{c, head}) })
}

// headed puts the head of the answer in front of the first write.
type headed struct {
	conn net.Conn
	head []byte
}

// Write sends p at once.
func (h *headed) Write(p []byte) (int, error) {
	if h.head == nil {
		return h.conn.Write(p)
	}
	n, err := h.conn.Write(append(h.head, p...))
	n, h.head = max(n-len(h.head), 0), nil
	return n, err
}
