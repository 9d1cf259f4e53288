package stats

import (
	"cmp"
	"context"
	"slices"
	"strings"
)

// reader reads the counters that a query is about, from the store, and what the store has not heard of.
type reader struct {
	*Stats
	ctx    context.Context
	q      *Query
	span   span
	side   string
	prefix string // behind the period
	model  string // as the store has its name; "" is every one
}

func (s *Stats) reader(ctx context.Context, q *Query) *reader {
	r := &reader{Stats: s, ctx: ctx, q: q, span: q.span()}
	r.side, r.prefix = q.place()
	if c, ok := parse(pairName(r.side, nobody, q.Model)); ok {
		r.model = c.model
	}
	return r
}

// unheard copies what the store has not heard of.
func (r *reader) unheard() (fresh []*tally) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.waiting
	if b := r.kept.pending; b != nil {
		all = slices.Concat(all, b.tallies)
	}
	for _, t := range all {
		if n := r.span.of(t.hour); n >= r.span.from && n < r.span.to {
			one := *t
			one.Codes, one.of = slices.Clone(t.Codes), nil
			fresh = append(fresh, &one)
		}
	}
	return fresh
}

// place is the side of a query and the beginning of the names of its counters, behind the period.
func (q *Query) place() (side, prefix string) {
	who := nobody
	switch {
	case q.Key != "":
		side, who = byKey, q.Key
	case q.Credential != "":
		side, who = byCred, q.Credential
	case q.Group == ByKey:
		return byKey, byKey + "/"
	case q.Group == ByCredential:
		return byCred, byCred + "/"
	default:
		side = overall
	}
	prefix = side + "/" + part(who) + "/"
	if q.Model != "" {
		prefix += part(q.Model) + "/"
	}
	return side, prefix
}

func (q *Query) nameOf(c counter) string {
	if q.Group == ByModel {
		return c.model
	}
	return c.who
}

type eachFunc func(n int64, c counter, v int64)

// each calls f for every counter of the query. What is in the store and what it has not heard of are read with
// no write between them; periods of which nothing waits are read afterwards, so that a long stretch does not
// keep new figures from the store.
func (r *reader) each(f eachFunc) error {
	if r.kept == nil {
		return nil
	}
	r.flush(r.ctx)
	done := map[int64]bool{}
	if err := r.moving(done, f); err != nil {
		return err
	}
	for n := r.span.from; n < r.span.to; n++ {
		if !done[n] {
			if err := r.period(n, f); err != nil {
				return err
			}
		}
	}
	return nil
}

// moving reads the periods that more is about to be written to.
func (r *reader) moving(done map[int64]bool, f eachFunc) error {
	r.kept.flushing.RLock()
	defer r.kept.flushing.RUnlock()
	for _, t := range r.unheard() {
		n := r.span.of(t.hour)
		if !done[n] {
			if err := r.period(n, f); err != nil {
				return err
			}
			done[n] = true
		}
		r.fresh(t, n, f)
	}
	return nil
}

// fresh is a tally that is not in the store.
func (r *reader) fresh(t *tally, n int64, f eachFunc) {
	pair := pairName(t.side, t.who, t.model)
	if r.side == overall && t.side == byKey {
		pair = pairName(overall, nobody, t.model)
	}
	c, ok := parse(pair) // the names as the store has them
	if !ok || !strings.HasPrefix(pair, r.prefix) || !r.wants(c) {
		return
	}
	t.Figures.each(func(what string, v int64) {
		c.what = what
		f(n, c, v)
	})
}

// period is what the store has of one.
func (r *reader) period(n int64, f eachFunc) error {
	period := r.span.prefix(n)
	found, err := r.kept.Store.Counters(r.ctx, period+r.prefix)
	if err != nil {
		return err
	}
	for name, v := range found {
		if c, ok := parse(name[len(period):]); ok && r.wants(c) {
			f(n, c, v)
		}
	}
	return nil
}

func (r *reader) wants(c counter) bool { return r.model == "" || c.model == r.model }

func (r *reader) empty() []Point {
	points := make([]Point, r.q.Periods())
	for i := range points {
		points[i].Time = r.span.time(r.span.from + int64(i))
	}
	return points
}

// largest are the names of the lines: those with the most calls, and "other" where there are more.
func (r *reader) largest() ([]string, error) {
	calls := map[string]int64{}
	err := r.each(func(_ int64, c counter, v int64) {
		if c.what == "calls" {
			calls[r.q.nameOf(c)] += v
		}
	})
	names := make([]string, 0, len(calls))
	for name := range calls {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(calls[b], calls[a]), cmp.Compare(a, b)) })
	if len(names) > MaxGroups {
		names = slices.DeleteFunc(names[:MaxGroups], func(name string) bool { return name == other })
		names = append(names, other)
	}
	return names, err
}
