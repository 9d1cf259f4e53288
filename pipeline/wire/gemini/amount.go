package gemini

import (
	"strconv"
	"strings"

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

// word is the level as Google writes it.
func (l level) word() string {
	return [...]string{"", "", "MINIMAL", "LOW", "MEDIUM", "HIGH"}[l]
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

// Amount is how much a model is to think: a budget, a level, or, as the zero value, whatever it does
// unasked.
type Amount struct {
	budget   int64
	budgeted bool
	level    level
}

// Tokens is the amount of a budget: 0 is not to think, -1 as much as the model likes.
func Tokens(n int64) Amount { return Amount{budget: n, budgeted: true} }

// Level is the amount of one of Google's levels, in any case; THINKING_LEVEL_UNSPECIFIED is the zero value.
func Level(word string) (a Amount, ok bool) {
	l, ok := levelOf(word)
	if ok && l != unset && !strings.EqualFold(word, l.word()) {
		return Amount{}, false // a word of OpenAI's
	}
	return Amount{level: l}, ok
}

// Said tells that it is an amount at all.
func (a Amount) Said() bool { return a != Amount{} }

// None tells that no thinking was asked for, which a model may know no way to do.
func (a Amount) None() bool { return a.budgeted && a.budget == 0 || a.level == none }

// String is the member of a thinkingConfig and its value, as X-Dropped-Params names it.
func (a Amount) String() string {
	switch {
	case a.budgeted:
		return "thinkingBudget=" + strconv.FormatInt(a.budget, 10)
	case a.level != unset:
		return "thinkingLevel=" + a.level.word()
	}
	return ""
}

// asked is String with the member as clients of other languages write it.
func (a Amount) asked() string {
	name, value, _ := strings.Cut(a.String(), "=")
	switch name {
	case "thinkingBudget":
		return "thinking_budget=" + value
	case "thinkingLevel":
		return "thinking_level=" + value
	}
	return ""
}

// Append appends the member of a thinkingConfig, behind a comma where one is needed. The amount is one
// that Fit gave.
func (a Amount) Append(dst []byte) []byte {
	switch {
	case a.budgeted:
		return strconv.AppendInt(wire.Key(dst, "thinkingBudget"), a.budget, 10)
	case a.level != unset:
		return wire.AppendQuoted(wire.Key(dst, "thinkingLevel"), a.level.word())
	}
	return dst
}

// Limits is what a model takes of a thinkingConfig: a budget or a level, never both. The zero value
// takes none of it. models.ThinkingLimits is the same, and there it is filled.
type Limits struct {
	Least  int64    // tokens of the smallest budget with which it thinks
	Most   int64    // tokens of the largest one; 0 for a model without budgets
	Off    bool     // a budget of 0 is accepted
	Idle   bool     // it thinks only when a budget says so
	Levels []string // in Google's words, the least first; empty for a model without levels
}

// Thinks tells whether the model takes a thinkingConfig at all.
func (l Limits) Thinks() bool { return l.Most > 0 || l.ByLevel() }

// ByLevel tells that thinking is set by a level and not by a budget.
func (l Limits) ByLevel() bool { return len(l.Levels) > 0 }

// Lowest is the least that the model can be told to think.
func (l Limits) Lowest() Amount { return l.Fit(Amount{level: none}) }

// Highest is the most that it can be told to.
func (l Limits) Highest() Amount {
	if l.ByLevel() {
		return l.Fit(Amount{level: high})
	}
	return l.Fit(Tokens(l.Most))
}

// Fit is the amount that the model takes for the one that was asked: in its own currency, and out of
// range the nearest bound (protocol 6.1).
func (l Limits) Fit(a Amount) Amount {
	switch {
	case !a.Said() || !l.Thinks():
		return Amount{}
	case !l.ByLevel() && a.budgeted:
		return Tokens(l.budget(a.budget))
	case !l.ByLevel():
		return Tokens(l.budget(a.level.budget()))
	case a.budgeted:
		a.level = levelFor(a.budget)
	}
	if a.level == unset {
		return Amount{}
	}
	return Amount{level: l.nearest(a.level)}
}

func (l Limits) budget(n int64) int64 {
	if n == -1 || n == 0 && l.Off {
		return n
	}
	return min(max(n, l.Least), l.Most)
}

// nearest is the level that the model has next to this one. Of two equally near ones it is the
// higher, as in Google's own layer for OpenAI's clients.
func (l Limits) nearest(want level) (found level) {
	far := level(0xff)
	for _, word := range l.Levels {
		have, _ := levelOf(word)
		if d := max(have, want) - min(have, want); d <= far {
			found, far = have, d
		}
	}
	return found
}
