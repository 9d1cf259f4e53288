package gemini

import (
	"strconv"
	"strings"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
)

// level is how much a model thinks, in Google's words and OpenAI's.
type level uint8

const (
	unset level = iota
	none
	minimal
	low
	medium
	high
)

func levelOf(word string) (level, bool) {
	switch strings.ToLower(word) {
	case "none":
		return none, true
	case "minimal":
		return minimal, true
	case "low":
		return low, true
	case "medium":
		return medium, true
	case "high", "xhigh", "max":
		return high, true
	case "thinking_level_unspecified":
		return unset, true
	}
	return unset, false
}

// budget is the level for models that count tokens (protocol 6.2).
func (l level) budget() int64 {
	switch l {
	case none:
		return 0
	case minimal, low:
		return 1024
	case medium:
		return 8192
	}
	return 24576
}

// levelFor is the way back: models after 2.5 discourage budgets.
func levelFor(budget int64) level {
	switch {
	case budget < 0: // dynamic, which is what they do unasked
		return unset
	case budget == 0:
		return none
	case budget <= 1024:
		return low
	case budget <= 8192:
		return medium
	}
	return high
}

// Thinking is what a request says of it, in whichever of its places.
type Thinking struct {
	effort   level // reasoning_effort
	level    level
	budget   int64
	budgeted bool
	include  bool // thoughts are to be shown
	decided  bool // include was said
}

// TakeEffort reads OpenAI's reasoning effort; name is what the client calls the member.
func (t *Thinking) TakeEffort(v []byte, name string) *apierror.Error {
	word, _ := wire.Text(v)
	var ok bool
	if t.effort, ok = levelOf(word); !ok {
		return Refuse(name, "must be none, minimal, low, medium or high")
	}
	return nil
}

// Take reads Google's thinking_config in either spelling, and Anthropic's type with budget_tokens.
func (t *Thinking) Take(v []byte, name string) *apierror.Error {
	if wire.KindOf(v) != wire.KindObject {
		return Refuse(name, "must be an object")
	}
	for o := wire.ObjectOf(v); o.Next(); {
		if wire.KindOf(o.Value) == wire.KindNull {
			continue
		}
		ok, must := true, ""
		switch {
		case o.Is("include_thoughts"), o.Is("includeThoughts"):
			t.include, ok = wire.Bool(o.Value)
			t.decided, must = true, "must be true or false"
		case o.Is("thinking_budget"), o.Is("thinkingBudget"), o.Is("budget_tokens"):
			t.budget, ok = wire.Int(o.Value)
			t.budgeted, must = true, "must be a whole number"
		case o.Is("thinking_level"), o.Is("thinkingLevel"):
			word, _ := wire.Text(o.Value)
			t.level, ok = levelOf(word)
			must = "must be minimal, low, medium or high"
		case o.Is("type"):
			ok, must = t.takeType(o.Value), "must be enabled, adaptive or disabled"
		}
		if !ok {
			return Refuse(name+"."+wire.HeaderSafe(string(o.Key)), must)
		}
	}
	return nil
}

func (t *Thinking) takeType(v []byte) bool {
	switch word, _ := wire.Text(v); word {
	case "enabled", "adaptive":
		t.include, t.decided = true, true
	case "disabled":
		t.budget, t.budgeted = 0, true
	default:
		return false
	}
	return true
}

// Show says whether thoughts are to be a part of the answer.
func (t *Thinking) Show(on bool) { t.include, t.decided = on, true }

// Append appends `"thinkingConfig":{...}` behind a comma where one is needed, or nothing, clamped to
// what the model takes: out of range is the nearest bound and no error (protocol 6.1). ignored is what
// the client should hear of, "" when all went up.
func (t *Thinking) Append(dst []byte, o Target) (out []byte, ignored string, fail *apierror.Error) {
	switch {
	case *t == Thinking{}:
		return dst, "", nil
	case t.effort != unset && (t.budgeted || t.level != unset):
		return dst, "", Refuse("reasoning_effort", "cannot be used together with a thinking budget or level")
	case t.budgeted && t.level != unset:
		return dst, "", Refuse("thinking_budget", "cannot be used together with a thinking level")
	case !o.Thinks:
		if t.effort != unset {
			return dst, "reasoning_effort", nil
		}
		return dst, "thinking", nil
	}
	asked := max(t.effort, t.level)
	body := make([]byte, 0, 64)
	off := false
	if o.Major == 2 {
		body, ignored, off = t.appendBudget(body, o, asked)
	} else {
		if t.budgeted {
			asked = levelFor(t.budget)
		}
		if asked != unset {
			body = append(append(append(body, `"thinkingLevel":"`...), o.word(asked)...), '"')
		}
		off = asked == none
	}
	// Thoughts of a model that does not think are a 400.
	show := t.include || !t.decided && t.effort > none
	if !off && (t.decided || show) {
		if len(body) > 0 {
			body = append(body, ',')
		}
		body = strconv.AppendBool(append(body, `"includeThoughts":`...), show)
	}
	if len(body) == 0 {
		return dst, ignored, nil
	}
	dst = append(wire.Comma(dst), `"thinkingConfig":{`...)
	return append(append(dst, body...), '}'), ignored, nil
}

// appendBudget writes the budget of a 2.5 model, if any was asked, and tells whether it is zero.
func (t *Thinking) appendBudget(dst []byte, o Target, asked level) (out []byte, ignored string, off bool) {
	if !t.budgeted && asked == unset {
		return dst, "", false
	}
	want := t.budget
	if !t.budgeted {
		want = asked.budget()
	}
	least, most := int64(0), int64(24576)
	switch {
	case o.Pro:
		least, most = 128, 32768
	case o.Lite && want != 0:
		least = 512
	}
	budget := want
	if want != -1 {
		budget = min(max(want, least), most)
	}
	if t.budgeted && budget != want {
		ignored = "thinking_budget=" + strconv.FormatInt(budget, 10)
	}
	return strconv.AppendInt(append(dst, `"thinkingBudget":`...), budget, 10), ignored, budget == 0 || want == 0
}

// word is the level as Google writes it, or the nearest one that the model has.
func (o Target) word(l level) string {
	least := low
	if !o.Pro && o.Major == 3 && o.Minor < 7 {
		least = minimal
	}
	switch max(l, least) {
	case minimal:
		return "MINIMAL"
	case low:
		return "LOW"
	case medium:
		if o.Pro && o.Major == 3 && o.Minor == 0 { // low and high only; Google's own layer rounds up
			return "HIGH"
		}
		return "MEDIUM"
	}
	return "HIGH"
}
