package apikey

import (
	"context"
	"strings"
	"sync"

	"gcli2api/pipeline/models"
	"gcli2api/store"
)

// Cost is what one call of a model costs, as an operator set it. In and Out are for gateways that charge by
// tokens; where both are zero and Units is not, the prices of the stage quota count there.
type Cost struct {
	Units int64 `json:"units"`
	In    int64 `json:"in,omitempty"`  // units for a million tokens that go up
	Out   int64 `json:"out,omitempty"` // units for a million tokens that come back
}

// Costs is the cost table: built in, and what an operator changed. It is safe for concurrent use.
type Costs struct {
	docs     store.Docs[Cost]
	settings func() Settings

	mu  sync.RWMutex
	own map[string]Cost
}

// builtIn are the costs that nobody has changed (behaviour 7.2).
func builtIn(name string) (units int64, ok bool) {
	switch name {
	case "gemini-2.5-pro", "gemini-2.5-pro-preview-06-05":
		return 10, true
	case "gemini-2.5-flash":
		return 2, true
	case "gemini-3-pro-preview":
		return 15, true
	}
	return 0, false
}

func openCosts(ctx context.Context, o Options) (*Costs, error) {
	c := &Costs{docs: store.Docs[Cost]{Store: o.Store, Table: store.Costs}, settings: o.Settings, own: map[string]Cost{}}
	for name, doc := range c.docs.All(ctx) {
		switch {
		case name == "":
			return nil, doc.Err
		case doc.Err != nil:
			o.Log.Error("a cost cannot be read, the built-in one counts", "model", name, "error", doc.Err)
		default:
			c.own[name] = doc.Value
		}
	}
	return c, nil
}

// Set changes what a model costs, from now on.
func (c *Costs) Set(ctx context.Context, name string, cost Cost) error {
	if _, err := c.docs.Put(ctx, name, cost, store.Any); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.own[name] = cost
	return nil
}

// Price is what one answer of a model costs, in units.
func (c *Costs) Price(m models.Model) int64 {
	c.mu.RLock()
	own, ok := c.own[m.Base]
	c.mu.RUnlock()
	units := own.Units
	if !ok {
		if units, ok = builtIn(m.Base); !ok {
			units = c.byFamily(m.Base)
		}
	}
	if m.Features.Has(models.AntiTruncation) {
		units *= 2
	}
	return units
}

// TokenPrice is what a million tokens of a model cost, in units, going up and coming back; false where the
// table has no price by tokens. A model whose costs are all zero is free.
func (c *Costs) TokenPrice(m models.Model) (in, out int64, ok bool) {
	c.mu.RLock()
	own, ok := c.own[m.Base]
	c.mu.RUnlock()
	return own.In, own.Out, ok && (own.In != 0 || own.Out != 0 || own.Units == 0)
}

func (c *Costs) byFamily(base string) int64 {
	switch base = strings.ToLower(base); {
	case strings.Contains(base, "pro"):
		return 10
	case strings.Contains(base, "flash"):
		return 2
	}
	return c.settings().DefaultCost
}
