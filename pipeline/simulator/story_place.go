package simulator

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"
)

// seam is a place of the text where an attempt began with words that are not the text's next ones. A gateway may have
// left some of them out.
type seam struct {
	at    int
	words []string // longest first
}

// remember notes the seam of an attempt that began with extra, a preface and a repetition.
func (t *tale) remember(at int, preface, extra string) {
	if extra == "" {
		return
	}
	words := []string{extra}
	for _, part := range []string{preface, extra[len(preface):]} {
		if part != "" && part != extra {
			words = append(words, part)
		}
	}
	t.seams = append(t.seams, seam{at, words})
	slices.SortStableFunc(t.seams, func(a, b seam) int { return cmp.Compare(a.at, b.at) })
}

// said joins what the turns of the model behind a content hold.
func (r *request) said(at int) (string, *failure) {
	var out strings.Builder
	for _, c := range r.contents[at+1:] {
		if c.role != "model" {
			continue
		}
		for _, p := range c.parts {
			if p.thought {
				return "", r.plain("The turns of the model have thoughts in them: %q.", excerpt(p.text))
			}
			out.WriteString(p.text)
		}
	}
	return out.String(), nil
}

// place gives the bytes of the text that have been said, or what is wrong with what is taken for that. What comes before
// a mark may have been said as well, and a mark in the last line is taken for text.
func (t *tale) place(r *request, name, said string, asked bool) (int, *failure) {
	text := t.Text
	if asked && !t.Forgets {
		text += t.between()
	}
	if asked && t.Inline {
		said = strings.TrimSuffix(strings.TrimSuffix(said, t.Behind), text[len(t.Text):]+t.Mark)
	}
	m := match{text: text, said: said, seams: t.seams}
	if at, ok := m.from(0, 0, 0); ok {
		return at, nil
	}
	due := "the end of the story"
	if m.due < len(t.Text) { // else what is due is the mark, which nobody may say for the model
		due = excerpt(t.Text[m.due:])
	}
	return 0, r.plain("The turns of the model are not the beginning of the story %q: at byte %d stands %q where %q is due.",
		name, m.wrong, excerpt(said[m.wrong:]), due)
}

// match compares what was said with a text that has seams.
type match struct {
	text, said string
	seams      []seam
	wrong, due int // where the best way to read what was said fails: in it, and in the text
}

// from reads the rest: what was said from one byte on, the text from another, and the seams from a third place.
func (m *match) from(said, text, next int) (at int, ok bool) {
	for ; next < len(m.seams); next++ {
		s := m.seams[next]
		if s.at < text {
			continue
		}
		n := m.common(said, text, s.at)
		said, text = said+n, text+n
		if said == len(m.said) || text < s.at {
			return text, said == len(m.said)
		}
		for _, words := range s.words {
			if strings.HasPrefix(m.said[said:], words) {
				if at, ok := m.from(said+len(words), text, next+1); ok {
					return at, true
				}
			}
		}
	}
	n := m.common(said, text, len(m.text))
	return text + n, said+n == len(m.said)
}

// common is how many bytes are the same, up to a place of the text.
func (m *match) common(said, text, to int) int {
	n := 0
	for said+n < len(m.said) && text+n < to && m.said[said+n] == m.text[text+n] {
		n++
	}
	if said+n >= m.wrong {
		m.wrong, m.due = said+n, text+n
	}
	return n
}

// excerpt is the beginning of a text, cut between two characters.
func excerpt(s string) string {
	if len(s) <= 60 {
		return s
	}
	end := 60
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}
