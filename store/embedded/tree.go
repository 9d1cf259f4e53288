package embedded

import (
	"bytes"
	"encoding/binary"
)

// tree walks through a tree in the order of its keys.
func (p *pages) tree(root uint64, see visit) error {
	w := walk{pages: p, see: see}
	return w.page(root, 0, nil, nil)
}

// walk is on its way through one tree.
type walk struct {
	*pages
	see  visit
	last []byte // the key before, which every next one has to be beyond
	any  bool   // whether there was one
}

// page walks below one page. The first key there is first, if its parent names one, and every one is
// below end, if there is one. bbolt finds the entry of a page in its parent by this first key: where
// they differ, the next write would put a second entry beside the first one, and both would stay.
func (w *walk) page(id uint64, depth int, first, end []byte) error {
	if depth >= maxDepth {
		return broken("page %d is deeper than a tree can be", id)
	}
	b, err := w.pages.page(id, depth)
	if err != nil {
		return err
	}
	kind := binary.NativeEndian.Uint16(b[8:])
	if kind != leafPage && kind != branchPage {
		return broken("page %d is of no known kind", id)
	}
	if first != nil {
		if binary.NativeEndian.Uint16(b[10:]) == 0 {
			return broken("page %d has nothing in it", id) // bbolt takes such pages out of a tree
		}
		if key, err := firstKey(b, kind); err != nil {
			return err
		} else if !bytes.Equal(key, first) {
			return broken("page %d begins with another key than its parent says", id)
		}
	}
	if kind == leafPage {
		return w.leaf(b, end)
	}
	return w.branch(b, depth, end)
}

// firstKey is that of a page with an entry.
func firstKey(b []byte, kind uint16) ([]byte, error) {
	if kind == branchPage {
		return branchKey(b, 0)
	}
	return cut(b, pageHead, binary.NativeEndian.Uint32(b[pageHead+4:]), binary.NativeEndian.Uint32(b[pageHead+8:]))
}

// branchKey is the key of entry i, which has to be inside the page.
func branchKey(b []byte, i int) ([]byte, error) {
	at := pageHead + i*entrySize
	return cut(b, at, binary.NativeEndian.Uint32(b[at:]), binary.NativeEndian.Uint32(b[at+4:]))
}

func (w *walk) leaf(b, end []byte) error {
	u32 := binary.NativeEndian.Uint32
	n := int(binary.NativeEndian.Uint16(b[10:]))
	next := uint32(pageHead + n*entrySize) // where the next key has to be: a wrong n shows there
	for i := range n {
		at := pageHead + i*entrySize
		if at+entrySize > len(b) {
			return broken("a page has more entries than room")
		}
		e := b[at:]
		if u32(e[4:]) != next-uint32(at) {
			return broken("the entries of a page have gaps")
		}
		next += u32(e[8:]) + u32(e[12:])
		key, err := cut(b, at, u32(e[4:]), u32(e[8:]))
		if err != nil {
			return err
		}
		value, err := cut(b, at, u32(e[4:])+u32(e[8:]), u32(e[12:]))
		if err != nil {
			return err
		}
		if w.any && bytes.Compare(key, w.last) <= 0 || end != nil && bytes.Compare(key, end) >= 0 {
			return broken("its keys are out of order")
		}
		w.last, w.any = append(w.last[:0], key...), true
		if err := w.see(u32(e), key, value); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) branch(b []byte, depth int, end []byte) error {
	n := int(binary.NativeEndian.Uint16(b[10:]))
	if n == 0 || pageHead+n*entrySize > len(b) {
		return broken("a page has no entries, or more than room")
	}
	if binary.NativeEndian.Uint32(b[pageHead:]) != uint32(n*entrySize) {
		return broken("the entries of a page have gaps") // so that a wrong n shows
	}
	for i := range n {
		key, err := branchKey(b, i)
		if err != nil {
			return err
		}
		if w.any && bytes.Compare(key, w.last) <= 0 {
			return broken("its keys are out of order")
		}
		below := end
		if i+1 < n {
			if below, err = branchKey(b, i+1); err != nil {
				return err
			}
		}
		child := binary.NativeEndian.Uint64(b[pageHead+i*entrySize+8:])
		if err := w.page(child, depth+1, key, below); err != nil {
			return err
		}
	}
	return nil
}

// cut is n bytes at pos behind the entry at at.
func cut(b []byte, at int, pos, n uint32) ([]byte, error) {
	from := uint64(at) + uint64(pos)
	if from+uint64(n) > uint64(len(b)) {
		return nil, broken("an entry reaches beyond its page")
	}
	return b[from : from+uint64(n)], nil
}
