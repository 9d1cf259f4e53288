package logging

import (
	"log/slog"
	"sync"
	"time"
	"unsafe"
)

// What may wait at the most before whoever logs has to write it all.
const (
	maxWaiting = 512
	maxText    = 64 << 10
)

// queue is lines that wait to be made and written together: for a busy gateway the line about a
// request is else one of the dearer parts of the request. There is no goroutine; the timer only
// runs while something waits.
type queue struct {
	delay time.Duration // 0 lets nothing wait

	mu      sync.Mutex
	waiting []record
	text    []byte // copies of the strings in waiting: who logs may use their memory again
	timer   *time.Timer
	armed   bool

	order sync.Mutex // held from taking lines out until they are written; before mu and Log.mu
	spare []record   // guarded by order, like the next one
	free  []byte
}

// record is a slog.Record of plain values.
type record struct {
	handler *handler
	level   slog.Level
	time    time.Time
	message string
	attrs   [8]slog.Attr
	count   int
}

// postpone takes a line that may wait; false for one that must be written now: warnings and worse,
// and values that print themselves, because they may be another value later.
func (l *Log) postpone(h *handler, r *slog.Record) bool {
	q := &l.queue
	if q.delay == 0 || r.Level >= slog.LevelWarn || r.NumAttrs() > len(record{}.attrs) {
		return false
	}
	q.mu.Lock()
	ok, full := q.add(h, r), len(q.waiting) >= maxWaiting || len(q.text) >= maxText
	if ok && !q.armed {
		q.armed = true
		if q.timer == nil {
			q.timer = time.AfterFunc(q.delay, l.flush)
		} else {
			q.timer.Reset(q.delay)
		}
	}
	q.mu.Unlock()
	if full {
		l.flush()
	}
	return ok
}

func (q *queue) add(h *handler, r *slog.Record) bool {
	n := len(q.waiting)
	if n < cap(q.waiting) {
		q.waiting = q.waiting[:n+1]
	} else {
		q.waiting = append(q.waiting, record{})
	}
	w := &q.waiting[n]
	w.handler, w.level, w.time, w.message, w.count = h, r.Level, now(r.Time), q.keep(r.Message), 0
	plain := true
	r.Attrs(func(a slog.Attr) bool {
		switch a.Value.Kind() {
		case slog.KindString:
			a.Value = slog.StringValue(q.keep(a.Value.String()))
		case slog.KindInt64, slog.KindUint64, slog.KindBool, slog.KindFloat64, slog.KindDuration:
		default:
			plain = false
			return false
		}
		w.attrs[w.count] = a
		w.count++
		return true
	})
	if !plain {
		q.waiting = q.waiting[:n]
	}
	return plain
}

// keep copies a string into memory of the queue.
func (q *queue) keep(s string) string {
	if s == "" {
		return ""
	}
	i := len(q.text)
	q.text = append(q.text, s...)
	return unsafe.String(&q.text[i], len(s)) // what was written there is not written again before drain
}

// flush writes what waits.
func (l *Log) flush() {
	l.queue.order.Lock()
	err := l.drain()
	l.queue.order.Unlock()
	l.complain(err)
}

// drain is flush for who holds the order.
func (l *Log) drain() error {
	q := &l.queue
	q.mu.Lock()
	lines, text := q.waiting, q.text
	q.waiting, q.text, q.armed = q.spare[:0], q.free[:0], false
	q.mu.Unlock()
	if len(lines) == 0 {
		q.spare, q.free = lines, text
		return nil
	}
	s := l.scratch.Get().(*scratch)
	s.all = s.all[:0]
	l.mu.Lock()
	for i := range lines {
		w := &lines[i]
		r := slog.NewRecord(w.time, w.level, w.message, 0)
		r.AddAttrs(w.attrs[:w.count]...)
		out := w.handler.render(s, &r)
		s.all = append(s.all, out...)
		l.show(s.text)
	}
	err := l.put(l.stdout, s.all)
	l.mu.Unlock()
	l.scratch.Put(s)
	clear(lines) // the handlers and strings in it
	q.spare, q.free = lines, text
	return err
}
