package stats

import (
	"context"
	"fmt"
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
	r := s.reader(ctx, &q)
	p := r.span
	out := &Series{From: p.time(p.from), To: p.time(p.to), Kept: s.KeptFrom(q.By), Points: r.empty()}
	lines := map[string]int{}
	add := func(name string) int {
		i, ok := lines[name]
		if !ok {
			i = len(out.Lines)
			lines[name] = i
			out.Lines = append(out.Lines, Line{Name: name, Points: r.empty()})
		}
		return i
	}
	if q.Group != Together {
		names, err := r.largest()
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			add(name)
		}
	}
	err := r.each(func(n int64, c counter, v int64) {
		out.Points[n-p.from].take(c.what, v)
		if q.Group == Together {
			return
		}
		name := q.nameOf(c)
		if _, large := lines[name]; !large {
			name = other
		}
		out.Lines[add(name)].Points[n-p.from].take(c.what, v)
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

// Between is a Report of a stretch of time. The query's names and group do not count.
func (s *Stats) Between(ctx context.Context, q Query) (Report, error) {
	p := q.span()
	out := Report{Since: p.time(p.from), Until: p.time(p.to)}
	for side, rows := range map[string]*[]Row{byCred: &out.Credentials, byKey: &out.Keys} {
		sums := table{}
		r := s.reader(ctx, &Query{By: q.By, From: q.From, To: q.To})
		r.side, r.prefix = side, side+"/"
		err := r.each(func(_ int64, c counter, v int64) {
			if at := sums.at(c.who, c.model).sum.field(c.what); at != nil {
				*at += v
			}
		})
		if err != nil {
			return out, err
		}
		*rows = sums.rows()
		sortRows(*rows)
	}
	return out, nil
}
