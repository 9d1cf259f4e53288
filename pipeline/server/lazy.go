package server

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// lazyConn takes a read deadline that moves away down, and sets it when the old one strikes.
// fasthttp and the body reader move it some five times a request, always away; each real move
// takes locks in the runtime's poller and a timer.
type lazyConn struct {
	net.Conn
	mu   sync.Mutex
	want time.Time // what was asked for; zero is no deadline
	set  time.Time // what is in force: never later than want

	ended bool // the peer has sent its last byte; for the goroutine that reads
}

// NetConn lets watch.Of find its connection beneath.
func (c *lazyConn) NetConn() net.Conn { return c.Conn }

// SetReadDeadline implements net.Conn.
func (c *lazyConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.want = t
	if c.set.IsZero() && t.IsZero() || !c.set.IsZero() && (t.IsZero() || !t.Before(c.set)) {
		return nil
	}
	c.set = t
	return c.Conn.SetReadDeadline(t)
}

// SetDeadline implements net.Conn.
func (c *lazyConn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// Read implements net.Conn.
func (c *lazyConn) Read(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		c.ended = c.ended || err == io.EOF
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) || !c.early() {
			return n, err
		}
	}
}

// early sets the deadline that was asked for, and says whether it is still to come.
func (c *lazyConn) early() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.want.IsZero() && !time.Now().Before(c.want) {
		return false
	}
	c.set = c.want
	return c.Conn.SetReadDeadline(c.want) == nil
}
