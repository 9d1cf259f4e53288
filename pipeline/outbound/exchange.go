package outbound

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"time"

	"github.com/valyala/fasthttp"
)

// maxInterim is how many 1xx answers may precede the real one.
const maxInterim = 8

// earlyAnswer is how long to look for an answer when the peer stopped taking the request: it may
// have refused it (413, 401) before it was complete.
const earlyAnswer = time.Second

// exchange is one call on one connection; it is the Body of its Response.
type exchange struct {
	Response
	client *Client
	cn     *conn
	ctx    context.Context
	stop   func() bool // takes the watch off ctx; nil if it has none
	frame  framing
	keep   bool // the connection may serve another call once the body is read
	closed bool
	err    error // sticky
}

// exchange sends req on cn and reads the header of the answer. On an error cn is given back.
func (c *Client) exchange(ctx context.Context, cn *conn, req *Request) (*Response, *Error) {
	x := &exchange{client: c, cn: cn, ctx: ctx, stop: cn.arm(ctx)}
	refused, failed := x.send(req)
	if failed == nil {
		failed = x.readHeader()
		if failed != nil && refused != nil {
			failed = refused
		}
	}
	if failed != nil {
		x.release(false)
		return nil, failed
	}
	h := &cn.header
	x.keep = refused == nil && !h.ConnectionClose()
	x.frame = framed(h, req.Method == "HEAD")
	x.Status, x.Length = h.StatusCode(), x.frame.length()
	x.Body, x.header = x, x
	cn.readLimit, cn.rearm = c.set.Idle, true
	return &x.Response, nil
}

// send writes the request. refused says that the peer did not take all of it but may have answered.
func (x *exchange) send(req *Request) (refused, failed *Error) {
	cn, c := x.cn, x.client
	cn.writeLimit = c.set.Idle
	head, body := req.render()
	_, err := cn.Write(head)
	if err == nil && body != nil {
		_, err = cn.Write(body)
	}
	switch {
	case err == nil:
		cn.limitHeader(c.set.FirstByte)
		return nil, nil
	case timedOut(cn.err) || cn.gone.Load():
		return nil, x.failure(cn.err, ErrIdle)
	}
	refused = x.failure(cn.err, ErrClosedEarly)
	cn.limitHeader(earlyAnswer)
	return refused, nil
}

// limitHeader sets the limit for the header once: a header that comes in drips counts as silence.
func (cn *conn) limitHeader(limit time.Duration) {
	cn.rearm, cn.readLimit = false, limit
	cn.setRead()
}

// readHeader reads the status line and headers, past interim answers.
func (x *exchange) readHeader() *Error {
	cn := x.cn
	if cn.br == nil {
		cn.br, _ = x.client.readers.Get().(*bufio.Reader)
	}
	if cn.br == nil {
		cn.br = bufio.NewReaderSize(cn, readSize)
	} else {
		cn.br.Reset(cn)
	}
	cn.err = nil
	for range maxInterim {
		if err := cn.parseHeader(); err != nil {
			return x.headerFailure()
		}
		status := cn.header.StatusCode()
		if status == fasthttp.StatusSwitchingProtocols {
			break
		}
		if status >= 200 {
			return nil
		}
	}
	return &Error{Kind: ErrMalformed, Where: cn.host.addr}
}

// parseHeader is one header, in a larger buffer if the small one is full before its end.
func (cn *conn) parseHeader() error {
	err := cn.header.Read(cn.br)
	if err != nil && cn.err == nil && cn.br.Buffered() == cn.br.Size() && cn.br.Size() < headerMax {
		cn.br = bufio.NewReaderSize(cn.br, headerMax)
		err = cn.header.Read(cn.br)
	}
	return err
}

// headerFailure judges by what the socket said: fasthttp gives io.EOF for nearly everything.
func (x *exchange) headerFailure() *Error {
	switch cn := x.cn; {
	case cn.err == nil:
		return &Error{Kind: ErrMalformed, Where: cn.host.addr}
	case cn.got == 0:
		return x.failure(cn.err, ErrClosedEarly)
	default:
		return x.failure(cn.err, ErrCut)
	}
}

// failure names what the socket said: cancelled, out of time, or else kind.
func (x *exchange) failure(err, kind error) *Error {
	cn := x.cn
	switch {
	case x.ctx.Err() != nil:
		return cancelled(x.ctx)
	case !timedOut(err):
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
	case cn.expired():
		kind, err = ErrTotal, nil
	case cn.rearm || kind == ErrIdle:
		kind, err = ErrIdle, nil
	default:
		kind, err = ErrFirstByte, nil
	}
	return &Error{Kind: kind, Where: cn.host.addr, cause: err}
}

func timedOut(err error) bool {
	var n net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &n) && n.Timeout()
}

// release gives the connection back; clean says that nothing of this call is left in it.
func (x *exchange) release(clean bool) {
	cn := x.cn
	x.cn = nil
	if x.stop != nil && !x.stop() {
		clean = false // the watch has fired or is about to
	}
	if !clean || cn.gone.Load() {
		cn.host.drop(cn)
		return
	}
	if cn.br.Size() == readSize {
		x.client.readers.Put(cn.br)
	}
	cn.br = nil // an unused connection holds no buffer
	cn.host.put(cn)
}

// headerValue implements Response.Header.
func (x *exchange) headerValue(name string) string {
	if x.cn == nil {
		return ""
	}
	return string(x.cn.header.Peek(name))
}
