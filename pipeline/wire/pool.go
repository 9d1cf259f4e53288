package wire

import (
	"math/bits"
	"sync"
	"unsafe"
)

// The size classes: powers of two from 4 kB to 1 MB.
const (
	smallest = 12
	largest  = 20
	classes  = largest - smallest + 1
)

// MaxPooled is the largest buffer that is kept; larger ones are left to the garbage collector.
const MaxPooled = 1 << largest

// Pool lends buffers by size class.
type Pool struct{ class [classes]sync.Pool }

// Buffers is the pool of the process.
var Buffers Pool

// Buffer is a lent buffer. B may be appended to and replaced; Put keeps what B is then.
type Buffer struct{ B []byte }

// Get lends a buffer with length 0 and room for n bytes at least. It is small enough to be inlined,
// so that a handle that does not leave its function costs nothing.
func (p *Pool) Get(n int) *Buffer { return &Buffer{B: p.bytes(n)} }

// Lend is Get for a handle that the caller keeps; what it held before is forgotten.
func (p *Pool) Lend(b *Buffer, n int) { b.B = p.bytes(n) }

func (p *Pool) bytes(n int) []byte {
	c := 0
	if n > 1<<smallest {
		c = bits.Len(uint(n-1)) - smallest
	}
	if c >= classes {
		return make([]byte, 0, n)
	}
	size := 1 << (smallest + c)
	if first, ok := p.class[c].Get().(*byte); ok {
		return unsafe.Slice(first, size)[:0]
	}
	return make([]byte, 0, size)
}

// Put takes a buffer back. The handle is empty afterwards, so that a second Put does nothing: the
// pool keeps the bytes, never the handle. nil is let through.
func (p *Pool) Put(b *Buffer) {
	if b == nil {
		return
	}
	// What the caller appended may have any capacity: it serves the class below.
	c := bits.Len(uint(cap(b.B))) - 1 - smallest
	if c >= 0 && cap(b.B) <= MaxPooled {
		p.class[c].Put(unsafe.SliceData(b.B)) // a bare pointer goes into the interface without allocation
	}
	b.B = nil
}
