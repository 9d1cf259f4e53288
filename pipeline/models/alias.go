package models

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// glob is an alias for all names of a pattern, in which "*" stands for any text, also for none.
type glob struct {
	pattern  string
	literals int // characters that are no "*"
	target   Model
}

// link resolves the aliases. A target that is an alias itself is refused: one step is what a person
// can follow, and chains could turn in a circle.
func (c *Catalogue) link(alias map[string]string, wrong *Problems) {
	names := slices.Sorted(maps.Keys(alias))
	for _, from := range names { // all names first: parse stops at them
		if stars := strings.Count(from, "*"); stars > 0 {
			c.globs = append(c.globs, glob{pattern: from, literals: len([]rune(from)) - stars})
		} else {
			c.alias[from] = Model{}
		}
	}
	globs := c.globs
	slices.SortStableFunc(globs, func(a, b glob) int { return cmp.Compare(b.literals, a.literals) })
	c.globs = nil // a target is read as if there were none
	for _, from := range names {
		m, err := c.target(from, alias[from], globs)
		if err != nil {
			wrong.add(err, "alias", from)
			m = Model{Asked: from, Base: from} // what else is said of this name is not wrong because of it
		}
		if i := slices.IndexFunc(globs, func(g glob) bool { return g.pattern == from }); i >= 0 {
			globs[i].target = m
		} else {
			c.alias[from] = m
		}
	}
	c.globs = globs
}

// target reads what an alias leads to.
func (c *Catalogue) target(from, to string, globs []glob) (Model, error) {
	if err := plain(strings.ReplaceAll(from, "*", "x")); err != nil {
		return Model{}, err
	}
	m := c.read(strings.TrimSpace(to))
	if m.alias != "" {
		return m, fmt.Errorf("leads to %q, which is an alias itself: name its target", m.alias)
	}
	if m.Base == "" {
		return m, errors.New("leads to no name")
	}
	if err := m.Check(); err != nil {
		return m, errors.New(err.Message)
	}
	if strings.Contains(m.Base, "*") {
		return m, fmt.Errorf("leads to %q: a target is one name, without a \"*\"", m.Base)
	}
	if _, known := c.index[m.Base]; known {
		return m, nil
	}
	for _, g := range globs {
		if g.matches(m.Base) {
			return m, fmt.Errorf("leads to %q, which %q would lead on: put it into models.known", m.Base, g.pattern)
		}
	}
	return m, nil
}

// Aliases are the aliases and patterns of the table, with what they lead to.
func (c *Catalogue) Aliases() map[string]Model {
	all := maps.Clone(c.alias)
	for _, g := range c.globs {
		all[g.pattern] = g.target
	}
	return all
}

// Matches compares a name with a pattern, in which "*" stands for any text, also for none.
func Matches(pattern, name string) bool {
	g := glob{pattern: pattern}
	return pattern == name || strings.Contains(pattern, "*") && g.matches(name)
}

// matches compares a name with the pattern, in time that grows with their lengths alone.
func (g *glob) matches(name string) bool {
	head, rest, _ := strings.Cut(g.pattern, "*")
	name, ok := strings.CutPrefix(name, head)
	for ok {
		part, behind, more := strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(name, part)
		}
		_, name, ok = strings.Cut(name, part)
		rest = behind
	}
	return false
}

// caught is the best glob for a name that is being taken apart, and how far it was then.
type caught struct {
	by *glob
	m  Model
}

// offer looks whether a glob takes the name as it stands. Of two that are equally good the one that
// takes it with fewer suffixes wins: they are features, then.
func (h *caught) offer(globs []glob, m *Model) {
	if m.Base == "" { // no name at all, which is for a refusal
		return
	}
	for i := range globs {
		g := &globs[i]
		if h.by != nil && g.literals < h.by.literals {
			return
		}
		if g.matches(m.Base) {
			h.by, h.m = g, *m
			return
		}
	}
}

// follow puts a target in the place of an alias: what is written on top counts.
func (m *Model) follow(target *Model) {
	m.alias, m.Base = m.Base, target.Base
	m.Features |= target.Features
	if m.Thinking == None {
		m.Thinking, m.Budget, m.HasBudget = target.Thinking, target.Budget, target.HasBudget
	}
	m.Picture.Size = cmp.Or(m.Picture.Size, target.Picture.Size)
	m.Picture.Ratio = cmp.Or(m.Picture.Ratio, target.Picture.Ratio)
}
