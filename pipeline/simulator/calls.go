package simulator

import (
	"context"
	"net/http"
	"time"
)

// Call is the record of one request that reached the simulator.
type Call struct {
	Number     int // counts from 1
	Time       time.Time
	Took       time.Duration
	Method     string // HTTP method
	Path       string
	Query      string // raw; a key in it is masked
	Verb       string // what was asked: generateContent, token, loadCodeAssist, projects, ...
	Backend    Backend
	Credential string // e-mail of the account, or the masked key; "" when nobody was recognised
	Project    string // project that the request named
	Model      string
	Header     http.Header // as received, with Authorization and keys masked
	Body       []byte      // copy of the raw body; nil once newer calls needed the room
	Status     int         // HTTP status of the answer
	Fault      string      // the fault that was played
	Events     int         // events written to a stream
	Done       bool        // the answer has ended
	Gone       bool        // the client left before that
}

// recorder keeps the newest calls, and the bodies of as many of them as fit.
type recorder struct {
	keep      int
	keepBytes int64
	ring      []*Call
	next      int // place of the next call in a full ring
	count     int
	bytes     int64
	oldest    int // number of the oldest call that may still hold a body
}

func (r *recorder) add(c *Call) {
	r.count++
	c.Number = r.count
	if len(r.ring) < r.keep {
		r.ring = append(r.ring, c)
		return
	}
	r.bytes -= int64(len(r.ring[r.next].Body))
	r.ring[r.next] = c
	r.next = (r.next + 1) % r.keep
}

// setBody stores the body of a call and drops the bodies of the oldest calls until the bound holds.
func (r *recorder) setBody(c *Call, body []byte) {
	first := r.count - len(r.ring) + 1
	if c.Number < first || c.Number > r.count || r.at(c.Number) != c { // forgotten meanwhile
		return
	}
	c.Body = body
	r.bytes += int64(len(body))
	for r.oldest = max(r.oldest, first); r.bytes > r.keepBytes && r.oldest < r.count; r.oldest++ {
		old := r.at(r.oldest)
		r.bytes -= int64(len(old.Body))
		old.Body = nil
	}
}

// at gives the call of a number that is still in the ring.
func (r *recorder) at(number int) *Call {
	first := r.count - len(r.ring) + 1
	return r.ring[(r.next+number-first)%len(r.ring)]
}

func (r *recorder) list() []Call {
	out := make([]Call, 0, len(r.ring))
	for n := r.count - len(r.ring) + 1; n <= r.count; n++ {
		out = append(out, *r.at(n))
	}
	return out
}

// Calls gives the remembered calls, oldest first, those that are still running included.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls.list()
}

// CallsOf gives the remembered calls of some verbs (generateContent, streamGenerateContent, token, ...), oldest first.
func (s *Server) CallsOf(verbs ...string) []Call {
	var out []Call
	for _, c := range s.Calls() {
		for _, v := range verbs {
			if c.Verb == v {
				out = append(out, c)
				break
			}
		}
	}
	return out
}

// ForgetCalls empties the record; running calls are forgotten as well but still counted by Open.
func (s *Server) ForgetCalls() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = recorder{keep: s.opts.KeepCalls, keepBytes: s.opts.KeepBytes}
}

// Open is the number of generate and stream calls that have not ended.
func (s *Server) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

// WaitIdle waits until no generate or stream call is open, so that a test can read Gone and Done without a sleep.
func (s *Server) WaitIdle(ctx context.Context) error {
	for {
		s.mu.Lock()
		open, changed := s.open, s.changed
		s.mu.Unlock()
		if open == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// WaitOpen waits until at least n generate or stream calls are open.
func (s *Server) WaitOpen(ctx context.Context, n int) error {
	for {
		s.mu.Lock()
		open, changed := s.open, s.changed
		s.mu.Unlock()
		if open >= n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// turn counts open calls and wakes those who wait for a change. The caller does not hold mu.
func (s *Server) turn(by int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open += by
	close(s.changed)
	s.changed = make(chan struct{})
}
