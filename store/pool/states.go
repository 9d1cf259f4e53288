package pool

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"slices"
	"time"
)

// State is what the pool has learned about a credential and would like to know after a restart.
type State struct {
	Wish         Wish                 `json:"wish,omitzero"`
	Of           string               `json:"of"` // hash of the secret: another one under the same id begins anew
	Disabled     bool                 `json:"disabled,omitempty"`
	Reason       string               `json:"reason,omitempty"`
	Link         string               `json:"link,omitempty"`
	CoolingUntil time.Time            `json:"cooling_until,omitzero"` // zero when it is not
	Models       map[string]time.Time `json:"models,omitempty"`       // cooldowns of single models
	Codes        []int                `json:"codes,omitempty"`
	Calls        int64                `json:"calls,omitempty"`
	LastSuccess  time.Time            `json:"last_success,omitzero"`

	AccessToken string    `json:"access_token,omitempty"` // saves a refresh of every account at each start
	TokenUntil  time.Time `json:"token_until,omitzero"`

	// What was learned of a credential whose source cannot be written: a read-only folder, an
	// environment variable.
	RefreshToken string `json:"refresh_token,omitempty"` // that Google gave instead of the one that the source has
	Was          string `json:"was,omitempty"`           // hash of the one before it: another node may still have that
	Project      string `json:"project,omitempty"`
	Email        string `json:"email,omitempty"`
	Tier         string `json:"tier,omitempty"`
}

// States remembers states. Both methods are called while the pool is locked, so that the last word is
// the last one said: they must neither block nor call back.
type States interface {
	Load(id string) (State, bool)
	Save(id string, s State)
}

func secretHash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:8])
}

// say notes a log line for unlock: nothing is written while mu is held.
func (p *Pool) say(level slog.Level, message string, args ...any) {
	p.lines = append(p.lines, func() { p.log.Log(context.Background(), level, message, args...) })
}

// unlock tells States what changed of these entries, frees mu and then writes what was said.
func (p *Pool) unlock(entries ...*entry) {
	p.save(entries)
	lines := p.lines
	p.lines = nil
	p.mu.Unlock()
	for _, line := range lines {
		line()
	}
}

// saveCounts tells States what changes with every call: at once would be a write for each of them.
func (p *Pool) saveCounts() {
	p.mu.Lock()
	for _, e := range p.queue {
		e.dirty = e.dirty || e.calls != e.told
	}
	p.unlock(p.queue...)
}

// save tells States what it has to hear. The caller holds mu.
func (p *Pool) save(entries []*entry) {
	if p.states == nil {
		return
	}
	for _, e := range entries {
		if e.dirty && !e.gone {
			e.dirty, e.told = false, e.calls
			p.states.Save(e.cred.ID, p.stateOf(e))
		}
	}
}

func (p *Pool) stateOf(e *entry) State {
	s := State{
		Of: secretHash(e.origin()), Disabled: e.disabled, Reason: e.reason, Link: e.link,
		Codes: slices.Clone(e.codes), Calls: e.calls, LastSuccess: e.lastSuccess, Wish: e.wish,
	}
	if a := e.account; a != nil && !a.stale {
		s.AccessToken, s.TokenUntil = a.token, a.expiry
	}
	p.learned(e, &s)
	if e.cool.until != 0 {
		s.CoolingUntil = time.Unix(0, e.cool.until)
	}
	for model, m := range e.marks {
		if m.until == 0 {
			continue
		}
		if s.Models == nil {
			s.Models = map[string]time.Time{}
		}
		s.Models[model] = time.Unix(0, m.until)
	}
	return s
}

// recall gives a new entry the state that it had before a restart, and says whether there was one:
// also that of an earlier credential of this name, which does not count.
func (p *Pool) recall(e *entry) bool {
	if p.states == nil {
		return false
	}
	s, ok := p.states.Load(e.cred.ID)
	e.wish = s.Wish // it is about the name: also of a credential that was signed in anew
	// The source may have the token that the state knows as the new one: it was written after it.
	if !ok || s.Of != secretHash(e.origin()) && (s.RefreshToken == "" || s.RefreshToken != e.origin()) {
		return ok
	}
	p.relearn(e, s)
	e.disabled, e.reason, e.link = s.Disabled, s.Reason, s.Link
	e.codes, e.calls, e.told, e.lastSuccess = slices.Clone(s.Codes), s.Calls, s.Calls, s.LastSuccess
	if a := e.account; a != nil && s.AccessToken != "" && s.TokenUntil.After(a.expiry) {
		a.token, a.expiry = s.AccessToken, s.TokenUntil
	}
	now := p.now().UnixNano()
	if !s.CoolingUntil.IsZero() {
		e.cool = unknownRest(s.CoolingUntil)
	}
	for model, until := range s.Models {
		if until.UnixNano() > now {
			e.mark(model, now).cooldown = unknownRest(until)
		}
	}
	return true
}
