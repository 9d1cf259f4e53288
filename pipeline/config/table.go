package config

import (
	"cmp"
	"slices"
	"sort"
	"strings"
)

// table is the settings table of one load: every key that exists and each way to name it.
type table struct {
	params   []Param
	byKey    map[string]*Param
	byFlat   map[string]*Param
	parents  map[string]bool // every table that exists: "server", "stage", "stage.retry"
	stages   []string
	complete bool // stages are all that exist, so that the list can be checked for names
	defaults layer
}

// newTable indexes the declarations. Its problems are faults of the code that declares them.
func newTable(params []Param, stages []string) (*table, Problems) {
	t := &table{
		byKey: map[string]*Param{}, byFlat: map[string]*Param{}, parents: map[string]bool{"stage": true},
		complete: len(stages) > 0, defaults: layer{},
	}
	t.stages = stageNames(params, stages)
	t.params = withEnabled(params, t.stages)
	var problems Problems
	for i := range t.params {
		p := &t.params[i]
		if message := t.add(p); message != "" {
			problems = append(problems, Problem{Key: p.Key, Message: message})
		}
	}
	return t, problems
}

func (t *table) add(p *Param) string {
	if p.Key == "" || !strings.Contains(p.Key, ".") && p.Type != Table {
		return "declared with a key that names no table"
	}
	if t.byKey[p.Key] != nil {
		return "declared twice"
	}
	t.byKey[p.Key] = p
	for table := parent(p.Key); table != ""; table = parent(table) {
		t.parents[table] = true
	}
	if p.Flat != "" {
		if t.byFlat[p.Flat] != nil {
			return "the flat key " + p.Flat + " belongs to " + t.byFlat[p.Flat].Key + " already"
		}
		t.byFlat[p.Flat] = p
	}
	if p.Default == nil {
		return ""
	}
	value, err := coerce(*p, p.Default)
	if err != nil {
		return "the declared default " + err.Error()
	}
	t.defaults[p.Key] = setting{value, Origin{Source: FromDefault}}
	return ""
}

// unknown says what a key that does not exist was probably meant to be.
func (t *table) unknown(parts []string, value any) string {
	name, above := parts[len(parts)-1], strings.Join(parts[:len(parts)-1], ".")
	if above == "stage" {
		return "there is no stage " + quote(name) + didYouMean(nearest(name, t.stages), "%")
	}
	if _, isTable := value.(map[string]any); isTable && above == "" {
		if slices.Contains(t.stages, name) {
			return "unknown table" + didYouMean("stage."+name, "[%]")
		}
		return "unknown table" + didYouMean(nearest(name, t.children("")), "[%]")
	}
	if above == "" {
		return t.unknownTop(name)
	}
	if near := nearest(name, t.children(above)); near != "" {
		return "unknown setting" + didYouMean(near, "%")
	}
	if p := t.byFlat[name]; p != nil {
		return "unknown setting" + didYouMean(p.Key, "%")
	}
	return "unknown setting" + didYouMean(cmp.Or(t.elsewhere(name), t.spelled(name)), "%")
}

// unknownTop is for a value before the first table: a flat key, or one that lost its table.
func (t *table) unknownTop(name string) string {
	at := cmp.Or(t.elsewhere(name), t.spelled(name))
	if at == "" {
		flat := t.written()
		for _, name := range sortedKeys(t.byFlat) {
			flat[name] = name
		}
		at = flat[nearest(name, sortedKeys(flat))]
	}
	return "unknown setting at top level" + didYouMean(at, "%")
}

// spelled finds the setting that is written as in the environment, or with _ between its parts.
func (t *table) spelled(name string) string { return t.written()[strings.ToLower(name)] }

// written gives the keys by these spellings.
func (t *table) written() map[string]string {
	keys := map[string]string{}
	for _, p := range t.params {
		for _, env := range p.Env {
			keys[strings.ToLower(env)] = p.Key
		}
	}
	for _, p := range t.params {
		keys[strings.ReplaceAll(p.Key, ".", "_")] = p.Key
	}
	return keys
}

// elsewhere finds the one setting of that name in another table.
func (t *table) elsewhere(name string) string {
	found := ""
	for _, p := range t.params {
		if strings.HasSuffix(p.Key, "."+name) && !strings.HasSuffix(p.Key, ".enabled") {
			if found != "" {
				return ""
			}
			found = p.Key
		}
	}
	return found
}

// children lists the names that may stand in a table.
func (t *table) children(table string) []string {
	seen := map[string]bool{}
	for key := range t.byKey {
		rest, ok := strings.CutPrefix(key, table+".")
		if table == "" {
			rest, ok = key, true
		}
		if ok {
			name, _, _ := strings.Cut(rest, ".")
			seen[name] = true
		}
	}
	return sortedKeys(seen)
}

func stageNames(params []Param, names []string) []string {
	names = slices.Clone(names)
	for _, p := range params {
		if rest, ok := strings.CutPrefix(p.Key, "stage."); ok && p.Waits == "" {
			name, _, _ := strings.Cut(rest, ".")
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return slices.Compact(names)
}

// withEnabled gives every stage its switch, unless it declares one with a default of its own.
func withEnabled(params []Param, stages []string) []Param {
	declared := map[string]bool{}
	for _, p := range params {
		declared[p.Key] = true
	}
	out := slices.Clone(params)
	for _, name := range stages {
		if key := "stage." + name + ".enabled"; !declared[key] {
			out = append(out, Param{Key: key, Type: Bool, Default: true,
				Help: "false keeps the stage's place in the list and skips it"})
		}
	}
	return out
}

func parent(key string) string {
	if i := strings.LastIndexByte(key, '.'); i >= 0 {
		return key[:i]
	}
	return ""
}

func didYouMean(name, form string) string {
	if name == "" {
		return ""
	}
	if form == "%" {
		return "; did you mean " + quote(name) + "?"
	}
	return "; did you mean " + strings.Replace(form, "%", name, 1) + "?"
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
