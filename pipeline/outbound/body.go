package outbound

import (
	"errors"
	"io"
	"time"
)

// Read implements Body. It waits for the first bytes only: what else is in memory is taken along,
// across chunks, and nothing is waited for once there is something to give.
func (x *exchange) Read(p []byte) (int, error) {
	if x.closed {
		return 0, io.ErrClosedPipe
	}
	if x.err != nil {
		return 0, x.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, err := x.frame.read(x.cn.br, p)
	if err == nil {
		return n, nil
	}
	switch {
	case err == io.EOF:
		x.err = io.EOF
	case errors.Is(err, errFraming):
		x.err = &Error{Kind: ErrMalformed, Where: x.cn.host.addr, cause: err}
	default:
		x.err = x.failure(err, ErrCut)
	}
	if n > 0 {
		return n, nil
	}
	return 0, x.err
}

// Buffered implements Body.
func (x *exchange) Buffered() int {
	if x.closed || x.err != nil {
		return 0
	}
	return x.frame.buffered(x.cn.br)
}

// Hurry implements Body.
func (x *exchange) Hurry(d time.Duration) {
	if !x.closed && (x.cn.readLimit == 0 || d < x.cn.readLimit) {
		x.cn.readLimit = d
	}
}

// Close implements Body.
func (x *exchange) Close() error {
	if x.closed {
		return nil
	}
	x.closed = true
	whole := x.err == io.EOF || x.err == nil && x.frame.finished(x.cn.br)
	x.release(whole && x.keep && x.cn.br.Buffered() == 0)
	return nil
}
