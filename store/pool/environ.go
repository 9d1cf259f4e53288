package pool

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// askedFile remembers, in the folder, which variables were asked for: an environment belongs to one
// node, as the folder does. It holds names only.
const askedFile = ".environment.json"

type asked struct {
	Variables []string `json:"variables"`
}

// EnvVariable is an environment variable with credentials.
type EnvVariable struct {
	Name       string
	Identifier string   // the part of its name that tells it from others
	Loaded     bool     // its credentials are in the pool
	IDs        []string // of those
	Project    string   // of the first
	Err        error    // why nothing can be read in it
}

// Environ lists the variables, and whether those of GCLI_CREDS_* are read at each start.
func (p *Pool) Environ() (all []EnvVariable, auto bool) {
	p.disk.Lock()
	defer p.disk.Unlock()
	for _, f := range p.environ {
		all = append(all, p.variable(f, nil))
	}
	return all, !p.envLater
}

func (p *Pool) variable(f *source, err error) EnvVariable {
	v := EnvVariable{Name: f.variable.Name, Identifier: f.variable.Identifier(), Loaded: !f.off && err == nil, Err: err}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range f.entries {
		v.IDs = append(v.IDs, e.cred.ID)
	}
	if len(f.entries) > 0 {
		v.Project = f.entries[0].project
	}
	return v
}

// LoadEnviron takes the credentials of all variables into the pool, at once and, for those that
// otherwise wait, at each start from now on. They are the variables' and no files are made of them.
func (p *Pool) LoadEnviron() (all []EnvVariable) {
	p.disk.Lock()
	defer p.disk.Unlock()
	for _, f := range p.environ {
		f.off = false
		err := p.readVariable(f)
		if err != nil {
			f.off = f.variable.Waits()
		}
		all = append(all, p.variable(f, err))
	}
	p.rebuild()
	p.welcome()
	p.remember()
	return all
}

// ClearEnviron takes the credentials of the environment out of the pool, until they are loaded again
// or a start reads them by itself, and moves the files that older versions made of variables into the
// quarantine. Both are named in the answer.
func (p *Pool) ClearEnviron() (cleared []string, refused map[string]error) {
	p.disk.Lock()
	for _, f := range p.environ {
		cleared = append(cleared, p.variable(f, nil).IDs...)
		f.off = true
		p.mu.Lock()
		f.entries = nil
		p.mu.Unlock()
	}
	p.rebuild()
	p.remember()
	p.disk.Unlock()
	files := p.EnvFiles()
	refused = map[string]error{}
	for i, err := range p.Delete(files...) {
		if err != nil {
			refused[files[i]] = err
		} else {
			cleared = append(cleared, files[i])
		}
	}
	return cleared, refused
}

// EnvFiles names the files that older versions made of environment variables.
func (p *Pool) EnvFiles() (names []string) {
	p.disk.Lock()
	defer p.disk.Unlock()
	ids := map[string]bool{}
	p.mu.Lock()
	for _, e := range p.inFiles() {
		if item := e.item(); strings.HasPrefix(item, "env-") && strings.HasSuffix(item, ".json") && !ids[item] {
			ids[item] = true
			names = append(names, item)
		}
	}
	p.mu.Unlock()
	return names
}

// askedBefore loads what was asked for before a restart. The caller is New.
func (p *Pool) askedBefore() {
	if p.dir == "" || !slices.ContainsFunc(p.environ, func(f *source) bool { return f.off }) {
		return
	}
	data, err := read(filepath.Join(p.dir, askedFile))
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	var a asked
	if err == nil {
		err = json.Unmarshal(data, &a)
	}
	if err != nil {
		p.log.Warn("which environment variables were loaded is not known any more", "file", askedFile, "error", err)
		return
	}
	for _, f := range p.environ {
		f.off = f.off && !slices.Contains(a.Variables, f.variable.Name)
	}
}

// remember keeps which variables are loaded that would wait otherwise.
func (p *Pool) remember() {
	if p.dir == "" || !p.envLater {
		return
	}
	a := asked{Variables: []string{}}
	for _, f := range p.environ {
		if f.variable.Waits() && !f.off {
			a.Variables = append(a.Variables, f.variable.Name)
		}
	}
	data, err := json.Marshal(a)
	if err == nil && len(a.Variables) == 0 {
		data = nil // nothing to remember
	}
	d := &draft{name: askedFile, data: data}
	if p.folder.write([]*draft{d}); err != nil || d.err != nil {
		p.log.Warn("which environment variables are loaded is forgotten at the next start", "file", askedFile)
	}
}
