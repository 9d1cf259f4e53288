package pool

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"gcli2api/store"
	"gcli2api/store/oauth"
)

// Delete takes credentials out of rotation at once and moves them into the quarantine; requests that
// run end as they would have. An id is that of a credential, or of a sign-in with all its projects.
// The answer has an error for each, nil where it is done: what stands in the settings or the
// environment is refused, with the place to remove it.
func (p *Pool) Delete(ids ...string) []error {
	p.disk.Lock()
	defer p.disk.Unlock()
	d := &deletion{p: p, errs: make([]error, len(ids)), asked: map[string]bool{}}
	for _, id := range ids {
		d.asked[id] = true
	}
	left := make([]int, len(ids))
	for i := range left {
		left[i] = i
	}
	for try := 0; len(left) > 0; try++ {
		if err := p.upToDate(); err != nil {
			for _, i := range left {
				d.errs[i] = err
			}
			break
		}
		left = d.round(ids, left, try < maxCrossed)
	}
	return d.errs
}

// upToDate takes over what other nodes have written of credentials until now.
func (p *Pool) upToDate() error {
	if !p.shared() {
		return nil
	}
	err := p.shelf.current()
	if err == nil {
		p.scan(true)
		err = p.unread
	}
	if err != nil {
		return unwritten(err)
	}
	return nil
}

// maxCrossed is how often something is done anew because another node came in between: each time that
// one got through.
const maxCrossed = 20

// byName finds every credential by its id, and one of each sign-in by the id of that. Of two with one
// name the one in use counts.
func (p *Pool) byName() (ids, items map[string]*entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ids, items = map[string]*entry{}, map[string]*entry{}
	for _, e := range slices.Concat(p.queue, p.idle, p.inFiles(), p.inEnviron()) {
		if ids[e.cred.ID] == nil {
			ids[e.cred.ID] = e
		}
		if items[e.item()] == nil {
			items[e.item()] = e
		}
	}
	return ids, items
}

// deletion is one Delete under way. The caller of its methods holds Pool.disk.
type deletion struct {
	p            *Pool
	errs         []error
	asked        map[string]bool
	byID, byItem map[string]*entry
	files        map[string]*draft
	order        []*draft
	buried       []burial
}

// round deletes what is left of the ids, and gives those back whose files another node has changed meanwhile.
func (d *deletion) round(ids []string, now []int, again bool) (left []int) {
	d.files, d.order, d.buried = map[string]*draft{}, nil, nil
	d.byID, d.byItem = d.p.byName()
	for _, i := range now {
		d.errs[i] = d.plan(i, ids[i])
	}
	d.write()
	for _, i := range now {
		if again && errors.Is(d.errs[i], store.ErrConflict) {
			left = append(left, i)
		}
	}
	d.p.scan(true)
	return left
}

// burial is what the quarantine gets for the id at a place in the call.
type burial struct {
	at    int
	file  *draft // that it leaves
	grave *draft
}

// refusal says why nothing can be deleted there, and where it is done instead.
func (s *source) refusal() error {
	switch {
	case s == nil:
		return errors.New("it is an API key of the settings: take it out of GEMINI_API_KEYS (pool.gemini_api_keys) or VERTEX_API_KEYS (pool.vertex_api_keys), or disable it")
	case s.variable != nil:
		return fmt.Errorf("it comes from the environment variable %s: unset that, or DELETE /auth/env-creds takes the credentials of the environment out; it can be disabled as well", s.variable.Name)
	case s.name == oldCreds:
		return fmt.Errorf("it is a table in %s of the old product, a file that is never changed: take it out there, or disable it", oldCreds)
	}
	return nil
}

