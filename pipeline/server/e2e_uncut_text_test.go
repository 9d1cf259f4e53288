package server_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"gcli2api/pipeline/simulator"
)

// endMark is what the stage asks the model to write, unless it is told another one.
const endMark = "[[END OF ANSWER]]"

// The seam rule as the design has it: an overlap of a continuation with what was said before counts
// from seamLeast characters on, and is looked for in the first seamWindow of the continuation.
const seamLeast, seamWindow = 12, 200

// randomText is a long text of everything that has ever been cut or escaped wrongly.
func randomText(r *rand.Rand, words int) string {
	var b strings.Builder
	for i := range words {
		b.WriteString(randomWord(r))
		switch n := r.IntN(100); {
		case i == words-1:
		case n < 80:
			b.WriteByte(' ')
		case n < 90:
			b.WriteByte('\n')
		case n < 93:
			b.WriteString("\n\n")
		case n < 94:
			b.WriteString("\r\n")
		case n < 95:
			b.WriteString("  \n")
		case n < 96:
			b.WriteByte('\t')
		}
	}
	return b.String() + []string{"", "", "", "\n", "\n\n", " ", ".", "\n```", "\n" + endMark}[r.IntN(9)]
}

func randomWord(r *rand.Rand) string {
	letters := func(from, to rune, most int) string {
		w := make([]rune, 1+r.IntN(most))
		for i := range w {
			w[i] = from + rune(r.IntN(int(to-from)+1))
		}
		return string(w)
	}
	switch n := r.IntN(1000); {
	case n < 600:
		return letters('a', 'z', 9)
	case n < 750:
		return letters('一', '龥', 4)
	case n < 800:
		return letters('À', 'ž', 6)
	case n < 850:
		return []string{"👩‍👩‍👧", "🐦", "🏳️‍🌈", "e\u0301", "\U0001F600\U0001F601"}[r.IntN(5)]
	case n < 900:
		return []string{`{"a":"\n\t\u0000"}`, `\`, `\\`, `"`, `\"`, `\u00e9`, "</script>", "&amp;", "\u2028", "\x7f", "\x01", "\ufeff", "%s", "$1"}[r.IntN(14)]
	case n < 940:
		return []string{"**", "#", "\n# ", "\n- ", "\n1. ", "> ", "|---|", "~~", "[a](b)", "`c`", "***\n", "<b>"}[r.IntN(12)]
	case n < 965:
		return "\n```go\nfunc " + letters('a', 'z', 9) + "() { return " + letters('0', '9', 6) + " }\n```\n"
	case n < 975:
		return "the words " + endMark + " stand here"
	case n < 980:
		return "\n```\n" + endMark + "\n```\n" + letters('a', 'z', 9)
	case n < 985:
		return "\n" + endMark + "\n" + letters('a', 'z', 9)
	case n < 990:
		return "\n" + endMark[:1+r.IntN(len(endMark))] + letters('a', 'z', 3)
	}
	return []string{"[", "]", "[[", "]]", "[[END", "[[[END OF ANSWER]]]", strings.ToLower(endMark), "\n[", "END OF ANSWER"}[r.IntN(9)]
}

// soup is a short text of little else than what the mark is made of.
func soup(r *rand.Rand) string {
	var b strings.Builder
	b.WriteString("x")
	for range 3 + r.IntN(40) {
		switch r.IntN(12) {
		case 0:
			b.WriteString(endMark)
		case 1:
			b.WriteString("\n" + endMark)
		case 2:
			b.WriteString("\n" + endMark + "\n")
		case 3:
			b.WriteString(endMark[:r.IntN(len(endMark))])
		case 4:
			b.WriteString(endMark[r.IntN(len(endMark)):])
		default:
			b.WriteString([]string{"\n", "\r\n", " ", "\t", "\r", "[", "]", "x", "\n\n", "   ", "é", "\\n", "\u00a0"}[r.IntN(13)])
		}
	}
	return strings.TrimRight(b.String(), "\r") // with the line end before the mark it would be one
}

// overlap is how much of a continuation the rule takes for said already, in bytes.
func overlap(said, continuation string) int {
	best, chars := 0, 0
	for i, c := range continuation {
		if chars++; chars > seamWindow {
			break
		}
		if end := i + utf8.RuneLen(c); chars >= seamLeast && strings.HasSuffix(said, continuation[:end]) {
			best = end
		}
	}
	return best
}

// cutAt is a cut in a text.
type cutAt struct {
	text       string
	behind     string // what the model writes behind the mark
	before, at int    // the cut before this one, and this one
	again      int    // so many characters are said again behind it
}

// clear tells whether nobody can take the cut for anything else: what was said before does not end with
// a whole mark in its own line, what was said since the cut before it is not the mark alone, and the
// continuation overlaps with what was said in nothing but what it says again. What may be a mark is held
// back and said again, with the space behind it, so that this must hold for the bytes before a cut as well.
func (p cutAt) clear() bool {
	said := p.text[:p.at]
	if p.at == len(p.text) && strings.TrimRight(said, space) != said { // is the last line end the text's, or the mark's that comes alone?
		return false
	}
	for at := heldFrom(p.text, p.at); at <= p.at; at++ {
		if at < len(p.text) && !utf8.RuneStart(p.text[at]) {
			continue
		}
		again := lastRunes(p.text[:at], p.again)
		if overlap(p.text[:at], again+p.text[at:]+"\n"+endMark+p.behind) != len(again) || at == len(p.text) && overlap(p.text, endMark) > 0 {
			return false
		}
	}
	for at := heldFrom(p.text, p.before); at <= p.before; at++ {
		if strings.TrimSpace(p.text[at:p.at]) == endMark {
			return false
		}
	}
	lines := strings.Split(strings.TrimRight(said, space), "\n")
	return strings.TrimSpace(lines[len(lines)-1]) != endMark
}

const space = " \t\r\n"

// heldFrom is at or before the first byte that may be held back at a cut.
func heldFrom(text string, cut int) int {
	return max(0, len(strings.TrimRight(text[:cut], space))-len(endMark)-8)
}

func lastRunes(s string, n int) string {
	end := len(s)
	for ; n > 0 && end > 0; n-- {
		_, size := utf8.DecodeLastRuneInString(s[:end])
		end -= size
	}
	return s[end:]
}

// randomStory makes a story of a text with so many cuts, or as many as find a clear place, and says how it
// was made. Short texts are not cut by a reset connection: that may take events with it, and the cut is
// somewhere else then.
func randomStory(r *rand.Rand, text string, cuts int) (simulator.Story, string) {
	s := simulator.Story{Text: text, Thoughts: "**Plan**\nWrite " + endMark + "\n" + endMark, Mark: endMark,
		Behind: []string{"", "", "\n", " \n\n", "\r\n"}[r.IntN(5)], Endings: make([]simulator.Ending, 1)}
	for range 3 + r.IntN(5) {
		s.Pieces = append(s.Pieces, 1+r.IntN([]int{4, 40, 400, 1200}[r.IntN(4)]))
	}
	hows, apart := []string{"eof", "max-tokens", "stop", "cut"}, 300
	if len(text) < 3000 {
		hows, apart = hows[:3], 1
	}
	made := ""
	for at := 0; cuts > 0; cuts-- {
		again := 0
		if r.IntN(3) == 0 && at+apart > seamWindow {
			again = seamLeast + r.IntN(seamWindow-seamLeast)
		}
		cut := cutAt{text, s.Behind, at, 0, again}.find(r, at+apart, len(text)-apart*(cuts-1))
		if cut < 0 {
			break
		}
		last := &s.Endings[len(s.Endings)-1]
		last.How, last.At = hows[r.IntN(len(hows))], cut
		s.Endings = append(s.Endings, simulator.Ending{Repeat: again})
		made += fmt.Sprintf(" %s at %d and %d characters again,", last.How, cut, again)
		at = cut
	}
	return s, fmt.Sprintf("%s %d bytes in events of %v", made, len(text), s.Pieces)
}

// find looks for a clear place between two others, -1 when there is none.
func (p cutAt) find(r *rand.Rand, from, to int) int {
	for try := 0; from <= to && try < 1000; try++ {
		p.at = from + r.IntN(to-from+1)
		if (p.at == len(p.text) || utf8.RuneStart(p.text[p.at])) && p.clear() {
			return p.at
		}
	}
	return -1
}

func TestOverlap(t *testing.T) {
	for _, c := range []struct{ said, continuation, want string }{
		{"abcdefghijklmn", "cdefghijklmnop", "cdefghijklmn"},
		{"abcdefghijklm", "cdefghijklmnop", ""},
		{"一二三四五六七八九十壹贰", "一二三四五六七八九十壹贰叁", "一二三四五六七八九十壹贰"},
		{strings.Repeat("la ", 90), strings.Repeat("la ", 90), strings.Repeat("la ", 66)},
		{"abcdefghijklmn", "Sure: abcdefghijklmn", ""},
	} {
		if n := overlap(c.said, c.continuation); c.continuation[:n] != c.want {
			t.Errorf("%.20q and %.20q: %q", c.said, c.continuation, c.continuation[:n])
		}
	}
}

func TestClearPlaces(t *testing.T) {
	for _, c := range []struct {
		said, rest string
		repeat     int
		want       bool
	}{
		{"Once there was a fox.", " It saw a crow.", 0, true},
		{"In a wood of firs and larches there lived a very young fox.", " It saw a crow.", 15, true},
		{"In a wood of firs and larches there lived a very young fox.", " It saw a crow.", 5, false},
		{"la la la la la la ", "la la la la la la", 0, false},
		{"text\n" + endMark, "\nmore", 0, false},
		{"text\n " + endMark + " \n", "more", 0, false},
		{"text " + endMark, "\nmore", 0, true},
		{"text\n" + endMark[:9], endMark[9:] + " more", 0, true},
		{"text", "", 0, true},
		{"text\n", "", 0, false},
		{endMark, " is a mark", 0, false},     // nothing but the mark since the beginning
		{"the mark " + endMark, "", 0, false}, // what follows is the mark alone
	} {
		if got := (cutAt{c.said + c.rest, "", 0, len(c.said), c.repeat}).clear(); got != c.want {
			t.Errorf("%q, %q, %d: %v", c.said, c.rest, c.repeat, got)
		}
	}
}
