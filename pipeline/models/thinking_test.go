package models

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
)

// The table of protocol 6.1, and what is guessed beyond it.
func TestThinkingOfFamilies(t *testing.T) {
	for name, want := range map[string]string{
		"gemini-2.5-pro":                     "128..32768",
		"gemini-2.5-pro-preview-06-05":       "128..32768",
		"gemini-2.5-flash":                   "1..24576 off",
		"gemini-2.5-flash-preview-09-2025":   "1..24576 off",
		"gemini-2.5-flash-lite":              "512..24576 off idle",
		"gemini-3-pro-preview":               "LOW HIGH",
		"gemini-3-pro-preview-11-2025":       "LOW HIGH",
		"gemini-3.1-pro-preview":             "LOW MEDIUM HIGH",
		"gemini-3.1-pro-preview-customtools": "LOW MEDIUM HIGH",
		"gemini-3-flash-preview":             "MINIMAL LOW MEDIUM HIGH",
		"gemini-3.1-flash-lite":              "MINIMAL LOW MEDIUM HIGH",
		"gemini-3.5-flash":                   "MINIMAL LOW MEDIUM HIGH",
		"gemini-3.6-flash":                   "MINIMAL LOW MEDIUM HIGH",
		"gemini-3.7-flash":                   "LOW MEDIUM HIGH",
		"gemini-3.8-flash":                   "LOW MEDIUM HIGH",
		"gemini-4-pro":                       "LOW MEDIUM HIGH",
		"gemini-4-flash-lite":                "LOW MEDIUM HIGH",
		"gemini-flash-latest":                "LOW MEDIUM HIGH",
		"gemini-2.0-flash":                   "",
		"gemini-1.5-pro":                     "",
		"gemini-2.5-flash-image":             "",
		"gemini-3-pro-image-preview":         "",
		"gemini-2.5-flash-preview-tts":       "",
		"gemini-embedding-001":               "",
		"gemma-4-31b-it":                     "",
		"":                                   "",
	} {
		l := FamilyOf(name).Thinking()
		if got := written(l); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		if l.Thinks() != (want != "") || l.ByLevel() != strings.Contains(want, "HIGH") {
			t.Errorf("%s: thinks %v, by level %v", name, l.Thinks(), l.ByLevel())
		}
	}
}

func written(l ThinkingLimits) string {
	var words []string
	if l.Most > 0 {
		words = append(words, fmt.Sprint(l.Least, "..", l.Most))
	}
	if l.Off {
		words = append(words, "off")
	}
	if l.Idle {
		words = append(words, "idle")
	}
	return strings.ReplaceAll(strings.Join(append(words, l.Levels...), " "), " ..", "..")
}

func num(n int64) *int64 { return &n }

func TestThinkingSettings(t *testing.T) {
	s := Defaults()
	s.Thinking = map[string]ThinkingSettings{
		"my-model":              {Min: num(512), Max: num(16384), Off: new(true)},
		"other":                 {Levels: []string{"high", "Low"}, Default: "low"},
		"gemini-2.5-pro":        {Default: int64(8192)},
		"gemini-2.5-flash-lite": {Max: num(1000), Default: int(0)},
		"gemini-3-pro-preview":  {Min: num(10), Max: num(20), Default: float64(-1)},
		"gemini-2.5-flash":      {Levels: []string{"minimal", "high"}},
		"gemini-3.5-flash":      {Thinks: new(false)},
		"gemini-3.1-flash-lite": {Thinks: new(true), Default: "MINIMAL"},
		"max-only":              {Max: num(7)},
	}
	c, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct {
		limits  string
		choice  ThinkingDefault
		written bool
	}{
		"my-model":               {"512..16384 off", ThinkingDefault{}, true},
		"other":                  {"LOW HIGH", ThinkingDefault{Level: "LOW", Said: true}, true},
		"gemini-2.5-pro":         {"128..32768", ThinkingDefault{Budget: 8192, Said: true}, true},
		"gemini-2.5-flash-lite":  {"512..1000 off idle", ThinkingDefault{Said: true}, true},
		"gemini-3-pro-preview":   {"10..20", ThinkingDefault{Budget: -1, Said: true}, true},
		"gemini-2.5-flash":       {"MINIMAL HIGH", ThinkingDefault{}, true},
		"gemini-3.5-flash":       {"", ThinkingDefault{}, true},
		"gemini-3.1-flash-lite":  {"MINIMAL LOW MEDIUM HIGH", ThinkingDefault{Level: "MINIMAL", Said: true}, true},
		"max-only":               {"1..7", ThinkingDefault{}, true},
		"gemini-3.1-pro-preview": {"LOW MEDIUM HIGH", ThinkingDefault{}, false},
		"gemini-9-pro":           {"LOW MEDIUM HIGH", ThinkingDefault{}, false},
		"unknown":                {"", ThinkingDefault{}, false},
	} {
		row := c.Thinking(name)
		if got := written(row.ThinkingLimits); got != want.limits || row.Default != want.choice || row.Written != want.written {
			t.Errorf("%s: %q %+v %v, want %+v", name, got, row.Default, row.Written, want)
		}
	}
	if !reflect.DeepEqual(s.Thinking["other"].Levels, []string{"high", "Low"}) {
		t.Error("the settings were changed")
	}
	for _, e := range c.List(Enabled{Thinking: true}) {
		if e.Base == "gemini-3.5-flash" && e.Name != e.Base {
			t.Errorf("%s is listed, and cannot think", e.Name)
		}
	}
}

func TestThinkingSettingsThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		row  ThinkingSettings
		says string // behind models.thinking
	}{
		{"x", ThinkingSettings{Thinks: new(false), Max: num(5)}, `.x.thinks: is false, and nothing`},
		{"x", ThinkingSettings{Thinks: new(false), Default: "low"}, `.x.thinks: is false, and nothing`},
		{"x", ThinkingSettings{Thinks: new(true)}, `.x.thinks: is true, but`},
		{"x", ThinkingSettings{Default: int64(5)}, `.x.default: is of no use`},
		{"x", ThinkingSettings{Min: num(5)}, `.x.max: is missing`},
		{"x", ThinkingSettings{Min: num(-5)}, `.x.min: must be at least 1`},
		{"gemini-2.5-pro", ThinkingSettings{Default: true}, `.gemini-2.5-pro.default: must be a whole number of tokens, got true`},
		{"gemini-2.5-pro", ThinkingSettings{Default: math.NaN()}, `.gemini-2.5-pro.default: must be a whole number`},
		{"gemini-2.5-pro", ThinkingSettings{Default: []any{int64(1)}}, `.gemini-2.5-pro.default: must be a whole number of tokens, got something else`},
		{"gemini-2.5-pro", ThinkingSettings{Default: 1e300}, `.gemini-2.5-pro.default: must be -1 or from 128`},
		{"gemini-2.5-pro", ThinkingSettings{Default: -1e300}, `.gemini-2.5-pro.default: must be -1 or from 128`},
		{"x", ThinkingSettings{Off: new(true)}, `.x.max: is missing`},
		{"x", ThinkingSettings{Levels: []string{"low"}, Off: new(true)}, `.x.levels: cannot be used together`},
		{"x", ThinkingSettings{Levels: []string{}}, `.x.levels: is empty`},
		{"x", ThinkingSettings{Levels: []string{"low", "loud"}}, `.x.levels: "loud" is none of`},
		{"x", ThinkingSettings{Levels: []string{"low", "LOW"}}, `.x.levels: "LOW" is there twice`},
		{"x", ThinkingSettings{Levels: []string{"low"}, Default: "high"}, `.x.default: must be one of low`},
		{"x", ThinkingSettings{Levels: []string{"low"}, Default: int64(3)}, `.x.default: must be one of low`},
		{"x", ThinkingSettings{Min: num(0), Max: num(5)}, `.x.min: must be at least 1`},
		{"x", ThinkingSettings{Min: num(6), Max: num(5)}, `.x.max: must be at least min, which is 6`},
		{"x", ThinkingSettings{Max: num(-1)}, `.x.max: must be at least min, which is 1`},
		{"x", ThinkingSettings{Max: num(10_000_000)}, `.x.max: must be at most 9999999`},
		{"gemini-2.5-pro", ThinkingSettings{Min: num(40000)}, `.gemini-2.5-pro.min: must be at most max, which is 32768`},
		{"gemini-2.5-pro", ThinkingSettings{Default: int64(0)}, `.gemini-2.5-pro.default: must be -1 or from 128 to 32768`},
		{"gemini-2.5-pro", ThinkingSettings{Default: int64(127)}, `.gemini-2.5-pro.default: must be -1 or`},
		{"gemini-2.5-pro", ThinkingSettings{Default: 128.5}, `.gemini-2.5-pro.default: must be a whole number of tokens, got 128.5`},
		{"gemini-2.5-pro", ThinkingSettings{Default: "low"}, `.gemini-2.5-pro.default: must be a whole number of tokens, got "low"`},
		{"gemini-2.5-flash", ThinkingSettings{Default: int64(-2)}, `.gemini-2.5-flash.default: must be 0, -1 or from 1 to 24576`},
		{"gemini-2.5-pro-search", ThinkingSettings{Thinks: new(false)}, `.gemini-2.5-pro-search: asks for a feature`},
		{"gpt", ThinkingSettings{Thinks: new(false)}, `.gpt: is an alias`},
		{"models/x", ThinkingSettings{Thinks: new(false)}, `.models/x: is written without`},
		{"", ThinkingSettings{Thinks: new(false)}, `.: is empty`},
	} {
		s := Defaults()
		s.Alias = map[string]string{"gpt": "gemini-2.5-pro"}
		s.Thinking = map[string]ThinkingSettings{c.name: c.row}
		_, err := New(s)
		if err == nil || !strings.HasPrefix(err.Error(), "models.thinking"+c.says) {
			t.Errorf("%q %+v: %v, want %s", c.name, c.row, err, c.says)
		}
	}
}
