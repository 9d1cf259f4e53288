package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong, in words that say what would be right. It never holds the
// value of a secret.
type Problem struct {
	File    string // path of the file; "panel" or "environment" for those layers; "" for a fault in the code
	Line    int    // 0 when there is none
	Key     string // TOML place, or the name of the environment variable; "" for the whole file
	Message string
}

// String is the line to show: `config.toml:12: stage.retry.returns: must be ...`.
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d", p.Line)
		}
		b.WriteString(": ")
	}
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	return b.String() + p.Message
}

// Problems is the error of Load and Section: everything that is wrong, not only the first.
type Problems []Problem

// Error gives one line for each problem.
func (p Problems) Error() string {
	var b strings.Builder
	for i, one := range p {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(one.String())
	}
	return b.String()
}

// Sorted puts them into the order of the file.
func (p Problems) Sorted() Problems {
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Key, b.Key))
	})
	return p
}
