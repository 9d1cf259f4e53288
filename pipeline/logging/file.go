package logging

import (
	"fmt"
	"os"
	"strconv"
)

// file is the log file. It has no buffer of its own: what was written before a crash is there
// afterwards.
type file struct {
	path string
	max  int64
	keep int
	f    *os.File
	size int64
}

// openFile appends to path, readable by the owner only.
func openFile(path string, max int64, keep int) (*file, error) {
	l := &file{path: path, max: max, keep: keep}
	if err := l.open(os.O_APPEND); err != nil {
		return nil, err
	}
	return l, nil
}

func (l *file) open(how int) error {
	f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|how, 0o600)
	if err != nil {
		return fmt.Errorf("open log file: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close() // the first error is the one that tells
		return fmt.Errorf("open log file: %w", err)
	}
	l.f, l.size = f, info.Size()
	return nil
}

func (l *file) write(line []byte) error {
	if l.size > 0 && l.size+int64(len(line)) > l.max {
		if err := l.rotate(); err != nil {
			return err
		}
	}
	n, err := l.f.Write(line)
	l.size += int64(n)
	return err
}

// rotate moves the files up by one: log becomes log.1, log.1 becomes log.2; the oldest goes.
// It closes first, because not every system renames an open file. A file that cannot be renamed
// (mounted into a container by itself) is emptied instead: it must not grow without bound.
func (l *file) rotate() error {
	if err := l.f.Close(); err != nil {
		return fmt.Errorf("rotate log file: %w", err)
	}
	for i := l.keep; i > 0; i-- {
		err := os.Rename(l.numbered(i-1), l.numbered(i))
		if err != nil && !os.IsNotExist(err) {
			return l.open(os.O_APPEND | os.O_TRUNC)
		}
	}
	return l.open(os.O_APPEND)
}

func (l *file) numbered(i int) string {
	if i == 0 {
		return l.path
	}
	return l.path + "." + strconv.Itoa(i)
}

func (l *file) close() error { return l.f.Close() }
