package antitrunc

import (
	"encoding/json"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"gcli2api/pipeline/wire"
)

// escaped writes a text as the inside of a JSON string; where pick says so with longer escapes than necessary.
func escaped(text string, pick uint64) []byte {
	var out []byte
	for i, r := range text {
		one, _ := json.Marshal(string(r))
		if r < 0x80 && pick>>(i%64)&1 == 1 {
			const digits = "0123456789abcdef"
			out = append(append(out, `\u00`...), digits[r>>4], digits[r&15])
		} else {
			out = append(out, one[1:len(one)-1]...)
		}
	}
	return out
}

func decoded(inner []byte) string {
	return string(wire.AppendText(nil, append(append([]byte{'"'}, inner...), '"')))
}

// heldBy is what of a text has to be held, written with a pattern, and what it is the end of.
func heldBy(text, mark string) (held string, kind ending) {
	all := regexp.MustCompile(`(?s)^(.*?)((?:^|\r\n|\n)[ \t]*)?` + regexp.QuoteMeta(mark) + `[ \t\r\n]*$`)
	// The last mark counts: the rule is tried from the end.
	for i := len(text); i >= 0; i-- {
		if m := all.FindStringSubmatchIndex(text[i:]); m != nil && strings.HasPrefix(strings.TrimLeft(text[i:], " \t\r\n"), mark) {
			before := text[:i+strings.Index(text[i:], mark)]
			line := before[strings.LastIndexByte(before, '\n')+1:]
			if strings.Trim(line, " \t") == "" {
				from := len(before) - len(line)
				if strings.HasSuffix(before[:from], "\r\n") {
					from -= 2
				} else if from > 0 {
					from--
				}
				return text[from:], marked
			}
			return text[len(before):], inline
		}
	}
	for n := min(len(mark)-1, len(text)); n > 0; n-- {
		if strings.HasSuffix(text, mark[:n]) {
			before := text[:len(text)-n]
			if space := blankEnd(before); len(space) > 0 || before == "" {
				return space + mark[:n], begun
			}
			return mark[:n], begun
		}
	}
	if strings.HasSuffix(text, "\r") { // half a line end
		return "\r", unmarked
	}
	return blankEnd(text), unmarked
}

// blankEnd is a line end with white space behind it at the end of a text.
func blankEnd(text string) string {
	line := text[strings.LastIndexByte(text, '\n')+1:]
	if strings.Trim(line, " \t") != "" {
		return ""
	}
	from := len(text) - len(line)
	switch {
	case strings.HasSuffix(text[:from], "\r\n"):
		from -= 2
	case from > 0:
		from--
	}
	return text[from:]
}

// FuzzMark feeds a text in pieces and compares what is held with what is found in the whole of it.
func FuzzMark(f *testing.F) {
	for _, s := range []string{"One.\n[[END OF ANSWER]]", "a b[[\r\n \t[[EN", "[[[[x\n[[[[x  \n\r", "\r\r\n[[[[", "a\n\n", "x [[[[x y", "[[[[[x", "漢\n[[[[x"} {
		f.Add(s, uint64(0), uint8(3), false)
		f.Add(s, uint64(0x5555), uint8(1), true)
	}
	f.Fuzz(func(t *testing.T, text string, pick uint64, size uint8, short bool) {
		if !utf8.ValidString(text) || len(text) > 400 {
			return
		}
		mark := defaultMark
		if short {
			mark = "[[[[x"
		}
		c := newCarry(newMarker(mark))
		var out, room []byte
		sent := ""
		for _, piece := range pieces(text, func(int) int { return 1 + int(size) }) {
			var now []byte
			now, room = c.add(room[:0], escaped(piece, pick))
			out, sent = append(out, now...), sent+piece
			if got := decoded(out) + decoded(c.held); got != sent {
				t.Fatalf("%q became %q", sent, got)
			}
			held, kind := heldBy(sent, mark)
			if len(escaped(held, ^uint64(0))) > mostIndent { // what is longer is let go
				return
			}
			end := c.end()
			if decoded(c.held) != held || end.mark != kind {
				t.Fatalf("%q: holds %q (%d), want %q (%d)", sent, decoded(c.held), end.mark, held, kind)
			}
			if kind != marked && decoded(end.space)+decoded(end.rest) != held {
				t.Fatalf("%q: %q and %q", sent, end.space, end.rest)
			}
		}
	})
}

