package stats

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strings"
	"time"
)

// bin is the place of figures in the store.
type bin struct {
	hour             int64 // since 1970
	side, who, model string
}

// tally is what was counted of one bin since the store has heard of it.
type tally struct {
	bin
	Figures
	of *entry
}

// maxWaiting bounds what waits for a store that is away: some 20 MB. What comes then is kept as one for each
// hour and side, so that sums stay right.
const maxWaiting = 50_000

// open begins a tally, for an entry that has none that could grow. The caller holds mu.
func (s *Stats) open(at bin, e *entry) *tally {
	if len(s.waiting) >= maxWaiting {
		at.who, at.model = other, other
		if t := s.spill[at]; t != nil {
			return t
		}
		s.spilled = true
	}
	var t *tally
	if n := len(s.free); n > 0 {
		t, s.free = s.free[n-1], s.free[:n-1]
	} else {
		t = &tally{}
	}
	t.bin = at
	if len(s.waiting) >= maxWaiting {
		s.spill[at] = t
	} else {
		t.of, e.fresh = e, t
	}
	s.waiting = append(s.waiting, t)
	return t
}

// take gives up to n of the tallies that wait; they grow no more.
func (s *Stats) take(n int) []*tally {
	s.mu.Lock()
	defer s.mu.Unlock()
	n = min(n, len(s.waiting))
	batch := s.waiting[:n:n]
	s.waiting = append([]*tally(nil), s.waiting[n:]...)
	clear(s.spill) // another one begins if need be
	for _, t := range batch {
		if t.of != nil {
			t.of.fresh, t.of = nil, nil
		}
	}
	return batch
}

// recycle keeps what was written, empty, for what comes.
func (s *Stats) recycle(batch []*tally) {
	const most = 4096
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range batch[:min(len(batch), max(most-len(s.free), 0))] {
		*t = tally{Figures: Figures{Codes: t.Codes[:0]}}
		s.free = append(s.free, t)
	}
}

// The counters (design section 9). A day of the figures begins at 07:00 UTC (behaviour 6.8), whatever the
// settings say, so that days never overlap; hours are those of UTC.
//
//	use/<day>/<side>/<who>/<model>/<what>     days
//	useh/<hour>/<side>/<who>/<model>/<what>   hours
//	uset/<side>/<who>/<model>/<what>          since the beginning
//	usei/since                                when that was, in seconds since 1970
//
// Sides are key, cred and all (every key, with "-" for its name). Under the side node earlier versions counted
// their batches.
const (
	dayRoot   = "use/"
	hourRoot  = "useh/"
	totalRoot = "uset/"
	sinceName = "usei/since"

	dayStart = 7 * time.Hour
	dayForm  = "2006-01-02"
	hourForm = "2006-01-02T15"
	nobody   = "-" // stands for the name where there is none
)

func hourOf(t time.Time) int64 { return t.Unix() / 3600 }

// dayOfHour is the day of the figures, counted from 1970, that has an hour.
func dayOfHour(hour int64) int64 { return (hour - int64(dayStart/time.Hour)) / 24 }

func hourTime(hour int64) time.Time { return time.Unix(hour*3600, 0).UTC() }

func dayTime(day int64) time.Time { return time.Unix(day*24*3600, 0).UTC().Add(dayStart) }

func dayPrefix(day int64) string { return dayRoot + dayTime(day).Format(dayForm) + "/" }

func hourPrefix(hour int64) string { return hourRoot + hourTime(hour).Format(hourForm) + "/" }

func pairName(side, who, model string) string {
	return side + "/" + part(who) + "/" + part(model) + "/"
}

// part escapes a name for its place between slashes; a long one ends in a piece of its hash.
func part(name string) string {
	const most = 150
	out := url.PathEscape(name)
	if len(out) > most {
		sum := sha256.Sum256([]byte(name))
		out = strings.TrimRight(out[:most-20], "%0123456789ABCDEF") + "~" + hex.EncodeToString(sum[:8])
	}
	return out
}

// counter is the name of one, read.
type counter struct{ side, who, model, what string }

// parse reads a name from behind the root, and behind the day or hour.
func parse(name string) (c counter, ok bool) {
	var who, model string
	c.side, name, _ = strings.Cut(name, "/")
	who, name, _ = strings.Cut(name, "/")
	model, c.what, ok = strings.Cut(name, "/")
	if !ok || strings.Contains(c.what, "/") {
		return c, false
	}
	var err, err2 error
	c.who, err = url.PathUnescape(who)
	c.model, err2 = url.PathUnescape(model)
	return c, err == nil && err2 == nil
}
