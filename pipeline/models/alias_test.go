package models

import (
	"strings"
	"testing"
	"time"
)

func TestPatterns(t *testing.T) {
	for pattern, names := range map[string][2]string{ // what it takes, what it does not
		"*":           {"x gemini", ""},
		"claude-*":    {"claude- claude-x claude-3-5-sonnet", "claude Claude-x aclaude-x"},
		"*-exp":       {"-exp a-exp -exp-exp", "exp a-exp1"},
		"gpt-*-mini":  {"gpt-4o-mini gpt--mini gpt-a-mini-mini", "gpt-mini gpt-4o-mini-x gpt-4o"},
		"a*b*c":       {"abc axbxc abbcc abcbc", "ab acb abcd"},
		"*o*o*":       {"oo foot oxo", "o fo"},
		"**":          {"x", ""},
		"快*":          {"快 快速", "速快"},
		"openai/gpt*": {"openai/gpt-4", "openai/x"},
	} {
		g := glob{pattern: pattern}
		for i, want := range []bool{true, false} {
			for _, name := range strings.Fields(names[i]) {
				if g.matches(name) != want {
					t.Errorf("%s takes %s: %v", pattern, name, !want)
				}
			}
		}
	}
	long := glob{pattern: strings.Repeat("*a", 100) + "*b"}
	if begun := time.Now(); long.matches(strings.Repeat("a", 1<<20)) || time.Since(begun) > 5*time.Second {
		t.Errorf("took %v", time.Since(begun))
	}
}

func TestGlobs(t *testing.T) {
	s := Defaults()
	s.Live = true
	s.Alias = map[string]string{
		"gpt-4o": "gemini-2.5-flash", "gpt-*": "gemini-2.5-pro", "gpt-5*": "gemini-3.5-flash", "gpt-?5": "gemini-2.5-flash",
		"claude-*": "假流式/gemini-2.5-pro-low", "*-haiku": "gemini-3.1-flash-lite", "qwen-*": "gemini-2.5-flash-search",
		"ab-*": "gemini-2.5-pro", "*-ab": "gemini-2.5-flash", "*-max": "gemini-3.1-pro-preview", "*": "gemini-3-flash-preview",
	}
	live := &Live{}
	c := catalogue(t, s).With(live)
	check := func(name string, want Model) {
		t.Helper()
		got := c.Parse(name)
		got.Asked, got.alias = "", ""
		if got != want {
			t.Errorf("%s\n got %+v\nwant %+v", name, got, want)
		}
	}
	for name, want := range map[string]Model{
		"gpt-4o":                  {Base: "gemini-2.5-flash"}, // the name itself
		"gpt-4o-mini":             {Base: "gemini-2.5-pro"},
		"gpt-5.1":                 {Base: "gemini-3.5-flash"}, // more characters
		"gpt-?5":                  {Base: "gemini-2.5-flash"}, // "?" stands for itself
		"gpt-x5":                  {Base: "gemini-2.5-pro"},
		"ab-x-ab":                 {Base: "gemini-2.5-flash"}, // a tie goes by name: "*" before "a"
		"claude-sonnet-4":         {Base: "gemini-2.5-pro", Features: FakeStream, Thinking: Low},
		"claude-sonnet-4-search":  {Base: "gemini-2.5-pro", Features: FakeStream | Search, Thinking: Low},
		"抗截断/claude-opus-high":    {Base: "gemini-2.5-pro", Features: FakeStream | AntiTruncation, Thinking: High},
		"models/claude-3-5-haiku": {Base: "gemini-2.5-pro", Features: FakeStream, Thinking: Low}, // 7 characters each, but claude-* has 7 and *-haiku 6
		"my-haiku":                {Base: "gemini-3.1-flash-lite"},
		"qwen-max":                {Base: "gemini-2.5-flash", Features: Search}, // "qwen" is no qwen-*, so -max is of the name
		"qwen-x-max":              {Base: "gemini-2.5-flash", Features: Search, Thinking: Max},
		"mistral-max":             {Base: "gemini-3.1-pro-preview"}, // a pattern of one's own for it
		"mistral-low":             {Base: "gemini-3-flash-preview", Thinking: Low},
		"gpt-5-high":              {Base: "gemini-3.5-flash", Thinking: High},
		"whatever":                {Base: "gemini-3-flash-preview"},
		"gemini-2.5-pro":          {Base: "gemini-2.5-pro"}, // known
		"gemini-2.5-pro-search":   {Base: "gemini-2.5-pro", Features: Search},
		"gemini-9":                {Base: "gemini-3-flash-preview"},
		"":                        {},
	} {
		check(name, want)
	}
	live.Set([]Served{{Name: "gemini-9"}, {Name: "claude-of-google-max"}})
	check("gemini-9", Model{Base: "gemini-9"})
	check("gemini-9-search", Model{Base: "gemini-9", Features: Search})
	check("claude-of-google-max", Model{Base: "claude-of-google-max"})
	check("claude-of-google-max-max", Model{Base: "claude-of-google-max", Thinking: Max})
	if _, ok := c.Lookup("claude-x"); ok {
		t.Error("a name that only a pattern takes was found")
	}
	without := catalogue(t, Settings{Alias: map[string]string{"claude-*": "b"}, Known: []string{"a"}}).With(live)
	if got := without.Parse("claude-of-google-max"); got.Base != "b" || without.Live() {
		t.Errorf("without the setting the list of Google counts: %+v", got)
	}
	for _, name := range []string{"claude-sonnet-4-search", "qwen-max", "gpt-4o", "gemini-9-low"} {
		if n := testing.AllocsPerRun(100, func() { c.Parse(name) }); n != 0 {
			t.Errorf("Parse(%q): %v allocations", name, n)
		}
	}
}

