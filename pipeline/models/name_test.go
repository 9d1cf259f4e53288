package models

import (
	"strings"
	"testing"
)

func catalogue(t testing.TB, s Settings) *Catalogue {
	t.Helper()
	c, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestParse(t *testing.T) {
	s := Defaults()
	s.Known = append(s.Known, "house-model-max", "fake-stream/odd")
	s.Alias = map[string]string{
		"old": "gemini-2.5-pro", "deep": "gemini-2.5-pro-maxthinking-search", "gemini-2.5-pro-preview-05-06": "gemini-2.5-pro",
	}
	c := catalogue(t, s)
	for _, row := range []struct {
		name string
		want Model // without Asked
	}{
		// behaviour, appendix A6
		{"流式抗截断/gemini-2.5-pro-maxthinking-search", Model{Base: "gemini-2.5-pro", Features: AntiTruncation | Search, Thinking: Full}},
		{"gemini-2.5-flash-假流式", Model{Base: "gemini-2.5-flash", Features: FakeStream}},
		{"假流式/流式抗截断/gemini-2.5-pro", Model{Base: "gemini-2.5-pro", Features: FakeStream | AntiTruncation}},
		{"models/gemini-2.5-pro", Model{Base: "gemini-2.5-pro"}},
		{"gemini-2.5-pro-preview-06-05-nothinking", Model{Base: "gemini-2.5-pro-preview-06-05", Thinking: Off}},
		// every token in both forms
		{"gemini-2.5-pro", Model{Base: "gemini-2.5-pro"}},
		{"抗截断/gemini-2.5-pro", Model{Base: "gemini-2.5-pro", Features: AntiTruncation}},
		{"fake-stream/gemini-2.5-pro", Model{Base: "gemini-2.5-pro", Features: FakeStream}},
		{"anti-truncation/gemini-2.5-pro", Model{Base: "gemini-2.5-pro", Features: AntiTruncation}},
		{"gemini-2.5-pro-流式抗截断", Model{Base: "gemini-2.5-pro", Features: AntiTruncation}},
		{"gemini-2.5-pro-抗截断", Model{Base: "gemini-2.5-pro", Features: AntiTruncation}},
		{"gemini-2.5-pro-fake-stream", Model{Base: "gemini-2.5-pro", Features: FakeStream}},
		{"gemini-2.5-pro-anti-truncation", Model{Base: "gemini-2.5-pro", Features: AntiTruncation}},
		{"gemini-2.5-pro-search", Model{Base: "gemini-2.5-pro", Features: Search}},
		{"gemini-2.5-pro-max", Model{Base: "gemini-2.5-pro", Thinking: Max}},
		{"gemini-2.5-pro-high", Model{Base: "gemini-2.5-pro", Thinking: High}},
		{"gemini-2.5-pro-medium", Model{Base: "gemini-2.5-pro", Thinking: Medium}},
		{"gemini-2.5-pro-low", Model{Base: "gemini-2.5-pro", Thinking: Low}},
		{"gemini-2.5-pro-minimal", Model{Base: "gemini-2.5-pro", Thinking: Minimal}},
		{"gemini-2.5-pro-think", Model{Base: "gemini-2.5-pro", Thinking: On}},
		{"gemini-2.5-pro-thinking-8192", Model{Base: "gemini-2.5-pro", Thinking: On, Budget: 8192, HasBudget: true}},
		{"gemini-2.5-pro-thinking-0", Model{Base: "gemini-2.5-pro", Thinking: On, HasBudget: true}},
		// order, repetition, space
		{"gemini-2.5-pro-search-假流式-low-流式抗截断", Model{Base: "gemini-2.5-pro", Features: FakeStream | AntiTruncation | Search, Thinking: Low}},
		{" models/假流式/models/gemini-2.5-pro-search ", Model{Base: "gemini-2.5-pro", Features: FakeStream | Search}},
		{"假流式/假流式/gemini-2.5-pro-search-search", Model{Base: "gemini-2.5-pro", Features: FakeStream | Search}},
		{"假流式/ gemini-2.5-pro -search", Model{Base: "gemini-2.5-pro", Features: FakeStream | Search}},
		{"gemini-2.5-pro-low-low", Model{Base: "gemini-2.5-pro", Thinking: Low}},
		// unknown bases, and what is no token
		{"gemini-9-ultra-search", Model{Base: "gemini-9-ultra", Features: Search}},
		{"meta/llama-70b", Model{Base: "meta/llama-70b"}},
		{"gemini-2.5-pro-SEARCH", Model{Base: "gemini-2.5-pro-SEARCH"}},
		{"gemini-2.0-flash-thinking-exp-1219", Model{Base: "gemini-2.0-flash-thinking-exp-1219"}},
		{"gemini-2.5-flash-thinking", Model{Base: "gemini-2.5-flash-thinking"}},
		{"gemini-2.5-pro-thinking-", Model{Base: "gemini-2.5-pro-thinking-"}},
		{"gemini-2.5-pro-thinking-8k", Model{Base: "gemini-2.5-pro-thinking-8k"}},
		{"gemini-2.5-pro-thinking-99999999", Model{Base: "gemini-2.5-pro", Thinking: On, Budget: 9_999_999, HasBudget: true}},
		{"gemini-2.5-pro-thinking-99999999999999999999999999", Model{Base: "gemini-2.5-pro", Thinking: On, Budget: 9_999_999, HasBudget: true}},
		{"假流式／流式抗截断/gemini-2.5-pro", Model{Base: "gemini-2.5-pro", Features: FakeStream | AntiTruncation}},
		{"流式抗截断／假流式／x", Model{Base: "x", Features: FakeStream | AntiTruncation}},
		{"其他／x", Model{Base: "其他／x"}},
		{"live-stream", Model{Base: "live-stream"}},
		{"-8192", Model{Base: "-8192"}},
		// never down to nothing
		{"", Model{}}, {"  ", Model{}},
		{"-search", Model{Base: "-search"}}, {"假流式/", Model{Base: "假流式/"}}, {"models/", Model{Base: "models/"}},
		{"假流式/-search", Model{Base: "-search", Features: FakeStream}},
		{"-thinking-1", Model{Base: "-thinking-1"}}, {"-fake-stream", Model{Base: "-fake-stream"}},
		// the table protects
		{"house-model-max", Model{Base: "house-model-max"}},
		{"假流式/house-model-max", Model{Base: "house-model-max", Features: FakeStream}},
		{"house-model-max-max", Model{Base: "house-model-max", Thinking: Max}},
		{"fake-stream/odd", Model{Base: "fake-stream/odd"}},
		// aliases
		{"old", Model{Base: "gemini-2.5-pro", alias: "old"}},
		{"假流式/old-low", Model{Base: "gemini-2.5-pro", alias: "old", Features: FakeStream, Thinking: Low}},
		{"deep", Model{Base: "gemini-2.5-pro", alias: "deep", Features: Search, Thinking: Full}},
		{"deep-low", Model{Base: "gemini-2.5-pro", alias: "deep", Features: Search, Thinking: Low}},
		{"gemini-2.5-pro-preview-05-06", Model{Base: "gemini-2.5-pro", alias: "gemini-2.5-pro-preview-05-06"}},
	} {
		row.want.Asked = strings.TrimSpace(row.name)
		if got := c.Parse(row.name); got != row.want {
			t.Errorf("Parse(%q)\n got %+v\nwant %+v", row.name, got, row.want)
		}
	}
}

func TestTwoThinkingSuffixesAreRefused(t *testing.T) {
	c := catalogue(t, Defaults())
	for name, names := range map[string][2]string{
		"gemini-2.5-pro-maxthinking-nothinking":    {`"-maxthinking"`, `"-nothinking"`},
		"gemini-2.5-pro-low-search-high":           {`"-low"`, `"-high"`},
		"gemini-2.5-pro-thinking-100-thinking-200": {`"-thinking-100"`, `"-thinking-200"`},
		"gemini-2.5-pro-max-假流式-maxthinking-抗截断":   {`"-max"`, `"-maxthinking"`},
	} {
		err := c.Parse(name).Check()
		if err == nil {
			t.Errorf("%s: not refused", name)
			continue
		}
		first, second := strings.Index(err.Message, names[0]+" and"), strings.Index(err.Message, names[1]+":")
		if err.Status != 400 || err.Param != "model" || first < 0 || second < first {
			t.Errorf("%s: %d %q does not name both in order", name, err.Status, err.Message)
		}
	}
	if m := c.Parse("gemini-2.5-pro-low-high"); m.Thinking != High || m.Base != "gemini-2.5-pro" {
		t.Errorf("the outermost suffix counts, got %+v", m)
	}
	for _, name := range []string{"gemini-2.5-pro", "gemini-2.5-pro-low-low", "", "gemini-2.5-pro-high-search"} {
		if err := c.Parse(name).Check(); err != nil {
			t.Errorf("%q refused: %v", name, err)
		}
	}
}

func TestParseAllocatesNothing(t *testing.T) {
	c := catalogue(t, Defaults())
	for _, name := range []string{"gemini-2.5-pro", "models/流式抗截断/gemini-2.5-pro-thinking-8192-search", "unknown-model-max"} {
		if n := testing.AllocsPerRun(100, func() { c.Parse(name) }); n != 0 {
			t.Errorf("Parse(%q): %v allocations", name, n)
		}
	}
}

// tables are catalogues with everything in them that changes how a name is read.
func tables(t testing.TB) map[string]*Catalogue {
	t.Helper()
	full := Defaults()
	full.Live, full.ImageSuffixes = true, true
	full.Alias = map[string]string{"*": "gemini-2.5-pro", "claude-*": "gemini-2.5-flash-low", "*-max": "gemini-3.5-flash-search",
		"banana": "gemini-3-pro-image-2k", "art-*": "gemini-3.1-flash-image-1x8", "x": "y"}
	full.Known = append(full.Known, "y")
	live := &Live{}
	live.Set([]Served{{Name: "own-model-max"}, {Name: "claude-of-google"}})
	return map[string]*Catalogue{"defaults": catalogue(t, Defaults()), "full": catalogue(t, full).With(live)}
}

// FuzzParse holds what must be true of every name, whatever the tables: a base has nothing left to
// strip, no name shrinks to nothing, and the canonical form means the same.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "models/", "流式抗截断/gemini-2.5-pro-maxthinking-search", "假流式/-search", "a-thinking-8192", "-", "a--search",
		"models/models/假流式/ x -low-high ", "-thinking--thinking-1-1", "a-fake-stream-anti-truncation", "fake-stream/anti-truncation/-stream",
		"banana-4k-16x9", "art-7-512-21x9-search", "gemini-3-pro-image-8K-7x3", "claude-x-4k", "own-model-max-max", "gemini-3-pro-image-thinking-512-1k", "q-max", "*",
	} {
		f.Add(seed)
	}
	all := tables(f)
	f.Fuzz(func(t *testing.T, name string) {
		for which, c := range all {
			m := c.Parse(name)
			if (m.Base == "") != (strings.TrimSpace(name) == "") {
				t.Fatalf("%s: %q has base %q", which, name, m.Base)
			}
			if again := c.Parse(m.Base); again != (Model{Asked: m.Base, Base: m.Base}) {
				t.Fatalf("%s: %q: base %q is not done: %+v", which, name, m.Base, again)
			}
			back := c.Parse(m.Canonical())
			back.Asked, m.Asked, m.clash, m.alias = "", "", [2]string{}, ""
			if back != m {
				t.Fatalf("%s: %q: canonical %q is read as %+v, not %+v", which, name, m.Canonical(), back, m)
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	c := catalogue(b, Defaults())
	for name, model := range map[string]string{
		"plain": "gemini-2.5-pro", "unknown": "gemini-9-ultra-exp", "full": "models/流式抗截断/gemini-2.5-pro-maxthinking-search",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.Parse(model)
			}
		})
	}
}
