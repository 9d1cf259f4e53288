package wire

import (
	"bytes"
	"io"

	"gcli2api/pipeline/apierror"
)

// MaxEvent is the usual limit of one event: images arrive as one line of several megabytes.
const MaxEvent = 64 << 20

// Source is what events are read from.
type Source interface {
	io.Reader
	Buffered() int // how many bytes a Read gives without blocking; 0 when unknown
}

// Plain makes a Source of any reader; what it has buffered is unknown.
func Plain(r io.Reader) Source {
	if s, ok := r.(Source); ok {
		return s
	}
	return plain{r}
}

type plain struct{ io.Reader }

func (plain) Buffered() int { return 0 }

// SSE cuts a body into events the way Google writes them (protocol 3.5, 5.6): lines end in CRLF or
// LF, several data lines are joined with a line feed, comments and other fields are passed over, a
// bare line that begins with a bracket is an event as well (an error that lost its "data:"), and
// the last event needs no empty line behind it.
//
// It is used by one goroutine. Close gives its buffer back.
type SSE struct {
	src   Source
	buf   *Buffer
	limit int

	out    span // the event that Next returned last
	making span // what there is of the following one
	has    bool // making is begun
	bare   bool // making has no "data:"
	ahead  bool // making is complete
	line   int  // where the line begins that is not looked at yet
	seek   int  // no line feed in [line, seek)
	w      int  // what is read ends here
	err    error
}

type span struct{ from, to int }

// NewSSE reads from r; maxEvent 0 means MaxEvent.
func NewSSE(r Source, maxEvent int) *SSE {
	if maxEvent <= 0 {
		maxEvent = MaxEvent
	}
	return &SSE{src: r, buf: Buffers.Get(1 << smallest), limit: maxEvent}
}

// Next returns the data of the next event and whether the one after it is already in memory
// complete. The data is valid until the following Next or Close. After the last event the error is
// io.EOF; any other one is what Read said (an unfinished event is then lost), or *apierror.Error
// for an event beyond the limit.
func (s *SSE) Next() (data []byte, more bool, err error) {
	if s.buf == nil {
		return nil, false, io.EOF
	}
	if !s.ahead {
		s.tidy()
		for !s.parse() {
			if s.err == nil {
				s.err = s.fill(s.keep(), 0)
			} else if !s.last() {
				return nil, false, s.err
			} else {
				break
			}
		}
	}
	s.out, s.has, s.bare, s.ahead = s.making, false, false, false
	more = s.look()
	return s.buf.B[s.out.from:s.out.to:s.out.to], more, nil
}

// Close gives the buffer back; data that Next returned is gone then. A second Close does nothing.
func (s *SSE) Close() {
	Buffers.Put(s.buf)
	s.buf = nil
}

// look finds out whether another event is complete without blocking.
func (s *SSE) look() bool {
	if s.ahead = s.parse(); s.ahead || s.err != nil {
		return s.ahead
	}
	if n := s.src.Buffered(); n > 0 {
		s.err = s.fill(s.out.from, n)
		s.ahead = s.parse()
	}
	return s.ahead
}

// tidy starts over at the front of the buffer when nothing is left in it, and leaves a buffer that
// one huge event has grown.
func (s *SSE) tidy() {
	if s.has || s.line != s.w {
		return
	}
	if cap(s.buf.B) > MaxPooled {
		Buffers.Put(s.buf)
		s.buf = Buffers.Get(1 << smallest)
	}
	s.line, s.seek, s.w = 0, 0, 0
}

// keep is where the bytes begin that the event in the making needs.
func (s *SSE) keep() int {
	if s.has {
		return s.making.from
	}
	return s.line
}

