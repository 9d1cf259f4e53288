package audit

import "time"

// strangersRows are the rows a minute of requests that were not let in. Anybody can make thousands of them a
// second, for as long as he likes: the others are counted, or they would fill the store.
const strangersRows = 100

const minute = int64(time.Minute / time.Microsecond)

// door counts those who were not let in. Its times are in microseconds.
type door struct {
	since int64 // when the minute began
	rows  int   // of it
	left  int64 // are no rows, and nobody was told
	told  int64 // when somebody was
}

// takes tells whether a request gets a row.
func (d *door) takes(at int64) bool {
	if gone := at - d.since; gone >= minute || gone < 0 {
		d.since, d.rows = at, 0
	}
	if d.rows >= strangersRows {
		d.left++
		return false
	}
	d.rows++
	return true
}

// due takes out how many are to be told of, once a minute; all of them at once when it is the last time.
func (d *door) due(at int64, last bool) (left int64) {
	if gone := at - d.told; d.left == 0 || !last && gone >= 0 && gone < minute {
		return 0
	}
	left, d.left, d.told = d.left, 0, at
	return left
}

// tellStrangers says how many requests have no row.
func (l *Log) tellStrangers(last bool) {
	l.mu.Lock()
	left := l.rows.door.due(l.o.Now().UnixMicro(), last)
	l.mu.Unlock()
	if left > 0 {
		l.o.Log.Warn("requests with a wrong password or API key are not in the log of requests, because there are too many", "left_out", left, "rows_a_minute", strangersRows)
	}
}
