package pool

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"time"

	"gcli2api/pipeline/apierror"
)

// State is what the pool has learned about a credential and would like to know after a restart, and
// what other nodes have to know of it. merge.go says how two of them become one. Its times are in
// UTC and without a monotonic reading, so that equal ones are equal.
type State struct {
	Wish Wish   `json:"wish,omitzero"`
	Of   string `json:"of"` // hash of the secret: another one under the same id begins anew
	// Was are those of the ones before, where Google gave newer ones, latest first: it is the same sign-in.
	Was []string `json:"was,omitempty"`

	Disabled   bool            `json:"disabled,omitempty"`
	Reason     string          `json:"reason,omitempty"`
	Link       string          `json:"link,omitempty"`
	SwitchedAt time.Time       `json:"switched_at,omitzero"` // off or on: of two nodes the later one is right
	Rest       Rest            `json:"rest,omitzero"`
	Rests      map[string]Rest `json:"rests,omitempty"` // of single models
	Codes      []int           `json:"codes,omitempty"`
	Messages   map[int]string  `json:"messages,omitempty"`   // the last one of each code, without secrets
	NoPreview  bool            `json:"no_preview,omitempty"` // Google has shown it no preview models

	Calls       int64     `json:"calls,omitempty"` // all, whatever became of them
	LastSuccess time.Time `json:"last_success,omitzero"`
	Day         Day       `json:"day,omitzero"`
	Hours       Hours     `json:"hours,omitempty"`

	AccessToken string    `json:"access_token,omitempty"` // saves a refresh of every account at each start
	TokenUntil  time.Time `json:"token_until,omitzero"`

	// What was learned of a credential whose source cannot be written: a read-only folder, an
	// environment variable.
	RefreshToken string `json:"refresh_token,omitempty"` // that Google gave instead of the one that the source has
	Project      string `json:"project,omitempty"`
	Email        string `json:"email,omitempty"`
	Tier         string `json:"tier,omitempty"`

	Left   time.Time `json:"left,omitzero"`    // when the credential was first missed
	Writes []string  `json:"writes,omitempty"` // names of the last writes, one a node, newest last

	more map[string]json.RawMessage // what a newer version keeps here
}

// States remembers states. Both methods are called while the pool is locked, so that the last word is
// the last one said: they must neither block nor call back.
type States interface {
	Load(id string) (State, bool)
	Save(id string, s State)
}

// Rest is a cooldown as it is kept.
type Rest struct {
	Until   time.Time     `json:"until"`
	Since   time.Time     `json:"since,omitzero"`
	Code    apierror.Code `json:"code,omitempty"`
	Status  int           `json:"status,omitempty"` // what a client is told
	Soft    bool          `json:"soft,omitempty"`   // the end is a guess
	Guesses int           `json:"guesses,omitempty"`
}

func (c cooldown) kept() Rest {
	if c.until == 0 {
		return Rest{}
	}
	return Rest{Until: stamp(c.until), Since: stamp(c.since), Code: c.code, Status: c.status, Soft: c.soft}
}

func (r Rest) cooldown() cooldown {
	if r.Until.IsZero() {
		return cooldown{}
	}
	c := cooldown{until: r.Until.UnixNano(), code: r.Code, status: r.Status, soft: r.Soft}
	if !r.Since.IsZero() {
		c.since = r.Since.UnixNano()
	}
	return c
}

// stamp is a time as states have it; zero for none.
func stamp(nano int64) time.Time {
	if nano == 0 {
		return time.Time{}
	}
	return time.Unix(0, nano).UTC()
}

func secretHash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:8])
}

// say notes a log line for unlock: nothing is written while mu is held.
func (p *Pool) say(level slog.Level, message string, args ...any) {
	p.lines = append(p.lines, func() { p.log.Log(context.Background(), level, message, args...) })
}

// unlock lends to those who wait what can be lent now, tells States what changed of these entries, frees
// mu and then writes what was said.
func (p *Pool) unlock(entries ...*entry) {
	if p.line.n > 0 {
		p.serve(p.now())
	}
	p.save(entries)
	lines := p.lines
	p.lines = nil
	p.mu.Unlock()
	for _, line := range lines {
		line()
	}
}

// saveAtOnce is how many entries are told of while mu is held.
const saveAtOnce = 256

// settle waits until what was saved is written, so that thousands of changed states are not in memory all
// at once. A store that fails is not waited for again: what is saved stays with States.
func (p *Pool) settle(waits *bool) {
	if s, can := p.states.(interface {
		Sync(ctx context.Context) error
	}); can && *waits {
		*waits = s.Sync(p.ctx) == nil
	}
}

// saveCounts tells States what changes with every call: at once would be a write for each of them.
// It also sees a day end.
func (p *Pool) saveCounts() {
	t, waits := p.now(), true
	for from := 0; ; from += saveAtOnce {
		p.mu.Lock()
		all := p.all()
		part := all[min(from, len(all)):min(from+saveAtOnce, len(all))]
		for _, e := range part {
			e.dirty = e.dirty || e.calls != e.told
			p.recap(e, t)
		}
		p.unlock(part...)
		if len(part) == 0 {
			return
		}
		p.settle(&waits)
	}
}

