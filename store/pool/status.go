package pool

import (
	"cmp"
	"os"
	"slices"
	"time"

	"gcli2api/pipeline/apierror"
)

// Status is what the console shows of a credential. It holds no secret.
type Status struct {
	ID, Kind, Label      string
	Email, Project, Tier string
	ClientID             string
	Scopes               []string
	File                 bool      // from the folder; else from the environment or the settings
	Size                 int64     // of the file, where List was asked
	Modified             time.Time // the file
	Source               string    // "file NAME", "environment variable NAME" or "settings"
	Inactive             string    // why it is shown and not used, "" when it is in use
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
	InUse, AtOnce        int       // calls under way, of an account with all its projects, and how many there may be; 0 is no limit
	Wish                 Wish      // user and password of its proxy are masked
}

// ModelRest is a model that a credential does not serve for a while.
type ModelRest struct {
	Model string
	Until time.Time
	Code  apierror.Code
}

// Status lists the credentials in the order of the queue, and behind them those that are shut out.
func (p *Pool) Status() []Status {
	return p.rowsOf(p.entries())
}

// entries are all that can be shown.
func (p *Pool) entries() []*entry {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Concat(p.queue, p.idle)
}

// Size is how many credentials there are, those that are shut out as well.
func (p *Pool) Size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.queue) + len(p.idle)
}

// piece is how many entries are looked at before calls get their turn again.
const piece = 256

// inPieces looks at entries, never at many without letting go of the pool.
func (p *Pool) inPieces(all []*entry, look func(e *entry)) {
	for some := range slices.Chunk(all, piece) {
		p.mu.Lock()
		for _, e := range some {
			look(e)
		}
		p.mu.Unlock()
	}
}

func (p *Pool) rowsOf(entries []*entry) []Status {
	t := p.now()
	list := make([]Status, 0, len(entries))
	p.inPieces(entries, func(e *entry) { list = append(list, p.statusOf(e, t)) })
	return list
}

func (p *Pool) statusOf(e *entry, t time.Time) Status {
	now := t.UnixNano()
	s := Status{
		ID: e.cred.ID, Kind: e.cred.Kind, Label: e.label(), Email: e.email, Project: e.project, Tier: e.tier,
		ClientID: e.cred.ClientID, Scopes: e.cred.Scopes, File: e.from != nil && e.from.variable == nil, Source: e.from.String(),
		Disabled: e.disabled, Reason: e.reason, Link: e.link,
		LastCodes: slices.Clone(e.codes), Calls: e.calls, LastSuccess: e.lastSuccess, Wish: e.wish.Masked(),
		InUse: *e.taken(), AtOnce: p.most(e),
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
	for model, m := range e.marks {
		if m.until > now {
			s.Models = append(s.Models, ModelRest{model, time.Unix(0, m.until), m.code})
		}
	}
	slices.SortFunc(s.Models, func(a, b ModelRest) int { return cmp.Compare(a.Model, b.Model) })
	p.tell(e, &s, t)
	return s
}

// label is what the operator calls it.
func (e *entry) label() string { return cmp.Or(e.wish.Label, e.cred.Label) }

// Detail is all that is known of one credential, without a secret.
type Detail struct {
	Status
	Rest    *Rest           // why the whole credential rests, nil when it does not
	Marks   map[string]Rest // what is held against single models
	Strikes int             // refusals in a row that may end in a ban

	Rejected   string    // project that Google refused, while another one is looked for
	Finding    bool      // a project is looked for
	Refreshing bool      // the token is being renewed
	Stale      bool      // Google refused the token; the next use renews it
	RetryAt    time.Time // no renewal before
	Siblings   []string  // other credentials of the same sign-in
	Has        Has
}

// Has says which secrets a credential has.
type Has struct{ APIKey, ClientSecret, PrivateKey, RefreshToken, AccessToken bool }

// Detail shows one credential; false when there is none.
func (p *Pool) Detail(id string) (Detail, bool) {
	t := p.now()
	p.mu.Lock()
	e := p.named(id)
	if e == nil {
		p.mu.Unlock()
		return Detail{}, false
	}
	d := p.detailOf(e, t)
	from := e.from
	p.mu.Unlock()
	d.Size, d.Modified = from.measure()
	return d, true
}

func (p *Pool) detailOf(e *entry, t time.Time) Detail {
	d := Detail{Status: p.statusOf(e, t), Marks: map[string]Rest{}, Strikes: int(e.strikes), Rejected: e.rejected, Finding: e.finding != nil,
		Has: Has{APIKey: e.cred.APIKey != "", ClientSecret: e.cred.ClientSecret != "", PrivateKey: e.cred.PrivateKey != "", RefreshToken: e.cred.RefreshToken != ""}}
	if e.cool.until > t.UnixNano() {
		d.Rest = new(e.cool.kept())
	}
	for model, m := range e.marks {
		r := m.kept()
		r.Guesses = m.guesses
		d.Marks[model] = r
	}
	if a := e.account; a != nil {
		d.Refreshing, d.Stale, d.RetryAt, d.Has.AccessToken = a.refreshing != nil, a.stale, a.retryAt, a.token != ""
		for _, other := range a.entries {
			if other != e {
				d.Siblings = append(d.Siblings, other.cred.ID)
			}
		}
	}
	return d
}

// measure asks the file itself, which is only read again after it has changed.
func (s *source) measure() (size int64, modified time.Time) {
	if s == nil || s.path == "" {
		if s != nil {
			size = s.bytes.Load() // of a document, which has no date
		}
		return size, time.Time{}
	}
	stat, err := os.Stat(s.path)
	if err != nil { // removed in this moment
		return 0, time.Time{}
	}
	return stat.Size(), stat.ModTime()
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
