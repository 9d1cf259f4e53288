package wire

import "strconv"

// maxDepth is how deep a document may nest: far more than any client, far less than any stack.
const maxDepth = 512

// SyntaxError says where a document stops being JSON.
type SyntaxError struct {
	Offset int    // of the byte that is wrong, len(document) when the rest is missing
	Why    string // constant words, nothing of the document in them
}

// Error names the offset and the reason.
func (e *SyntaxError) Error() string {
	return "invalid JSON at byte " + strconv.Itoa(e.Offset) + ": " + e.Why
}

// Check reads the whole document strictly by RFC 8259: one value, numbers, escapes, control
// characters, commas, brackets, nesting (512), nothing behind it. A byte order mark in front is
// let through; strings need not be valid UTF-8. The error is a *SyntaxError.
func Check(doc []byte) error { return CheckUnder(doc, 0) }

// CheckUnder is Check for a document that will stand under so many open brackets of another one.
func CheckUnder(doc []byte, under int) error {
	end, why := strict(doc, start(doc), under)
	if why == "" {
		if end = space(doc, end); end < len(doc) {
			why = "text behind the end of the document"
		}
	}
	if why != "" {
		return &SyntaxError{Offset: end, Why: why}
	}
	return nil
}

const (
	whyEnd     = "the document ends too early"
	whyValue   = "a value was expected"
	whyKey     = "a member name was expected"
	whyColon   = "a colon was expected"
	whyComma   = "a comma or a closing bracket was expected"
	whyDeep    = "nested deeper than 512 levels"
	whyControl = "control character in a string"
	whyEscape  = "unknown escape in a string"
	whyNumber  = "malformed number"
)

// nesting remembers for every open bracket whether it is an object: a bit a level.
type nesting struct {
	bits  [maxDepth / 64]uint64
	depth int
}

func (n *nesting) push(object bool) {
	at, bit := n.depth>>6, uint64(1)<<(n.depth&63)
	n.bits[at] &^= bit
	if object {
		n.bits[at] |= bit
	}
	n.depth++
}

func (n *nesting) object() bool {
	at := n.depth - 1
	return n.bits[at>>6]>>(at&63)&1 == 1
}

// strict reads the value at i, which lies under so many open brackets, and returns the index behind
// it; or the offset of what is wrong and why. It is one loop: no recursion that a document drives.
func strict(b []byte, i, under int) (int, string) {
	var open nesting
	var why string
	for {
		if i >= len(b) {
			return len(b), whyEnd
		}
		switch c := b[i]; {
		case c == '"':
			i, why = strictString(b, i)
		case c == '{' || c == '[':
			if open.depth+under >= maxDepth {
				return i, whyDeep
			}
			i = space(b, i+1)
			if i < len(b) && b[i] == c+2 { // '}' and ']' are two behind their openers
				i++
				break
			}
			open.push(c == '{')
			if c == '{' {
				i, why = strictKey(b, i)
			}
			if why != "" {
				return i, why
			}
			continue
		case c == '-' || c >= '0' && c <= '9':
			i, why = strictNumber(b, i)
		default:
			i, why = strictWord(b, i)
		}
		if why != "" {
			return i, why
		}
		more := false
		if i, more, why = strictAfter(b, i, &open); why != "" || !more {
			return i, why
		}
	}
}

// strictAfter closes what closes behind a value and stands on the next value when there is more.
func strictAfter(b []byte, i int, open *nesting) (int, bool, string) {
	for open.depth > 0 {
		if i = space(b, i); i >= len(b) {
			return len(b), false, whyEnd
		}
		object := open.object()
		switch c := b[i]; {
		case c == ',' && object:
			at, why := strictKey(b, space(b, i+1))
			return at, why == "", why
		case c == ',':
			return space(b, i+1), true, ""
		case c == '}' && object, c == ']' && !object:
			i++
			open.depth--
		default:
			return i, false, whyComma
		}
	}
	return i, false, ""
}

// strictKey reads `"name" :` and stands on the value.
func strictKey(b []byte, i int) (int, string) {
	if i >= len(b) {
		return len(b), whyEnd
	}
	if b[i] != '"' {
		return i, whyKey
	}
	i, why := strictString(b, i)
	if why != "" {
		return i, why
	}
	if i = space(b, i); i >= len(b) {
		return len(b), whyEnd
	}
	if b[i] != ':' {
		return i, whyColon
	}
	return space(b, i+1), ""
}

func strictString(b []byte, i int) (int, string) {
	for i++; ; {
		if i = special(b, i); i >= len(b) {
			return len(b), whyEnd
		}
		switch b[i] {
		case '"':
			return i + 1, ""
		case '\\':
			n := escape(b[i+1:])
			if n == 0 {
				return i, whyEscape
			}
			i += 1 + n
		default:
			return i, whyControl
		}
	}
}

// escape is the length of what follows a backslash, 0 when it is no escape.
func escape(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	switch b[0] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 1
	case 'u':
		if _, ok := hex4(b[1:]); ok {
			return 5
		}
	}
	return 0
}

func strictNumber(b []byte, i int) (int, string) {
	if b[i] == '-' {
		i++
	}
	switch end := digits(b, i); {
	case end == i:
		return i, whyNumber
	case b[i] == '0' && end > i+1:
		return i + 1, whyNumber
	default:
		i = end
	}
	if i < len(b) && b[i] == '.' {
		end := digits(b, i+1)
		if end == i+1 {
			return end, whyNumber
		}
		i = end
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		end := digits(b, i)
		if end == i {
			return i, whyNumber
		}
		i = end
	}
	return i, ""
}

func digits(b []byte, i int) int {
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		i++
	}
	return i
}

func strictWord(b []byte, i int) (int, string) {
	for _, word := range [...]string{"true", "false", "null"} {
		if len(b)-i >= len(word) && string(b[i:i+len(word)]) == word {
			return i + len(word), ""
		}
	}
	return i, whyValue
}
