package pool

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gcli2api/store/oauth"
)

// file is a credential file as it was read last. Guarded by Pool.disk.
type file struct {
	size    int64
	changed time.Time
	sum     [sha256.Size]byte
	entries []*entry
	unsure  bool // broken at first sight: it may be half written
}

// maxFile bounds a credential file; real ones have a few kilobytes.
const maxFile = 1 << 20

func (p *Pool) makeDir() {
	if p.dir == "" {
		return
	}
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		p.once("dir", "the credentials folder cannot be used, credentials come from the settings only", "error", err)
	}
}

// once warns of something that stays as it is.
func (p *Pool) once(key, message string, args ...any) {
	if !p.warned[key] {
		p.warned[key] = true
		p.log.Warn(message, args...)
	}
}

// watch looks into the folder at intervals. Notices of the file system are blind on bind mounts and
// network drives; a thousand stats a second cost little.
func (p *Pool) watch(every time.Duration) {
	defer p.wg.Done()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			p.Rescan()
		case <-p.ctx.Done():
			return
		}
	}
}

// scan takes over what has changed in the folder. settled judges a broken file at once instead of
// at the second look. The caller holds disk.
func (p *Pool) scan(settled bool) {
	names, err := p.list()
	if err != nil {
		// The credentials that are there stay: a folder that is gone as a whole is an accident.
		p.once("dir", "the credentials folder cannot be read", "error", err)
		if settled {
			p.rebuild()
		}
		return
	}
	rules := oauth.Rules{}
	if p.oauth != nil {
		rules = p.oauth.Rules()
	}
	reread := rules != p.rules
	p.rules = rules
	changed := settled
	for _, name := range names {
		changed = p.look(name, settled, reread) || changed
	}
	for name := range p.files {
		if _, there := slices.BinarySearch(names, name); !there {
			delete(p.files, name)
			changed = true
		}
	}
	if changed {
		p.rebuild()
	}
}

// list gives the names of the credential files, in order.
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
		if name := d.Name(); strings.HasSuffix(name, ".json") && !strings.HasPrefix(name, ".") && !d.IsDir() {
			names = append(names, name)
		}
	}
	return names, nil
}

// look reads a file if it is new or has changed, and says whether its entries may have.
func (p *Pool) look(name string, settled, reread bool) bool {
	path := filepath.Join(p.dir, name)
	stat, err := os.Stat(path)
	if err != nil || !stat.Mode().IsRegular() {
		return false // gone in between; the next look knows
	}
	f := p.files[name]
	same := f != nil && f.size == stat.Size() && f.changed.Equal(stat.ModTime())
	if same && !f.unsure && !reread {
		return false
	}
	data, err := read(path)
	sum := sha256.Sum256(data)
	if f == nil {
		f = &file{}
		p.files[name] = f
	}
	known := f.sum == sum && err == nil
	f.size, f.changed, f.sum = stat.Size(), stat.ModTime(), sum
	if known && !f.unsure && !reread {
		return false // touched, or written by us
	}
	entries, err := p.parse(name, data, err)
	if err != nil && !settled && !(same && f.unsure) {
		f.unsure = true
		return false
	}
	f.unsure, f.entries = false, entries
	if err != nil {
		p.log.Warn("credential file skipped", "file", name, "reason", err)
	}
	return true
}

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = errors.New("the file is larger than a megabyte")
	}
	return data, err
}

