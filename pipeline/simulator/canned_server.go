package simulator

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// CannedOptions are the settings of a CannedServer.
type CannedOptions struct {
	Addr string        // default 127.0.0.1:0
	Size int           // bytes of text in a whole answer, default 2048
	N    int           // events of a stream, default 40
	Gap  time.Duration // between events, default none
}

// CannedServer is the stub of benchmarks: it answers every request with fixed bytes as cheaply as a Go program can, one
// write of the socket for a whole answer and one for each event of a stream. Paths below /v1internal get the envelope of
// Code Assist, paths with streamGenerateContent in them get events. A model name such as bench-sse-40-10ms, in the path or
// in the body, overrides Size, N and Gap. It checks nothing and knows no OAuth: let a Server play that part.
//
// It speaks just enough HTTP/1.1 by hand: what a library does around it would be part of every figure.
type CannedServer struct {
	url      string
	options  CannedOptions
	listener net.Listener
	running  sync.WaitGroup
	count    atomic.Int64
	answers  sync.Map // cannedKey -> *cannedBytes
	stopping chan struct{}

	mu    sync.Mutex
	conns map[net.Conn]struct{} // nil once closed
}

type cannedKey struct {
	wrapped bool
	model   string
}

// cannedBytes is an answer as it goes over the wire, status line and chunk sizes included.
type cannedBytes struct {
	whole  []byte
	events [][]byte
	gap    time.Duration
}

// StartCanned listens and serves until Close.
func StartCanned(o CannedOptions) (*CannedServer, error) {
	setDefault(&o.Addr, "127.0.0.1:0")
	if o.Size <= 0 {
		o.Size = 2048
	}
	if o.N <= 0 {
		o.N = 40
	}
	listener, err := net.Listen("tcp", o.Addr)
	if err != nil {
		return nil, fmt.Errorf("listen for the canned server: %w", err)
	}
	c := &CannedServer{url: "http://" + listener.Addr().String(), options: o, listener: listener,
		stopping: make(chan struct{}), conns: map[net.Conn]struct{}{}}
	c.running.Go(c.accept)
	return c, nil
}

// URL is the base URL.
func (c *CannedServer) URL() string { return c.url }

// Count is the number of requests that arrived so far.
func (c *CannedServer) Count() int64 { return c.count.Load() }

// Close ends every connection and waits until nothing of the server runs any more.
func (c *CannedServer) Close() error {
	c.mu.Lock()
	open := c.conns
	c.conns = nil
	c.mu.Unlock()
	if open == nil {
		return nil
	}
	close(c.stopping)
	err := c.listener.Close()
	for conn := range open {
		_ = conn.Close()
	}
	c.running.Wait()
	return err
}

func (c *CannedServer) accept() {
	for {
		conn, err := c.listener.Accept()
		if err != nil {
			return
		}
		c.mu.Lock()
		if c.conns == nil {
			c.mu.Unlock()
			_ = conn.Close()
			return
		}
		c.conns[conn] = struct{}{}
		c.mu.Unlock()
		c.running.Go(func() {
			c.talk(conn)
			_ = conn.Close()
			c.mu.Lock()
			delete(c.conns, conn)
			c.mu.Unlock()
		})
	}
}

// talk answers the requests of one connection, one after the other.
func (c *CannedServer) talk(conn net.Conn) {
	in := bufio.NewReaderSize(conn, 16<<10)
	var request cannedRequest
	for request.read(in) == nil {
		c.count.Add(1)
		a := c.answer(request.wrapped, request.model)
		if !request.stream {
			if _, err := conn.Write(a.whole); err != nil {
				return
			}
		} else if !c.play(conn, a) {
			return
		}
		if request.last {
			return
		}
	}
}

// play writes the events of a stream, pausing between them, until the client leaves or the server stops.
func (c *CannedServer) play(conn net.Conn, a *cannedBytes) bool {
	var timer *time.Timer
	if a.gap > 0 {
		timer = time.NewTimer(a.gap)
		defer timer.Stop()
	}
	for i, e := range a.events {
		if i > 0 && timer != nil {
			timer.Reset(a.gap)
			select {
			case <-timer.C:
			case <-c.stopping:
				return false
			}
		}
		if _, err := conn.Write(e); err != nil {
			return false
		}
	}
	return true
}

// answer makes the bytes for a model once and keeps them.
func (c *CannedServer) answer(wrapped bool, model string) *cannedBytes {
	key := cannedKey{wrapped, model}
	if a, ok := c.answers.Load(key); ok {
		return a.(*cannedBytes)
	}
	size, n, gap, ok := benchName(model)
	if !ok {
		size, n, gap = c.options.Size, c.options.N, c.options.Gap
	}
	canned := NewCanned(size, n, gap, wrapped)
	a := &cannedBytes{gap: gap}
	a.whole = append([]byte("HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=UTF-8\r\nContent-Length: "+
		strconv.Itoa(len(canned.Body))+"\r\n\r\n"), canned.Body...)
	head := "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
	for i, e := range canned.Events {
		tail := "\r\n\r\n\r\n" // end of the event, end of the chunk
		if i == len(canned.Events)-1 {
			tail += "0\r\n\r\n"
		}
		size := strconv.FormatInt(int64(len("data: ")+len(e)+len("\r\n\r\n")), 16)
		a.events = append(a.events, bytes.Join([][]byte{[]byte(head + size + "\r\ndata: "), e, []byte(tail)}, nil))
		head = ""
	}
	c.answers.Store(key, a)
	return a
}

// benchIn finds the name of a bench model in a path.
func benchIn(path []byte) string {
	i := bytes.Index(path, []byte("/models/bench-"))
	if i < 0 {
		return ""
	}
	name, _, _ := strings.Cut(string(path[i+len("/models/"):]), ":")
	return name
}
