package apikey

import (
	"cmp"
	"math/bits"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"gcli2api/pipeline/models"
)

// costTable is the cost table at one time. It never changes.
type costTable struct {
	by   map[string]*basePrices // by base name
	rows []CostRow
}

// basePrices are what a base costs, and what its variants cost that have entries of their own.
type basePrices struct {
	plain    *Cost
	variants []variant // in the order in which they are tried
}

// variant is an entry for all names that ask for these features, whatever else they ask for.
type variant struct {
	features models.Features
	cost     Cost
}

// asks counts what a name must ask for. Of the entries that fit a name the one with the most holds, and of
// several such the dearest: nobody gets round a price by asking for one thing more.
func (v *variant) asks() int { return bits.OnesCount8(uint8(v.features)) }

func (v *variant) fits(m *models.Model) bool { return m.Features.Has(v.features) }

// find gives the entry for a model, nil where there is none. double tells that it says nothing of the
// anti-truncation that the model asks for.
func (t *costTable) find(m *models.Model) (cost *Cost, listed, double bool) {
	double = m.Features.Has(models.AntiTruncation)
	p := t.by[m.Base]
	if p == nil {
		return nil, false, double
	}
	for i := range p.variants {
		if v := &p.variants[i]; v.fits(m) {
			return &v.cost, true, double && !v.features.Has(models.AntiTruncation)
		}
	}
	return p.plain, p.plain != nil, double
}

// tokens gives the entry for a model that says what its tokens cost.
func (t *costTable) tokens(m *models.Model) *Cost {
	p := t.by[m.Base]
	if p == nil {
		return nil
	}
	for i := range p.variants {
		if v := &p.variants[i]; v.fits(m) && v.cost.ofTokens() {
			return &v.cost
		}
	}
	if p.plain != nil && p.plain.ofTokens() {
		return p.plain
	}
	return nil
}

// ofTokens tells a cost that says what tokens cost, be it nothing. No cost that is built in does.
func (c *Cost) ofTokens() bool { return c.In != 0 || c.Out != 0 || c.Units == 0 }

// tableOf makes the table of what is built in and what an operator set, by costID.
func tableOf(own map[string]Cost) *costTable {
	t := &costTable{by: make(map[string]*basePrices, len(own)+4)}
	for _, name := range builtInNames() {
		if _, changed := own[name]; !changed {
			units, _ := builtIn(name)
			t.add(CostRow{Cost: Cost{Units: units}}, models.Model{Base: name})
		}
	}
	for id, cost := range own {
		t.add(CostRow{Own: true, Cost: cost}, modelOf(id))
	}
	for _, p := range t.by {
		slices.SortFunc(p.variants, func(a, b variant) int {
			return cmp.Or(cmp.Compare(b.asks(), a.asks()), cmp.Compare(b.cost.Units, a.cost.Units))
		})
	}
	slices.SortFunc(t.rows, func(a, b CostRow) int { return cmp.Compare(a.Name, b.Name) })
	return t
}

func (t *costTable) add(row CostRow, m models.Model) {
	row.Name = m.Canonical()
	t.rows = append(t.rows, row)
	p := t.by[m.Base]
	if p == nil {
		p = &basePrices{}
		t.by[m.Base] = p
	}
	if m.Features == 0 {
		p.plain = &row.Cost
		return
	}
	p.variants = append(p.variants, variant{m.Features, row.Cost})
}

// costID is the id of an entry's document: the base name and, behind a space, which no base has, the features
// in one order. So it means the same whatever the table of known models says later.
func costID(m models.Model) string {
	id := m.Base
	if m.Features != 0 {
		id += " " + m.Features.String()
	}
	return id
}

// modelOf reads a costID.
func modelOf(id string) models.Model {
	base, rest, _ := strings.Cut(id, " ")
	m := models.Model{Base: base}
	for word := range strings.FieldsSeq(rest) {
		for _, f := range [...]models.Features{models.FakeStream, models.AntiTruncation} {
			if word == f.String() {
				m.Features |= f
			}
		}
	}
	return m
}

// nameable tells a base name that can stand in the table.
func nameable(base string) bool {
	return utf8.ValidString(base) && !strings.ContainsFunc(base, func(r rune) bool {
		return r == '*' || unicode.IsSpace(r) || unicode.IsControl(r)
	})
}