// parse makes entries of a file, the ones there are where nothing changed for them.
func (p *Pool) parse(name string, data []byte, err error) ([]*entry, error) {
	if err != nil {
		return nil, fmt.Errorf("read file: %w", err)
	}
	creds, warnings, err := oauth.Parse(name, data, p.rules)
	if err != nil {
		return nil, err
	}
	for _, c := range creds {
		p.hideAll(c)
	}
	for _, w := range warnings {
		p.once(w, "credential file has a problem", "problem", w)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.files[name].entries
	account := p.account(name, creds[0], old)
	var entries []*entry
	for _, c := range creds {
		e := reuse(old, c, account)
		if e == nil {
			e = p.newEntry(c, account)
			e.path, e.listed = filepath.Join(p.dir, name), len(creds) > 1
		} else {
			e.cred.Label = c.Label
			entries = append(entries, siblings(old, e)...)
		}
		entries = append(entries, e)
	}
	if account != nil {
		account.entries = entries
	}
	return entries, nil
}

// account is the token that the credentials of a file share: the one there is while sign-in and
// client are the same.
func (p *Pool) account(name string, c oauth.Credential, old []*entry) *account {
	if c.Kind == oauth.Gemini {
		return nil
	}
	for _, e := range old {
		if a := e.account; a != nil && a.cred.RefreshToken == c.RefreshToken && a.cred.ClientID == c.ClientID && a.cred.ClientSecret == c.ClientSecret {
			return a
		}
	}
	a := &account{cred: c, path: filepath.Join(p.dir, name), token: c.AccessToken, expiry: c.Expiry}
	a.cred.ID = name
	return a
}

// reuse finds the entry of a credential that has not changed, so that its state is kept.
func reuse(old []*entry, c oauth.Credential, a *account) *entry {
	for _, e := range old {
		if e.cred.ID == c.ID && e.account == a && e.cred.Secret() == c.Secret() && e.cred.ProjectID == c.ProjectID {
			return e
		}
	}
	return nil
}

// siblings are the projects that were found for a file that stands for all of them.
func siblings(old []*entry, e *entry) (found []*entry) {
	if e.cred.ProjectID != oauth.AllProjects {
		return nil
	}
	for _, o := range old {
		if o != e && o.account == e.account && o.listed {
			found = append(found, o)
		}
	}
	return found
}

func (p *Pool) newEntry(c oauth.Credential, a *account) *entry {
	e := &entry{cred: c, account: a, kind: kindBit(c.Kind), project: c.ProjectID, email: c.Email}
	p.recall(e)
	return e
}

// addSiblings gives the other projects of an account entries of their own.
func (p *Pool) addSiblings(e *entry, projects []string) {
	if len(projects) == 0 {
		return
	}
	p.disk.Lock()
	defer p.disk.Unlock()
	f := p.files[filepath.Base(e.path)]
	if f == nil || !slices.Contains(f.entries, e) {
		return // the file was replaced meanwhile
	}
	p.mu.Lock()
	e.listed = true
	for _, project := range projects {
		c := e.cred
		c.ID, c.ProjectID = oauth.Sibling(e.cred.ID, project), project
		if slices.ContainsFunc(f.entries, func(o *entry) bool { return o.cred.ID == c.ID }) {
			continue
		}
		other := p.newEntry(c, e.account)
		other.path, other.listed, other.email = e.path, true, e.email
		f.entries = append(f.entries, other)
	}
	e.account.entries = f.entries
	p.mu.Unlock()
	p.rebuild()
}

// keyEntries makes entries of the API keys in the settings, the ones there are where they stay.
func (p *Pool) keyEntries(keys []string) (entries []*entry) {
	for _, key := range keys {
		if key = strings.TrimSpace(key); key == "" {
			continue
		}
		c := oauth.APIKey(key)
		c.Label = "API key of the settings"
		e := reuse(p.keys, c, nil)
		if e == nil {
			e = p.newEntry(c, nil)
		}
		entries = append(entries, e)
	}
	return entries
}

// rebuild makes the queue anew: files by name, then keys. What is there twice is there once.
func (p *Pool) rebuild() {
	p.mu.Lock()
	defer p.unlock()
	var all, queue []*entry
	for _, name := range slices.Sorted(maps.Keys(p.files)) {
		all = append(all, p.files[name].entries...)
	}
	all = append(all, p.keys...)
	first, byID := p.firstOfTwins(all), map[string]*entry{}
	for _, e := range all {
		if other := first[e.twin()]; other != e {
			if key := "twice " + e.cred.ID + " " + other.cred.ID; e.path != "" && other.cred.ID != e.cred.ID && !p.warned[key] {
				p.warned[key] = true
				p.say(slog.LevelWarn, "credential is there twice", "credential", e.cred.ID, "same as", other.cred.ID)
			}
			continue
		}
		if byID[e.cred.ID] != e { // a key may be in the settings twice
			byID[e.cred.ID] = e
			queue = append(queue, e)
		}
	}
	if slices.Equal(queue, p.queue) {
		return
	}
	p.replace(queue, byID)
}

// twin is what two entries of one credential have in common.
func (e *entry) twin() string { return e.cred.Secret() + "\x00" + e.cred.ProjectID }

// firstOfTwins says who counts of several: the one in use, so that a copy of its file takes neither
// its name nor its state away, else the first.
func (p *Pool) firstOfTwins(all []*entry) map[string]*entry {
	first := map[string]*entry{}
	for _, e := range p.queue {
		if slices.Contains(all, e) {
			first[e.twin()] = e
		}
	}
	for _, e := range all {
		if first[e.twin()] == nil {
			first[e.twin()] = e
		}
	}
	return first
}

// replace swaps the queue. Rotations go on where they stood.
func (p *Pool) replace(queue []*entry, byID map[string]*entry) {
	keep := func(at *place) {
		if at.head < len(p.queue) {
			if i := slices.IndexFunc(queue, func(e *entry) bool { return e.cred.ID == p.queue[at.head].cred.ID }); i >= 0 {
				at.head = i
				return
			}
		}
		at.served = 0 // its successor has moved to this place, if there is one
	}
	for _, at := range p.lanes {
		keep(at)
	}
	keep(&p.last)
	for _, e := range p.queue {
		e.gone = true
	}
	for _, e := range queue {
		e.gone = false
	}
	before := len(p.queue)
	p.queue, p.byID = queue, byID
	p.loosened++
	p.say(slog.LevelInfo, "credentials loaded", "credentials", len(queue), "before", before)
}
