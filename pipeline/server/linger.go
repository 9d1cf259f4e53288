package server

import (
	"net"
	"sync/atomic"
	"time"

	"gcli2api/pipeline/server/watch"
	"gcli2api/pipeline/wire"
)

// A refused upload is let run into the void as long as it runs, but only so long and so far. nginx in
// front of us sends a body to its end before it looks for an answer.
const (
	lingerTime  = time.Second // without a byte
	lingerLimit = 10 * time.Second
	lingerBytes = 256 << 20
)

// lingering hands out connections that can close gently.
type lingering struct{ net.Listener }

// Accept wraps the connection.
func (l lingering) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &lingerConn{lazyConn: lazyConn{Conn: c}}, nil
}

// lingerConn is a connection whose peer may still be sending a body that nobody will read. Closing
// it at once makes the kernel send a reset, which often reaches the peer before the answer does.
type lingerConn struct {
	lazyConn
	unread atomic.Bool // a body was left unread
	last   func()      // what must end with the connection (unframed)
}

// Close tells the peer that nothing more comes, lets it finish for a moment, then closes.
func (c *lingerConn) Close() error {
	if c.last != nil {
		c.last()
	}
	if c.unread.Load() {
		c.drain()
	}
	return c.Conn.Close()
}

func (c *lingerConn) drain() {
	w := watch.Of(c.Conn)
	if w == nil {
		return
	}
	tcp, ok := w.Conn.(*net.TCPConn)
	if !ok || tcp.CloseWrite() != nil {
		return
	}
	buf := wire.Buffers.Get(64 << 10)
	defer wire.Buffers.Put(buf)
	limit := time.Now().Add(lingerLimit)
	for n := 0; n < lingerBytes && time.Now().Before(limit); {
		if tcp.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
			return
		}
		m, err := tcp.Read(buf.B[:cap(buf.B)])
		if n += m; err != nil {
			return
		}
	}
}

// leftUnread marks a connection whose request body was not read to its end.
func leftUnread(c net.Conn, unread bool) {
	if l, ok := c.(*lingerConn); ok {
		l.unread.Store(unread)
	}
	if unread {
		// fasthttp reads a small rest on to keep the connection; it must not wait for it.
		_ = c.SetReadDeadline(time.Now().Add(lingerTime))
	}
}
