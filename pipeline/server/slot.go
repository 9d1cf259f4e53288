package server

import (
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
)

// chunk is what the runner hands to the server: bytes to write, or why there are none.
type chunk struct {
	buf   *wire.Buffer
	fail  *apierror.Error // the answer failed; the runner is done and the encoder is the server's
	first bool            // the first bytes of an answer
	last  bool            // the answer is whole after this
}

// slot passes finished bytes from the runner to the server: two buffers, so that one is filled
// while the other is written, and nothing is read further ahead than that.
type slot struct {
	full chan chunk        // closed when the runner has ended
	free chan *wire.Buffer // what the server has written out
}

// bufferSize is one write: events that are in memory already are packed up to it.
const bufferSize = 4096

func newSlot() *slot {
	return &slot{full: make(chan chunk), free: make(chan *wire.Buffer, 2)}
}

// buffer gives the runner an empty buffer.
func (s *slot) buffer() *wire.Buffer {
	select {
	case b := <-s.free:
		b.B = b.B[:0]
		return b
	default:
		return wire.Buffers.Get(bufferSize)
	}
}

// done takes a buffer back from the server.
func (s *slot) done(b *wire.Buffer) {
	if b == nil {
		return
	}
	select {
	case s.free <- b:
	default:
		wire.Buffers.Put(b)
	}
}

// drain waits for the runner to end and gives every buffer back.
func (s *slot) drain() {
	for c := range s.full {
		s.done(c.buf)
	}
	for {
		select {
		case b := <-s.free:
			wire.Buffers.Put(b)
		default:
			return
		}
	}
}
