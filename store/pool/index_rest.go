package pool

// end is when a rest is over, and of whom.
type end struct {
	until int64 // Unix nanoseconds
	pos   int
}

// ends is a heap of them, the earliest first. An end may be out of date: it is a reason to look at
// its entry, and not more.
type ends []end

func (h *ends) push(e end) {
	*h = append(*h, e)
	s := *h
	for i := len(s) - 1; i > 0; {
		up := (i - 1) / 2
		if s[up].until <= s[i].until {
			return
		}
		s[up], s[i] = s[i], s[up]
		i = up
	}
}

func (h *ends) pop() end {
	s := *h
	top, last := s[0], len(s)-1
	s[0] = s[last]
	s = s[:last]
	for i := 0; ; {
		least := i
		for _, c := range [...]int{2*i + 1, 2*i + 2} {
			if c < last && s[c].until < s[least].until {
				least = c
			}
		}
		if least == i {
			break
		}
		s[i], s[least] = s[least], s[i]
		i = least
	}
	*h = s
	return top
}

// over tells that the earliest end has come.
func (h ends) over(now int64) bool { return len(h) > 0 && h[0].until <= now }

// resting is on which credentials one model rests.
type resting struct {
	who  bitmap
	ends ends
}

// observe takes over what the entry knows of the model, and says whether it can serve again.
func (r *resting) observe(model string, e *entry, now int64) (back bool) {
	until := e.restOf(model)
	if until <= now {
		back = r.who.has(e.pos)
		r.who.put(e.pos, false)
		return back
	}
	r.who.put(e.pos, true)
	r.ends.push(end{until, e.pos})
	return false
}

// maxRests bounds the models whose rests are kept ready. Another one's are found again when it is asked for.
const maxRests = 256

// resting gives the rests of a model as they are now; nil when no model rests anywhere.
func (p *Pool) resting(model string, now int64) *resting {
	ix := &p.index
	r := ix.rests[model]
	switch {
	case r == nil && ix.marks == 0:
		return nil
	case r == nil, len(r.ends) > 2*len(ix.order)+64: // old ends have piled up
		r = ix.findRests(model, now)
	}
	for r.ends.over(now) {
		top := r.ends.pop()
		if r.who.has(top.pos) && r.observe(model, ix.order[top.pos], now) {
			ix.gained(top.pos)
		}
	}
	return r
}

func (ix *index) findRests(model string, now int64) *resting {
	if ix.rests[model] == nil && len(ix.rests) >= maxRests {
		for other := range ix.rests {
			delete(ix.rests, other)
			break
		}
	}
	r := &resting{who: newBitmap(len(ix.order))}
	ix.rests[model] = r
	marked := view{up: ix.marked, room: ix.full, kinds: ix.full, group: ix.full, rests: ix.none, all: span{0, len(ix.order)}}
	for i := marked.first(marked.all); i >= 0; i = marked.first(span{i + 1, len(ix.order)}) {
		r.observe(model, ix.order[i], now)
	}
	for b := range ix.gain { // who came back meanwhile is not known
		ix.gained(b << 6)
	}
	return r
}
