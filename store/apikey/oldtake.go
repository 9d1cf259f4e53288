package apikey

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gcli2api/store"
)

// OldKeys are keys and costs as the old product kept them, as JSON.
type OldKeys struct {
	Keys  map[string][]byte // by the key itself
	Costs []byte            // its table model_costs; nil for none

	Dry  bool           // only say what would come
	Tell func(done int) // hears how far it is; nil for nobody
}

// OldTaken is what became of one kind of them.
type OldTaken struct {
	Taken, Known int      // known: taken over before, whatever became of it since
	Left         []string // what was not, and why; keys are masked
	Uncounted    int      // keys with figures by model, which are not taken over
}

// TakeOver brings keys and costs of the old product into a store, each once: what became of it here since
// counts, also when it was deleted. An error is one of the store, and then the same call goes on.
func TakeOver(ctx context.Context, o Options, old OldKeys) (keys, costs OldTaken, err error) {
	return newTakeover(o).all(ctx, old)
}

func (t *takeover) all(ctx context.Context, old OldKeys) (keys, costs OldTaken, err error) {
	t.dry = old.Dry
	var k, c oldTally
	for i, one := range t.tables(old.Keys, &k) {
		if old.Tell != nil {
			old.Tell(i)
		}
		if err := t.oneKey(ctx, one, &k); err != nil {
			return k.told(), c.told(), fmt.Errorf("take over API keys: %w", err)
		}
	}
	if len(old.Costs) > 0 {
		table, err := tableOfJSON("model_costs", old.Costs)
		if err != nil {
			c.leave("model_costs: %v", err)
		} else if err := t.costsOf(ctx, table, &c); err != nil {
			return k.told(), c.told(), fmt.Errorf("take over costs of models: %w", err)
		}
	}
	return k.told(), c.told(), nil
}

// tables reads the keys, in the order of their names.
func (t *takeover) tables(keys map[string][]byte, c *oldTally) (all []*oldTable) {
	for i, name := range slices.Sorted(maps.Keys(keys)) {
		table, err := tableOfJSON(name, keys[name])
		if table.place = i + 1; err != nil {
			c.leave("%s: %v", table.shown(), err)
			continue
		}
		all = append(all, table)
	}
	return all
}

// maskOld names a key in a report.
func maskOld(name string) string { return strings.ToValidUTF8(Mask(name), "?") }

// tableOfJSON reads an object as if it were a table of the old files.
func tableOfJSON(name string, body []byte) (*oldTable, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	t := &oldTable{name: name}
	if d.Decode(&t.fields) != nil || t.fields == nil {
		return t, errors.New("it is no object")
	}
	for member, v := range t.fields {
		if n, is := v.(json.Number); is {
			t.fields[member] = numberOf(n)
		}
	}
	return t, nil
}

// numberOf is a number as TOML would give it.
func numberOf(n json.Number) any {
	if i, err := n.Int64(); err == nil {
		return i
	}
	f, err := n.Float64()
	if err != nil {
		return n.String()
	}
	return f
}

func (c *oldTally) told() OldTaken {
	return OldTaken{Taken: c.taken, Known: c.known, Left: c.left, Uncounted: c.uncounted}
}

// OldTables takes a TOML file of the old product apart, a table each, as JSON: what is wrong with one of them
// costs no other. broken says by name what cannot be read and why; what stands outside of tables is in plain.
func OldTables(data []byte) (tables, plain map[string][]byte, broken map[string]string) {
	tables, plain, broken = map[string][]byte{}, map[string][]byte{}, map[string]string{}
	for _, s := range oldSections(bytes.TrimPrefix(data, []byte("\ufeff"))) {
		if s.table != "" {
			continue
		}
		if all, err := s.read(); err == nil {
			for name, v := range all {
				if _, is := v.(map[string]any); !is {
					if body, err := json.Marshal(v); err == nil {
						plain[name] = body
					}
				}
			}
		}
	}
	for _, t := range oldTables(data) {
		if _, is := plain[t.name]; is {
			continue
		}
		if t.err != nil {
			broken[t.name] = fmt.Sprintf("line %d: %v", t.line, t.err)
			continue
		}
		fields := map[string]json.RawMessage{}
		for member, v := range t.fields {
			if body, err := json.Marshal(v); err == nil { // an infinite number has no form there
				fields[member] = body
			}
		}
		body, err := json.Marshal(fields)
		if err != nil {
			broken[t.name] = fmt.Sprintf("line %d: %v", t.line, err)
			continue
		}
		tables[t.name] = body
	}
	return tables, plain, broken
}

// TakeOver is TakeOver in a gateway at work: what came is in use when it returns.
func (b *Book) TakeOver(ctx context.Context, old OldKeys) (keys, costs OldTaken, err error) {
	k := b.Keys
	keys, costs, err = TakeOver(ctx, Options{Store: k.docs.Store, Log: k.log, Now: k.now, Ring: k.ring, Settings: k.settings}, old)
	if old.Dry {
		return keys, costs, err
	}
	if l, is := b.Ledger.till.(*local); is {
		err = errors.Join(err, l.meet(ctx, k.docs.Store))
	}
	k.changed(ctx)
	return keys, costs, errors.Join(err, k.look(ctx), b.Costs.reload(ctx))
}

// meet learns what keys have used that came into the store beside this till.
func (l *local) meet(ctx context.Context, s store.Store) error {
	found, err := s.Counters(ctx, counters)
	if err != nil {
		return fmt.Errorf("read what API keys have used: %w", err)
	}
	for name, n := range found {
		id, ok := idOf(name)
		if !ok {
			continue
		}
		p := l.purses.of(id)
		p.mu.Lock()
		if t := p.tally(name); t.used == 0 && t.stored == 0 && !t.queued {
			t.used, t.stored = n, n
		}
		p.mu.Unlock()
	}
	return nil
}
