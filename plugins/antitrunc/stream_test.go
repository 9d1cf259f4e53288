package antitrunc

import (
	"strings"
	"testing"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire/gemini"
)

const mark = defaultMark

// What a client hears of answers that end in one way or another.
func TestAnswers(t *testing.T) {
	empty := apierror.New(apierror.EmptyAnswer, "nothing was said")
	busy := apierror.New(apierror.UpstreamUnavailable, "busy")
	for _, c := range []struct {
		name   string
		set    func(*Settings)
		body   string
		reels  []reel
		text   string
		finish string // "" for an error
	}{
		{"whole", nil, "", []reel{says("STOP", "One. ", "Two.\n"+mark)}, "One. Two.", "STOP"},
		{"whole, white space behind", nil, "", []reel{says("STOP", "One.\r\n", "  "+mark, " \n", "\n")}, "One.", "STOP"},
		{"an empty line before the mark", nil, "", []reel{says("STOP", "One.\n\n"+mark)}, "One.\n", "STOP"},
		{"nothing but the mark", nil, "", []reel{says("STOP", mark)}, "", "STOP"},
		{"broken off", nil, "", []reel{says("", "One t"), says("STOP", "wo.\n"+mark)}, "One two.", "STOP"},
		{"broken off twice", nil, "", []reel{says("", "One t"), says("", "wo th"), says("STOP", "ree.\n"+mark)}, "One two three.", "STOP"},
		{"out of tokens", nil, "", []reel{says("MAX_TOKENS", "One t"), says("STOP", "wo.\n"+mark)}, "One two.", "STOP"},
		{"stopped without the mark", nil, "", []reel{says("STOP", "One"), says("STOP", ", two.", "\n", mark)}, "One, two.", "STOP"},
		{"forgetful", nil, "", []reel{says("STOP", "One."), says("STOP", mark)}, "One.", "STOP"},
		{"forgets it always", nil, "", []reel{says("STOP", "One."), says("STOP", " Two."), says("STOP", " Three.")}, "One. Two. Three.", "STOP"},
		{"never enough", nil, "", []reel{says("MAX_TOKENS", "a"), says("MAX_TOKENS", "b"), says("MAX_TOKENS", "c")}, "abc", "MAX_TOKENS"},
		{"always broken", nil, "", []reel{says("", "a"), says("", "b"), says("", "c")}, "abc", ""},
		{"out of tokens behind the mark", nil, "", []reel{says("MAX_TOKENS", "One.\n"+mark+"\n")}, "One.", "STOP"},
		{"broken off behind the mark", nil, "", []reel{says("", "One.\n"+mark)}, "One.", "STOP"},
		{"broken off in the mark", nil, "", []reel{says("", "One.\n"+mark[:5]), says("STOP", mark)}, "One.", "STOP"},
		{"broken off in the mark, which is text", nil, "", []reel{says("", "One\n"+mark[:5]), says("STOP", mark+" two.\n"+mark)}, "One\n" + mark + " two.", "STOP"},
		{"broken off behind a line", nil, "", []reel{says("", "One.\n"), says("STOP", "Two.\n"+mark)}, "One.\nTwo.", "STOP"},
		{"broken off before the mark's line", nil, "", []reel{says("", "One.\n"), says("STOP", mark)}, "One.", "STOP"},
		{"nothing follows the beginning of the mark", nil, "", []reel{says("", "One.\n"+mark[:5]), {fail: busy}, {fail: busy}}, "One.\n" + mark[:5], ""},
		{"the beginning of the mark at the end", func(s *Settings) { s.MaxAttempts = 1 }, "", []reel{says("STOP", "One.\n"+mark[:5])}, "One.\n" + mark[:5], "STOP"},
		{"mark in prose", nil, "", []reel{says("STOP", "It writes "+mark+" below.\n"+mark)}, "It writes " + mark + " below.", "STOP"},
		{"mark alone in the middle", nil, "", []reel{says("STOP", "A:\n"+mark+"\nB.\n"+mark)}, "A:\n" + mark + "\nB.", "STOP"},
		{"mark twice at the end", nil, "", []reel{says("STOP", "A.\n"+mark+"\n"+mark)}, "A.\n" + mark, "STOP"},
		{"mark in the last line, and that was all", nil, "", []reel{says("STOP", "A. "+mark), says("STOP", mark)}, "A. ", "STOP"},
		{"mark in the last line, and nothing more", nil, "", []reel{says("STOP", "A. "+mark), {fail: empty}}, "A. ", "STOP"},
		{"mark in the last line, and only thoughts", nil, "", []reel{says("STOP", "A. "+mark), {end: empty}}, "A. ", "STOP"},
		{"mark in the last line was text", nil, "", []reel{says("STOP", "A "+mark), says("STOP", mark+" is it.\n"+mark)}, "A " + mark + " is it.", "STOP"},
		{"mark in the last line, one attempt", func(s *Settings) { s.MaxAttempts = 1 }, "", []reel{says("STOP", "A. "+mark)}, "A. ", "STOP"},
		{"mark in the last line, out of tokens", func(s *Settings) { s.MaxAttempts = 1 }, "", []reel{says("MAX_TOKENS", "A. "+mark)}, "A. " + mark, "MAX_TOKENS"},
		{"mark in the last line, broken off", func(s *Settings) { s.MaxAttempts = 1 }, "", []reel{says("", "A. "+mark)}, "A. " + mark, ""},
		{"the tail again", nil, "", []reel{says("", "The quick brown fox jumps o"), says("STOP", "brown fox jumps over it.\n"+mark)}, "The quick brown fox jumps over it.", "STOP"},
		{"the tail again, in pieces", nil, "", []reel{says("", "The quick brown fox jumps o"), says("STOP", "bro", "wn fox ju", "mps o", "ver it.\n"+mark)}, "The quick brown fox jumps over it.", "STOP"},
		{"a short repetition stays", nil, "", []reel{says("", "ha ha ha"), says("STOP", "ha ha ha!\n"+mark)}, "ha ha haha ha ha!", "STOP"},
		{"nothing but the tail again", nil, "", []reel{says("", "The quick brown fox jumps."), says("STOP", "quick brown fox jumps.\n"+mark)}, "The quick brown fox jumps.", "STOP"},
		{"broken off in the repetition", nil, "", []reel{says("", "The quick brown fox jumps."), says("", "The quick br"), says("STOP", " And runs.\n"+mark)}, "The quick brown fox jumps. And runs.", "STOP"},
		{"broken off in the repetition for good", func(s *Settings) { s.MaxAttempts = 2 }, "", []reel{says("", "The quick brown fox jumps."), says("", "The quick br")}, "The quick brown fox jumps.The quick br", ""},
		{"broken off in the repetition, and nothing follows", nil, "", []reel{says("", "The quick brown fox jumps."), says("", "The quick br"), {fail: busy}}, "The quick brown fox jumps.The quick br", ""},
		{"mark in the last line, and nothing follows", nil, "", []reel{says("STOP", "A. "+mark), {fail: busy}, {fail: busy}}, "A. ", ""},
		{"text behind the finish reason", nil, "", []reel{{events: []string{word("One"), last("STOP"), word(" two"), word(".\n" + mark)}}}, "One two.", "STOP"},
		{"blocked in the middle", nil, "", []reel{says("SAFETY", "One")}, "One", "SAFETY"},
		{"recited in a continuation", nil, "", []reel{says("", "One"), says("RECITATION", " two")}, "One two", "RECITATION"},
		{"another end", nil, "", []reel{says("OTHER", "One")}, "One", "OTHER"},
		{"stop sequences", nil, `{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"generationConfig":{"stopSequences":["x"]}}`, []reel{says("STOP", "One")}, "One", "STOP"},
		{"relaxed, a sentence", func(s *Settings) { s.Relaxed = true }, "", []reel{says("STOP", "One.\n")}, "One.\n", "STOP"},
		{"relaxed, half a sentence", func(s *Settings) { s.Relaxed = true }, "", []reel{says("STOP", "One and"), says("STOP", " two.")}, "One and two.", "STOP"},
		{"relaxed, out of tokens", func(s *Settings) { s.Relaxed = true }, "", []reel{says("MAX_TOKENS", "One."), says("STOP", " Two.")}, "One. Two.", "STOP"},
		{"relaxed, mark in the last line", func(s *Settings) { s.Relaxed = true }, "", []reel{says("STOP", "One. "+mark)}, "One. ", "STOP"},
		{"nothing said before the break", nil, "", []reel{{end: broken()}, says("STOP", "One.\n"+mark)}, "One.", "STOP"},
		{"a continuation fails once", nil, "", []reel{says("", "One"), {fail: busy}, says("STOP", " two.\n"+mark)}, "One two.", "STOP"},
		{"a continuation is refused", nil, "", []reel{says("", "One"), {fail: apierror.New(apierror.BadRequest, "no")}}, "One", ""},
		{"nothing to add", nil, "", []reel{says("STOP", "One."), says("STOP"), says("STOP")}, "One.", "STOP"},
		{"mark in the last line, and a turn without a word", nil, "", []reel{says("STOP", "A. "+mark), says("STOP")}, "A. ", "STOP"},
		{"continuations fail", nil, "", []reel{says("", "One"), {fail: busy}, {fail: busy}}, "One", ""},
		{"the first attempt fails", nil, "", []reel{{fail: busy}}, "", ""},
		{"one attempt", func(s *Settings) { s.MaxAttempts = 1 }, "", []reel{says("", "One")}, "One", ""},
		{"a mark of its own", func(s *Settings) { s.Mark = "==fin==" }, "", []reel{says("STOP", "One. "+mark+"\n", "==fin=", "=")}, "One. " + mark, "STOP"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t, c.set, reels(t, c.reels...))
			got := h.ask(inquiry{body: c.body})
			if got.text != c.text {
				t.Errorf("text %q, want %q", got.text, c.text)
			}
			if strings.Join(got.finish, " ") != c.finish || (got.err != nil) != (c.finish == "") {
				t.Errorf("ends with %q and %v, want %q", got.finish, got.err, c.finish)
			}
			if len(h.bodies) != len(c.reels) {
				t.Errorf("%d calls, want %d", len(h.bodies), len(c.reels))
			}
			if n := len(got.finish); n == 1 && !strings.Contains(got.events[len(got.events)-1], "finishReason") {
				t.Errorf("the finish reason is not in the last event: %q", got.events)
			}
		})
	}
}

// The tokens of all attempts are summed, in the last event, which keeps what else Google says of the last.
func TestUsage(t *testing.T) {
	h := newHouse(t, nil, reels(t, says("MAX_TOKENS", "One"), says("", " two"), says("STOP", " three.\n"+mark)))
	got := h.ask(inquiry{})
	want := gemini.Usage{Prompt: 27, Candidates: 11, Thoughts: 4, Total: 42} // 10+7+10, 5+1+5, 2+0+2, 17+8+17
	if got.usage != want {
		t.Errorf("%+v, want %+v", got.usage, want)
	}
	usage, _ := got.raw["usageMetadata"].(map[string]any)
	if usage["trafficType"] != "ON_DEMAND" || usage["totalTokenCount"] != 42.0 || got.raw["modelVersion"] != "m" {
		t.Errorf("the last event is %s", got.events[len(got.events)-1])
	}
	before := int64(0)
	for _, e := range got.events { // a client that leaves has been told what was spent by then
		if g := gemini.Look([]byte(e)); g.HasUsage {
			if g.Usage.Total < before {
				t.Errorf("%d behind %d in %s", g.Usage.Total, before, e)
			}
			before = g.Usage.Total
		}
	}
	// Where an attempt breaks off, what its last event said counts.
	late := strings.Replace(word("c"), `"totalTokenCount":8`, `"totalTokenCount":9`, 1)
	h = newHouse(t, nil, reels(t, reel{events: []string{word("a"), word("b"), late}, end: broken()}, says("STOP", "d\n"+mark)))
	if got := h.ask(inquiry{}); got.usage.Total != 26 {
		t.Errorf("%+v", got.usage)
	}
	h = newHouse(t, nil, reels(t, reel{events: []string{word("a"), word("b"), late, strings.Replace(word("e"), `,"usageMetadata"`, `,"nothing"`, 1), `{"x":1}`}, end: broken()}, says("STOP", "d\n"+mark)))
	if got := h.ask(inquiry{}); got.usage.Total != 26 {
		t.Errorf("with events behind it that tell nothing: %+v", got.usage)
	}
	h = newHouse(t, nil, reels(t, says("MAX_TOKENS", "One"), reel{fail: broken()}, reel{fail: broken()}))
	if got := h.ask(inquiry{}); got.usage.Total != 17 || got.err == nil || len(got.finish) != 0 {
		t.Errorf("before an error: %+v, %v, %q", got.usage, got.err, got.finish)
	}
}

// What is no text stands behind the end of the text: the mark before it was the end mark, and what was drawn or
// run is not made again.
func TestMarkBeforeData(t *testing.T) {
	for _, data := range []string{
		`{"inlineData":{"mimeType":"image/png","data":"AA=="}}`, `{"executableCode":{"language":"PYTHON","code":"1"}}`, `{"functionCall":{"name":"f","args":{}}}`,
	} {
		for text, want := range map[string]string{"One.\n" + mark: "One.", "One.\n" + mark + "\n\n": "One.", "One " + mark + " two": "One " + mark + " two", "One.\n[[END": "One.\n[[END"} {
			r := says("STOP", text)
			r.events = append(r.events[:len(r.events)-1], `{"candidates":[{"content":{"role":"model","parts":[`+data+`]},"index":0}]}`, r.events[len(r.events)-1])
			h := newHouse(t, nil, reels(t, r))
			if got := h.ask(inquiry{}); got.text != want || strings.Join(got.finish, " ") != "STOP" || len(h.bodies) != 1 {
				t.Errorf("%q before %s: %q, %s, %d calls", text, data, got.text, got.finish, len(h.bodies))
			}
		}
	}
}
