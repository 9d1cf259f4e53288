package server

import (
	"context"
	"sync"
	"time"
)

// calls are the contexts of the exchanges in flight: all of them end when the server stops.
type calls struct {
	mu      sync.Mutex
	first   *call
	stopped bool
}

// call is the context of one exchange. It is a part of its job, so that a request for which nobody
// waits costs none of the allocations of context.WithCancel and no registration in a map. Outbound
// hangs its connection on AfterFunc and never asks for Done.
type call struct {
	all        *calls
	prev, next *call // in calls; guarded by calls.mu

	mu    sync.Mutex
	err   error
	done  chan struct{} // made by the first Done
	after []func()      // nil where it was taken back
	room  [1]func()
	turn  int // counts the requests of this job: a stop that comes late must not hit another one
}

// begin enters the list. A call that begins after the end of all is over at once.
func (c *call) begin(all *calls) {
	c.all = all
	c.mu.Lock() // a late stop of an earlier turn may look
	c.turn++
	c.err, c.done, c.after = nil, nil, c.room[:0]
	c.mu.Unlock()
	all.mu.Lock()
	c.prev, c.next = nil, all.first
	if c.next != nil {
		c.next.prev = c
	}
	all.first = c
	stopped := all.stopped
	all.mu.Unlock()
	if stopped {
		c.cancel()
	}
}

// end cancels what still hangs on the call and leaves the list.
func (c *call) end() {
	c.cancel()
	all := c.all
	all.mu.Lock()
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		all.first = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	}
	all.mu.Unlock()
}

// stop ends every call there is and every one to come.
func (a *calls) stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stopped = true
	for c := a.first; c != nil; c = c.next {
		c.cancel() // what hangs on a call never comes back here
	}
}

// cancel ends the context, once. What hangs on it runs here and must not block.
func (c *call) cancel() {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.err = context.Canceled
	if c.done != nil {
		close(c.done)
	}
	after := c.after
	c.after = nil
	c.mu.Unlock()
	for _, f := range after {
		if f != nil {
			f()
		}
	}
}

// Deadline implements context.Context: there is none.
func (c *call) Deadline() (time.Time, bool) { return time.Time{}, false }

// Value implements context.Context: there is nothing in it.
func (c *call) Value(any) any { return nil }

// Err implements context.Context.
func (c *call) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Done implements context.Context.
func (c *call) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		if c.err != nil {
			close(c.done)
		}
	}
	return c.done
}

// AfterFunc is what package context looks for in contexts that are not its own, so that contexts
// made of this one need no goroutine. f runs on whoever cancels and must not block.
func (c *call) AfterFunc(f func()) (stop func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		go f() // as context does: the caller may hold what f needs
		return func() bool { return false }
	}
	i, turn := len(c.after), c.turn
	c.after = append(c.after, f)
	return func() bool { return c.takeBack(i, turn) }
}

// takeBack says whether f was kept from running.
func (c *call) takeBack(i, turn int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if turn != c.turn || i >= len(c.after) || c.after[i] == nil {
		return false
	}
	c.after[i] = nil
	return true
}
