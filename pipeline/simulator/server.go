// Package simulator is an offline twin of Google's endpoints as a real HTTP server: OAuth, Code Assist setup and
// generation, AI Studio, Vertex and the small helper services, all below one base URL.
//
// It refuses what Google refuses: a request that it accepts has the right fields, roles, ranges and signatures. Answers
// come from the request (an echo, or a description on "!describe"), so that a test can tell a right translation from a
// wrong one. Faults come from Script or, for tests that only hold a chat client, from a prompt such as "!fault 429".
package simulator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Options are the settings of a Server; the zero value of each is a sensible default.
type Options struct {
	Addr            string        // listen address, default 127.0.0.1:0
	Latency         time.Duration // pause before every answer of a generating call
	EventGap        time.Duration // pause between the events of a stream
	WordsPerEvent   int           // words of text in one event, default 3
	TokenLife       time.Duration // life of an access token, default 3599 s
	MaxBody         int64         // larger requests are refused as Google does, default 20 MB
	KeepCalls       int           // calls that Calls remembers, default 10,000
	KeepBytes       int64         // bytes of request bodies kept in all, default 64 MB; older calls lose theirs
	Models          []Model       // default DefaultModels()
	AnySignature    bool          // any base64 passes as a thought signature, not only the simulator's own
	MetadataProject string        // answer of the metadata service; 404 when empty
	Now             func() time.Time
	// Canned names further models that answer with fixed bytes; bench-json and bench-sse (see NewCanned) are always there.
	// On Code Assist only names that begin with bench- are found.
	Canned map[string]Canned
}

// Server is a running simulator. All methods may be called at any time from any goroutine.
type Server struct {
	opts     Options
	url      string
	http     *http.Server
	specs    map[dialect]*spec
	models   map[string]Model
	names    []string // of models, in the order of the table
	context  context.Context
	stop     context.CancelFunc
	closing  atomic.Bool
	handlers sync.WaitGroup
	served   chan error
	folder   string // of a playground, removed by Close

	mu         sync.Mutex
	serial     int
	accounts   map[string]*account
	keys       map[string]Key
	tokens     map[string]*token
	codes      map[string]signIn
	operations map[string]*operation
	scripts    []*script
	prompts    map[string]int
	tales      map[string]*tale
	calls      recorder
	open       int
	changed    chan struct{} // closed and replaced whenever a call ends
}

// Start listens and serves until Close.
func Start(o Options) (*Server, error) {
	o.fill()
	listener, err := net.Listen("tcp", o.Addr)
	if err != nil {
		return nil, fmt.Errorf("listen for the simulator: %w", err)
	}
	s := newServer(o)
	s.url = "http://" + listener.Addr().String()
	s.http = &http.Server{
		Handler:           http.HandlerFunc(s.serve),
		BaseContext:       func(net.Listener) context.Context { return s.context },
		ReadHeaderTimeout: 30 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0), // aborted connections are part of the play
	}
	go func() { s.served <- s.http.Serve(listener) }()
	return s, nil
}

func (o *Options) fill() {
	setDefault(&o.Addr, "127.0.0.1:0")
	if o.WordsPerEvent <= 0 {
		o.WordsPerEvent = 3
	}
	if o.TokenLife == 0 {
		o.TokenLife = 3599 * time.Second
	}
	if o.MaxBody == 0 {
		o.MaxBody = 20 << 20
	}
	if o.KeepCalls <= 0 {
		o.KeepCalls = 10_000
	}
	if o.KeepBytes == 0 {
		o.KeepBytes = 64 << 20
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if len(o.Models) == 0 {
		o.Models = DefaultModels()
	}
}

func newServer(o Options) *Server {
	s := &Server{
		opts: o, specs: map[dialect]*spec{}, models: map[string]Model{}, served: make(chan error, 1),
		accounts: map[string]*account{}, keys: map[string]Key{}, tokens: map[string]*token{}, codes: map[string]signIn{},
		operations: map[string]*operation{}, prompts: map[string]int{}, tales: map[string]*tale{}, changed: make(chan struct{}),
		calls: recorder{keep: o.KeepCalls, keepBytes: o.KeepBytes},
	}
	s.context, s.stop = context.WithCancel(context.Background())
	for _, d := range []dialect{assist, studio, vertex} {
		s.specs[d] = newSpec(d)
	}
	for _, m := range o.Models {
		s.models[m.Name] = m
		s.names = append(s.names, m.Name)
	}
	return s
}

// URL is the base URL; every Google address of the gateway may point at it.
func (s *Server) URL() string { return s.url }

// Close ends every open call, closes the listener and waits until nothing of the server runs any more.
func (s *Server) Close() error {
	if s.closing.Swap(true) {
		return nil
	}
	s.stop()
	err := s.http.Close()
	if served := <-s.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	s.handlers.Wait()
	if s.folder != "" {
		err = errors.Join(err, os.RemoveAll(s.folder))
	}
	return err
}
