package circuit

import (
	"math"
	"sync"
	"time"
)

const (
	slices    = 6 // of the last minute
	sliceTime = 10 * time.Second
	steps     = 64 // of a duration, each 1.3 times the one before
	growth    = 1.3
	least     = 50 * time.Microsecond
)

// times are how long answers took, in steps, by pieces of the last minute.
type times struct {
	mu     sync.Mutex
	pieces [slices]struct {
		number int64
		counts [steps]int64
	}
}

func (t *times) add(now time.Time, took time.Duration) {
	number := now.UnixNano() / int64(sliceTime)
	step := 0
	if took > least {
		step = min(steps-1, int(math.Ceil(math.Log(float64(took)/float64(least))/math.Log(growth))))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	p := &t.pieces[number%slices]
	if p.number != number {
		p.number = number
		clear(p.counts[:])
	}
	p.counts[step]++
}

func (t *times) minute(now time.Time) (m Minute) {
	number := now.UnixNano() / int64(sliceTime)
	var counts [steps]int64
	t.mu.Lock()
	for i := range t.pieces {
		if p := &t.pieces[i]; p.number > number-slices && p.number <= number {
			for step, n := range p.counts {
				counts[step] += n
				m.Answers += n
			}
		}
	}
	t.mu.Unlock()
	m.Median, m.Slow = at(counts[:], m.Answers, 0.5), at(counts[:], m.Answers, 0.99)
	return m
}

// at is the step, in milliseconds, that a part of the answers did not go beyond.
func at(counts []int64, all int64, part float64) float64 {
	need := int64(math.Ceil(float64(all) * part))
	for step, n := range counts {
		if need -= n; need <= 0 && all > 0 {
			ms := float64(least) * math.Pow(growth, float64(step)) / float64(time.Millisecond)
			return math.Round(ms*100) / 100
		}
	}
	return 0
}
