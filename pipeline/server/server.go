// Package server turns HTTP requests into exchanges and replies into bytes on a socket.
//
// It owns what no stage may touch: paths, the request body, the status line, flushes, heartbeats,
// write deadlines and the news that a client left (watch).
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/server/watch"

	"github.com/gofiber/fiber/v2"
)

// Options of a server. Zero values get the defaults of New.
type Options struct {
	Engine       *pipeline.Engine
	Log          *slog.Logger
	Mount        func(*fiber.App) // registers the console's routes before the chat side
	ChatOpen     func() bool      // false: only loopback peers may use the chat side; nil is open
	BodyLimit    int64            // of one request body, decoded; default 100 MB
	BodyBudget   int64            // of all bodies in flight; default 512 MB
	BodyIdle     time.Duration    // silence while a body arrives; default 30 s
	WriteTimeout time.Duration    // for one event to leave; default 30 s
	GeminiSSE    func() bool      // a Gemini stream without alt= is SSE instead of an array
	Grace        time.Duration    // silence before the status line, until a stage sets its own; default 10 s
	Quiet        bool             // no line per request

	Store func() (engine string, up bool, since time.Time) // how the store does, for /health; nil says nothing about it
}

// Server is the HTTP side. It is safe for concurrent use.
type Server struct {
	opt     Options
	app     *fiber.App
	bodies  bodies
	calls   calls
	jobs    sync.Pool // *job
	boot    string
	seq     atomic.Uint64
	active  atomic.Int64
	mu      sync.Mutex
	watcher *watch.Listener
}

// New makes a server that does not listen yet.
func New(o Options) *Server {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	o.BodyLimit = orElse(o.BodyLimit, 100<<20)
	o.BodyBudget = orElse(o.BodyBudget, 512<<20)
	o.BodyIdle = orElse(o.BodyIdle, 30*time.Second)
	o.WriteTimeout = orElse(o.WriteTimeout, 30*time.Second)
	o.Grace = orElse(o.Grace, 10*time.Second)
	s := &Server{opt: o, boot: bootID()}
	s.bodies = bodies{limit: o.BodyLimit, budget: o.BodyBudget, patience: o.BodyIdle}
	s.app = fiber.New(fiber.Config{
		AppName:                      "gcli2api",
		DisableStartupMessage:        true,
		StreamRequestBody:            true, // auth answers before the body is read
		DisablePreParseMultipartForm: true,
		BodyLimit:                    1, // fasthttp waits for this much of a body before the handler; body.go counts and limits
		ReadBufferSize:               16 << 10,
		ReadTimeout:                  60 * time.Second, // of a request head; body.go re-arms it for bodies
		IdleTimeout:                  90 * time.Second,
		WriteTimeout:                 0, // covers whole responses: it would cut every long stream
		ErrorHandler:                 s.fiberError,
	})
	s.app.Server().LazyRequestTime = true // nobody asks for it
	if o.Mount != nil {
		o.Mount(s.app)
	}
	s.app.Use(func(c *fiber.Ctx) error {
		s.chat(c.Context())
		return nil
	})
	s.app.Server().Handler = s.handler(s.app.Server().Handler)
	s.app.Server().ExpectHandler = s.expect
	return s
}

func orElse[T int64 | time.Duration](v, otherwise T) T {
	if v <= 0 {
		return otherwise
	}
	return v
}

// Serve answers on ln until Shutdown. Every connection is watched, so that a client that leaves is
// noticed at once.
func (s *Server) Serve(ln net.Listener) error {
	w, err := watch.Listen(ln)
	if err != nil {
		return fmt.Errorf("watch connections: %w", err)
	}
	s.mu.Lock()
	s.watcher = w
	s.mu.Unlock()
	return s.app.Listener(lingering{w})
}

// Active is the number of exchanges in flight.
func (s *Server) Active() int64 { return s.active.Load() }

// lastCall is how long a request that came in with the stop has to get as far as being counted.
const lastCall = 50 * time.Millisecond

// Shutdown closes the listener and waits for exchanges until ctx is over; then it cancels the
// rest, each of which ends with an error in its own format.
func (s *Server) Shutdown(ctx context.Context) error {
	var forced error
	// fasthttp waits for every connection, also for one that never finishes its request; what
	// counts is exchanges.
	waiting, enough := context.WithCancel(context.Background())
	defer enough()
	closed := make(chan error, 1)
	go func() { closed <- s.app.ShutdownWithContext(waiting) }()
	time.Sleep(lastCall) // what was accepted just now becomes an exchange
	if !s.settle(ctx.Done()) {
		forced = errors.New("exchanges were cancelled")
	}
	s.calls.stop()
	last, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	s.settle(last.Done())
	s.flush(closed, enough)
	s.mu.Lock()
	if s.watcher != nil {
		_ = s.watcher.Stop()
	}
	s.mu.Unlock()
	return forced
}

// flush gives what was written last the time to leave: an exchange is over before its connection is.
func (s *Server) flush(closed <-chan error, enough context.CancelFunc) {
	t := time.NewTimer(time.Second)
	defer t.Stop()
	select {
	case <-closed:
	case <-t.C:
		enough()
		<-closed
	}
}

// settle waits until no exchange is in flight; false when done came first.
func (s *Server) settle(done <-chan struct{}) bool {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for s.active.Load() > 0 {
		select {
		case <-done:
			return false
		case <-tick.C:
		}
	}
	return true
}
