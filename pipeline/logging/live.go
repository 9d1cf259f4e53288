package logging

import (
	"strconv"
	"unicode/utf8"
)

// Bounds of what one line and one reader may hold in memory.
const (
	maxKept    = 8 << 10 // bytes of a line in the ring and for readers
	maxBacklog = 200
	readerRoom = 256 // lines; more than the backlog, so that joining never loses any
)

// shorten bounds a line for memory; console and file get it whole.
func shorten(line []byte) []byte {
	if len(line) <= maxKept {
		return line
	}
	cut := maxKept
	for cut > 0 && !utf8.RuneStart(line[cut]) {
		cut--
	}
	short := append([]byte(nil), line[:cut]...)
	short = append(short, " ... ("...)
	short = strconv.AppendInt(short, int64(len(line)-cut), 10)
	return append(short, " bytes more)"...)
}

// ring keeps the last lines and reuses their memory.
type ring struct {
	lines [][]byte
	next  int // where the next line goes
	count int
}

func (r *ring) add(line []byte) {
	r.lines[r.next] = append(r.lines[r.next][:0], line...)
	r.next = (r.next + 1) % len(r.lines)
	r.count = min(r.count+1, len(r.lines))
}

func (r *ring) last(n int) []string {
	n = max(0, min(n, r.count))
	out := make([]string, 0, n)
	for i := range n {
		out = append(out, string(r.lines[(r.next-n+i+len(r.lines))%len(r.lines)]))
	}
	return out
}

// live is the readers that follow.
type live struct {
	readers map[*reader]struct{}
	closed  bool
}

type reader struct {
	lines chan string
	lost  int
}

func (l *live) join(backlog []string) *reader {
	r := &reader{lines: make(chan string, readerRoom)}
	for _, line := range backlog {
		r.lines <- line
	}
	if l.closed {
		close(r.lines)
		return r
	}
	if l.readers == nil {
		l.readers = map[*reader]struct{}{}
	}
	l.readers[r] = struct{}{}
	return r
}

func (l *live) leave(r *reader) {
	if _, in := l.readers[r]; in {
		delete(l.readers, r)
		close(r.lines)
	}
}

func (l *live) close() {
	for r := range l.readers {
		l.leave(r)
	}
	l.closed = true
}

// send never waits: whoever has no room loses the line and is told how many once there is room.
func (l *live) send(line []byte) {
	if len(l.readers) == 0 {
		return
	}
	text := string(line)
	for r := range l.readers {
		room := cap(r.lines) - len(r.lines) // only send fills the channel, so room can but grow
		if room == 0 || r.lost > 0 && room < 2 {
			r.lost++
			continue
		}
		if r.lost > 0 {
			r.lines <- "(" + strconv.Itoa(r.lost) + " lines left out: this reader is too slow)"
			r.lost = 0
		}
		r.lines <- text
	}
}
