package pool

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gcli2api/store/oauth"
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
}

// Errors of deleting and bringing back.
var (
	ErrNoCredential = errors.New("there is no such credential")
	ErrNotDeleted   = errors.New("there is no such credential in the quarantine")
	ErrNotKept      = errors.New("it could not be moved into the quarantine: see the log")
)

// Quarantine lists what can be brought back, what was deleted last first.
func (p *Pool) Quarantine() []Deleted {
	p.disk.Lock()
	defer p.disk.Unlock()
	list := []Deleted{}
	for _, g := range p.graves() {
		list = append(list, g.Deleted)
	}
	return list
}

// graves reads the quarantine. The caller holds disk.
func (p *Pool) graves() (all []grave) {
	dir := filepath.Join(p.dir, quarantineDir)
	for _, name := range everyName(dir) {
		if p.dir == "" || filepath.Ext(name) != ".json" || strings.HasPrefix(name, ".") {
			continue
		}
		data, err := read(filepath.Join(dir, name))
		var g grave
		if err == nil {
			err = json.Unmarshal(data, &g)
		}
		if err != nil {
			p.once("grave "+name, "a file of the quarantine cannot be read", "file", name)
			continue
		}
		g.ID = strings.TrimSuffix(name, ".json") // whatever it says: this is what finds it
		all = append(all, g)
	}
	slices.SortFunc(all, func(a, b grave) int { return cmp.Or(b.At.Compare(a.At), strings.Compare(b.ID, a.ID)) })
	return all
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

// creds reads the credentials of a grave.
func (p *Pool) creds(g grave) []oauth.Credential {
	sheet, err := oauth.Parse(g.File, g.Credential, p.rules)
	if err != nil || len(sheet.Items) == 0 {
		return nil
	}
	p.hideAll(sheet.Items[0].Creds[0])
	return sheet.Items[0].Creds
}

// Restore brings a credential back out of the quarantine: by its id there, or the latest of a name.
// It gets its old name, where that is free, and is what it was.
func (p *Pool) Restore(id string) (Imported, error) {
	p.disk.Lock()
	g := dug(p.graves(), id)
	p.disk.Unlock()
	if g == nil {
		return Imported{}, ErrNotDeleted
	}
	name := g.Item
	if _, err := checkedName(name); err != nil {
		name = g.File // it was one of several
	}
	in, err := p.Import(Offer{Name: name, Data: g.Credential})
	if err != nil {
		return in, err
	}
	p.disk.Lock()
	defer p.disk.Unlock()
	return in, p.emptyGrave(g.ID)
}

func (p *Pool) emptyGrave(id string) error {
	d := &draft{name: filepath.Join(quarantineDir, id+".json")}
	p.writeAll([]*draft{d})
	return d.err
}

// Purge deletes a credential of the quarantine for good and revokes its token at Google, unless
// another credential needs it. said tells what became of the token: failing at that keeps nothing.
func (p *Pool) Purge(ctx context.Context, id string) (said string, err error) {
	p.disk.Lock()
	defer p.disk.Unlock()
	all := p.graves()
	g := dug(all, id)
	if g == nil {
		return "", ErrNotDeleted
	}
	creds := p.creds(*g)
	if len(creds) == 0 || creds[0].Kind != oauth.CodeAssist {
		return "deleted for good", p.emptyGrave(g.ID)
	}
	c := creds[0]
	c.Email = cmp.Or(c.Email, g.Email)
	if who := p.shares(c, g.ID, all); who != "" {
		return "deleted for good; the token was not revoked, because that would sign " + who + " out as well", p.emptyGrave(g.ID)
	}
	p.disk.Unlock() // nothing slow under it
	err = p.oauth.Revoke(ctx, c.RefreshToken)
	p.disk.Lock()
	switch {
	case errors.Is(err, oauth.ErrRevoked):
		said = "deleted for good; its token was dead already"
	case err != nil:
		said = "deleted for good; its token could not be revoked (" + err.Error() + "): it stays valid until the account withdraws it at myaccount.google.com/connections"
	default:
		said = "deleted for good, and its token revoked"
	}
	return said, p.emptyGrave(g.ID)
}

// shares names another credential that lives of the same grant: of the same token, or of the same
// account and OAuth client, because Google ends all of those at once.
func (p *Pool) shares(c oauth.Credential, grave string, all []grave) string {
	same := func(o oauth.Credential, email string) bool {
		return o.Kind == c.Kind && (o.RefreshToken == c.RefreshToken || o.ClientID == c.ClientID && email != "" && strings.EqualFold(email, c.Email))
	}
	p.mu.Lock()
	for _, e := range slices.Concat(p.queue, p.idle, p.inFiles()) {
		if same(e.cred, e.email) || e.account != nil && e.account.origin == c.RefreshToken {
			p.mu.Unlock()
			return e.cred.ID
		}
	}
	p.mu.Unlock()
	for _, g := range all {
		if g.ID == grave {
			continue
		}
		if o := p.creds(g); len(o) > 0 && same(o[0], cmp.Or(o[0].Email, g.Email)) {
			return fmt.Sprintf("%s (in the quarantine)", g.Item)
		}
	}
	return ""
}

// sweep removes what has been in the quarantine for long enough.
func (p *Pool) sweep() {
	p.disk.Lock()
	defer p.disk.Unlock()
	for _, g := range p.graves() {
		if p.now().Before(g.At.Add(QuarantineLife)) {
			continue
		}
		if p.emptyGrave(g.ID) == nil {
			p.log.Info("a deleted credential is gone for good, its time in the quarantine is over", "credential", g.Item)
		}
	}
}
