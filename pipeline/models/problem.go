package models

import "strings"

// Problem is one thing that is wrong with the table.
type Problem struct {
	At      []string // where, below [models]: "alias", "gpt-4"
	Message string
}

// Problems is the error of New: everything that is wrong, not only the first.
type Problems []Problem

// Error gives one line for each problem. Who knows the file writes better ones from the parts.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = "models." + strings.Join(one.At, ".") + ": " + one.Message
	}
	return strings.Join(lines, "\n")
}

// add notes an error, if it is one.
func (p *Problems) add(err error, at ...string) {
	if err != nil {
		*p = append(*p, Problem{at, err.Error()})
	}
}
