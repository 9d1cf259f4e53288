package apikey

import (
	"math"
	"sync"
	"time"
)

// purse is the money of one key as this process knows it.
type purse struct {
	mu      sync.Mutex
	id      string
	tallies map[string]*tally
	epoch   int // how often what was used was set anew
	last    account
	renews  Period
	daily   bool
}

// tally is one counter. Where this process is the only one that writes, it knows more than the store: used is
// what was decided, stored what the store has. All is under the lock of the purse.
type tally struct {
	name   string
	purse  *purse
	used   int64
	stored int64
	write  int64  // what is being written now
	doubt  bool   // a write failed, and stored has to be read again
	queued bool   // in the list of those that differ
	next   *tally // in that list
}

// account is where the money of a key is taken from at one moment. Who has taken some keeps it, so that what
// goes back goes where it came from, in whichever period that is by then.
type account struct {
	purse *purse
	main  *tally // of the period, or of all times
	day   *tally // nil without a daily allowance
	ever  *tally
	epoch int

	period, today span
	counts        bool // ever is kept beside main, which will be forgotten
}

// purses is all of them. They are spread over several locks.
type purses [64]shard

type shard struct {
	mu   sync.RWMutex
	byID map[string]*purse
}

func (s *purses) shard(id string) *shard {
	h := uint32(2166136261) // FNV-1a
	for i := range len(id) {
		h = (h ^ uint32(id[i])) * 16777619
	}
	return &s[h%uint32(len(s))]
}

func (s *purses) of(id string) *purse {
	shard := s.shard(id)
	shard.mu.RLock()
	p := shard.byID[id]
	shard.mu.RUnlock()
	if p != nil {
		return p
	}
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if p = shard.byID[id]; p == nil {
		if shard.byID == nil {
			shard.byID = map[string]*purse{}
		}
		p = &purse{id: id, tallies: map[string]*tally{}}
		shard.byID[id] = p
	}
	return p
}

func (s *purses) drop(id string) {
	shard := s.shard(id)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	delete(shard.byID, id)
}

// each goes through all of them. No lock is held meanwhile.
func (s *purses) each(do func(*purse)) {
	for i := range s {
		shard := &s[i]
		shard.mu.RLock()
		list := make([]*purse, 0, len(shard.byID))
		for _, p := range shard.byID {
			list = append(list, p)
		}
		shard.mu.RUnlock()
		for _, p := range list {
			do(p)
		}
	}
}

// tally finds a counter, or begins it. The lock is held.
func (p *purse) tally(name string) *tally {
	t := p.tallies[name]
	if t == nil {
		t = &tally{name: name, purse: p}
		p.tallies[name] = t
	}
	return t
}

// account is where the money of the key is now.
func (p *purse) account(one *Key, now time.Time) account {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := &p.last
	if a.purse != nil && p.renews == one.Renews && p.daily == (one.Daily > 0) &&
		(a.period.name == "" || a.period.has(now)) && (a.day == nil || a.today.has(now)) {
		a.epoch = p.epoch
		return *a
	}
	p.renews, p.daily = one.Renews, one.Daily > 0
	*a = account{purse: p, epoch: p.epoch, period: one.Renews.at(now), today: Daily.at(now)}
	a.main, a.ever, a.counts = p.tally(mainCounter(p.id, a.period)), p.tally(everCounter(p.id)), a.period.name != ""
	if p.daily {
		a.day = p.tally(dayCounter(p.id, a.today))
	}
	return *a
}

// owned is how much of what was taken still counts: nothing after what was used has been set anew, which
// moved it to the counter of all times. ever is what has to come off there. The lock is held.
func (a *account) owned(had int64) (still, ever int64) {
	if a.epoch == a.purse.epoch {
		return had, 0
	}
	a.epoch = a.purse.epoch
	return 0, had
}

// forget drops counters that are at zero and will not be asked for again, and says whether none is left.
func (p *purse) forget(now time.Time, gone bool) (empty bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, t := range p.tallies {
		if t.used == 0 && t.stored == 0 && !t.queued && !t.doubt && (gone || isOld(name, now)) {
			delete(p.tallies, name)
		}
	}
	return gone && len(p.tallies) == 0
}

// plus adds and stops at zero and at the largest number; a is not negative.
func plus(a, b int64) int64 {
	if b > math.MaxInt64-a {
		return math.MaxInt64
	}
	return max(a+b, 0)
}
