package apikey

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// exactLog is what the journal is held against.
type exactLog []line

func (e exactLog) since(from int64) (sum int64) {
	for _, l := range e {
		if l.at > from {
			sum += l.n
		}
	}
	return sum
}

// Whatever comes and is taken back: the journal never counts less than the last minute has, and never
// more than the last minute and a half second.
func TestJournalAgainstAnExactLog(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 7))
		var j journal
		var all exactLog
		now, pace := int64(1), int64(1)<<(20+seed%16) // from a millisecond to half a minute apart
		for range 4000 {
			if r.IntN(3) > 0 {
				now += r.Int64N(pace)
			}
			j.trim(now)
			switch low, high := all.since(now-window), all.since(now-window-coarse); {
			case j.sum < low, j.sum > high:
				t.Fatalf("seed %d: %d counted, %d were in the last minute, %d in half a second more", seed, j.sum, low, high)
			}
			if open := len(j.lines) - j.head; open > exact+121 {
				t.Fatalf("seed %d: %d lines", seed, open)
			}
			if len(all) > 0 && r.IntN(4) == 0 {
				i := len(all) - 1 - r.IntN(min(len(all), 300))
				j.remove(all[i].at, all[i].n)
				all[i].n = 0
				continue
			}
			n := 1 + r.Int64N(5)
			j.add(now, n)
			all = append(all, line{now, n})
		}
	}
}

// After the wait that is told there is room, and not before.
func TestWaitOfTheJournal(t *testing.T) {
	var j journal
	sec := int64(time.Second)
	for _, l := range []line{{1 * sec, 3}, {10 * sec, 4}, {30 * sec, 2}} {
		j.add(l.at, l.n)
	}
	now := 40 * sec
	for much, want := range map[int64]time.Duration{1: 21 * time.Second, 3: 21 * time.Second, 4: 30 * time.Second, 7: 30 * time.Second, 8: 50 * time.Second, 9: 50 * time.Second} {
		got := j.wait(now, much)
		if got != want {
			t.Errorf("%d have left in %v, want %v", much, got, want)
		}
		before, after := j, j
		before.lines, after.lines = slices.Clone(j.lines), slices.Clone(j.lines)
		if before.trim(now + int64(got) - 1); before.sum <= j.sum-much {
			t.Errorf("%d had left before", much)
		}
		if after.trim(now + int64(got)); after.sum > j.sum-much {
			t.Errorf("%d have not left by then", much)
		}
	}
	if got := j.level(now, 20); got != (level{20, 11, 50 * time.Second}) {
		t.Errorf("level %+v", got)
	}
	if got := j.level(now, 5); got.left != 0 {
		t.Errorf("below a limit that was lowered: %+v", got)
	}
	if got := new(journal).level(now, 20); got != (level{20, 20, 0}) {
		t.Errorf("nothing was used: %+v", got)
	}
}

// What is taken back and has left already takes nothing of what came later.
func TestTakingBackTooLate(t *testing.T) {
	var j journal
	j.add(1, 2)
	j.add(window, 3)
	j.trim(window + 1)
	if j.remove(1, 2); j.sum != 3 {
		t.Errorf("%d are counted, want 3", j.sum)
	}
	if j.remove(window, 99); j.sum != 0 || len(j.lines) != j.head {
		t.Errorf("%d are counted after more was taken back than there was", j.sum)
	}
}
