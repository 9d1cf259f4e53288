package antitrunc

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

// teller is a model that tells one text and the mark below it. It goes on behind what the request holds of
// it, and breaks off where it is told to.
type teller struct {
	t    testing.TB
	text string
	mark string
	cuts []int           // of the attempts in turn: bytes of the text and the mark, from the beginning
	how  string          // the finish reason of a cut; "" breaks the stream
	size func(n int) int // of the events, in bytes, at most; characters stay whole
	last string          // what the turn of the model held
}

func (m *teller) play(call int, body string) reel {
	m.last = ""
	for _, turn := range dialogue(m.t, body) {
		if said, ok := strings.CutPrefix(turn, "model: "); ok {
			m.last = said
		}
	}
	whole := m.text + "\n" + m.mark
	if !strings.HasPrefix(m.text+"\n", m.last) {
		m.t.Fatalf("call %d: the turn of the model %q is not the beginning of %q", call, m.last, m.text)
	}
	from, to, reason := len(m.last), len(whole), "STOP"
	if from == len(m.text) && call > 1 {
		from++ // in a turn of its own the mark needs no line end before it
	}
	if call <= len(m.cuts) {
		to, reason = m.cuts[call-1], m.how
	}
	return says(reason, pieces(whole[from:max(from, to)], m.size)...)
}

// pieces cuts a text between characters.
func pieces(text string, size func(int) int) (out []string) {
	for text != "" {
		n := min(max(size(len(text)), 1), len(text))
		for n < len(text) && !utf8.RuneStart(text[n]) {
			n++
		}
		out, text = append(out, text[:n]), text[n:]
	}
	return out
}

// story is random words, with the mark in prose, in code, and alone in a line, other line ends, and other
// alphabets. No stretch of a dozen characters is there twice in a row.
func story(r *rand.Rand, words int, mark string) string {
	var b strings.Builder
	for i := range words {
		switch r.IntN(40) {
		case 0:
			b.WriteString("\n\n")
		case 1:
			b.WriteString("\r\n")
		case 2:
			b.WriteString(" " + mark + " ")
		case 3:
			b.WriteString("\n```\n" + mark + "\n```\n")
		case 4:
			b.WriteString("\n" + mark + "\nafter it ")
		case 5:
			b.WriteString("\n  \t" + mark[:1+r.IntN(len(mark)-1)] + "\n")
		case 6:
			b.WriteString(mark[:r.IntN(len(mark))] + "漢字かな、😀é\u2028\"\\<&>")
		case 7:
			b.WriteString("\t\\n \\u005b / ")
		}
		fmt.Fprintf(&b, "w%d%c", i, " .,\n"[r.IntN(4)])
	}
	return b.String() + "The end."
}

// ambiguous tells places at which an answer that breaks off looks whole: right behind the mark, when it
// stands in a line of its own.
func ambiguous(text, mark string, from, cut int) bool {
	said := strings.TrimRight(text[from:cut], " \t\r\n")
	before, ok := strings.CutSuffix(said, mark)
	line := before[strings.LastIndexByte(before, '\n')+1:]
	return ok && strings.Trim(line, " \t") == ""
}

// A text comes out as it is, once, wherever it is cut, however its events are.
func TestCutAtEveryByte(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	text := story(r, 60, mark)
	for _, how := range []string{"", "MAX_TOKENS", "STOP"} {
		unclear := 0
		for cut := 0; cut <= len(text)+1+len(mark); cut++ {
			whole := text + "\n" + mark
			if cut < len(whole) && !utf8.RuneStart(whole[cut]) {
				continue
			}
			m := &teller{t: t, text: text, mark: mark, cuts: []int{cut}, how: how, size: func(int) int { return 1 + r.IntN(12) }}
			h := newHouse(t, nil, m.play)
			got := h.ask(inquiry{})
			if cut <= len(text) && ambiguous(text, mark, 0, cut) {
				unclear++
				if want := strings.TrimRight(text[:cut], " \t\r\n"); !strings.HasPrefix(want, got.text) || len(h.bodies) != 1 {
					t.Errorf("%q at %d: %d calls, ends %q", how, cut, len(h.bodies), end(got.text))
				}
				continue
			}
			if got.text != text || strings.Join(got.finish, " ") != "STOP" {
				t.Fatalf("%q at byte %d: %q and %v, differs at %s", how, cut, got.finish, got.err, differs(got.text, text))
			}
		}
		if unclear == 0 {
			t.Error("the text has no place that is not clear")
		}
	}
}

