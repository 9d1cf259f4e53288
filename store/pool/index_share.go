package pool

import "time"

// Left is what Google says is left of a quota of one credential.
type Left struct {
	Model    string    // as it goes to Google
	Fraction float64   // of the whole, 0 to 1
	Reset    time.Time // when it is whole again; zero when that is not known
}

// shares is what is left, by model and place: 255 is everything, and what is not known.
type shares struct {
	by    map[string][]uint8
	until int64 // when the first of them is out of date
}

const (
	allLeft   = 255
	leastLeft = 13 // 5 %: Google's word is advice, and late
	maxShares = 64 // models
	never     = int64(1<<63 - 1)
)

// reported takes over what Google says is left of an entry's quotas. It makes the entry weigh less,
// and never keeps it from being lent. The caller holds mu.
func (p *Pool) reported(e *entry, left []Left) {
	e.left = append([]Left(nil), left[:min(len(left), maxShares)]...)
	if !p.seated(e) {
		return
	}
	ix, now := &p.index, p.now().UnixNano()
	for _, column := range ix.shares.by {
		column[e.pos] = allLeft
	}
	ix.take(e, now)
	ix.gained(e.pos)
}

// share makes the shares of all anew.
func (p *Pool) share(now int64) {
	ix := &p.index
	ix.shares = shares{by: map[string][]uint8{}, until: never}
	for _, e := range ix.order {
		ix.take(e, now)
	}
	for b := range ix.gain {
		ix.gained(b << 6)
	}
}

func (ix *index) take(e *entry, now int64) {
	for _, l := range e.left {
		reset := never
		if !l.Reset.IsZero() {
			reset = l.Reset.UnixNano()
		}
		if reset <= now || !(l.Fraction < 1) {
			continue
		}
		column := ix.shares.by[l.Model]
		if column == nil {
			if len(ix.shares.by) >= maxShares {
				continue
			}
			column = make([]uint8, len(ix.order))
			for i := range column {
				column[i] = allLeft
			}
			ix.shares.by[l.Model] = column
		}
		column[e.pos] = max(uint8(max(l.Fraction, 0)*allLeft), leastLeft)
		ix.shares.until = min(ix.shares.until, reset)
	}
}
