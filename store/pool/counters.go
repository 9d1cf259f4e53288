package pool

import (
	"log/slog"
	"math"
	"slices"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/models"
)

// proModel is the one that the Pro counter is about, exactly.
const proModel = "gemini-2.5-pro"

// Day counts the calls of a day that have succeeded.
type Day struct {
	Since int64 `json:"since"` // its beginning, in Unix seconds
	Pro   int64 `json:"pro,omitempty"`
	Total int64 `json:"total,omitempty"`
}

// Hour counts those of an hour. The last 24 hours are counted by the hour: at 10:40 they begin at 11:00
// of yesterday.
type Hour struct {
	At int32 // hours since 1970
	N  int32
}

const dayHours = 24

func hourOf(t time.Time) int32 { return int32(t.Unix() / 3600) }

// dayOf is the beginning of the day that t is in.
func (p *Pool) dayOf(t time.Time) time.Time {
	return t.UTC().Add(-p.set.DailyReset).Truncate(24 * time.Hour).Add(p.set.DailyReset)
}

// today is what was used of the day that t is in. Whether the counters are about it is seen by their
// beginning, so that no clock has to be waited for and none can be missed.
func (p *Pool) today(e *entry, t time.Time) Day {
	begin := p.dayOf(t)
	if s := e.day.Since; s < begin.Unix() || s >= begin.Add(24*time.Hour).Unix() {
		return Day{Since: begin.Unix()}
	}
	return e.day
}

// costs tells that Google counts such a call: counting tokens and reading lists are free.
func costs(v pipeline.Verb) bool {
	return v == pipeline.Generate || v == pipeline.Streaming || v == pipeline.Embed
}

// count counts a call that has succeeded.
func (p *Pool) count(l *lease, t time.Time) {
	if l.free {
		return
	}
	e := l.entry
	e.day = p.today(e, t)
	e.day.Total++
	if l.lane.model == proModel {
		e.day.Pro++
	}
	e.hours = countHour(e.hours, hourOf(t))
	p.recap(e, t)
}

// abandoned is a call whose client has left. Nothing is learned from it, but if the answer had begun
// Google counts it.
func (p *Pool) abandoned(l *lease, f *apierror.Error, t time.Time) {
	if f.Said == nil || f.Said.HTTP != 200 {
		return
	}
	p.mu.Lock()
	defer func() { p.unlock() }()
	p.count(l, t)
	l.entry.dirty = true // the next look saves it
}

// countHour adds a call to its hour and drops those that are over. Clocks jump: the hour may lie in
// front of others, or far behind them.
func countHour(hours []Hour, at int32) []Hour {
	if n := len(hours); n > 0 && hours[n-1].At == at && hours[0].At > at-dayHours {
		if hours[n-1].N < math.MaxInt32 {
			hours[n-1].N++
		}
		return hours
	}
	hours = slices.DeleteFunc(hours, func(h Hour) bool { return h.At <= at-dayHours || h.At >= at+dayHours })
	i, there := slices.BinarySearchFunc(hours, at, func(h Hour, at int32) int { return int(h.At) - int(at) })
	if !there {
		hours = slices.Insert(hours, i, Hour{At: at})
	}
	hours[i].N++
	return hours
}

func lastDay(hours []Hour, at int32) (n int64) {
	for _, h := range hours {
		if h.At > at-dayHours && h.At <= at {
			n += int64(h.N)
		}
	}
	return n
}

// caps are the rests of a credential that has used up its day, in Unix nanoseconds; 0 for none.
type caps struct {
	pro   int64 // of Pro models, whichever
	total int64
}

// over is the end of the rest that a model has by them.
func (c *caps) over(model string) int64 {
	if c.pro > c.total && models.FamilyOf(model).Line == models.Pro {
		return c.pro
	}
	return c.total
}

// rest is that of the model as any other.
func (c *caps) rest(model string) cooldown {
	return cooldown{until: c.over(model), code: apierror.QuotaExhausted, status: 429}
}

// limits are those of an entry.
func (p *Pool) limits(e *entry) (pro, total int64) {
	pro, total = p.set.DailyPro, p.set.DailyTotal
	if e.wish.DailyPro != nil {
		pro = *e.wish.DailyPro
	}
	if e.wish.DailyTotal != nil {
		total = *e.wish.DailyTotal
	}
	return pro, total
}

// caps says how long the limits of the day keep an entry from serving, if they are to be enforced.
func (p *Pool) caps(e *entry, t time.Time) (c caps) {
	if !p.set.EnforceLimits {
		return c
	}
	pro, total := p.limits(e)
	day, reset := p.today(e, t), p.dayOf(t).Add(24*time.Hour)
	end := func(used, limit int64) int64 {
		switch {
		case limit <= 0: // the next day as well: it must not serve before somebody looks
			return reset.Add(24 * time.Hour).UnixNano()
		case used >= limit:
			return reset.UnixNano()
		}
		return 0
	}
	return caps{pro: end(day.Pro, pro), total: end(day.Total, total)}
}