// Long texts, cut up to twice at random, with the mark split over events at each of its bytes.
func TestRandomCuts(t *testing.T) {
	for seed := range uint64(120) {
		r := rand.New(rand.NewPCG(seed, 3))
		text := story(r, 5000/(1+int(seed%8)), mark)
		var cuts []int
		for last := 0; len(cuts) < int(seed%3); {
			cut := last + r.IntN(len(text)-last)
			for !utf8.RuneStart(text[cut]) {
				cut--
			}
			if ambiguous(text, mark, last, cut) {
				continue
			}
			cuts, last = append(cuts, cut), cut
		}
		n := 1 + int(seed%uint64(len(mark)))
		m := &teller{t: t, text: text, mark: mark, cuts: cuts, how: []string{"", "MAX_TOKENS", "STOP"}[r.IntN(3)], size: func(int) int {
			if seed%2 == 0 {
				return n
			}
			return r.IntN(80)
		}}
		h := newHouse(t, nil, m.play)
		if got := h.ask(inquiry{}); got.text != text || strings.Join(got.finish, " ") != "STOP" || len(h.bodies) != 1+len(cuts) {
			t.Fatalf("seed %d, cuts %v: %q, %v, %d calls, differs at %s", seed, cuts, got.finish, got.err, len(h.bodies), differs(got.text, text))
		}
	}
}

// The mark, split over two events at each of its bytes, in any of its places.
func TestMarkSplitAtEveryByte(t *testing.T) {
	for _, m := range []string{mark, "abab", "[[[[x", "a b a b a", "--==--", `{end of: "it"}`[:7]} {
		for _, frame := range []string{"One.\n%s", "One.\r\n \t%s", "%s", "A %s b.\n%s", "```\n%s\n```\n%s", "%s\n%s", "A\n\n\n%s x\n%s\n\n", "a%s\n%s", "A " + m[:2] + "%s b\n%s", m[:2] + "\n" + m[:3] + "\n%s"} {
			said := strings.ReplaceAll(frame, "%s", m)
			body := strings.TrimRight(said, "\r\n")
			want := strings.TrimSuffix(body, m)
			for _, lineEnd := range []string{"\r\n \t", "\r\n", "\n"} {
				if cut, ok := strings.CutSuffix(want, lineEnd); ok {
					want = cut
					break
				}
			}
			for i := range len(said) {
				for j := i; j < len(said); j++ {
					h := newHouse(t, func(s *Settings) { s.Mark = m }, reels(t, says("STOP", said[:i], said[i:j], said[j:])))
					if got := h.ask(inquiry{}); got.text != want || len(got.finish) != 1 {
						t.Fatalf("%q cut at %d and %d: %q, want %q", said, i, j, got.text, want)
					}
				}
			}
		}
	}
}

// What goes out is never more behind than the beginning of the mark and the white space before it.
func TestNothingWaits(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	text := story(r, 2000, mark)
	m := &teller{t: t, text: text, mark: mark, size: func(int) int { return 1 + r.IntN(9) }}
	in := m.play(1, hello).events
	s := bare(newMarker(mark))
	sent, got := "", told{}
	for _, e := range in[:len(in)-1] {
		var piece told
		piece.add(t, e)
		sent += piece.text
		if out := s.event([]byte(e)); out != nil {
			got.add(t, string(out))
		}
		behind := sent[len(got.text):]
		if !strings.HasPrefix(sent, got.text) || len(behind) > len(mark)+8 {
			t.Fatalf("%q is held", behind)
		}
		blank := strings.Trim(behind, " \t\r\n")
		if !strings.HasPrefix(mark, blank) {
			t.Fatalf("%q is held", behind)
		}
	}
}

func end(s string) string { return s[max(len(s)-40, 0):] }

func differs(got, want string) string {
	i := 0
	for i < min(len(got), len(want)) && got[i] == want[i] {
		i++
	}
	return fmt.Sprintf("%d: %q, want %q", i, got[i:min(i+40, len(got))], want[i:min(i+40, len(want))])
}

// bare is a stream without anything to read from.
func bare(m *marker) *stream {
	s := &stream{stage: &stage{Settings: Settings{MaxAttempts: 3}, mark: m}, tries: 1, carry: newCarry(m)}
	s.answer.B = append(s.answer.B, '"')
	return s
}
