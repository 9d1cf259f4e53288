package pool

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"gcli2api/store/oauth"
)

// amend writes a lasting change into the file of an account, if the file still has the sign-in that
// the change is about, and for a project one of those that may be replaced. What no file can keep
// stays with the state of the credential; without states it costs the work of the next start.
func (p *Pool) amend(a *account, c oauth.Change, replaces ...string) {
	p.disk.Lock()
	defer p.disk.Unlock()
	err := errors.New("its source cannot be changed")
	if a.from.writable() {
		err = p.rewrite(a, c, replaces)
	}
	if err != nil && p.states == nil {
		p.once("write", "changes of a credential cannot be written where it came from, they last until the next start only", "credential", a.cred.ID, "error", err)
	} else if err != nil {
		p.log.Debug("a change of a credential is kept beside its source", "credential", a.cred.ID, "reason", err)
	}
}

func (p *Pool) rewrite(a *account, c oauth.Change, replaces []string) error {
	data, err := read(a.from.path)
	if err != nil {
		return nil // removed meanwhile
	}
	sheet, err := oauth.Parse(a.from.name, data, p.rules)
	item := sheet.Find(a.cred.ID)
	if err != nil || item == nil || item.Creds[0].Secret() != a.origin {
		return nil // replaced meanwhile
	}
	if c.ProjectID != "" && !slices.Contains(replaces, item.Creds[0].ProjectID) {
		return nil
	}
	changed, err := sheet.Amend(a.cred.ID, c)
	if err == nil {
		err = write(a.from.path, changed)
	}
	if err != nil {
		return err
	}
	p.written(a, c, changed)
	return nil
}

// written takes note of our own writing, so that it is no news to the next look.
func (p *Pool) written(a *account, c oauth.Change, data []byte) {
	f := a.from
	if stat, err := os.Stat(f.path); err == nil {
		f.size, f.changed = stat.Size(), stat.ModTime()
	}
	f.sum = sha256.Sum256(data)
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.RefreshToken != "" {
		a.origin = c.RefreshToken
	}
	for _, e := range a.entries {
		e.dirty = true
		if c.ProjectID != "" {
			e.cred.ProjectID = c.ProjectID
		}
	}
}

// learned adds to a state what the source of the credential does not have.
func (e *entry) learned(s *State) {
	s.Tier = e.tier
	if e.email != e.cred.Email {
		s.Email = e.email
	}
	if e.cred.ProjectID == "" {
		s.Project = e.project
	}
	if a := e.account; a != nil && !a.cred.IsService() && a.cred.RefreshToken != a.origin {
		s.RefreshToken = a.cred.RefreshToken
	}
}

// relearn is the other way round. The source wins where it says something by now.
func (p *Pool) relearn(e *entry, s State) {
	a := e.account
	e.tier = s.Tier
	if e.email == "" {
		e.email = s.Email
	}
	if e.project == "" && a != nil {
		e.project = s.Project
	}
	if a == nil {
		return
	}
	if a.cred.Email == "" {
		a.cred.Email = e.email
	}
	if s.RefreshToken == "" || a.cred.RefreshToken != a.origin && !s.TokenUntil.After(a.expiry) {
		return // another project of the sign-in has brought a newer one
	}
	a.cred.RefreshToken = s.RefreshToken
	e.cred.RefreshToken = s.RefreshToken
	for _, other := range a.entries {
		other.cred.RefreshToken = s.RefreshToken
	}
	c := a.cred
	p.lines = append(p.lines, func() { p.hideAll(c) })
}

// write replaces a file so that a crash leaves the old or the new one, whole.
func write(path string, data []byte) (err error) {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	} else if !errors.Is(err, os.ErrNotExist) { // a new one
		return fmt.Errorf("find file: %w", err)
	}
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*.tmp") // mode 0600
	if err != nil {
		return fmt.Errorf("make file: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // the error that is reported says enough
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write file: %w", err)
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("replace file: %w", err)
	}
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("open folder: %w", err)
	}
	defer d.Close()
	if err = d.Sync(); err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	return nil
}
