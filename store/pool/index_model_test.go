package pool

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"gcli2api/pipeline"
)

// plainly picks as the index does, by walking over everybody.
type plainly struct {
	order []*entry // by priority, as in the queue
	turns map[lane]map[int]*plainTurn
	last  plainTurn
}

type plainTurn struct {
	priority int
	head     string // id
	served   int
}

// follow takes the queue over as it is now.
func (m *plainly) follow(p *Pool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.current(p.now().UnixNano()) // one change at a time
	old := m.order
	m.order = slices.Clone(p.queue)
	slices.SortStableFunc(m.order, func(a, b *entry) int { return cmp.Compare(b.wish.Priority, a.wish.Priority) })
	move := func(at *plainTurn) {
		i := slices.IndexFunc(old, func(e *entry) bool { return e.cred.ID == at.head })
		for j := range old {
			if id := old[(max(i, 0)+j)%len(old)].cred.ID; p.byID[id] != nil {
				if id != at.head {
					at.head, at.served = id, 0
				}
				return
			}
		}
		at.head, at.served = "", 0
	}
	for _, tiers := range m.turns {
		for _, at := range tiers {
			move(at)
		}
	}
	move(&m.last)
}

// open is who can be lent, room or not, of one priority: the highest that has anybody with room.
func (m *plainly) open(p *Pool, k lane, now int64, room bool) (tier, open []*entry) {
	for _, e := range m.order {
		if k.fits(e) && e.free(k.model, now) && (!room || p.roomy(e)) {
			if len(open) > 0 && open[0].wish.Priority != e.wish.Priority {
				break
			}
			open = append(open, e)
		}
	}
	for _, e := range m.order {
		if len(open) > 0 && e.wish.Priority == open[0].wish.Priority {
			tier = append(tier, e)
		}
	}
	return tier, open
}

// counted is the one whose turn it is.
func (m *plainly) counted(p *Pool, k lane, tier, open []*entry) *entry {
	if m.turns[k] == nil {
		m.turns[k] = map[int]*plainTurn{}
	}
	priority := tier[0].wish.Priority
	at := m.turns[k][priority]
	if at == nil {
		at = &plainTurn{priority: priority}
		if m.last.priority == priority {
			*at = m.last
		}
		m.turns[k][priority] = at
	}
	if k.group != "" { // its rotation goes round between its first and its last member
		member := func(e *entry) bool { return slices.Contains(e.wish.Groups, k.group) }
		last := len(m.order) - 1
		for !member(m.order[last]) {
			last--
		}
		part := m.order[slices.IndexFunc(m.order, member) : last+1]
		tier = slices.DeleteFunc(tier, func(e *entry) bool { return !slices.Contains(part, e) })
	}
	i := slices.IndexFunc(tier, func(e *entry) bool { return e.cred.ID == at.head })
	if i < 0 {
		i, at.head, at.served = 0, tier[0].cred.ID, 0
	}
	left := 1.0
	for _, l := range tier[i].left {
		if l.Model == k.model && p.now().Before(l.Reset) {
			left = float64(max(uint8(l.Fraction*allLeft), leastLeft)) / allLeft
		}
	}
	if at.served >= max(int(float64(p.set.CallsPerRotation*tier[i].weight())*left+0.5), 1) {
		i, at.served = (i+1)%len(tier), 0
		at.head = tier[i].cred.ID
	}
	for j := range tier {
		e := tier[(i+j)%len(tier)]
		if !slices.Contains(open, e) {
			continue
		}
		if j > 0 {
			at.head, at.served = e.cred.ID, 0
		}
		at.served++
		m.last = *at
		return e
	}
	return nil
}

