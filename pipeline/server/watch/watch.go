// Package watch knows at once when a client leaves.
//
// Neither fiber nor fasthttp tells a handler that its client is gone: a failed write is their only
// sign, and a plain request that waits for Google never writes. So every accepted connection is
// armed once, for life, in one epoll instance; a request then costs two atomic operations. Where
// there is no epoll a ticker peeks at the connections that have a request running; on Windows
// nothing is watched and a failed write stays the only sign.
//
// A client that closed only its sending half counts as gone. TCP cannot tell it from one that left
// (both send FIN), every HTTP client in use keeps its half open until it has the answer, and a call
// to Google that nobody waits for costs quota. Bytes that a client sends ahead are no close.
package watch

import (
	"net"
	"sync"
	"sync/atomic"
	"syscall"
)

// Cancel is called once, when the peer leaves while the exchange runs. It runs on the watcher's
// goroutine (or in Begin, when the peer had already left): it must not block and must not call End.
type Cancel func()

// Listener accepts connections that are watched.
type Listener struct {
	net.Listener
	watcher watcher
	done    chan struct{}

	mu      sync.Mutex
	conns   map[uint64]*Conn // open connections; an id is never used twice
	last    uint64
	closing bool
}

// watcher reports which connections were closed by their peers.
type watcher interface {
	// add begins to watch. The watcher has no way to end that: closing the descriptor does, and an
	// id that is no longer in the table says nothing.
	add(id uint64, raw syscall.RawConn) error
	run(l *Listener) // until stop
	stop()           // may be called more than once
}

// Listen wraps inner. Stop ends the watcher.
func Listen(inner net.Listener) (*Listener, error) {
	w, err := newWatcher()
	if err != nil {
		return nil, err
	}
	return listen(inner, w), nil
}

func listen(inner net.Listener, w watcher) *Listener {
	l := &Listener{Listener: inner, watcher: w, done: make(chan struct{}), conns: map[uint64]*Conn{}}
	go func() {
		defer close(l.done)
		w.run(l)
	}()
	return l
}

// Accept returns a *Conn. A connection that cannot be watched is served all the same.
func (l *Listener) Accept() (net.Conn, error) {
	inner, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &Conn{Conn: inner, listener: l}
	sc, ok := inner.(syscall.Conn)
	if !ok {
		return c, nil
	}
	if c.raw, err = sc.SyscallConn(); err != nil {
		return c, nil
	}
	l.mu.Lock()
	l.last++
	c.id = l.last
	l.conns[c.id] = c
	l.mu.Unlock()
	// After the table, so that a peer that has already left is found.
	if err := l.watcher.add(c.id, c.raw); err != nil {
		l.forget(c)
	}
	return c, nil
}

// Close stops accepting. What is open stays watched, because a server drains after it closed its
// listener; the watcher ends with the last connection, or by Stop.
func (l *Listener) Close() error {
	err := l.Listener.Close()
	l.mu.Lock()
	l.closing = true
	idle := len(l.conns) == 0
	l.mu.Unlock()
	if idle {
		l.watcher.stop()
	}
	return err
}

// Stop closes the listener, ends the watcher and waits for it. After it no Cancel is called except
// by Begin.
func (l *Listener) Stop() error {
	err := l.Close()
	l.watcher.stop()
	<-l.done
	return err
}

// left is the watcher's report that the peer of a connection is gone.
func (l *Listener) left(id uint64) {
	l.mu.Lock()
	c := l.conns[id]
	l.mu.Unlock()
	if c != nil {
		c.leave()
	}
}

// forget comes before the descriptor is closed: an event still in flight then finds nothing. Events
// carry ids and not descriptors, which the system gives out again at once.
func (l *Listener) forget(c *Conn) {
	l.mu.Lock()
	delete(l.conns, c.id)
	last := l.closing && len(l.conns) == 0
	l.mu.Unlock()
	if last {
		l.watcher.stop()
	}
}

// Conn is an accepted connection.
type Conn struct {
	net.Conn
	listener *Listener
	id       uint64
	raw      syscall.RawConn

	gone atomic.Bool
	cur  atomic.Pointer[Cancel]
	mu   sync.Mutex // held while cur's function runs on the watcher
}

// Of finds the watched connection beneath c, also through TLS; nil if there is none.
func Of(c net.Conn) *Conn {
	for c != nil {
		switch v := c.(type) {
		case *Conn:
			return v
		case interface{ NetConn() net.Conn }:
			c = v.NetConn()
		default:
			return nil
		}
	}
	return nil
}

// Begin says which exchange runs on the connection now. cancel must stay valid until End; it is
// called before Begin returns if the peer has left already.
func (c *Conn) Begin(cancel *Cancel) {
	c.cur.Store(cancel)
	if c.gone.Load() {
		if mine := c.cur.Swap(nil); mine != nil {
			(*mine)()
		}
	}
}

// End takes the exchange off. When it returns, cancel is not running and will not be called.
func (c *Conn) End() {
	if c.cur.Swap(nil) == nil && c.gone.Load() {
		c.wait()
	}
}

// wait returns when a call that the watcher has begun is over.
func (c *Conn) wait() {
	c.mu.Lock()
	defer c.mu.Unlock()
}

// Gone says whether the peer has left. It stays so.
func (c *Conn) Gone() bool { return c.gone.Load() }

// Close closes the connection; its own close is not the peer leaving.
func (c *Conn) Close() error {
	c.listener.forget(c)
	return c.Conn.Close()
}

// leave runs on the watcher's goroutine.
func (c *Conn) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone.Store(true)
	if cancel := c.cur.Swap(nil); cancel != nil {
		(*cancel)()
	}
}
