package server

import (
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"gcli2api/pipeline/wire"
)

// streamBody is the response body of a stream. fasthttp calls WriteTo after the handler returned;
// each write there is one chunk, flushed (fasthttp.BodyWriterTo).
type streamBody struct {
	job  *job
	run  *runner // nil when the exchange has ended
	late bool    // the grace passed without a word
	held chunk   // the runner's first word, if it came in time
	out  outlet
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

// WriteTo hands the connection to the runner and sends heartbeats into its silences.
func (b *streamBody) WriteTo(w io.Writer) (n int64, err error) {
	defer func() {
		if p := recover(); p != nil {
			b.job.s.opt.Log.Error("stream writer panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = errGone
			b.finish(err)
		}
	}()
	b.out.w = w
	err = b.finish(b.keepCompany())
	return 0, err
}

// keepCompany writes what was held back, then lets the runner write and waits for its end.
func (b *streamBody) keepCompany() error {
	if err := b.begin(); err != nil {
		return err
	}
	b.run.gate <- &b.out
	timer := time.NewTimer(max(b.job.x.Beat(), time.Millisecond))
	defer timer.Stop()
	for {
		select {
		case <-b.run.done:
			return nil
		case <-timer.C:
			// The timer is not reset at each event; tick looks how long the silence really is.
			next, err := b.out.tick()
			if err != nil {
				return err
			}
			timer.Reset(next)
		}
	}
}

// begin writes the first bytes: of the answer, or a heartbeat.
func (b *streamBody) begin() error {
	if b.late {
		return b.out.open()
	}
	defer wire.Buffers.Put(&b.held.buf)
	return b.out.event(b.held.buf.B)
}

// finish ends the exchange once: stops the runner where the client is gone, waits for it, and
// settles the outcome.
func (b *streamBody) finish(err error) error {
	if b.run == nil {
		return err
	}
	run := b.run
	b.run = nil
	if err != nil {
		b.job.call.cancel()
		b.out.close(err) // the runner may be about to write
	}
	close(run.gate)
	<-run.done
	began, err := b.out.close(nil)
	wire.Buffers.Put(&b.held.buf)
	_ = b.job.conn.SetWriteDeadline(time.Time{})
	b.job.began, b.job.first = began, b.out.first
	fail := run.err
	if fail != nil && err == nil {
		fail = b.job.honest(fail)
	}
	b.job.end(fail, err != nil)
	return err
}
