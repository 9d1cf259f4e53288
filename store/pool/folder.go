package pool

import (
	"maps"
	"os"
	"path/filepath"
	"strings"

	"gcli2api/pipeline/wire/gemini"
	"gcli2api/store/oauth"
)

func (p *Pool) makeDir() {
	if p.dir == "" || p.shared() { // there an inbox is a convenience
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
	changed, err := p.shelf.scan(p, settled, reread)
	p.unread = err
	if err != nil && !p.shared() {
		// The credentials that are there stay: a folder that is gone as a whole is an accident.
		p.once("dir", "the credentials folder cannot be read", "error", err)
	}
	if changed || settled || reread {
		p.rebuild()
		p.welcome()
		p.tellClosed()
	}
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
	note(p.broken, name, err)
	p.shut.note(name, nil)
}

func note(broken map[string]string, name string, err error) {
	if delete(broken, name); err != nil && len(broken) < maxBroken {
		broken[name] = cut(gemini.Mask(err.Error()))
	}
}

// maxBroken bounds the broken files that are remembered by name.
const maxBroken = 1000

// Broken is why files are skipped, by their names: of the folder, and of the store.
func (p *Pool) Broken() map[string]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := maps.Clone(p.brokenInbox)
	maps.Copy(all, p.broken)
	return all
}
