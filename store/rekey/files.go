package rekey

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

func inString(name string, body []byte, do change) ([]byte, int, int, error) {
	var s string
	if json.Unmarshal(body, &s) != nil {
		return body, 0, 0, nil // no text of ours
	}
	out, n, stuck, err := do(name, []byte(s))
	if err != nil || n == 0 {
		return body, 0, stuck, err
	}
	out, err = json.Marshal(string(out))
	return out, n, stuck, err
}

// quarantine is where credentials lie that were deleted, until they are forgotten.
const quarantine = ".quarantine"

// files goes through the credential files of the folder, and those of the quarantine.
func (o Options) files(ctx context.Context, do change, tell func(Count)) (so Count, err error) {
	if o.Folder == "" {
		return so, nil
	}
	for _, dir := range []string{o.Folder, filepath.Join(o.Folder, quarantine)} {
		list, err := os.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return so, err
		}
		for _, d := range list {
			if !holdsCredentials(d.Name()) || d.IsDir() {
				continue
			}
			if err := ctx.Err(); err != nil {
				return so, err
			}
			n, stuck, err := o.file(filepath.Join(dir, d.Name()), do)
			if err != nil {
				return so, err
			}
			if so.add(n, stuck); so.Seen%page == 0 {
				tell(so)
			}
		}
	}
	return so, nil
}

// holdsCredentials goes by the name of a file. Hidden ones are being written, or somebody's own.
func holdsCredentials(name string) bool {
	switch filepath.Ext(name) {
	case ".json", ".jsonl", ".ndjson":
		return !strings.HasPrefix(name, ".")
	}
	return false
}

// maxFile is that of the pool: it reads no larger ones.
const maxFile = 16 << 20

func (o Options) file(path string, do change) (n, stuck int, err error) {
	err = o.Hold(func() error {
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) || err == nil && (!info.Mode().IsRegular() || info.Size() > maxFile) {
			return nil
		}
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var out []byte
		if out, n, stuck, err = do(filepath.Base(path), data); err != nil || n == 0 || o.Dry || bytes.Equal(out, data) {
			return err
		}
		return replace(path, out)
	})
	if err != nil {
		return 0, 0, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return n, stuck, nil
}

// replace writes a file so that a crash leaves the old or the new one, whole. A link stays a link.
func replace(path string, data []byte) (err error) {
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return fmt.Errorf("find file: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp") // mode 0600
	if err != nil {
		return fmt.Errorf("make file: %w", err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // the error that is reported says enough
		return fmt.Errorf("write file: %w", err)
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("open folder: %w", err)
	}
	defer d.Close()
	return d.Sync()
}
