package move

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"gcli2api/store"
)

// maxFile is how large a credential file may be, as for the pool.
const maxFile = 16 << 20

// maxFileName leaves room for what a temporary file has around the name.
const maxFileName = 200

// isCredentialFile goes by the name as the pool does. Hidden ones are being written, or somebody's own.
func isCredentialFile(name string) bool {
	switch filepath.Ext(name) {
	case ".json", ".jsonl", ".ndjson":
		return !strings.HasPrefix(name, ".")
	}
	return name == "creds.toml"
}

// graves is the folder of deleted credentials, and what their documents are called by.
const graves = ".quarantine"

// files are the credential files of the folder, as documents with their names, those of the quarantine first.
func (s *Side) files() pages[store.Doc] {
	var names []string
	read := false
	return func(_ context.Context, after string) (_ []store.Doc, err error) {
		if !read {
			if names, err = s.fileNames(); err != nil {
				return nil, err
			}
			read = true
		}
		for len(names) > 0 {
			name := names[0]
			names = names[1:]
			if name <= after {
				continue
			}
			body, err := readFile(filepath.Join(s.Folder, filepath.FromSlash(name)))
			if err == nil {
				return []store.Doc{{ID: name, Body: body}}, nil
			}
			if line := fmt.Sprintf("the credential file %s of %s cannot be read: %v", name, s.Name, err); !slices.Contains(s.wrong, line) {
				s.wrong = append(s.wrong, line)
			}
		}
		return nil, nil
	}
}

func (s *Side) fileNames() (names []string, err error) {
	for _, below := range []string{"", graves + "/"} {
		dir, err := os.ReadDir(filepath.Join(s.Folder, below))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("read the folder %s: %w", filepath.Join(s.Folder, below), err)
		}
		for _, d := range dir {
			if isCredentialFile(d.Name()) && !d.IsDir() {
				names = append(names, below+d.Name())
			}
		}
	}
	slices.Sort(names)
	return names, nil
}

// asDocument is the body of a credential document: the text of the file, or that as a string where it is not
// one JSON value. A body stays as it is.
func asDocument(text []byte) []byte {
	text = bytes.TrimSpace(text)
	if utf8.Valid(text) && store.CheckBody(text) != nil {
		text, _ = json.Marshal(string(text)) // a string always can
	}
	return text
}

// asFile is the text of a credential file. A text stays as it is.
func asFile(body []byte) []byte {
	var text string
	if len(body) > 0 && body[0] == '"' && json.Unmarshal(body, &text) == nil {
		return []byte(text)
	}
	return body
}

func readFile(path string) ([]byte, error) { return readUpTo(path, maxFile) }

func readUpTo(path string, most int64) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("it is no file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("it is larger than %d megabytes", most>>20)
	}
	return data, err
}

// fileName refuses an id that cannot be the name of a credential file.
func fileName(id string) error {
	id = strings.TrimPrefix(id, graves+"/")
	if !isCredentialFile(id) || strings.ContainsAny(id, `/\`) || len(id) > maxFileName || store.CheckName(id) != nil {
		return errors.New("it has no name that a credential file can have")
	}
	return nil
}

// putFile writes a credential file so that a crash leaves the old or the new one, whole. What it takes the
// place of is set aside.
func (s *Side) putFile(d store.Doc) error {
	if err := fileName(d.ID); err != nil {
		return err
	}
	if err := s.setAside(d.ID); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	path := filepath.Join(s.Folder, filepath.FromSlash(d.ID))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return writeWhole(path, func(w io.Writer) error {
		_, err := w.Write(asFile(d.Body))
		return err
	})
}

// setAside moves a credential file where nobody reads it: only a human can replace one.
func (s *Side) setAside(name string) error {
	from := filepath.Join(s.Folder, filepath.FromSlash(name))
	if _, err := os.Lstat(from); err != nil {
		return err
	}
	to := filepath.Join(s.Folder, ".replaced-"+time.Now().UTC().Format(stampForm), filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	return os.Rename(from, to)
}

// writeWhole makes a file that is there whole and durable, or not at all.
func writeWhole(path string, fill func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp") // mode 0600
	if err != nil {
		return err
	}
	if err = fill(f); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // the error that is reported says enough
		return err
	}
	if d, err := os.Open(filepath.Dir(path)); err == nil {
		_ = d.Sync() // some systems cannot, and need not
		d.Close()
	}
	return nil
}
