package pool

import "time"

// untilMidnight is the time until 00:00 in California. The zone is computed, because a small image
// has no zone files.
func untilMidnight(t time.Time) time.Duration {
	local := t.UTC().Add(pacificOffset(t))
	day := time.Date(local.Year(), local.Month(), local.Day()+1, 0, 0, 0, 0, time.UTC)
	// The night in which the clocks change has another offset at its end than now.
	next := day.Add(-pacificOffset(day.Add(8 * time.Hour)))
	return next.Sub(t)
}

// pacificOffset is -7 h from the second Sunday of March to the first of November, 2 o'clock local
// time each, else -8 h.
func pacificOffset(t time.Time) time.Duration {
	t = t.UTC()
	begin := sunday(t.Year(), time.March, 2).Add(10 * time.Hour)
	end := sunday(t.Year(), time.November, 1).Add(9 * time.Hour)
	if !t.Before(begin) && t.Before(end) {
		return -7 * time.Hour
	}
	return -8 * time.Hour
}

// sunday is the nth Sunday of a month, 00:00 UTC.
func sunday(year int, month time.Month, n int) time.Time {
	first := time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
	return first.AddDate(0, 0, (7-int(first.Weekday()))%7+7*(n-1))
}
