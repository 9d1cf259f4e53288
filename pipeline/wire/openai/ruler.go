package openai

import (
	"encoding/binary"
	"sort"
	"unicode/utf8"

	"gcli2api/pipeline/wire"
)

// ruler measures the content of a choice while it is written: Google gives places in its texts in
// bytes of UTF-8, OpenAI's clients count characters. What we put between the texts counts for the
// clients only.
type ruler struct {
	idle  bool // nobody will ask
	bytes int  // of Google's texts
	chars int  // of the content
	marks []mark
	ahead bool // something of ours came behind the last mark
}

// mark is a place from which on all characters have one width. Marks are small: a text of two scripts
// has many.
type mark struct{ bytes, chars, width int32 }

// text takes the inside of a string of Google's.
func (r *ruler) text(inner []byte) {
	if r.idle {
		return
	}
	for i := 0; i < len(inner); {
		switch width := plainWidth(inner[i]); width {
		case 0:
			n, width := widthAt(inner[i:])
			r.run(1, width)
			i += n
		case 1:
			from := i
			i += 1 + ascii(inner[i+1:])
			r.run(i-from, 1)
		default:
			count := 0
			for ; i < len(inner) && plainWidth(inner[i]) == width; i += width {
				count++
			}
			r.run(count, width)
		}
	}
}

// ascii is how many bytes b begins with that are a character each, taken eight at a time.
func ascii(b []byte) int {
	const ones, high, backslashes = 0x0101010101010101, 0x8080808080808080, 0x5c5c5c5c5c5c5c5c
	i := 0
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		x := w ^ backslashes // a backslash is zero in it
		if (w|(x-ones)&^x)&high != 0 {
			break
		}
	}
	for i < len(b) && b[i] < utf8.RuneSelf && b[i] != '\\' {
		i++
	}
	return i
}

// plainWidth is the width of a character that is written as it is, by its first byte, 0 for an escape.
func plainWidth(c byte) int {
	switch {
	case c == '\\':
		return 0
	case c < 0xC0:
		return 1
	case c < 0xE0:
		return 2
	case c < 0xF0:
		return 3
	}
	return 4
}

// widthAt is the length of the character as it is written, an escape perhaps, and in UTF-8.
func widthAt(b []byte) (written, width int) {
	if n := plainWidth(b[0]); n > 0 {
		return n, n
	}
	if len(b) < 6 || b[1] != 'u' {
		return min(2, len(b)), 1
	}
	written = 6
	if b[2]|0x20 == 'd' && len(b) >= 12 && b[6] == '\\' && b[7] == 'u' && b[3] >= '8' {
		written = 12
	}
	var quoted [16]byte
	var room [16]byte
	text := wire.AppendText(room[:0], append(append(append(quoted[:0], '"'), b[:written]...), '"'))
	_, width = utf8.DecodeRune(text)
	if width < len(text) { // two characters that are no pair
		written = 6
	}
	return written, max(width, 1)
}

func (r *ruler) run(count, width int) {
	if count == 0 {
		return
	}
	if n := len(r.marks); n == 0 || r.ahead || r.marks[n-1].width != int32(width) {
		r.ahead = false
		r.marks = append(r.marks, mark{int32(r.bytes), int32(r.chars), int32(width)})
	}
	r.bytes += count * width
	r.chars += count
}

// ours takes what we wrote ourselves, the inside of a string.
func (r *ruler) ours(inner []byte) {
	if r.idle {
		return
	}
	r.ahead = true
	for i := 0; i < len(inner); r.chars++ {
		n, _ := widthAt(inner[i:])
		i += n
	}
}

// at is the character at this byte, by a mark before it.
func (r *ruler) at(mark, bytes int) int {
	m := &r.marks[mark]
	return int(m.chars) + (bytes-int(m.bytes))/int(m.width)
}

// char is the character that begins at this byte of Google's texts, or with end, that ends there:
// between the two there may be something of ours.
func (r *ruler) char(bytes int, end bool) int {
	bytes = max(min(bytes, r.bytes), 0)
	behind := sort.Search(len(r.marks), func(i int) bool {
		at := int(r.marks[i].bytes)
		return at > bytes || end && at == bytes && i > 0
	})
	if behind == 0 {
		return 0
	}
	return r.at(behind-1, bytes)
}
