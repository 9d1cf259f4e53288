package outbound

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// Standard is a Caller on net/http. It knows HTTP/2 and costs about twice the CPU of Client; the
// tests hold both to the same table.
type Standard struct {
	set       Settings
	transport *http.Transport
}

// NewStandard makes one; see New for the errors.
func NewStandard(set Settings) (*Standard, error) {
	d, err := newDialer(set)
	if err != nil {
		return nil, err
	}
	return &Standard{set, newTransport(set, d, true)}, nil
}

// newTransport is a transport that dials as Client does.
func newTransport(set Settings, d *dialer, h2 bool) *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			rw, _, err := d.dial(ctx, target{addr: addr})
			return rw, err
		},
		DialTLSContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			rw, _, err := d.dial(ctx, target{addr: addr, tls: true, h2: h2})
			return rw, err
		},
		ForceAttemptHTTP2: h2, DisableCompression: true,
		MaxConnsPerHost: set.MaxConnsPerHost, MaxIdleConnsPerHost: max(set.MaxConnsPerHost, 64),
		IdleConnTimeout: set.MaxIdle, ResponseHeaderTimeout: set.FirstByte,
		MaxResponseHeaderBytes: headerMax,
	}
}

// Close closes the unused connections.
func (s *Standard) Close() error {
	s.transport.CloseIdleConnections()
	return nil
}

// Do implements Caller.
func (s *Standard) Do(ctx context.Context, req *Request) (*Response, error) {
	if ctx.Err() != nil {
		return nil, cancelled(ctx)
	}
	if stray := req.astray(s.set.Proxy); stray != nil {
		return nil, stray
	}
	call := &standardCall{limit: s.set.Idle, parent: ctx, where: req.authority}
	limited, cancel := context.WithCancelCause(ctx)
	call.cancel, call.ctx = cancel, limited
	call.timer = time.AfterFunc(time.Hour, func() { cancel(ErrIdle) })
	call.timer.Stop()
	if s.set.Total > 0 {
		call.total = time.AfterFunc(s.set.Total, func() { cancel(ErrTotal) })
	}
	limited = httptrace.WithClientTrace(limited, &httptrace.ClientTrace{
		GotFirstResponseByte: func() { call.spoke.Store(true) },
	})
	hr, err := standardRequest(limited, req)
	if err != nil {
		call.end()
		return nil, &Error{Kind: ErrRequest, Where: call.where, cause: err}
	}
	answer, err := s.transport.RoundTrip(hr)
	if err != nil {
		defer call.end()
		return nil, call.failure(err)
	}
	call.answer = answer
	return &Response{Status: answer.StatusCode, Length: answer.ContentLength, Body: call, header: call}, nil
}

func standardRequest(ctx context.Context, req *Request) (*http.Request, error) {
	if bad := req.check(); bad != nil {
		return nil, bad
	}
	body := bytes.Clone(req.Body) // the transport may still read it after a failed call
	hr, err := http.NewRequestWithContext(ctx, req.method(), req.URL(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.eachHeader(hr.Header.Add)
	hr.Header["Idempotency-Key"] = nil // never sent; allows another try on a stale connection
	return hr, nil
}

// standardCall is the body of a call by Standard.
type standardCall struct {
	ctx, parent  context.Context
	cancel       context.CancelCauseFunc
	timer, total *time.Timer
	limit        time.Duration
	spoke        atomic.Bool
	where        string
	answer       *http.Response
	closed       bool
}

func (c *standardCall) failure(err error) *Error {
	var own *Error
	cause := context.Cause(c.ctx)
	switch {
	case c.parent.Err() != nil:
		return cancelled(c.parent)
	case errors.Is(cause, ErrIdle) || errors.Is(cause, ErrTotal):
		return &Error{Kind: cause, Where: c.where}
	case errors.As(err, &own):
		return own
	case c.answer != nil:
		return &Error{Kind: ErrCut, Where: c.where, cause: err}
	case timedOut(err):
		return &Error{Kind: ErrFirstByte, Where: c.where}
	case !c.spoke.Load():
		return &Error{Kind: ErrClosedEarly, Where: c.where, cause: err}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &Error{Kind: ErrCut, Where: c.where, cause: err}
	}
	return &Error{Kind: ErrMalformed, Where: c.where}
}

// Read implements Body.
func (c *standardCall) Read(p []byte) (int, error) {
	if c.closed {
		return 0, io.ErrClosedPipe
	}
	if c.limit > 0 {
		c.timer.Reset(c.limit)
		defer c.timer.Stop()
	}
	n, err := c.answer.Body.Read(p)
	if err == nil || err == io.EOF {
		return n, err
	}
	return n, c.failure(err)
}

// Buffered implements Body; net/http does not say.
func (c *standardCall) Buffered() int { return 0 }

// Hurry implements Body.
func (c *standardCall) Hurry(d time.Duration) {
	if c.limit == 0 || d < c.limit {
		c.limit = d
	}
}

// Close implements Body.
func (c *standardCall) Close() error {
	if c.closed {
		return nil
	}
	c.closed = true
	err := c.answer.Body.Close()
	c.end()
	return err
}

func (c *standardCall) end() {
	c.timer.Stop()
	if c.total != nil {
		c.total.Stop()
	}
	c.cancel(nil)
}

func (c *standardCall) headerValue(name string) string {
	if c.closed {
		return ""
	}
	return c.answer.Header.Get(name)
}
