package audit

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"
)

// crowd counts what strangers do who were refused, so that a flood of them cannot fill the store: of those
// of one address and one answer in a minute the first is written at once, the others are one row with
// their number when the minute is over.
type crowd struct {
	mu      sync.Mutex
	tallies map[tally]*Change
	minute  time.Time // since when rows are counted
	rows    int       // written at once in it
}

// tally is what is counted together.
type tally struct {
	from   string
	status int
}

const (
	crowdTime = time.Minute
	crowdRows = 30   // are written at once in a minute, of whatever address
	crowdMost = 1000 // addresses are told apart; the others are "elsewhere"
)

// Refused takes down what somebody tried who was not let in. An error says that it could not be written.
func (l *Log) Refused(ctx context.Context, c Change) error {
	c.Time = l.o.Now()
	if l.crowd.first(c) {
		return l.Changed(ctx, c)
	}
	return nil
}

// network is an address, or the block that somebody with such an address chooses his addresses from.
func network(from string) string {
	if a, err := netip.ParseAddr(from); err == nil && a.Is6() && !a.Is4In6() && a.Zone() == "" {
		return netip.PrefixFrom(a, 64).Masked().String()
	}
	return from
}

// first tells whether a refusal gets a row of its own now; else it is counted.
func (r *crowd) first(c Change) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tallies == nil {
		r.tallies = map[tally]*Change{}
	}
	if d := c.Time.Sub(r.minute); d >= crowdTime || d < 0 {
		r.minute, r.rows = c.Time, 0
	}
	k := tally{network(c.From), c.Status}
	seen := r.tallies[k]
	if seen == nil && len(r.tallies) >= crowdMost {
		k = tally{from: "elsewhere"}
		seen = r.tallies[k]
		c.From, c.ID, c.What = "elsewhere", "", "many routes"
	}
	if seen != nil {
		seen.Times++
		return false
	}
	kept := c
	kept.ID, kept.From, r.tallies[k] = "", k.from, &kept // Time is when its minute began
	if r.rows >= crowdRows {
		kept.Times = 1
		return false
	}
	r.rows++
	return true
}

// due takes out what is to be written, as long as there is room for more rows in a minute.
func (r *crowd) due(now time.Time, all bool) (list []Change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for k, c := range r.tallies {
		if d := now.Sub(c.Time); !all && d >= 0 && d < crowdTime {
			continue
		}
		delete(r.tallies, k)
		if c.Times > 0 {
			list = append(list, *c)
		}
	}
	return list
}

// disperse writes the numbers of the minutes that are over. What cannot be written is said and gone.
func (l *Log) disperse(ctx context.Context, all bool) error {
	var failed []error
	lost := 0
	for _, c := range l.crowd.due(l.o.Now(), all) {
		c.Time = l.o.Now()
		if len(failed) == 0 {
			if err := l.Changed(ctx, c); err == nil {
				continue
			} else {
				failed = append(failed, err)
			}
		}
		lost += c.Times
	}
	if lost > 0 {
		l.o.Log.Error("refusals are missing in the audit: the store does not take them", "lost", lost, "error", errors.Join(failed...))
	}
	return errors.Join(failed...)
}
