package outbound

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

// maxHosts bounds the table of hosts; a gateway calls about ten.
const maxHosts = 256

// host is the pool of one scheme and authority. The connection used last is taken first, so that
// surplus ones age and are swept.
type host struct {
	client *Client
	addr   string // host:port
	tls    bool

	mu      sync.Mutex
	idle    []*conn // oldest first
	open    int     // idle, in use, and being dialled
	waiting []chan *conn
	dead    bool // out of the table: nothing is kept any more
}

// want is what a call needs of the pool.
type want struct {
	fresh bool // never a kept connection
	until time.Time
}

// host finds or makes the pool for the target of a request.
func (c *Client) host(req *Request) (*host, error) {
	if bad := req.check(); bad != nil {
		return nil, bad
	}
	if stray := req.astray(c.set.Proxy); stray != nil {
		return nil, stray
	}
	kind := 0
	if req.tls {
		kind = 1
	}
	c.mu.RLock()
	h, closed := c.hosts[kind][req.authority], c.closed
	c.mu.RUnlock()
	switch {
	case closed:
		return nil, &Error{Kind: ErrClosed}
	case h != nil:
		return h, nil
	}
	return c.addHost(req.authority, kind)
}

func (c *Client) addHost(authority string, kind int) (*host, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, &Error{Kind: ErrClosed}
	}
	if h := c.hosts[kind][authority]; h != nil {
		return h, nil
	}
	if len(c.hosts[0])+len(c.hosts[1]) >= maxHosts && !c.evict() {
		return nil, &Error{Kind: ErrBusy, Where: authority}
	}
	h := &host{client: c, addr: fasthttp.AddMissingPort(authority, kind == 1), tls: kind == 1}
	c.hosts[kind][authority] = h
	return h, nil
}

// evict takes one host without a call in flight out of the table.
func (c *Client) evict() bool {
	for _, m := range c.hosts {
		for authority, h := range m {
			if h.retire() {
				delete(m, authority)
				return true
			}
		}
	}
	return false
}

// take gives a connection whose slot the caller must give back with put or drop.
func (h *host) take(ctx context.Context, w want) (*conn, error) {
	h.mu.Lock()
	if cn := h.pop(w.fresh); cn != nil {
		h.mu.Unlock()
		return h.start(cn, w), nil
	}
	if limit := h.client.set.MaxConnsPerHost; limit == 0 || h.open < limit {
		h.open++
		h.mu.Unlock()
		return h.connect(ctx, w)
	}
	turn := make(chan *conn, 1)
	h.waiting = append(h.waiting, turn)
	h.mu.Unlock()
	cn, err := h.wait(ctx, turn, w.until)
	switch {
	case err != nil:
		return nil, err
	case cn == nil:
		return h.connect(ctx, w)
	case w.fresh:
		cn.abort() // its slot is ours now
		return h.connect(ctx, w)
	}
	return h.start(cn, w), nil
}

// pop takes the newest kept connection. A call that must have a fresh one, since a kept one proved
// closed, ends one more of them instead: they are likely as stale, and it may need the room.
func (h *host) pop(fresh bool) *conn {
	for n := len(h.idle) - 1; n >= 0; n-- {
		cn := h.idle[n]
		h.idle[n] = nil
		h.idle = h.idle[:n]
		if !fresh && time.Since(cn.idle) < h.client.set.MaxIdle {
			return cn
		}
		cn.abort()
		h.open--
		if fresh {
			return nil
		}
	}
	return nil
}

func (h *host) start(cn *conn, w want) *conn {
	cn.reused, cn.until, cn.got, cn.err = true, w.until, 0, nil
	return cn
}

// connect dials for a slot that is already counted.
func (h *host) connect(ctx context.Context, w want) (*conn, error) {
	rw, raw, err := h.client.dialer.dial(ctx, target{addr: h.addr, tls: h.tls, until: w.until})
	if err != nil {
		h.leave()
		return nil, err
	}
	cn := newConn(h, rw, raw)
	cn.until = w.until
	return cn, nil
}

// wait stands in line for a connection, or for a slot (nil), as long as connecting may take.
func (h *host) wait(ctx context.Context, turn chan *conn, until time.Time) (*conn, error) {
	late, stop := timer(h.client.set.Connect)
	defer stop()
	total, stopTotal := timer(untilOrZero(until))
	defer stopTotal()
	var err error
	select {
	case cn := <-turn:
		return cn, nil
	case <-ctx.Done():
		err = cancelled(ctx)
	case <-late:
		err = &Error{Kind: ErrBusy, Where: h.addr}
	case <-total:
		err = &Error{Kind: ErrTotal, Where: h.addr}
	}
	h.mu.Lock()
	i := slices.Index(h.waiting, turn)
	if i >= 0 {
		h.waiting = slices.Delete(h.waiting, i, i+1)
	}
	h.mu.Unlock()
	if i < 0 { // it was given to us in the same moment
		if cn := <-turn; cn != nil {
			h.put(cn)
		} else {
			h.leave()
		}
	}
	return nil, err
}

// timer is a channel that fires after d, or never for 0.
func timer(d time.Duration) (<-chan time.Time, func()) {
	if d == 0 {
		return nil, func() {}
	}
	t := time.NewTimer(d)
	return t.C, func() { t.Stop() }
}

func untilOrZero(t time.Time) time.Duration {
	if t.IsZero() {
		return 0
	}
	return max(time.Until(t), 1)
}

// put keeps a connection for the next call.
func (h *host) put(cn *conn) {
	cn.idle = time.Now()
	h.mu.Lock()
	if len(h.waiting) > 0 {
		turn := h.waiting[0]
		h.waiting = slices.Delete(h.waiting, 0, 1)
		h.mu.Unlock()
		turn <- cn
		return
	}
	if h.dead {
		h.open--
		h.mu.Unlock()
		cn.abort()
		return
	}
	h.idle = append(h.idle, cn)
	h.mu.Unlock()
}

// drop ends a connection.
func (h *host) drop(cn *conn) {
	cn.abort()
	h.leave()
}

// leave gives a slot back, to the first in line if there is one.
func (h *host) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.waiting) == 0 {
		h.open--
		return
	}
	h.waiting[0] <- nil
	h.waiting = slices.Delete(h.waiting, 0, 1)
}

// trim closes what was unused since before t.
func (h *host) trim(t time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for n < len(h.idle) && h.idle[n].idle.Before(t) {
		h.idle[n].abort()
		n++
	}
	h.open -= n
	h.idle = slices.Delete(h.idle, 0, n)
}

// close drops what is kept; calls in flight end by themselves.
func (h *host) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.empty()
}

func (h *host) empty() {
	for _, cn := range h.idle {
		cn.abort()
	}
	h.open -= len(h.idle)
	h.idle, h.dead = nil, true
}

// retire marks a host dead if nothing runs on it.
func (h *host) retire() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.open > len(h.idle) || len(h.waiting) > 0 {
		return false
	}
	h.empty()
	return true
}

// sweep closes connections that nobody used for MaxIdle. It is the only goroutine of a Client.
func (c *Client) sweep() {
	defer close(c.done)
	tick := time.NewTicker(max(c.set.MaxIdle/2, 10*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-c.stop:
			return
		case now := <-tick.C:
			c.mu.RLock()
			for _, m := range c.hosts {
				for _, h := range m {
					h.trim(now.Add(-c.set.MaxIdle))
				}
			}
			c.mu.RUnlock()
		}
	}
}
