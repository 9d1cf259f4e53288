package models

import (
	"cmp"
	"strconv"
	"strings"

	"gcli2api/pipeline/apierror"
)

// Model is a name as a client wrote it, taken apart.
type Model struct {
	Asked    string   // as the client wrote it, surrounding spaces off; shown back in answers
	Base     string   // what goes upstream; empty only if Asked is
	Features Features // what the prefixes and suffixes ask for
	Thinking Thinking // the outermost thinking suffix

	Budget    int  // tokens of `-thinking-8192`; Thinking is On then
	HasBudget bool // Budget was written, be it 0

	Picture Picture // the size and the ratio of `-2k-16x9`; only of image models, by a setting

	alias string    // what stood in the place of Base, when it is the target of an alias
	clash [2]string // two suffixes that exclude each other
}

// Features is a set of what a name can ask for besides thinking.
type Features uint8

// The features. Each is the business of one optional stage.
const (
	FakeStream     Features = 1 << iota // 假流式: one plain call, cut into events
	AntiTruncation                      // 流式抗截断: go on where a stream was cut
	Search                              // -search: grounding with Google Search
)

// Has tells whether every feature of g is in f.
func (f Features) Has(g Features) bool { return f&g == g }

// String is for messages: the suffix forms, in a fixed order.
func (f Features) String() string {
	var names []string
	if f.Has(FakeStream) {
		names = append(names, "-fake-stream")
	}
	if f.Has(AntiTruncation) {
		names = append(names, "-anti-truncation")
	}
	if f.Has(Search) {
		names = append(names, "-search")
	}
	return strings.Join(names, " ")
}

// Thinking is what a suffix says about thinking. What it comes to depends on the family; full and
// max differ from generation 3 on, which is why they are two.
type Thinking uint8

// The thinking suffixes.
const (
	None    Thinking = iota // no suffix: the request or the default decides
	Off                     // -nothinking
	On                      // -think, or -thinking-<tokens> with a budget
	Minimal                 // -minimal
	Low                     // -low
	Medium                  // -medium
	High                    // -high
	Max                     // -max
	Full                    // -maxthinking
)

// String is the suffix, "" for None.
func (t Thinking) String() string {
	return [...]string{"", "-nothinking", "-think", "-minimal", "-low", "-medium", "-high", "-max", "-maxthinking"}[t]
}

// Parse takes a name apart. It knows no errors: what the grammar does not know is part of the
// base. Percent-decoding is the server's matter. A name that contradicts itself parses too (the
// outermost suffix counts); Check tells.
func (c *Catalogue) Parse(name string) Model { return c.read(strings.TrimSpace(name)) }

// read takes sizes and ratios of pictures off only where they turn out to be those of an image model.
func (c *Catalogue) read(asked string) Model {
	m := c.parse(asked, c.pictures)
	if m.Picture != (Picture{}) && FamilyOf(m.Base).Line != Image {
		m = c.parse(asked, false)
	}
	return m
}

// Check refuses a name with two suffixes that exclude each other (of thinking, of the size or the
// ratio of a picture), naming both. nil is fine.
func (m Model) Check() *apierror.Error {
	if m.clash[0] == "" {
		return nil
	}
	return apierror.Newf(apierror.BadRequest, "model %q asks for %q and for %q: one of them has to go",
		m.Asked, m.clash[0], m.clash[1]).Naming("model")
}

// Canonical writes the model in the one order and form that listings and price tables use:
// prefixes, base, thinking, search, size, ratio. Parse reads it back to the same parts.
func (m Model) Canonical() string {
	if m.Features == 0 && m.Thinking == None && m.Picture == (Picture{}) {
		return m.Base
	}
	b := make([]byte, 0, len(m.Base)+64)
	if m.Features.Has(FakeStream) {
		b = append(b, "假流式/"...)
	}
	if m.Features.Has(AntiTruncation) {
		b = append(b, "流式抗截断/"...)
	}
	b = append(b, m.Base...)
	if m.HasBudget {
		b = strconv.AppendInt(append(b, "-thinking-"...), int64(m.Budget), 10)
	} else {
		b = append(b, m.Thinking.String()...)
	}
	if m.Features.Has(Search) {
		b = append(b, "-search"...)
	}
	return string(m.Picture.appendTo(b))
}

// parse strips tokens until nothing is left to strip, or what is left stands in the table, and goes
// where an alias leads. Prefixes go first: they end in a slash, so no suffix can be hidden behind one,
// while taking suffixes first would eat into a known base that ends like one.
func (c *Catalogue) parse(name string, pictures bool) Model {
	m := Model{Asked: name, Base: name}
	for !c.fixed(m.Base) {
		rest, f := prefix(m.Base)
		if rest == "" {
			break
		}
		m.Base, m.Features = rest, m.Features|f
	}
	var first firsts
	var hit caught
	for !c.fixed(m.Base) {
		hit.offer(c.globs, &m)
		rest, t := suffix(m.Base, pictures)
		if rest == "" {
			break
		}
		m.add(&t, &first)
		m.Base = rest
	}
	if target, ok := c.alias[m.Base]; ok {
		m.follow(&target)
	} else if hit.by != nil && !c.fixed(m.Base) {
		m = hit.m
		m.follow(&hit.by.target)
	}
	return m
}

// firsts are the outermost suffixes as they are written, of which a name can have one each.
type firsts struct{ thinking, size, ratio string }

// add notes what a suffix asks for. The outermost one counts, which comes first.
func (m *Model) add(t *token, first *firsts) {
	m.Features |= t.feature
	if t.thinking != None {
		if first.thinking == "" {
			m.Thinking, m.Budget, m.HasBudget = t.thinking, t.budget, t.hasBudget
		}
		m.once(&first.thinking, t.text)
	}
	if t.picture.Size != "" {
		m.Picture.Size = cmp.Or(m.Picture.Size, t.picture.Size)
		m.once(&first.size, t.text)
	}
	if t.picture.Ratio != "" {
		m.Picture.Ratio = cmp.Or(m.Picture.Ratio, t.picture.Ratio)
		m.once(&first.ratio, t.text)
	}
}

// once notes a second suffix of a sort that says something else than the first.
func (m *Model) once(first *string, text string) {
	if *first == "" {
		*first = text
	} else if text != *first && m.clash[0] == "" {
		m.clash = [2]string{text, *first} // in the order of the name
	}
}

// Wrote gives the prefixes and suffixes of the name, as they are written, that ask for any of these
// features, or for a way to think. What the target of an alias asks for is not among them: Alias names
// that.
func (m Model) Wrote(f Features, thinking bool) (words []string) {
	end := cmp.Or(m.alias, m.Base) // where parse stopped
	name := m.Asked
	for name != end {
		rest, one := prefix(name)
		if rest == "" {
			break
		}
		if one&f != 0 {
			words = append(words, strings.TrimSpace(strings.TrimSuffix(name, rest)))
		}
		name = rest
	}
	for name != end {
		rest, t := suffix(name, true)
		if rest == "" {
			break
		}
		if t.feature&f != 0 || thinking && t.thinking != None {
			words = append(words, t.text)
		}
		name = rest
	}
	return words
}

// Alias is the alias by which Base was found, "" for none.
func (m Model) Alias() string { return m.alias }

// fixed tells that a table protects this name from the grammar, and from patterns: that of the
// settings, or the list of Google.
func (c *Catalogue) fixed(name string) bool {
	if _, ok := c.index[name]; ok {
		return true
	}
	if _, ok := c.alias[name]; ok {
		return true
	}
	_, ok := c.live.lookup(name)
	return ok
}