// all lists the entries that there are, those that are shut out as well. The caller holds mu.
func (p *Pool) all() []*entry {
	if len(p.idle) == 0 {
		return p.queue
	}
	return slices.Concat(p.queue, p.idle)
}

// save tells States what it has to hear. The caller holds mu.
func (p *Pool) save(entries []*entry) {
	if p.states == nil {
		return
	}
	for _, e := range entries {
		if e.dirty && !e.gone {
			e.dirty, e.told = false, e.calls
			p.states.Save(e.cred.ID, e.state())
		}
	}
}

func (e *entry) state() State {
	s := State{
		Of: secretHash(e.origin()), Disabled: e.disabled, Reason: e.reason, Link: e.link, SwitchedAt: stamp(e.switched),
		Rest: e.cool.kept(), Messages: maps.Clone(e.messages), NoPreview: e.noPreview, Calls: e.calls,
		Day: e.day, Hours: slices.Clone(e.hours), Wish: e.wish,
	}
	if len(e.codes) > 0 {
		s.Codes = slices.Clone(e.codes)
	}
	if !e.lastSuccess.IsZero() {
		s.LastSuccess = stamp(e.lastSuccess.UnixNano())
	}
	if a := e.account; a != nil && !a.stale && !a.expiry.IsZero() {
		s.AccessToken, s.TokenUntil = a.token, stamp(a.expiry.UnixNano())
	}
	if a := e.account; a != nil {
		s.Was = a.was
		if a.heir != "" {
			s.Of, s.Was = a.heir, a.heirWas
		}
	}
	e.learned(&s)
	for model, m := range e.marks {
		if m.until == 0 {
			continue
		}
		if s.Rests == nil {
			s.Rests = map[string]Rest{}
		}
		r := m.kept()
		r.Guesses = m.guesses
		s.Rests[model] = r
	}
	return s
}

// recall gives a new entry the state that it had before a restart, and says whether there was one:
// also that of an earlier credential of this name, which does not count.
func (p *Pool) recall(e *entry) (known bool) {
	defer func() { e.capped = p.caps(e, p.now()) }()
	if p.states == nil {
		return false
	}
	s, ok := p.states.Load(e.cred.ID)
	e.wish = s.Wish // it is about the name: also of a credential that was signed in anew
	p.hideProxy(e.wish)
	e.dirty = e.dirty || !s.Left.IsZero()
	if !ok || !e.isOf(s) {
		return ok
	}
	p.take(e, s)
	e.told = e.calls
	return true
}

// isOf tells that a state is about this secret. The source may have the token that the state knows
// as the new one: it was written after it.
func (e *entry) isOf(s State) bool {
	of := secretHash(e.origin())
	return s.Of == of || slices.Contains(s.Was, of) || s.RefreshToken != "" && s.RefreshToken == e.origin()
}

// take makes a state that of an entry.
func (p *Pool) take(e *entry, s State) {
	e.wish = s.Wish
	p.hideProxy(e.wish)
	p.relearn(e, s)
	e.disabled, e.reason, e.link, e.switched = s.Disabled, s.Reason, s.Link, nano(s.SwitchedAt)
	e.codes, e.messages, e.noPreview = slices.Clone(s.Codes), maps.Clone(s.Messages), s.NoPreview
	e.calls, e.lastSuccess, e.day, e.hours = s.Calls, s.LastSuccess, s.Day, slices.Clone(s.Hours)
	e.descend(s)
	if a := e.account; a != nil && s.AccessToken != "" && s.TokenUntil.After(a.expiry) {
		a.token, a.expiry, a.stale = s.AccessToken, s.TokenUntil, false
	}
	e.cool = s.Rest.cooldown()
	for model, m := range e.marks {
		if _, rests := s.Rests[model]; !rests && m.until != 0 {
			delete(e.marks, model)
		}
	}
	now := p.now().UnixNano()
	for model, r := range s.Rests {
		if c := r.cooldown(); c.until > now {
			m := e.mark(model, now)
			m.cooldown, m.guesses = c, r.Guesses
		}
	}
}

func nano(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// descend notes how the secret of the source hangs together with the one before, or with the next one.
func (e *entry) descend(s State) {
	a := e.account
	if a == nil || len(s.Was) == 0 {
		return
	}
	switch of := secretHash(a.origin); {
	case s.Of == of:
		a.was = s.Was
	case slices.Contains(s.Was, of):
		a.heir, a.heirWas = s.Of, s.Was
	}
}

// maxWas is how many refresh tokens a node may be behind.
const maxWas = 8

// succeeds notes that the source has the refresh token that Google gave instead of the one before.
func (a *account) succeeds(secret string) {
	if secret == a.origin {
		return
	}
	if a.cred.RefreshToken == a.origin { // this node has not heard what it is
		a.cred.RefreshToken = secret
		for _, e := range a.entries {
			e.cred.RefreshToken = secret
		}
	}
	was := append([]string{secretHash(a.origin)}, a.was...)
	if secretHash(secret) == a.heir {
		was = a.heirWas
	}
	a.was, a.origin, a.heir, a.heirWas = was[:min(len(was), maxWas)], secret, "", nil
}
