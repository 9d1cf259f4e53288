package simulator

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// CannedOptions are the settings of a CannedServer.
type CannedOptions struct {
	Addr string        // default 127.0.0.1:0
	Size int           // bytes of text in a whole answer, default 2048
	N    int           // events of a stream, default 40
	Gap  time.Duration // between events, default none
}

// CannedServer is the stub of benchmarks: it answers every request with fixed bytes as cheaply as fasthttp can, and
// flushes every event by itself. Paths below /v1internal get the envelope of Code Assist, paths with streamGenerateContent
// in them get events. A model name such as bench-sse-40-10ms, in the path or in the body, overrides N and Gap. It checks
// nothing and knows no OAuth: let a Server play that part.
type CannedServer struct {
	url      string
	options  CannedOptions
	server   *fasthttp.Server
	served   chan error
	stopping chan struct{}
	once     sync.Once
	count    atomic.Int64
	answers  sync.Map // cannedKey -> *cannedBytes
}

type cannedKey struct {
	wrapped bool
	model   string
}

// cannedBytes is an answer with the framing of SSE around its events.
type cannedBytes struct {
	body   []byte
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
	c := &CannedServer{url: "http://" + listener.Addr().String(), options: o, served: make(chan error, 1), stopping: make(chan struct{})}
	c.server = &fasthttp.Server{
		Handler: c.serve, NoDefaultServerHeader: true, NoDefaultDate: true, MaxRequestBodySize: 128 << 20,
		CloseOnShutdown: true, Logger: silent{},
	}
	go func() { c.served <- c.server.Serve(listener) }()
	return c, nil
}

// silent drops the messages of fasthttp: connections that clients broke are part of the play.
type silent struct{}

func (silent) Printf(string, ...any) {}

// URL is the base URL.
func (c *CannedServer) URL() string { return c.url }

// Count is the number of requests served so far.
func (c *CannedServer) Count() int64 { return c.count.Load() }

// Close ends streams and stops listening; it waits for connections for at most two seconds.
func (c *CannedServer) Close() error {
	var err error
	c.once.Do(func() {
		close(c.stopping)
		limit, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		err = c.server.ShutdownWithContext(limit)
		<-c.served
	})
	return err
}

func (c *CannedServer) serve(r *fasthttp.RequestCtx) {
	c.count.Add(1)
	path := r.Path()
	wrapped := bytes.HasPrefix(path, []byte("/v1internal"))
	a := c.answer(wrapped, benchIn(path, r.PostBody(), wrapped))
	if !bytes.Contains(path, []byte("streamGenerateContent")) {
		r.Response.Header.SetContentType("application/json; charset=UTF-8")
		r.Response.SetBodyRaw(a.body)
		return
	}
	r.Response.Header.SetContentType("text/event-stream")
	r.Response.SetBodyStream(&cannedStream{bytes: a, stopping: c.stopping}, -1)
}

// benchIn finds the name of a bench model in the path or, for Code Assist, in the body.
func benchIn(path, body []byte, wrapped bool) string {
	if wrapped {
		return benchModel(body)
	}
	i := bytes.Index(path, []byte("/models/bench-"))
	if i < 0 {
		return ""
	}
	name, _, _ := strings.Cut(string(path[i+len("/models/"):]), ":")
	return name
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
	a := &cannedBytes{body: canned.Body, gap: gap}
	for _, e := range canned.Events {
		a.events = append(a.events, bytes.Join([][]byte{[]byte("data: "), e, []byte("\r\n\r\n")}, nil))
	}
	c.answers.Store(key, a)
	return a
}

// cannedStream is a response body that writes its events one by one: fasthttp flushes each write.
type cannedStream struct {
	bytes    *cannedBytes
	stopping chan struct{}
}

// SupportsBodyWriteTo makes fasthttp use WriteTo, whose every write is one flushed chunk.
func (*cannedStream) SupportsBodyWriteTo() bool { return true }

// Read is never used; it satisfies the interface.
func (*cannedStream) Read([]byte) (int, error) { return 0, io.EOF }

// WriteTo writes the events, pausing between them, until the client leaves or the server stops.
func (s *cannedStream) WriteTo(w io.Writer) (int64, error) {
	var timer *time.Timer
	if s.bytes.gap > 0 {
		timer = time.NewTimer(s.bytes.gap)
		defer timer.Stop()
	}
	var sum int64
	for i, e := range s.bytes.events {
		if i > 0 && timer != nil {
			timer.Reset(s.bytes.gap)
			select {
			case <-timer.C:
			case <-s.stopping:
				return sum, io.ErrUnexpectedEOF
			}
		}
		n, err := w.Write(e)
		sum += int64(n)
		if err != nil {
			return sum, err
		}
	}
	return sum, nil
}
