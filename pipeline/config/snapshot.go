package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
)

// Snapshot is the whole configuration at one moment. It never changes; all its methods may be
// called concurrently. A getter asked for a key that nobody declared, or for another type,
// panics: that is a typing error in the code that a first start shows.
type Snapshot struct {
	table    *table
	file     string
	lines    lines
	values   map[string]any
	origins  map[string]Origin
	masked   []Masked
	warnings []string
	tables   []string
}

// merge lays the layers over each other, lowest first; they have passed every check.
func (l *loader) merge(layers []layer) (*Snapshot, error) {
	s := &Snapshot{
		table: l.table, file: l.file, lines: l.lines,
		values: map[string]any{}, origins: map[string]Origin{},
	}
	k := koanf.New(".")
	for _, one := range layers {
		flat := make(map[string]any, len(one))
		for key, set := range one {
			flat[key] = set.value
			s.origins[key] = set.origin
		}
		if err := k.Load(confmap.Provider(flat, "."), nil); err != nil {
			return nil, fmt.Errorf("merge settings: %w", err)
		}
	}
	for _, p := range l.table.params {
		if _, set := s.origins[p.Key]; set {
			s.values[p.Key] = k.Get(p.Key)
		}
	}
	s.masked = maskedBy(l.table, layers[1], s.origins)
	s.tables = stageTables(layers[1:])
	s.warnings = append(l.warnings, s.refusals(l.refused)...)
	s.warnings = append(s.warnings, s.unused(layers[1])...)
	s.warnings = append(s.warnings, s.useless()...)
	return s, nil
}

func maskedBy(t *table, file layer, counts map[string]Origin) []Masked {
	var out []Masked
	for _, p := range t.params {
		if set, ok := file[p.Key]; ok && counts[p.Key].Source != FromFile && p.Type != Table {
			out = append(out, Masked{p.Key, set.origin, counts[p.Key]})
		}
	}
	return out
}

func stageTables(layers []layer) []string {
	seen := map[string]bool{}
	for _, one := range layers {
		for key := range one {
			if rest, ok := strings.CutPrefix(key, "stage."); ok {
				name, _, _ := strings.Cut(rest, ".")
				seen[name] = true
			}
		}
	}
	return sortedKeys(seen)
}

func (s *Snapshot) refusals(refused []refusal) []string {
	out := make([]string, len(refused))
	for i, r := range refused {
		p, from := s.table.byKey[r.key], s.Origin(r.key)
		out[i] = r.origin.problem(r.key, r.reason).String() +
			fmt.Sprintf("; ignored, %s (%s) counts", show(*p, s.values[r.key]), from)
	}
	return out
}

// unused warns of settings in the file for a stage that is not in the list.
func (s *Snapshot) unused(file layer) []string {
	var out []string
	order := s.Order()
	for _, name := range stageTables([]layer{file}) {
		if !slices.Contains(order, name) && s.Enabled(name) && slices.Contains(s.table.stages, name) {
			line := s.lines.at([]string{"stage", name})
			out = append(out, Problem{File: s.file, Line: line, Key: "stage." + name,
				Message: "has settings but pipeline.order does not name the stage, so it does not run"}.String())
		}
	}
	return out
}

// checkOrder refuses names in the list that are no stage, and stages twice. Which order is
// possible is the engine's to say.
func (s *Snapshot) checkOrder() Problems {
	if !s.table.complete {
		return nil
	}
	var problems Problems
	seen := map[string]bool{}
	for _, name := range s.Order() {
		message := ""
		switch {
		case seen[name]:
			message = "names the stage " + quote(name) + " twice"
		case !slices.Contains(s.table.stages, name):
			message = "there is no stage " + quote(name) + didYouMean(nearest(name, s.table.stages), "%")
		}
		if message != "" {
			problems = append(problems, s.Origin(orderKey).problem(orderKey, message))
		}
		seen[name] = true
	}
	return problems
}

const orderKey = "pipeline.order"

// Order is the list of stages as written, also those that are switched off.
func (s *Snapshot) Order() []string { return s.Strings(orderKey) }

// Enabled says whether the stage is switched on. It says nothing about its place in the list; a
// name that is no stage is not enabled.
func (s *Snapshot) Enabled(stage string) bool {
	on, _ := s.values["stage."+stage+".enabled"].(bool)
	return on
}

// Stages lists the stages that a layer above the defaults has settings for.
func (s *Snapshot) Stages() []string { return slices.Clone(s.tables) }

// File is the path that was read, "" for none.
func (s *Snapshot) File() string { return s.file }