// FuzzSeam compares a seam with the longest overlap of the two texts.
func FuzzSeam(f *testing.F) {
	f.Add("The quick brown fox jumps", "brown fox jumps over", uint64(0), uint8(3))
	f.Add("ababababababababab", "abababababababababab", uint64(3), uint8(0))
	f.Add("aaaaaaaaaaaaaaaaaaaaaaaaa", "aaaaaaaaaaaaab", uint64(0), uint8(1))
	f.Add("漢字かな漢字かな漢字かな漢字\n😀", "漢字かな漢字かな漢字かな漢字\n😀!", uint64(0), uint8(9))
	f.Fuzz(func(t *testing.T, before, after string, pick uint64, size uint8) {
		if !utf8.ValidString(before) || !utf8.ValidString(after) || strings.ContainsRune(before+after, utf8.RuneError) {
			return
		}
		tail, next := []rune(before), []rune(after)
		tail = tail[max(len(tail)-mostOverlap, 0):]
		cut := 0
		for n := leastOverlap; n <= min(len(tail), len(next)); n++ {
			if string(tail[len(tail)-n:]) == string(next[:n]) {
				cut = n
			}
		}
		var m seam
		m.open([]byte(before))
		var out []byte
		for _, piece := range pieces(after, func(int) int { return 1 + int(size) }) {
			if raw := escaped(piece, pick); m.on {
				out = append(out, m.add(raw)...)
			} else {
				out = append(out, raw...)
			}
			if m.on && len(m.alive) == 0 {
				t.Fatal("holds what cannot be a repetition")
			}
		}
		if m.on {
			out = append(out, m.settle()...)
		}
		if got, want := decoded(out), string(next[cut:]); got != want || m.again != len(string(next[:cut])) {
			t.Fatalf("%q behind %q: %q (%d bytes again), want %q", after, before, got, m.again, want)
		}
	})
}

// FuzzEvent sends any events through the stream: what was JSON stays JSON, and no text is lost.
func FuzzEvent(f *testing.F) {
	f.Add([]byte(word("a\n")), []byte(word("[[END")), []byte(last("STOP")), false)
	f.Add([]byte(word("a")), []byte(`{"candidates":[{"content":{"parts":[{"text":"a","thought":true},{"functionCall":{}},{"text":"b","thoughtSignature":"c"}]},"groundingMetadata":{"groundingSupports":[{"segment":{"endIndex":3}}]}},{}],"usageMetadata":{"promptTokenCount":"3","x":[]}}`), []byte(`{"promptFeedback":{"blockReason":"X"}}`), true)
	f.Add([]byte(`{"candidates":{},"usageMetadata":3}`), []byte(`{"candidates":[{"content":{"parts":{"text":3}}}]}`), []byte(`[]`), true)
	f.Add([]byte(word("a")), []byte(strings.Replace(word("a"), `"}]}`, `"} ] ,"parts":[{"text":"b"}]}`, 1)), []byte(`{}`), false)
	f.Fuzz(func(t *testing.T, a, b, c []byte, later bool) {
		m := newMarker(mark)
		s := bare(m)
		s.x = inquiry{}.exchange(t)
		if s.MaxAttempts = 1; later {
			s.tries, s.MaxAttempts = 2, 2
			s.seam.open([]byte("The quick brown fox jumps over the lazy dog"))
		}
		for _, e := range [][]byte{a, b, c} {
			if wire.Check(e) != nil || wire.NotText(e) >= 0 {
				return
			}
			if out := s.event(e); out != nil && wire.Check(out) != nil {
				t.Fatalf("%s became %s", e, out)
			}
		}
		s.log = discard()
		if out := s.over(broken()); out != nil && wire.Check(out) != nil {
			t.Fatalf("the last is %s", out)
		}
	})
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }
