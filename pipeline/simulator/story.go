package simulator

import (
	"maps"
	"slices"
	"strings"
)

// Story is a long answer that the model tells when a line "!story <name>" stands in a turn of the user: at one go, or in
// several, broken off where Endings say. What turns of the model behind that line hold has been said already: it must be
// the beginning of the text to the byte, else the request is refused, and the model goes on behind it.
type Story struct {
	Text     string
	Thoughts string   // in every attempt, where the model has thoughts at all, instead of the usual ones
	Mark     string   // what the model writes below the whole text if the instructions or a turn of the user hold it
	Forgets  bool     // it never writes the mark
	Inline   bool     // it writes the mark into the last line of the text
	Behind   string   // what it writes behind the mark, such as a line end
	Pieces   []int    // characters of the events, in turn; none means Options.WordsPerEvent
	Endings  []Ending // of the first attempts; later ones tell the story to its end
	Anew     bool     // a request with nothing said yet is the first attempt again: for stories that many ask for
}

// Ending says how one attempt begins and ends.
type Ending struct {
	Preface string // said first
	Repeat  int    // so many characters of what was said before are said again, behind the preface
	// How the attempt ends, in the words of a fault: "cut", "eof", "silence 2s" (and then the end without a finish reason),
	// "error-event", "max-tokens", "safety", "finish OTHER", ...; "stop" is a normal end, "call" calls the first function
	// that the request declares, an error such as "503" comes before anything is said. "" tells the story to its end.
	How string
	At  int // where: bytes of the text, and of the mark as it is written behind it
}

// Telling is the record of one attempt at a story.
type Telling struct {
	Call    int    // number of the call
	From    int    // bytes of the text that had been said before
	Said    string // mark included; less reaches a caller who leaves
	Asked   bool   // the request asks for the mark
	How     string // the ending that was played
	Refused string // why the request was refused; then nothing was said

	Prompt, Reply, Thoughts int // tokens, as the last event counted them
}

// tale is a story and what became of it.
type tale struct {
	Story
	told  []Telling
	next  int // ending of the next attempt
	seams []seam
}

