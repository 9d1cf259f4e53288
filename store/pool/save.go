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

// amend writes a lasting change into a credential file, if the file still is what the change is
// about: its refresh token, and for a project one of those that may be replaced. A folder that
// cannot be written costs a warning and the work of the next start.
func (p *Pool) amend(path, refreshToken string, c oauth.Change, replaces ...string) {
	p.disk.Lock()
	defer p.disk.Unlock()
	name := filepath.Base(path)
	data, err := read(path)
	if err != nil {
		return // removed meanwhile
	}
	now, _, err := oauth.Parse(name, data, p.rules)
	if err != nil || now[0].RefreshToken != refreshToken {
		return // replaced meanwhile
	}
	if c.ProjectID != "" && !slices.Contains(replaces, now[0].ProjectID) {
		return
	}
	changed, err := oauth.Amend(data, c)
	if err == nil {
		err = write(path, changed)
	}
	if err != nil {
		p.once("write", "credential files cannot be written, changes last until the next start only", "error", err)
		return
	}
	f := p.files[name]
	if f == nil {
		return
	}
	if stat, err := os.Stat(path); err == nil {
		f.size, f.changed = stat.Size(), stat.ModTime()
	}
	f.sum = sha256.Sum256(changed)
	if c.ProjectID != "" {
		p.mu.Lock()
		for _, e := range f.entries {
			e.cred.ProjectID = c.ProjectID
		}
		p.mu.Unlock()
	}
}

// write replaces a file so that a crash leaves the old or the new one, whole.
func write(path string, data []byte) (err error) {
	if path, err = filepath.EvalSymlinks(path); err != nil {
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