func TestLiveList(t *testing.T) {
	s := Settings{Known: []string{"gemini-2.5-pro"}, Limits: map[string]Limits{"gemini-2.5-pro": {Display: "Mine"}}, Live: true, Listing: ListFeatures}
	c := catalogue(t, s)
	names := func() string {
		var all []string
		for _, e := range c.List(Enabled{Features: Search}) {
			all = append(all, e.Name)
		}
		return strings.Join(all, " ")
	}
	if got := names(); got != "gemini-2.5-pro gemini-2.5-pro-search" {
		t.Errorf("before there is a list: %s", got)
	}
	live := &Live{}
	c.With(live)
	n := live.Set([]Served{
		{Name: "gemini-9-flash", Display: "Nine", Input: 5, Output: 6},
		{Name: "gemini-2.5-pro", Display: "Google's", Input: 1},
		{Name: "gemini-9-flash", Display: "again"}, {Name: "bad name"}, {Name: ""}, {Name: "models/x"},
		{Name: "vectors-2", Embeds: true}, {Name: "gemini-9-flash-vec", Embeds: true, Input: 9},
	})
	if n != 4 {
		t.Errorf("%d models", n)
	}
	if got := names(); got != "gemini-2.5-pro gemini-2.5-pro-search gemini-9-flash gemini-9-flash-search vectors-2 gemini-9-flash-vec" {
		t.Errorf("got %s", got)
	}
	if e, ok := c.Lookup("gemini-9-flash"); !ok || e.Display != "Nine" || e.Input != 5 || e.Output != 6 || e.Family.Line != Flash {
		t.Errorf("%+v %v", e, ok)
	}
	if e, _ := c.Lookup("gemini-2.5-pro"); e.Display != "Mine" || e.Input != DefaultInput {
		t.Errorf("a known name has what the settings say: %+v", e)
	}
	if e, _ := c.Lookup("vectors-2"); e.Input != DefaultInput || !strings.Contains(string(AppendModel(nil, e)), `"embedContent"`) {
		t.Errorf("%+v", e)
	}
	live.Set(nil)
	if got := names(); got != "gemini-2.5-pro gemini-2.5-pro-search" {
		t.Errorf("an empty list: %s", got)
	}
}