// right says whether the pick is the one that the rotation should have made.
func (m *plainly) right(p *Pool, k lane, w *Want, got *entry, now int64) (want string, ok bool) {
	tier, open := m.open(p, k, now, true)
	if got == nil || len(open) == 0 {
		return fmt.Sprint(len(open), " can be lent"), got == nil && len(open) == 0
	}
	switch {
	case p.set.Rotation == Random:
		return "one of those that can be lent", slices.Contains(open, got)
	case p.set.Rotation == LeastUsed:
		use := func(e *entry) float64 {
			left := 1.0
			for _, l := range e.left {
				if l.Model == k.model && p.now().Before(l.Reset) {
					left = float64(max(uint8(l.Fraction*allLeft), leastLeft)) / allLeft
				}
			}
			return float64(e.used) / float64(e.weight()) / left
		}
		least := slices.MinFunc(open, func(a, b *entry) int { return cmp.Compare(use(a), use(b)) })
		return least.cred.ID, slices.Contains(open, got) && math.Abs(use(least)-use(got)) < 1e-9
	case p.set.Rotation == Sticky && w.Talk != 0:
		best, far := (*entry)(nil), uint64(math.MaxUint64)
		for _, e := range open {
			for j := range e.points() {
				if d := pointOf(p.index.ring.hashes[e.pos], j) - mix(w.Talk); d <= far {
					best, far = e, d
				}
			}
		}
		return best.cred.ID, got == best
	}
	e := m.counted(p, k, tier, open)
	return e.cred.ID, got == e
}

// Whatever happens to a pool, the index picks what a walk over all of its credentials would.
func TestIndexAgainstAPlainWalk(t *testing.T) {
	for _, rotation := range []string{Counted, LeastUsed, Random, Sticky} {
		for seed := range uint64(9) {
			t.Run(fmt.Sprint(rotation, seed), func(t *testing.T) {
				t.Parallel()
				walkAtRandom(t, rotation, seed, 3000)
			})
		}
	}
}

type randomWalk struct {
	t     *testing.T
	r     *rand.Rand
	p     *Pool
	c     *clock
	m     *plainly
	keys  []string
	named int
	calm  bool // credentials seldom come, go or are wished otherwise
	held  []pipeline.Lease
}

func walkAtRandom(t *testing.T, rotation string, seed uint64, steps int) {
	r := rand.New(rand.NewPCG(seed, 6))
	n := []int{1, 3, 64, 65, 130, 300, 65, 130, 300}[seed]
	s := &randomWalk{t: t, r: r, calm: seed >= 6, m: &plainly{turns: map[lane]map[int]*plainTurn{}}}
	s.p, s.c = keys(t, 0, func(o *Options) {
		o.Settings.Rotation, o.Settings.CallsPerRotation, o.Settings.KeyConcurrency = rotation, 3, 2
		o.Settings.EnforceLimits, o.Settings.DailyPro, o.Settings.DailyTotal = seed%2 == 1, 5, 9
	})
	s.p.dice = r.Uint64N
	for range n {
		s.add()
	}
	s.apply()
	for range steps {
		s.step()
		if t.Failed() {
			return
		}
	}
	for _, l := range s.held {
		l.Release()
	}
	for _, e := range s.p.queue {
		if *e.taken() != 0 {
			t.Errorf("%s: %d calls under way at the end", e.cred.ID, *e.taken())
		}
	}
	if s.p.Leases() != 0 {
		t.Errorf("%d leases at the end", s.p.Leases())
	}
}

func (s *randomWalk) add() {
	s.keys = slices.Insert(s.keys, s.r.IntN(len(s.keys)+1), fmt.Sprintf("key-%d", s.named))
	s.named++
}

func (s *randomWalk) apply() {
	set := s.p.set
	set.APIKeys = slices.Clone(s.keys)
	s.p.Apply(set)
	s.m.follow(s.p)
}

func (s *randomWalk) any() *entry { return s.p.queue[s.r.IntN(len(s.p.queue))] }

func (s *randomWalk) step() {
	r, e := s.r, s.any()
	n := r.IntN(100)
	if s.calm && n >= 90 && r.IntN(50) > 0 {
		n = r.IntN(90)
	}
	switch {
	case n < 45:
		s.pick()
	case n < 65:
		s.settle()
	case n < 70:
		s.p.Disable(e.cred.ID)
	case n < 78:
		s.p.Enable(e.cred.ID)
	case n < 81:
		s.p.mu.Lock()
		s.p.rests(e, time.Duration(r.IntN(300))*time.Second, cooldown{code: "rate_limited", status: 429, soft: r.IntN(2) == 0})
		s.p.unlock(e)
	case n < 90:
		s.c.forward(time.Duration(r.IntN(60)) * time.Second)
	case n < 91:
		s.c.forward(time.Duration(r.IntN(12)-1) * time.Hour) // clocks are set back as well
	case n < 93:
		s.add()
		s.apply()
	case n < 95 && len(s.keys) > 1:
		i := r.IntN(len(s.keys))
		s.keys = slices.Delete(s.keys, i, i+1)
		s.apply()
	case n < 98:
		s.p.Configure(e.cred.ID, func(w *Wish) {
			w.Priority, w.Weight, w.Concurrency, w.Groups = r.IntN(8)/7, r.IntN(4), r.IntN(5)-1, nil
			for _, g := range []string{"a", "b"} {
				if r.IntN(3) == 0 {
					w.Groups = append(w.Groups, g)
				}
			}
		})
		s.m.follow(s.p)
	default:
		s.p.mu.Lock()
		s.p.reported(e, []Left{{Model: "m0", Fraction: r.Float64(), Reset: s.c.at.Add(time.Duration(r.IntN(600)) * time.Second)}})
		s.p.unlock(e)
	}
}

