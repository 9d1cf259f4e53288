package apikey

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"gcli2api/pipeline/models"
	"gcli2api/store"
)

// The bounds of the cost table.
const (
	MaxCost     = 1_000_000_000 // units of a call, or of a million tokens
	maxCosts    = 2000          // entries that an operator may make
	maxCostName = 200           // bytes of the base name
)

// What can be wrong with a change of the cost table.
var (
	ErrManyCosts = fmt.Errorf("the cost table has %d entries of its own: delete some first", maxCosts)
	ErrNoCost    = errors.New("nothing was changed for this model: it costs what is built in")
)

// Cost is what one call of a model costs, as an operator set it. In and Out are for gateways that charge by
// tokens; where both are zero and Units is not, the prices of the stage quota count there.
type Cost struct {
	Units int64 `json:"units"`
	In    int64 `json:"in,omitempty"`  // units for a million tokens that go up
	Out   int64 `json:"out,omitempty"` // units for a million tokens that come back
}

// CostRow is an entry of the cost table.
type CostRow struct {
	Name string // canonical (models.Model.Canonical)
	Own  bool   // an operator set it
	Cost
}

// Costs is the cost table: built in, and what an operator changed. It is safe for concurrent use; prices are
// looked up without a lock.
type Costs struct {
	docs     store.Docs[Cost]
	log      *slog.Logger
	settings func() Settings
	now      atomic.Pointer[costTable]

	writing sync.Mutex // serialises changes, from the store to the table in force
	own     map[string]Cost
	stop    func()
	ended   chan struct{}
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

// builtInNames are the models that builtIn knows.
func builtInNames() [4]string {
	return [...]string{"gemini-2.5-flash", "gemini-2.5-pro", "gemini-2.5-pro-preview-06-05", "gemini-3-pro-preview"}
}

func openCosts(ctx context.Context, o Options) (*Costs, error) {
	c := &Costs{docs: store.Docs[Cost]{Store: o.Store, Table: store.Costs}, log: o.Log, settings: o.Settings}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	seen, err := o.Store.Revision(ctx) // before the table is read: what comes in meanwhile is looked at again
	if err != nil {
		return nil, fmt.Errorf("read the cost table: %w", err)
	}
	if err := c.reload(ctx); err != nil {
		return nil, err
	}
	c.follow(seen)
	return c, nil
}

// reload reads the whole table.
func (c *Costs) reload(ctx context.Context) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	own := map[string]Cost{}
	for id, doc := range c.docs.All(ctx) {
		switch {
		case id == "":
			return doc.Err
		case doc.Err != nil:
			c.log.Error("a cost cannot be read, the built-in one counts", "model", id, "error", doc.Err)
		default:
			own[id] = doc.Value
		}
	}
	c.own = own
	c.now.Store(tableOf(own))
	return nil
}

// Set changes what a model costs, from now on. The name is read by the grammar alone, with the models that are
// known everywhere; SetModel is for names that were read already.
func (c *Costs) Set(ctx context.Context, name string, cost Cost) error {
	grammar, err := models.New(models.Defaults())
	if err != nil {
		return err
	}
	return c.SetModel(ctx, grammar.Parse(name), cost)
}

// SetModel changes what a model costs, from now on: of a base name all its variants that have no entry of
// their own, of a name with features those that have these.
func (c *Costs) SetModel(ctx context.Context, m models.Model, cost Cost) error {
	_, err := c.Edit(ctx, m, func(v *Cost) { *v = cost })
	return err
}

// Edit is SetModel for who changes a part: change gets what an operator set before, or nothing. It may be
// called several times.
func (c *Costs) Edit(ctx context.Context, m models.Model, change func(*Cost)) (Cost, error) {
	if err := Priceable(m); err != nil {
		return Cost{}, err
	}
	id := costID(m)
	c.writing.Lock()
	defer c.writing.Unlock()
	if _, there := c.own[id]; !there && len(c.own) >= maxCosts {
		return Cost{}, ErrManyCosts
	}
	now, err := c.docs.Update(ctx, id, func(v *Cost) error {
		change(v)
		return v.check()
	})
	if err != nil {
		return now, err
	}
	c.put(id, &now)
	return now, nil
}

