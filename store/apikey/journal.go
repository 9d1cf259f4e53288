package apikey

import (
	"sort"
	"time"
)

const (
	window = int64(time.Minute)
	exact  = 128          // so many lines have the very time in them
	coarse = window / 120 // beyond, a line stands for what came within that
)

// journal is what counted in the last minute, in the order of time. It has no more than exact lines and
// those of two minutes of coarse ones. Times are nanoseconds of any clock, beginning above zero.
type journal struct {
	sum   int64
	lines []line // from head on; none is empty
	head  int
	begun int64 // when the newest line was begun
	gone  int64 // the time of the newest line that has left
}

// line says that n came no later than at.
type line struct{ at, n int64 }

// trim forgets what is older than the window.
func (j *journal) trim(now int64) {
	for j.head < len(j.lines) && j.lines[j.head].at <= now-window {
		j.sum -= j.lines[j.head].n
		j.gone = j.lines[j.head].at
		j.head++
	}
	switch {
	case j.head == len(j.lines):
		j.lines, j.head = j.lines[:0], 0
	case j.head > len(j.lines)/2:
		j.lines, j.head = j.lines[:copy(j.lines, j.lines[j.head:])], 0
	}
}

// add counts n; now is never less than it was.
func (j *journal) add(now, n int64) {
	j.sum += n
	if open := j.lines[j.head:]; len(open) > 0 {
		last := &open[len(open)-1]
		if now == last.at || len(open) >= exact && now-j.begun < coarse {
			last.at = now // all of it stays as long as the last of it: never too short
			last.n += n
			return
		}
	}
	j.lines = append(j.lines, line{now, n})
	j.begun = now
}

// remove takes back what was counted at a time, if it has not left by itself.
func (j *journal) remove(at, n int64) {
	if at <= j.gone || n <= 0 {
		return
	}
	open := j.lines[j.head:]
	// Lines only ever move on to later times while they are the last: the first that ends no sooner has it.
	i := sort.Search(len(open), func(i int) bool { return open[i].at >= at })
	if i == len(open) {
		return
	}
	n = min(n, open[i].n)
	open[i].n -= n
	j.sum -= n
	if open[i].n == 0 {
		if i == len(open)-1 {
			j.begun = j.gone - coarse // nobody knows when the one before was begun: nothing more goes into it
		}
		j.lines = append(j.lines[:j.head+i], j.lines[j.head+i+1:]...)
	}
}

// wait is how long it takes until so much has left.
func (j *journal) wait(now, much int64) time.Duration {
	for _, l := range j.lines[j.head:] {
		if much -= l.n; much <= 0 {
			return time.Duration(l.at + window - now)
		}
	}
	return 0
}

// level is how the journal stands to a limit.
func (j *journal) level(now, limit int64) level {
	l := level{limit: limit, left: max(limit-j.sum, 0)}
	if j.head < len(j.lines) {
		l.reset = time.Duration(j.lines[len(j.lines)-1].at + window - now)
	}
	return l
}
