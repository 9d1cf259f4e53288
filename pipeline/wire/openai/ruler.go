package openai

import (
	"sort"
	"unicode/utf8"

	"gcli2api/pipeline/wire"
)

// ruler measures the content of a choice while it is written: Google gives places in its texts in
// bytes of UTF-8, OpenAI's clients count characters. What we put between the texts counts for the
// clients only.
type ruler struct {
	bytes int // of Google's texts
	chars int // of the content
	marks []mark
}

// mark is a place from which on all characters have one width.
type mark struct{ bytes, chars, width int }

// text takes the inside of a string of Google's.
func (r *ruler) text(inner []byte) {
	for i := 0; i < len(inner); {
		from := i
		for i < len(inner) && inner[i] < utf8.RuneSelf && inner[i] != '\\' {
			i++
		}
		if r.run(i-from, 1); i == len(inner) {
			return
		}
		n, width := widthAt(inner[i:])
		r.run(1, width)
		i += n
	}
}

// widthAt is the length of the character as it is written, an escape perhaps, and in UTF-8.
func widthAt(b []byte) (written, width int) {
	if b[0] != '\\' {
		_, n := utf8.DecodeRune(b)
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
	if n := len(r.marks); n == 0 || r.marks[n-1].width != width || r.at(n-1, r.bytes) != r.chars {
		r.marks = append(r.marks, mark{r.bytes, r.chars, width})
	}
	r.bytes += count * width
	r.chars += count
}

// ours takes what we wrote ourselves, the inside of a string.
func (r *ruler) ours(inner []byte) {
	for i := 0; i < len(inner); r.chars++ {
		n, _ := widthAt(inner[i:])
		i += n
	}
}

// at is the character at this byte, by a mark before it.
func (r *ruler) at(mark, bytes int) int {
	m := &r.marks[mark]
	return m.chars + (bytes-m.bytes)/m.width
}

// char is the character that begins at this byte of Google's texts, or with end, that ends there:
// between the two there may be something of ours.
func (r *ruler) char(bytes int, end bool) int {
	bytes = max(min(bytes, r.bytes), 0)
	behind := sort.Search(len(r.marks), func(i int) bool {
		return r.marks[i].bytes > bytes || end && r.marks[i].bytes == bytes && i > 0
	})
	if behind == 0 {
		return 0
	}
	return r.at(behind-1, bytes)
}
