package gemini

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// The bounds of protocol 4.1: shorter is pointless, longer is not believed.
const (
	shortest = time.Second
	longest  = 8 * 24 * time.Hour
	skew     = 5 * time.Minute // within it Google's clock and ours may disagree
)

var resets = regexp.MustCompile(`(?i)(?:resets?|retry)\s+(?:after|in)\s+([0-9][0-9dhmsuµn.]*)`)

// timing collects what an error says about the time of its end.
type timing struct {
	stamp      string // metadata.quotaResetTimeStamp
	retry      string // RetryInfo.retryDelay
	reset      string // metadata.quotaResetDelay
	text       string // the message
	retryAfter string // the HTTP header
}

// delay applies the order of protocol 4.1; said is false when nobody named a time.
func (t timing) delay(now time.Time) (d time.Duration, said bool) {
	d, said = duration(t.retry)
	if !said {
		d, said = duration(t.reset)
	}
	if at, err := time.Parse(time.RFC3339Nano, strings.TrimSpace(t.stamp)); err == nil {
		// Below five minutes a duration is trusted more than a clock; else the later one holds.
		left := at.Sub(now)
		if !said && left <= skew {
			d, said = t.besides(now)
		}
		if !said || left > d && left > skew {
			d, said = left, true
		}
	}
	if !said {
		d, said = t.besides(now)
	}
	if !said {
		return 0, false
	}
	return min(max(d, shortest), longest), true
}

// besides looks for a time where no detail has one: in the text, then in the header.
func (t timing) besides(now time.Time) (d time.Duration, said bool) {
	for _, m := range resets.FindAllStringSubmatch(t.text, 8) {
		if d, said = duration(strings.TrimRight(m[1], ".")); said {
			return d, true
		}
	}
	return header(t.retryAfter, now)
}

// duration reads "0.53s", "539ms", "13h19m1.2s", and days, which Go does not know.
func duration(s string) (time.Duration, bool) {
	s = strings.TrimSpace(s)
	var days time.Duration
	if n, rest, ok := strings.Cut(s, "d"); ok {
		count, err := strconv.Atoi(n)
		if err != nil || count < 0 || count > 1000 {
			return 0, false
		}
		if days, s = time.Duration(count)*24*time.Hour, rest; s == "" {
			return days, true
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, false
	}
	return days + d, true
}

// header reads Retry-After: seconds or a date.
func header(s string, now time.Time) (time.Duration, bool) {
	s = strings.TrimSpace(s)
	if n, err := strconv.ParseInt(s, 10, 32); err == nil && n >= 0 {
		return time.Duration(n) * time.Second, true
	}
	if at, err := time.Parse("Mon, 02 Jan 2006 15:04:05 GMT", s); err == nil {
		return max(at.Sub(now), 0), true
	}
	return 0, false
}
