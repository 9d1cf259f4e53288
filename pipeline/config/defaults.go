package config

import (
	"reflect"
	"slices"
	"strings"
	"time"
)

// WithDefaults returns the params with each missing Default taken from the field of a settings
// struct, so that a stage states its defaults once. The prefix is the table: "stage.retry".
func WithDefaults(prefix string, defaults any, params []Param) []Param {
	out := slices.Clone(params)
	for i := range out {
		rest, ok := strings.CutPrefix(out[i].Key, prefix+".")
		if !ok || out[i].Default != nil || out[i].Type == Table {
			continue
		}
		if value, ok := field(reflect.Indirect(reflect.ValueOf(defaults)), strings.Split(rest, ".")); ok {
			out[i].Default = value
		}
	}
	return out
}

// field follows koanf names into a struct.
func field(v reflect.Value, names []string) (any, bool) {
	if v.Kind() != reflect.Struct {
		return nil, false
	}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("koanf"), ",")
		switch {
		case strings.Contains(options, "squash"):
			if value, ok := field(v.Field(i), names); ok {
				return value, true
			}
		case name == names[0] && len(names) == 1 && f.IsExported():
			return plain(v.Field(i)), true
		case name == names[0] && len(names) > 1:
			return field(v.Field(i), names[1:])
		}
	}
	return nil, false
}

// plain strips named types and sizes down to what a setting is made of.
func plain(v reflect.Value) any {
	switch {
	case v.Type() == reflect.TypeFor[[]string](), v.Type() == reflect.TypeFor[[]int](), v.Kind() == reflect.Map:
		return v.Interface()
	case v.Kind() == reflect.String:
		return v.String()
	case v.Kind() == reflect.Bool:
		return v.Bool()
	case v.Kind() == reflect.Int:
		return int(v.Int())
	case v.CanInt() && v.Type() != reflect.TypeFor[time.Duration]():
		return v.Int()
	case v.CanFloat():
		return v.Float()
	}
	return v.Interface()
}
