package pool

import (
	"cmp"
	"math/bits"
	"slices"
	"time"
)

// arrange builds the index of the queue. Rotations go on where they stood.
func (p *Pool) arrange(now int64) {
	ix, old := &p.index, p.index.order
	order := p.queue
	by := func(a, b *entry) int { return cmp.Compare(b.wish.Priority, a.wish.Priority) }
	if !slices.IsSortedFunc(order, by) {
		order = slices.Clone(order)
		slices.SortStableFunc(order, by)
	}
	n, over := len(order), now >= ix.day
	*ix = index{order: order, tiers: []int{0}, up: newBitmap(n), room: newBitmap(n), marked: newBitmap(n), none: newBitmap(n),
		full: newBitmap(n), rests: map[string]*resting{}, gain: make([]uint64, (n+63)/64), keys: make([]float64, n), day: p.dayEnd(now), clock: ix.clock}
	for b := range ix.full {
		ix.full[b] = ^uint64(0)
	}
	for i, e := range order {
		e.pos, e.due, e.sat = i, 0, e.seat()
		if i > 0 && e.sat.priority != order[i-1].sat.priority {
			ix.tiers = append(ix.tiers, i)
		}
		if over || e.used == 0 {
			e.used = p.today(e, time.Unix(0, now)).Total // what an earlier process counted
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
