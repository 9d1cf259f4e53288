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
	if len(parts) == 0 && p.tx >= firstTx {
		return false, broken("it looks empty, and was written to")
	}
	if len(parts) == 0 {
		return true, p.freelist()
	}
	if parts[inInfo] == nil && parts[inDocs] == nil {
		return false, foreign{}
	}
	err = p.part(inInfo, parts[inInfo])
	if p.version > format { // then the rest may look different, also that of the same part
		return false, newer(p.version)
	}
	for _, b := range []bucket{inDocs, inDue, inCounters} {
		if err == nil {
			err = p.part(b, parts[b])
		}
	}
	if err == nil && p.version != format {
		err = broken("its format is %d", p.version)
	}
	if err == nil {
		err = p.freelist()
	}
	return false, err
}

// part looks at everything in one part, and whether its guard is there.
func (p *pages) part(b bucket, value []byte) error {
	if value == nil {
		return broken("its part %q is missing", b)
	}
	guarded, wrong := false, error(nil)
	err := p.bucket(value, func(flags uint32, key, v []byte) error {
		rest, err := entry(b, flags, key, v)
		switch {
		case err != nil:
			wrong = err
		case string(key) == guard:
			guarded = true
		case b == inInfo && string(key) == keyFormat:
			p.version = int64(binary.BigEndian.Uint64(rest))
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case wrong != nil:
		return wrong
	case !guarded:
		return broken("its part %q has lost what was in it", b)
	}
	return nil
}

func entry(b bucket, flags uint32, key, value []byte) ([]byte, error) {
	rest, err := unseal(b, key, value)
	if err != nil || flags != 0 {
		return nil, broken("a value in %q does not match its checksum", b)
	}
	want := map[bucket]int{inDocs: docHead, inInfo: 8, inCounters: 8}[b]
	if string(key) != guard && (len(rest) < want || b == inDue && len(key) < 8) {
		return nil, broken("a value in %q is too short", b)
	}
	return rest, nil
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
