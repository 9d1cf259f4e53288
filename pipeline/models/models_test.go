package models

import (
	"strings"
	"testing"
)

func TestNewRefuses(t *testing.T) {
	known := func(k ...string) Settings { return Settings{Known: k} }
	limits := func(name string, l Limits) Settings {
		return Settings{Known: []string{"a"}, Limits: map[string]Limits{name: l}}
	}
	alias := func(from, to string) Settings {
		return Settings{Known: []string{"a"}, Alias: map[string]string{from: to, "taken": "a"}}
	}
	for _, row := range []struct {
		s    Settings
		want string
	}{
		{Settings{Listing: "some"}, `models.listing: must be one of "base", "base+features", "all", got "some"`},
		{known("a", ""), `models.known.1: "" is empty`},
		{known("a", "a"), `models.known.1: "a" is there twice`},
		{known("models/a"), `without "models/"`},
		{known("a b"), "a space"},
		{limits("a", Limits{Input: -1}), `models.limits.a: input and output are numbers of tokens`},
		{limits("b", Limits{}), `models.limits.b: is not in models.known`},
		{alias("b", " "), `models.alias.b: leads to no name`},
		{alias("", "a"), `models.alias.: is empty`},
		{known("gemini-*"), `models.known.0: "gemini-*" has a "*" in it: only models.alias takes patterns`},
		{alias("models/*", "a"), `models.alias.models/*: is written without "models/"`},
		{alias("a *", "a"), `models.alias.a *: has a space`},
		{alias("gpt-*", "a-*"), `models.alias.gpt-*: leads to "a-*": a target is one name`},
		{alias("gpt-*", "taken-low"), `models.alias.gpt-*: leads to "taken", which is an alias itself`},
		{alias("gpt-*", "gpt-9"), `models.alias.gpt-*: leads to "gpt-9", which "gpt-*" would lead on: put it into models.known`},
		{alias("*", "gpt-9"), `models.alias.*: leads to "gpt-9", which "*" would lead on`},
		{Settings{Alias: map[string]string{"x": "gpt-9-search", "gpt-*": "b"}}, `models.alias.x: leads to "gpt-9", which "gpt-*" would lead on`},
		{alias("gpt-*", "a-low-high"), `models.alias.gpt-*: model "a-low-high" asks for "-low" and for "-high"`},
		{alias("b", "taken"), `models.alias.b: leads to "taken", which is an alias itself`},
		{alias("b", "假流式/b"), `models.alias.b: leads to "b", which is an alias itself`},
		{alias("b", "a-low-high"), `"-low"`},
	} {
		if c, err := New(row.s); err == nil || c != nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%+v: error %v does not say %q", row.s, err, row.want)
		}
	}
}

// Whoever mends a file wants all that is wrong with it, and nothing that is wrong only because of that.
func TestNewSaysEverythingThatIsWrong(t *testing.T) {
	s := Settings{Known: []string{"a", "b c"}, Listing: "some", Alias: map[string]string{"x": " ", "y": "a", "z*": "y"},
		Fallback: map[string]string{"a": "a", "b": "y"}, Thinking: map[string]ThinkingSettings{"p": {Min: num(-1)}, "q": {Thinks: new(false)}, "r": {Thinks: new(true)}}}
	_, err := New(s)
	wrong, _ := err.(Problems)
	var at []string
	for _, p := range wrong {
		at = append(at, strings.Join(p.At, " "))
	}
	if got, want := strings.Join(at, ", "), "listing, known 1, alias x, alias z*, fallback a, fallback b, thinking p min, thinking r thinks"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if got := strings.Count(err.Error(), "\n"); got != len(wrong)-1 {
		t.Errorf("not one line each: %v", err)
	}
}

func TestAliases(t *testing.T) {
	c := catalogue(t, Settings{Known: []string{"a"}, Alias: map[string]string{"x": "a-search", "y*": "假流式/a"}})
	all := c.Aliases()
	if len(all) != 2 || all["x"].Features != Search || all["y*"].Features != FakeStream || all["y*"].Base != "a" {
		t.Errorf("%+v", all)
	}
	delete(all, "x")
	if c.Parse("x").Base != "a" {
		t.Error("the catalogue can be changed from outside")
	}
}

func TestDefaults(t *testing.T) {
	c := catalogue(t, Defaults())
	for _, name := range []string{
		"gemini-2.5-pro", "gemini-2.5-pro-preview-06-05", "gemini-2.5-pro-preview-05-06", "gemini-2.5-flash", "gemini-2.5-flash-image",
		"gemini-3-flash-preview", "gemini-3.1-pro-preview", "gemini-3.1-flash-lite", "gemini-3.5-flash",
	} {
		if e, ok := c.Lookup(name); !ok || e.Input != 1048576 || e.Output != 65536 || e.Base != name {
			t.Errorf("%s: %+v %v", name, e, ok)
		}
	}
	if _, ok := c.Lookup("gemini-9"); ok {
		t.Error("an unknown base was found")
	}
	own := catalogue(t, Settings{Known: []string{"a"}, Limits: map[string]Limits{"a": {Display: "A", Input: 5}}})
	if e, _ := own.Lookup("a"); e.Input != 5 || e.Output != DefaultOutput || e.Display != "A" {
		t.Errorf("limits of a row: %+v", e)
	}
}

func TestFamilyOf(t *testing.T) {
	for name, want := range map[string]Family{
		"gemini-2.5-pro":                     {Pro, 2, 5},
		"gemini-2.5-pro-preview-06-05":       {Pro, 2, 5},
		"gemini-2.5-flash":                   {Flash, 2, 5},
		"gemini-2.5-flash-lite":              {FlashLite, 2, 5},
		"gemini-2.5-flash-image-preview":     {Image, 2, 5},
		"gemini-3-flash-preview":             {Flash, 3, 0},
		"gemini-3-pro-image":                 {Image, 3, 0},
		"gemini-3.1-pro-preview-customtools": {Pro, 3, 1},
		"gemini-3.1-flash-lite":              {FlashLite, 3, 1},
		"gemini-flash-latest":                {Flash, 0, 0},
		"gemini-2.5-flash-preview-tts":       {OtherLine, 2, 5},
		"gemini-3-promo":                     {OtherLine, 3, 0},
		"gemma-4-31b-it":                     {},
		"text-lite":                          {},
		"":                                   {},
	} {
		if got := FamilyOf(name); got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
}

func TestOffers(t *testing.T) {
	for name, want := range map[string]string{
		"gemini-2.5-pro":         "-nothinking -minimal -low -medium -high -max -maxthinking",
		"gemini-2.5-flash":       "-nothinking -minimal -low -medium -high -max -maxthinking",
		"gemini-3-pro-preview":   "-nothinking -low -high -maxthinking",
		"gemini-3.1-pro-preview": "-nothinking -low -medium -high -maxthinking",
		"gemini-3.1-flash-lite":  "-nothinking -minimal -low -medium -high -maxthinking",
		"gemini-2.5-flash-image": "",
		"gemini-2.0-flash":       "",
		"gemma-4-31b-it":         "",
	} {
		var got []string
		for s := None; s <= Full; s++ {
			if FamilyOf(name).Offers(s) {
				got = append(got, s.String())
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s offers %v, want %s", name, got, want)
		}
	}
	if FamilyOf("gemini-2.5-pro").ByLevel() || !FamilyOf("gemini-3.5-flash").ByLevel() || FamilyOf("gemma-3").ByLevel() {
		t.Error("levels begin with generation 3")
	}
}
