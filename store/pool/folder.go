package pool

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gcli2api/pipeline/wire/gemini"
	"gcli2api/store/oauth"
)

func (p *Pool) makeDir() {
	if p.dir == "" {
		return
	}
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		p.once("dir", "the credentials folder cannot be used, credentials come from the settings and the environment only", "error", err)
	}
}

// once warns of something that stays as it is.
func (p *Pool) once(key, message string, args ...any) {
	if !p.warned[key] {
		p.warned[key] = true
		p.log.Warn(message, args...)
	}
}

// scan takes over what has changed in the folder. settled judges a broken file at once instead of
// at the second look. The caller holds disk.
func (p *Pool) scan(settled bool) {
	rules := oauth.Rules{}
	if p.oauth != nil {
		rules = p.oauth.Rules()
	}
	reread := rules != p.rules
	p.rules = rules
	if reread {
		p.lookEnviron()
	}
	changed, err := p.scanFolder(settled, reread)
	if err != nil {
		// The credentials that are there stay: a folder that is gone as a whole is an accident.
		p.once("dir", "the credentials folder cannot be read", "error", err)
	}
	if changed || settled || reread {
		p.rebuild()
		p.welcome()
	}
}

func (p *Pool) scanFolder(settled, reread bool) (changed bool, err error) {
	names, err := p.list()
	if err != nil {
		return false, err
	}
	changed = p.oldFiles(names, settled, reread)
	for _, name := range names {
		if name != oldCreds {
			changed = p.look(name, settled, reread) || changed
		}
	}
	for name := range p.files {
		if _, there := slices.BinarySearch(names, name); !there {
			delete(p.files, name)
			p.skipped(name, nil)
			changed = true
		}
	}
	return changed, nil
}

// list gives the names of the files with credentials, in order.
func (p *Pool) list() ([]string, error) {
	if p.dir == "" {
		return nil, nil
	}
	dir, err := os.ReadDir(p.dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, d := range dir {
		if name := d.Name(); holdsCredentials(name) && !d.IsDir() {
			names = append(names, name)
		}
	}
	return names, nil
}

// holdsCredentials goes by the name of a file. Hidden ones are being written, or somebody's own.
func holdsCredentials(name string) bool {
	switch filepath.Ext(name) {
	case ".json", ".jsonl", ".ndjson":
		return !strings.HasPrefix(name, ".")
	}
	return name == oldCreds
}

// skipped notes why a file of the folder is of no use; nil for one that is, or is gone.
func (p *Pool) skipped(name string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if delete(p.broken, name); err != nil && len(p.broken) < maxBroken {
		p.broken[name] = cut(gemini.Mask(err.Error()))
	}
}

// maxBroken bounds the broken files that are remembered by name.
const maxBroken = 1000

// Broken is why files of the folder are skipped, by their names.
func (p *Pool) Broken() map[string]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.broken)
}