// plan notes what has to be written for an id.
func (d *deletion) plan(at int, id string) error {
	e := d.byID[id]
	if e == nil {
		e = d.byItem[id]
	}
	if e == nil {
		return ErrNoCredential
	}
	if err := e.from.refusal(); err != nil {
		return err
	}
	entries := []*entry{e}
	if e.account != nil {
		entries = e.account.entries
	}
	if id != e.item() && !d.asked[e.item()] {
		for _, o := range entries {
			if !d.asked[o.cred.ID] {
				return fmt.Errorf("it is one of several projects of the sign-in %s: delete that one with all of them, or disable this project", e.item())
			}
		}
	}
	f, err := d.file(e.from)
	if err != nil {
		return err
	}
	item := f.sheet.Find(e.item())
	if item == nil || item.Creds[0].Secret() != e.origin() {
		return ErrNoCredential // replaced meanwhile
	}
	if _, twice := f.changes[item.ID]; twice {
		d.buried = append(d.buried, burial{at, f, nil}) // another project of it was asked for before
		return nil
	}
	return d.bury(at, f, entries)
}

// file reads a file of the folder, once.
func (d *deletion) file(from *source) (*draft, error) {
	if f := d.files[from.name]; f != nil {
		return f, nil
	}
	t, err := d.p.shelf.read(from.name)
	if errors.Is(err, ErrAway) {
		return nil, unwritten(err)
	} else if err != nil {
		return nil, ErrNoCredential // removed meanwhile
	}
	sheet, err := oauth.Parse(from.name, t.data, d.p.rules)
	if err != nil {
		return nil, ErrNoCredential // replaced by something else meanwhile
	}
	f := &draft{name: from.name, was: t.version, sheet: &sheet, changes: map[string][]byte{}}
	d.files[f.name], d.order = f, append(d.order, f)
	return f, nil
}

// bury makes the file for the quarantine. It has the refresh token that works by now.
func (d *deletion) bury(at int, f *draft, entries []*entry) error {
	e := entries[0]
	text := f.sheet.Text(e.item())
	d.p.mu.Lock()
	g := grave{Deleted: Deleted{File: f.name, Kind: e.cred.Kind, Email: e.email, Project: e.project, At: d.p.now().UTC()}, Item: e.item()}
	for _, o := range entries {
		g.Names = append(g.Names, o.cred.ID)
	}
	token := ""
	if a := e.account; a != nil && a.cred.RefreshToken != a.origin {
		token = a.cred.RefreshToken
	}
	d.p.mu.Unlock()
	var err error
	if token != "" {
		if text, err = oauth.Amended(text, oauth.Change{RefreshToken: token}); err != nil {
			return fmt.Errorf("keep the new refresh token: %w", err)
		}
	}
	g.Credential, g.Until = text, g.At.Add(QuarantineLife)
	g.ID = g.At.Format("20060102T150405") + "-" + tag()
	data, err := json.MarshalIndent(g, "", "  ")
	if err != nil {
		return fmt.Errorf("write the quarantine: %w", err)
	}
	d.buried = append(d.buried, burial{at, f, &draft{name: graveFile(g.ID), data: data}})
	f.changes[g.Item] = nil
	return nil
}

// tag tells apart what was deleted in one second.
func tag() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}

// write fills the quarantine first: a crash leaves a credential in both places and never in none. A
// file of which one part cannot be kept stays as it is.
func (d *deletion) write() {
	if len(d.buried) == 0 {
		return
	}
	var graves, files []*draft
	for _, b := range d.buried {
		if b.grave != nil {
			graves = append(graves, b.grave)
		}
	}
	d.p.writeAll(graves)
	for _, b := range d.buried {
		if b.grave != nil && b.grave.err != nil {
			b.file.err = b.grave.err
		}
	}
	for _, f := range d.order {
		if len(f.changes) == 0 || f.err != nil {
			continue
		}
		if f.data = f.sheet.Rewrite(f.changes); len(f.changes) == len(f.sheet.Items) && f.sheet.Lost == 0 {
			f.data = nil // nothing is left in it
		}
		files = append(files, f)
	}
	d.p.writeAll(files)
	d.p.shelf.commit(files)
	for _, b := range d.buried {
		if b.file.err != nil {
			d.errs[b.at] = d.notKept(b.file.err)
			if b.grave != nil {
				d.p.writeAll([]*draft{{name: b.grave.name}}) // a copy of what is still there
			}
		}
	}
}

func (d *deletion) notKept(err error) error {
	if d.p.shared() {
		return fmt.Errorf("%w (%w)", ErrNotKept, err)
	}
	return ErrNotKept
}