// Reset gives a model its built-in cost again; ErrNoCost when it has it already.
func (c *Costs) Reset(ctx context.Context, m models.Model) error {
	id := costID(m)
	c.writing.Lock()
	defer c.writing.Unlock()
	switch err := c.docs.Store.Delete(ctx, c.docs.Table, id, store.Any); {
	case errors.Is(err, store.ErrNotFound):
		c.put(id, nil)
		return ErrNoCost
	case errors.Is(err, store.ErrInvalid): // a name that could never be set
		return ErrNoCost
	case err != nil:
		return fmt.Errorf("delete the cost of a model: %w", err)
	}
	c.put(id, nil)
	return nil
}

// put changes one entry of the table in force; nil takes it out. The caller holds writing.
func (c *Costs) put(id string, cost *Cost) {
	own := maps.Clone(c.own)
	if cost != nil {
		own[id] = *cost
	} else {
		delete(own, id)
	}
	c.own = own
	c.now.Store(tableOf(own))
}

func (c Cost) check() error {
	for _, v := range []struct {
		name  string
		value int64
	}{{"cost", c.Units}, {"input", c.In}, {"output", c.Out}} {
		if v.value < 0 || v.value > MaxCost {
			return wrong(v.name, "must be a whole number from 0 to %d", MaxCost)
		}
	}
	return nil
}

// Priceable tells what keeps a name out of the cost table: a *FieldError.
func Priceable(m models.Model) error {
	const field = "model_name"
	if fail := m.Check(); fail != nil {
		return wrong(field, "%s", fail.Message)
	}
	switch {
	case m.Base == "" || m.Nameless():
		return wrong(field, "has no model in it")
	case len(m.Base) > maxCostName:
		return wrong(field, "must have %d bytes at most", maxCostName)
	case !nameable(m.Base):
		return wrong(field, "must be text without spaces, control characters and \"*\"")
	case wellFormed(m.Base):
		return wrong(field, "is an API key, not the name of a model")
	case m.Alias() != "":
		return wrong(field, "is an alias: set the cost of %q", m.Base)
	case m.HasBudget:
		return wrong(field, "asks for a number of tokens to think with, which has no cost of its own")
	case m.Picture != (models.Picture{}):
		return wrong(field, "asks for a size or a ratio of pictures, which has no cost of its own")
	}
	return nil
}

// Price is what one answer of a model costs, in units. Anti-truncation costs double where it has no entry of
// its own, since it may ask as often again.
func (c *Costs) Price(m models.Model) int64 {
	cost, _, double := c.now.Load().find(&m)
	if cost == nil {
		return doubled(c.otherwise(m.Base), double)
	}
	return doubled(cost.Units, double)
}

// TokenPrice is what a million tokens of a model cost, in units, going up and coming back; false where the
// table has no price by tokens. A model that an operator made free is free.
func (c *Costs) TokenPrice(m models.Model) (in, out int64, ok bool) {
	if cost := c.now.Load().tokens(&m); cost != nil {
		return cost.In, cost.Out, true
	}
	return 0, 0, false
}

// Of is what the table says of a model, for people. listed is false where its family or the default decides.
func (c *Costs) Of(m models.Model) (cost Cost, listed bool) {
	_, listed, _ = c.now.Load().find(&m)
	cost.Units = c.Price(m)
	cost.In, cost.Out, _ = c.TokenPrice(m)
	return cost, listed
}

// Default is what a call costs where nothing else says so.
func (c *Costs) Default() int64 { return c.settings().DefaultCost }

// List gives the table as it is in force, by name.
func (c *Costs) List() []CostRow { return slices.Clone(c.now.Load().rows) }

// otherwise is the price of a model that is not in the table: by family, else the default.
func (c *Costs) otherwise(base string) int64 {
	switch base = strings.ToLower(base); {
	case strings.Contains(base, "pro"):
		return 10
	case strings.Contains(base, "flash"):
		return 2
	}
	return c.settings().DefaultCost
}

func doubled(units int64, double bool) int64 {
	if double {
		return units * 2 // no cost is larger than MaxCost
	}
	return units
}

// IsBuiltIn tells a model that has a cost of its own without anybody's doing.
func (c *Costs) IsBuiltIn(base string) bool {
	_, ok := builtIn(base)
	return ok
}
