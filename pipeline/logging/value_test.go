package logging

import (
	"testing"
	"time"
)

func TestDuration(t *testing.T) {
	for _, d := range []time.Duration{0, 1, 999, 1000, 1500, 999_000, 1_000_000, 1_234_000, 10_020_000, 100_300_000, 999_999_000,
		1_000_001_000, time.Second, 90 * time.Second, -1, -1500 * time.Microsecond} {
		if got := string(appendDuration(nil, d)); got != d.String() {
			t.Errorf("%d: %s, want %s", int64(d), got, d)
		}
	}
}

// The stamp is made once a second, for each place on earth.
func TestStamp(t *testing.T) {
	var s stamp
	at := time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC)
	for _, one := range []time.Time{at.Local(), at, at.Local(), at.In(time.FixedZone("x", 3600)), at.Local().Add(time.Second), time.Unix(0, 0), {}} {
		if got, want := string(s.append(nil, one)), one.Format("[2006-01-02 15:04:05] ["); got != want {
			t.Errorf("%v: %s, want %s", one, got, want)
		}
	}
}