// pick asks for one, and compares.
func (s *randomWalk) pick() {
	w := Want{Model: fmt.Sprintf("m%d", s.r.IntN(3)), Group: []string{"", "", "a", "b", "nobody"}[s.r.IntN(5)], Talk: s.r.Uint64N(20)}
	k, t := s.p.laneOf(&w), s.c.at
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	got := s.p.turn(k, &w, t.UnixNano())
	name := "nobody"
	if got != nil {
		name = got.cred.ID
	}
	if want, ok := s.m.right(s.p, k, &w, got, t.UnixNano()); !ok {
		s.t.Errorf("%+v: got %s, want %s", w, name, want)
	}
	_, open := s.m.open(s.p, k, t.UnixNano(), false)
	if busy := s.p.busy(k, t.UnixNano()); busy != (len(open) > 0) {
		s.t.Errorf("%+v: busy %t, %d could be lent", w, busy, len(open))
	}
	if x := s.p.exhausted(k, t); x != s.p.tally(k, t.UnixNano()) || (x.Fit > x.Disabled+x.Cooling) != (len(open) > 0) {
		s.t.Errorf("%+v: counted %+v, %d could be lent", w, x, len(open))
	}
	if got != nil {
		s.p.hold(got)
		s.held = append(s.held, s.p.lend(got, k, &w, t))
	}
}

// settle ends a call, well or not.
func (s *randomWalk) settle() {
	if len(s.held) == 0 {
		return
	}
	i := s.r.IntN(len(s.held))
	l := s.held[i]
	s.held = slices.Delete(s.held, i, i+1)
	switch s.r.IntN(3) {
	case 0:
		l.Report(nil)
	case 1:
		l.Report(rate(time.Duration(1+s.r.IntN(600)) * time.Second))
	}
	l.Release()
}

// A pool of keys of the settings is one account's projects where calls are counted together.
func TestRoomIsOneAccounts(t *testing.T) {
	p := folder(t, Options{Settings: Settings{AccountConcurrency: 2}},
		"a.json", `{"refresh_token":"1//a","token":"ya29.a","expiry":"2100-01-01T00:00:00Z","project_id":"p-1,p-2,p-3","email":"a@example.com"}`,
		"b.json", ready("b", "ya29.b", time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)))
	var got []pipeline.Lease
	for range 4 {
		got = append(got, take(t, p, Want{Model: "gemini-2.5-pro"}))
	}
	count := map[string]int{}
	for _, l := range got {
		count[l.Token()]++
	}
	if count["ya29.a"] != 2 || count["ya29.b"] != 2 {
		t.Errorf("calls at a time: %v", count)
	}
	if _, fail := p.Acquire(t.Context(), Want{Model: "gemini-2.5-pro"}); fail == nil || fail.Status != 503 {
		t.Errorf("a fifth call: %v", fail)
	}
	p.Configure("b.json", func(w *Wish) { w.Concurrency = 3 })
	if l := take(t, p, Want{Model: "gemini-2.5-pro"}); l.Token() != "ya29.b" {
		t.Errorf("the one with a limit of its own: %s", l.Token())
	} else {
		l.Release()
	}
	for _, l := range got {
		l.Release()
		l.Release()
	}
	if p.Leases() != 0 || p.queue[0].account.grant.out != 0 {
		t.Errorf("%d leases, %d calls", p.Leases(), p.queue[0].account.grant.out)
	}
}
