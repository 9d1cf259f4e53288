package pool

import (
	"maps"
	"slices"
	"time"

	"gcli2api/pipeline/apierror"
)

// Status is what the console shows of a credential. It holds no secret.
type Status struct {
	ID, Kind, Label      string
	Email, Project, Tier string
	File                 bool   // from the folder; else from the environment or the settings
	Source               string // "file NAME", "environment variable NAME" or "settings"
	Inactive             string // why it is shown and not used, "" when it is in use
	Disabled             bool
	Reason, Link         string // why it is switched off or rests, and where a person can mend that
	CoolingUntil         time.Time
	Models               []ModelRest
	LastCodes            []int         // HTTP statuses since the last success, newest last
	Messages             []Message     // what Google said with them
	CoolingCode          apierror.Code // why it rests as a whole
	CappedUntil          time.Time     // it has used up its daily limit ...
	ProCappedUntil       time.Time     // ... or that of Pro models
	NoPreview            bool          // Google has shown it no preview models
	Usage                Usage
	Calls                int64
	LastSuccess          time.Time
	TokenUntil           time.Time // end of the access token, zero for keys
}

// ModelRest is a model that a credential does not serve for a while.
type ModelRest struct {
	Model string
	Until time.Time
	Code  apierror.Code
}

// Status lists the credentials in the order of the queue, and behind them those that are shut out.
func (p *Pool) Status() []Status {
	t := p.now()
	now := t.UnixNano()
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]Status, 0, len(p.queue)+len(p.idle))
	for _, e := range slices.Concat(p.queue, p.idle) {
		s := Status{
			ID: e.cred.ID, Kind: e.cred.Kind, Label: e.cred.Label, Email: e.email, Project: e.project, Tier: e.tier,
			File: e.from != nil && e.from.path != "", Source: e.from.String(), Disabled: e.disabled, Reason: e.reason, Link: e.link,
			LastCodes: slices.Clone(e.codes), Calls: e.calls, LastSuccess: e.lastSuccess,
		}
		if e.inactive {
			s.Inactive = e.why()
		}
		if e.cool.until > now {
			s.CoolingUntil = time.Unix(0, e.cool.until)
		}
		if e.account != nil {
			s.TokenUntil = e.account.expiry
		}
		for _, model := range slices.Sorted(maps.Keys(e.marks)) {
			if m := e.marks[model]; m.until > now {
				s.Models = append(s.Models, ModelRest{model, time.Unix(0, m.until), m.code})
			}
		}
		p.tell(e, &s, t)
		list = append(list, s)
	}
	return list
}

// Enable switches a credential on and forgets what was held against it; false when there is none.
func (p *Pool) Enable(id string) bool {
	return p.change(id, func(e *entry) {
		e.disabled, e.reason, e.link, e.switched = false, "", "", p.now().UnixNano()
		e.cool, e.marks, e.codes, e.messages, e.noPreview = cooldown{}, nil, nil, nil, false
		e.absolve()
		p.moved(e)
	})
}

// Disable switches a credential off until Enable; false when there is none.
func (p *Pool) Disable(id string) bool {
	return p.change(id, func(e *entry) { p.disable(e, "switched off by hand", "") })
}

func (p *Pool) change(id string, do func(e *entry)) bool {
	p.mu.Lock()
	e := p.named(id)
	if e == nil {
		p.mu.Unlock()
		return false
	}
	do(e)
	p.recap(e, p.now())
	e.dirty = true
	p.unlock(e)
	return true
}
