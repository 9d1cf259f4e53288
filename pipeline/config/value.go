package config

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"
)

var errKind = errors.New("wrong kind of value")

// coerce turns what a layer holds into the typed value of p. Its error reads on after the key:
// "must be an integer between 0 and 50, got "three"".
func coerce(p Param, raw any) (any, error) {
	value, err := fit(p, raw)
	if err != nil {
		return nil, fmt.Errorf("must be %s, got %s", expects(p), describe(p, raw))
	}
	if p.Check == nil {
		return value, nil
	}
	if err := p.Check(value); err != nil {
		if p.Secret {
			return nil, errors.New("is not acceptable here (the value is not shown)")
		}
		return nil, fmt.Errorf("%w, got %s", err, describe(p, raw))
	}
	return value, nil
}

// fit is coerce without words and without Check.
func fit(p Param, raw any) (any, error) {
	value, err := typed(p, raw)
	if err == nil {
		err = within(p, value)
	}
	return value, err
}

func typed(p Param, raw any) (any, error) {
	switch p.Type {
	case Int:
		return toInt(raw)
	case Float:
		return toFloat(raw)
	case Bool:
		b, ok := raw.(bool)
		return b, unless(ok)
	case Duration:
		return toDuration(raw)
	case Size:
		return toSize(raw)
	case StringList:
		return toList(raw, func(v any) (string, error) { return toWord(p, v) })
	case IntList:
		return toList(raw, toInt)
	case Table:
		m, ok := raw.(map[string]any)
		return m, unless(ok)
	case Tables:
		return toTables(raw)
	case URL:
		return toURL(p, raw)
	}
	return toWord(p, raw)
}

// toWord takes a string and gives a word of OneOf the spelling it has there.
func toWord(p Param, raw any) (string, error) {
	s, ok := raw.(string)
	if !ok {
		return "", errKind
	}
	if len(p.OneOf) == 0 {
		return s, nil
	}
	i := slices.IndexFunc(p.OneOf, func(word string) bool { return strings.EqualFold(word, s) })
	if i < 0 {
		return "", errKind
	}
	return p.OneOf[i], nil
}

func toInt(raw any) (int, error) {
	switch n := raw.(type) {
	case int:
		return n, nil
	case int64:
		return int(n), unless(int64(int(n)) == n)
	}
	return 0, errKind
}

func toFloat(raw any) (float64, error) {
	switch n := raw.(type) {
	case int:
		return float64(n), nil
	case int64:
		return float64(n), nil
	case float64:
		return n, unless(!math.IsNaN(n) && !math.IsInf(n, 0))
	}
	return 0, errKind
}

func toDuration(raw any) (time.Duration, error) {
	switch d := raw.(type) {
	case time.Duration:
		return d, nil
	case string:
		return parseDuration(d)
	}
	seconds, err := toFloat(raw)
	if err != nil {
		return 0, err
	}
	return seconds2duration(seconds)
}

func toSize(raw any) (int64, error) {
	if s, ok := raw.(string); ok {
		return parseSize(s)
	}
	n, err := toInt(raw)
	return int64(n), err
}

// toList takes TOML's and JSON's []any as well as a typed list.
func toList[T any](raw any, element func(any) (T, error)) ([]T, error) {
	if list, ok := raw.([]T); ok {
		raw = toAny(list)
	}
	list, ok := raw.([]any)
	if !ok {
		return nil, errKind
	}
	out := make([]T, len(list))
	for i, one := range list {
		value, err := element(one)
		if err != nil {
			return nil, err
		}
		out[i] = value
	}
	return out, nil
}

// toTables takes what TOML and JSON make of a list of tables.
func toTables(raw any) ([]any, error) {
	if list, ok := raw.([]map[string]any); ok {
		raw = toAny(list)
	}
	list, ok := raw.([]any)
	if !ok {
		return nil, errKind
	}
	for _, one := range list {
		if _, ok := one.(map[string]any); !ok {
			return nil, errKind
		}
	}
	return list, nil
}

func toAny[T any](list []T) []any {
	out := make([]any, len(list))
	for i, v := range list {
		out[i] = v
	}
	return out
}

func toURL(p Param, raw any) (string, error) {
	s, ok := raw.(string)
	if !ok {
		return "", errKind
	}
	s = strings.TrimRight(strings.TrimSpace(s), "/")
	if s == "" {
		return "", unless(p.mayBeEmpty())
	}
	u, err := url.Parse(s)
	if err != nil {
		return "", errKind
	}
	return s, unless(u.Hostname() != "" && slices.Contains(p.schemes(), strings.ToLower(u.Scheme)))
}

// mayBeEmpty: an address can be left out where leaving it out is the default.
func (p Param) mayBeEmpty() bool { return p.Default == nil || p.Default == "" }

func (p Param) schemes() []string {
	if len(p.OneOf) == 0 {
		return []string{"http", "https"}
	}
	return p.OneOf
}

func within(p Param, value any) error {
	low, high := math.Inf(-1), math.Inf(1)
	if p.Type == Duration || p.Type == Size {
		low = 0
	}
	if p.Min != nil {
		low = *p.Min
	}
	if p.Max != nil {
		high = *p.Max
	}
	for _, n := range measures(p.Type, value) {
		if n < low || n > high {
			return errKind
		}
	}
	return nil
}

// measures gives the numbers that Min and Max bound.
func measures(t Type, value any) []float64 {
	switch v := value.(type) {
	case int:
		return []float64{float64(v)}
	case int64:
		return []float64{float64(v)}
	case float64:
		return []float64{v}
	case time.Duration:
		return []float64{v.Seconds()}
	case []int:
		out := make([]float64, len(v))
		for i, n := range v {
			out[i] = float64(n)
		}
		return out
	case string:
		if t == String || t == Path {
			return []float64{float64(len([]rune(v)))}
		}
	}
	return nil
}

func unless(ok bool) error {
	if ok {
		return nil
	}
	return errKind
}
