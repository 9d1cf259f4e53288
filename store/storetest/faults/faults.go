// Package faults stands in front of a database and makes trouble for the tests of those who use it: it
// delays, cuts, refuses, swallows and resets, and counts connections and round trips.
package faults

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Proxy is a TCP proxy to one server. It is safe for concurrent use.
type Proxy struct {
	target string
	addr   string

	mu      sync.Mutex
	ln      net.Listener // nil while connections are refused
	links   map[*link]bool
	delay   [2]time.Duration // by direction
	swallow bool
	resets  []*Reset
	closed  bool

	owned sync.WaitGroup
	taken atomic.Int64
	turns atomic.Int64
	hits  atomic.Int64
}

// Reset breaks connections off, as a machine does that loses its memory of them: whoever reads or writes
// gets "connection reset".
type Reset struct {
	Saying  string // only connections on which the client says this in one write; "" is each
	Answers bool   // After counts what the server says, else what the client says, from there on
	After   int    // bytes that still get through; 0 for answers is that the server did what it was asked
	Times   int    // how many connections; 0 is all until Heal
}

// The directions.
const (
	toServer = iota
	toClient
)

// Start begins to pass on what comes to Addr. It ends with the test.
func Start(t testing.TB, target string) *Proxy {
	t.Helper()
	p := &Proxy{target: target, links: map[*link]bool{}}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.addr = ln.Addr().String()
	p.listen(ln)
	t.Cleanup(p.Close)
	return p
}

// Addr is where clients connect: host and port.
func (p *Proxy) Addr() string { return p.addr }

// Delay holds up each piece of what is said, by direction, from now on.
func (p *Proxy) Delay(server, client time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = [2]time.Duration{server, client}
}

// Cut closes all connections that there are. New ones are taken.
func (p *Proxy) Cut() {
	for _, l := range p.all() {
		l.end()
	}
}

// Refuse lets nobody in any more: nobody listens. Connections that there are stay.
func (p *Proxy) Refuse() {
	p.mu.Lock()
	ln := p.ln
	p.ln = nil
	p.mu.Unlock()
	if ln != nil {
		_ = ln.Close()
	}
}

// Away is a server that has been stopped: all connections are cut and no new one is taken.
func (p *Proxy) Away() {
	p.Refuse()
	p.Cut()
}

// Swallow takes what clients say, and their connections, and passes nothing on in either direction.
func (p *Proxy) Swallow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.swallow = true
}

// Reset has connections reset from now on. Several of them add up.
func (p *Proxy) Reset(r Reset) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.resets = append(p.resets, &r)
}

// Heal ends all trouble. Connections that have lost something are cut.
func (p *Proxy) Heal(t testing.TB) {
	t.Helper()
	p.mu.Lock()
	p.delay, p.swallow, p.resets = [2]time.Duration{}, false, nil
	closed := p.ln == nil && !p.closed
	p.mu.Unlock()
	for _, l := range p.all() {
		if l.lost.Load() {
			l.end()
		}
	}
	if !closed {
		return
	}
	var ln net.Listener
	var err error
	for late := time.Now().Add(time.Minute); time.Now().Before(late); time.Sleep(20 * time.Millisecond) {
		if ln, err = net.Listen("tcp", p.addr); err == nil { // somebody may have had the port for a moment
			p.listen(ln)
			return
		}
	}
	t.Fatalf("listen on %s again: %v", p.addr, err)
}

// Connections is how many there have been, and how many there are.
func (p *Proxy) Connections() (ever, now int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return int(p.taken.Load()), len(p.links)
}

// Turns is how often a client has begun to speak after the server did, on any connection: the round trips
// that were begun.
func (p *Proxy) Turns() int { return int(p.turns.Load()) }

// Resets is how many connections a Reset has hit.
func (p *Proxy) Resets() int { return int(p.hits.Load()) }

// Close ends the proxy and all connections.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.Away()
	p.owned.Wait()
}

func (p *Proxy) all() []*link {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]*link, 0, len(p.links))
	for l := range p.links {
		list = append(list, l)
	}
	return list
}

func (p *Proxy) listen(ln net.Listener) {
	p.mu.Lock()
	p.ln = ln
	p.mu.Unlock()
	p.owned.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return // Refuse or Close
			}
			p.taken.Add(1)
			p.owned.Go(func() { p.serve(c) })
		}
	})
}

// serve passes on what is said on one connection until it ends.
func (p *Proxy) serve(c net.Conn) {
	s, err := net.DialTimeout("tcp", p.target, time.Minute)
	if err != nil {
		abort(c)
		return
	}
	l := &link{p: p, client: c, server: s}
	p.mu.Lock()
	p.links[l] = true
	ended := p.ln == nil // it came in at the last moment
	p.mu.Unlock()
	if ended {
		l.end()
	}
	var both sync.WaitGroup
	both.Go(func() { l.pass(toServer) })
	both.Go(func() { l.pass(toClient) })
	both.Wait()
	l.end()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}
