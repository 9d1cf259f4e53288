package embedded

import (
	"encoding/binary"
	"fmt"
	"os"
)

// examine looks through a file before bbolt gets it. fresh means that there is nothing in it yet.
// It reads and never writes, except that a file whose making was interrupted begins anew.
func examine(f *os.File, path string) (fresh bool, err error) {
	info, err := f.Stat()
	if err != nil {
		return false, cannot("read", path, err)
	}
	if info.Size() == 0 {
		return true, nil
	}
	p, err := readMeta(f, info.Size())
	if err == nil && p.unborn() {
		if err := f.Truncate(0); err != nil {
			return false, cannot("make", path, err)
		}
		return true, nil
	}
	if err == nil {
		fresh, err = p.contents()
	}
	switch err.(type) {
	case nil:
		return fresh, nil
	case foreign:
		return false, fmt.Errorf("cannot open the store %s: %w: nothing was changed; move it away or name another folder", path, err)
	case newer:
		return false, fmt.Errorf("cannot open the store %s: %w: nothing was changed; run the newer gateway, or move the file away to begin anew", path, err)
	case damage:
		return false, fmt.Errorf("the store %s is damaged: %w: nothing was changed; put back a copy of it, or move it away to begin anew", path, err)
	}
	return false, cannot("read", path, err)
}

// damage says what is wrong with a file.
type damage string

func (d damage) Error() string { return string(d) }

func broken(words string, args ...any) error { return damage(fmt.Sprintf(words, args...)) }

// foreign is a sound file of another program.
type foreign struct{}

func (foreign) Error() string { return "it is a bbolt file of another program" }

// newer is the format of a file that we do not know.
type newer int64

func (n newer) Error() string {
	return fmt.Sprintf("it was written by a newer gateway (format %d, this one knows up to %d)", int64(n), format)
}

// contents checks everything that can be reached, down to the checksums.
func (p *pages) contents() (fresh bool, err error) {
	parts := map[bucket][]byte{}
	err = p.tree(p.root, func(flags uint32, key, value []byte) error {
		if flags != bucketFlag || len(value) < bucketHead {
			return broken("the list of its parts cannot be read")
		}
		parts[bucket(key)] = append([]byte(nil), value...)
		return nil
	})
	if err != nil {
		return false, err
	}
	if len(parts) == 0 {
		return true, p.freelist()
	}
	if parts[inInfo] == nil {
		return false, foreign{}
	}
	if err := p.version(parts[inInfo]); err != nil {
		return false, err
	}
	for _, b := range []bucket{inDocs, inDue, inCounters} {
		if parts[b] == nil {
			return false, broken("its part %q is missing", b)
		}
		if err := p.bucket(parts[b], p.checked(b)); err != nil {
			return false, err
		}
	}
	return false, p.freelist()
}

// version comes before the rest, which may look different in another format.
func (p *pages) version(info []byte) error {
	var version int64
	check := p.checked(inInfo)
	err := p.bucket(info, func(flags uint32, key, value []byte) error {
		if string(key) == keyFormat {
			if n, err := number(inInfo, key, value); err == nil {
				version = n
			}
		}
		return check(flags, key, value)
	})
	switch {
	case version > format:
		return newer(version)
	case err == nil && version != format:
		return broken("its format is %d", version)
	}
	return err
}

func (p *pages) checked(b bucket) visit {
	return func(flags uint32, key, value []byte) error {
		rest, err := unseal(b, key, value)
		if err != nil || flags != 0 {
			return broken("a value in %q does not match its checksum", b)
		}
		want := map[bucket]int{inDocs: docHead, inInfo: 8, inCounters: 8}[b]
		if len(rest) < want || b == inDue && len(key) < 8 {
			return broken("a value in %q is too short", b)
		}
		return nil
	}
}

// bucket walks through one part: a tree of its own, or a page inside the value if it is small.
func (p *pages) bucket(value []byte, see visit) error {
	if root := binary.NativeEndian.Uint64(value); root != 0 {
		return p.tree(root, see)
	}
	page := value[bucketHead:]
	if len(page) < pageHead || binary.NativeEndian.Uint16(page[8:]) != leafPage {
		return broken("a small part has no page")
	}
	w := walk{pages: p, see: see}
	return w.leaf(page, nil)
}
