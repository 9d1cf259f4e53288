package embedded

import (
	"encoding/binary"
	"hash/fnv"
	"io"
	"math"
	"os"
)

// What bbolt's files look like (version 2): pages of one size, numbered from 0; the first two are
// metas, the newer valid one counts. Numbers are in the byte order of the machine.
const (
	magic      = 0xED0CDAED
	layout     = 2
	pageHead   = 16 // number, flags, count of entries, how many pages more it covers
	metaSize   = 64 // magic, version, page size, flags, root, its sequence, free list, height, transaction, checksum
	entrySize  = 16
	bucketHead = 16 // root page, sequence; a page follows if root is 0
	noList     = math.MaxUint64
	bucketFlag = 1
	firstTx    = 2         // the metas of a new file are those of 0 and 1
	maxDepth   = 64        // a tree of 2^64 entries is not as deep
	maxPage    = 256 << 20 // bytes; a page of two or three of the largest documents is far below

	branchPage = 1
	leafPage   = 2
	metaPage   = 4
	listPage   = 16
)

// pages is a file behind its metas.
type pages struct {
	f      *os.File
	size   int64  // of a page
	root   uint64 // where the tree begins
	list   uint64 // where the list of free pages is
	height uint64 // pages from here on do not count
	tx     uint64 // that wrote this meta
	length int64
	intact bool   // the first page is a meta
	seen   []bool // pages that belong to something
	bufs   [maxDepth + 1][]byte

	version int64 // of what we have put into it
}

// visit sees an entry; it must copy what it wants to keep.
type visit func(flags uint32, key, value []byte) error

// readMeta finds the page size as bbolt does: in the first page, or in the second wherever it may be.
func readMeta(f *os.File, length int64) (*pages, error) {
	var best *pages
	for at := int64(0); at <= 16<<20; at = max(at*2, 1024) {
		p, err := metaAt(f, at)
		if err != nil {
			return nil, err
		}
		if p != nil && (at == 0 || at == p.size) && (best == nil || p.size == best.size && p.tx > best.tx) {
			p.intact = at == 0 || best != nil && best.intact
			best = p
		}
	}
	if best == nil {
		return nil, broken("neither of its first two pages is one of a store")
	}
	best.length = length
	if best.unborn() {
		return best, nil
	}
	if best.height < 3 || best.height > uint64(length/best.size) {
		return nil, broken("it is cut off: %d bytes are left of %d", length, int64(best.height)*best.size)
	}
	best.seen = make([]bool, best.height)
	best.seen[0], best.seen[1] = true, true
	return best, nil
}

func metaAt(f *os.File, at int64) (*pages, error) {
	page := make([]byte, pageHead+metaSize)
	if _, err := f.ReadAt(page, at); err == io.EOF {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	b := page[pageHead:]
	u32, u64 := binary.NativeEndian.Uint32, binary.NativeEndian.Uint64
	h := fnv.New64a()
	h.Write(b[:metaSize-8])
	size := int64(u32(b[8:]))
	if u32(b) != magic || u32(b[4:]) != layout || u64(b[metaSize-8:]) != h.Sum64() || size < 1024 || size&(size-1) != 0 {
		return nil, nil
	}
	if u64(page) != uint64(at/size) || binary.NativeEndian.Uint16(page[8:]) != metaPage {
		return nil, broken("one of its first two pages has another number or kind") // bbolt would take it
	}
	return &pages{f: f, size: size, root: u64(b[16:]), list: u64(b[32:]), height: u64(b[40:]), tx: u64(b[48:])}, nil
}

// unborn is a file whose maker died while it wrote the first four pages. The first transaction of
// all goes to page 0, so that nobody has ever been told that something is in it.
func (p *pages) unborn() bool { return p.intact && p.tx < firstTx && p.length < 4*p.size }

// page reads a page with all that it covers. A page belongs to one thing only.
func (p *pages) page(id uint64, depth int) ([]byte, error) {
	if id < 2 || id >= p.height {
		return nil, broken("page %d is named and does not exist", id)
	}
	b, err := p.read(id, 1, depth)
	if err != nil {
		return nil, err
	}
	more := uint64(binary.NativeEndian.Uint32(b[12:]))
	if binary.NativeEndian.Uint64(b) != id || id+more >= p.height || int64(more) >= maxPage/p.size {
		return nil, broken("page %d has another number or length", id)
	}
	for i := id; i <= id+more; i++ {
		if p.seen[i] {
			return nil, broken("page %d belongs to two things", i)
		}
		p.seen[i] = true
	}
	if more == 0 {
		return b, nil
	}
	return p.read(id, int64(more)+1, depth)
}

func (p *pages) read(id uint64, n int64, depth int) ([]byte, error) {
	if int64(len(p.bufs[depth])) < n*p.size {
		p.bufs[depth] = make([]byte, n*p.size)
	}
	b := p.bufs[depth][:n*p.size]
	if _, err := p.f.ReadAt(b, int64(id)*p.size); err == io.EOF {
		return nil, broken("it is cut off at page %d", id)
	} else if err != nil {
		return nil, err
	}
	return b, nil
}

// freelist checks that no page is both in use and free.
func (p *pages) freelist() error {
	if p.list == noList {
		return nil // we write none, and bbolt looks for what is free; an older gateway wrote it
	}
	b, err := p.page(p.list, 0)
	if err != nil {
		return err
	}
	n, from := uint64(binary.NativeEndian.Uint16(b[10:])), uint64(pageHead)
	if n == math.MaxUint16 && len(b) >= pageHead+8 { // so many that their number is the first entry
		n, from = binary.NativeEndian.Uint64(b[pageHead:]), pageHead+8
	}
	if binary.NativeEndian.Uint16(b[8:]) != listPage || n > (uint64(len(b))-from)/8 {
		return broken("the list of free pages cannot be read")
	}
	for i := range n {
		id := binary.NativeEndian.Uint64(b[from+8*i:])
		if id < 2 || id >= p.height || p.seen[id] {
			return broken("page %d is both free and in use, or does not exist", id)
		}
		p.seen[id] = true
	}
	return nil
}
