package simulator

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http/httputil"
	"strconv"
)

// cannedRequest is what the CannedServer wants to know of a request. It is reused from request to request.
type cannedRequest struct {
	wrapped bool // path of Code Assist
	stream  bool
	last    bool // the client closes the connection afterwards
	model   string
	start   []byte // first bytes of the body, where the model of Code Assist stands
}

// read takes one request off the connection, its body included.
func (q *cannedRequest) read(in *bufio.Reader) error {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return err
	}
	words := bytes.SplitN(line, []byte(" "), 3)
	if len(words) != 3 {
		return errors.New("not a request line")
	}
	q.wrapped = bytes.HasPrefix(words[1], []byte("/v1internal"))
	q.stream = bytes.Contains(words[1], []byte("streamGenerateContent"))
	q.model, q.last, q.start = "", false, q.start[:0]
	if !q.wrapped {
		q.model = benchIn(words[1])
	}
	length, err := q.headers(in)
	if err != nil {
		return err
	}
	if err := q.body(in, length); err != nil {
		return err
	}
	if q.wrapped {
		q.model = benchModel(q.start)
	}
	return nil
}

// headers reads up to the empty line and gives the length of the body; -1 means that it comes in chunks.
func (q *cannedRequest) headers(in *bufio.Reader) (length int, err error) {
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			return length, nil
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, err
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			length = -1
		case bytes.EqualFold(name, []byte("Connection")):
			q.last = bytes.EqualFold(value, []byte("close"))
		}
	}
}

func (q *cannedRequest) body(in *bufio.Reader, length int) error {
	if length < 0 {
		if _, err := io.Copy(io.Discard, httputil.NewChunkedReader(in)); err != nil {
			return err
		}
		_, err := in.ReadSlice('\n') // the chunked reader leaves the empty line behind the last chunk
		return err
	}
	begin, err := in.Peek(min(length, 600))
	if err != nil {
		return err
	}
	q.start = append(q.start, begin...)
	_, err = in.Discard(length)
	return err
}
