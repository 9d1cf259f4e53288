package pool

import (
	"slices"
	"time"
)

// index is the queue laid out so that a pick looks at 64 credentials at a time: bitmaps over their
// places, by what decides whether one can be lent. Rests that end are taken out of heaps when the next
// pick looks at them; no timer runs. moved keeps it up to date, replace and wishes lay it out anew.
type index struct {
	order []*entry // by priority, higher first, then as in the queue
	tiers []int    // where each priority begins in order, and at last its end
	stale bool     // to be laid out anew before the next use
	seen  int64    // the latest time so far

	up     bitmap    // switched on, and not resting as a whole
	room   bitmap    // below the number of calls at a time
	marked bitmap    // something is known of some model
	kinds  [8]bitmap // by the bits of the kinds of a lane
	groups map[string]*group
	rests  map[string]*resting // by model
	marks  int                 // entries in marked
	wake   ends                // of rests of whole credentials
	full   bitmap              // everybody, with bits behind the end
	none   bitmap

	planes   []bitmap // bit by bit, the weights
	heaviest int      // the greatest of them
	scratch  []uint64 // for one pick
	shares   shares
	keys     []float64 // calls of the day by weight
	day      int64     // its end, Unix nanoseconds
	gain     []uint64  // by 64 places: when somebody came back, or was used less, last
	clock    uint64    // counts these
	ring     ring
}

// group is who belongs to a name: bits from word base on.
type group struct {
	base int
	who  bitmap
	all  span
}

// maxWeight bounds what one credential can weigh against another.
const maxWeight = 1000

// weight is the share that the operator wants the entry to have.
func (e *entry) weight() int { return min(max(e.wish.Weight, 1), maxWeight) }

// seat is what of an entry decides where it stands in the index.
type seat struct {
	priority, weight int
	groups           []string
}

func (e *entry) seat() seat { return seat{e.wish.Priority, e.weight(), e.wish.Groups} }

func (s seat) equal(o seat) bool {
	return s.priority == o.priority && s.weight == o.weight && slices.Equal(s.groups, o.groups)
}

// seated tells that the index knows the entry.
func (p *Pool) seated(e *entry) bool {
	ix := &p.index
	return !ix.stale && e.pos < len(ix.order) && ix.order[e.pos] == e
}

// moved is called behind every change that decides whether an entry of the queue can be lent:
// switched on or off, a rest of its own or of one model, what the operator wants of it. The caller
// holds mu.
func (p *Pool) moved(e *entry) {
	p.loosened++
	switch {
	case !p.seated(e):
	case !e.sat.equal(e.seat()):
		p.index.stale = true
	default:
		p.observe(e, p.now().UnixNano())
	}
}

// observe takes over how an entry is now.
func (p *Pool) observe(e *entry, now int64) {
	ix := &p.index
	p.observeWhole(e, now)
	if ix.room.put(e.pos, p.roomy(e)) {
		ix.gained(e.pos)
	}
	had := ix.marked.has(e.pos)
	if !e.marked() && !had {
		return
	}
	if has := e.marked(); has != had {
		ix.marked.put(e.pos, has)
		ix.marks += 1 - 2*b2i(had)
	}
	for model, r := range ix.rests {
		if r.observe(model, e, now) {
			ix.gained(e.pos)
		}
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// observeWhole is observe for what concerns the entry as a whole.
func (p *Pool) observeWhole(e *entry, now int64) {
	ix := &p.index
	rests := e.cool.until > now
	if ix.up.put(e.pos, !e.disabled && !rests) {
		ix.gained(e.pos)
	}
	if rests && (e.due == 0 || e.cool.until < e.due) {
		e.due = e.cool.until
		ix.wake.push(end{e.due, e.pos})
	}
}

// gained notes that somebody can be lent who could not, or weighs less than before.
func (ix *index) gained(pos int) {
	ix.clock++
	ix.gain[pos>>6] = ix.clock
}

// current is the index as it is now.
func (p *Pool) current(now int64) *index {
	ix := &p.index
	// Whoever asks reads the clock before its turn comes; what is older than that is a clock set back, and
	// rests that were over are not.
	if back := now < ix.seen-int64(time.Second); back || ix.stale || len(ix.wake) > 2*len(ix.order)+64 {
		p.arrange(now)
	}
	ix.seen = max(ix.seen, now)
	for ix.wake.over(now) {
		top := ix.wake.pop()
		e := ix.order[top.pos]
		if e.due == top.until {
			e.due = 0
		}
		p.observeWhole(e, now)
	}
	if ix.shares.until <= now {
		p.share(now)
	}
	if now >= ix.day {
		p.newDay(now)
	}
	return ix
}

// view is who can be lent for a lane now.
func (p *Pool) view(k lane, now int64) view {
	ix := p.current(now)
	v := view{up: ix.up, room: ix.room, kinds: ix.kinds[k.kinds&7], group: ix.full, rests: ix.none, all: span{0, len(ix.order)}}
	if r := p.resting(k.model, now); r != nil {
		v.rests = r.who
	}
	if k.group != "" {
		g := ix.groups[k.group]
		if g == nil {
			v.all.hi = 0
			return v
		}
		v.group, v.base, v.all = g.who, g.base, g.all
	}
	return v
}

// tier is the places of all that have the priority of this one.
func (ix *index) tier(pos int) span {
	if len(ix.tiers) == 2 {
		return span{0, len(ix.order)}
	}
	i, begins := slices.BinarySearch(ix.tiers, pos)
	if !begins {
		i--
	}
	return span{ix.tiers[i], ix.tiers[i+1]}
}

// use counts a call of the day.
func (p *Pool) use(e *entry, n int64) {
	e.used = max(e.used+n, 0)
	if p.seated(e) {
		p.index.keys[e.pos] = float64(e.used) / float64(e.sat.weight)
		if n < 0 {
			p.index.gained(e.pos)
		}
	}
}

// newDay begins to count anew.
func (p *Pool) newDay(now int64) {
	ix := &p.index
	for i, e := range ix.order {
		e.used, ix.keys[i] = 0, 0
	}
	for b := range ix.gain {
		ix.gained(b << 6)
	}
	ix.day = p.dayEnd(now)
}

// dayEnd is when the counters of the day begin anew, Unix nanoseconds.
func (p *Pool) dayEnd(now int64) int64 {
	return p.dayOf(time.Unix(0, now)).Add(24 * time.Hour).UnixNano()
}
