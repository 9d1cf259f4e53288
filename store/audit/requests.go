package audit

import (
	"bytes"
	"slices"
	"time"
	"unicode"
	"unicode/utf8"
)

// Request is one request of a client, without what was said in it. There is no address of the client: it is
// a person's, and the key says whose request it was.
type Request struct {
	Time       time.Time // when it had ended; Note sets it
	ID         string    // exchange id
	Key        string    // key id, or the kind of caller
	Route      string    // format and verb
	Answer     string    // format of the answer
	Model      string
	Credential string // of the last try
	Code       string // why there was no answer, or not a whole one
	Stream     bool
	Stranger   bool // was not let in
	Status     int
	Tries      int
	Input      int64         // tokens
	Output     int64         // thoughts included
	Cached     int64         // of Input
	Thoughts   int64         // of Output
	Cost       int64         // units charged
	First      time.Duration // to the first byte; 0 when there was none
	Took       time.Duration
}

// The texts of a row, as they stand in a slot.
const (
	textID = iota
	textKey
	textRoute
	textAnswer
	textModel
	textCredential
	textCode
	texts
)

// maxText bounds each of them, in bytes: clients choose some.
const maxText = 128

// aSecret is how long keys are at least; few models have a name of this length, and it is looked for in those only.
const aSecret = 30

const (
	chunkRows = 500
	chunkText = 64 << 10 // with 500 rows of numbers a document stays below 256 KB
	// window is the time that one document covers at most; so far readers have to look around.
	window     = 30 * time.Second
	maxWaiting = 64 * chunkRows // rows that a store which is away lets wait, in some 8 MB
	early      = maxWaiting / 4 // from here on they are written before their time, or a burst would lose the oldest
)

// slot is a row as Note leaves it: numbers, and where its texts end.
type slot struct {
	at                                    int64 // microseconds
	input, output, cached, thoughts, cost int64
	first, took                           time.Duration
	ends                                  [texts]uint32
	status, tries                         int32
	stream                                bool
}

// chunk is the rows of one document in the order of time. Its slots never change once they are there.
type chunk struct {
	from    place // of its first row
	slots   []slot
	text    []byte
	written int // rows that the store has
}

// rows are what is in memory.
type rows struct {
	open    *chunk   // where rows go; nil when there are none
	waiting []*chunk // full, and not yet in the store whole; the oldest first
	next    uint64   // number of the next row
	lost    int64    // dropped, since the start
	told    int64    // of those, what the log was told
	door    door
}

// Note takes a request down. It costs some copying: everything else is done later by somebody else.
func (l *Log) Note(r Request) {
	if l.off.Load() {
		return
	}
	at := l.o.Now().UnixMicro()
	if len(r.Model) >= aSecret {
		r.Model = l.o.Mask(r.Model) // somebody takes the field of the key for that of the model
	}
	given := [texts]string{r.ID, r.Key, r.Route, r.Answer, r.Model, r.Credential, r.Code}
	l.mu.Lock()
	if r.Stranger && !l.rows.door.takes(at) {
		l.mu.Unlock()
		return
	}
	c, full := l.room(at)
	last := at
	if n := len(c.slots); n > 0 {
		last = max(last, c.slots[n-1].at) // clocks of several cores differ a little
	}
	s := slot{at: last, input: r.Input, output: r.Output, cached: r.Cached, thoughts: r.Thoughts, cost: r.Cost, first: r.First, took: r.Took,
		status: int32(r.Status), tries: int32(r.Tries), stream: r.Stream}
	for i, text := range given {
		c.text = append(c.text, text[:min(len(text), maxText)]...)
		s.ends[i] = uint32(len(c.text))
	}
	c.slots = append(c.slots, s)
	l.rows.next++
	l.mu.Unlock()
	if full {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

// room is a chunk with room for a row of this moment; full tells that so many wait that they should be
// written. The caller holds mu.
func (l *Log) room(at int64) (c *chunk, full bool) {
	const skew = int64(time.Second / time.Microsecond)
	if c = l.rows.open; c != nil {
		last := c.slots[len(c.slots)-1].at
		fits := len(c.slots) < cap(c.slots) && len(c.text)+texts*maxText <= cap(c.text)
		if fits && at < c.from.at+window.Microseconds() && at > last-skew {
			return c, false
		}
		full = l.shut() >= early
	}
	c = &chunk{from: place{at, l.node, l.rows.next}, slots: make([]slot, 0, chunkRows), text: make([]byte, 0, chunkText)}
	l.rows.open = c
	return c, full
}

// shut closes the chunk that is open, and says how many rows wait now. Where they are too many, that costs the
// oldest. The caller holds mu.
func (l *Log) shut() (wait int) {
	c := l.rows.open
	if len(c.slots) < chunkRows/2 && len(c.text) < chunkText/2 { // those of a quiet hour are many, and small
		c.slots, c.text = slices.Clip(slices.Clone(c.slots)), slices.Clip(slices.Clone(c.text))
	}
	w := append(l.rows.waiting, c)
	for _, one := range w {
		wait += len(one.slots)
	}
	for wait > maxWaiting {
		wait -= len(w[0].slots)
		l.rows.lost += int64(len(w[0].slots) - w[0].written)
		w[0] = nil
		w = w[1:]
	}
	l.rows.open, l.rows.waiting = nil, w
	return wait
}

// forget drops what is in memory: nothing is to be kept.
func (l *Log) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rows.open, l.rows.waiting = nil, nil
}

// row is what a slot says.
func (c *chunk) row(i int) Request {
	s := &c.slots[i]
	var t [texts]string
	for k := range t {
		t[k] = string(plain(c.textOf(i, k)))
	}
	return Request{Time: time.UnixMicro(s.at).UTC(), ID: t[textID], Key: t[textKey], Route: t[textRoute], Answer: t[textAnswer], Model: t[textModel],
		Credential: t[textCredential], Code: t[textCode], Stream: s.stream, Status: int(s.status), Tries: int(s.tries), Input: s.input, Output: s.output,
		Cached: s.cached, Thoughts: s.thoughts, Cost: s.cost, First: s.first, Took: s.took}
}

// textOf is one of the texts of a row, as the client chose it.
func (c *chunk) textOf(i, k int) []byte {
	from, ends := uint32(0), &c.slots[i].ends
	switch {
	case k > 0:
		from = ends[k-1]
	case i > 0:
		from = c.slots[i-1].ends[texts-1]
	}
	return c.text[from:ends[k]]
}

// plain makes plain text of what a client may have chosen: nothing in it moves a terminal or the order of
// reading, and a rune that was cut in two is gone. It is text itself where there is nothing to do.
func plain(text []byte) []byte {
	if isPlain(text) {
		return text
	}
	return bytes.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return utf8.RuneError
		}
		return r
	}, bytes.ToValidUTF8(text, nil))
}

func isPlain(text []byte) bool {
	for i := 0; i < len(text); {
		if b := text[i]; ' ' <= b && b <= '~' {
			i++
			continue
		}
		r, n := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return false
		}
		i += n
	}
	return true
}

func clean(text []byte) string { return string(plain(text)) }
