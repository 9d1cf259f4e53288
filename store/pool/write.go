package pool

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"gcli2api/store"
	"gcli2api/store/oauth"
)

// draft is a file that is about to be written, or removed.
type draft struct {
	name    string
	was     version      // of the file when it was read; the zero one for a new file
	sheet   *oauth.Sheet // of a file that is there, with changes to it
	changes map[string][]byte
	data    []byte  // nil removes the file
	now     version // of the file, once it is written
	err     error
}

// writeAll puts drafts into the shelf.
func (p *Pool) writeAll(all []*draft) {
	p.shelf.write(all)
	p.lament(all)
}

// lament logs what could not be written. Somebody else's change is no trouble yet.
func (p *Pool) lament(all []*draft) {
	for _, d := range all {
		if d.err != nil && !errors.Is(d.err, store.ErrConflict) {
			p.log.Error("a credential file could not be written", "file", d.name, "error", d.err)
		}
	}
}

// writersAtOnce is how many files are made durable at a time: a file system makes one commit of them.
const writersAtOnce = 32

// write puts drafts into the folder, each so that a crash leaves the old or the new file, whole,
// and makes the folder durable once for all of them.
func (f *onDisk) write(all []*draft) {
	if err := f.roomFor(all); err != nil {
		for _, d := range all {
			d.err = err
		}
		return
	}
	temp := make([]string, len(all))
	paths := make([]string, len(all))
	var wg sync.WaitGroup
	room := make(chan struct{}, writersAtOnce)
	for i, d := range all {
		paths[i] = filepath.Join(f.dir, d.name)
		if real, err := filepath.EvalSymlinks(paths[i]); err == nil {
			paths[i] = real // a link stays a link
		}
		data, err := f.seal.close(d.name, d.data)
		if d.err = err; d.data == nil || err != nil {
			continue
		}
		d.now.sum = sha256.Sum256(data)
		room <- struct{}{}
		wg.Go(func() {
			defer func() { <-room }()
			temp[i], d.err = writeTemp(paths[i], data)
		})
	}
	wg.Wait()
	folders := map[string]bool{}
	for i, d := range all {
		switch {
		case d.err != nil:
		case d.data == nil:
			link := filepath.Join(f.dir, d.name)
			if d.err = os.Remove(link); os.IsNotExist(d.err) {
				d.err = nil
			}
			paths[i] = link
			folders[filepath.Dir(link)] = true
		default:
			if d.err = os.Rename(temp[i], paths[i]); d.err != nil {
				_ = os.Remove(temp[i]) // the error that is reported says enough
			}
			folders[filepath.Dir(paths[i])] = true
			if stat, err := os.Stat(paths[i]); err == nil {
				d.now.size, d.now.changed = stat.Size(), stat.ModTime().UnixNano()
			}
		}
	}
	for dir := range folders {
		if err := syncDir(dir); err != nil {
			for i, d := range all {
				if filepath.Dir(paths[i]) == dir && d.err == nil {
					d.err = err
				}
			}
		}
	}
}

// roomFor makes the folder of the quarantine where something is about to be put into it.
func (f *onDisk) roomFor(all []*draft) error {
	if !slices.ContainsFunc(all, func(d *draft) bool { return d.data != nil && strings.HasPrefix(d.name, quarantineDir) }) {
		return nil
	}
	if err := os.MkdirAll(filepath.Join(f.dir, quarantineDir), 0o700); err != nil {
		return fmt.Errorf("make the quarantine: %w", err)
	}
	return syncDir(f.dir)
}

// writeTemp makes a durable file beside the one that it will replace.
func writeTemp(path string, data []byte) (name string, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp") // mode 0600
	if err != nil {
		return "", fmt.Errorf("make file: %w", err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(f.Name()) // the error that is reported says enough
		return "", fmt.Errorf("write file: %w", err)
	}
	return f.Name(), nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("open folder: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	return nil
}

// everyName lists the folder; one that cannot be read has no names.
func everyName(dir string) (names []string) {
	list, _ := os.ReadDir(dir) // writing to it says what is wrong
	for _, d := range list {
		names = append(names, d.Name())
	}
	return names
}

// maxFileName leaves room for what a temporary file has around the name.
const maxFileName = 200

// checkedName is a name that somebody else chose, if a file may have it on any system that the folder
// may be moved to. "" is for a credential that is named after what is in it.
func checkedName(name string) (string, error) {
	stem, _, _ := strings.Cut(name, ".")
	if ext := filepath.Ext(name); holdsCredentials("x" + strings.ToLower(ext)) {
		name = strings.TrimSuffix(name, ext) + strings.ToLower(ext)
	}
	switch {
	case name == "":
		return "credential.json", nil
	case len(name) > maxFileName:
		return "", fmt.Errorf("its name is longer than %d bytes", maxFileName)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "", errors.New("its name holds characters that no file name may have") // those that turn the direction of writing included
	case strings.Contains(name, "#"):
		return "", errors.New("its name holds a #, which sets the credentials of one file apart: two could be called the same")
	case strings.ContainsAny(name, `/\`) || name == ".." || name == ".":
		return "", errors.New("its name holds a path: a name alone is taken")
	case strings.HasPrefix(name, "."):
		return "", errors.New("its name begins with a dot: hidden files are not read")
	case strings.ContainsAny(name, `<>:"|?*`) || strings.TrimRight(name, " .") != name || strings.TrimLeft(name, " ") != name || reserved(stem):
		return "", errors.New("its name is none that every file system takes")
	case !holdsCredentials(name) || name == oldCreds:
		return "", errors.New("the name of a credential file must end in .json")
	}
	return name, nil
}

// reserved tells the names of Windows' devices.
func reserved(stem string) bool {
	s := strings.ToUpper(strings.TrimSpace(stem))
	switch s {
	case "CON", "PRN", "AUX", "NUL":
		return true
	}
	return len(s) == 4 && (strings.HasPrefix(s, "COM") || strings.HasPrefix(s, "LPT")) && s[3] >= '0' && s[3] <= '9'
}