// recap is called where used calls, limits or the day have changed.
func (p *Pool) recap(e *entry, t time.Time) {
	c := p.caps(e, t)
	if c == e.capped {
		return
	}
	for _, row := range []struct {
		was, is int64
		what    string
	}{{e.capped.pro, c.pro, "Pro models"}, {e.capped.total, c.total, "all models"}} {
		if row.is != 0 && row.was <= t.UnixNano() && !e.gone {
			p.say(slog.LevelInfo, "daily limit of a credential reached, it rests", "credential", e.cred.ID, "of", row.what, "until", stamp(row.is))
		}
	}
	e.capped = c
	p.moved(e)
}

func (p *Pool) recapAll() {
	t := p.now()
	for _, e := range p.all() {
		p.recap(e, t)
	}
}

// Usage is what a credential has been used for.
type Usage struct {
	ID, Email            string
	Pro, Total           int64 // calls of the day that succeeded: of gemini-2.5-pro, of all models
	LimitPro, LimitTotal int64 // of the day
	Last24h              int64 // the same, of the last 24 hours
	NextReset            time.Time
}

// Usage lists all credentials in the order of Status.
func (p *Pool) Usage() []Usage {
	t := p.now()
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.all()
	list := make([]Usage, len(all))
	for i, e := range all {
		list[i] = p.usage(e, t)
	}
	return list
}

// UsageOf is that of one credential; false when there is none.
func (p *Pool) UsageOf(id string) (u Usage, ok bool) {
	t := p.now()
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.named(id)
	if e == nil {
		return u, false
	}
	return p.usage(e, t), true
}

// NextReset is when the counters of the day begin anew.
func (p *Pool) NextReset() time.Time {
	t := p.now()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dayOf(t).Add(24 * time.Hour)
}

func (p *Pool) usage(e *entry, t time.Time) Usage {
	day := p.today(e, t)
	u := Usage{ID: e.cred.ID, Email: e.email, Pro: day.Pro, Total: day.Total, Last24h: lastDay(e.hours, hourOf(t)),
		NextReset: p.dayOf(t).Add(24 * time.Hour)}
	u.LimitPro, u.LimitTotal = p.limits(e)
	return u
}

// named finds an entry, also one that is shut out. The caller holds mu.
func (p *Pool) named(id string) *entry {
	if e := p.byID[id]; e != nil {
		return e
	}
	if i := slices.IndexFunc(p.idle, func(e *entry) bool { return e.cred.ID == id }); i >= 0 {
		return p.idle[i]
	}
	return nil
}

// ResetUsage sets the counters of a credential to zero; false when there is none.
func (p *Pool) ResetUsage(id string) bool {
	p.mu.Lock()
	defer func() { p.unlock() }()
	e := p.named(id)
	if e == nil {
		return false
	}
	p.resets(e)
	p.save([]*entry{e})
	return true
}

// ResetUsages does so with all credentials and says how many there are.
func (p *Pool) ResetUsages() (n int) {
	waits := true
	for from := 0; ; from += saveAtOnce {
		p.mu.Lock()
		all := p.all()
		part := all[min(from, len(all)):min(from+saveAtOnce, len(all))]
		for _, e := range part {
			p.resets(e)
		}
		p.unlock(part...)
		if n += len(part); len(part) == 0 {
			return n
		}
		p.settle(&waits)
	}
}

func (p *Pool) resets(e *entry) {
	t := p.now()
	p.use(e, -e.used)
	e.day, e.hours, e.dirty = Day{Since: p.dayOf(t).Unix()}, nil, true
	p.recap(e, t)
}

// tell adds to a status what is kept of an entry beside its rests.
func (p *Pool) tell(e *entry, s *Status, t time.Time) {
	now := t.UnixNano()
	s.NoPreview, s.Usage = e.noPreview, p.usage(e, t)
	for _, code := range e.codes {
		if text := e.messages[code]; text != "" {
			s.Messages = append(s.Messages, Message{code, text})
		}
	}
	if e.cool.until > now {
		s.CoolingCode = e.cool.code
	}
	if e.capped.total > now {
		s.CappedUntil = stamp(e.capped.total)
	}
	if e.capped.pro > now {
		s.ProCappedUntil = stamp(e.capped.pro)
	}
}

// Message is what Google said with a status, without secrets.
type Message struct {
	Code int
	Text string
}
