package pool

import (
	"cmp"
	"math/bits"
	"slices"

	"gcli2api/store/oauth"
)

// index is the queue laid out so that a pick looks at 64 credentials at a time: bitmaps over their
// places, by what decides whether one can be lent. Rests that end are taken out of heaps when the next
// pick looks at them; no timer runs. moved keeps it up to date, replace and wishes lay it out anew.
type index struct {
	order []*entry // by priority, higher first, then as in the queue
	tiers []int    // where each priority begins in order, and at last its end
	stale bool     // to be laid out anew before the next use

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
	day      int64
	gain     []uint64 // by 64 places: when somebody came back, or was used less, last
	clock    uint64   // counts these
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
	if ix.stale || len(ix.wake) > 2*len(ix.order)+64 {
		p.layOut(now)
	}
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
	if day := dayOf(now); day != ix.day {
		p.newDay(day)
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

// layOut builds the index of the queue. Rotations go on where they stood.
func (p *Pool) layOut(now int64) {
	ix, old := &p.index, p.index.order
	order := p.queue
	by := func(a, b *entry) int { return cmp.Compare(b.wish.Priority, a.wish.Priority) }
	if !slices.IsSortedFunc(order, by) {
		order = slices.Clone(order)
		slices.SortStableFunc(order, by)
	}
	n := len(order)
	*ix = index{order: order, tiers: []int{0}, up: newBitmap(n), room: newBitmap(n), marked: newBitmap(n), none: newBitmap(n),
		full: newBitmap(n), rests: map[string]*resting{}, gain: make([]uint64, (n+63)/64), keys: make([]float64, n), day: ix.day, clock: ix.clock}
	for b := range ix.full {
		ix.full[b] = ^uint64(0)
	}
	for i, e := range order {
		e.pos, e.due, e.sat = i, 0, e.seat()
		if i > 0 && e.sat.priority != order[i-1].sat.priority {
			ix.tiers = append(ix.tiers, i)
		}
		ix.keys[i] = float64(e.used) / float64(e.sat.weight)
	}
	ix.tiers = append(ix.tiers, n)
	for _, e := range order {
		p.observe(e, now)
	}
	ix.layKinds()
	ix.layGroups()
	ix.layWeights()
	p.share(now)
	p.carryOn(old)
}

func (ix *index) layKinds() {
	for k := range ix.kinds {
		ix.kinds[k] = newBitmap(len(ix.order))
	}
	for i, e := range ix.order {
		for k := range ix.kinds {
			if e.kind&uint8(k) != 0 {
				ix.kinds[k].put(i, true)
			}
		}
	}
}

func (ix *index) layGroups() {
	ix.groups = map[string]*group{}
	for i, e := range ix.order {
		for _, name := range e.sat.groups {
			if g := ix.groups[name]; g != nil {
				g.all.hi = i + 1
			} else {
				ix.groups[name] = &group{base: i >> 6, all: span{i, i + 1}}
			}
		}
	}
	for i, e := range ix.order {
		for _, name := range e.sat.groups {
			g := ix.groups[name]
			if g.who == nil {
				g.who = newBitmap(g.all.hi - g.base<<6)
			}
			g.who.put(i-g.base<<6, true)
		}
	}
}

func (ix *index) layWeights() {
	ix.scratch = make([]uint64, len(ix.gain))
	for i, e := range ix.order {
		ix.heaviest = max(ix.heaviest, e.sat.weight)
		for b := range bits.Len(uint(e.sat.weight)) {
			if b >= len(ix.planes) {
				ix.planes = append(ix.planes, newBitmap(len(ix.order)))
			}
			if e.sat.weight>>b&1 != 0 {
				ix.planes[b].put(i, true)
			}
		}
	}
}

// taken is where the calls with an entry are counted: those of an account over all its projects.
func (e *entry) taken() *int {
	if e.account != nil && e.cred.Kind == oauth.CodeAssist {
		return &e.account.out
	}
	return &e.out
}

// most is how many calls at a time an entry may have; 0 is no limit.
func (p *Pool) most(e *entry) int {
	switch {
	case e.wish.Concurrency != 0:
		return max(e.wish.Concurrency, 0)
	case e.cred.Kind == oauth.CodeAssist:
		return p.set.AccountConcurrency
	}
	return p.set.KeyConcurrency
}

func (p *Pool) roomy(e *entry) bool {
	most := p.most(e)
	return most <= 0 || *e.taken() < most
}

// hold counts a call with an entry before it is made, drop takes that back, giveBack ends it.
func (p *Pool) hold(e *entry) {
	*e.taken()++
	p.use(e, 1)
	p.crowd(e)
}

func (p *Pool) drop(e *entry) {
	p.use(e, -1)
	p.giveBack(e)
}

func (p *Pool) giveBack(e *entry) {
	*e.taken()--
	p.crowd(e)
}

// crowd takes over whether there is room for another call with an entry, and the others of its account.
func (p *Pool) crowd(e *entry) {
	one := [1]*entry{e}
	all := one[:]
	if e.taken() != &e.out {
		all = e.account.entries
	}
	for _, s := range all {
		if p.seated(s) && p.index.room.put(s.pos, p.roomy(s)) {
			p.index.gained(s.pos)
		}
	}
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

// dayOf numbers the days of the quota, which begin at 07:00 UTC.
func dayOf(now int64) int64 { return (now/1e9 - 7*3600) / 86400 }

// newDay begins to count anew.
func (p *Pool) newDay(day int64) {
	ix := &p.index
	first := ix.day == 0
	if ix.day = day; first {
		return
	}
	for i, e := range ix.order {
		e.used, ix.keys[i] = 0, 0
	}
	for b := range ix.gain {
		ix.gained(b << 6)
	}
}
