package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Name is what a setting is called in the panel's API: by the flat key of old versions, where it had one.
func (p Param) Name() string {
	if p.Flat != "" {
		return p.Flat
	}
	return p.Key
}

// Shown is the value of a setting as JSON has it: durations in seconds, sizes in bytes. A secret that is set
// is Hidden, and so is who an address signs in as. nil is for a setting without a value.
func (s *Snapshot) Shown(key string) any {
	p := s.table.byKey[key]
	if p == nil {
		return nil
	}
	value := s.values[key]
	switch v := value.(type) {
	case string:
		switch {
		case p.Secret && v != "":
			return Hidden
		case p.Type == URL:
			return withoutUser(v)
		}
	case time.Duration:
		return v.Seconds()
	case []string:
		if p.Secret && len(v) > 0 {
			return Hidden
		}
		return slices.Clone(v)
	case nil:
		return empty(p.Type)
	}
	if p.Secret && (p.Type == Table || p.Type == Tables) {
		return Hidden
	}
	return value
}

func empty(t Type) any {
	switch t {
	case StringList, IntList, Tables:
		return []string{}
	case Table:
		return map[string]any{}
	case String, URL, Path:
		return ""
	}
	return nil
}

// With adds settings of the panel to those that there are, in whose place they count.
func (o Options) With(panel map[string]any) Options {
	all := map[string]any{}
	maps.Copy(all, o.Overrides)
	maps.Copy(all, panel)
	o.Overrides = all
	return o
}

// Change is a setting that the panel is to set.
type Change struct {
	Param Param
	Value any // nil takes the panel's word back
}

// Changes reads what the panel's API was asked to set: settings by their key or by the flat key of old
// versions, or tables of them. What says the same as what is in force is left out, so that a form may send
// all of its fields. The error is a Problems, or a *LockedError.
func (s *Snapshot) Changes(asked map[string]any) ([]Change, error) {
	plain, _ := fromJSON(asked).(map[string]any)
	found := map[string]Change{}
	var problems Problems
	s.sort(plain, nil, found, &problems)
	if len(problems) > 0 {
		return nil, problems.Sorted()
	}
	var out []Change
	for _, key := range sortedKeys(found) {
		c := found[key]
		if s.already(c) {
			continue
		}
		if s.IsLocked(key) {
			return nil, &LockedError{c.Param.Name(), s.origins[key].Env}
		}
		if c.Param.AfterRestart {
			problems = append(problems, Problem{Key: c.Param.Name(), Message: "is read at start only, before what the panel says can be: set it in the file or in the environment"})
			continue
		}
		out = append(out, c)
	}
	if len(problems) > 0 {
		return nil, problems.Sorted()
	}
	return out, nil
}

// sort finds the settings in what was asked for.
func (s *Snapshot) sort(tree map[string]any, above []string, found map[string]Change, problems *Problems) {
	for _, name := range sortedKeys(tree) {
		parts := append(above[:len(above):len(above)], name)
		key, value := strings.Join(parts, "."), tree[name]
		p := s.table.byKey[key]
		if p == nil && len(above) == 0 {
			p = s.table.byFlat[name]
		}
		below, isTable := value.(map[string]any)
		switch {
		case p != nil:
			if _, twice := found[p.Key]; twice {
				*problems = append(*problems, Problem{Key: display(parts), Message: "is given twice, also as " + quote(p.Key)})
				continue
			}
			c := Change{Param: *p, Value: value}
			if text, ok := value.(string); ok && p.Secret && strings.TrimSpace(text) == "" {
				c.Value = nil // an empty secret is none: it must not become the password
			}
			found[p.Key] = c
		case s.table.parents[key] && isTable:
			s.sort(below, parts, found, problems)
		default:
			*problems = append(*problems, Problem{Key: display(parts), Message: s.table.unknown(parts, value)})
		}
	}
}

// already tells that a change says what counts anyway: the same value, or what is shown in its place.
func (s *Snapshot) already(c Change) bool {
	key := c.Param.Key
	if c.Value == nil {
		return s.origins[key].Source != FromPanel && s.origins[key].Source != FromEnvironment
	}
	if shown, ok := s.Shown(key).(string); ok && (c.Param.Secret || c.Param.Type == URL) && c.Value == shown {
		return true
	}
	value, err := coerce(c.Param, c.Value)
	return err == nil && s.values[key] != nil && sum(value) == sum(s.values[key])
}

// LockedError is of a setting that the environment sets, so that no other layer can.
type LockedError struct{ Name, Env string }

// Error names the variable.
func (e *LockedError) Error() string {
	return fmt.Sprintf("%s is set by the environment variable %s, which counts more than the panel: change it there, or take it away", e.Name, e.Env)
}