func TestPictureSuffixes(t *testing.T) {
	s := Defaults()
	s.ImageSuffixes = true
	s.Alias = map[string]string{"banana": "gemini-2.5-flash-image", "art-*": "gemini-3-pro-image-2k-16x9", "gemini-2.5-flash-image-preview": "gemini-2.5-flash-image"}
	on := catalogue(t, s)
	s.ImageSuffixes, s.Alias = false, nil
	off := catalogue(t, s)
	for name, want := range map[string]Model{
		"gemini-3-pro-image-4k":               {Base: "gemini-3-pro-image", Picture: Picture{Size: "4K"}},
		"gemini-3-pro-image-2K":               {Base: "gemini-3-pro-image", Picture: Picture{Size: "2K"}},
		"gemini-3-pro-image-1k-9x16":          {Base: "gemini-3-pro-image", Picture: Picture{"1K", "9:16"}},
		"gemini-3.1-flash-image-8x1-512":      {Base: "gemini-3.1-flash-image", Picture: Picture{"512", "8:1"}},
		"gemini-3-pro-image-16x9-search":      {Base: "gemini-3-pro-image", Features: Search, Picture: Picture{Ratio: "16:9"}},
		"gemini-3-pro-image-thinking-512":     {Base: "gemini-3-pro-image", Thinking: On, Budget: 512, HasBudget: true},
		"gemini-3-pro-image-thinking-512-512": {Base: "gemini-3-pro-image", Thinking: On, Budget: 512, HasBudget: true, Picture: Picture{Size: "512"}},
		"gemini-3-pro-image-8k-7x3":           {Base: "gemini-3-pro-image", Picture: Picture{"8k", "7x3"}}, // refused by who knows the model
		"banana-1x1":                          {Base: "gemini-2.5-flash-image", Picture: Picture{Ratio: "1:1"}},
		"art-nouveau":                         {Base: "gemini-3-pro-image", Picture: Picture{"2K", "16:9"}},
		"art-nouveau-4k":                      {Base: "gemini-3-pro-image", Picture: Picture{"4K", "16:9"}},
		"gemini-2.5-flash-image-preview-3x4":  {Base: "gemini-2.5-flash-image", Picture: Picture{Ratio: "3:4"}},
		// not of an image model, and no size or ratio
		"gemini-2.5-pro-4k":            {Base: "gemini-2.5-pro-4k"},
		"gemini-2.5-pro-4k-search":     {Base: "gemini-2.5-pro-4k", Features: Search},
		"x-16x9":                       {Base: "x-16x9"},
		"gemini-3-pro-image-k":         {Base: "gemini-3-pro-image-k"},
		"gemini-3-pro-image-x9":        {Base: "gemini-3-pro-image-x9"},
		"gemini-3-pro-image-100x9":     {Base: "gemini-3-pro-image-100x9"},
		"gemini-3-pro-image-16x9x1":    {Base: "gemini-3-pro-image-16x9x1"},
		"gemini-3-pro-image-16:9":      {Base: "gemini-3-pro-image-16:9"},
		"gemini-3-pro-image-1024x1024": {Base: "gemini-3-pro-image-1024x1024"},
	} {
		got := on.Parse(name)
		got.Asked, got.alias = "", ""
		if got != want {
			t.Errorf("%s\n got %+v\nwant %+v", name, got, want)
		}
		if got := off.Parse(name); got.Picture != (Picture{}) {
			t.Errorf("%s without the setting: %+v", name, got)
		}
	}
	if m := off.Parse("gemini-3-pro-image-4k"); m.Base != "gemini-3-pro-image-4k" {
		t.Errorf("without the setting: %+v", m)
	}
	for _, name := range []string{"gemini-3-pro-image-4k-16x9-search", "gemini-2.5-pro-4k"} {
		if n := testing.AllocsPerRun(100, func() { on.Parse(name) }); n != 0 {
			t.Errorf("Parse(%q): %v allocations", name, n)
		}
	}
	if got := on.Parse("art-x-search-low").Canonical(); got != "gemini-3-pro-image-low-search-2k-16x9" {
		t.Errorf("canonical %s", got)
	}
}
