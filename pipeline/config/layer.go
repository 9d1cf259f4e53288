package config

import (
	"encoding/json"
	"fmt"
	"strings"
)

// setting is a value that passed its check, and where it stands.
type setting struct {
	value  any
	origin Origin
}

// layer is what one source says: key -> setting.
type layer map[string]setting

// loader gathers the layers of one Load, with all that is wrong or worth knowing.
type loader struct {
	table    *table
	file     string
	lines    lines
	problems Problems
	warnings []string
	refused  []refusal // values of the environment that do not count
}

type refusal struct {
	key    string // TOML place
	origin Origin
	reason string
}

// walk sorts the tree of the file or the panel into keys that exist.
func (l *loader) walk(tree map[string]any, above []string, origin func([]string) Origin, out layer) {
	for _, name := range sortedKeys(tree) {
		parts := append(above[:len(above):len(above)], name)
		key, value, from := strings.Join(parts, "."), tree[name], origin(parts)
		if p := l.table.byKey[key]; p != nil {
			l.record(*p, value, from, out)
			continue
		}
		if l.table.parents[key] {
			if below, ok := value.(map[string]any); ok {
				l.walk(below, parts, origin, out)
				continue
			}
			l.problems = append(l.problems, from.problem(key, "must be a table, got "+describe(Param{}, value)))
			continue
		}
		if len(above) == 0 && l.flat(name, value, from, out) {
			continue
		}
		l.problems = append(l.problems, from.problem(display(parts), l.table.unknown(parts, value)))
	}
}

// flat takes a key of an old version's file.
func (l *loader) flat(name string, value any, from Origin, out layer) bool {
	if p := l.table.byFlat[name]; p != nil {
		if from.Source == FromFile {
			table, leaf := parent(p.Key), p.Key[strings.LastIndexByte(p.Key, '.')+1:]
			l.warn(from.problem(name, fmt.Sprintf("old name, taken as %q; write %s = ... under [%s]", p.Key, leaf, table)))
		}
		l.record(*p, value, from, out)
		return true
	}
	if why := retired(name); why != "" {
		l.warn(from.problem(name, why))
		return true
	}
	return false
}

// retired are the keys that old versions wrote into the file by themselves.
func retired(name string) string {
	switch name {
	case "_credential_order":
		return "not used any more: the order of credentials is kept with their state"
	case "model_costs":
		return "not read from here: costs of models are set with POST /auth/models/costs; those in the config.toml of the credentials folder are taken over at start"
	}
	return ""
}

func (l *loader) record(p Param, raw any, from Origin, out layer) {
	if text, ok := raw.(string); ok && p.Secret && strings.TrimSpace(text) == "" {
		return // a stored empty secret is not set: it must not become the password
	}
	if other, twice := out[p.Key]; twice {
		message := "is set twice"
		if other.origin.Line > 0 {
			message += fmt.Sprintf(", also in line %d", other.origin.Line)
		}
		l.problems = append(l.problems, from.problem(p.Key, message))
		return
	}
	value, err := coerce(p, raw)
	_, unfit := fit(p, raw)
	switch {
	case err == nil:
		out[p.Key] = setting{value, from}
	case from.Source == FromEnvironment && p.forgiving() && unfit != nil: // what Check refuses was meant
		l.refused = append(l.refused, refusal{p.Key, from, err.Error()})
	default:
		l.problems = append(l.problems, from.problem(p.Key, err.Error()))
	}
}

// forgiving settings ignore a bad value of the environment with a warning, as the old product did
// for numbers. An address is different: ignoring a mistyped PROXY would call Google directly.
func (p Param) forgiving() bool {
	switch p.Type {
	case Int, Float, Bool, Duration, Size, IntList:
		return true
	case String, StringList:
		return len(p.OneOf) > 0
	}
	return false
}

func (l *loader) warn(p Problem) { l.warnings = append(l.warnings, p.String()) }

// readPanel is the layer of the panel's overrides; dotted keys and nested tables both work.
func (l *loader) readPanel(overrides map[string]any) layer {
	out := layer{}
	from := Origin{Source: FromPanel}
	plain, _ := fromJSON(overrides).(map[string]any)
	l.walk(plain, nil, func([]string) Origin { return from }, out)
	return out
}

// fromJSON gives whole numbers the type that TOML gives them.
func fromJSON(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, one := range v {
			out[k] = fromJSON(one)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, one := range v {
			out[i] = fromJSON(one)
		}
		return out
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		if f, err := v.Float64(); err == nil {
			return f
		}
		return v.String()
	case float64:
		if n := int64(v); float64(n) == v && n > -1<<53 && n < 1<<53 {
			return n
		}
	}
	return v
}

// display writes a path as TOML would, quoting what needs it.
func display(parts []string) string {
	shown := make([]string, len(parts))
	for i, part := range parts {
		shown[i] = part
		if part == "" || strings.ContainsFunc(part, func(r rune) bool {
			return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
		}) {
			shown[i] = quote(part)
		}
	}
	return strings.Join(shown, ".")
}
