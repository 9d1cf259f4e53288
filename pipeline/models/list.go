package models

import (
	"encoding/json"
	"strings"
)

// Entry is a model as a listing shows it.
type Entry struct {
	Name    string // what a client has to ask for, features included
	Base    string // without them
	Display string // for people; empty means Name
	Input   int    // tokens that go in
	Output  int    // tokens that come out
	Family  Family
	Embeds  bool // makes vectors and no words
}

// Enabled says which features have a stage that acts on them; others are not listed.
type Enabled struct {
	Features Features
	Thinking bool
}

// Lookup finds a base in the table, or in the list of Google. For an answer about a name with features
// put that name into Entry.Name; names that are in neither can be called all the same.
func (c *Catalogue) Lookup(base string) (Entry, bool) {
	i, ok := c.index[base]
	if !ok {
		return c.live.lookup(base)
	}
	return c.bases[i], true
}

// List gives the names to show, in the order of the table, each base before its variants, and behind
// them what Google lists besides. Aliases are not shown: they are there for clients that already know
// the old name. Sizes and ratios of pictures are not shown either: they are too many.
func (c *Catalogue) List(on Enabled) []Entry {
	list := make([]Entry, 0, len(c.bases)*8)
	for _, e := range c.bases {
		list = c.appendNames(list, e, on)
	}
	for _, e := range c.live.models() {
		if _, known := c.index[e.Base]; !known {
			list = c.appendNames(list, e, on)
		}
	}
	return list
}

// appendNames appends a base and its variants.
func (c *Catalogue) appendNames(list []Entry, e Entry, on Enabled) []Entry {
	list = append(list, e)
	if !e.Family.HasVariants() || e.Embeds {
		return list
	}
	for _, m := range c.variants(e, on) {
		m.Base = e.Base
		v := e
		v.Name, v.Display = m.Canonical(), "" // a display name would be the same for all of them
		list = append(list, v)
	}
	return list
}

func (c *Catalogue) variants(e Entry, on Enabled) []Model {
	switch c.listing {
	case ListFeatures:
		return singles(c.Thinking(e.Base).ThinkingLimits, on)
	case ListAll:
		return combinations(c.Thinking(e.Base).ThinkingLimits, on)
	}
	return nil
}

// singles is each feature alone. Of thinking only the two ends: a list with every level for every
// model is what people complained about.
func singles(l ThinkingLimits, on Enabled) (list []Model) {
	for _, feature := range []Features{FakeStream, AntiTruncation, Search} {
		if on.Features.Has(feature) {
			list = append(list, Model{Features: feature})
		}
	}
	for _, t := range []Thinking{Full, Off} {
		if on.Thinking && l.Offers(t) {
			list = append(list, Model{Thinking: t})
		}
	}
	return list
}

// combinations is every thinking suffix that the model offers, with and without search, each
// plain, faked and uncut. Faked and uncut together is accepted but not listed.
func combinations(l ThinkingLimits, on Enabled) (list []Model) {
	for _, how := range []Features{0, FakeStream, AntiTruncation} {
		for _, search := range []Features{0, Search} {
			if !on.Features.Has(how | search) {
				continue
			}
			for t := None; t <= Full; t++ {
				plain := how == 0 && search == 0 && t == None // the base itself
				if !plain && (t == None || on.Thinking && l.Offers(t)) {
					list = append(list, Model{Features: how | search, Thinking: t})
				}
			}
		}
	}
	return list
}

// record is a model in Gemini's listing, which is also the hub's.
type record struct {
	Name           string   `json:"name"`
	BaseModelID    string   `json:"baseModelId"`
	Version        string   `json:"version"`
	DisplayName    string   `json:"displayName"`
	Description    string   `json:"description"`
	Input          int      `json:"inputTokenLimit"`
	Output         int      `json:"outputTokenLimit"`
	Methods        []string `json:"supportedGenerationMethods"`
	Temperature    float64  `json:"temperature"`
	MaxTemperature float64  `json:"maxTemperature"`
	TopP           float64  `json:"topP"`
	TopK           int      `json:"topK"`
}

// AppendModel appends one model in the hub format.
func AppendModel(dst []byte, e Entry) []byte {
	name := strings.TrimPrefix(e.Name, "models/")
	r := record{
		Name: "models/" + name, BaseModelID: e.Base, Version: "001",
		DisplayName: e.Display, Description: "Gemini " + e.Base + " model",
		Input: e.Input, Output: e.Output,
		Methods:     []string{"generateContent", "streamGenerateContent", "countTokens"},
		Temperature: 1, MaxTemperature: 2, TopP: 0.95, TopK: 64,
	}
	if r.DisplayName == "" {
		r.DisplayName = name
	}
	if e.Embeds {
		r.Methods = []string{"embedContent", "batchEmbedContents"}
	}
	b, err := json.Marshal(r)
	if err != nil {
		panic(err) // strings and numbers always encode
	}
	return append(dst, b...)
}

// AppendList appends a listing in the hub format.
func AppendList(dst []byte, list []Entry) []byte {
	dst = append(dst, `{"models":[`...)
	for i, e := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendModel(dst, e)
	}
	return append(dst, `]}`...)
}
