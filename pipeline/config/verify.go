package config

import (
	"encoding"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// verifier compares a tree with the struct it will be decoded into, before the decoder does: it
// knows lines, and mapstructure would cut 1.5 down to 1 for an integer field.
type verifier struct {
	s        *Snapshot
	problems Problems
}

func (v *verifier) check(t reflect.Type, value any, at []string) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[time.Duration]():
		v.is(Duration, value, at)
	case reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		v.text(t, value, at)
	case t.Kind() == reflect.Struct:
		v.table(value, at, func(tree map[string]any) { v.structure(t, tree, at) })
	case t.Kind() == reflect.Map:
		v.table(value, at, func(tree map[string]any) {
			for _, name := range sortedKeys(tree) {
				v.check(t.Elem(), tree[name], below(at, name))
			}
		})
	case t.Kind() == reflect.Slice:
		v.list(t, value, at)
	default:
		v.scalar(t, value, at)
	}
}

// text tries a type that reads itself: its own error comes without line and key.
func (v *verifier) text(t reflect.Type, value any, at []string) {
	text, ok := value.(string)
	if !ok {
		v.is(String, value, at)
		return
	}
	reader := reflect.New(t).Interface().(encoding.TextUnmarshaler)
	switch err := reader.UnmarshalText([]byte(text)); {
	case err != nil && v.owner(at).Secret:
		v.add(at, "is not acceptable here (the value is not shown)")
	case err != nil:
		v.add(at, "is not acceptable here: "+err.Error())
	}
}

func (v *verifier) structure(t reflect.Type, tree map[string]any, at []string) {
	fields := fieldsOf(t)
	for _, name := range sortedKeys(tree) {
		if field, ok := fields[name]; ok {
			v.check(field, tree[name], below(at, name))
			continue
		}
		v.add(below(at, name), "unknown setting"+didYouMean(nearest(name, sortedKeys(fields)), "%"))
	}
}

// fieldsOf gives the fields by their koanf names; those of squashed structs count as its own.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	out := map[string]reflect.Type{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("koanf"), ",")
		if slices.Contains(strings.Split(options, ","), "squash") {
			for inner, innerType := range fieldsOf(f.Type) {
				out[inner] = innerType
			}
			continue
		}
		if name != "" && name != "-" && f.IsExported() {
			out[name] = f.Type
		}
	}
	return out
}

func (v *verifier) table(value any, at []string, then func(map[string]any)) {
	if tree, ok := value.(map[string]any); ok {
		then(tree)
		return
	}
	v.is(Table, value, at)
}

func (v *verifier) list(t reflect.Type, value any, at []string) {
	rv := reflect.ValueOf(value)
	if rv.Kind() != reflect.Slice {
		v.wrong(at, "a list", value)
		return
	}
	for i := range rv.Len() {
		v.check(t.Elem(), rv.Index(i).Interface(), below(at, strconv.Itoa(i)))
	}
}

func (v *verifier) scalar(t reflect.Type, value any, at []string) {
	switch t.Kind() {
	case reflect.String:
		v.is(String, value, at)
	case reflect.Bool:
		v.is(Bool, value, at)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.is(Int, value, at)
		if n, err := toInt(value); err == nil && t.OverflowInt(int64(n)) {
			v.wrong(at, "an integer of "+strconv.Itoa(t.Bits())+" bits", value)
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if n, err := toInt(value); err != nil || n < 0 || t.OverflowUint(uint64(n)) {
			v.wrong(at, "an integer of at least 0 and at most "+strconv.Itoa(t.Bits())+" bits", value)
		}
	case reflect.Float32, reflect.Float64:
		v.is(Float, value, at)
	}
}

func (v *verifier) is(t Type, value any, at []string) {
	if _, err := typed(Param{Type: t}, value); err != nil {
		v.wrong(at, expects(Param{Type: t}), value)
	}
}

func (v *verifier) wrong(at []string, wanted string, value any) {
	v.add(at, "must be "+wanted+", got "+describe(v.owner(at), value))
}

func (v *verifier) add(at []string, message string) {
	v.problems = append(v.problems, v.s.place(at).problem(display(at), message))
}

// owner is the declared setting that a place belongs to, for its secrecy.
func (v *verifier) owner(at []string) Param {
	for n := len(at); n > 0; n-- {
		if p := v.s.table.byKey[strings.Join(at[:n], ".")]; p != nil {
			return Param{Secret: p.Secret}
		}
	}
	return Param{}
}

// place finds the origin of a key inside a Table: its line when the file has it, else the layer
// that the table comes from.
func (s *Snapshot) place(at []string) Origin {
	for n := len(at); n > 0; n-- {
		if from, ok := s.origins[strings.Join(at[:n], ".")]; ok {
			return from
		}
		if line := s.lines[path(at[:n])]; line > 0 {
			return Origin{Source: FromFile, File: s.file, Line: line}
		}
	}
	return Origin{Source: FromDefault}
}

func below(at []string, name string) []string { return append(at[:len(at):len(at)], name) }
