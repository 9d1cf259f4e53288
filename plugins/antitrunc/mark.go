package antitrunc

import (
	"bytes"
	"strings"
)

// The bounds of what is held back besides the mark itself, in bytes of JSON.
const (
	mostIndent = 128      // white space before it in its line
	mostBehind = 64 << 10 // white space behind it: models have been seen to write it without end
)

// marker is a mark made ready to be found.
type marker struct {
	text string
	fail []int     // fail[k] is how many of the first k characters can begin it anew
	has  [256]bool // its characters
}

func newMarker(text string) *marker {
	m := &marker{text: text, fail: make([]int, len(text)+1)}
	for i := range len(text) {
		m.has[text[i]] = true
	}
	for i, k := 1, 0; i < len(text); i++ {
		for k > 0 && text[k] != text[i] {
			k = m.fail[k]
		}
		if text[k] == text[i] {
			k++
		}
		m.fail[i+1] = k
	}
	return m
}

// quiet is how much of text, the inside of a JSON string, need not be looked at: behind it stand characters of
// the mark and escapes. Spaces alone are no beginning of a mark, nor of a line.
func (m *marker) quiet(text []byte) int {
	i := len(text)
	for i > 0 && text[i-1] == ' ' {
		i--
	}
	for rest := len(text); i > 0; i, rest = i-1, i-1 {
		if b := text[i-1]; b != ' ' && !m.has[b] && bytes.IndexByte(text[max(i-6, 0):i], '\\') < 0 {
			return rest
		}
	}
	return 0
}

// carry is the text of an attempt on its way through: it keeps back what may still belong to the mark at
// the end of the answer. Texts are the insides of JSON strings; places count their bytes.
type carry struct {
	m    *marker
	pos  int    // so much has come in
	held []byte // and so much of it has not gone out

	k    int // so many characters of the mark stand at the end
	ink  int // the first character of the line that is no space, or -1
	cr   int // a \r at the end, half of a line end perhaps, or -1
	line int // where the line begins, with the line end before it

	said  bool // the attempt has more than white space
	whole bool // the whole mark stands at the end, with nothing but white space behind it
	alone bool // in a line of its own
	since int  // from here on that is held

	count int           // characters that came in
	at    [mostMark]int // where the last ones stand, in a ring
}

func newCarry(m *marker) carry { return carry{m: m, ink: -1, cr: -1} }

// add takes the next text and gives what may go out: text itself, or a part of it, where nothing was held,
// else bytes that were appended to room.
func (c *carry) add(room, text []byte) (out, grown []byte) {
	had, base := c.pos, c.pos-len(c.held)
	n := c.m.quiet(text)
	if n > 0 {
		c.skip(n)
	}
	c.scan(text[n:])
	from := max(c.from(), base)
	if len(c.held) == 0 {
		c.held = append(c.held, text[from-had:]...)
		return text[:from-had], room
	}
	begin := len(room)
	if from < had {
		n := from - base
		room = append(room, c.held[:n]...)
		c.held = append(c.held[:copy(c.held, c.held[n:])], text...)
	} else {
		room = append(append(room, c.held...), text[:from-had]...)
		c.held = append(c.held[:0], text[from-had:]...)
	}
	return room[begin:len(room):len(room)], room
}

// pass takes a text that goes out as it is, because nothing is held and it ends quietly; false for any other.
func (c *carry) pass(text []byte) bool {
	n := len(text)
	if n == 0 || len(c.held) > 0 || c.m.quiet(text) < n {
		return false
	}
	c.skip(n)
	return true
}

// skip is scan for a text that ends quietly.
func (c *carry) skip(n int) {
	c.pos += n
	c.k, c.cr, c.ink, c.whole, c.said = 0, -1, c.pos-1, false, true
}

func (c *carry) scan(text []byte) {
	for i := 0; i < len(text); {
		b, n := character(text[i:])
		c.lines(b, c.pos+i)
		c.match(b, c.pos+i)
		i += n
	}
	c.pos += len(text)
	c.whole = c.whole && c.pos-c.since <= mostBehind
}

