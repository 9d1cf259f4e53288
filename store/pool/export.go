package pool

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"gcli2api/store/oauth"
)

// sealed is a sign-in or key on its way out.
type sealed struct {
	id   string // of the item
	cred oauth.Credential
	from *source
}

// Export gives a credential as a file to keep or to move elsewhere, by its id or that of its sign-in:
// credential members only, with the token that works now. It is a secret as a whole.
func (p *Pool) Export(id string) ([]byte, error) {
	p.disk.Lock()
	ids, items := p.byName()
	p.disk.Unlock()
	e := ids[id]
	if e == nil {
		e = items[id]
	}
	if e == nil {
		return nil, ErrNoCredential
	}
	p.mu.Lock()
	s := asOfNow(e)
	if id == e.cred.ID {
		s.cred.ProjectID = e.project
	}
	p.mu.Unlock()
	return p.layOut(s)
}

// Exports goes through all sign-ins and keys of the pool as Export gives them, with a file name that
// no other has. One that cannot be given is left out and named in the log.
func (p *Pool) Exports(each func(name string, data []byte) error) error {
	p.mu.Lock()
	var all []sealed
	seen := map[string]bool{}
	for _, e := range slices.Concat(p.queue, p.idle) {
		if !seen[e.item()] {
			seen[e.item()] = true
			all = append(all, asOfNow(e))
		}
	}
	p.mu.Unlock()
	names := map[string]bool{}
	for _, s := range all {
		data, err := p.layOut(s)
		if err != nil {
			p.log.Error("a credential is missing in a download", "credential", s.id, "error", err)
			continue
		}
		if err := each(exportName(s.id, names), data); err != nil {
			return err
		}
	}
	return nil
}

// asOfNow takes what is known of a sign-in by now; all its projects are in it. The caller holds mu.
func asOfNow(e *entry) sealed {
	s := sealed{id: e.item(), cred: e.cred, from: e.from}
	s.cred.Email = e.email
	if s.cred.ProjectID != oauth.AllProjects {
		s.cred.ProjectID = e.project
	}
	if a := e.account; a != nil {
		s.cred.RefreshToken, s.cred.AccessToken, s.cred.Expiry = a.cred.RefreshToken, a.token, a.expiry
		if len(a.entries) > 1 && e.cred.ProjectID != oauth.AllProjects {
			var projects []string
			for _, o := range a.entries {
				projects = append(projects, o.project)
			}
			s.cred.ProjectID = strings.Join(projects, ",")
		}
	}
	return s
}

// layOut writes a credential out.
func (p *Pool) layOut(s sealed) ([]byte, error) {
	var text []byte
	if s.from != nil && s.cred.IsService() {
		p.disk.Lock()
		defer p.disk.Unlock()
		var data []byte
		if s.from.variable == nil {
			t, err := p.shelf.read(s.from.name)
			if errors.Is(err, ErrAway) {
				return nil, err
			} else if err != nil {
				return nil, ErrNoCredential
			}
			data = t.data
		}
		sheet, err := s.from.parse(data, p.rules)
		if err != nil {
			return nil, err
		}
		text = sheet.Text(s.id)
	}
	return s.cred.Export(text)
}

// exportName makes a file name of an id: that of one of several has marks in it.
func exportName(id string, taken map[string]bool) string {
	stem := strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`<>:"/\|?*#`, r) {
			return '-'
		}
		return r
	}, strings.TrimLeft(id, "."))
	for _, ext := range []string{".json", ".jsonl", ".ndjson"} {
		stem = strings.TrimSuffix(stem, ext)
	}
	if len(stem) > maxFileName { // ids of one of several are longer than a file system takes
		stem = strings.ToValidUTF8(stem[:maxFileName], "")
	}
	name := stem + ".json"
	for n := 2; taken[strings.ToLower(name)]; n++ {
		name = fmt.Sprintf("%s-%d.json", stem, n)
	}
	taken[strings.ToLower(name)] = true
	return name
}
