package server

import (
	"errors"
	"io"
	"sync"
	"time"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
)

var errGone = errors.New("the client left")

// outlet is the client's end of a stream whose status line is out. The runner writes its events
// there, without a detour over another goroutine; the server's goroutine only adds heartbeats.
type outlet struct {
	job   *job
	beat  wire.Beat
	limit time.Duration // for one write

	mu       sync.Mutex // guards what follows; held while a write runs
	w        io.Writer  // every write is one flushed chunk
	err      error      // why nothing is written any more
	began    bool       // a part of the answer was written
	first    time.Time  // when that began
	opened   bool       // a joining heartbeat has begun the next event
	last     time.Time  // of the last write
	deadline time.Time
}

// event writes a part of the answer. It has not begun where nothing is written any more.
func (o *outlet) event(p []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.shut() {
		return o.err
	}
	err := o.write(o.join(p))
	if !o.began {
		o.began, o.first = true, o.last
	}
	return err
}

// fail ends the stream with an error event.
func (o *outlet) fail(f *apierror.Error) error {
	buf := wire.Buffers.Get(1024)
	defer wire.Buffers.Put(buf)
	x := &o.job.x
	if e := x.Encoder; e != nil {
		buf.B = e.Error(buf.B, f)
	} else {
		buf.B = failEvent(buf.B, x, f)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.write(o.join(buf.B))
}

// join takes off the beginning that a heartbeat has sent already.
func (o *outlet) join(p []byte) []byte {
	if o.opened && len(p) >= len(o.beat.Open) {
		o.opened = false
		return p[len(o.beat.Open):]
	}
	return p
}

// open sends the first heartbeat: the answer is not there yet.
func (o *outlet) open() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ping()
}

// tick sends a heartbeat if nothing was written for so long, and says when to look again.
func (o *outlet) tick() (next time.Duration, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	beat := o.job.x.Beat()
	if beat <= 0 {
		return time.Second, nil
	}
	if rest := beat - time.Since(o.last); rest > 0 {
		return rest, nil
	}
	return beat, o.ping()
}

// ping writes a heartbeat; the lock is held.
func (o *outlet) ping() error {
	p := o.beat.Open
	if o.opened {
		p = o.beat.More
	}
	o.opened = o.beat.Joins
	return o.write(p)
}

// shut tells that nothing is written any more; the lock is held.
func (o *outlet) shut() bool {
	if o.err == nil && o.job.gone.Load() {
		o.err = errGone
	}
	return o.err != nil
}

// write sends p under a deadline of its own; the server-wide one would cut long streams. The lock
// is held.
func (o *outlet) write(p []byte) error {
	if o.shut() || len(p) == 0 {
		return o.err
	}
	o.last = time.Now()
	if o.last.Add(o.limit / 2).After(o.deadline) {
		o.deadline = o.last.Add(o.limit)
		_ = o.job.conn.SetWriteDeadline(o.deadline)
	}
	_, o.err = o.w.Write(p)
	return o.err
}

// close lets nothing through any more where there is a reason, and tells how it went so far.
func (o *outlet) close(why error) (began bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.err = why
	}
	return o.began, o.err
}
