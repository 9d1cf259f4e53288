package pool

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"time"

	"gcli2api/store/oauth"
)

// What the old product keeps in the credentials folder (behaviour 6.3). We read it and never write it.
const (
	oldCreds    = "creds.toml"       // credentials and their states
	oldStates   = "creds_state.toml" // states of loose files
	oldSettings = "config.toml"      // its prices are taken over with the API keys, by store/apikey
)

// oldFiles reads what the old product left, before the loose files, because it says how those begin.
// It tells whether creds.toml has changed.
func (p *Pool) oldFiles(names []string, settled, reread bool) (changed bool) {
	if _, there := slices.BinarySearch(names, oldCreds); there {
		changed = p.look(oldCreds, settled, reread)
	}
	if !p.oldRead { // once: states count for credentials that are seen for the first time
		p.oldRead = true
		p.readOldStates()
		p.nameTheRest()
	}
	return changed
}

func (p *Pool) readOldStates() {
	data, err := read(filepath.Join(p.dir, oldStates))
	if os.IsNotExist(err) {
		return
	}
	if err == nil && len(bytes.TrimSpace(data)) > 0 {
		p.oldStates, err = oauth.Starts(data)
	}
	if err != nil {
		p.log.Warn("states of the old product are not taken over", "file", oldStates, "reason", err)
	}
}

// nameTheRest tells an operator who moves in what does not come along.
func (p *Pool) nameTheRest() {
	if _, err := os.Stat(filepath.Join(p.dir, oldSettings)); err == nil {
		p.log.Warn("a file of the old product in the credentials folder is not taken over, but for the costs of models",
			"folder", p.dir, "file", oldSettings+": settings, order of the credentials")
	}
}

// begin gives a new entry the state that it had before: what we remember, or else what the old
// product wrote, under the name of the item.
func (p *Pool) begin(e *entry, item string) {
	if p.recall(e) || e.from == nil {
		return
	}
	s, there := p.handed[item]
	if f := p.files[oldCreds]; f != nil && !there {
		s, there = f.starts[item]
	}
	if e.from.name == oldCreds {
		s, there = e.from.starts[item]
	}
	if !there {
		s, there = p.oldStates[item]
	}
	if there {
		p.takeOver(e, s)
	}
}

func (p *Pool) takeOver(e *entry, s oauth.Start) {
	e.dirty = true // from here on it is our state, whatever becomes of the file
	if s.Disabled {
		e.disabled, e.reason, e.switched = true, "it was switched off in the old product", p.now().UnixNano()
	}
	e.codes, e.lastSuccess = s.Codes[max(0, len(s.Codes)-maxCodes):], s.LastSuccess
	if e.email == "" {
		e.email = s.Email
	}
	now := p.now()
	p.takeUsage(e, s, now)
	if s.CoolingUntil.After(now) {
		e.cool = unknownRest(s.CoolingUntil)
	}
	for model, until := range s.Models {
		if until.After(now) && until.Before(now.Add(8*24*time.Hour)) {
			e.mark(model, now.UnixNano()).cooldown = unknownRest(until)
		}
	}
}

// takeUsage takes over what was counted of today, and limits that an operator had set.
func (p *Pool) takeUsage(e *entry, s oauth.Start, now time.Time) {
	if begin := s.NextReset.Add(-24 * time.Hour); s.NextReset.After(now) && !begin.After(now) {
		e.day = Day{Since: begin.Unix(), Pro: s.Pro, Total: s.Total}
	}
	for _, t := range s.Calls {
		if !t.After(now) && now.Sub(t) < dayHours*time.Hour {
			e.hours = countHour(e.hours, hourOf(t))
		}
	}
	if s.LimitPro != nil {
		e.wish.DailyPro = s.LimitPro
	}
	if s.LimitTotal != nil {
		e.wish.DailyTotal = s.LimitTotal
	}
	e.noPreview = s.NoPreview
	e.capped = p.caps(e, now)
}

// handOn writes the states that new files bring along, before the files: another node may lend a credential as
// soon as it sees it, and one that was switched off must not come on for that moment. What a state could
// not be written of is not written either. The caller holds disk.
func (im *imports) handOn(due []*draft) (rest []*draft) {
	p, saved := im.p, false
	if p.states == nil || len(p.handed) == 0 {
		return due
	}
	for _, d := range due {
		start, is := p.handed[d.name]
		if !is {
			continue
		}
		sheet, err := oauth.Parse(d.name, d.data, p.rules)
		if err != nil {
			continue // it was read a moment ago
		}
		for _, item := range sheet.Items {
			for _, c := range item.Creds {
				saved = p.handOne(c, start) || saved
			}
		}
	}
	s, can := p.states.(interface {
		Sync(ctx context.Context) error
	})
	if !saved || !can {
		return due
	}
	err := s.Sync(p.ctx)
	if err == nil {
		return due
	}
	for _, d := range due {
		if _, is := p.handed[d.name]; is {
			d.err = err
		} else {
			rest = append(rest, d)
		}
	}
	return rest
}

// handOne writes a state, unless there is one of this secret.
func (p *Pool) handOne(c oauth.Credential, start oauth.Start) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.newEntry(c, nil, nil)
	if s, known := p.states.Load(c.ID); known && e.isOf(s) {
		return false
	}
	p.takeOver(e, start)
	p.states.Save(c.ID, e.state())
	return true
}
