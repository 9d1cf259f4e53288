package models

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Fallback gives the base of the model to ask once when base has no capacity, or is not there.
func (c *Catalogue) Fallback(base string) (string, bool) {
	to, ok := c.fallback[base]
	return to, ok
}

// fallBack checks the table. Both sides are bases: the features are those of the name that was asked for.
func (c *Catalogue) fallBack(table map[string]string, wrong *Problems) {
	for _, from := range slices.Sorted(maps.Keys(table)) {
		wrong.add(c.leads(from, table[from]), "fallback", from)
	}
	c.fallback = maps.Clone(table)
}

func (c *Catalogue) leads(from, to string) error {
	if err := c.bare(from); err != nil {
		return err
	}
	if err := c.bare(to); err != nil {
		return fmt.Errorf("leads to %q, which %w", to, err)
	}
	if from == to {
		return errors.New("leads to itself")
	}
	return nil
}

// bare tells what keeps s from being the base of a model that can take the place of another.
func (c *Catalogue) bare(s string) error {
	if err := c.base(s); err != nil {
		return err
	}
	if Embeds(s) {
		return errors.New("makes embeddings: vectors of another model are no substitute")
	}
	return nil
}

// base tells what keeps s from being the base that a model is asked by.
func (c *Catalogue) base(s string) error {
	if err := plain(s); err != nil {
		return err
	}
	if _, alias := c.alias[s]; alias {
		return errors.New("is an alias: name its target")
	}
	switch m := c.read(s); {
	case m.alias != "":
		return fmt.Errorf("is taken by a pattern of models.alias: name its target, %q, or put it into models.known", m.Base)
	case m.Base != s:
		return fmt.Errorf("asks for a feature: name the base, %q", m.Base)
	}
	return nil
}
