package thinking

import (
	"bytes"
	"strconv"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

const (
	member = "thinkingConfig"
	path   = "generationConfig." + member
)

// wish is a thinkingConfig taken apart.
type wish struct {
	raw     []byte // as it is written, nil when there is none
	amount  gemini.Amount
	show    bool   // includeThoughts
	decided bool   // includeThoughts is there
	others  []byte // members of which this stage knows nothing, each behind a comma
}

// read takes the thinkingConfig of a call apart, in either spelling. What is neither an object nor in one
// is Google's to refuse.
func read(call *gemini.Call) (w wish, fail *apierror.Error) {
	generation, _ := call.Get("generationConfig")
	for o := wire.ObjectOf(generation); o.Next(); {
		if name(o.Key) != member {
			continue
		}
		if w.raw != nil {
			return w, gemini.Refuse(path, "is given twice")
		}
		w.raw = o.Value
	}
	switch {
	case w.raw == nil:
		return w, nil
	case !wire.Given(w.raw):
		return wish{}, nil
	case wire.KindOf(w.raw) != wire.KindObject:
		return w, gemini.Refuse(path, "must be an object")
	}
	fail = w.members()
	return w, fail
}

// name is the member that a key means, "" for one that is none of this stage's.
func name(key []byte) string {
	switch string(wire.PlainKey(key)) {
	case member, "thinking_config":
		return member
	case "thinkingBudget", "thinking_budget":
		return "thinkingBudget"
	case "thinkingLevel", "thinking_level":
		return "thinkingLevel"
	case "includeThoughts", "include_thoughts":
		return "includeThoughts"
	}
	return ""
}

func (w *wish) members() *apierror.Error {
	var budget, level, include []byte
	for o := wire.ObjectOf(w.raw); o.Next(); {
		var place *[]byte
		switch name(o.Key) {
		case "thinkingBudget":
			place = &budget
		case "thinkingLevel":
			place = &level
		case "includeThoughts":
			place = &include
		default:
			w.others = append(append(append(w.others, `,"`...), o.Key...), `":`...)
			w.others = append(w.others, o.Value...)
			continue
		}
		if *place != nil {
			return gemini.Refuse(path+"."+name(o.Key), "is given twice")
		}
		*place = o.Value
	}
	if wire.Given(include) {
		on, ok := wire.Bool(include)
		if !ok {
			return gemini.Refuse(path+".includeThoughts", "must be true or false")
		}
		w.show, w.decided = on, true
	}
	return w.takeAmount(budget, level)
}

// takeAmount reads how much is to be thought.
func (w *wish) takeAmount(budget, level []byte) *apierror.Error {
	leveled := gemini.Amount{}
	if wire.Given(level) {
		word, ok := wire.Text(level)
		if ok {
			leveled, ok = gemini.Level(word)
		}
		if !ok {
			return gemini.Refuse(path+".thinkingLevel", "must be MINIMAL, LOW, MEDIUM or HIGH")
		}
		w.amount = leveled
	}
	if !wire.Given(budget) {
		return nil
	}
	n, ok := number(budget)
	switch {
	case !ok:
		return gemini.Refuse(path+".thinkingBudget", "must be a whole number")
	case leveled.Said():
		return gemini.Refuse(path+".thinkingBudget", "and "+path+".thinkingLevel exclude each other: send one of them")
	}
	w.amount = gemini.Tokens(n)
	return nil
}

// number reads a whole number, also in quotes, as Google does.
func number(v []byte) (int64, bool) {
	if text, ok := wire.Text(v); ok {
		n, err := strconv.ParseInt(text, 10, 64)
		return n, err == nil
	}
	return wire.Int(v)
}

// write puts the thinkingConfig back, if it became another one.
func (w *wish) write(call *gemini.Call) {
	out := w.amount.Append(append(make([]byte, 0, 64+len(w.others)), '{'))
	if w.decided {
		out = strconv.AppendBool(wire.Key(out, "includeThoughts"), w.show)
	}
	if len(w.others) > 0 {
		out = append(wire.Comma(out), w.others[1:]...)
	}
	out = append(out, '}')
	switch empty := len(out) == len(`{}`); {
	case bytes.Equal(out, w.raw), empty && w.raw == nil:
	case empty:
		call.DeleteIn("generationConfig", member)
	default:
		call.SetIn("generationConfig", member, out)
	}
}
