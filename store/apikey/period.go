package apikey

import (
	"fmt"
	"strings"
	"time"
)

// span is one period: its name, which sorts by time within a kind, and from when until when it is.
type span struct {
	name        string
	from, until time.Time
}

// has tells whether a moment lies in it.
func (s *span) has(now time.Time) bool { return !now.Before(s.from) && now.Before(s.until) }

// at is the period of a moment. A quota that never renews has none: the zero span.
func (p Period) at(now time.Time) span {
	y, m, d := now.UTC().Date()
	day := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	switch p {
	case Daily:
		return span{day.Format(time.DateOnly), day, day.AddDate(0, 0, 1)}
	case Weekly:
		monday := day.AddDate(0, 0, -(int(day.Weekday())+6)%7)
		year, week := monday.ISOWeek()
		return span{fmt.Sprintf("%04d-W%02d", year, week), monday, monday.AddDate(0, 0, 7)}
	case Monthly:
		first := time.Date(y, m, 1, 0, 0, 0, 0, time.UTC)
		return span{first.Format("2006-01"), first, first.AddDate(0, 1, 0)}
	}
	return span{}
}

// ended tells when a period is over, given its name; false for what names none.
func ended(name string) (time.Time, bool) {
	var year, week int
	if n, err := fmt.Sscanf(name, "%4d-W%2d", &year, &week); n == 2 && err == nil {
		s := Weekly.at(time.Date(year, 1, 4, 0, 0, 0, 0, time.UTC)) // the fourth of January is in the first week
		return s.until.AddDate(0, 0, 7*(week-1)), true
	}
	if day, err := time.Parse(time.DateOnly, name); err == nil {
		return day.AddDate(0, 0, 1), true
	}
	if month, err := time.Parse("2006-01", name); err == nil {
		return month.AddDate(0, 1, 0), true
	}
	return time.Time{}, false
}

// ofKey is what the names of all counters of a key begin with: its id has no slash.
func ofKey(id string) string { return counters + id + "/" }

func mainCounter(id string, s span) string {
	if s.name == "" {
		return ofKey(id) + "used"
	}
	return ofKey(id) + "used/" + s.name
}

func dayCounter(id string, s span) string { return ofKey(id) + "day/" + s.name }

// everCounter is what was used in periods that are over, and before the last reset.
func everCounter(id string) string { return ofKey(id) + "ever" }

// idOf takes the id out of the name of a counter.
func idOf(counter string) (id string, ok bool) {
	rest, ok := strings.CutPrefix(counter, counters)
	if !ok {
		return "", false
	}
	id, _, ok = strings.Cut(rest, "/")
	return id, ok
}

// grace is how long after its end a period is kept: for calls that began in it and are still under way.
const grace = 24 * time.Hour

// isOld tells that a counter is of a period that nobody asks for any more.
func isOld(counter string, now time.Time) bool {
	until, ok := ended(counter[strings.LastIndexByte(counter, '/')+1:])
	return ok && now.After(until.Add(grace))
}
