package models

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// part is something that a name can ask for, in every form there is.
type part struct {
	forms []string // with "/" at the end it is a prefix
	set   func(*Model)
}

// parts are all of them, one of each kind.
func parts() []part {
	return []part{
		{forms: []string{"假流式/", "fake-stream/", "-假流式", "-fake-stream"}, set: func(m *Model) { m.Features |= FakeStream }},
		{forms: []string{"流式抗截断/", "抗截断/", "anti-truncation/", "-流式抗截断", "-抗截断", "-anti-truncation"}, set: func(m *Model) { m.Features |= AntiTruncation }},
		{forms: []string{"-search"}, set: func(m *Model) { m.Features |= Search }},
		{forms: []string{"-4k"}, set: func(m *Model) { m.Picture.Size = "4K" }},
		{forms: []string{"-16x9"}, set: func(m *Model) { m.Picture.Ratio = "16:9" }},
	}
}

// ways are the suffixes of thinking.
func ways() map[string]func(*Model) {
	out := map[string]func(*Model){"": func(*Model) {}, "-thinking-512": func(m *Model) { m.Thinking, m.Budget, m.HasBudget = On, 512, true }}
	for t := Off; t <= Full; t++ {
		out[t.String()] = func(m *Model) { m.Thinking = t }
	}
	return out
}

// orders gives every order of the elements.
func orders(list []string) (all [][]string) {
	if len(list) < 2 {
		return [][]string{list}
	}
	for i, first := range list {
		for _, rest := range orders(slices.Delete(slices.Clone(list), i, i+1)) {
			all = append(all, append([]string{first}, rest...))
		}
	}
	return all
}

// around puts tokens around a base, each on its side.
func around(base string, tokens []string) string {
	before, behind := "", ""
	for _, t := range tokens {
		if strings.HasSuffix(t, "/") {
			before += t
		} else {
			behind += t
		}
	}
	return before + base + behind
}

// choices gives every way to take one form, or none, of each part.
func choices(list []part) (all [][]int) {
	if len(list) == 0 {
		return [][]int{nil}
	}
	for _, rest := range choices(list[1:]) {
		for form := -1; form < len(list[0].forms); form++ {
			all = append(all, append([]int{form}, rest...))
		}
	}
	return all
}

// TestEveryCombinationInEveryOrder: what a name asks for does not hang on the order in which it asks,
// nor on the forms. A known base, one that ends like a suffix, an unknown one, an alias and a name that a
// pattern catches are all the same in this.
func TestEveryCombinationInEveryOrder(t *testing.T) {
	s := Defaults()
	s.ImageSuffixes = true
	s.Known = append(s.Known, "gemini-3-image-max")
	s.Alias = map[string]string{"banana": "gemini-3-pro-image", "art-*": "gemini-3-pro-image"}
	c := catalogue(t, s)
	all, names := parts(), 0
	for base, reads := range map[string]string{
		"gemini-3-pro-image": "gemini-3-pro-image", "gemini-3-image-max": "gemini-3-image-max", "gemini-9-image-exp": "gemini-9-image-exp",
		"banana": "gemini-3-pro-image", "art-deco": "gemini-3-pro-image",
	} {
		for way, think := range ways() {
			for _, choice := range choices(all) {
				want := Model{Base: reads}
				think(&want)
				var tokens []string
				if way != "" {
					tokens = append(tokens, way)
				}
				for i, form := range choice {
					if form >= 0 {
						tokens = append(tokens, all[i].forms[form])
						all[i].set(&want)
					}
				}
				if names++; way != "" && way != "-max" && way != "-thinking-512" && names%7 != 0 && len(tokens) > 3 {
					continue // of the long ones a seventh for the ways that are read alike
				}
				for _, order := range orders(tokens) {
					name := around(base, order)
					got := c.Parse(name)
					if got.Check() != nil {
						t.Fatalf("%s is refused: %v", name, got.Check())
					}
					back := c.Parse(got.Canonical())
					got.Asked, got.alias, back.Asked = "", "", ""
					if got != want || back != want {
						t.Fatalf("%s is read as %+v and back as %+v, not as %+v", name, got, back, want)
					}
				}
			}
		}
	}
	if names < 5*10*5*7*2*2*2 {
		t.Errorf("only %d combinations", names)
	}
}

// TestTwoOfASort: every pair of suffixes that exclude each other is refused, with both names in their
// order, whatever stands between.
func TestTwoOfASort(t *testing.T) {
	s := Defaults()
	s.ImageSuffixes = true
	c := catalogue(t, s)
	thinking := []string{"-thinking-512", "-thinking-0"}
	for w := Off; w <= Full; w++ {
		thinking = append(thinking, w.String())
	}
	for _, sort := range [][]string{thinking, {"-512", "-1k", "-2k", "-4k", "-8k"}, {"-1x1", "-16x9", "-9x16", "-7x3"}} {
		for _, a := range sort {
			for _, b := range sort {
				for _, between := range []string{"", "-search", "-假流式-抗截断"} {
					name := "gemini-3-pro-image" + a + between + b
					fail := c.Parse(name).Check()
					if a == b {
						if fail != nil {
							t.Errorf("%s: %v", name, fail)
						}
						continue
					}
					if want := fmt.Sprintf("asks for %q and for %q: one of them has to go", a, b); fail == nil || fail.Status != 400 || fail.Param != "model" || !strings.Contains(fail.Message, want) {
						t.Errorf("%s: %v does not say %s", name, fail, want)
					}
				}
			}
		}
	}
}

func TestWrote(t *testing.T) {
	s := Defaults()
	s.ImageSuffixes = true
	s.Alias = map[string]string{"deep": "gemini-2.5-pro-maxthinking-search", "claude-*": "gemini-2.5-flash"}
	c := catalogue(t, s)
	for _, row := range []struct {
		name     string
		f        Features
		thinking bool
		want     string
	}{
		{"假流式／gemini-2.5-pro", FakeStream, true, "假流式／"},
		{"假流式/gemini-2.5-pro", FakeStream, true, "假流式/"},
		{"models/fake-stream/gemini-2.5-pro", FakeStream | Search, true, "fake-stream/"},
		{" 假流式/ 抗截断/x-search -low ", FakeStream | AntiTruncation | Search, false, "假流式/ 抗截断/ -search"},
		{"假流式/x-fake-stream", FakeStream, false, "假流式/ -fake-stream"},
		{"x-抗截断-thinking-7-search", AntiTruncation, true, "-thinking-7 -抗截断"},
		{"x-search-low", 0, true, "-low"},
		{"x-4k-search", Search, false, "-search"}, // -4k is part of the name
		{"gemini-3-pro-image-search-4k", Search, false, "-search"},
		{"deep-假流式", Search | FakeStream, true, "-假流式"},
		{"claude-x-search", Search, false, "-search"},
		{"x", FakeStream | AntiTruncation | Search, true, ""},
		{"", Search, true, ""},
	} {
		if got := strings.Join(c.Parse(row.name).Wrote(row.f, row.thinking), " "); got != row.want {
			t.Errorf("%q: %q, want %q", row.name, got, row.want)
		}
	}
	if a := c.Parse("抗截断/claude-x-max").Alias(); a != "claude-x" {
		t.Errorf("alias %q", a)
	}
}
