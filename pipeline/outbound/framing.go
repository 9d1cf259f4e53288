package outbound

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/valyala/fasthttp"
)

// errFraming is a body whose chunks are not what RFC 9112 says.
var errFraming = errors.New("chunked body is malformed")

// maxChunkLine bounds a chunk's size line with its extensions, and each trailer line.
const maxChunkLine = 1 << 10

// maxTrailers bounds the lines after the last chunk.
const maxTrailers = 64

// framing says where a body ends. It works on the buffered reader in place: body bytes are copied
// once, to the reader of the body.
type framing struct {
	kind  uint8
	left  int64 // of the body or of the current chunk
	began bool  // chunked: a chunk was read, so a line end precedes the next size
	over  bool
}

const (
	sized uint8 = iota
	chunked
	untilClose
)

func framed(h *fasthttp.ResponseHeader, head bool) framing {
	n, status := h.ContentLength(), h.StatusCode()
	switch {
	case head || status == fasthttp.StatusNoContent || status == fasthttp.StatusNotModified:
		return framing{kind: sized, over: true}
	case n >= 0:
		return framing{kind: sized, left: int64(n), over: n == 0}
	case n == -1:
		return framing{kind: chunked}
	}
	return framing{kind: untilClose}
}

func (f *framing) length() int64 {
	if f.kind == sized {
		return f.left
	}
	return -1
}

// read fills p with body bytes; io.EOF is only ever the true end. Another error may come with n > 0.
func (f *framing) read(br *bufio.Reader, p []byte) (int, error) {
	if f.over {
		return 0, io.EOF
	}
	switch f.kind {
	case chunked:
		return f.readChunks(br, p)
	case untilClose:
		n, err := br.Read(p)
		f.over = err == io.EOF
		return n, err
	}
	n, err := br.Read(p[:min(int64(len(p)), f.left)])
	f.left -= int64(n)
	f.over = f.left == 0
	return n, cutShort(err)
}

// cutShort makes an end of the connection inside a body an error.
func cutShort(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (f *framing) readChunks(br *bufio.Reader, p []byte) (n int, err error) {
	for n < len(p) && !f.over {
		if n > 0 && br.Buffered() == 0 {
			return n, nil
		}
		if f.left == 0 {
			if n > 0 && !f.sizeInMemory(br) {
				return n, nil
			}
			if err := f.nextChunk(br); err != nil {
				return n, cutShort(err)
			}
			continue
		}
		m, err := br.Read(p[n:min(int64(len(p)), int64(n)+f.left)])
		n += m
		f.left -= int64(m)
		if err != nil {
			return n, cutShort(err)
		}
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// nextChunk reads a size line, and after the last chunk the trailers.
func (f *framing) nextChunk(br *bufio.Reader) error {
	if f.began {
		if line, err := readLine(br); err != nil {
			return err
		} else if len(line) != 0 {
			return errFraming
		}
	}
	line, err := readLine(br)
	if err != nil {
		return err
	}
	size, ok := chunkSize(line)
	if !ok {
		return errFraming
	}
	f.began, f.left = true, size
	if size > 0 {
		return nil
	}
	for range maxTrailers {
		line, err := readLine(br)
		if err != nil {
			return err
		}
		if len(line) == 0 {
			f.over = true
			return nil
		}
	}
	return errFraming
}

// readLine is one line without its end. It is valid until the next read.
func readLine(br *bufio.Reader) ([]byte, error) {
	line, err := br.ReadSlice('\n')
	if err == bufio.ErrBufferFull || len(line) > maxChunkLine {
		return nil, errFraming
	}
	if err != nil {
		return nil, err
	}
	if len(line) < 2 || line[len(line)-2] != '\r' {
		return nil, errFraming
	}
	return line[:len(line)-2], nil
}

// chunkSize parses the hexadecimal size; extensions after it are ignored.
func chunkSize(line []byte) (int64, bool) {
	var size int64
	digits := 0
	for _, c := range line {
		var v byte
		switch {
		case c >= '0' && c <= '9':
			v = c - '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			v = c | 0x20 - 'a' + 10
		case c == ';' || c == ' ' || c == '\t':
			return size, digits > 0
		default:
			return 0, false
		}
		if digits++; digits > 15 {
			return 0, false
		}
		size = size<<4 | int64(v)
	}
	return size, digits > 0
}

// sizeInMemory says whether the next size line can be read without waiting.
func (f *framing) sizeInMemory(br *bufio.Reader) bool {
	have, _ := br.Peek(br.Buffered())
	return f.sizeIn(have)
}

func (f *framing) sizeIn(have []byte) bool {
	if f.began {
		if len(have) < 2 {
			return false
		}
		have = have[2:]
	}
	return bytes.IndexByte(have, '\n') >= 0
}

// buffered is the number of body bytes that can be had without waiting, at least up to the end of
// the current chunk. Between two chunks it reads the next size if that is in memory.
func (f *framing) buffered(br *bufio.Reader) int {
	have := br.Buffered()
	if f.over || have == 0 {
		return 0
	}
	if f.kind == untilClose {
		return have
	}
	if f.kind == chunked && f.left == 0 && !f.peekChunk(br) {
		return 0
	}
	return int(min(int64(br.Buffered()), f.left))
}

// peekChunk moves on to the next chunk if that is certain to be a whole size line of a chunk with
// data; errors and the end are left for Read.
func (f *framing) peekChunk(br *bufio.Reader) bool {
	have, _ := br.Peek(br.Buffered())
	if !f.sizeIn(have) {
		return false
	}
	if f.began {
		if have[0] != '\r' || have[1] != '\n' {
			return false
		}
		have = have[2:]
	}
	line := have[:bytes.IndexByte(have, '\n')]
	if size, ok := chunkSize(bytes.TrimSuffix(line, []byte{'\r'})); !ok || size == 0 {
		return false
	}
	return f.nextChunk(br) == nil
}

// finished says whether the body is at its end, for a reader that stopped at its last byte. The
// last chunk counts only if it is in memory: Close must not wait for it.
func (f *framing) finished(br *bufio.Reader) bool {
	if f.over || f.kind != chunked || f.left > 0 {
		return f.over
	}
	end := "\r\n0\r\n\r\n"
	if !f.began {
		end = end[2:]
	}
	if have, _ := br.Peek(min(br.Buffered(), len(end))); string(have) != end {
		return false
	}
	_, _ = br.Discard(len(end))
	f.over = true
	return true
}