// fill reads once, at most n bytes unless n is 0, and keeps the bytes from keep on. For n > 0 it
// does not grow the buffer.
func (s *SSE) fill(keep, n int) error {
	b := s.buf.B[:cap(s.buf.B)]
	if n == 0 && s.w-keep > s.limit {
		return apierror.New(apierror.StreamBroken, "an event of the upstream is larger than the limit")
	}
	if len(b)-s.w < len(b)/4 && keep >= len(b)/2 || s.w == len(b) && keep > 0 {
		copy(b, b[keep:s.w])
		s.shift(keep)
	}
	if s.w == len(b) {
		if n > 0 {
			return nil
		}
		grown := Buffers.Get(2 * len(b))
		copy(grown.B[:s.w], b)
		Buffers.Put(s.buf)
		s.buf = grown
		b = grown.B[:cap(grown.B)]
	}
	room := b[s.w:]
	if n > 0 && n < len(room) {
		room = room[:n]
	}
	for range 100 {
		got, err := s.src.Read(room)
		if s.w += got; got > 0 || err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

func (s *SSE) shift(by int) {
	s.out.from, s.out.to = s.out.from-by, s.out.to-by
	s.making.from, s.making.to = s.making.from-by, s.making.to-by
	s.line, s.seek, s.w = s.line-by, s.seek-by, s.w-by
}

// parse looks at the lines in memory until an event is complete.
func (s *SSE) parse() bool {
	b := s.buf.B[:s.w]
	for {
		n := bytes.IndexByte(b[s.seek:], '\n')
		if n < 0 {
			s.seek = s.w
			return false
		}
		from, end := s.line, s.seek+n
		s.line, s.seek = end+1, end+1
		if s.take(b, from, end) {
			return true
		}
	}
}

// last looks at what an ended body leaves behind.
func (s *SSE) last() bool {
	if s.err != io.EOF {
		return false
	}
	if from := s.line; from < s.w {
		s.line, s.seek = s.w, s.w
		if s.take(s.buf.B[:s.w], from, s.w) {
			return true
		}
	}
	return s.has && s.making.to > s.making.from
}

// take looks at one line and reports whether an event is complete.
func (s *SSE) take(b []byte, from, end int) bool {
	next := s.line
	if end > from && b[end-1] == '\r' {
		end--
	}
	if end-from >= 3 && string(b[from:from+3]) == "\uFEFF" {
		from += 3
	}
	line := b[from:end]
	begun := s.has && s.making.to > s.making.from
	field := len(line) >= 5 && string(line[:5]) == "data:"
	open := len(line) > 0 && (line[0] == '{' || line[0] == '[')
	switch {
	case len(line) == 0:
		s.has, s.bare = begun, s.bare && begun
		return begun
	case begun && (s.bare && field || !s.bare && open):
		s.line, s.seek = from, next-1 // the line is the next event's; this one ends before it
		return true
	case s.bare:
		s.join(b, from, end)
	case field:
		if from += 5; from < end && b[from] == ' ' {
			from++
		}
		s.join(b, from, end)
	case open:
		s.making, s.has, s.bare = span{from, end}, true, true
		whole := skip(line, 0)
		return whole >= 0 && space(line, whole) == len(line)
	}
	return false
}

// join adds a line to the event in the making. Lines move towards the front, over what stood
// between them, so that the event stays in one piece without another buffer.
func (s *SSE) join(b []byte, from, end int) {
	if !s.has {
		s.making, s.has = span{from, end}, true
		return
	}
	to := s.making.to
	b[to] = '\n'
	s.making.to = to + 1 + copy(b[to+1:], b[from:end])
}

// AppendSSE appends data as one event. Line ends in it become spaces: JSON has them only between
// its tokens, and a raw one would cut the event.
func AppendSSE(dst, data []byte) []byte {
	dst = append(dst, "data: "...)
	return append(AppendLine(dst, data), '\n', '\n')
}

// AppendLine appends the JSON document data with spaces in place of line ends.
func AppendLine(dst, data []byte) []byte {
	from := len(dst)
	dst = append(dst, data...)
	for _, c := range [...]byte{'\n', '\r'} {
		for at := from; ; at++ {
			i := bytes.IndexByte(dst[at:], c)
			if i < 0 {
				break
			}
			at += i
			dst[at] = ' '
		}
	}
	return dst
}
