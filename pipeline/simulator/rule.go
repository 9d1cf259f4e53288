package simulator

import "strings"

// What the gateway's stage antitrunc writes: the words before the mark, alone in its line, that the model is to write
// below a whole answer, and those that a request to go on begins with.
const (
	markWords = "nothing but this mark:\n"
	goOnWords = "Your answer broke off."
)

// order is what a request asks of a model that follows the rule for the end of an answer.
type order struct {
	asked   *request // what is to be answered: the dialogue without the turns of a request to go on
	mark    string   // what stands below a whole text; "" for no such rule
	again   bool     // said is the beginning of the answer, and its rest is asked for
	said    string
	newTurn bool // by a turn of the user, not by the unfinished turn of the model alone
}

// order reads the rule, and a request to go on where there is a rule.
func (r *request) order() order {
	o := order{asked: r, mark: r.mark()}
	at := len(r.contents) - 1
	if o.mark == "" || at < 1 {
		return o
	}
	if c := r.contents[at]; c.role != "model" && strings.HasPrefix(c.text(), goOnWords) {
		o.newTurn = true
		at--
	}
	c := r.contents[at]
	if at < 1 || c.role != "model" || c.has("functionCall") {
		return o
	}
	for _, p := range c.parts {
		if p.kind == "text" && !p.thought {
			o.said += p.text
		}
	}
	if o.said == "" {
		return o
	}
	asked := *r
	asked.contents = r.contents[:at]
	o.asked, o.again = &asked, true
	return o
}

// mark is the mark of the rule, in the instructions or in a turn of the user.
func (r *request) mark() string {
	if mark := markIn(r.system); mark != "" {
		return mark
	}
	for _, c := range r.contents {
		if mark := markIn(c.parts); c.role != "model" && mark != "" {
			return mark
		}
	}
	return ""
}

func markIn(parts []part) (mark string) {
	for _, p := range parts {
		if _, behind, ok := strings.Cut(p.text, markWords); ok {
			line, _, _ := strings.Cut(behind, "\n")
			mark = strings.TrimSpace(line)
		}
	}
	return mark
}

// spoken is the text of a content without a part that holds the rule, of which the model never speaks.
func (c content) spoken() string {
	var parts []part
	for _, p := range c.parts {
		if !strings.Contains(p.text, markWords) {
			parts = append(parts, p)
		}
	}
	if len(parts) == 0 {
		return c.text()
	}
	return content{parts: parts}.text()
}

// write gives what is said of a text in this answer: its rest with the mark below it, or without one where it breaks
// off; and how much of that is text. Where nothing is left but the mark and the turn is a new one, no line end comes first.
func (o order) write(text string, breaksOff bool) (out string, own int) {
	if o.mark == "" {
		return text, len(text)
	}
	whole, from := text+"\n"+o.mark, 0
	if o.again {
		from = place(whole[:len(text)+1], o.said)
	}
	if from == len(text) && o.newTurn {
		from++
	}
	own = max(len(text)-from, 0)
	if breaksOff {
		return whole[from : from+own], own
	}
	return whole[from:], own
}

// anchor is how many bytes at the end of what was said show its place in a text that has changed since.
const anchor = 24

// place is where a text goes on. What was said is usually its beginning. The text may have become another one, because
// it speaks of the request; or the client has begun the turn with words of its own, and the text stands behind them.
func place(text, said string) int {
	if strings.HasPrefix(text, said) {
		return len(said)
	}
	if len(said) >= anchor {
		end := said[len(said)-anchor:]
		if at := strings.Index(text, end); at >= 0 && at == strings.LastIndex(text, end) {
			return at + anchor
		}
	}
	return overlap(text, said)
}

// overlap is the length of the longest beginning of a text that what was said ends with.
func overlap(text, said string) (n int) {
	text = text[:min(len(text), len(said))]
	shorter := make([]int, len(text)+1) // for each beginning: the next shorter one that it ends with
	for i := 1; i < len(text); i++ {
		for n > 0 && text[i] != text[n] {
			n = shorter[n]
		}
		if text[i] == text[n] {
			n++
		}
		shorter[i+1] = n
	}
	n = 0
	for i := len(said) - len(text); i < len(said); i++ {
		for n > 0 && said[i] != text[n] {
			n = shorter[n]
		}
		if said[i] == text[n] {
			n++
		}
	}
	return n
}
