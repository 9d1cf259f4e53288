package gemini

import (
	"strconv"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
)

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
	case !o.Limits.Thinks():
		if t.effort != unset {
			return dst, "reasoning_effort", nil
		}
		return dst, "thinking", nil
	}
	asked := Amount{level: max(t.effort, t.level)}
	if t.budgeted {
		asked = Tokens(t.budget)
	}
	fit := o.Limits.Fit(asked)
	if (t.budgeted || t.level != unset) && fit != asked {
		ignored = fit.asked()
	}
	body := fit.Append(append(make([]byte, 0, 64), '{'))
	show, said := t.shows(asked, o)
	if fit.None() { // thoughts of a model that does not think are a 400
		said = false
	}
	if said {
		body = strconv.AppendBool(wire.Key(body, "includeThoughts"), show)
	}
	if len(body) == 1 {
		return dst, ignored, nil
	}
	return append(append(wire.Key(dst, "thinkingConfig"), body...), '}'), ignored, nil
}

// shows tells whether thoughts are to be a part of the answer, if that was said at all. An effort alone
// says that they are, unless somebody else decides on what was not said; and who wants no thinking at
// all wants no thoughts either, though most models know no way to do without.
func (t *Thinking) shows(asked Amount, o Target) (show, said bool) {
	switch {
	case t.decided:
		return t.include, t.include || !asked.None() || o.ShownElsewhere
	case asked.None():
		return false, o.ShownElsewhere
	}
	return t.effort > none, t.effort > none && !o.ShownElsewhere
}
