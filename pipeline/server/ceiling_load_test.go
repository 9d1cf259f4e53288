//go:build linux

package server_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// loadPrompt is 1 kB of prompt, the same in both languages.
var loadPrompt = strings.Repeat("tell me more. ", 70)

// loadRequest is a request as it stands on the wire.
func loadRequest(path, body string) []byte {
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer pwd\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
}

func geminiLoad(model, verb string) []byte {
	return loadRequest("/v1beta/models/"+model+":"+verb, `{"contents":[{"role":"user","parts":[{"text":"`+loadPrompt+
		`"}]}],"generationConfig":{"temperature":0.5,"maxOutputTokens":4096}}`)
}

func openaiLoad(model string, stream bool) []byte {
	return loadRequest("/v1/chat/completions", fmt.Sprintf(`{"model":%q,"stream":%t,"temperature":0.5,"max_tokens":4096,`+
		`"messages":[{"role":"user","content":"%s"}]}`, model, stream, loadPrompt))
}

// loadCaller is one kept connection that sends its request again and again.
type loadCaller struct {
	conn    net.Conn
	br      *bufio.Reader
	header  fasthttp.ResponseHeader
	request []byte
	events  int // expected in an answer; 0 is an answer in one piece
	buf     []byte
}

func dialCaller(addr string, request []byte, events int) (*loadCaller, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &loadCaller{conn: conn, br: bufio.NewReader(conn), request: request, events: events}, nil
}

// once makes one call and reads the whole answer.
func (c *loadCaller) once() error {
	if err := c.begin(); err != nil {
		return err
	}
	if c.events == 0 {
		_, err := c.br.Discard(c.header.ContentLength())
		return err
	}
	events := 0
	for {
		chunk, err := c.chunk()
		if err != nil {
			return err
		}
		if len(chunk) == 0 {
			break
		}
		events += bytes.Count(chunk, []byte("data: {"))
	}
	if events < c.events {
		return fmt.Errorf("%d events, want %d", events, c.events)
	}
	return nil
}

// begin sends the request and reads the head of the answer.
func (c *loadCaller) begin() error {
	if _, err := c.conn.Write(c.request); err != nil {
		return err
	}
	if err := c.header.Read(c.br); err != nil {
		return err
	}
	n, status := c.header.ContentLength(), c.header.StatusCode()
	if status != fasthttp.StatusOK || c.events == 0 && n < 2000 || c.events > 0 && n != -1 {
		return fmt.Errorf("HTTP %d, Content-Length %d", status, n)
	}
	return nil
}

// chunk reads the next chunk of the answer; the last one is empty.
func (c *loadCaller) chunk() ([]byte, error) {
	line, err := c.br.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	size := 0
	if _, err := fmt.Sscanf(string(line), "%x", &size); err != nil {
		return nil, fmt.Errorf("chunk size %q", line)
	}
	if cap(c.buf) < size+2 {
		c.buf = make([]byte, size+2)
	}
	if _, err := io.ReadFull(c.br, c.buf[:size+2]); err != nil {
		return nil, err
	}
	return c.buf[:size], nil
}

// loadCrowd is many clients of one process.
type loadCrowd struct{ clients []*loadCaller }

func gatherCrowd(tb testing.TB, size int, addr string, request []byte, events int) *loadCrowd {
	tb.Helper()
	c := &loadCrowd{}
	for range size {
		one, err := dialCaller(addr, request, events)
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { _ = one.conn.Close() })
		c.clients = append(c.clients, one)
	}
	return c
}

// run lets all clients call until the time is over, and says how many answers came.
func (c *loadCrowd) run(span time.Duration) (served int, err error) {
	var wg sync.WaitGroup
	counts, errs := make([]int, len(c.clients)), make([]error, len(c.clients))
	until := time.Now().Add(span)
	for i, one := range c.clients {
		wg.Go(func() {
			for errs[i] == nil && (counts[i] == 0 || time.Now().Before(until)) {
				errs[i] = one.once()
				counts[i]++
			}
		})
	}
	wg.Wait()
	for _, n := range counts {
		served += n
	}
	return served, errors.Join(errs...)
}
