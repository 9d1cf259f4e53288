package pool

import (
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// onDisk is a shelf that is a folder. People put files into it as well: they are looked at each second.
type onDisk struct {
	dir  string
	seal sealer
}

func (f *onDisk) current() error       { return nil }
func (f *onDisk) commit([]*draft) bool { return false }
func (f *onDisk) names() []string      { return everyName(f.dir) }
func (f *onDisk) path(n string) string { return filepath.Join(f.dir, n) }

// scan looks for files that are new, changed or gone.
func (f *onDisk) scan(p *Pool, settled, reread bool) (changed bool, err error) {
	names, err := f.list()
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
func (f *onDisk) list() ([]string, error) {
	if f.dir == "" {
		return nil, nil
	}
	dir, err := os.ReadDir(f.dir)
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

// look reads a file of the folder if it is new or has changed, and says whether its entries may have.
func (p *Pool) look(name string, settled, reread bool) bool {
	f, there := p.files[name]
	if !there {
		f = &source{name: name, path: filepath.Join(p.dir, name)}
	}
	t, err, same := p.folder.fresh(f, reread)
	if t == nil {
		return false
	}
	p.files[name] = f
	return p.takeFile(f, *t, err, !settled && !same)
}

// fresh gives the text of a file that is news, else nil. same tells that it has not changed since it was
// of no use. f is the file as it was known.
func (d *onDisk) fresh(f *source, reread bool) (t *text, err error, same bool) {
	stat, err := os.Stat(d.path(f.name))
	if err != nil || !stat.Mode().IsRegular() {
		return nil, nil, false // gone in between; the next look knows
	}
	same = f.size == stat.Size() && f.changed == stat.ModTime().UnixNano()
	if same && !f.unsure && !reread {
		return nil, nil, false
	}
	got, err := d.read(f.name)
	known := f.sum == got.sum && err == nil
	f.version = version{size: stat.Size(), changed: stat.ModTime().UnixNano(), sum: got.sum}
	if known && !f.unsure && !reread {
		return nil, nil, false // touched, or written by us
	}
	return &got, err, same && f.unsure
}

func (f *onDisk) read(name string) (t text, err error) {
	data, err := read(f.path(name))
	if err != nil {
		return t, err
	}
	t.sum, t.size = sha256.Sum256(data), int64(len(data))
	t.data, err = f.seal.open(name, data)
	return t, err
}

func (f *onDisk) graves(each func(name string, t text, err error)) error {
	if f.dir == "" {
		return nil
	}
	for _, name := range everyName(filepath.Join(f.dir, quarantineDir)) {
		if filepath.Ext(name) == ".json" && !strings.HasPrefix(name, ".") {
			t, err := f.read(filepath.Join(quarantineDir, name))
			each(name, t, err)
		}
	}
	return nil
}

// maxFile bounds a file of credentials: one has a kilobyte, and the old product kept all in one file.
const maxFile = 16 << 20

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = errors.New("the file is larger than 16 megabytes")
	}
	return data, err
}
