package outbound

import (
	"bufio"
	"context"
	"net"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// readSize is the read buffer of a call. It is held as long as a stream is open, so it is small;
// a header that does not fit gets headerMax once.
const (
	readSize  = 4 << 10
	headerMax = 64 << 10
)

// writePiece is how much must leave within the idle limit: one limit for a body of 20 MB at once
// would cut slow lines.
const writePiece = 256 << 10

// conn is one connection, used by one call at a time. It is never reused after an abort, so an
// abort that comes late cannot hit another call.
type conn struct {
	host   *host
	rw     net.Conn // TLS or plain
	raw    net.Conn // beneath TLS: closing it never blocks
	abort  func()   // bound once, so that arming a call allocates nothing
	gone   atomic.Bool
	reused bool
	idle   time.Time // since when it is unused

	br     *bufio.Reader
	header fasthttp.ResponseHeader

	// Of the running call:
	readLimit, writeLimit time.Duration
	rearm                 bool      // each read has the full readLimit; else it was set once
	until                 time.Time // total limit
	readBy, writeBy       time.Time // deadlines now set
	got                   int64     // bytes read
	err                   error     // what the last read or write of the socket said
}

func newConn(h *host, rw, raw net.Conn) *conn {
	cn := &conn{host: h, rw: rw, raw: raw}
	cn.abort = func() {
		cn.gone.Store(true)
		_ = cn.raw.Close()
	}
	return cn
}

// arm makes the end of ctx close the connection. A context that has AfterFunc of its own is asked
// directly: that saves the four allocations of context.AfterFunc, and the channel of Done.
func (cn *conn) arm(ctx context.Context) (stop func() bool) {
	if own, ok := ctx.(interface{ AfterFunc(func()) func() bool }); ok {
		return own.AfterFunc(cn.abort)
	}
	if ctx.Done() == nil {
		return nil
	}
	return context.AfterFunc(ctx, cn.abort)
}

// Read implements io.Reader for the buffered reader: it keeps the limits and remembers what the
// socket said, because fasthttp reports most failures as io.EOF.
func (cn *conn) Read(p []byte) (int, error) {
	if cn.rearm {
		cn.setRead()
	}
	n, err := cn.rw.Read(p)
	cn.got += int64(n)
	if err != nil {
		cn.err = err
	}
	return n, err
}

// Write sends p under the limit of the call.
func (cn *conn) Write(p []byte) (int, error) {
	sent := 0
	for {
		cn.setWrite()
		n, err := cn.rw.Write(p[sent:min(sent+writePiece, len(p))])
		sent += n
		if err != nil {
			cn.err = err
			return sent, err
		}
		if sent == len(p) {
			return sent, nil
		}
	}
}

func (cn *conn) setRead() {
	if t, change := next(cn.readBy, cn.readLimit, cn.until); change {
		cn.readBy = t
		_ = cn.rw.SetReadDeadline(t) // a closed connection says so at the read
	}
}

func (cn *conn) setWrite() {
	if t, change := next(cn.writeBy, cn.writeLimit, cn.until); change {
		cn.writeBy = t
		_ = cn.rw.SetWriteDeadline(t)
	}
}

// next is the deadline to set where now is set. It is up to a sixteenth later than limit asks, so
// that a stream of many small reads does not move a timer at each.
func next(now time.Time, limit time.Duration, until time.Time) (time.Time, bool) {
	if limit == 0 {
		return until, !now.Equal(until)
	}
	earliest := time.Now().Add(limit)
	if !until.IsZero() && until.Before(earliest) {
		return until, !now.Equal(until)
	}
	slack := limit / 16
	if !now.Before(earliest) && !now.After(earliest.Add(slack)) {
		return now, false
	}
	return earliest.Add(slack), true
}

// expired says whether the total limit of the call has passed.
func (cn *conn) expired() bool { return !cn.until.IsZero() && !time.Now().Before(cn.until) }
