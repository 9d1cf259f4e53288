package pool

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"
)

// The quarantine is a folder beside the credentials, so that it lives and moves with them. What is in
// it is no credential of the pool.
const quarantineDir = ".quarantine"

// QuarantineLife is how long what was deleted can be brought back. Afterwards its file is removed;
// its token is not revoked, because nobody asked for that.
const QuarantineLife = 30 * 24 * time.Hour

// Deleted is a credential in the quarantine. It holds no secret.
type Deleted struct {
	ID      string    `json:"id"`         // in the quarantine
	Names   []string  `json:"names"`      // of the credentials: several, where a sign-in has several projects
	File    string    `json:"file"`       // that it was in
	Kind    string    `json:"kind"`       // as Credential has it
	Email   string    `json:"email"`      // "" where it was not known
	Project string    `json:"project"`    // the first one
	At      time.Time `json:"deleted"`    // when
	Until   time.Time `json:"kept_until"` // when it is removed for good
}

// grave is a Deleted with what it takes to bring it back: the file in the quarantine.
type grave struct {
	Deleted
	Item       string          `json:"item"`
	Credential json.RawMessage `json:"credential"`

	was version
}

// Errors of deleting and bringing back.
var (
	ErrNoCredential = errors.New("there is no such credential")
	ErrNotDeleted   = errors.New("there is no such credential in the quarantine")
	ErrNotKept      = errors.New("it could not be moved into the quarantine: see the log")
)

// Quarantine lists what can be brought back, what was deleted last first.
func (p *Pool) Quarantine() ([]Deleted, error) {
	p.disk.Lock()
	defer p.disk.Unlock()
	all, err := p.graves()
	list := []Deleted{}
	for _, g := range all {
		list = append(list, g.Deleted)
	}
	return list, err
}

// graves reads the quarantine. With an error it is ErrAway, and nobody knows what else there is. The caller
// holds disk.
func (p *Pool) graves() (all []grave, err error) {
	err = p.shelf.graves(func(name string, t text, err error) {
		g := grave{}
		if err == nil {
			err = json.Unmarshal(t.data, &g)
		}
		if err != nil {
			p.once("grave "+name, "a file of the quarantine cannot be read", "file", name)
			return
		}
		g.ID = strings.TrimSuffix(name, ".json") // whatever it says: this is what finds it
		g.was = t.version
		all = append(all, g)
	})
	slices.SortFunc(all, func(a, b grave) int { return cmp.Or(b.At.Compare(a.At), strings.Compare(b.ID, a.ID)) })
	return all, err
}

// missing says why a grave was not found: it is not there, or could not be looked for.
func missing(err error) error {
	if err != nil {
		return unwritten(err)
	}
	return ErrNotDeleted
}

// dug finds a grave by its id, or the latest by the name of a credential or its sign-in.
func dug(all []grave, id string) *grave {
	for i := range all {
		if all[i].ID == id {
			return &all[i]
		}
	}
	for i := range all {
		if all[i].Item == id || slices.Contains(all[i].Names, id) {
			return &all[i]
		}
	}
	return nil
}

// Restore brings credentials back out of the quarantine: by their ids there, or the latest of a name.
// Each gets its old name, where that is free and fit, and is what it was.
func (p *Pool) Restore(ids ...string) []Imported {
	p.disk.Lock()
	all, err := p.graves()
	p.disk.Unlock()
	out, at := make([]Imported, len(ids)), []int{}
	var offers []Offer
	var found []*grave
	for i, id := range ids {
		g := dug(all, id)
		if g == nil || slices.Contains(found, g) {
			out[i].Err = missing(err)
			continue
		}
		name := g.Item
		if _, err := checkedName(name); err != nil {
			name = g.File // it was one of several
		}
		if _, err := checkedName(name); err != nil {
			name = "" // put into the folder under a name that nobody may hand in
		}
		at, found, offers = append(at, i), append(found, g), append(offers, Offer{Name: name, Data: g.Credential})
	}
	var done []*draft
	for n, in := range p.ImportAll(offers) {
		if out[at[n]] = in; in.Err == nil {
			done = append(done, found[n].draft())
		}
	}
	p.disk.Lock()
	defer p.disk.Unlock()
	p.writeAll(done) // what cannot be removed is there twice, and says so when it is restored again
	return out
}

// draft is the removal of a grave.
func (g *grave) draft() *draft { return &draft{name: graveFile(g.ID), was: g.was} }

// sweep removes what has been in the quarantine for long enough.
func (p *Pool) sweep() {
	p.disk.Lock()
	defer p.disk.Unlock()
	all, _ := p.graves() // the others have their turn the next time
	for _, g := range all {
		if p.now().Before(g.At.Add(QuarantineLife)) {
			continue
		}
		d := g.draft()
		if p.writeAll([]*draft{d}); d.err == nil {
			p.log.Info("a deleted credential is gone for good, its time in the quarantine is over", "credential", g.Item)
		}
	}
}
