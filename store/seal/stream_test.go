package seal

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
)

const streamSecret = second // a random one, which opens at once

func sealedStream(t testing.TB, plain []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := NewStream(&b, streamSecret)
	if err != nil {
		t.Fatal(err)
	}
	for p := plain; len(p) > 0; { // in pieces of any size
		n := min(rand.IntN(100_000)+1, len(p))
		if _, err := w.Write(p[:n]); err != nil {
			t.Fatal(err)
		}
		p = p[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func unsealedStream(data []byte, secrets ...string) ([]byte, error) {
	r, err := OpenStream(bytes.NewReader(data), secrets...)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

func noise(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rand.IntN(256))
	}
	return b
}

func TestStream(t *testing.T) {
	for _, n := range []int{0, 1, streamPiece - 1, streamPiece, streamPiece + 1, 2 * streamPiece, 5*streamPiece + 7} {
		plain := noise(n)
		data := sealedStream(t, plain)
		if n > 50 && bytes.Contains(data, plain[:40]) {
			t.Errorf("%d bytes are readable", n)
		}
		got, err := unsealedStream(data, "", "another one", streamSecret)
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes come back as %d, %v", n, len(got), err)
		}
	}
}

// Whatever is done to it is noticed, and nothing that was not there comes out before.
func TestStreamDamage(t *testing.T) {
	plain := noise(3*streamPiece + 100)
	data := sealedStream(t, plain)
	head := len(streamMagic) + streamID + streamSalt
	piece := streamPiece + streamTag
	swapped := bytes.Clone(data)
	copy(swapped[head:], data[head+piece:head+2*piece])
	copy(swapped[head+piece:], data[head:head+piece])
	for name, bad := range map[string][]byte{
		"cut at a piece":   data[:head+piece],
		"cut in a piece":   data[:head+piece+9],
		"no piece":         data[:head],
		"half a head":      data[:head-1],
		"swapped":          swapped,
		"one left out":     append(bytes.Clone(data[:head]), data[head+piece:]...),
		"something behind": append(bytes.Clone(data), 0),
		"twice":            append(bytes.Clone(data), data[head:]...),
	} {
		got, err := unsealedStream(bad, streamSecret)
		if !errors.Is(err, ErrStreamDamaged) || !bytes.HasPrefix(plain, got) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	for range 200 {
		bad := bytes.Clone(data)
		bad[rand.IntN(len(bad))] ^= 1 << rand.IntN(8)
		if got, err := unsealedStream(bad, streamSecret); err == nil || !bytes.HasPrefix(plain, got) {
			t.Fatalf("a changed bit is not noticed: %d bytes, %v", len(got), err)
		}
	}
}

func TestStreamKeys(t *testing.T) {
	data := sealedStream(t, []byte("text"))
	if _, err := unsealedStream(data, "another secret"); !errors.Is(err, ErrStreamKey) {
		t.Errorf("another secret: %v", err)
	}
	if _, err := unsealedStream(data, ""); !errors.Is(err, ErrStreamNoKey) {
		t.Errorf("no secret: %v", err)
	}
	if _, err := NewStream(io.Discard, ""); err == nil {
		t.Error("a stream without a secret")
	}
	if bytes.Equal(data, sealedStream(t, []byte("text"))) {
		t.Error("the same text comes out the same twice")
	}
}

func FuzzStream(f *testing.F) {
	for _, n := range []int{0, 5, streamPiece} {
		f.Add(sealedStream(f, noise(n)))
	}
	f.Add([]byte(streamMagic))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = unsealedStream(data, streamSecret) // it neither panics nor hangs
	})
}

// A guess of a secret that is no random one costs with an archive what it costs with a document: the id in the
// head, which anybody can read, is no quick way to try words.
func TestStreamSecretIsWorkedOver(t *testing.T) {
	var b bytes.Buffer
	w, err := NewStream(&b, first)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	quick, err := streamKeyID([]byte(first))
	if err != nil {
		t.Fatal(err)
	}
	if id := b.Bytes()[len(streamMagic) : len(streamMagic)+streamID]; bytes.Equal(id, quick) {
		t.Error("the id comes from the secret itself")
	}
	if got, err := unsealedStream(b.Bytes(), first); err != nil || len(got) > 0 {
		t.Errorf("%q %v", got, err)
	}
}
