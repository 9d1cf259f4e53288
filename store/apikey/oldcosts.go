package apikey

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"

	"gcli2api/pipeline/models"
	"gcli2api/store"
)

// oldCost is an entry of the old product's cost table.
type oldCost struct {
	model models.Model
	units int64
}

// allCosts brings the cost table in: what an operator has set here stays as it is, and what was deleted here
// stays deleted.
func (t *takeover) allCosts(ctx context.Context, data []byte, c *oldTally) error {
	for _, table := range oldTables(data) {
		if table.name != "model_costs" {
			continue
		}
		if table.err != nil {
			c.leave("line %d, model_costs: %v", table.line, table.err)
		}
		if err := t.costsOf(ctx, table, c); err != nil {
			return err
		}
	}
	return nil
}

func (t *takeover) costsOf(ctx context.Context, table *oldTable, c *oldTally) error {
	for _, one := range table.costs(c) {
		if err := t.cost(ctx, one, c); err != nil {
			return err
		}
	}
	return nil
}

// costs reads the entries. The old product wrote its whole built-in table at the first change: of models that
// cost here what they cost there, with all their variants, nothing is kept.
func (o *oldTable) costs(c *oldTally) []oldCost {
	grammar, err := models.New(models.Defaults())
	if err != nil {
		c.leave("model_costs: %v", err)
		return nil
	}
	var all []oldCost
	usual, changed := tableOf(nil), map[string]bool{} // by base name
	for _, name := range slices.Sorted(maps.Keys(o.fields)) {
		units, err := o.whole(name)
		m := grammar.Parse(name)
		if err == nil {
			err = cmp.Or(Priceable(m), Cost{Units: units}.check())
		}
		if err != nil {
			c.leave("model_costs, %.100q: %v", name, err)
			continue
		}
		cost, listed, double := usual.find(&m)
		changed[m.Base] = changed[m.Base] || !listed || doubled(cost.Units, double) != units
		all = append(all, oldCost{m, units})
	}
	all = slices.DeleteFunc(all, func(one oldCost) bool { return !changed[one.model.Base] })
	slices.SortStableFunc(all, func(a, b oldCost) int { return cmp.Compare(b.units, a.units) }) // of two ways to write one name the dearer counts
	return all
}

func (t *takeover) cost(ctx context.Context, one oldCost, c *oldTally) error {
	id := costID(one.model)
	mark := "cost/" + hexOf([]byte(id))
	seen, err := t.marked(ctx, mark)
	if err != nil {
		return err
	}
	if seen || t.dry {
		c.count(!seen)
		return nil
	}
	_, err = t.costs.Put(ctx, id, Cost{Units: one.units}, store.New)
	switch {
	case errors.Is(err, store.ErrConflict):
		c.known++
	case err != nil:
		return err
	default:
		c.taken++
	}
	return t.mark(ctx, mark)
}
