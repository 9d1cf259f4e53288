package apikey

import (
	"context"
	"sync"
	"time"

	"gcli2api/pipeline/apierror"
)

// localWindows keeps the windows of a process that is alone, in memory. Only keys with limits that were used in
// the last minute have something there.
type localWindows struct {
	now   func() time.Time
	start time.Time

	mu     sync.RWMutex
	meters map[string]*meter
	sweep  int // when there are so many, the idle ones go
}

// meter is what a key has used lately.
type meter struct {
	mu        sync.Mutex
	forgotten bool  // it is not in the map any more
	last      int64 // of the clock
	running   int64
	requests  journal
	tokens    journal
}

const fewMeters = 64

func newLocalWindows(now func() time.Time) *localWindows {
	return &localWindows{now: now, start: now(), meters: map[string]*meter{}, sweep: fewMeters}
}

// clock does not mind changes of the time of day.
func (l *localWindows) clock() int64 { return int64(l.now().Sub(l.start)) + 1 }

func (l *localWindows) close() {}

func (l *localWindows) enter(_ context.Context, one *Key, p *pass) *apierror.Error {
	for {
		m := l.meter(one.ID)
		if fail, again := l.try(m, one, p); !again {
			return fail
		}
	}
}

// try counts a request; again says that the meter was forgotten meanwhile.
func (l *localWindows) try(m *meter, one *Key, p *pass) (fail *apierror.Error, again bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.forgotten {
		return nil, true
	}
	now := m.trim(l.clock())
	fail = m.refuses(now, one, p)
	if fail == nil {
		p.meter, p.at, p.counted = m, now, one.Requests > 0
		m.running++
		if p.counted {
			m.requests.add(now, 1)
		}
		if p.estimate > 0 {
			m.tokens.add(now, p.estimate)
		}
	}
	if one.Requests > 0 {
		p.requests = m.requests.level(now, one.Requests)
	}
	if one.Tokens > 0 {
		p.tokens = m.tokens.level(now, one.Tokens)
	}
	return fail, false
}

// trim forgets what is too old, and gives the time: it stands still where a clock went back.
func (m *meter) trim(now int64) int64 {
	m.last = max(m.last, now)
	m.requests.trim(m.last)
	m.tokens.trim(m.last)
	return m.last
}

// refuses names the limit that holds a request up longest.
func (m *meter) refuses(now int64, one *Key, p *pass) *apierror.Error {
	if p.estimate > one.Tokens && one.Tokens > 0 {
		return tooLarge(p.estimate, one.Tokens)
	}
	var requests, tokens time.Duration
	if over := m.requests.sum + 1 - one.Requests; one.Requests > 0 && over > 0 {
		requests = m.requests.wait(now, over)
	}
	if over := m.tokens.sum + p.estimate - one.Tokens; one.Tokens > 0 && over > 0 {
		tokens = m.tokens.wait(now, over)
	}
	switch {
	case requests > 0 && requests >= tokens:
		return tooMany("requests", one.Requests, requests)
	case tokens > 0:
		return tooMany("tokens", one.Tokens, tokens)
	case one.Concurrency > 0 && m.running >= one.Concurrency:
		return tooManyAtOnce(one.Concurrency)
	}
	return nil
}

func (l *localWindows) end(p *pass, back bool, spent int64) {
	m := p.meter
	m.mu.Lock()
	defer m.mu.Unlock()
	m.running--
	now := m.trim(l.clock())
	if p.counted && back {
		m.requests.remove(p.at, 1)
	}
	if p.estimate > 0 {
		m.tokens.remove(p.at, p.estimate)
		if spent > 0 {
			m.tokens.add(now, spent)
		}
	}
}

// meter finds what a key has used, or begins anew.
func (l *localWindows) meter(id string) *meter {
	l.mu.RLock()
	m := l.meters[id]
	l.mu.RUnlock()
	if m != nil {
		return m
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if m = l.meters[id]; m == nil {
		if len(l.meters) >= l.sweep {
			l.forget()
		}
		m = &meter{}
		l.meters[id] = m
	}
	return m
}

// forget drops the meters that count nothing; l.mu is held.
func (l *localWindows) forget() {
	now := l.clock()
	for id, m := range l.meters {
		if m.idle(now) {
			delete(l.meters, id)
		}
	}
	l.sweep = max(2*len(l.meters), fewMeters)
}

// idle says that a meter counts nothing, and nothing any more.
func (m *meter) idle(now int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.trim(now)
	m.forgotten = m.running == 0 && m.requests.sum == 0 && m.tokens.sum == 0
	return m.forgotten
}
