package stats

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The bounds of a series.
const (
	MaxPoints = 1000 // periods of one line
	MaxGroups = 20   // lines; the rest is one more, "other"
)

// Grain is how long the periods of a series are.
type Grain uint8

// The grains. A day begins at 07:00 UTC.
const (
	Hours Grain = iota
	Days
)

// Group says by what a series is told apart.
type Group uint8

// The groups.
const (
	Together Group = iota
	ByModel
	ByKey
	ByCredential
)

// Query is a question about a stretch of time. A Credential, or ByCredential, asks for calls to Google, each
// try by itself; everything else for requests.
type Query struct {
	By         Grain
	From, To   time.Time // periods that begin in [From, To), the one that holds From included
	Key        string
	Credential string
	Model      string
	Group      Group
}

// span is the periods asked for, as numbers: hours or days since 1970.
type span struct {
	by       Grain
	from, to int64
}

func (q *Query) span() span {
	from, to := hourOf(q.From), hourOf(q.To.Add(-time.Nanosecond)) // the last moment
	if q.By == Days {
		from, to = dayOfHour(from), dayOfHour(to)
	}
	return span{q.By, from, to + 1}
}

// Periods is how many periods the query is about.
func (q *Query) Periods() int64 {
	p := q.span()
	return max(p.to-p.from, 0)
}

func (p span) time(n int64) time.Time {
	if p.by == Hours {
		return hourTime(n)
	}
	return dayTime(n)
}

func (p span) prefix(n int64) string {
	if p.by == Hours {
		return hourPrefix(n)
	}
	return dayPrefix(n)
}

// of is the period of an hour.
func (p span) of(hour int64) int64 {
	if p.by == Hours {
		return hour
	}
	return dayOfHour(hour)
}

// Point is one period.
type Point struct {
	Time time.Time // when it begins
	Figures
}

// Line is the points of one group, one for each period.
type Line struct {
	Name   string
	Points []Point
}

// Series is the answer to a query.
type Series struct {
	From, To time.Time // the periods, whole
	Kept     time.Time // figures of this grain are not kept from before
	Points   []Point   // all lines together
	Lines    []Line    // the largest first; none where nothing was to be told apart
}

// Series tells how things went over time. Periods without calls are there, with zeros.
func (s *Stats) Series(ctx context.Context, q Query) (*Series, error) {
	if n := q.Periods(); n > MaxPoints {
		return nil, fmt.Errorf("%d periods are more than %d", n, MaxPoints)
	}
	p := q.span()
	out := &Series{From: p.time(p.from), To: p.time(p.to), Kept: s.KeptFrom(q.By)}
	err := s.reader(ctx, &q, func(r *reader) error {
		lines := map[string]int{}
		if q.Group != Together {
			names, err := r.largest()
			if err != nil {
				return err
			}
			for i, name := range names {
				lines[name] = i
				out.Lines = append(out.Lines, Line{Name: name, Points: r.empty()})
			}
		}
		out.Points = r.empty()
		return r.each(func(n int64, c counter, v int64) {
			out.Points[n-p.from].take(c.what, v)
			if q.Group == Together {
				return
			}
			i, ok := lines[q.nameOf(c)]
			if !ok {
				i = lines[other]
			}
			out.Lines[i].Points[n-p.from].take(c.what, v)
		})
	})
	return out, err
}

// KeptFrom is from when on figures of a grain are kept.
func (s *Stats) KeptFrom(by Grain) time.Time {
	if s.kept == nil {
		return s.now()
	}
	set, hour := s.kept.Settings(), hourOf(s.now())
	if by == Hours {
		return hourTime(hour - int64(set.Hours))
	}
	return dayTime(dayOfHour(hour) - int64(set.Days))
}

// Between is a Report of a stretch of time; Since is when it begins. The query's names and group do not count.
func (s *Stats) Between(ctx context.Context, q Query) (Report, error) {
	p := q.span()
	r := Report{Since: p.time(p.from), Until: p.time(p.to)}
	for side, rows := range map[string]*[]Row{byCred: &r.Credentials, byKey: &r.Keys} {
		sums := table{}
		err := s.reader(ctx, &Query{By: q.By, From: q.From, To: q.To}, func(r *reader) error {
			r.side, r.prefix = side, side+"/"
			return r.each(func(_ int64, c counter, v int64) {
				if at := sums.at(c.who, c.model).sum.field(c.what); at != nil {
					*at += v
				}
			})
		})
		if err != nil {
			return r, err
		}
		*rows = sums.rows()
		sortRows(*rows)
	}
	return r, nil
}

// reader reads the counters that a query is about, first from the store, then what it has not heard of.
type reader struct {
	*Stats
	ctx    context.Context
	q      *Query
	span   span
	side   string
	prefix string // behind the period
	model  string // as the store has its name; "" is every one
	fresh  []*tally
}

// reader lets f read while nobody writes: each figure is either in the store or fresh.
func (s *Stats) reader(ctx context.Context, q *Query, f func(*reader) error) error {
	r := &reader{Stats: s, ctx: ctx, q: q, span: q.span()}
	r.side, r.prefix = q.place()
	if c, ok := parse(pairName(r.side, nobody, q.Model)); ok {
		r.model = c.model
	}
	if s.kept == nil {
		return f(r)
	}
	s.flush(ctx)
	s.kept.flushing.RLock()
	defer s.kept.flushing.RUnlock()
	r.listen()
	return f(r)
}

// listen copies what the store has not heard of.
func (r *reader) listen() {
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
			r.fresh = append(r.fresh, &one)
		}
	}
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

// each calls f for every counter of the query, period by period.
func (r *reader) each(f func(n int64, c counter, v int64)) error {
	if r.kept == nil {
		return nil
	}
	for n := r.span.from; n < r.span.to; n++ {
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
	}
	for _, t := range r.fresh {
		pair := pairName(t.side, t.who, t.model)
		if r.side == overall && t.side == byKey {
			pair = pairName(overall, nobody, t.model)
		}
		c, ok := parse(pair) // the names as the store has them
		if !ok || !strings.HasPrefix(pair, r.prefix) || !r.wants(c) {
			continue
		}
		t.Figures.each(func(what string, v int64) {
			c.what = what
			f(r.span.of(t.hour), c, v)
		})
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