// Warnings are lines for the log and for check: old names, values of the environment that were
// ignored, settings without effect.
func (s *Snapshot) Warnings() []string { return slices.Clone(s.warnings) }

// Warned is a copy with more warnings: what only who knows the stages can say.
func (s *Snapshot) Warned(more Problems) *Snapshot {
	c := *s
	c.warnings = slices.Clone(s.warnings)
	for _, p := range more {
		c.warnings = append(c.warnings, p.String())
	}
	return &c
}

// Says tells whether anybody has set what stands at a key, inside of a Table too, to more than nothing:
// not to false, and not to an empty text, list or table.
func (s *Snapshot) Says(key []string) bool {
	for n := len(key); n > 0; n-- {
		name := strings.Join(key[:n], ".")
		if value, ok := s.values[name]; ok && s.origins[name].Source != FromDefault {
			return says(value, key[n:])
		}
	}
	return false
}

func says(value any, below []string) bool {
	table, isTable := value.(map[string]any)
	if len(below) > 0 {
		return isTable && says(table[below[0]], below[1:])
	}
	switch v := value.(type) {
	case nil:
		return false
	case map[string]any:
		return len(v) > 0
	case []any:
		return len(v) > 0
	case string:
		return v != ""
	case bool:
		return v
	}
	return true
}

// Masked lists the settings of the file that the panel or the environment hides.
func (s *Snapshot) Masked() []Masked { return slices.Clone(s.masked) }

// Origin says where the value of a key came from; the zero Origin is for a key without a value.
func (s *Snapshot) Origin(key string) Origin { return s.origins[key] }

// Locked lists the keys that the environment sets; no other layer can change them.
func (s *Snapshot) Locked() []string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(s.origins)) {
		if s.IsLocked(key) {
			out = append(out, key)
		}
	}
	return out
}

// IsLocked says whether the environment sets the key.
func (s *Snapshot) IsLocked(key string) bool { return s.origins[key].Source == FromEnvironment }

// Resolve finds a setting by its key or by the flat key of old versions.
func (s *Snapshot) Resolve(name string) (Param, bool) {
	p := s.table.byKey[name]
	if p == nil {
		p = s.table.byFlat[name]
	}
	if p == nil {
		return Param{}, false
	}
	return *p, true
}

// Params is the settings table, in the order of its declaration.
func (s *Snapshot) Params() []Param { return slices.Clone(s.table.params) }

// WaitsForRestart lists the settings that are read at start only and differ from those that the
// gateway was started with. The address to listen on also depends on the passwords.
func (s *Snapshot) WaitsForRestart(running *Snapshot) []string {
	var out []string
	if s.Listening() != running.Listening() && s.String("server.host") == running.String("server.host") {
		out = append(out, "server.host")
	}
	for _, p := range s.table.params {
		if p.AfterRestart && sum(s.values[p.Key]) != sum(running.values[p.Key]) {
			out = append(out, p.Key)
		}
	}
	return out
}

// String is the value of a String, URL or Path.
func (s *Snapshot) String(key string) string { return get[string](s, key) }

// Int is the value of an Int.
func (s *Snapshot) Int(key string) int { return get[int](s, key) }

// Float is the value of a Float.
func (s *Snapshot) Float(key string) float64 { return get[float64](s, key) }

// Bool is the value of a Bool.
func (s *Snapshot) Bool(key string) bool { return get[bool](s, key) }

// Duration is the value of a Duration.
func (s *Snapshot) Duration(key string) time.Duration { return get[time.Duration](s, key) }

// Size is the value of a Size in bytes.
func (s *Snapshot) Size(key string) int64 { return get[int64](s, key) }

// Strings is a copy of a StringList.
func (s *Snapshot) Strings(key string) []string { return slices.Clone(get[[]string](s, key)) }

// Ints is a copy of an IntList.
func (s *Snapshot) Ints(key string) []int { return slices.Clone(get[[]int](s, key)) }

// get returns the zero value for a declared key without a value.
func get[T any](s *Snapshot, key string) T {
	value, ok := s.values[key].(T)
	if !ok && (s.values[key] != nil || s.table.byKey[key] == nil) {
		panic(fmt.Sprintf("config: setting %q is not declared as %T", key, value))
	}
	return value
}

// Differs lists the settings that have another value than in the other snapshot.
func (s *Snapshot) Differs(other *Snapshot) []string {
	var out []string
	for _, p := range s.table.params {
		if sum(s.values[p.Key]) != sum(other.values[p.Key]) {
			out = append(out, p.Key)
		}
	}
	return out
}
