package seal

import (
	"bufio"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// A sealed stream is a head and pieces. The head is streamMagic, the id of the key, and a salt from which
// and from the secret, worked over as for everything else that is sealed, the key of this one stream is derived. Each piece is 64 KiB, the last one less, with
// AES-256-GCM: its nonce is its number and whether it is the last one, so that none can be left out, moved
// or cut off unnoticed.
const (
	streamMagic = "gcli2api sealed stream 1\n"
	streamID    = 8
	streamSalt  = 32
	streamPiece = 64 << 10
	streamTag   = 16
)

// What can be wrong with a sealed stream.
var (
	ErrStreamKey     = errors.New("it was encrypted with another SECRET_KEY than the one in force")
	ErrStreamNoKey   = errors.New("it is encrypted: set the SECRET_KEY that it was made with")
	ErrStreamDamaged = errors.New("it is damaged or cut off")
)

// IsStream tells by its beginning whether something is a sealed stream.
func IsStream(begin []byte) bool { return bytes.HasPrefix(begin, []byte(streamMagic)) }

// StreamHead is how many bytes IsStream has to see.
const StreamHead = len(streamMagic)

// NewStream encrypts what is written to it, until Close writes the end. It does not close w.
func NewStream(w io.Writer, secret string) (io.WriteCloser, error) {
	if secret == "" {
		return nil, ErrStreamNoKey
	}
	root := rootOf(secret)
	id, err := streamKeyID(root)
	if err != nil {
		return nil, err
	}
	salt := make([]byte, streamSalt)
	_, _ = rand.Read(salt) // never fails
	aead, err := streamCipher(root, salt)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(append(append([]byte(streamMagic), id...), salt...)); err != nil {
		return nil, err
	}
	return &streamWriter{to: w, aead: aead, room: make([]byte, 0, streamPiece)}, nil
}

func streamKeyID(root []byte) ([]byte, error) {
	return hkdf.Key(sha256.New, root, nil, "gcli2api: id of the key of sealed streams", streamID)
}

func streamCipher(root, salt []byte) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, root, salt, "gcli2api: sealed stream 1", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func streamNonce(n uint64, last bool) []byte {
	nonce := binary.BigEndian.AppendUint64(make([]byte, 3, 12), n)
	if last {
		return append(nonce, 1)
	}
	return append(nonce, 0)
}

type streamWriter struct {
	to     io.Writer
	aead   cipher.AEAD
	room   []byte
	sealed []byte
	n      uint64
	closed bool
}

// Write takes bytes; a piece leaves when there is something behind it.
func (s *streamWriter) Write(p []byte) (int, error) {
	if s.closed {
		return 0, errors.New("the stream has ended")
	}
	total := len(p)
	for len(p) > 0 {
		if len(s.room) == streamPiece {
			if err := s.flush(false); err != nil {
				return 0, err
			}
		}
		n := min(streamPiece-len(s.room), len(p))
		s.room = append(s.room, p[:n]...)
		p = p[n:]
	}
	return total, nil
}

func (s *streamWriter) flush(last bool) error {
	s.sealed = s.aead.Seal(s.sealed[:0], streamNonce(s.n, last), s.room, nil)
	s.n++
	s.room = s.room[:0]
	_, err := s.to.Write(s.sealed)
	return err
}

// Close writes the last piece.
func (s *streamWriter) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	return s.flush(true)
}

// OpenStream reads a sealed stream with whichever of the secrets it was made with. Nothing comes out that
// was not verified, and io.EOF only where the end was.
func OpenStream(r io.Reader, secrets ...string) (io.Reader, error) {
	head := make([]byte, len(streamMagic)+streamID+streamSalt)
	if _, err := io.ReadFull(r, head); err != nil || !IsStream(head) {
		return nil, ErrStreamDamaged
	}
	id, salt := head[len(streamMagic):len(streamMagic)+streamID], head[len(streamMagic)+streamID:]
	none := true
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		none = false
		root := rootOf(secret)
		mine, err := streamKeyID(root)
		if err != nil || !bytes.Equal(mine, id) {
			continue
		}
		aead, err := streamCipher(root, salt)
		if err != nil {
			return nil, err
		}
		return &streamReader{from: bufio.NewReaderSize(r, streamPiece+streamTag+1), aead: aead, sealed: make([]byte, streamPiece+streamTag)}, nil
	}
	if none {
		return nil, ErrStreamNoKey
	}
	return nil, ErrStreamKey
}

type streamReader struct {
	from   *bufio.Reader
	aead   cipher.AEAD
	sealed []byte
	plain  []byte
	n      uint64
	err    error
}

// Read gives verified bytes.
func (s *streamReader) Read(p []byte) (int, error) {
	for len(s.plain) == 0 && s.err == nil {
		s.next()
	}
	if len(s.plain) == 0 {
		return 0, s.err
	}
	n := copy(p, s.plain)
	s.plain = s.plain[n:]
	return n, nil
}

func (s *streamReader) next() {
	n, err := io.ReadFull(s.from, s.sealed)
	last := err != nil
	switch {
	case err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		s.err = fmt.Errorf("read: %w", err)
		return
	case err == nil:
		_, err := s.from.Peek(1)
		last = errors.Is(err, io.EOF)
	}
	plain, err := s.aead.Open(s.sealed[:0:n], streamNonce(s.n, last), s.sealed[:n], nil)
	if err != nil {
		s.err = ErrStreamDamaged
		return
	}
	s.n++
	if s.plain = plain; last {
		s.err = io.EOF
	}
}