// Tell makes a story known; one of the same name is forgotten. It panics on an ending that nobody knows, since that is a
// mistake in a test.
func (s *Server) Tell(name string, story Story) {
	for _, e := range story.Endings {
		if _, ok := s.ending(e.How, assist, "model"); !ok {
			panic("simulator: no such ending: " + e.How)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tales[name] = &tale{Story: story}
}

// Told gives the attempts at a story, oldest first.
func (s *Server) Told(name string) []Telling {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tales[name]
	if t == nil {
		return nil
	}
	return append([]Telling(nil), t.told...)
}

// ending makes an ending ready; those that are no fault are "", "stop" and "call".
func (s *Server) ending(how string, d dialect, model string) (play, bool) {
	switch how {
	case "":
		return play{}, true
	case "stop", "call":
		return play{name: how}, true
	}
	p, ok := s.parse(how, d, model)
	switch p.shape {
	case "", "max-tokens", "malformed-call", "blocked", "safety", "recitation", "finish":
		return p, ok && p.midway != "slow-event"
	}
	return p, false
}

// attempt is what the model says of a story in one call.
type attempt struct {
	name  string
	story Story
	text  string
	index int // in the record
}

// story finds the line that asks for one, the last if there are several, and gives the content that it stands in.
func (r *request) story() (name string, at int) {
	for at = len(r.contents) - 1; at >= 0; at-- {
		if r.contents[at].role == "model" {
			continue
		}
		for line := range strings.Lines(r.contents[at].text()) {
			if name, ok := strings.CutPrefix(strings.TrimSpace(line)+" ", "!story "); ok {
				return strings.TrimSpace(name), at
			}
		}
	}
	return "", -1
}

// listed tells that "!story" with this name asks which ones there are.
func listed(name string) bool { return name == "" || name == "help" }

// asksForStories reports whether the last turn of the user does so.
func (r *request) asksForStories() bool {
	name, at := r.story()
	return at >= 0 && at == r.lastUser() && listed(name)
}

// allStories is the answer to "!story help".
func (s *Server) allStories() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.storyNames()
}

// storyNames lists the stories; the caller holds mu.
func (s *Server) storyNames() string {
	if len(s.tales) == 0 {
		return "There are no stories."
	}
	return "The stories are: " + strings.Join(slices.Sorted(maps.Keys(s.tales)), ", ")
}

// holds reports whether the instructions or a turn of the user have a text in them.
func (r *request) holds(text string) bool {
	if strings.Contains(content{parts: r.system}.text(), text) {
		return true
	}
	for _, c := range r.contents {
		if c.role != "model" && strings.Contains(c.text(), text) {
			return true
		}
	}
	return false
}

// tell decides what is said of the story that the request asks for, and puts its ending into p; nil when it asks for
// none, or when a fault is due that leaves no room for one.
func (s *Server) tell(x *exchange, r *request, p *play) (*attempt, *failure) {
	name, at := r.story()
	if at < 0 || p.failure != nil || p.shape != "" || p.midway != "" {
		return nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tales[name]
	if t == nil && listed(name) {
		return nil, nil
	}
	if t == nil {
		return nil, badRequest("simulator: no such story: " + name + ". " + s.storyNames())
	}
	record := Telling{Call: x.call.Number, Asked: t.Mark != "" && r.holds(t.Mark)}
	said, f := r.said(at)
	if f == nil {
		record.From, f = t.place(r, name, said, record.Asked)
	}
	if f != nil {
		record.Refused = f.message
		t.told = append(t.told, record)
		return nil, f
	}
	if t.Anew && said == "" {
		t.next = 0
	}
	var e Ending
	if t.next < len(t.Endings) {
		e = t.Endings[t.next]
	}
	t.next++
	before := p.before
	*p, _ = s.ending(e.How, r.dialect, r.model.Name)
	p.before += before
	record.How = e.How
	text := ""
	if p.failure == nil && p.shape != "blocked" {
		text = t.say(record, e, r.contents[len(r.contents)-1].role != "model")
	}
	t.told = append(t.told, record)
	return &attempt{name: name, story: t.Story, text: text, index: len(t.told) - 1}, nil
}

// between is what stands between the text and the mark.
func (t *tale) between() string {
	if t.Inline {
		return " "
	}
	return "\n"
}

// say is the text of an attempt. Where nothing is left but the mark and the turn is a new one, no line end comes first.
func (t *tale) say(record Telling, e Ending, newTurn bool) string {
	whole := t.Text
	from := record.From
	if record.Asked && !t.Forgets {
		whole += t.between() + t.Mark + t.Behind
		if from == len(t.Text) && newTurn {
			from++
		}
	}
	to := len(whole)
	if e.How != "" {
		to = min(e.At, to)
	}
	runes := []rune(t.Text[:min(record.From, len(t.Text))])
	extra := e.Preface + string(runes[len(runes)-min(e.Repeat, len(runes)):])
	t.remember(record.From, e.Preface, extra)
	return extra + whole[from:max(from, to)]
}

// retell makes the answer of an attempt. The limits of the request come before the ending of the attempt.
func (s *Server) retell(r *request, p *play, t *attempt) *answer {
	a := &answer{finish: "STOP", text: t.text, pieces: t.story.Pieces, story: true}
	a.promptText, a.promptBlobs = r.promptTokens()
	a.think(r)
	if a.thought != "" && t.story.Thoughts != "" {
		a.thought, a.thoughtTokens = t.story.Thoughts, Tokens(t.story.Thoughts)
	}
	a.obey(r)
	switch callable := r.callable(); {
	case a.text != t.text || a.finish != "STOP":
		*p = play{}
	case p.name == "call" && len(callable) > 0:
		args, _ := instance(callable[0].schema, callable[0].schema, 0).(object)
		a.calls = []call{{name: callable[0].name, args: args}}
		if r.model.gemini3() {
			a.calls[0].id = "call_1_1"
		}
	case p.midway == "silence":
		a.finish = "" // in one piece it comes late
	case p.shape == "max-tokens":
		a.finish = "MAX_TOKENS"
	case p.shape != "":
		s.misshape(a, r, *p)
	}
	a.count()
	s.mu.Lock()
	defer s.mu.Unlock()
	if tale := s.tales[t.name]; tale != nil && t.index < len(tale.told) {
		record := &tale.told[t.index]
		record.Said = a.text
		if p.midway == "" || a.text != "" || a.show && a.thought != "" { // else no event has counts
			record.Prompt, record.Reply, record.Thoughts = a.promptText+a.promptBlobs, a.replyTokens, a.thoughtTokens
		}
	}
	return a
}
