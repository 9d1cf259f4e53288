// Package models knows the names of models: the grammar that clients write, the table of known
// ones with their limits, aliases, and what the listing shows.
//
// A name that is not in the table is not an error: it goes up unchanged but for its features, and
// Google answers for it. The table protects names from the grammar, fills the listing and gives
// limits; it never decides who may be called.
package models

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// The limits of a known model that names none of its own.
const (
	DefaultInput  = 1_048_576
	DefaultOutput = 65_536
)

// The values of Settings.Listing.
const (
	ListBase     = "base"          // the bases alone
	ListFeatures = "base+features" // each base, and each base with each single feature
	ListAll      = "all"           // every sensible combination
)

// Settings is the [models] table.
type Settings struct {
	Known   []string          `koanf:"known"`   // what is listed, in this order, without "models/"
	Limits  map[string]Limits `koanf:"limits"`  // for known names that differ from the defaults
	Alias   map[string]string `koanf:"alias"`   // name asked for, or a glob -> name called, which may carry features
	Listing string            `koanf:"listing"` // ListBase, ListFeatures or ListAll

	Fallback map[string]string           `koanf:"fallback"` // base -> base of the model to ask when that one cannot serve
	Thinking map[string]ThinkingSettings `koanf:"thinking"` // for models that think other than their family

	Live          bool `koanf:"live"`           // what Google lists besides is known too
	ImageSuffixes bool `koanf:"image_suffixes"` // names of image models may end in a size and a ratio
}

// Limits is what the listing says of one known model. Zero means the default.
type Limits struct {
	Display string `koanf:"display"` // name for people
	Input   int    `koanf:"input"`   // tokens
	Output  int    `koanf:"output"`  // tokens
}

// Defaults is the table when the configuration says nothing: the names that the product we
// replace documented and the ones its last version served.
func Defaults() Settings {
	return Settings{
		Known: []string{
			"gemini-2.5-pro", "gemini-2.5-pro-preview-06-05", "gemini-2.5-pro-preview-05-06",
			"gemini-2.5-flash", "gemini-2.5-flash-image",
			"gemini-3-flash-preview", "gemini-3.1-pro-preview", "gemini-3.1-flash-lite", "gemini-3.5-flash",
			"gemini-3-pro-image", "gemini-3.1-flash-image",
			"gemini-embedding-001",
		},
		Limits:  map[string]Limits{},
		Alias:   map[string]string{},
		Listing: ListFeatures,

		Fallback: map[string]string{},
	}
}

// Catalogue is a checked [models] table. It never changes after New and may be shared; only the list
// of Google behind it does.
type Catalogue struct {
	bases    []Entry
	index    map[string]int   // base -> place in bases
	alias    map[string]Model // alias -> its target, parsed
	globs    []glob           // in the order in which they are tried
	listing  string
	live     *Live // nil without the setting
	pictures bool  // image_suffixes

	fallback map[string]string
	thinking map[string]ThinkingRow // base -> how it thinks: the known ones and those of [models.thinking]
}

// New checks the table. The error is Problems: everything that is wrong, and what would be right.
func New(s Settings) (*Catalogue, error) {
	c := &Catalogue{index: map[string]int{}, alias: map[string]Model{}, listing: s.Listing, pictures: s.ImageSuffixes}
	if s.Live {
		c.live = &Live{}
	}
	var wrong Problems
	switch s.Listing {
	case "":
		c.listing = ListFeatures
	case ListBase, ListFeatures, ListAll:
	default:
		wrong.add(fmt.Errorf("must be one of %q, %q, %q, got %q", ListBase, ListFeatures, ListAll, s.Listing), "listing")
	}
	for i, name := range s.Known {
		wrong.add(c.add(name), "known", strconv.Itoa(i))
	}
	for _, name := range slices.Sorted(maps.Keys(s.Limits)) {
		wrong.add(c.limit(name, s.Limits[name]), "limits", name)
	}
	c.link(s.Alias, &wrong)
	c.fallBack(s.Fallback, &wrong)
	c.think(s.Thinking, &wrong)
	if len(wrong) > 0 {
		return nil, wrong
	}
	return c, nil
}

// With gives the catalogue the list of Google to look at, if the settings ask for it; it is for the
// time before the catalogue is used.
func (c *Catalogue) With(l *Live) *Catalogue {
	if c.live != nil && l != nil {
		c.live = l
	}
	return c
}

// Live tells whether names are looked up in the list of Google too.
func (c *Catalogue) Live() bool { return c.live != nil }

func (c *Catalogue) add(name string) error {
	if err := plain(name); err != nil {
		return fmt.Errorf("%q %w", name, err)
	}
	if _, twice := c.index[name]; twice {
		return fmt.Errorf("%q is there twice", name)
	}
	c.index[name] = len(c.bases)
	c.bases = append(c.bases, entry(name))
	return nil
}

// entry is what is known of a model by its name alone.
func entry(name string) Entry {
	e := Entry{Name: name, Base: name, Input: DefaultInput, Output: DefaultOutput, Family: FamilyOf(name), Embeds: Embeds(name)}
	if e.Embeds {
		e.Input, e.Output = 2048, 1 // what Google's own listing says of them
	}
	return e
}

func (c *Catalogue) limit(name string, l Limits) error {
	i, known := c.index[name]
	if !known {
		return errors.New("is not in models.known")
	}
	if l.Input < 0 || l.Output < 0 {
		return errors.New("input and output are numbers of tokens, 0 means the default")
	}
	e := &c.bases[i]
	e.Display = l.Display
	if l.Input > 0 {
		e.Input = l.Input
	}
	if l.Output > 0 {
		e.Output = l.Output
	}
	return nil
}

// plain tells what keeps s from being the name of a model in the table.
func plain(s string) error {
	switch {
	case s == "":
		return errors.New("is empty")
	case strings.HasPrefix(s, "models/"):
		return errors.New(`is written without "models/"`)
	case strings.Contains(s, "*"):
		return errors.New(`has a "*" in it: only models.alias takes patterns`)
	case strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		return errors.New("has a space or a control character in it")
	}
	return nil
}
