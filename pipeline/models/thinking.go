package models

import "slices"

// ThinkingLimits is what a model takes of a thinkingConfig: a budget or a level, never both. The zero
// value takes none of it.
type ThinkingLimits struct {
	Least  int64    // tokens of the smallest budget with which it thinks
	Most   int64    // tokens of the largest one; 0 for a model without budgets
	Off    bool     // a budget of 0 is accepted
	Idle   bool     // it thinks only when a budget says so
	Levels []string // "LOW", "HIGH", the least first; empty for a model without levels
}

// Thinks tells whether the model takes a thinkingConfig at all; the ones before 2.5 answer 400.
func (l ThinkingLimits) Thinks() bool { return l.Most > 0 || l.ByLevel() }

// ByLevel tells that thinking is set by a level and not by a budget.
func (l ThinkingLimits) ByLevel() bool { return len(l.Levels) > 0 }

// Offers tells whether a thinking suffix means something of its own for these models, and so belongs
// into a complete listing. Every suffix is accepted, offered or not.
func (l ThinkingLimits) Offers(t Thinking) bool {
	switch t {
	case Off, Full:
		return l.Thinks()
	case Max:
		return l.Most > 0 // the same as high where there are levels
	case Minimal, Low, Medium, High:
		return l.Most > 0 || slices.Contains(l.Levels, level(t))
	}
	return false // On is what a model does unasked
}

// level is the suffix in Google's word, "" for one that is none.
func level(t Thinking) string {
	switch t {
	case Minimal:
		return "MINIMAL"
	case Low:
		return "LOW"
	case Medium:
		return "MEDIUM"
	case High:
		return "HIGH"
	}
	return ""
}

// Thinking is the table of protocol 6.1. What comes after it is guessed: models of a generation that
// nobody knows take the levels that the last ones of the third do, and so do names without one
// ("gemini-flash-latest").
func (f Family) Thinking() ThinkingLimits {
	switch {
	case !f.HasVariants(), f.Major == 1, f.Major == 2 && f.Minor < 5:
		return ThinkingLimits{}
	case f.Major == 2 && f.Line == Pro:
		return ThinkingLimits{Least: 128, Most: 32768}
	case f.Major == 2 && f.Line == FlashLite:
		return ThinkingLimits{Least: 512, Most: 24576, Off: true, Idle: true}
	case f.Major == 2:
		return ThinkingLimits{Least: 1, Most: 24576, Off: true}
	case f.Line == Pro && f.Major == 3 && f.Minor == 0:
		return ThinkingLimits{Levels: []string{"LOW", "HIGH"}}
	case f.Line == Pro, f.Major != 3, f.Minor >= 7:
		return ThinkingLimits{Levels: []string{"LOW", "MEDIUM", "HIGH"}}
	}
	return ThinkingLimits{Levels: allLevels()}
}

func allLevels() []string { return []string{"MINIMAL", "LOW", "MEDIUM", "HIGH"} }

// Thinks is ThinkingLimits.Thinks of the family.
func (f Family) Thinks() bool { return f.Thinking().Thinks() }

// ByLevel is ThinkingLimits.ByLevel of the family.
func (f Family) ByLevel() bool { return f.Thinking().ByLevel() }

// Offers is ThinkingLimits.Offers of the family.
func (f Family) Offers(t Thinking) bool { return f.Thinking().Offers(t) }
