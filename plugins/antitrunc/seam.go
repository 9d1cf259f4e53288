package antitrunc

import (
	"unicode/utf16"
	"unicode/utf8"
)

// How much a continuation may say again and how much of that is no accident, in characters. More than the
// most is never held back.
const (
	mostOverlap  = 200
	leastOverlap = 12
)

// seam finds the words at the beginning of a continuation that repeat the end of what stands before it. It
// holds them only as long as they may still be a repetition.
type seam struct {
	on    bool
	tail  []rune // the end of what stands before
	alive []int  // places in the tail from which all that came is a repetition so far
	held  []byte // what came, the inside of a JSON string
	read  int    // so many bytes of it were compared
	n     int    // they are so many characters
	cut   int    // bytes of held that repeat the tail to its end
	again int    // bytes of text that they are, decoded
}

// open begins a seam behind a text.
func (m *seam) open(text []byte) {
	*m = seam{tail: m.tail[:0], alive: m.alive[:0], held: m.held[:0]}
	from := len(text)
	for n := 0; n < mostOverlap && from > 0; n++ {
		_, size := utf8.DecodeLastRune(text[:from])
		from -= size
	}
	for _, r := range string(text[from:]) {
		m.tail = append(m.tail, r)
	}
	for i := 0; i+leastOverlap <= len(m.tail); i++ {
		m.alive = append(m.alive, i)
	}
	m.on = len(m.alive) > 0
}

// add takes the next text. While it may be a repetition nothing comes back; then what is none does.
func (m *seam) add(text []byte) []byte {
	m.held = append(m.held, text...)
	for m.read < len(m.held) {
		r, size := letter(m.held[m.read:])
		m.read += size
		m.compare(r)
		if len(m.alive) == 0 {
			return m.settle()
		}
	}
	return nil
}

// compare goes on with those places that fit. One that comes to the end of the tail is a repetition, and
// longer than any before it.
func (m *seam) compare(r rune) {
	left := m.alive[:0]
	for _, i := range m.alive {
		switch {
		case m.tail[i+m.n] != r:
		case i+m.n+1 == len(m.tail):
			m.cut, m.again = m.read, len(string(m.tail[i:]))
		default:
			left = append(left, i)
		}
	}
	m.alive = left
	m.n++
}

// settle ends the seam: what is held and no repetition is text.
func (m *seam) settle() []byte {
	m.on = false
	return m.held[m.cut:]
}

// waiting tells that something is held.
func (m *seam) waiting() bool { return m.on && len(m.held) > 0 }

// letter decodes the first character of text, the inside of a JSON string, and gives its length there.
func letter(text []byte) (r rune, n int) {
	if text[0] != '\\' {
		return utf8.DecodeRune(text)
	}
	if r, ok := hex(text); ok && text[1] == 'u' {
		if !utf16.IsSurrogate(r) {
			return r, 6
		}
		if len(text) >= 12 && text[6] == '\\' && text[7] == 'u' {
			if low, ok := hex(text[6:]); ok {
				if both := utf16.DecodeRune(r, low); both != utf8.RuneError {
					return both, 12
				}
			}
		}
		return utf8.RuneError, 6
	}
	switch b, n := character(text); {
	case len(text) >= 2 && text[1] == 'b':
		return '\b', 2
	case len(text) >= 2 && text[1] == 'f':
		return '\f', 2
	default:
		return rune(b), n
	}
}
