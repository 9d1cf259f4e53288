package pool

import "time"

// Left is what Google says is left of a quota: a hint for the selection, never a reason to refuse.
type Left struct {
	Model    string
	Fraction float64 // of 0 to 1
	Reset    time.Time
}

// reported tells the selection what Google says is left for an entry. The caller holds mu.
func (p *Pool) reported(e *entry, left []Left) { e.left = left }
