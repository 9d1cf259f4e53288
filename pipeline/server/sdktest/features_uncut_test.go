package sdktest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"gcli2api/pipeline/simulator"
)

const (
	uncut   = "流式抗截断/" + flash
	endMark = "[[END OF ANSWER]]"
	plan    = "**Plan**\nTell it to its end."
)

// longText has the words that must not be taken for the end, and letters of more than one byte.
func longText() string {
	var b strings.Builder
	for i := range 20 {
		fmt.Fprintf(&b, "%d. The fox has %d ideas, and the crow none.\n", i+1, 20-i)
	}
	return b.String() + "He said \"" + endMark + "\" and laughed.\n狐狸抬头看 \U0001F98A\nThe end."
}

// uncut are answers that break off, and come whole all the same.
func (f family) uncut(h two) []featured {
	cuts := []simulator.Ending{{How: "cut", At: 300}, {How: "max-tokens", At: 600}}
	all := []featured{
		f.tells(h, "uncut", asking{Model: uncut, More: f.shows}, cuts),
		f.tells(h, "uncut_suffix", asking{Model: gemini3 + "-anti-truncation"}, cuts),
		f.tells(h, "uncut_fake", asking{Model: "假流式/" + uncut, More: f.shows}, cuts),
		f.tells(h, "uncut_fake_suffix", asking{Model: "anti-truncation/" + flash + "-fake-stream"}, cuts[1:]),
		f.tells(h, "uncut_alias", asking{Model: "流式抗截断/gpt-5-nano-maxthinking"}, cuts[1:]),
	}
	switch f.name {
	case "openai":
		all = append(all, f.tells(h, "uncut_complete", asking{Do: "complete", Model: uncut}, cuts[1:]))
	case "responses": // the answer that is kept is the one that was heard
		all = append(all, f.tells(h, "uncut_kept", asking{Do: "kept", Model: uncut}, cuts))
	}
	if h.loud.kind != "codeassist" && f.unasked { // a picture has no place for the mark, and is drawn once
		const draws = "流式抗截断/gemini-2.5-flash-image"
		all = append(all, featured{proof{"uncut_picture", func(t *testing.T, s told) {
			if s.leaves(t, "anti-truncation"); s.Error != nil || s.Finishes != 1 || strings.Count(s.Text, "echo: a fox") != 1 || strings.Count(s.Text, "![image]") > 1 {
				t.Errorf("not one picture: %.300q", s.Text)
			}
		}}, asking{Do: "stream", Model: draws, Prompt: "a fox"}})
	}
	plain := func(model string) asking { return asking{Do: "whole", Model: model, Prompt: "Hello"} }
	return append(all,
		featured{proof{"uncut_plain", func(t *testing.T, s told) {
			f.said(t, s, f.shown(uncut, flash), "echo: Hello")
			s.leaves(t, "anti-truncation")
		}}, plain(uncut)},
		featured{proof{"uncut_json", func(t *testing.T, s told) { // the mark would spoil it
			if s.leaves(t, "anti-truncation"); s.Error != nil || s.Finish != f.stop || s.Finishes != 1 || !json.Valid([]byte(s.Text)) {
				t.Errorf("not an answer in JSON: %q", s.Text)
			}
		}}, asking{Do: "stream", Model: uncut, Prompt: "as JSON", More: f.json}},
		featured{proof{"fake_plain", func(t *testing.T, s told) { // has what it asks for: an answer in one piece
			f.said(t, s, f.shown("假流式/"+flash, flash), "echo: Hello")
			s.leaves(t, "")
		}}, plain("假流式/" + flash)},
	)
}

// tells is a story that breaks off.
func (f family) tells(h two, name string, a asking, endings []simulator.Ending) featured {
	story := f.name + "." + name
	text := longText()
	h.loud.sim.Tell(story, simulator.Story{Text: text, Mark: endMark, Thoughts: plan, Endings: endings})
	a.Do, a.Prompt = cmp.Or(a.Do, "stream"), "!story "+story
	base := flash
	if strings.Contains(a.Model, gemini3) {
		base = gemini3
	}
	return featured{proof{name, func(t *testing.T, s told) {
		f.said(t, s, f.shown(a.Model, base), text)
		if s.leaves(t, ""); s.Finishes != 1 || !s.Same && a.Do != "complete" || s.Chunks < 10 {
			t.Errorf("%d reasons to finish, %d pieces, the same as the whole: %v", s.Finishes, s.Chunks, s.Same)
		}
		if want := f.unasked && a.Do != "complete" || a.More != nil; s.Thoughts != map[bool]string{true: plan}[want] {
			t.Errorf("thoughts %q", s.Thoughts)
		}
		f.costs(t, s, h.loud.sim.Told(story), endings)
	}}, a}
}

// costs: the usage is the sum of all attempts. A connection that is reset may take the last events with it, and
// the count in them; the next attempt shows how much.
func (f family) costs(t *testing.T, s told, attempts []simulator.Telling, endings []simulator.Ending) {
	t.Helper()
	if len(attempts) != len(endings)+1 {
		t.Fatalf("%d attempts, want %d", len(attempts), len(endings)+1)
	}
	want, slack := s.Usage, 0
	want.Prompt, want.Answer, want.Thoughts = 0, 0, 0
	for i, a := range attempts {
		if a.Refused != "" || !a.Asked {
			t.Errorf("attempt %d asks for the mark: %v, refused with %q", i+1, a.Asked, a.Refused)
		}
		want.Prompt, want.Answer, want.Thoughts = want.Prompt+a.Prompt, want.Answer+a.Reply, want.Thoughts+a.Thoughts
		if lost := len(a.Said) + a.From - attempts[min(i+1, len(endings))].From; a.How == "cut" && lost > 0 {
			slack += lost/4 + 1
		}
	}
	want.Total = want.Prompt + want.Answer + want.Thoughts
	if !f.apart {
		want.Answer += want.Thoughts
	}
	if f.name == "anthropic" { // has no other counts
		want.Thoughts, want.Total = 0, 0
	}
	lost := want.Answer - s.Usage.Answer
	if want.Answer -= lost; want.Total > 0 {
		want.Total -= lost
	}
	if s.Usage != want || lost < 0 || lost > slack {
		t.Errorf("usage %+v, want %+v, and no more than %d lost: %d", s.Usage, want, slack, lost)
	}
}
