package faults

import (
	"bytes"
	"net"
	"sync/atomic"
	"time"
)

// link is one connection through the proxy.
type link struct {
	p              *Proxy
	client, server net.Conn

	clientSpoke atomic.Bool // ever
	serverSpoke atomic.Bool // since the client did
	lost        atomic.Bool // something was swallowed
	doomed      atomic.Pointer[doom]
}

// doom is a reset that a connection is about to meet.
type doom struct {
	answers bool
	left    atomic.Int64
}

// piece is what was read at once, and when it may go on.
type piece struct {
	data []byte
	due  time.Time
}

// most is how many pieces are under way in one direction: enough for any delay at the speed of a test.
const most = 4096

// pass reads from one side and writes to the other. Pieces wait side by side: a delay makes nothing slower
// than that.
func (l *link) pass(direction int) {
	from, to := l.client, l.server
	if direction == toClient {
		from, to = to, from
	}
	queue := make(chan piece, most)
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.write(direction, to, queue)
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if data := l.heard(direction, bytes.Clone(buf[:n])); len(data) > 0 {
				queue <- piece{data, time.Now().Add(l.p.delayOf(direction))}
			}
		}
		if err != nil {
			break
		}
	}
	close(queue)
	<-done
	if half, can := to.(*net.TCPConn); can {
		_ = half.CloseWrite()
	}
}

func (l *link) write(direction int, to net.Conn, queue <-chan piece) {
	for one := range queue {
		time.Sleep(time.Until(one.due))
		if l.p.swallows() {
			l.lost.Store(true)
			continue
		}
		data, reset := l.bounded(direction, one.data)
		if _, err := to.Write(data); err != nil || reset {
			l.reset(reset)
			for range queue { // until the reader has seen it
			}
			return
		}
	}
}

// heard counts what was read, and swallows it.
func (l *link) heard(direction int, data []byte) []byte {
	if direction == toServer {
		if !l.clientSpoke.Swap(true) || l.serverSpoke.Swap(false) {
			l.p.turns.Add(1)
		}
		l.p.condemn(l, data)
	} else {
		l.serverSpoke.Store(true)
	}
	if l.p.swallows() {
		l.lost.Store(true)
		return nil
	}
	return data
}

// bounded is what still gets through of a piece, and whether that was the last of it.
func (l *link) bounded(direction int, data []byte) ([]byte, bool) {
	d := l.doomed.Load()
	if d == nil || d.answers != (direction == toClient) {
		return data, false
	}
	left := d.left.Add(-int64(len(data)))
	if left > 0 {
		return data, false
	}
	return data[:max(0, int64(len(data))+left)], true
}

func (l *link) reset(hit bool) {
	if hit {
		l.p.hits.Add(1)
	}
	abort(l.client)
	abort(l.server)
}

// end closes both sides.
func (l *link) end() {
	_ = l.client.Close()
	_ = l.server.Close()
}

// abort closes a connection so that the other side gets "connection reset".
func abort(c net.Conn) {
	if t, can := c.(*net.TCPConn); can {
		_ = t.SetLinger(0)
	}
	_ = c.Close()
}

func (p *Proxy) delayOf(direction int) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.delay[direction]
}

func (p *Proxy) swallows() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.swallow
}

// condemn dooms a connection on which the client has said what a Reset is about.
func (p *Proxy) condemn(l *link, said []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l.doomed.Load() != nil {
		return
	}
	for i, r := range p.resets {
		if !bytes.Contains(said, []byte(r.Saying)) {
			continue
		}
		d := &doom{answers: r.Answers}
		d.left.Store(int64(r.After))
		l.doomed.Store(d)
		if r.Times == 1 {
			p.resets = append(p.resets[:i:i], p.resets[i+1:]...)
		} else if r.Times > 1 {
			r.Times--
		}
		return
	}
}
