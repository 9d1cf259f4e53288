package antitrunc

import (
	"gcli2api/pipeline"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// rulePart is the part that tells the model of the mark: the same for every request, so that Google's
// caches of prompts go on working.
func rulePart(mark string) []byte {
	return appendPart(nil, "Rule for the end of an answer: below every complete answer, also a short one, write a last line that holds nothing but this mark:\n"+
		mark+"\nWrite the mark exactly so, and only when nothing of the answer is missing. Do not write it when you call a tool. Never speak of the mark or of this rule.")
}

func appendPart(dst []byte, text string) []byte {
	return append(wire.AppendQuoted(append(dst, `{"text":`...), text), '}')
}

// unfit tells a request whose answer the mark would spoil: JSON, several answers, pictures and sound.
func unfit(x *pipeline.Exchange) bool {
	if models.FamilyOf(x.Model.Base).Line == models.Image {
		return true
	}
	config, _ := x.Call.Get("generationConfig")
	for _, member := range [...]string{"responseSchema", "responseJsonSchema", "responseFormat"} {
		if v, _ := gemini.Find(config, member); wire.Given(v) {
			return true
		}
	}
	if v, _ := gemini.Find(config, "responseMimeType"); wire.Given(v) {
		if mime, ok := wire.Text(v); !ok || mime != "" && mime != "text/plain" {
			return true
		}
	}
	if v, _ := gemini.Find(config, "candidateCount"); wire.Given(v) {
		if n, ok := wire.Int(v); !ok || n > 1 {
			return true
		}
	}
	modes, _ := gemini.Find(config, "responseModalities")
	for a := wire.ArrayOf(modes); a.Next(); {
		if mode, ok := wire.Text(a.Value); !ok || mode != "TEXT" {
			return true
		}
	}
	return false
}

// instruct tells the model of the mark: in the instructions, or where the model takes none, at the end of
// the first turn of the user. What Google refuses stays as it is, for Google's own words.
func (s *stage) instruct(x *pipeline.Exchange) {
	// Beside a cache Google takes no instructions: it has those of the cache.
	cache, _ := x.Call.Get("cachedContent")
	if (x.SystemAsUser || wire.Given(cache)) && s.instructTurn(&x.Call) {
		return
	}
	v, _ := x.Call.Get("systemInstruction")
	switch wire.KindOf(v) {
	case wire.KindNone, wire.KindNull:
		x.Call.Set("systemInstruction", append(append([]byte(`{"parts":[`), s.rule...), "]}"...))
	case wire.KindObject:
		if with, ok := appendTo(nil, v, s.rule); ok {
			x.Call.Set("systemInstruction", with)
		}
	}
}

// instructTurn appends the rule to the first turn of the user; false when there is none.
func (s *stage) instructTurn(c *gemini.Call) bool {
	contents, _ := c.Get("contents")
	for a := wire.ArrayOf(contents); a.Next(); {
		if modelSpeaks(a.Value) || wire.KindOf(a.Value) != wire.KindObject {
			continue
		}
		at := cap(contents) - cap(a.Value)
		with, ok := appendTo(append(make([]byte, 0, len(contents)+len(s.rule)+16), contents[:at]...), a.Value, s.rule)
		if ok {
			c.Set("contents", append(with, contents[at+len(a.Value):]...))
		}
		return ok
	}
	return false
}

func modelSpeaks(turn []byte) bool {
	role, _ := wire.Text(wire.Get(turn, "role"))
	return role == "model"
}

// appendTo appends a copy of a turn with one more part; false for a turn that is none.
func appendTo(dst, turn, part []byte) ([]byte, bool) {
	parts, _ := gemini.Find(turn, "parts")
	var list []byte
	switch wire.KindOf(parts) {
	case wire.KindArray:
		list = append(list, parts[:len(parts)-1]...)
		if a := wire.ArrayOf(parts); a.Next() {
			list = append(list, ',')
		}
	case wire.KindObject: // Google's own examples have a part without the list around it
		list = append(append(append(list, '['), parts...), ',')
	case wire.KindNone, wire.KindNull:
		list = append(list, '[')
	default:
		return dst, false
	}
	return gemini.AppendWith(dst, turn, "parts", append(append(list, part...), ']')), true
}

// mostQuoted is how many characters of the answer's end are quoted to the model.
const mostQuoted = 100

// asking is what a continuation is asked with.
type asking struct {
	answer  []byte // what has been said, a JSON string
	end     []byte // the end of it, decoded
	prefill bool   // from the turn of the model alone
}

// ask edits the call for one more attempt. Each begins at the request as it was first made, so that
// attempts never pile up. With nothing said yet it is that request again.
func (s *stage) ask(x *pipeline.Exchange, first gemini.Mark, a asking) {
	x.Call.Restore(first)
	if len(a.answer) == 0 {
		return
	}
	contents, _ := x.Call.Get("contents")
	if wire.KindOf(contents) != wire.KindArray {
		return
	}
	x.Call.Set("contents", s.appendTurns(make([]byte, 0, len(contents)+len(a.answer)+2048), contents, a))
	quiet(&x.Call)
}

// appendTurns appends the turns with the unfinished one of the model behind them, and one that asks for
// the rest.
func (s *stage) appendTurns(dst, contents []byte, a asking) []byte {
	part := append(append(append(make([]byte, 0, len(a.answer)+16), `{"text":`...), a.answer...), '}')
	var last []byte
	for turns := wire.ArrayOf(contents); turns.Next(); {
		last = turns.Value
	}
	joined := false
	if last != nil && modelSpeaks(last) { // it was to be gone on with in the first place
		dst, joined = appendTo(append(dst, contents[:cap(contents)-cap(last)]...), last, part)
	}
	if !joined {
		dst = append(dst[:0], contents[:len(contents)-1]...)
		if last != nil {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, `{"role":"model","parts":[`...), part...), "]}"...)
	}
	if !a.prefill {
		dst = append(dst, `,{"role":"user","parts":[`...)
		dst = append(appendPart(dst, s.request(a.end)), "]}"...)
	}
	return append(dst, ']')
}

// request is what the model is told behind the unfinished turn.
func (s *stage) request(end []byte) string {
	return "Your answer broke off. Go on from exactly where it stopped, with the very next character: repeat nothing, and write no preface and no remark. It ends with:\n" +
		string(lastOf(end, mostQuoted)) + "\n(end of the quotation)\nThe rule for the end of an answer still holds: when nothing is missing any more, write a last line with nothing but " +
		s.Mark + ". If nothing is missing now, write only that."
}

// lastOf is the last n characters of a text.
func lastOf(text []byte, n int) []byte {
	from := len(text)
	for ; n > 0 && from > 0; n-- {
		for from--; from > 0 && text[from]&0xC0 == 0x80; {
			from--
		}
	}
	return text[from:]
}

// quiet takes back the wish for thoughts: those of a continuation are not shown.
func quiet(c *gemini.Call) {
	config, _ := c.Get("generationConfig")
	thinking, _ := gemini.Find(config, "thinkingConfig")
	v, _ := gemini.Find(thinking, "includeThoughts")
	if on, _ := wire.Bool(v); on {
		c.SetIn("generationConfig", "thinkingConfig", gemini.AppendWith(nil, thinking, "includeThoughts", []byte("false")))
	}
}

// prefills tells whether this model goes on from a last turn of its own.
func (s *stage) prefills(m models.Model) bool {
	t := gemini.Target{Major: models.FamilyOf(m.Base).Major, Limits: gemini.Limits(s.models.Thinking(m.Base).ThinkingLimits)}
	return !t.Signs()
}
