package server

import (
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
)

// bodies bounds the request bodies that are held at the same time.
type bodies struct {
	limit    int64         // of one body, decoded
	budget   int64         // of all bodies in flight
	patience time.Duration // silence allowed while a body arrives
	inUse    atomic.Int64
}

// take reserves n bytes of the shared budget.
func (b *bodies) take(n int64) *apierror.Error {
	if b.inUse.Add(n) > b.budget {
		b.inUse.Add(-n)
		return apierror.New(apierror.Overloaded, "the gateway holds too many request bodies at the moment; try again").After(time.Second)
	}
	return nil
}

func (b *bodies) give(n int64) { b.inUse.Add(-n) }

// chunked is what fasthttp gives as the length of a body that announces none.
const chunked = -1

// body is one request body, read on first use and nowhere else: fiber's own accessor gunzips without limit.
type body struct {
	shared *bodies
	src    io.Reader
	length int // Content-Length, or chunked
	coding string
	conn   net.Conn

	done  bool
	over  bool        // released
	cut   bool        // the connection ended before the body did
	buf   wire.Buffer // lent; empty before the first read and after release
	taken int64
	err   *apierror.Error
}

// read gives the decoded body.
func (b *body) read() ([]byte, *apierror.Error) {
	if b.over {
		return nil, apierror.New(apierror.Internal, "the request is over")
	}
	if !b.done {
		b.done = true
		b.err = b.fill()
		if b.conn != nil && b.err == nil {
			_ = b.conn.SetReadDeadline(time.Time{})
		}
	}
	if b.err != nil {
		return nil, b.err
	}
	return b.buf.B, nil
}

func (b *body) tooLarge() *apierror.Error { return tooLarge(b.shared.limit) }

func tooLarge(limit int64) *apierror.Error {
	return apierror.Newf(apierror.TooLarge, "the request body is larger than the limit of %d bytes", limit)
}

func (b *body) fill() *apierror.Error {
	switch {
	case int64(b.length) > b.shared.limit:
		return b.tooLarge()
	case b.length == 0 || b.src == nil:
		return nil
	}
	src, err := b.decoder()
	if err != nil {
		return err
	}
	size := 4096
	if b.length > 0 && b.coding == "" {
		size = min(b.length, firstRead)
	}
	return b.drain(src, size)
}

// firstRead is what is set aside for a body before any of it came: memory and budget follow what
// arrives, not what was announced.
const firstRead = 256 << 10

// drain reads src to its end, reserving from the budget before memory is taken.
func (b *body) drain(src io.Reader, size int) *apierror.Error {
	if f := b.reserve(int64(size)); f != nil {
		return f
	}
	wire.Buffers.Lend(&b.buf, size)
	p := b.buf.B[:cap(b.buf.B)]
	n := 0
	for {
		if n == len(p) {
			next := 2 * len(p)
			if b.length >= n && b.coding == "" {
				next = min(next, b.length)
			}
			if f := b.reserve(int64(next) - b.taken); f != nil {
				return f
			}
			p = b.grow(p, n, next)
		}
		m, err := src.Read(p[n:])
		n += m
		if int64(n) > b.shared.limit {
			return b.tooLarge()
		}
		if err == io.EOF || n == b.length && b.coding == "" {
			b.buf.B = p[:n]
			return nil
		}
		if err != nil {
			return b.broken(err)
		}
	}
}

func (b *body) reserve(n int64) *apierror.Error {
	if n <= 0 {
		return nil
	}
	if f := b.shared.take(n); f != nil {
		return f
	}
	b.taken += n
	return nil
}

func (b *body) grow(p []byte, n, size int) []byte {
	var bigger wire.Buffer
	wire.Buffers.Lend(&bigger, size)
	q := bigger.B[:cap(bigger.B)]
	copy(q, p[:n])
	wire.Buffers.Put(&b.buf)
	b.buf = bigger
	return q
}

func (b *body) broken(err error) *apierror.Error {
	var f *apierror.Error
	if errors.As(err, &f) {
		return f
	}
	switch {
	case timedOut(err):
		return apierror.Wrap(apierror.BadRequest, "the request body did not arrive in time", err)
	case b.coding != "" && !b.cut:
		return apierror.Wrap(apierror.BadRequest, "the request body is not valid "+b.coding, err)
	}
	return apierror.Wrap(apierror.BadRequest, "the request body could not be read to its end", err)
}

// decoder undoes the Content-Encoding; what it yields is held to the same limit.
func (b *body) decoder() (io.Reader, *apierror.Error) {
	src := io.Reader((*patient)(b))
	switch strings.ToLower(b.coding) {
	case "", "identity":
		b.coding = ""
		return src, nil
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(src)
		if err != nil {
			return nil, b.broken(err)
		}
		return z, nil
	case "deflate":
		z, err := zlib.NewReader(src)
		if err != nil {
			return nil, b.broken(err)
		}
		return z, nil
	}
	return nil, apierror.Newf(apierror.BadRequest, "Content-Encoding %q is not supported; gzip, deflate and identity are", clip(b.coding)).Naming("Content-Encoding")
}

// unread tells whether the client may still be sending.
func (b *body) unread() bool {
	if b.src == nil { // none, or one that a refused client was not asked for and may send all the same
		return b.length > 0 || b.length == chunked
	}
	return b.length != 0 && (!b.done || b.err != nil)
}

// release gives buffer and budget back; the bytes are dead afterwards.
func (b *body) release() {
	wire.Buffers.Put(&b.buf)
	b.shared.give(b.taken)
	b.taken, b.over = 0, true
}

// patient is the body as it arrives. It re-arms the read deadline at each read: a large upload may
// take its time, a silent one not.
type patient body

// Read reads from the connection under a fresh deadline.
func (p *patient) Read(q []byte) (int, error) {
	if p.conn != nil {
		_ = p.conn.SetReadDeadline(time.Now().Add(p.shared.patience))
	}
	n, err := p.src.Read(q)
	// fasthttp reads on only while the body is not complete, and takes the end of the connection for
	// the end of the body.
	if l, ok := p.conn.(*lingerConn); ok && err == io.EOF && l.ended {
		err = io.ErrUnexpectedEOF
	}
	p.cut = p.cut || err != nil && err != io.EOF && !timedOut(err)
	return n, err
}

func timedOut(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}