// lines follows the lines of the text.
func (c *carry) lines(b byte, at int) {
	if b == '\n' {
		if c.line = at; c.cr >= 0 {
			c.line = c.cr
		}
		c.ink, c.cr = -1, -1
		return
	}
	if c.cr >= 0 && c.ink < 0 { // that one was no line end
		c.ink = c.cr
	}
	switch c.cr = -1; b {
	case '\r':
		c.cr = at
	case ' ', '\t':
	default:
		c.said = true
		if c.ink < 0 {
			c.ink = at
		}
	}
}

// match follows the mark.
func (c *carry) match(b byte, at int) {
	m, k := c.m, c.k
	for k > 0 && (k == len(m.text) || m.text[k] != b) {
		k = m.fail[k]
	}
	if m.text[k] == b {
		k++
	}
	c.at[c.count%mostMark] = at
	c.count++
	c.k = k
	switch {
	case k == len(m.text):
		begin := c.begin()
		c.whole, c.alone, c.since = true, c.ink == begin, begin
		if c.alone {
			c.since = c.line
		}
	case b != ' ' && b != '\n' && b != '\r' && b != '\t':
		c.whole = false
	}
}

// begin is where the characters of the mark at the end begin.
func (c *carry) begin() int { return c.at[(c.count-c.k)%mostMark] }

// from is where that begins which has to be held.
func (c *carry) from() int {
	switch {
	case c.whole:
		return c.since
	case c.k > 0:
		if begin := c.begin(); c.ink != begin || begin-c.line > mostIndent {
			return begin
		}
		return c.line
	case c.cr >= 0:
		return c.cr
	case c.ink < 0 && c.pos-c.line <= mostIndent:
		return c.line
	}
	return c.pos
}

// held is what an attempt ended with.
type held struct {
	space []byte // white space, which is text unless the mark follows
	rest  []byte // the mark, or its beginning
	mark  ending
}

// ending is how much of the mark it is.
type ending uint8

const (
	unmarked ending = iota
	begun           // a beginning of it
	inline          // the whole mark, behind other words of its line
	marked          // the whole mark in a line of its own: the end of the answer
)

// end tells what is held. Of an answer that is marked nothing of it belongs to the text.
func (c *carry) end() held {
	switch {
	case c.whole && c.alone:
		return held{mark: marked}
	case c.whole:
		return held{rest: c.held, mark: inline}
	case c.k > 0:
		n := max(c.begin()-(c.pos-len(c.held)), 0)
		return held{space: c.held[:n], rest: c.held[n:], mark: begun}
	}
	return held{space: c.held}
}

// next makes the carry ready for a continuation. White space stays held: should the continuation be
// nothing but the mark, it belongs to it.
func (c *carry) next() {
	space := c.end().space
	pos := c.pos - len(c.held) + len(space)
	*c = carry{m: c.m, pos: pos, held: c.held[:len(space)], line: pos - len(space), ink: -1, cr: -1}
}

// drop forgets what is held and gives it.
func (c *carry) drop() []byte {
	all := c.held
	*c = carry{m: c.m, pos: c.pos, line: c.pos, ink: c.pos, cr: -1, said: c.said}
	return all
}

// clone is a carry of its own.
func (c *carry) clone() *carry {
	n := *c
	n.held = append([]byte(nil), c.held...)
	return &n
}

// character decodes the first character of text, the inside of a JSON string, where it is an ASCII one, and
// gives its length; what belongs to another one is 0x80 or more.
func character(text []byte) (b byte, n int) {
	if text[0] != '\\' || len(text) < 2 {
		return text[0], 1
	}
	switch text[1] {
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'b', 'f':
		return 0, 2
	case 'u':
		if r, ok := hex(text); ok && r < 0x80 {
			return byte(r), 6
		}
		return 0x80, min(6, len(text))
	}
	return text[1], 2
}

// hex reads the number of an escape \uXXXX.
func hex(text []byte) (r rune, ok bool) {
	if len(text) < 6 {
		return 0, false
	}
	for _, c := range text[2:6] {
		i := strings.IndexByte("0123456789abcdef", c|0x20)
		if c < '0' || i < 0 {
			return 0, false
		}
		r = r<<4 | rune(i)
	}
	return r, true
}
