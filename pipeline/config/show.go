package config

import (
	"cmp"
	"fmt"
	"log/slog"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Hidden stands for a secret that is set, wherever values are shown.
const Hidden = "********"

// Entry is one setting for people: the panel's form, the lines of check.
type Entry struct {
	Param
	Value    string // as it would be written in TOML; a secret that is set is Hidden
	Origin   Origin
	IsLocked bool
}

// Entries lists every setting with its value and origin, secrets hidden.
func (s *Snapshot) Entries() []Entry {
	out := make([]Entry, 0, len(s.table.params))
	for _, p := range s.table.params {
		e := Entry{Param: p, Value: show(p, s.values[p.Key]), Origin: s.origins[p.Key], IsLocked: s.IsLocked(p.Key)}
		if p.Secret {
			e.Default = nil
		}
		out = append(out, e)
	}
	return out
}

// Dump prints every setting with its origin, one a line, secrets hidden.
func (s *Snapshot) Dump() string { return s.dump(true) }

// Overview is what check prints when all is well: the stages, each with what it does, and the
// settings that are not at their default.
func (s *Snapshot) Overview(does map[string]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: ok\n\n", cmp.Or(s.file, "built-in defaults"))
	for i, name := range s.Order() {
		state := "on "
		if !s.Enabled(name) {
			state = "off"
		}
		fmt.Fprintf(&b, "%3d  %s  %-12s %s\n", i+1, state, name, does[name])
	}
	if chosen := s.dump(false); chosen != "" {
		b.WriteString("\nset, not default:\n" + chosen)
	}
	for i, p := range s.Waiting() {
		if i == 0 {
			b.WriteString("\nwithout effect until their feature lands:\n")
		}
		fmt.Fprintf(&b, "%s (%s): %s\n", p.Key, strings.Join(p.Env, ", "), p.Waits)
	}
	return b.String()
}

func (s *Snapshot) dump(defaults bool) string {
	var b strings.Builder
	for _, e := range s.Entries() {
		if e.Origin.Source != "" && (defaults || !s.isDefault(e.Key)) {
			s.write(&b, e)
		}
	}
	return b.String()
}

// write shows a setting, and of a table that is not secret each of its entries.
func (s *Snapshot) write(b *strings.Builder, e Entry) {
	if table, ok := s.values[e.Key].(map[string]any); ok && !e.Secret && len(table) > 0 {
		s.writeTable(b, strings.Split(e.Key, "."), table)
		return
	}
	if list, ok := s.values[e.Key].([]any); ok && e.Type == Tables {
		for i, one := range list {
			s.writeTable(b, append(strings.Split(e.Key, "."), strconv.Itoa(i)), one.(map[string]any))
		}
		return
	}
	fmt.Fprintf(b, "%s = %s  # %s\n", e.Key, e.Value, e.Origin)
}

func (s *Snapshot) writeTable(b *strings.Builder, at []string, table map[string]any) {
	for _, name := range sortedKeys(table) {
		key := below(at, name)
		if inner, ok := table[name].(map[string]any); ok && len(inner) > 0 {
			s.writeTable(b, key, inner)
			continue
		}
		fmt.Fprintf(b, "%s = %s  # %s\n", display(key), literal(Param{}, table[name]), s.place(key))
	}
}

// isDefault tells that a setting is what it would be without being set, also when somebody set it so.
func (s *Snapshot) isDefault(key string) bool {
	if table, ok := s.values[key].(map[string]any); ok && len(table) == 0 {
		return true
	}
	if s.origins[key].Source == FromDefault {
		return true
	}
	d, ok := s.table.defaults[key]
	return ok && reflect.DeepEqual(d.value, s.values[key])
}

// Format keeps fmt from printing secrets, with any verb. The receiver is a value because a copied
// Snapshot must be as silent as the pointer.
func (s Snapshot) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "config.Snapshot(%d settings)", len(s.values))
}

// LogValue gives a log line the file and how much is set, never a value.
func (s Snapshot) LogValue() slog.Value {
	return slog.GroupValue(slog.String("file", s.file), slog.Int("settings", len(s.values)), slog.Int("locked", len(s.Locked())))
}

// MarshalText keeps encoders from descending into a Snapshot.
func (s Snapshot) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%v", s), nil }

func show(p Param, value any) string {
	if p.Secret {
		if value == nil || sum(value) == sum("") || isEmptyList(value) {
			return literal(p, nil)
		}
		return quoteTOML(Hidden)
	}
	if p.Type == URL {
		if address, ok := value.(string); ok {
			value = withoutUser(address)
		}
	}
	return literal(p, value)
}

func isEmptyList(value any) bool {
	list, ok := value.([]string)
	return ok && len(list) == 0
}

// literal writes a value as TOML; nil gives the empty value of the type.
func literal(p Param, value any) string {
	switch v := value.(type) {
	case nil:
		return emptyLiteral(p.Type)
	case string:
		return quoteTOML(v)
	case time.Duration:
		return quoteTOML(formatDuration(v))
	case int64:
		if p.Type == Size {
			return quoteTOML(formatSize(v))
		}
	case float64:
		if text := plainNumber(v); strings.Contains(text, ".") {
			return text
		}
		return plainNumber(v) + ".0"
	case []string:
		return listLiteral(v, quoteTOML)
	case []int:
		return listLiteral(v, func(n int) string { return fmt.Sprint(n) })
	case []any:
		return listLiteral(v, func(one any) string { return literal(Param{}, one) })
	case map[string]any:
		if len(v) == 0 {
			return "{}"
		}
		return fmt.Sprintf("{ ... } # %d entries", len(v))
	}
	return fmt.Sprint(value)
}

func emptyLiteral(t Type) string {
	switch t {
	case Int, Float, Size, Duration:
		return "0"
	case Bool:
		return "false"
	case StringList, IntList, Tables:
		return "[]"
	case Table:
		return "{}"
	}
	return `""`
}

func listLiteral[T any](list []T, one func(T) string) string {
	words := make([]string, len(list))
	for i, v := range list {
		words[i] = one(v)
	}
	return "[" + strings.Join(words, ", ") + "]"
}

func quoteTOML(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
