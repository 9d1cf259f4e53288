package models

import (
	"strings"
	"testing"
)

func TestFallback(t *testing.T) {
	s := Defaults()
	s.Alias = map[string]string{"gpt-4o": "gemini-2.5-pro", "claude-*": "gemini-2.5-pro"}
	s.Known = append(s.Known, "mine-low") // protected from the grammar
	s.Fallback = map[string]string{"gemini-2.5-pro": "gemini-2.5-flash", "gemini-2.5-flash": "gemini-2.5-pro", "unheard": "of", "mine-low": "gemini-2.5-pro"}
	c := catalogue(t, s)
	for from, to := range map[string]string{"gemini-2.5-pro": "gemini-2.5-flash", "gemini-2.5-flash": "gemini-2.5-pro", "unheard": "of", "mine-low": "gemini-2.5-pro",
		"": "", "gemini-2.5": "", "gpt-4o": ""} {
		if got, ok := c.Fallback(from); got != to || ok != (to != "") {
			t.Errorf("%q: %q, %v", from, got, ok)
		}
	}
	if _, ok := catalogue(t, Defaults()).Fallback("gemini-2.5-pro"); ok {
		t.Error("there is a fallback by default")
	}
	for _, row := range []struct{ from, to, want string }{
		{"", "b", `.: is empty`},
		{"a", "", `.a: leads to "", which is empty`},
		{"a", "a", `.a: leads to itself`},
		{"models/a", "b", `without "models/"`},
		{"gemini-3*", "b", `has a "*" in it`},
		{"a", "b c", "has a space"},
		{"a-search", "b", `.a-search: asks for a feature: name the base, "a"`},
		{"a", "b-thinking-512", `.a: leads to "b-thinking-512", which asks for a feature: name the base, "b"`},
		{"a", "假流式/b", `asks for a feature`},
		{"gpt-4o", "b", `.gpt-4o: is an alias: name its target`},
		{"a", "gpt-4o", `.a: leads to "gpt-4o", which is an alias: name its target`},
		{"claude-x", "b", `.claude-x: is taken by a pattern of models.alias: name its target, "gemini-2.5-pro", or put it into models.known`},
		{"gemini-embedding-001", "b", "makes embeddings: vectors of another model are no substitute"},
		{"a", "gemini-embedding-001", "makes embeddings"},
	} {
		s.Fallback = map[string]string{row.from: row.to}
		if c, err := New(s); err == nil || c != nil || !strings.HasPrefix(err.Error(), "models.fallback."+row.from+": ") || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%q to %q: error %v does not say %q", row.from, row.to, err, row.want)
		}
	}
}
