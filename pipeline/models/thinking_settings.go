package models

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// ThinkingSettings is a row of [models.thinking]: what one model takes where that differs from its
// family. What is absent is as the family has it.
type ThinkingSettings struct {
	Thinks  *bool    `koanf:"thinks"`  // false: the model takes no thinkingConfig
	Min     *int64   `koanf:"min"`     // tokens of the smallest budget with which it thinks
	Max     *int64   `koanf:"max"`     // tokens of the largest one
	Off     *bool    `koanf:"off"`     // a budget of 0 is accepted
	Levels  []string `koanf:"levels"`  // in place of a budget
	Default any      `koanf:"default"` // a number of tokens or a level: sent when nothing else is said
}

// ThinkingRow is what the table says of one model.
type ThinkingRow struct {
	ThinkingLimits
	Default ThinkingDefault
	Written bool // in the configuration
}

// ThinkingDefault is what is sent when neither the request nor a suffix says how much to think. The
// zero value sends nothing.
type ThinkingDefault struct {
	Budget int64
	Level  string // "" for a budget
	Said   bool
}

// MostBudget is more than any model thinks, and as much as the grammar of names takes.
const MostBudget = 9_999_999

// Thinking is the row of the table for a base, known or not.
func (c *Catalogue) Thinking(base string) ThinkingRow {
	if row, ok := c.thinking[base]; ok {
		return row
	}
	return ThinkingRow{ThinkingLimits: FamilyOf(base).Thinking()}
}

// think fills the table.
func (c *Catalogue) think(rows map[string]ThinkingSettings, wrong *Problems) {
	c.thinking = make(map[string]ThinkingRow, len(c.bases)+len(rows))
	for _, e := range c.bases {
		c.thinking[e.Base] = ThinkingRow{ThinkingLimits: e.Family.Thinking()}
	}
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		if err := c.base(name); err != nil {
			wrong.add(err, "thinking", name)
			continue
		}
		row := ThinkingRow{ThinkingLimits: FamilyOf(name).Thinking(), Written: true}
		s := rows[name]
		key, err := s.limits(&row.ThinkingLimits)
		if err == nil && s.Default != nil {
			key = "default"
			row.Default, err = row.choose(s.Default)
		}
		wrong.add(err, "thinking", name, key)
		c.thinking[name] = row
	}
}

// limits changes what the row says; key is where an error is.
func (s *ThinkingSettings) limits(l *ThinkingLimits) (key string, err error) {
	budget := s.Min != nil || s.Max != nil || s.Off != nil
	switch {
	case s.Thinks != nil && !*s.Thinks:
		if budget || s.Levels != nil || s.Default != nil {
			return "thinks", errors.New("is false, and nothing beside it means anything")
		}
		*l = ThinkingLimits{}
		return "", nil
	case s.Levels != nil && budget:
		return "levels", errors.New("cannot be used together with min, max and off: a model takes a level or a budget")
	case s.Levels != nil:
		l.Least, l.Most, l.Off, l.Idle = 0, 0, false, false
		l.Levels, err = ordered(s.Levels)
		return "levels", err
	case budget:
		return s.budget(l)
	case !l.Thinks() && s.Thinks != nil:
		return "thinks", errors.New("is true, but how much is not known: give max, or levels")
	case !l.Thinks() && s.Default != nil:
		return "default", errors.New("is of no use: nothing is known of how this model thinks; give max, or levels, too")
	}
	return "", nil
}

func (s *ThinkingSettings) budget(l *ThinkingLimits) (key string, err error) {
	if s.Min != nil && *s.Min < 1 {
		return "min", errors.New("must be at least 1; that 0 is accepted is what off = true says")
	}
	if l.Most == 0 {
		if s.Max == nil {
			return "max", errors.New("is missing: the largest budget of this model is not known")
		}
		*l = ThinkingLimits{Least: 1}
	}
	if s.Off != nil {
		l.Off = *s.Off
	}
	if s.Max != nil {
		l.Most = *s.Max
	}
	if s.Min != nil {
		l.Least = *s.Min
	}
	switch {
	case l.Most > MostBudget:
		return "max", fmt.Errorf("must be at most %d", MostBudget)
	case l.Most < l.Least && s.Max == nil:
		return "min", fmt.Errorf("must be at most max, which is %d", l.Most)
	case l.Most < l.Least:
		return "max", fmt.Errorf("must be at least min, which is %d", l.Least)
	}
	return "", nil
}

// ordered is a list of levels in Google's words, the least first.
func ordered(words []string) ([]string, error) {
	if len(words) == 0 {
		return nil, errors.New("is empty; a model that does not think has thinks = false")
	}
	said := map[string]bool{}
	for _, word := range words {
		known := strings.ToUpper(word)
		if !slices.Contains(allLevels(), known) {
			return nil, fmt.Errorf("%q is none of minimal, low, medium, high", word)
		}
		if said[known] {
			return nil, fmt.Errorf("%q is there twice", word)
		}
		said[known] = true
	}
	return slices.DeleteFunc(allLevels(), func(known string) bool { return !said[known] }), nil
}

// choose reads the default of a row, which must be something that the model takes as it is.
func (l ThinkingLimits) choose(v any) (d ThinkingDefault, err error) {
	if l.ByLevel() {
		word, ok := v.(string)
		if word = strings.ToUpper(word); !ok || !slices.Contains(l.Levels, word) {
			return d, fmt.Errorf("must be one of %s", strings.ToLower(strings.Join(l.Levels, ", ")))
		}
		return ThinkingDefault{Level: word, Said: true}, nil
	}
	n, ok := whole(v)
	switch {
	case !ok:
		return d, fmt.Errorf("must be a whole number of tokens, got %s", said(v))
	case n == 0 && l.Off, n == -1, n >= l.Least && n <= l.Most:
		return ThinkingDefault{Budget: n, Said: true}, nil
	case l.Off:
		return d, fmt.Errorf("must be 0, -1 or from %d to %d", l.Least, l.Most)
	}
	return d, fmt.Errorf("must be -1 or from %d to %d", l.Least, l.Most)
}

// said shows a value that is no number of tokens.
func said(v any) string {
	switch v := v.(type) {
	case string:
		return strconv.Quote(v)
	case float64, bool:
		return fmt.Sprint(v)
	}
	return "something else"
}

// whole reads an integer of any of the sources of a configuration; a huge one is beyond every limit, whatever
// it comes to.
func whole(v any) (int64, bool) {
	switch n := v.(type) {
	case int:
		return int64(n), true
	case int64:
		return n, true
	case float64:
		return int64(min(max(n, -MostBudget), MostBudget+1)), n == math.Trunc(n)
	}
	return 0, false
}
