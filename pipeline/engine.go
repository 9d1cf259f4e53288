package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/models"
)

// Beginner is a stage that must be asked before the first byte of an answer goes out (not of a
// ping or an error); an error takes the answer's place.
type Beginner interface {
	Begin(x *Exchange) *apierror.Error
}

// Engine holds the list in use and swaps it.
type Engine struct {
	kinds    map[string]*Kind
	names    []string
	loopback bool
	live     *models.Live
	log      *slog.Logger
	sleep    func(ctx context.Context, d time.Duration) bool
	current  atomic.Pointer[snapshot]

	mu      sync.Mutex // serialises Apply; guards instances' counts and what follows
	number  uint64
	lastErr error
	lastAt  time.Time
	faults  map[string]string // stage -> last fault
	open    int               // snapshots not drained
	idle    chan struct{}     // closed when the last snapshot has drained, after Close
	closed  bool
}

// Options of an engine.
type Options struct {
	Kinds    []Kind       // the catalogue
	Loopback bool         // the listener is on a loopback address: auth may be off
	Live     *models.Live // what Google lists, for tables of models that ask for it; nil is nothing
	Log      *slog.Logger // nil is slog.Default

	// Sleep is how exchanges wait: it says whether anybody still waits for the answer. nil waits in real time.
	Sleep func(ctx context.Context, d time.Duration) bool
}

// NewEngine makes an engine without a list; Apply gives it one.
func NewEngine(o Options) (*Engine, error) {
	e := &Engine{kinds: make(map[string]*Kind, len(o.Kinds)), loopback: o.Loopback, live: o.Live, log: o.Log, sleep: o.Sleep,
		faults: map[string]string{}, idle: make(chan struct{})}
	if e.log == nil {
		e.log = slog.Default()
	}
	for i := range o.Kinds {
		k := &o.Kinds[i]
		if e.kinds[k.Name] != nil {
			return nil, fmt.Errorf("two stages are called %q", k.Name)
		}
		e.kinds[k.Name], e.names = k, append(e.names, k.Name)
	}
	return e, nil
}

// Kinds are the stages of the catalogue, in its order.
func (e *Engine) Kinds() []Kind {
	all := make([]Kind, len(e.names))
	for i, name := range e.names {
		all[i] = *e.kinds[name]
	}
	return all
}

// Check builds and checks the list of c, and throws it away.
func (e *Engine) Check(c Settings) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	s, err := e.build(c)
	if err != nil {
		return err
	}
	e.discard(s)
	return nil
}

// Apply builds the list of c beside the current one, checks it and swaps. On error the old list
// keeps serving and only what was made for the new one is closed. Equal content changes nothing.
func (e *Engine) Apply(c Settings) error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return errors.New("the engine is closed")
	}
	old := e.current.Load()
	if old != nil && old.revision == c.Revision() {
		e.mu.Unlock()
		return nil
	}
	s, err := e.build(c)
	e.lastErr, e.lastAt = err, time.Now()
	if err != nil {
		e.mu.Unlock()
		e.log.Error("pipeline not changed", "error", err)
		return err
	}
	e.number++
	s.number = e.number
	e.open++
	e.current.Store(s)
	e.mu.Unlock()
	if old != nil {
		old.release()
	}
	return nil
}

// Enter takes a reference on the current list and walks it as far as the server needs to know
// whether the client wants a stream (x.WantsStream). The server calls End afterwards in any case.
func (e *Engine) Enter(x *Exchange) *apierror.Error {
	for {
		p := e.current.Load()
		if p == nil {
			return apierror.New(apierror.Overloaded, "the gateway is stopping")
		}
		if p.acquire() {
			x.list, x.sleep = p, e.sleep
			break
		}
	}
	for _, s := range x.list.starters {
		s.Start(x)
	}
	x.list.walkLeg(x)
	return nil
}

// walkLeg runs the first leg; a stage that responds there sends the walk behind the turning point.
func (p *snapshot) walkLeg(x *Exchange) {
	if p.split < 0 {
		return
	}
	x.running = true
	i := 0
	for i <= p.split {
		i = p.stretch(x, i, 0, p.split)
	}
	x.running = false
	x.next = i
}

// Run walks the list, from where Enter stopped or from its beginning, and gives the reply.
func (e *Engine) Run(x *Exchange) Reply {
	if x.list == nil {
		if f := e.Enter(x); f != nil {
			x.Reply.Err = f
			return x.Reply
		}
	}
	x.list.walk(x, x.next, 0, len(x.list.stages)-1)
	x.next, x.walked = len(x.list.stages), true
	return x.Reply
}

// Begin asks the stages before the first byte of an answer: the charge is durable afterwards.
func (e *Engine) Begin(x *Exchange) *apierror.Error {
	if x.list == nil {
		return nil
	}
	return x.list.begin(x)
}

// End closes the reply, lets the stages clean up and drops the reference.
func (e *Engine) End(x *Exchange, o Outcome) {
	x.Outcome = o
	if p := x.list; p != nil {
		p.closeReply(x)
		p.end(x)
		x.list = nil
		p.release()
	}
}

// Close lets go of the current list and waits until every exchange has ended and every instance
// is closed, or ctx is over.
func (e *Engine) Close(ctx context.Context) error {
	e.mu.Lock()
	already := e.closed
	e.closed = true
	if e.open == 0 && !already {
		close(e.idle)
	}
	e.mu.Unlock()
	if p := e.current.Swap(nil); p != nil {
		p.release()
	}
	select {
	case <-e.idle:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for exchanges: %w", ctx.Err())
	}
}

// drained lets go of the instances of a snapshot that nobody uses any more.
func (e *Engine) drained(p *snapshot) {
	e.discardLocked(p)
	e.mu.Lock()
	e.open--
	last := e.closed && e.open == 0
	e.mu.Unlock()
	if last {
		close(e.idle)
	}
}

func (e *Engine) discardLocked(p *snapshot) {
	e.mu.Lock()
	dead := e.letGo(p)
	e.mu.Unlock()
	e.closeAll(dead)
}

// discard is for a snapshot that never served; the lock is held.
func (e *Engine) discard(p *snapshot) { e.closeAll(e.letGo(p)) }

// letGo counts the instances of p down and returns those that nobody holds.
func (e *Engine) letGo(p *snapshot) (dead []*instance) {
	for i := range p.stages {
		if h := p.stages[i].held; h != nil {
			if h.counts--; h.counts == 0 {
				dead = append(dead, h)
			}
		}
	}
	return dead
}

func (e *Engine) closeAll(dead []*instance) {
	for _, h := range dead {
		if c, ok := h.stage.(Closer); ok {
			if err := c.Close(); err != nil {
				e.log.Warn("stage did not close cleanly", "stage", h.kind, "error", err)
			}
		}
	}
}

// report remembers the last fault of a stage for Status.
func (e *Engine) report(stage, what string, err error) {
	e.mu.Lock()
	e.faults[stage] = what + ": " + err.Error()
	e.mu.Unlock()
}

// Shut is Close for a program that ends: it waits five seconds at most.
func (e *Engine) Shut() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return e.Close(ctx)
}
