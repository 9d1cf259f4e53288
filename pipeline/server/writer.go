package server

import (
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"gcli2api/pipeline/wire"
)

var errGone = errors.New("the client left")

// streamBody is the response body of a stream. fasthttp calls WriteTo after the handler returned;
// each Write there is one chunk, flushed (fasthttp.BodyWriterTo).
type streamBody struct {
	s        *Server
	job      *job
	run      *runner
	held     chunk // what the handler already took from the slot
	opened   bool  // a joining heartbeat has begun the next event
	deadline time.Time
	beat     wire.Beat
}

// SupportsBodyWriteTo makes fasthttp use WriteTo: there is nothing to Read.
func (b *streamBody) SupportsBodyWriteTo() bool { return true }

// Read is never called; the body is written by WriteTo.
func (b *streamBody) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// Close ends the exchange when fasthttp drops the body without writing it, and after WriteTo.
func (b *streamBody) Close() error {
	b.finish(errGone)
	return nil
}

// WriteTo writes what the runner hands over, and heartbeats into its silences.
func (b *streamBody) WriteTo(w io.Writer) (n int64, err error) {
	defer func() {
		if p := recover(); p != nil {
			b.s.opt.Log.Error("stream writer panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = errGone
			b.finish(err)
		}
	}()
	err = b.pump(w)
	b.finish(err)
	return 0, err
}

func (b *streamBody) pump(w io.Writer) error {
	if b.held.buf != nil {
		if done, err := b.put(w, b.held); done || err != nil {
			return err
		}
	} else if err := b.ping(w); err != nil {
		return err
	}
	timer := time.NewTimer(max(b.job.x.Beat(), time.Millisecond))
	defer timer.Stop()
	last := time.Now()
	for {
		select {
		case c, ok := <-b.run.slot.full:
			if !ok {
				return errGone // the runner ended without a last chunk: it was cancelled
			}
			if done, err := b.put(w, c); done || err != nil {
				return err
			}
			last = time.Now()
		case <-timer.C:
			// The timer is not reset at each event; it looks how long the silence really is.
			beat := b.job.x.Beat()
			if beat <= 0 {
				timer.Reset(time.Second)
				continue
			}
			if rest := beat - time.Since(last); rest > 0 {
				timer.Reset(rest)
				continue
			}
			if err := b.ping(w); err != nil {
				return err
			}
			last = time.Now()
			timer.Reset(beat)
		}
	}
}

// put writes one chunk and says whether it was the last one.
func (b *streamBody) put(w io.Writer, c chunk) (done bool, err error) {
	if c.fail != nil {
		return true, b.inBand(w, c)
	}
	b.job.began = b.job.began || c.first
	data := c.buf.B
	if b.opened && len(data) > 0 {
		data, b.opened = data[len(b.beat.Open):], false
	}
	err = b.write(w, data)
	b.run.slot.done(c.buf)
	return c.last, err
}

// inBand ends a stream whose status line is out with an error event.
func (b *streamBody) inBand(w io.Writer, c chunk) error {
	c.fail = b.job.honest(c.fail)
	buf := b.run.slot.buffer()
	if e := b.job.x.Encoder; e != nil {
		buf.B = e.Error(buf.B, c.fail)
	} else {
		buf.B = failEvent(buf.B, &b.job.x, c.fail)
	}
	data := buf.B
	if b.opened && len(data) > len(b.beat.Open) {
		data, b.opened = data[len(b.beat.Open):], false
	}
	err := b.write(w, data)
	b.run.slot.done(buf)
	return err
}

func (b *streamBody) ping(w io.Writer) error {
	p := b.beat.Open
	if b.opened {
		p = b.beat.More
	}
	b.opened = b.beat.Joins
	return b.write(w, p)
}

// write sends p under a deadline of its own; the server-wide one would cut long streams.
func (b *streamBody) write(w io.Writer, p []byte) error {
	if len(p) == 0 {
		return nil
	}
	if b.job.gone.Load() {
		return errGone
	}
	now := time.Now()
	if limit := b.s.opt.WriteTimeout; now.Add(limit / 2).After(b.deadline) {
		b.deadline = now.Add(limit)
		_ = b.job.conn.SetWriteDeadline(b.deadline)
	}
	_, err := w.Write(p)
	return err
}

// finish ends the exchange once: stops the runner, waits for it, and settles the outcome.
func (b *streamBody) finish(err error) {
	if b.run == nil {
		return
	}
	run := b.run
	b.run = nil
	gone := err != nil
	if gone {
		b.job.call.cancel()
	}
	run.slot.drain()
	_ = b.job.conn.SetWriteDeadline(time.Time{})
	b.job.end(run.err, gone)
}
